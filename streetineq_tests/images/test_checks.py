"""Checks of listed images and of locations' areas: each fault fails its own check and no other."""

from dataclasses import replace

import pandas as pd
import pytest

from streetineq_assets.images.catalogue import list_images
from streetineq_assets.images.checks import listing_findings
from streetineq_assets.images.location_checks import location_findings
from streetineq_tests.harness import failed_checks
from streetineq_tests.images.pictures import write_files

# -- listed images ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Two locations with all their images; read it, do not change it."""
    root = tmp_path_factory.mktemp("images")
    write_files(root, {f"{i}_{view}.png": b"bytes" for i in ("7", "8") for view in "abcd"})
    return list_images(root, ["7", "8"], city="leeds", buckets=1)


def with_a_view_in_place_of_another(catalogue):
    images = catalogue.images.iloc[[0, 0, *range(2, 8)]].reset_index(drop=True)
    return replace(catalogue, images=images)


def with_a_view_too_many(catalogue):
    """A row without a file, of a view that has its file in another row."""
    extra = catalogue.images.iloc[[0]].assign(path=None, status="missing", reason="no_file")
    images = pd.concat([catalogue.images, extra], ignore_index=True)
    return replace(catalogue, images=images)


def with_a_file_that_nobody_lists(catalogue):
    return replace(catalogue, n_files=catalogue.n_files + 1)


def with_a_view_of_no_file(catalogue):
    return replace(catalogue, n_files=catalogue.n_files - 1)


def test_a_sound_listing_passes_every_check(catalogue):
    assert failed_checks(listing_findings(catalogue)) == set()


def test_of_a_city_without_a_list_nothing_is_complete(tmp_path):
    checks = listing_findings(list_images(tmp_path, [], city="leeds", buckets=1)).checks
    results = {check.name: check.result for check in checks}
    assert results["city_listed"] == "does not hold"
    assert results["locations_complete"] == "not tested"


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (with_a_view_in_place_of_another, "accounting"),
        (with_a_view_too_many, "accounting"),
        (with_a_file_that_nobody_lists, "files_accounted"),
        (with_a_view_of_no_file, "files_accounted"),
    ],
)
def test_each_fault_of_a_listing_fails_its_own_check(catalogue, spoil, check):
    assert failed_checks(listing_findings(spoil(catalogue))) == {check}


def test_a_missing_view_without_its_row_fails_beside_its_location(catalogue):
    """The file of the first view is gone, and so is the row that should say so."""
    spoilt = replace(catalogue, images=catalogue.images.iloc[1:], n_files=catalogue.n_files - 1)
    assert failed_checks(listing_findings(spoilt)) == {"accounting", "locations_complete"}


# -- locations -------------------------------------------------------------------------------------
# A hundred listed locations, each with a postcode of its own.

ROWS = pd.DataFrame(
    {
        "location_id": [f"{n:03d}" for n in range(100)],
        "postcode": [f"AA1 {n:03d}" for n in range(100)],
    }
)


WRONG = {"metres": 1001.0, "metres_across": 1001.0, "other_lsoa": True, "other_city": True}


def locations(*, rejected=0, over_several=0, without_weight=0, **doubtful):
    """Of the hundred, so many of each kind, counted from the first; the others are sound."""
    number = pd.RangeIndex(100)
    matched = pd.Series(number >= rejected)
    return pd.DataFrame(
        {
            "location_id": ROWS["location_id"],
            "postcodes": ROWS["postcode"],
            "area": pd.Series("E01000001", index=number).where(matched),
            "status": matched.map({True: "matched", False: "rejected"}),
            "reason": pd.Series("unknown_postcode", index=number).mask(matched),
            "placed_by": pd.Series("postcode", index=number).where(matched),
            "way": "postcode",
            "lat": 51.5 + number / 100_001,
            "lon": 0.0,
            "metres_near": None,
            "n_lsoas": 1 + (number < over_several),
            "weight": 1 * (number >= without_weight),
            **{name: WRONG[name] * (number < doubtful.get(name, 0)) for name in WRONG},
        }
    )


def without_a_location():
    return locations().iloc[1:].reset_index(drop=True)


def with_one_in_place_of_another():
    return locations().iloc[[0, 0, *range(2, 100)]].reset_index(drop=True)


def with_one_that_is_neither_matched_nor_rejected():
    extra = locations().iloc[[0]].assign(location_id="new", status=None)
    return pd.concat([locations(), extra], ignore_index=True)


def rejected_for(reason):
    return locations(rejected=1).replace("unknown_postcode", reason)


def failed_of(table):
    return failed_checks(location_findings(table, ROWS, {}))


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(locations(), id="all sound"),
        pytest.param(locations(rejected=5), id="95 of 100 have an area"),
        pytest.param(locations(over_several=5), id="5 of 100 serve several LSOAs"),
        pytest.param(locations(without_weight=5), id="5 of 100 have no weight"),
        pytest.param(locations(metres=5), id="5 of 100 lie elsewhere than their postcodes"),
    ],
)
def test_locations_within_the_limits_pass_every_check(table):
    assert failed_of(table) == set()


@pytest.mark.parametrize(
    ("table", "check"),
    [
        pytest.param(without_a_location(), "locations_accounted", id="one is missing"),
        pytest.param(with_one_in_place_of_another(), "locations_accounted", id="one comes twice"),
        pytest.param(
            with_one_that_is_neither_matched_nor_rejected(), "locations_accounted", id="no status"
        ),
        pytest.param(rejected_for("other"), "locations_accounted", id="an unknown reason"),
        pytest.param(locations(rejected=6), "locations_matched", id="94 have an area"),
        pytest.param(locations(over_several=6), "locations_in_one_area", id="6 serve several"),
        pytest.param(locations(without_weight=6), "locations_weighted", id="6 have no weight"),
        pytest.param(locations(metres=6), "locations_consistent", id="6 lie elsewhere"),
        pytest.param(locations(metres_across=6), "locations_consistent", id="6 serve afar"),
        pytest.param(locations(other_lsoa=6), "locations_consistent", id="6 state another LSOA"),
        pytest.param(locations(other_city=6), "locations_consistent", id="6 state another city"),
    ],
)
def test_each_fault_of_locations_fails_its_own_check(table, check):
    assert failed_of(table) == {check}


def test_the_share_is_of_the_locations_that_can_be_compared():
    """Ten of the hundred have coordinates, and one of them lies elsewhere."""
    table = locations(metres=1)
    table["metres"] = table["metres"].where(table.index < 10)
    assert failed_of(table) == {"locations_consistent"}
