"""Checks of the report."""

import dataclasses

import pytest

from streetineq_assets.reports.checks import (
    ahead_of_baselines,
    areas_placed,
    report_is_current,
)
from streetineq_assets.reports.results import PairResults
from streetineq_tests.reports.test_comparison import pair

NAN = float("nan")
AHEAD, CHANCE, BEHIND = (0.2, 0.1, 0.3), (0.1, -0.1, 0.3), (-0.2, -0.3, -0.1)
UNKNOWN, NO_INTERVAL = (NAN, NAN, NAN), (0.2, NAN, NAN)


def with_leads(**leads: tuple[float, float, float]) -> PairResults:
    values = {(name, "area"): 0.5 for name in ("network", *leads)}
    return pair(values, leads)


@pytest.mark.parametrize(
    ("n_without_geometry", "has_boundaries", "passed"),
    [
        pytest.param(0, True, True, id="every area has its boundary"),
        pytest.param(1, True, False, id="one area is on no map"),
        pytest.param(0, False, False, id="areas are points"),
    ],
)
def test_every_area_is_placed_by_its_boundary(n_without_geometry, has_boundaries, passed):
    check = areas_placed(10, n_without_geometry, has_boundaries=has_boundaries)
    assert check.passed is passed


def test_areas_without_a_boundary_are_counted_and_one_is_named():
    check = areas_placed(10, 0, has_boundaries=True, unbounded=["E01000007", "E01000008"])
    assert not check.passed
    assert "2 of 10" in check.description
    assert "E01000007" in check.description


@pytest.mark.parametrize(
    ("leads", "expected"),
    [
        ([{"map_knn": AHEAD, "ridge": AHEAD}], "holds"),
        ([{"map_knn": AHEAD, "ridge": CHANCE}], "does not hold"),
        ([{"map_knn": BEHIND, "ridge": AHEAD}], "does not hold"),
        ([{"map_knn": AHEAD}, {"map_knn": CHANCE}], "does not hold"),
        ([{"map_knn": AHEAD, "constant": UNKNOWN}], "holds"),
        ([{"map_knn": UNKNOWN, "ridge": AHEAD}], "not tested"),
        ([{"map_knn": NO_INTERVAL, "ridge": AHEAD}], "not tested"),
        ([{"ridge": AHEAD}], "not tested"),
        ([{}], "not tested"),
        ([], "not tested"),
    ],
)
def test_the_network_is_ahead_where_every_interval_lies_above_zero(leads, expected):
    check = ahead_of_baselines([with_leads(**each) for each in leads])
    assert check.result == expected
    assert check.passed == (expected == "holds")


def test_what_is_not_ahead_is_named_with_its_interval():
    said = ahead_of_baselines([with_leads(map_knn=CHANCE, ridge=AHEAD)]).description
    assert "ahead in 1 of 2 leads" in said
    assert "alpha/crime by map_knn 0.10 (-0.10 to 0.30)" in said


def test_where_whole_cities_are_held_out_no_map_was_asked():
    here = with_leads(map_knn=BEHIND, ridge=AHEAD)
    tables = {"metrics": here.metrics, "comparisons": here.comparisons}
    by_city = {name: table.assign(scheme="city") for name, table in tables.items()}
    check = ahead_of_baselines([dataclasses.replace(here, **by_city)])
    assert check.result == "holds", "ahead of the baselines that there are"
    assert "no baseline of the map exists for alpha/crime" in check.description
    assert (
        ahead_of_baselines([dataclasses.replace(here, **unknown(by_city))]).result == "not tested"
    )


def unknown(by_city):
    """The same with leads that are undefined."""
    undefined = dict.fromkeys(("difference", "lower", "upper"), NAN)
    return by_city | {"comparisons": by_city["comparisons"].assign(**undefined)}


def test_a_report_of_other_inputs_is_named_by_what_changed():
    check = report_is_current([f"input {n}" for n in range(8)])
    assert not check.passed
    assert "input 0" in check.description
    assert "input 4 and 3 more" in check.description
    assert report_is_current([]).passed
