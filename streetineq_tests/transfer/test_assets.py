"""The assets of this step, run by Dagster on published upstreams."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from streetineq_assets import resources
from streetineq_assets.devices import DeviceRequest
from streetineq_assets.errors import DeviceError
from streetineq_assets.resources import GpuResource
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.transfer.pair_tuning import FILES
from streetineq_assets.transfer.tables import CURVE, CURVE_SUMMARY, TRANSFER_COMPARISONS
from streetineq_tests import harness

REPORT = {
    "transfer_report": CURVE,
    "transfer_summary": CURVE_SUMMARY,
    "transfer_comparisons": TRANSFER_COMPARISONS,
}
CLAIMS = {"one_percent_is_enough", "one_percent_of_locations_is_enough"}


@pytest.fixture(scope="module")
def report(store: DataStore, tuned: Artefact) -> dg.ExecuteInProcessResult:
    return harness.run(store, "transfer_report")


def test_from_tuning_to_the_report(
    tuning_run: dg.ExecuteInProcessResult, report: dg.ExecuteInProcessResult
) -> None:
    shown = harness.metadata(tuning_run, "fine_tuned_model")
    assert shown["source"] == "alpha"
    rows = [row.data for row in shown["shares"].records]
    assert [(row["share_of"], row["share"]) for row in rows if row["network"] == "fine_tuned"] == [
        ("either", 0.0),
        ("locations", 0.02),
        ("areas", 0.02),
        ("locations", 0.5),
        ("areas", 0.5),
        ("either", 1.0),
    ]
    assert harness.failed(tuning_run) == {"shares_large_enough"}, "one share is below ten areas"
    shown = harness.metadata(report, "transfer_report")
    assert shown["n_pairs"] == 1
    assert shown["transfer_curves_plot"].startswith("![transfer_curves]")
    assert harness.failed(report) >= CLAIMS, "no share is 0.01; the other claims hang on few areas"
    for name in CLAIMS:
        assert harness.checks(report)[name].description.startswith("not tested")


def test_an_unchanged_target_is_skipped(store: DataStore, tuned: Artefact) -> None:
    again = harness.run(store, "fine_tuned_model", "beta/crime")
    assert harness.metadata(again, "fine_tuned_model")["skipped"] is True


@pytest.mark.parametrize("name", [*FILES, *REPORT])
def test_every_published_table_has_its_schema(
    store: DataStore, tuned: Artefact, report: dg.ExecuteInProcessResult, name: str
) -> None:
    artefact = store.open("transfer_report") if name in REPORT else tuned
    harness.assert_schema(artefact.file(f"{name}.parquet"), (FILES | REPORT)[name])


@pytest.mark.parametrize(
    ("key", "failed"),
    [
        pytest.param("hamlet/crime", {"available"}, id="too few areas for folds"),
        pytest.param("alpha/crime", set(), id="the source itself, of which nothing is asked"),
    ],
)
def test_a_pair_without_networks_to_start_from_is_unavailable_and_stops_nothing(
    store: DataStore, key: str, failed: set[str]
) -> None:
    result = harness.run(store, "fine_tuned_model", key)
    assert harness.failed(result) == failed
    artefact = store.open("fine_tuned_model", key)
    assert artefact.manifest.unavailable
    assert all(artefact.table(f"{name}.parquet").empty for name in FILES)


def test_tuning_asks_for_one_gpu_of_several(
    store: DataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(request: DeviceRequest) -> None:
        asked.append(request.gpus)
        raise DeviceError("none here")

    monkeypatch.setattr(resources, "lease", refuse)
    untuned = shutil.ignore_patterns("fine_tuned_model")
    shutil.copytree(store.root, tmp_path / "study", ignore=untuned)
    several = GpuResource(kind="gpu", gpus=4)
    result = harness.run(
        DataStore(tmp_path / "study"), "fine_tuned_model", "beta/crime", gpu=several, fails=True
    )
    assert harness.failure(result) == "none here"
    assert asked == [1]
