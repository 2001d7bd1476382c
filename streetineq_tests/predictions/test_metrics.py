"""The metrics: golden values of an independent implementation, and the libraries as oracles."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from streetineq_assets.predictions import metrics

TRUE = list(range(1, 11))
PREDICTED = [2, 2, 2, 5, 5, 7, 6, 8, 10, 9]
GOLDEN = {
    "pearson": 0.957427,
    "spearman": 0.960114,
    "kendall": 0.861397,
    "mae": 0.7,
    "kappa": 0.222222,
    "kappa_linear": 0.785276,
    "kappa_quadratic": 0.956522,
    "accuracy": 0.3,
    "within_1": 1.0,
}
DECILE_PAIRS = st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=2, max_size=60)


def scores(*tables):
    """The metrics as published; an undefined one is NaN without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return metrics.scores(*tables)


@pytest.mark.parametrize(("metric", "value"), GOLDEN.items())
def test_golden_values(metric, value):
    assert scores(TRUE, PREDICTED)[metric] == pytest.approx(value, abs=5e-7)


def test_names_are_the_published_ones():
    wanted = ["pearson", "spearman", "kendall", "mae", "kappa", "kappa_linear", "kappa_quadratic"]
    wanted += ["accuracy", "within_1", "within_2", "recall_decile_1", "recall_decile_10"]
    assert list(scores(TRUE, PREDICTED)) == wanted
    assert list(scores(TRUE, PREDICTED, np.full((10, 10), 0.1))) == [*wanted, "rps"]


@settings(max_examples=60, deadline=None)
@given(DECILE_PAIRS)
def test_agrees_with_scipy_and_scikit_learn(pairs):
    actual, predicted = np.array(pairs).T
    found = scores(actual, predicted)
    labels = list(range(1, 11))
    expected = {
        "mae": sk.mean_absolute_error(actual, predicted),
        "accuracy": sk.accuracy_score(actual, predicted),
        "within_2": np.mean(np.abs(actual - predicted) <= 2),
    }
    if len(set(actual)) > 1 and len(set(predicted)) > 1:
        expected["pearson"] = stats.pearsonr(actual, predicted).statistic
        expected["spearman"] = stats.spearmanr(actual, predicted).statistic
        expected["kendall"] = stats.kendalltau(actual, predicted).statistic
        for name, weights in (("", None), ("_linear", "linear"), ("_quadratic", "quadratic")):
            expected[f"kappa{name}"] = sk.cohen_kappa_score(
                actual, predicted, labels=labels, weights=weights
            )
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(value, abs=1e-9), metric


def test_recall_of_the_extremes_counts_only_their_own_areas():
    found = scores([1, 1, 1, 1, 10, 10], [1, 1, 2, 9, 10, 3])
    assert found["recall_decile_1"] == 0.5
    assert found["recall_decile_10"] == 0.5


@pytest.mark.parametrize(
    ("actual", "predicted", "undefined"),
    [
        ([5, 5, 5], [1, 2, 3], {"pearson", "spearman", "kendall", "kappa", "kappa_quadratic"}),
        ([1, 2, 3], [5, 5, 5], {"pearson", "spearman", "kendall"}),
        ([5, 5], [5, 5], {"pearson", "spearman", "kendall", "kappa"}),
        ([2, 3], [2, 3], {"recall_decile_1", "recall_decile_10"}),
        ([], [], {"mae", "accuracy", "within_1", "kappa_quadratic", "pearson"}),
    ],
)
def test_what_is_undefined_is_nan(actual, predicted, undefined):
    found = scores(actual, predicted)
    assert {name for name in undefined if np.isnan(found[name])} == undefined


def test_a_decile_that_does_not_occur_still_counts_as_one():
    # With labels taken from the data, the kappas of these two would be the same.
    near, far = scores([1, 2] * 5, [2, 1] * 5), scores([1, 10] * 5, [10, 1] * 5)
    assert near["kappa_linear"] == far["kappa_linear"] == -1
    assert near["mae"] == 1
    assert far["mae"] == 9


def test_rps_of_a_sure_forecast_is_its_error_in_deciles_over_nine():
    sure = np.eye(10)[np.array(PREDICTED) - 1]
    assert scores(TRUE, PREDICTED, sure)["rps"] == pytest.approx(0.7 / 9)


def test_rps_of_an_even_forecast():
    # Decile 1: the borders k are reached with probability k/10 and all passed: sum (1 - k/10)^2.
    even = np.full((1, 10), 0.1)
    expected = sum((1 - k / 10) ** 2 for k in range(1, 10)) / 9
    assert scores([1], [1], even)["rps"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [
        ([1, 2], [1], "2 actual but 1 predicted"),
        ([0], [1], "whole deciles 1 to 10"),
        ([1], [11], "predicted must be whole deciles"),
        ([1.5], [1], "whole deciles"),
        ([np.nan], [1], "without gaps"),
        (["a"], [1], "not a decile"),
    ],
)
def test_what_is_no_decile_is_refused(actual, predicted, message):
    with pytest.raises(ValueError, match=message):
        scores(actual, predicted)


@pytest.mark.parametrize("probabilities", [np.full((2, 9), 1 / 9), np.full((2, 10), 0.2)])
def test_what_is_no_distribution_is_refused(probabilities):
    with pytest.raises(ValueError, match="probabilities"):
        scores([1, 2], [1, 2], probabilities)


def test_a_stack_of_tables_gives_each_tables_metrics():
    rng = np.random.default_rng(1)
    pairs = [(rng.integers(1, 11, 50), rng.integers(1, 11, 50)) for _ in range(4)]
    stacked = metrics.of_tables(np.stack([metrics.table(*pair) for pair in pairs]))
    for i, pair in enumerate(pairs):
        single = scores(*pair)
        assert {name: stacked[name][i] for name in single} == pytest.approx(single)
