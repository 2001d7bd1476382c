"""Metrics by how many locations an area has."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from streetineq_assets.predictions.by_n_locations import by_n_locations


def areas(n_locations: list[int], seed: int = 0) -> pd.DataFrame:
    rng, n = np.random.default_rng(seed), len(n_locations)
    actual = rng.integers(1, 11, n)
    score = actual + rng.normal(0, 2, n)
    decile = np.clip(np.rint(score), 1, 10).astype(int)
    return pd.DataFrame(
        {"n_locations": n_locations, "actual_decile": actual, "decile": decile, "score": score}
    )


def test_every_area_is_in_one_group():
    found = by_n_locations(areas([1, 2, 3, 4, 5, 9, 10, 19, 20, 500]))
    assert found["group"].tolist() == ["1", "2", "3-4", "5-9", "10-19", "20+"]
    assert found["n_lsoas"].tolist() == [1, 1, 2, 2, 2, 2]


def test_a_group_has_the_metrics_of_its_areas():
    frame = areas([1] * 40 + [7] * 60)
    found = by_n_locations(frame).set_index("group").loc["5-9"]
    mine = frame.iloc[40:]
    expected = spearmanr(mine["score"], mine["actual_decile"]).statistic
    assert found["spearman_score"] == pytest.approx(expected)
    labels = list(range(1, 11))
    kappa = cohen_kappa_score(
        mine["actual_decile"], mine["decile"], weights="quadratic", labels=labels
    )
    assert found["kappa_quadratic"] == pytest.approx(kappa)
    assert found["mae"] == pytest.approx((mine["actual_decile"] - mine["decile"]).abs().mean())


def test_one_area_has_an_error_and_no_correlation():
    found = by_n_locations(areas([3])).iloc[0]
    assert found["n_lsoas"] == 1
    assert np.isnan(found["spearman_score"])
    assert np.isfinite(found["mae"])


def test_more_locations_show_in_the_metrics():
    """Where the mean of more locations is the surer, as by the law of large numbers."""
    n_locations = [1] * 300 + [16] * 300
    frame = areas(n_locations)
    noise = np.random.default_rng(1).normal(size=600) * 4 / np.sqrt(n_locations)
    found = by_n_locations(frame.assign(score=frame["actual_decile"] + noise))
    assert found["spearman_score"].is_monotonic_increasing
