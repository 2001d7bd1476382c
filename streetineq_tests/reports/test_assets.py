"""The report, the evidence pack and the warehouse, made by Dagster."""

import shutil

import duckdb
import pandas as pd
import pytest

from streetineq_assets.labels.tables import LSOA_LABELS
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.conftest import write_boundaries

REPORT, PACK, WAREHOUSE = "inequality_report", "evidence_pack", "warehouse"


@pytest.fixture(scope="module")
def made(evaluated_study, tmp_path_factory):
    """The study with all three, and the runs that made them, by asset."""
    root = tmp_path_factory.mktemp("reported") / "study"
    shutil.copytree(evaluated_study, root)
    store = DataStore(root)
    return store, {asset: harness.run(store, asset) for asset in (REPORT, PACK, WAREHOUSE)}


@pytest.fixture
def again(made, tmp_path) -> DataStore:
    """A copy of the study with all three."""
    store, _ = made
    shutil.copytree(store.root, tmp_path / "study")
    return DataStore(tmp_path / "study")


def ask(store: DataStore, query: str) -> list[tuple]:
    file = store.open(WAREHOUSE).file("streetineq.duckdb")
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_report_is_one_file(made):
    store, _ = made
    artefact = store.open(REPORT)
    assert set(artefact.manifest.files) == {"report.html"}
    assert artefact.file("report.html").stat().st_size < 2_000_000


def test_the_pack_has_the_report_as_published_and_tables_of_it(made):
    store, runs = made
    report, pack = store.open(REPORT), store.open(PACK)
    assert pack.file("report.html").read_bytes() == report.file("report.html").read_bytes()
    assert len(pd.read_csv(pack.file("lsoa_predictions.csv"))) == 72
    assert harness.checks(runs[PACK])["report_is_current"].passed
    shown = harness.metadata(runs[PACK], PACK)
    assert (shown["n_pairs"], shown["n_pairs_absent"], shown["n_lsoas"]) == (2, 1, 72)


def test_a_pack_without_a_report_says_what_to_make_first(again):
    shutil.rmtree(again.folder(REPORT))
    result = harness.run(again, PACK, fails=True)
    assert "materialise inequality_report first" in harness.failure(result)


def test_a_pack_whose_report_is_older_says_so_until_it_is_made_again(again):
    made_up_study.make_again(again, "lsoa_evaluation", "beta/crime")
    stale = harness.checks(harness.run(again, PACK))["report_is_current"]
    assert not stale.passed
    assert "lsoa_evaluation/beta/crime" in stale.description
    harness.run(again, REPORT)
    assert harness.checks(harness.run(again, PACK))["report_is_current"].passed


def test_a_second_run_of_the_pack_skips_and_settings_of_publication_make_it_again(again):
    assert harness.metadata(harness.run(again, PACK), PACK)["skipped"]
    text = again.study_file.read_text()
    again.study_file.write_text(f'{text}\n[publication]\nlicence = "CC-BY-4.0"\n')
    assert not harness.metadata(harness.run(again, PACK), PACK)["skipped"]
    assert "CC-BY-4.0" in again.open(PACK).file("README.md").read_text()


@pytest.mark.parametrize("asset", [REPORT, PACK])
def test_the_same_inputs_give_the_same_bytes(again, asset):
    before = again.manifest(asset).files
    (again.folder(asset) / "manifest.json").unlink()
    result = harness.run(again, asset)
    assert not harness.metadata(result, asset)["skipped"]
    assert again.manifest(asset).files == before


@pytest.mark.parametrize(
    ("asset", "label", "file"),
    [
        (REPORT, "report", "report.html"),
        (PACK, "pack", "README.md"),
        (WAREHOUSE, "database", "streetineq.duckdb"),
    ],
)
def test_the_ui_shows_first_where_the_file_lies(made, asset, label, file):
    store, runs = made
    name, value = next(iter(harness.metadata(runs[asset], asset).items()))
    assert (name, value) == (label, str(store.open(asset).file(file)))


def test_pairs_without_results_are_a_warning(made):
    _, runs = made
    check = harness.checks(runs[REPORT])["pairs_available"]
    assert not check.passed
    assert "alpha/mean_income (unavailable)" in check.description
    shown = harness.metadata(runs[REPORT], REPORT)
    assert (shown["n_pairs"], shown["n_pairs_with_results"]) == (3, 2)


def test_a_baseline_that_matches_the_network_is_a_warning(made):
    _, runs = made
    check = harness.checks(runs[REPORT])["ahead_of_baselines"]
    assert not check.passed
    assert "beta/crime by map_knn" in check.description
    assert "alpha/crime" not in check.description


def test_a_second_run_skips_and_new_boundaries_make_the_report_again(made, again):
    _, runs = made
    assert "areas_placed" in harness.failed(runs[REPORT])
    assert harness.metadata(harness.run(again, REPORT), REPORT)["skipped"]
    write_boundaries(again)
    mapped = harness.run(again, REPORT)
    assert not harness.metadata(mapped, REPORT)["skipped"]
    placed = harness.checks(mapped)["areas_placed"]
    assert "12 of 72" in placed.description, "beta's areas are not in the file"


def test_a_warehouse_that_was_moved_is_made_again_and_then_skips(again):
    moved = harness.run(again, WAREHOUSE)
    assert not harness.metadata(moved, WAREHOUSE)["skipped"]
    write_boundaries(again)
    assert harness.metadata(harness.run(again, WAREHOUSE), WAREHOUSE)["skipped"]


def test_the_warehouse_answers(made):
    store, runs = made
    rows = ask(
        store,
        "SELECT outcome, count(*) FROM lsoa_predictions WHERE city = 'alpha' GROUP BY outcome",
    )
    best = ask(
        store,
        "SELECT model FROM lsoa_evaluation WHERE city = 'alpha' AND scheme = 'area' "
        "AND metric = 'kappa_quadratic' ORDER BY value DESC LIMIT 1",
    )
    epochs = ask(store, "SELECT count(*) FROM training_history WHERE partition_key = 'alpha/crime'")
    assert rows == [("crime", 60)]
    assert best == [("network",)]
    assert epochs == [(20,)]
    check = harness.checks(runs[WAREHOUSE])["tables_published"]
    assert not check.passed
    assert "street_images" in check.description


def test_ready_questions_are_asked_where_their_tables_are_published(made):
    store, runs = made
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    worst_off = int((areas["decile"] <= 2).sum())
    assert ask(store, "SELECT count(*) FROM worst_areas WHERE city = 'alpha'") == [(worst_off,)]
    check = harness.checks(runs[WAREHOUSE])["tables_published"]
    why = "agreement_by_district is left out: nothing is published for postcode_lsoa"
    assert why in check.description
    assert check.metadata["n_questions_left_out"].value == 1


def test_the_warehouse_sees_an_upstream_that_was_made_again(made):
    store, _ = made
    labels = store.open("lsoa_labels").table()
    assert ask(store, "SELECT count(*) FROM lsoa_labels") == [(72,)]
    made_up_study.publish(
        store, "lsoa_labels", None, {"lsoa_labels": (labels.head(3), LSOA_LABELS)}
    )
    assert ask(store, "SELECT count(*) FROM lsoa_labels") == [(3,)]
