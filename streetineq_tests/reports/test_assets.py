"""The report and the warehouse, made by Dagster."""

import dagster as dg
import duckdb
import pytest

from streetineq_assets.partitions import Partitions
from streetineq_assets.reports.assets import VIEWS, build_assets
from streetineq_assets.resources import StudyResource
from streetineq_assets.study import load_study
from streetineq_tests.harness import publish
from streetineq_tests.reports.conftest import write_boundaries


def run(store) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        build_assets(Partitions(load_study(store.study_file))),
        resources={"study": StudyResource(root=str(store.root))},
    )


def metadata(result, asset: str) -> dict:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks(result) -> dict[str, tuple[bool, str]]:
    found = result.get_asset_check_evaluations()
    return {check.check_name: (check.passed, check.description) for check in found}


def test_the_report_and_its_files(store):
    write_boundaries(store)
    result = run(store)
    artefact = store.open("inequality_report")
    assert set(artefact.manifest.files) == {
        "report.html",
        "lsoa_predictions.csv",
        "metrics.csv",
        "lsoa_map.parquet",
    }
    assert artefact.file("report.html").stat().st_size < 2_000_000
    found = checks(result)
    assert found["pairs_available"] == (False, "no results: alpha/mean_income (unavailable)")
    assert found["areas_placed"][0]
    assert metadata(result, "inequality_report")["n_pairs_with_results"] == 2


def test_the_same_inputs_give_the_same_bytes(store):
    run(store)
    before = store.manifest("inequality_report").files
    (store.folder("inequality_report") / "manifest.json").unlink()
    result = run(store)
    assert not metadata(result, "inequality_report")["skipped"]
    assert store.manifest("inequality_report").files == before


def test_a_second_run_skips_and_new_boundaries_draw_again(store):
    run(store)
    again = run(store)
    assert metadata(again, "inequality_report")["skipped"]
    assert metadata(again, "warehouse")["skipped"]
    write_boundaries(store)
    drawn = run(store)
    assert not metadata(drawn, "inequality_report")["skipped"]
    assert metadata(drawn, "warehouse")["skipped"]


def test_the_warehouse_answers(store):
    result = run(store)
    file = store.open("warehouse").file("streetineq.duckdb")
    with duckdb.connect(file, read_only=True) as connection:
        rows = connection.execute(
            "SELECT outcome, count(*) FROM lsoa_predictions WHERE city = 'alpha' GROUP BY outcome"
        ).fetchall()
        best = connection.execute(
            "SELECT model FROM metrics WHERE city = 'alpha' AND scheme = 'area' "
            "AND metric = 'kappa_quadratic' ORDER BY value DESC LIMIT 1"
        ).fetchall()
        epochs = connection.execute(
            "SELECT count(*) FROM training_history WHERE partition_key = 'alpha/crime'"
        ).fetchall()
    assert rows == [("crime", 60)]
    assert best == [("network",)]
    assert epochs == [(20,)]
    passed, text = checks(result)["tables_published"]
    assert not passed
    assert "street_images" in text


def test_the_warehouse_sees_an_upstream_that_was_made_again(store):
    run(store)
    labels = store.open("lsoa_labels").table()
    publish(store, "lsoa_labels", None, lsoa_labels=labels.head(3))
    file = store.open("warehouse").file("streetineq.duckdb")
    with duckdb.connect(file, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM lsoa_labels").fetchall() == [(3,)]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_is_described(view):
    assert view.description.endswith(".")
    assert view.columns


def test_views_have_names_of_their_own():
    names = [view.name for view in VIEWS]
    assert len(names) == len(set(names))
