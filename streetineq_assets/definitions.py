"""The code location: every asset, job, schedule, sensor and resource of one study.

Loading happens in the web server's, the daemon's and every step's process, so it reads `study.toml`
and nothing else, touches no network and imports no heavy library.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from streetineq_assets.audit.assets import build_assets as build_audit
from streetineq_assets.automation import build_jobs, build_schedules, build_sensors
from streetineq_assets.cluster.choice import uses_ray
from streetineq_assets.cluster.executor import ray_executor
from streetineq_assets.codes.assets import build_assets as build_codes
from streetineq_assets.errors import StudyError
from streetineq_assets.evidence.assets import build_assets as build_evidence
from streetineq_assets.imagery.assets import build_assets as build_imagery
from streetineq_assets.images.assets import build_assets as build_images
from streetineq_assets.labels.assets import build_assets as build_labels
from streetineq_assets.models.assets import build_assets as build_models
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.assets import build_assets as build_predictions
from streetineq_assets.reports.assets import build_assets as build_reports
from streetineq_assets.resources import GpuResource, StudyResource, bound, duckdb_resource
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_assets.transfer.assets import build_assets as build_transfer

FOLDERS = (
    build_labels,
    build_imagery,
    build_images,
    build_codes,
    build_models,
    build_predictions,
    build_transfer,
    build_evidence,
    build_audit,
    build_reports,
)


def build_definitions(
    study: Path | str | None = None,
    executor: dg.ExecutorDefinition | None = None,
    resources: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """The definitions of one study.

    Args:
        study: the study's folder; by default as `find_study` finds it.
        executor: how a run's steps are executed; by default a process each, leaving one core free.
        resources: replacements for `study`, `duckdb` or `gpu`.

    Raises:
        StudyError: there is no study, or its file is wrong; one line that names the key.
    """
    store = DataStore(study or find_study())
    settings = load_study(store.study_file)
    parts = Partitions(settings, spread=uses_ray())
    jobs = build_jobs(parts)
    return dg.Definitions(
        assets=[asset for build in FOLDERS for asset in build(parts)],
        jobs=list(jobs.values()),
        schedules=build_schedules(jobs),
        sensors=build_sensors(jobs, parts),
        executor=executor or default_executor(store),
        resources={
            "study": bound(StudyResource(root=str(store.root))),
            "duckdb": bound(duckdb_resource(store)),
            "gpu": GpuResource(),
            # Assets return no values; Dagster's own would take a folder from run config.
            "io_manager": dg.IOManagerDefinition(
                lambda _: dg.InMemoryIOManager(), config_schema={}
            ),
            **(resources or {}),
        },
    )


def find_study() -> Path:
    """The folder of the study that this process works on.

    Raises:
        StudyError: neither `STREETINEQ_DATA` nor a `data` folder is there.
    """
    named = os.environ.get("STREETINEQ_DATA")
    if named:
        return Path(named)
    if Path("data").is_dir():
        return Path("data")
    raise StudyError(
        "no study: set STREETINEQ_DATA to a study's folder, start where a `data` folder is, "
        "or make one with `streetineq init DIR`"
    )


def default_executor(store: DataStore) -> dg.ExecutorDefinition:
    """A process for each step, or, with `STREETINEQ_EXECUTOR=ray`, a Ray cluster.

    Raises:
        StudyError: the environment chooses something else, or Ray is not installed.
    """
    if uses_ray():
        return ray_executor(store.root)
    # The code server must answer within 20 s while steps run.
    workers = max(1, (os.cpu_count() or 1) - 1)
    return dg.multiprocess_executor.configured({"max_concurrent": workers})


@dg.definitions
def defs() -> dg.Definitions:
    """The study that the environment names."""
    return build_definitions()
