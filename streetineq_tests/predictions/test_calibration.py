"""Calibrated probabilities: against brute force, on scores of known meaning, and on noise."""

import math

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.models import binomial
from streetineq_assets.predictions import calibration
from streetineq_assets.predictions.calibration import (
    Link,
    calibrate,
    fit,
    link_table,
    quality,
    reliability,
)


def drawn(h: np.ndarray, seed: int = 0) -> np.ndarray:
    """Deciles drawn from the binomial link of these scores."""
    rng = np.random.default_rng(seed)
    return rng.binomial(9, 1 / (1 + np.exp(-h))) + 1


def by_fold(score: np.ndarray, actual: np.ndarray, k: int = 5):
    """`calibrate` with folds dealt in turn."""
    folds = pd.Series(np.arange(len(score)) % k)
    return calibrate(pd.Series(score), pd.Series(actual, dtype="Int8"), folds)


def own_probabilities(h: np.ndarray) -> np.ndarray:
    return np.exp(binomial.log_probabilities(h))


def test_the_identity_link_is_the_networks_own():
    h = np.linspace(-5, 5, 11)
    found = Link(0.0, 1.0, 1.0, 50, is_slope_fixed=False).probabilities(h)
    assert found == pytest.approx(own_probabilities(h))


def test_no_slope_and_no_dispersion_make_all_deciles_equally_likely():
    found = Link(0, 0, 0, 50, False).probabilities(np.array([-3.0, 8.0]))
    assert found == pytest.approx(np.full((2, 10), 0.1))


def test_a_links_probabilities_are_those_of_its_formula():
    p = 1 / (1 + math.exp(-(0.3 + 2 * 0.4)))
    weights = [math.comb(9, k) ** 0.7 * p**k * (1 - p) ** (9 - k) for k in range(10)]
    found = Link(0.3, 2.0, 0.7, 50, False).probabilities(np.array([0.4]))
    assert found[0] == pytest.approx(np.array(weights) / sum(weights))


def test_the_fit_is_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(1)
    h = 20 + 3 * rng.normal(size=200)  # far from 0, so that centring is tried
    actual = drawn((h - 20) / 2)

    def likelihood(link: Link) -> float:
        p = link.probabilities(h)
        return float(np.log(p[np.arange(200), actual - 1]).sum())

    found = fit(h, actual)
    best = likelihood(found)
    for step in (0.02, -0.02):
        assert likelihood(Link(found.a + step, found.b, found.dispersion, 200, False)) < best
        # The slope turns around the scores' centre.
        turned = Link(found.a - 20 * step, found.b + step, found.dispersion, 200, False)
        assert likelihood(turned) < best
        assert likelihood(Link(found.a, found.b, found.dispersion + step, 200, False)) < best


def test_what_is_calibrated_is_left_nearly_alone():
    h = np.random.default_rng(2).normal(0, 2, 3000)
    found = fit(h, drawn(h))
    assert (found.a, found.b, found.dispersion) == pytest.approx((0, 1, 1), abs=0.08)


def test_overconfident_probabilities_become_calibrated():
    rng = np.random.default_rng(3)
    true = rng.normal(0, 1, 1500)
    h = 2.5 * (true + rng.normal(0, 0.7, 1500))
    actual = drawn(true)
    before = quality(own_probabilities(h), actual)
    after = quality(by_fold(h, actual)[0], actual)
    assert before["variance_ratio"] > 2
    assert after["variance_ratio"] == pytest.approx(1, abs=0.1)
    assert after["nll"] < before["nll"] - 0.5
    assert after["rps"] < before["rps"]


def test_too_cautious_probabilities_become_narrower():
    rng = np.random.default_rng(4)
    actual = np.repeat(np.arange(1, 11), 100)
    h = np.log((actual - 0.5) / (10.5 - actual)) + rng.normal(0, 0.3, 1000)
    before, after = quality(own_probabilities(h), actual), quality(by_fold(h, actual)[0], actual)
    assert before["variance_ratio"] < 0.3
    assert after["variance_ratio"] == pytest.approx(1, abs=0.2)
    assert after["nll"] < before["nll"]


def test_pure_noise_gives_nearly_equal_probabilities():
    rng = np.random.default_rng(5)
    h, actual = rng.normal(0, 3, 1000), rng.permutation(np.repeat(np.arange(1, 11), 100))
    found, links = by_fold(h, actual)
    assert np.abs(found - 0.1).max() < 0.05
    assert quality(found, actual)["nll"] == pytest.approx(math.log(10), abs=0.02)
    assert max(link.b for link in links.values()) < 0.05


def test_scores_that_rank_the_wrong_way_round_say_nothing():
    h = np.linspace(-3, 3, 200)
    assert fit(h, drawn(-h)).b == 0


