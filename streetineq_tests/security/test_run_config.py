"""Whoever launches a run does not say where it reads and writes."""

import dagster as dg
import pytest

from streetineq_assets.definitions import build_definitions
from streetineq_tests.test_study import MINIMAL, write


@pytest.fixture
def jobs(tmp_path):
    write(tmp_path, MINIMAL)
    definitions = build_definitions(tmp_path)
    return [definitions.resolve_job_def(job.name) for job in definitions.jobs]


@pytest.mark.parametrize(
    ("resource", "field"),
    [
        ("study", "root"),
        ("duckdb", "database"),
        ("duckdb", "connection_config"),
        ("io_manager", "base_dir"),
    ],
)
def test_a_folder_in_run_config_is_refused_by_name(attempt, jobs, tmp_path, resource, field):
    other = tmp_path / "other"
    config = {"resources": {resource: {"config": {field: str(other)}}}}
    asked = 0
    for job in jobs:
        if resource in job.resource_defs:
            asked += 1
            with attempt.raises(
                dg.DagsterInvalidConfigError, match=f'"{field}" at path .*{resource}'
            ):
                dg.validate_run_config(job, config)
    assert asked
    with attempt.raises(dg.DagsterInvalidConfigError):
        jobs[0].execute_in_process(run_config=config)
    assert not other.exists()


def test_what_a_run_may_choose_is_its_device(jobs):
    for job in jobs:
        config = {"resources": {"gpu": {"config": {"kind": "cpu"}}}}
        if "gpu" in job.resource_defs:
            dg.validate_run_config(job, config)
