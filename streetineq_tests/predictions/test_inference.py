"""Means and slopes from predicted deciles: right on average, with intervals that hold.

The truth is known by simulation: an outcome that rises by 0.3 a decile, and predicted deciles that
rank areas by a score of a given correlation with the truth.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from streetineq_assets.predictions.inference import MIN_LABELLED, debiased_mean, debiased_slope

SLOPE = 0.3
MANUAL = Path(__file__).parents[2] / "data/README.md"


def simulate(rng, *, n=2000, labelled=200, r=0.8, noise=2.0):
    """Outcome, predicted, labelled and actual of areas; labels are missing at random."""
    truth = rng.normal(size=n)
    score = r * truth + np.sqrt(1 - r**2) * rng.normal(size=n)
    actual, predicted = (
        np.ceil(stats.rankdata(values) * 10 / n).astype(int) for values in (truth, score)
    )
    known = np.zeros(n, dtype=bool)
    known[rng.choice(n, labelled, replace=False)] = True
    return SLOPE * actual + noise * rng.normal(size=n), predicted, known, actual


def summary(estimates, truth):
    """Mean error in standard errors of the mean, and the share of intervals that hold."""
    values, lower, upper = np.array(estimates).T
    bias = (values.mean() - truth) / (values.std() / np.sqrt(len(values)))
    return bias, np.mean((lower <= truth) & (truth <= upper))


@pytest.mark.parametrize(("labelled", "r"), [(200, 0.5), (500, 0.5), (200, 0.8), (500, 0.8)])
def test_the_slope_is_unbiased_and_its_interval_holds(labelled, r):
    rng = np.random.default_rng(labelled)
    found = [debiased_slope(*simulate(rng, labelled=labelled, r=r)) for _ in range(600)]
    bias, coverage = summary(found, SLOPE)
    assert abs(bias) < 3.5
    assert coverage == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("r", "at_most"), [(0.5, 0.02), (0.8, 0.3)])
def test_the_naive_slope_is_attenuated_and_its_interval_does_not_hold(r, at_most):
    """By least squares on predicted deciles; that is why the above is needed."""
    rng = np.random.default_rng(1)
    held, slopes = [], []
    for _ in range(200):
        outcome, predicted, _, _ = simulate(rng, r=r)
        fit = stats.linregress(predicted, outcome)
        slopes.append(fit.slope)
        held.append(abs(fit.slope - SLOPE) <= 1.96 * fit.stderr)
    assert np.mean(slopes) == pytest.approx(SLOPE * r, abs=0.04)
    assert np.mean(held) < at_most


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_it_is_unbiased_though_the_errors_of_predictions_go_with_the_outcome(gain):
    """Such as images of hospitals: the labelled areas show it, however the predictions err."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(500):
        outcome, predicted, known, actual = simulate(rng)
        found.append(debiased_slope(outcome, predicted + gain * outcome, known, actual))
    bias, coverage = summary(found, SLOPE)
    assert abs(bias) < 3.5
    assert coverage > 0.92


def test_predictions_make_it_more_precise_than_the_labelled_areas_alone():
    rng = np.random.default_rng(2)
    both, alone = [], []
    for _ in range(300):
        outcome, predicted, known, actual = simulate(rng)
        both.append(debiased_slope(outcome, predicted, known, actual).value)
        alone.append(stats.linregress(actual[known], outcome[known]).slope)
    assert np.std(both) < 0.8 * np.std(alone)


def test_useless_predictions_cost_nothing():
    rng = np.random.default_rng(3)
    both, alone = [], []
    for _ in range(300):
        outcome, _, known, actual = simulate(rng)
        both.append(debiased_slope(outcome, rng.integers(1, 11, 2000), known, actual).value)
        alone.append(stats.linregress(actual[known], outcome[known]).slope)
    assert np.std(both) < 1.05 * np.std(alone)


def test_with_all_areas_labelled_it_is_least_squares():
    outcome, predicted, known, actual = simulate(np.random.default_rng(4), n=300, labelled=300)
    found = debiased_slope(outcome, predicted, known, actual)
    fit = stats.linregress(actual, outcome)
    assert found.value == pytest.approx(fit.slope)
    assert found.upper - found.value == pytest.approx(1.96 * fit.stderr, rel=0.1)
    assert debiased_mean(predicted, known, actual).value == pytest.approx(actual.mean())


