"""How every asset publishes: once, checked before, skipped when nothing changed."""

import contextlib
import json
import logging
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pytest

from streetineq_assets import resources
from streetineq_assets.devices import Device, DeviceRequest
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import CheckSpec, Findings
from streetineq_assets.metadata import MOST_ROWS
from streetineq_assets.resources import (
    Events,
    GpuResource,
    StudyResource,
    define_asset,
    duckdb_resource,
)
from streetineq_assets.store import DataStore
from streetineq_assets.tables import column, schema
from streetineq_tests.harness import failure, manifest_content
from streetineq_tests.test_study import MINIMAL, write

COLUMNS = schema(
    column("area", "string", "LSOA code of 2011"),
    column("share", "float64", "of persons", unit="share", nullable=True),
)
IN_RANGE = CheckSpec("shares_in_range", "every share is within 0..1", blocking=True)
DIRECTION = CheckSpec("expected_direction", "the direction is the expected one")
CITY = dg.StaticPartitionsDefinition(["alpha", "beta"])


class Source:
    """What the asset below finds when it looks; each test sets it."""

    digest = "first"
    shares = (0.1, 0.2)
    error: Exception | None = None
    made = 0


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def run(tmp_path, source):
    write(tmp_path, MINIMAL)

    def shares(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
        """Shares by area."""

        def make(folder):
            source.made += 1
            if source.error:
                raise source.error
            codes = [f"E0100000{n}" for n in range(len(source.shares))]
            frame = pd.DataFrame({"area": codes, "share": source.shares})
            frame.to_parquet(folder / "shares.parquet")
            (folder / "picture.png").write_bytes(b"\x89PNG")
            ok = bool(frame["share"].le(1).all())
            return Findings(
                values={"mean_share": float(frame["share"].mean()), "undefined": float("nan")},
                checks=[
                    IN_RANGE.result(ok, "a share above 1"),
                    DIRECTION.result(False, "looks reversed", rho=-0.123456),
                ],
                tables={
                    "sources": [{"file": "a.csv", "rows": 2}],
                    "long": [{"row": n} for n in range(MOST_ROWS + 5)],
                },
                notes={"about": "**Shares**", "headline": "Shares are small"},
            )

        yield from study.materialize(
            context, make, inputs={"source": source.digest}, columns=COLUMNS
        )

    asset = define_asset(
        shares,
        partitions_def=CITY,
        group_name="labels",
        code_version="1",
        checks=[IN_RANGE, DIRECTION],
    )

    def materialize(partition="alpha", **arguments):
        return dg.materialize(
            [asset],
            partition_key=partition,
            **arguments,
            resources={"study": StudyResource(root=str(tmp_path))},
            raise_on_error=False,
        )

    return materialize


def metadata(result):
    return result.asset_materializations_for_node("shares")[0].metadata


def test_a_result_shows_rows_columns_figures_tables_and_plots(run):
    shown = metadata(run())
    assert shown["dagster/partition_row_count"].value == 2
    columns = {c.name: c.description for c in shown["dagster/column_schema"].value.columns}
    assert columns == {"area": "LSOA code of 2011", "share": "of persons (share)"}
    assert shown["mean_share"].value == pytest.approx(0.15)
    assert "undefined" not in shown
    assert shown["sources"].value.records[0].data == {"file": "a.csv", "rows": 2}
    assert shown["picture_plot"].value.startswith("![picture](data:image/png;base64,")
    assert shown["picture_file"].value.endswith("picture.png")
    assert shown["skipped"].value is False


def test_a_result_is_told_in_the_order_in_which_a_reader_asks(run):
    order = ["skipped", "headline", "picture_plot", "mean_share", "about", "sources", "folder"]
    assert [name for name in metadata(run()) if name in order] == order


def test_of_a_long_table_a_page_is_shown_and_the_rest_counted(run):
    shown = metadata(run())
    assert [r.data["row"] for r in shown["long"].value.records] == list(range(MOST_ROWS))
    assert shown["long_left_out"].value.startswith("5 more rows")
    assert "sources_left_out" not in shown


def test_the_data_version_is_the_contents_digest(run, tmp_path):
    result = run()
    event = result.asset_materializations_for_node("shares")[0]
    digest = DataStore(tmp_path).open("shares", "alpha").digest
    assert event.tags["dagster/data_version"] == digest


def test_nothing_changed_nothing_done_and_all_is_reported_again(run, source):
    first, second = run(), run()
    assert source.made == 1
    assert metadata(second)["skipped"].value is True
    assert "nothing was made" in metadata(second)["unchanged"].value
    assert metadata(second)["mean_share"] == metadata(first)["mean_share"]
    assert len(second.get_asset_check_evaluations()) == 2


def test_a_changed_slice_is_made_again(run, source):
    run()
    source.digest = "second"
    run()
    assert source.made == 2


def test_partitions_do_not_share_their_skips(run, source):
    run("alpha")
    run("beta")
    assert source.made == 2


def test_a_failed_blocking_check_is_shown_and_nothing_is_published(run, source, tmp_path):
    run()
    good = DataStore(tmp_path).open("shares", "alpha").digest
    source.digest, source.shares = "second", (0.1, 1.2)
    result = run()
    assert not result.success
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert evaluations["shares_in_range"].passed is False
    assert evaluations["shares_in_range"].severity == dg.AssetCheckSeverity.ERROR
    assert evaluations["shares_in_range"].partition == "alpha"
    assert not result.asset_materializations_for_node("shares")
    assert DataStore(tmp_path).open("shares", "alpha").digest == good


def test_a_failed_expectation_warns_and_publishes(run):
    result = run()
    assert result.success
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert evaluations["expected_direction"].passed is False
    assert evaluations["expected_direction"].severity == dg.AssetCheckSeverity.WARN


def test_a_users_error_is_one_sentence_and_the_last_good_table_stays(run, source, tmp_path):
    run()
    source.digest, source.error = "second", SourceError("census.csv, line 7: `x` is not a count")
    result = run()
    failure = next(e for e in result.all_events if e.is_step_failure).step_failure_data
    assert failure.user_failure_data.description == "census.csv, line 7: `x` is not a count"
    assert len(DataStore(tmp_path).open("shares", "alpha").table()) == 2


ALLOWED = {resources.ALLOW_LOSS: "true"}


@pytest.fixture
def lost(run, source):
    """Published with two rows; the next time its source holds none."""
    run()
    source.shares, source.digest = (), "second"
    return run


def test_nothing_that_was_there_gives_way_to_nothing(lost, tmp_path):
    assert "shares[alpha] would lose" in failure(lost())
    assert len(DataStore(tmp_path).open("shares", "alpha").table()) == 2


def test_who_starts_a_run_may_allow_the_loss_by_a_tag(lost, tmp_path):
    assert metadata(lost(tags=ALLOWED))["allowed_losses"].value == "rows (2 to 0)"
    assert DataStore(tmp_path).open("shares", "alpha").table().empty


@pytest.mark.parametrize(
    "tag", ["dagster/schedule_name", "dagster/sensor_name", "dagster/from_automation_condition"]
)
def test_what_starts_by_itself_may_not(lost, tmp_path, tag):
    """Neither by its own tags nor by the study's settings."""
    write(tmp_path, f"allow_loss = true\n{MINIMAL}")
    assert "would lose" in failure(lost(tags=ALLOWED | {tag: "weekly_labels"}))
    assert len(DataStore(tmp_path).open("shares", "alpha").table()) == 2


def test_a_study_that_allows_losses_allows_them_to_persons(lost, tmp_path):
    write(tmp_path, f"allow_loss = true\n{MINIMAL}")
    assert lost().success


def test_numbers_are_rounded_to_three_digits(run):
    evaluations = {e.check_name: e for e in run().get_asset_check_evaluations()}
    assert evaluations["expected_direction"].metadata["rho"].value == -0.123


def test_an_artefact_that_was_checked_otherwise_is_made_again(run, source, tmp_path):
    run()
    path = DataStore(tmp_path).folder("shares", "alpha") / "manifest.json"
    manifest = manifest_content(path)
    manifest["summary"]["checks"][0]["name"] = "shares_positive"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert metadata(run())["skipped"].value is False
    assert source.made == 2


def test_duckdb_is_an_engine_in_memory_with_its_limits_set(tmp_path):
    resource = duckdb_resource(DataStore(tmp_path), memory_limit="1GB")
    with resource.get_connection() as connection:
        settings = dict(
            connection.sql(
                "select name, value from duckdb_settings() "
                "where name in ('memory_limit', 'temp_directory')"
            ).fetchall()
        )
        path = connection.sql("select path from duckdb_databases() where not internal").fetchall()
    assert settings["memory_limit"].startswith("953")  # 1 GB in MiB
    assert settings["temp_directory"].startswith(str(tmp_path))
    assert path == [(None,)]


def test_a_fallback_to_the_cpu_is_a_warning_of_the_run(monkeypatch, caplog):
    asked = []

    @contextlib.contextmanager
    def lease(request):
        asked.append(request)
        yield Device(kind="cpu", fallback="all GPUs (2) are leased")

    monkeypatch.setattr(resources, "lease", lease)
    context = SimpleNamespace(log=logging.getLogger("run"))
    with GpuResource(gpus=2, wait_s=3).lease(context) as device:
        assert device.kind == "cpu"
    with GpuResource(gpus=2, wait_s=3).lease(context, most_gpus=1):
        pass
    assert asked == [DeviceRequest(gpus=2, wait_s=3), DeviceRequest(gpus=1, wait_s=3)]
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert set(warned) == {"running on the CPU: all GPUs (2) are leased"}
