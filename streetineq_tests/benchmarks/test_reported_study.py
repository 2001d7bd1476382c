"""The study that `bench_report` shows is whole, and is what it is said to be."""

import json
import re

import pytest
import shapely
from scipy.stats import spearmanr

from streetineq_assets.geography import find_boundaries, read_boundaries
from streetineq_assets.reports.results import read_results
from streetineq_assets.study import load_study
from streetineq_tests.benchmarks.paper_cities import LONDON, PAPER_CITIES, SMALL_CITIES, smaller
from streetineq_tests.benchmarks.reported_study import write_reported_study
from streetineq_tests.benchmarks.reported_values import NETWORK_SEES

pytestmark = pytest.mark.slow

POSTCODE = re.compile(r"[A-Z]{1,2}[0-9]{1,2} [0-9][A-Z]{2}")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_reported_study(tmp_path_factory.mktemp("reported") / "study", SMALL_CITIES)


@pytest.fixture(scope="module")
def results(store):
    return read_results(store, load_study(store.study_file))


def test_the_cities_are_as_large_as_the_papers():
    n_areas = {key: city.place.n_areas for key, city in PAPER_CITIES.items()}
    assert n_areas == {"london": 4835, "birmingham": 1680, "manchester": 1673, "leeds": 1388}
    assert PAPER_CITIES["london"].n_locations == 133_000
    assert {city.n_outcomes for city in PAPER_CITIES.values()} == {13}


def test_every_result_is_there_and_of_what_stands_before_it(results):
    assert len(results.pairs) == 6
    assert results.current == results.pairs
    assert results.history.left_out == {}
    assert results.outdated == []
    for city in results.cities:
        assert len(city.audit["data_audit"]) == 3
        assert len(city.evidence["gains"])
    assert len(results.transfer)
    assert len(results.transfer_comparisons)


def test_networks_see_of_each_outcome_what_is_said(results):
    for pair in results.pairs:
        found = spearmanr(pair.areas["score"], pair.areas["actual_decile"]).statistic
        assert abs(found - NETWORK_SEES[pair.pair.outcome]) < 0.2
        assert abs(found - pair.value("spearman_score", "network")) < 1e-9


def test_areas_tile_the_plane(store, results):
    """Borders are shared to the last digit: the areas lose nothing when they are united."""
    areas = read_boundaries(find_boundaries(store.inputs("boundaries")))
    assert len(areas) == 120
    assert set(results.areas["area"]) <= set(areas["area"])
    assert areas.geometry.is_valid.all()
    together = areas.geometry.union_all()
    assert areas.geometry.area.sum() == pytest.approx(together.area, rel=1e-6)
    vertices = shapely.get_num_coordinates(areas.geometry.to_numpy())
    assert 30 < vertices.mean() < 60
    raw = json.loads(find_boundaries(store.inputs("boundaries")).read_text())
    names = [feature["properties"]["LSOA11NM"] for feature in raw["features"]]
    assert "City of London 001A" in names
    assert len(set(names)) == 120


def test_postcodes_are_in_their_form_and_occur_once(store):
    postcodes = store.open("postcode_lsoa").table()
    assert postcodes["postcode"].is_unique
    assert postcodes["postcode"].map(POSTCODE.fullmatch).notna().all()
    assert 30 < len(postcodes) / 120 < 42
    assert 0.01 < postcodes["terminated"].notna().mean() < 0.1


def test_it_is_the_same_every_time(tmp_path):
    tiny = smaller(LONDON, areas=30, outcomes=1)
    one, other = (write_reported_study(tmp_path / name, tiny) for name in ("one", "other"))
    key = "london/self_reported_health"
    for asset, partition in (
        ("lsoa_evaluation", key),
        ("equity_audit", key),
        ("locations", "london"),
    ):
        assert one.manifest(asset, partition).digest == other.manifest(asset, partition).digest
