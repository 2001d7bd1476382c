"""The chain on a sample of London: what real official files and painted scenes lead to."""

from pathlib import Path

import pytest
from scipy.stats import spearmanr

from streetineq_tests.integration.london_sample import N_LSOAS, PAIR, write_sample

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
    assert set(locations["lsoa11"]) == set(deciles.index)


def test_all_of_london_is_labelled_for_a_sample_too(london):
    store, _ = london
    assert len(store.open("lsoa_labels").table()["lsoa11"].unique()) == 4835


def test_every_area_of_the_sample_is_predicted_out_of_fold(london):
    store, deciles = london
    areas = store.open("lsoa_predictions", PAIR).table().set_index("lsoa11")
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
