"""The code location: light to load, and its lineage a reviewed snapshot."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from streetineq_assets.definitions import build_definitions, default_executor, find_study
from streetineq_assets.errors import StudyError
from streetineq_assets.store import DataStore
from streetineq_tests.test_study import MINIMAL, write

HEAVY = ("tensorflow", "keras", "geopandas", "sklearn", "scipy", "matplotlib", "esda", "libpysal")


@pytest.fixture
def definitions(tmp_path):
    write(tmp_path, MINIMAL)
    return build_definitions(tmp_path)


def test_definitions_are_loadable(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_keys_groups_dependencies_and_partitions(definitions, snapshot):
    described = {}
    for spec in definitions.resolve_all_asset_specs():
        partitions = spec.partitions_def
        described[spec.key.to_user_string()] = {
            "group": spec.group_name,
            "kinds": sorted(spec.kinds),
            "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "partitions": partitions.get_partition_keys() if partitions else None,
        }
    assert described == snapshot


def test_checks(definitions, snapshot):
    checks = {}
    for asset in definitions.assets or []:
        if isinstance(asset, dg.AssetsDefinition):
            for spec in asset.check_specs:
                key = f"{spec.asset_key.to_user_string()}: {spec.name}"
                checks[key] = "blocking" if spec.blocking else "warning"
    assert checks == snapshot


def test_jobs_schedules_and_sensors(definitions, snapshot):
    described = {
        "jobs": {
            job.name: sorted(
                key.to_user_string()
                for key in definitions.resolve_job_def(job.name).asset_layer.executable_asset_keys
            )
            for job in definitions.jobs
        },
        "schedules": {s.name: s.cron_schedule for s in definitions.schedules},
        "sensors": [s.name for s in definitions.sensors],
    }
    assert described == snapshot


@pytest.mark.parametrize("joint", [False, True])
def test_joint_networks_are_upstream_of_the_pairs_where_the_study_trains_jointly(tmp_path, joint):
    write(tmp_path, MINIMAL + f"\n[training]\njoint = {str(joint).lower()}\n")
    specs = build_definitions(tmp_path).resolve_all_asset_specs()
    (trained,) = [spec for spec in specs if spec.key == dg.AssetKey("trained_model")]
    assert (dg.AssetKey("joint_model") in {dep.asset_key for dep in trained.deps}) == joint


def test_every_asset_belongs_to_a_job(definitions):
    in_jobs = {
        key
        for job in definitions.jobs
        for key in definitions.resolve_job_def(job.name).asset_layer.executable_asset_keys
    }
    executable = {
        key
        for asset in definitions.assets
        if isinstance(asset, dg.AssetsDefinition)
        for key in asset.keys
    }
    assert executable == in_jobs


def test_all_automation_is_shipped_stopped(definitions):
    assert {s.default_status.value for s in definitions.schedules} == {"STOPPED"}
    assert {s.default_status.value for s in definitions.sensors} == {"STOPPED"}


def test_resources_can_be_replaced(tmp_path):
    write(tmp_path, MINIMAL)
    definitions = build_definitions(tmp_path, resources={"gpu": "another"})
    assert definitions.resources["gpu"] == "another"


def test_loading_imports_no_heavy_library(tmp_path):
    write(tmp_path, MINIMAL)
    script = (
        "import sys, streetineq_assets.definitions as d; d.build_definitions(sys.argv[1]); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_wrong_study_fails_to_load_and_names_its_key(tmp_path):
    write(tmp_path, MINIMAL.replace("mean_income", "weather"))
    with pytest.raises(StudyError, match=r"cities\.alpha\.outcomes\.1"):
        build_definitions(tmp_path)


def test_the_study_is_the_named_one_else_data_else_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STREETINEQ_DATA", raising=False)
    with pytest.raises(StudyError, match="STREETINEQ_DATA"):
        find_study()
    (tmp_path / "data").mkdir()
    assert find_study() == Path("data")
    monkeypatch.setenv("STREETINEQ_DATA", "/somewhere")
    assert find_study() == Path("/somewhere")


def test_an_unknown_executor_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("STREETINEQ_EXECUTOR", "celery")
    with pytest.raises(StudyError, match="ray"):
        default_executor(DataStore(tmp_path))


@pytest.mark.parametrize(("executor", "buckets"), [("multiprocess", 13), ("ray", 2)])
def test_a_back_fill_is_cut_into_more_runs_where_machines_share_it(
    tmp_path, monkeypatch, executor, buckets
):
    write(tmp_path, MINIMAL.replace("buckets = 2", "buckets = 200"))
    monkeypatch.setenv("STREETINEQ_EXECUTOR", executor)
    definitions = build_definitions(tmp_path, executor=dg.in_process_executor)
    policy = definitions.resolve_asset_graph().get(dg.AssetKey("image_codes")).backfill_policy
    assert policy.max_partitions_per_run == buckets