def test_few_areas_keep_the_networks_slope():
    h = np.random.default_rng(6).normal(0, 2, calibration.ENOUGH_FOR_SLOPE)
    assert not fit(h, drawn(h)).is_slope_fixed
    found = fit(h[:-1], drawn(h)[:-1])
    assert found.is_slope_fixed
    assert found.b == pytest.approx(1)
    assert found.n_lsoas == calibration.ENOUGH_FOR_SLOPE - 1


@pytest.mark.parametrize("h", [np.zeros(40), np.linspace(-9, 9, 40), np.linspace(-90, 90, 40)])
@pytest.mark.parametrize("actual", [np.full(40, 1), np.full(40, 5), np.repeat([1, 10], 20)])
def test_what_a_line_separates_has_finite_probabilities(h, actual):
    found, links = by_fold(h, actual)
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    assert np.isfinite(link_table(links)[["a", "b", "dispersion"]]).all(axis=None)


def test_a_folds_own_labels_do_not_enter_its_link():
    h = np.random.default_rng(7).normal(0, 2, 200)
    actual = drawn(h)
    found, _ = by_fold(h, actual)
    mine = np.arange(200) % 5 == 2
    other, _ = by_fold(h, np.where(mine, 11 - actual, actual))
    assert (found[mine] == other[mine]).all()
    assert (found[~mine] != other[~mine]).any()


def test_where_other_folds_have_too_few_areas_there_are_no_probabilities():
    h = np.linspace(-1, 1, 10)
    folds = pd.Series([0, 0] + [1] * 8)
    found, links = calibrate(pd.Series(h), pd.Series(np.arange(1, 11)), folds)
    assert np.isnan(found).all()
    assert links == {}
    assert link_table(links).columns.tolist()[:4] == ["fold", "a", "b", "dispersion"]


def test_an_area_without_a_label_or_of_several_folds():
    h = np.random.default_rng(8).normal(0, 2, 60)
    actual = pd.Series(drawn(h), dtype="Int8")
    folds = pd.Series(np.arange(60) % 5, dtype="Int16")
    actual[0], folds[1] = pd.NA, pd.NA
    found, links = calibrate(pd.Series(h), actual, folds)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert link_table(links)["n_lsoas"].tolist() == [47, 47, 46, 46, 46]


@pytest.mark.parametrize(
    ("h", "actual", "message"),
    [
        (np.zeros(8), np.arange(1, 9), "8 areas"),
        (np.full(20, np.nan), np.full(20, 3), "finite"),
        (np.zeros(20), np.full(20, 11), "1 to 10"),
    ],
)
def test_what_cannot_be_fitted_is_refused(h, actual, message):
    with pytest.raises(ValueError, match=message):
        fit(h, actual)


def test_quality_worked_by_hand():
    p = np.zeros((2, 10))
    p[0, [0, 1]] = 0.5  # mean 1.5, variance 0.25
    p[1, 4] = 1.0
    found = quality(p, np.array([2, 5]))
    assert found["nll"] == pytest.approx(math.log(2) / 2)
    assert found["rps"] == pytest.approx(0.25 / 9 / 2)
    assert found["predicted_variance"] == pytest.approx(0.125)
    assert found["squared_error"] == pytest.approx(0.125)
    assert found["variance_ratio"] == pytest.approx(1)
    assert found["mae"] == pytest.approx(0.25)


def test_the_quality_of_nothing_is_undefined():
    assert np.isnan(list(quality(np.empty((0, 10)), np.array([], int)).values())).all()


def test_certain_predictions_spread_by_nothing():
    nearly = np.zeros((3, 10), np.float32)
    nearly[:, 8] = np.nextafter(np.float32(1), np.float32([0, 2, 0]))
    found = calibration.reliability(nearly, np.array([9, 9, 9]))
    assert found["predicted_sd"].between(0, 1e-6).all()
    assert 0 <= calibration.quality(nearly, np.array([9, 9, 9]))["predicted_variance"] < 1e-12


def test_reliability_worked_by_hand():
    p = np.zeros((3, 10))
    p[0, [0, 1]] = [0.6, 0.4]  # expected 1.4
    p[1, [0, 2]] = 0.5, 0.5  # expected 2
    p[2, [1, 2]] = 0.8, 0.2  # expected 2.2
    found = reliability(p, np.array([1, 1, 4])).set_index("expected_decile")
    assert found.loc[1].tolist() == pytest.approx([1, 1.4, 1, math.sqrt(0.24), 0.4])
    both = [2, 2.1, 2.5, math.sqrt((1 + 0.16) / 2), math.sqrt((1 + 1.8**2) / 2)]
    assert found.loc[2].tolist() == pytest.approx(both)
