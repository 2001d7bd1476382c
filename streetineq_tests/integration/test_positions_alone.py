"""A study whose locations have coordinates and no postcodes, from images to report, in both ways.

It is the demo in little, with the lists of locations cut down to `location_id, lat, lon`. The areas
of the demo are those of its boundaries, a square kilometre each with six live postcodes or more, so
that the nearest is some hundred metres away. Codes do not depend on places, and are those of the
study with postcodes; all that follows from places is made anew.
"""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from streetineq_assets.store import DataStore
from streetineq_tests.chain import PAIRS, run_chain, write_small_study

pytestmark = pytest.mark.slow

CITIES = ("northmere", "saltbridge")
WAYS = {"boundaries": 'by = "boundaries"', "nearest_postcode": "within_m = 1000"}


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """The study with postcodes after the whole chain, and in which area each location was made."""
    root = tmp_path_factory.mktemp("listed") / "study"
    truth = write_small_study(root).locations.set_index("location_id")["area"]
    run_chain(root)
    return DataStore(root), truth


@pytest.fixture(scope="module", params=WAYS)
def placed(listed, request, tmp_path_factory):
    """The same without postcodes, and by what its locations are placed."""
    root = tmp_path_factory.mktemp(request.param) / "study"
    store = DataStore(shutil.copytree(listed[0].root, root))
    for city in CITIES:
        path = store.inputs("locations", f"{city}.csv")
        rows = pd.read_csv(path, dtype="str").drop_duplicates("location_id")
        rows[["location_id", "lat", "lon"]].to_csv(path, index=False)
    text = store.study_file.read_text(encoding="utf-8")
    text = text.replace("[folds]", f"[places]\n{WAYS[request.param]}\n\n[folds]", 1)
    store.study_file.write_text(text, encoding="utf-8")
    run_chain(root)
    return store, request.param


def locations(store: DataStore) -> pd.DataFrame:
    tables = [store.open("locations", city).table() for city in CITIES]
    return pd.concat(tables).set_index("location_id")


def share_right(table: pd.DataFrame, truth: pd.Series) -> float:
    return (table["area"] == truth.reindex(table.index)).mean()


def test_every_location_has_an_area_also_those_whose_postcode_was_wrong(listed, placed):
    """Of 43 listed, two have an unknown postcode and one that of another place."""
    with_postcodes, table = locations(listed[0]), locations(placed[0])
    assert (len(table), (with_postcodes["status"] == "rejected").sum()) == (43, 3)
    assert set(table["status"]) == {"matched"}
    assert set(table["placed_by"]) == {placed[1]}


def test_it_is_the_area_in_which_the_location_was_made(listed, placed):
    """All of 43 by boundaries, and 41 by the nearest postcode: two stand beside a border."""
    least = {"boundaries": 1.0, "nearest_postcode": 0.95}[placed[1]]
    assert share_right(locations(placed[0]), listed[1]) >= least


def test_the_boundaries_of_the_demo_are_exact(placed):
    store, way = placed
    for city in CITIES:
        checks = {c["name"]: c for c in store.manifest("locations", city).summary["checks"]}
        precise = checks["boundaries_precise"]
        assert precise["tested"] is (way == "boundaries")
        if precise["tested"]:
            assert precise["values"]["share_agreeing"] == 1


@pytest.mark.parametrize("pair", PAIRS)
def test_areas_are_scored_as_with_postcodes(listed, placed, pair):
    """Weights differ, and three locations are added: correlations of scores were .991 and more."""
    before, after = (
        store.open("lsoa_predictions", pair).table().set_index("area")["score"]
        for store in (listed[0], placed[0])
    )
    assert set(before.index) == set(after.index)
    assert before.corr(after) > 0.97


def test_codes_are_those_of_before_and_the_report_is_there(listed, placed):
    for key in ("northmere/000", "saltbridge/000"):
        before, after = (store.manifest("image_codes", key) for store in (listed[0], placed[0]))
        assert after.digest == before.digest
    path: Path = placed[0].open("inequality_report").file("report.html")
    assert "Northmere" in path.read_text(encoding="utf-8")
