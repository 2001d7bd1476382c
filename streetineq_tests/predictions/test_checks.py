"""Checks of predicted locations, ranked areas and evaluations: each fault fails its own."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED, Findings
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions.aligned_baselines import MAP_BEST
from streetineq_assets.predictions.checks import (
    area_checks,
    enough_areas,
    evaluation_checks,
    first_failures,
    location_checks,
)
from streetineq_assets.predictions.evaluation import MIN_AREAS, Evaluation
from streetineq_tests.harness import failed_checks


def failed(checks):
    return failed_checks(Findings(checks=checks))


# -- locations -------------------------------------------------------------------------------------

LOCATIONS = pd.DataFrame(
    {
        "location_id": list("abcdef"),
        "area": ["E01000001", "E01000001", "E01000002", "E01000002", "E01000003", "E01000003"],
        "fold": [0, 0, 1, 1, 0, 0],
        "h": 0.0,
        **dict.fromkeys(PROBABILITIES, 0.1),
    }
)
TESTED_AREAS = LOCATIONS[["area", "fold"]].drop_duplicates()
TESTED_LOCATIONS = LOCATIONS[["location_id", "fold"]]
either_way = pytest.mark.parametrize(
    "tested", [TESTED_AREAS, TESTED_LOCATIONS], ids=["folds of areas", "folds of locations"]
)


def doubled():
    return pd.concat([LOCATIONS, LOCATIONS.iloc[[0]]], ignore_index=True)


def first_with(**values):
    """The locations, the first with other values."""
    frame = LOCATIONS.copy()
    frame.loc[0, list(values)] = list(values.values())
    return frame


@either_way
def test_sound_locations_pass_every_check(tested):
    assert failed(location_checks(LOCATIONS, tested)) == set()


@either_way
@pytest.mark.parametrize(
    ("locations", "check"),
    [
        pytest.param(doubled(), "location_identity", id="a location comes twice"),
        pytest.param(first_with(fold=1), "out_of_fold", id="another fold's score"),
        pytest.param(first_with(p_1=0.2), "probabilities", id="sum above 1"),
        pytest.param(first_with(p_1=-0.1, p_2=0.3), "probabilities", id="a negative probability"),
        pytest.param(first_with(h=np.nan), "probabilities", id="no score"),
    ],
)
def test_each_fault_of_locations_fails_its_own_check(locations, check, tested):
    assert failed(location_checks(locations, tested)) == {check}


@pytest.mark.parametrize(
    ("tested", "expected"),
    [
        pytest.param(TESTED_LOCATIONS, {"location_identity"}, id="folds of locations"),
        # No fold tests an area that nobody knows.
        pytest.param(TESTED_AREAS, {"location_identity", "out_of_fold"}, id="folds of areas"),
    ],
)
def test_a_score_of_an_unknown_location_fails(tested, expected):
    assert failed(location_checks(first_with(area=None), tested)) == expected


def test_of_several_sets_of_scores_the_first_failure_of_each_check_is_kept():
    sets = [
        LOCATIONS,
        first_with(fold=1),
        LOCATIONS.assign(fold=1 - LOCATIONS["fold"]),
        doubled(),
    ]
    found = [check for each in sets for check in location_checks(each, TESTED_AREAS)]
    kept = {check.name: check for check in first_failures(found)}
    assert {name for name, check in kept.items() if not check.passed} == {
        "location_identity",
        "out_of_fold",
    }
    assert kept["out_of_fold"].values == {"n_astray": 1}
    assert kept["location_identity"].values == {"n_without_area": 0, "n_doubled": 1}


def test_where_nothing_failed_every_check_passes():
    found = location_checks(LOCATIONS, TESTED_AREAS)
    assert [check.name for check in first_failures(found)] == [check.name for check in found]
    assert failed(first_failures(found)) == set()
    assert failed(first_failures([])) == set()


# -- areas -----------------------------------------------------------------------------------------


def areas(n=MIN_AREAS, actual=None):
    """Ranked areas; their actual deciles run from 1 to 10 unless they are given."""
    decile = np.arange(n) % 10 + 1
    lsoas = [f"E010000{number:02d}" for number in range(n)]
    return pd.DataFrame(
        {"area": lsoas, "decile": decile, "actual_decile": decile if actual is None else actual}
    )


def with_an_area_twice():
    frame = areas()
    frame.loc[1, "area"] = frame.loc[0, "area"]
    return frame


def with_decile(decile):
    frame = areas()
    frame.loc[0, "decile"] = decile
    return frame


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(areas(), id="mean decile 5.5"),
        pytest.param(areas(40, actual=[5, 5, 5, 6] * 10), id="mean decile 5.25, the limit"),
        pytest.param(areas(40, actual=[6, 6, 6, 5] * 10), id="mean decile 5.75, the limit"),
    ],
)
def test_sound_areas_pass_every_check(frame):
    assert failed(area_checks(frame, len(frame))) == set()


@pytest.mark.parametrize(
    ("frame", "check"),
    [
        pytest.param(with_an_area_twice(), "one_row_per_lsoa", id="an area comes twice"),
        pytest.param(with_decile(11), "one_row_per_lsoa", id="decile 11"),
        pytest.param(with_decile(0), "one_row_per_lsoa", id="decile 0"),
        pytest.param(areas(MIN_AREAS - 1), "enough_areas", id="one area too few"),
        pytest.param(areas(actual=np.nan), "stands_for_the_city", id="no actual deciles"),
    ],
)
def test_each_fault_of_areas_fails_its_own_check(frame, check):
    assert failed(area_checks(frame, len(frame))) == {check}


def stands(frame, n_lsoas_of_city):
    (found,) = [c for c in area_checks(frame, n_lsoas_of_city) if c.name == "stands_for_the_city"]
    return found


@pytest.mark.parametrize(
    ("actual", "n_lsoas_of_city", "result"),
    [
        pytest.param(None, 40, HOLDS, id="all areas, which leaves no chance"),
        pytest.param(None, 41, HOLDS, id="all but one"),
        pytest.param(1, 40, HOLDS, id="all areas, of one decile by ties"),
        pytest.param(6, 41, DOES_NOT_HOLD, id="all but one, of mean decile 6"),
        pytest.param(3, 41, DOES_NOT_HOLD, id="all but one, of mean decile 3"),
        pytest.param(None, 60, NOT_TESTED, id="40 of 60 may have a mean of 5.5 by chance"),
        pytest.param(6, 50, NOT_TESTED, id="40 of 50 may have a mean of 6 by chance"),
        pytest.param(8, 60, DOES_NOT_HOLD, id="40 of 60 do not have a mean of 8 by chance"),
    ],
)
def test_whether_the_ranked_areas_stand_for_the_city_has_three_results(
    actual, n_lsoas_of_city, result
):
    found = stands(areas(40, actual=actual), n_lsoas_of_city)
    assert found.result == result
    assert found.passed is (result == HOLDS)
    assert f"40 of {n_lsoas_of_city} areas" in found.description


def test_the_chance_of_the_mean_is_that_of_drawn_areas():
    rng = np.random.default_rng(0)
    city = np.arange(400) % 10 + 1
    means = [rng.choice(city, 80, replace=False).mean() for _ in range(4000)]
    half_width = stands(areas(80), 400).values["half_width"]
    assert half_width == pytest.approx(1.96 * np.std(means), rel=0.05)


@pytest.mark.parametrize(
    ("selection", "share", "result"),
    [(0.0, 0.97, HOLDS), (0.25, 0.75, DOES_NOT_HOLD), (0.0, 0.1, NOT_TESTED)],
)
def test_selection_along_deprivation_is_found(selection, share, result):
    """The better-off areas are ranked more often, in a city of London's size."""
    rng = np.random.default_rng(1)
    city = np.arange(4835) % 10 + 1
    kept = rng.random(4835) < share + selection * (city - 5.5) / 5
    assert stands(areas(kept.sum(), actual=city[kept]), 4835).result == result


