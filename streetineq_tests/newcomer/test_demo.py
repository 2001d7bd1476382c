"""The demo as it is run: what it prints, what it publishes, what the UI has of it, and a kill."""

import re
import subprocess
import time
from pathlib import Path

import dagster as dg
import pytest

from streetineq_assets.demo.city import write_study
from streetineq_assets.store import DataStore
from streetineq_tests.served import (
    LAUNCH_BACKFILL,
    SHELL,
    STATUS_OF_BACKFILL,
    STREETINEQ,
    ask,
    streetineq,
    wait_for,
)

pytestmark = pytest.mark.slow

SECOND_RUN_LIMIT_S = 90
BACKFILL_LIMIT_S = 600
ASSETS = """
    { assetNodes {
        assetKey { path } isMaterializable
        partitionStats { numMaterialized numPartitions }
        assetMaterializations(limit: 1) { metadataEntries { label __typename } }
        assetChecksOrError { ... on AssetChecks { checks {
            name blocking executionForLatestMaterialization { status } } } }
    } }
"""


def own_assets(url):
    """The assets that the platform makes; what others publish is only seen in the lineage."""
    return [node for node in ask(url, ASSETS)["assetNodes"] if node["isMaterializable"]]


def test_the_network_recovers_the_truth_with_the_baseline_beside_it(demo):
    store, printed = demo
    table = store.open("lsoa_evaluation", "northmere/living_environment").table("metrics.parquet")
    table = table[table["metric"] == "spearman_score"].set_index(["model", "scheme"])
    assert table.loc[("network", "area"), "value"] > 0.6
    assert ("map_knn", "area") in table.index
    assert "nearest areas (map)" in printed


def test_it_says_loudly_that_all_is_synthetic(demo):
    _, printed = demo
    assert "synthetic" in printed.splitlines()[0].lower()
    assert "SYNTHETIC" in printed


@pytest.mark.parametrize(
    "counted",
    ["missing 1", "missing view 1", "truncated 1", "not an image 1", "foreign files: other name 1"],
)
def test_missing_truncated_and_foreign_files_are_counted_by_reason(demo, counted):
    _, printed = demo
    assert counted in printed


def test_the_report_is_one_file_that_needs_no_network(demo):
    _, printed = demo
    path = next(line.split()[-1] for line in printed.splitlines() if line.endswith(".html"))
    text = Path(path).read_text(encoding="utf-8")
    assert "Synthetic" in text
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']+\.(?:js|css|png|svg)""", text) == []


def test_a_second_run_skips_everything_and_takes_seconds(demo):
    store, _ = demo
    before = {path: path.stat().st_mtime_ns for path in store.root.glob("assets/**/manifest.json")}
    started = time.monotonic()
    done = streetineq("demo", "--root", store.root)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < SECOND_RUN_LIMIT_S
    after = {path: path.stat().st_mtime_ns for path in store.root.glob("assets/**/manifest.json")}
    assert after == before


def test_everything_is_green_in_the_ui(ui, demo):
    """Every partition of every asset is materialised, and no blocking check failed."""
    nodes = own_assets(ui)
    assert len(nodes) > 12
    for node in nodes:
        name = node["assetKey"]["path"][-1]
        assert node["assetMaterializations"], f"{name} was never materialised"
        stats = node["partitionStats"]
        if stats:
            assert stats["numMaterialized"] == stats["numPartitions"], name
        for check in node["assetChecksOrError"].get("checks", []):
            latest = check["executionForLatestMaterialization"]
            assert latest, f"{name}: {check['name']} was never evaluated"
            assert latest["status"] == "SUCCEEDED" or not check["blocking"], (name, check["name"])


def test_plots_checks_and_column_schemas_are_shown(ui, demo):
    shown = {
        node["assetKey"]["path"][-1]: {
            entry["label"]: entry["__typename"]
            for entry in node["assetMaterializations"][0]["metadataEntries"]
        }
        for node in own_assets(ui)
    }
    assert shown["lsoa_labels"]["dagster/column_schema"] == "TableSchemaMetadataEntry"
    assert shown["lsoa_evaluation"]["confusion_plot"] == "MarkdownMetadataEntry"
    assert shown["location_predictions"]["synthetic"] == "MarkdownMetadataEntry"


def test_one_city_of_the_whole_graph_goes_from_images_to_report(ui, demo):
    """As "Materialize all" with one city does; everything is there, so each step only looks."""
    keys = [{"path": node["assetKey"]["path"]} for node in own_assets(ui)]
    launched = ask(ui, LAUNCH_BACKFILL, keys=keys, partitions=["saltbridge"])
    backfill = launched["launchPartitionBackfill"]["backfillId"]

    def finished():
        status = ask(ui, STATUS_OF_BACKFILL, id=backfill)["partitionBackfillOrError"]
        assert "FAIL" not in status["status"], status
        return status if status["status"] == "COMPLETED_SUCCESS" else None

    runs = wait_for(finished, BACKFILL_LIMIT_S)["runs"]
    ran = {key["path"][-1] for run in runs for key in run["assetSelection"]}
    assert ran == {key["path"][-1] for key in keys}
    cities = {
        tag["value"].split("/")[0]
        for run in runs
        for tag in run["tags"]
        if tag["key"] in ("dagster/partition", "dagster/asset_partition_range_start")
    }
    assert cities == {"saltbridge"}


def test_a_demo_killed_inside_the_pool_starts_again(tmp_path):
    """The dead run's slot is freed; without that the next run would wait for ever."""
    root = tmp_path / "study"
    write_study(root, sizes={"northmere": 20, "saltbridge": 15}, locations_per_lsoa=1)
    killed = started_demo(root)
    wait_for(lambda: holds_slot(root), 180)
    killed.kill()
    killed.communicate()
    assert holds_slot(root)
    before = encoded(root)
    again = started_demo(root)
    wait_for(lambda: encoded(root) > before, 180)
    again.terminate()
    printed, _ = again.communicate(timeout=60)
    assert "marked as failed" in printed
    assert not holds_slot(root)


def started_demo(root):
    command = [STREETINEQ, "demo", "--root", str(root)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=SHELL
    )


def encoded(root):
    """The buckets whose codes are published; a step of the pool `gpu` made each."""
    return {manifest.partition for manifest in DataStore(root).manifests("image_codes")}


def holds_slot(root):
    if not DataStore(root).manifest("lsoa_labels"):  # two processes must not make one database
        return False
    with dg.DagsterInstance.from_config(str(root / "dagster_home")) as instance:
        return instance.event_log_storage.get_concurrency_info("gpu").active_slot_count > 0