def test_areas_that_share_a_cluster_are_worth_fewer():
    """Outcome and decile vary between neighbourhoods alone: intervals by area would not hold."""
    rng = np.random.default_rng(6)
    by_area, by_cluster = [], []
    for _ in range(400):
        cluster = np.repeat(np.arange(80), 5)
        actual = rng.integers(1, 11, 80)[cluster]
        outcome = SLOPE * actual + 2 * rng.normal(size=80)[cluster] + 0.2 * rng.normal(size=400)
        known = rng.random(400) < 0.5
        given = (outcome, actual + rng.normal(size=400), known, actual)
        by_area.append(debiased_slope(*given))
        by_cluster.append(debiased_slope(*given, clusters=cluster))
    assert summary(by_area, SLOPE)[1] < 0.8
    assert summary(by_cluster, SLOPE)[1] == pytest.approx(0.95, abs=0.03)


def test_the_mean_of_a_group_is_unbiased_where_that_of_predictions_is_not():
    """Decile 1 to 3 of a city: predicted ones regress to the middle."""
    rng = np.random.default_rng(7)
    found, naive = [], []
    for _ in range(500):
        _, predicted, _, actual = simulate(rng, n=1000, labelled=1)
        group = actual <= 3
        predicted, actual = predicted[group], actual[group]
        known = rng.random(group.sum()) < 0.3
        found.append(debiased_mean(predicted, known, actual))
        naive.append(predicted.mean())
    bias, coverage = summary(found, 2.0)
    assert abs(bias) < 3.5
    assert coverage > 0.93
    assert np.mean(naive) > 2.5


def test_a_weighted_mean_counts_residents():
    rng = np.random.default_rng(8)
    actual = np.repeat([1, 9], 200)
    weights = np.repeat([3.0, 1.0], 200)
    predicted = actual + rng.normal(size=400)
    everywhere = np.ones(400, dtype=bool)
    assert debiased_mean(predicted, everywhere, actual, weights).value == pytest.approx(3.0)
    some = debiased_mean(predicted, rng.random(400) < 0.5, actual, weights)
    assert some.lower < 3.0 < some.upper


def test_labels_that_are_not_known_may_be_missing():
    outcome, predicted, known, actual = simulate(np.random.default_rng(9))
    nullable = pd.Series(actual, dtype="Int8").where(known)
    assert debiased_slope(outcome, predicted, known, nullable) == debiased_slope(
        outcome, predicted, known, actual
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labelled": np.arange(200) < 19}, f"19 areas are labelled.+{MIN_LABELLED}"),
        ({"clusters": np.arange(200) // 20}, "10 clusters are labelled"),
        ({"clusters": [None] * 200}, "no cluster"),
        ({"clusters": np.arange(7)}, "clusters has 7 values"),
        ({"labelled": np.arange(200)}, "true and false"),
        ({"predicted": np.full(200, 5)}, "predicted is 5 in all 100 labelled areas"),
        ({"actual": np.full(200, 5)}, "actual is 5 in all 100 labelled areas"),
        ({"predicted": np.r_[np.nan, np.arange(199)]}, "1 of 200 values of predicted are missing"),
        ({"outcome": np.full(200, np.nan)}, "200 of 200 values of outcome"),
        ({"actual": np.full(200, np.nan)}, "100 of 200 values of actual"),
        ({"outcome": np.arange(7)}, "outcome has 7 values where labelled has 200"),
        ({"actual": np.arange(7)}, "actual has 7 values"),
        ({"level": 95}, "level is 95"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(change, told):
    outcome, predicted, known, actual = simulate(np.random.default_rng(10), n=200, labelled=100)
    given = {"outcome": outcome, "predicted": predicted, "labelled": known, "actual": actual}
    with pytest.raises(ValueError, match=told):
        debiased_slope(**given | change)


def test_weights_that_are_none_are_refused():
    _, predicted, known, actual = simulate(np.random.default_rng(11), n=200, labelled=100)
    with pytest.raises(ValueError, match="zero or more"):
        debiased_mean(predicted, known, actual, np.full(200, -1.0))


def test_the_example_of_the_manual_runs_and_says_what_the_manual_says():
    snippets = re.findall(r"```python\n(.+?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    (snippet,) = [each for each in snippets if "TRUE_SLOPE" in each]
    given = {}
    exec(compile(snippet, str(MANUAL), "exec"), given)
    naive, found = given["naive"], given["found"]
    assert naive < found.lower < given["TRUE_SLOPE"] < found.upper