@pytest.mark.parametrize(("n", "passed"), [(0, False), (MIN_AREAS - 1, False), (MIN_AREAS, True)])
def test_the_limit_of_enough_areas_is_enough(n, passed):
    assert enough_areas(n).passed is passed


# -- evaluations -----------------------------------------------------------------------------------


def evaluation(
    network=0.6,
    best_map=0.5,
    *,
    lead=(0.02, 0.18),
    scheme="area",
    n_lsoas=(40, 40),
    elsewhere=0.9,
):
    """Metrics of the network and of every map, and the lead over the best with its interval.

    Args:
        elsewhere: the maps' under another scheme.
    """
    models = [("network", scheme, network, n_lsoas[0])]
    models += [(name, scheme, best_map - 0.1 * rank, n_lsoas[1]) for rank, name in enumerate(MAPS)]
    models += [(name, "spatial_block", elsewhere, 12) for name in MAPS]
    rows = [
        {"model": model, "scheme": folds, "metric": metric, "value": value, "n_lsoas": n}
        for model, folds, value, n in models
        for metric in ("kappa_quadratic", "mae")
    ]
    about = {"baseline": MAP_BEST, "scheme": scheme, "metric": "kappa_quadratic"}
    ends = {"difference": network - best_map, "lower": lead[0], "upper": lead[1]}
    return replace(
        Evaluation.of_nothing(),
        metrics=pd.DataFrame(rows),
        comparisons=pd.DataFrame([about | ends]),
    )


