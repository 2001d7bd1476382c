"""The chain on a sample of London: what real official files and painted scenes lead to."""

import datetime as dt
from pathlib import Path

import duckdb
import pytest
from scipy.stats import spearmanr

from streetineq_assets.geography import find_boundaries
from streetineq_assets.image_settings import Places
from streetineq_assets.images.location_areas import join_locations
from streetineq_tests.integration.london_sample import (
    N_LSOAS,
    PAIR,
    write_by_boundaries,
    write_sample,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def london(tmp_path_factory, shared_data):
    """The store after the whole chain, and the sample's real deciles by LSOA."""
    return write_sample(tmp_path_factory.mktemp("london"), shared_data)


def test_real_areas_and_postcodes_reach_the_locations(london):
    store, deciles = london
    locations = store.open("locations", "london").table()
    assert len(locations) == 2 * N_LSOAS
    assert set(locations["status"]) == {"matched"}
    assert set(locations["area"]) == set(deciles.index)


def test_all_of_london_is_labelled_for_a_sample_too(london):
    store, _ = london
    assert len(store.open("lsoa_labels").table()["area"].unique()) == 4835


def test_every_area_of_the_sample_is_predicted_out_of_fold(london):
    store, deciles = london
    areas = store.open("lsoa_predictions", PAIR).table().set_index("area")
    assert set(areas.index) == set(deciles.index)
    assert (areas["actual_decile"] == deciles.reindex(areas.index)).all()
    assert sorted(areas["fold"].unique()) == [0, 1, 2, 3, 4]


def test_the_networks_see_what_was_painted(london):
    store, _ = london
    areas = store.open("lsoa_predictions", PAIR).table()
    assert spearmanr(areas["score"], areas["actual_decile"]).statistic > 0.5


def test_too_few_areas_are_a_warning(london):
    store, _ = london
    checks = {c["name"]: c for c in store.manifest("lsoa_evaluation", PAIR).summary["checks"]}
    assert checks["enough_areas"]["passed"] is False


def test_the_report_says_that_the_images_are_not_real(london):
    store, _ = london
    path: Path = store.open("inequality_report").file("report.html")
    assert "Synthetic" in path.read_text(encoding="utf-8")


# -- locations without postcodes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_boundaries(tmp_path_factory, london):
    """The store after the whole chain on the same locations, listed by coordinates alone."""
    return write_by_boundaries(tmp_path_factory.mktemp("by_boundaries") / "study", london[0])


def test_super_generalised_boundaries_place_many_locations_wrongly_and_say_so(
    london, by_boundaries
):
    """Of 48, 12; the check's figure is of all 170,195 postcodes that live at the study's date."""
    right, placed = (
        store.open("locations", "london").table().set_index("location_id")
        for store in (london[0], by_boundaries)
    )
    matched = placed[placed["status"] == "matched"]
    assert set(matched["placed_by"]) == {"boundaries"}
    assert (placed["area"] == right["area"]).sum() == 36
    summary = by_boundaries.manifest("locations", "london").summary
    (check,) = [each for each in summary["checks"] if each["name"] == "boundaries_precise"]
    assert not check["passed"]
    assert check["values"]["n"] == 170_195
    assert check["values"]["share_agreeing"] == pytest.approx(0.841, abs=0.001)


def test_locations_without_postcodes_reach_the_report(by_boundaries):
    areas = by_boundaries.open("lsoa_predictions", PAIR).table()
    placed = by_boundaries.open("locations", "london").table()
    assert set(areas["area"]) == set(placed["area"].dropna())
    assert by_boundaries.open("inequality_report").file("report.html").is_file()


@pytest.mark.parametrize(
    ("places", "expected"),
    [(Places(), 0.99), (Places(by="boundaries"), 0.84)],
    ids=["nearest postcode", "boundaries"],
)
def test_where_the_directorys_postcodes_are_placed_by_their_coordinates(
    london, tmp_path, places, expected
):
    """5,000 live ones: the nearest is another at the same place for a few, of another LSOA."""
    store, _ = london
    directory = store.open("postcode_lsoa")
    known = directory.table().dropna(subset=["lat", "area", "city"])
    live = known[known["terminated"].isna() & (known["introduced"] <= dt.date(2017, 8, 1))]
    sample = live.sample(5000, random_state=1).assign(
        location_id=lambda rows: "at " + rows["postcode"]
    )
    listing = tmp_path / "london.csv"
    sample[["location_id", "lat", "lon"]].to_csv(listing, index=False)
    with duckdb.connect() as connection:
        table, _ = join_locations(
            connection,
            listing,
            directory.file("postcode_lsoa.parquet"),
            city="london",
            date=dt.date(2017, 8, 1),
            places=places,
            boundaries=find_boundaries(store.inputs("boundaries")),
        )
    found = table.set_index("location_id")["area"].reindex(sample["location_id"])
    share = (found.to_numpy() == sample["area"].to_numpy()).mean()
    assert share == pytest.approx(expected, abs=0.015)
