"""Folds on one scale: shifts and stretches of whole folds vanish, and what is alike stays alike."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.predictions.aggregation import lsoa_table
from streetineq_assets.predictions.alignment import ALIKE, align_folds, aligned
from streetineq_tests.predictions import simulated


def stratified() -> pd.DataFrame:
    """Simulated locations whose folds are dealt along the areas' deciles."""
    locations = simulated.locations(areas=300)
    return locations.assign(fold=(locations.groupby("area").ngroup() % 5).astype("int16"))


def error(locations: pd.DataFrame) -> float:
    """Mean absolute error of the ranked deciles."""
    table = lsoa_table(locations, rule="mean_score")
    return float((table["decile"].astype(int) - table["actual_decile"].astype(int)).abs().mean())


def on_scales(locations: pd.DataFrame) -> pd.DataFrame:
    """Each fold's scores moved and stretched, as by networks that were stopped at other epochs."""
    fold = locations["fold"].to_numpy()
    shift, factor = np.array([-1.5, 0, 2, 0.5, -1]), np.array([0.5, 1, 2, 1, 1.5])
    return locations.assign(h=locations["h"] * factor[fold] + shift[fold])


def test_two_folds_worked_by_hand():
    locations = pd.DataFrame(
        {"area": list("AABBCD"), "fold": [0, 0, 0, 0, 1, 1], "h": [0.0, 2, 3, 3, 10, 18]}
    )
    # Areas' means 1 and 3: level 2, spread 1; 10 and 18: level 14, spread 4. Average level 8,
    # root mean square spread sqrt(17 / 2).
    s = np.sqrt(8.5)
    expected = [8 - 2 * s, 8, 8 + s, 8 + s, 8 - s, 8 + s]
    assert align_folds(locations)["h"].tolist() == pytest.approx(expected)


def test_a_fold_of_equal_areas_is_moved_only():
    locations = pd.DataFrame({"area": list("ABCD"), "fold": [0, 0, 1, 1], "h": [1.0, 1, 0, 2]})
    found = align_folds(locations)["h"]
    assert found[:2].tolist() == [1, 1]
    assert np.isfinite(found).all()


def test_scales_of_networks_no_longer_move_ranks():
    locations = stratified()
    apart = on_scales(locations)
    together, why = aligned(apart, "area")
    assert why == ""
    assert error(apart) > error(locations) + 0.5
    assert error(together) < error(locations) + 0.1


def test_folds_that_are_alike_stay_nearly_as_they_are():
    locations = stratified()
    assert error(aligned(locations, "area")[0]) == pytest.approx(error(locations), abs=0.1)


@pytest.mark.parametrize("scheme", ["spatial_block", "city", "holdout"])
def test_folds_that_differ_in_truth_are_left_and_that_is_said(scheme):
    locations = on_scales(simulated.locations(areas=60))
    found, why = aligned(locations, scheme)
    pd.testing.assert_frame_equal(found, locations)
    assert scheme in why
    assert all(alike in why for alike in ALIKE)


def test_folds_of_few_areas_are_left_and_that_is_said():
    locations = simulated.locations(areas=24)
    found, why = aligned(locations, "area")
    pd.testing.assert_frame_equal(found, locations)
    assert "4 areas" in why