def without(name):
    """An evaluation without one of the maps, and so without the best of them."""
    found = evaluation()
    return replace(
        found,
        metrics=found.metrics[found.metrics["model"] != name],
        comparisons=found.comparisons.head(0),
    )


def beats_the_map(found, scheme="area"):
    (check,) = (c for c in evaluation_checks(found, scheme) if c.name == "beats_the_map")
    return check


def test_a_sound_evaluation_passes_every_check():
    assert failed(evaluation_checks(evaluation(0.6, 0.5), "area")) == set()


@pytest.mark.parametrize(
    ("found", "checks"),
    [
        pytest.param(evaluation(np.nan, 0.5), {"beats_the_map"}, id="of the network"),
        pytest.param(evaluation(0.6, np.nan), {"beats_the_map"}, id="of the maps"),
        pytest.param(evaluation(lead=(np.nan,) * 2), {"beats_the_map"}, id="no interval"),
        pytest.param(without(MAPS[-1]), {"beats_the_map", "same_areas"}, id="a map is missing"),
        pytest.param(Evaluation.of_nothing(), {"beats_the_map", "same_areas"}, id="nothing at all"),
    ],
)
def test_an_undefined_kappa_is_neither_a_success_nor_a_failure(found, checks):
    assert failed(evaluation_checks(found, "area")) == checks
    assert beats_the_map(found).result == NOT_TESTED


def test_a_map_of_another_city_is_no_test():
    check = beats_the_map(evaluation(scheme="city"), "city")
    assert check.result == NOT_TESTED
    assert "other cities" in check.description


def test_a_missing_map_is_named():
    assert MAPS[0] in beats_the_map(without(MAPS[0])).description


def test_figures_of_other_folds_are_not_compared():
    """Of the networks' own folds there is nothing here."""
    assert beats_the_map(evaluation(0.6, 0.5), "location").result == NOT_TESTED


def test_a_lead_that_may_be_chance_is_none():
    """By the sign of the difference a coin decides between equal models."""
    found = beats_the_map(evaluation(0.6, 0.5, lead=(-0.02, 0.22)))
    assert found.result == DOES_NOT_HOLD
    assert "-0.020 to 0.220" in found.description


@pytest.mark.parametrize(
    ("found", "scheme", "check"),
    [
        pytest.param(evaluation(0.5, 0.6, lead=(-0.2, 0)), "area", "beats_the_map", id="less"),
        pytest.param(evaluation(0.5, 0.5, lead=(0, 0)), "area", "beats_the_map", id="as much"),
        pytest.param(evaluation(n_lsoas=(40, 39)), "area", "same_areas", id="an area is missing"),
        pytest.param(evaluation(scheme="location"), "location", "no_leak", id="areas are split"),
    ],
)
def test_each_fault_of_an_evaluation_fails_its_own_check(found, scheme, check):
    assert failed(evaluation_checks(found, scheme)) == {check}
