"""What is said of ranked areas: quality before and after, moves between rules, why not."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.predictions.ranked_areas import none_ranked, rank_areas
from streetineq_assets.predictions.tables import CALIBRATION, LSOA_PREDICTIONS
from streetineq_assets.settings import Areas
from streetineq_assets.tables import conform
from streetineq_tests.predictions import simulated


def ranked(locations: pd.DataFrame, scheme: str = "area", **settings):
    return rank_areas(
        locations, rule="mean_score", settings=Areas(**settings), level=0.9, scheme=scheme
    )


@pytest.fixture(scope="module")
def city():
    """Overconfident scores of 300 areas."""
    return ranked(simulated.locations(areas=300, noise=1.8))


def test_tables_have_their_published_columns(city):
    pd.testing.assert_frame_equal(city.areas, conform(city.areas, LSOA_PREDICTIONS))
    pd.testing.assert_frame_equal(city.calibration, conform(city.calibration, CALIBRATION))
    assert city.calibration["fold"].tolist() == [0, 1, 2, 3, 4]


def test_what_calibration_changed_stands_side_by_side(city):
    before, after = city.tables["calibration"]
    assert before["variance_ratio"] > 1.5
    assert after["variance_ratio"] == pytest.approx(1, abs=0.2)
    assert after["nll"] < before["nll"]
    assert set(city.reliability["probabilities"]) == {"network's own", "calibrated"}


def test_the_error_of_the_expected_decile_stands_beside_that_of_the_ranked_one(city):
    error = (city.areas["decile"] - city.areas["actual_decile"]).abs().astype(float)
    assert city.values["mae_ranked_decile"] == pytest.approx(error.mean())
    expected = (city.areas["expected_decile"] - city.areas["actual_decile"].astype(float)).abs()
    assert city.values["mae_expected_decile"] == pytest.approx(expected.mean(), abs=1e-5)


def test_every_area_is_counted_once_among_the_moves(city):
    rows = city.tables["rank_changes"]
    assert sum(row["n_lsoas"] for row in rows) == 300
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_variances_are_those_by_which_scores_were_shrunk(city):
    weight = city.areas["score_shrunk"].std() / city.areas["score"].std()
    ratio = city.values["variance_within_areas"] / city.values["variance_between_areas"]
    # Weights of postcodes make of three locations fewer, down to one.
    assert 1 / (1 + ratio) < weight < 3 / (3 + ratio)


def test_areas_without_labels_have_no_quality():
    locations = simulated.locations(areas=60)
    unlabelled = locations.assign(actual_decile=pd.array([pd.NA] * 180, "Int8"))
    found = ranked(unlabelled)
    assert "not calibrated" in found.notes["calibration"]
    assert found.calibration.empty
    assert found.reliability.empty
    assert found.areas["lower"].isna().all()
    assert found.areas["decile"].notna().all()


def test_few_areas_keep_the_networks_slope_and_that_is_said():
    found = ranked(simulated.locations(areas=30))
    assert "the slope is the network's own" in found.notes["calibration"]
    assert found.calibration["b"].tolist() == pytest.approx([1] * 5)


def test_one_location_in_every_area_is_not_shrunk_and_that_is_said():
    found = ranked(simulated.locations(areas=60, per_area=1))
    assert "not shrunk" in found.notes["shrinkage"]
    assert found.values["variance_within_areas"] is None
    assert (found.areas["score_shrunk"] == found.areas["score"]).all()


def test_folds_that_are_not_alike_are_named():
    locations = simulated.locations(areas=60)
    assert (
        "spatial_block"
        in ranked(locations, "spatial_block", align_folds=True).notes["folds_on_one_scale"]
    )
    assert "folds_on_one_scale" not in ranked(locations, align_folds=True).notes


def test_a_minimum_that_no_area_reaches_leaves_none():
    found = ranked(simulated.locations(areas=60), min_locations=4)
    assert found.areas.empty
    assert found.calibration.empty
    assert found.values["n_lsoas_below_min_locations"] == 60
    why = none_ranked(Areas(min_locations=4))
    assert why.by_settings
    assert "min_locations = 4" in why.reason


def test_aligned_folds_have_one_mean():
    locations = simulated.locations(areas=200)
    shifted = locations.assign(h=locations["h"] + 4 * locations["fold"].to_numpy(np.float32))
    means = ranked(shifted, align_folds=True).areas.groupby("fold")["score"].mean()
    assert means.std() < 0.2  # weights of postcodes, which the scale does not know
