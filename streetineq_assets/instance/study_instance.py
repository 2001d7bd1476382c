"""The Dagster instance of a study; its `dagster.yaml` names this class.

It adds two things to Dagster's own: where runs are kept, and to which code location a run belongs
that was not launched but executed by this process, as those of `streetineq run` are.

Which storage it has is settled where the settings are read, and handed to run workers and steps
with them: a process that lacks `STREETINEQ_POSTGRES_URL` fails instead of taking SQLite.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._serdes import ConfigurableClassData

from streetineq_assets.instance.postgres_url import postgres_url

CODE_LOCATION = "streetineq"
_REPOSITORY = RemoteRepositoryOrigin(
    RegisteredCodeLocationOrigin(CODE_LOCATION),  # ty: ignore[abstract-class-instantiation] a record
    SINGLETON_REPOSITORY_NAME,
)


class StudyInstance(dg.DagsterInstance):
    """Dagster's own, in the Postgres that `STREETINEQ_POSTGRES_URL` names, or in SQLite."""

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """It has no settings beside Dagster's."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """What holds where `dagster.yaml` is silent.

        Raises:
            InstanceError: `STREETINEQ_POSTGRES_URL` is set, and wrong.
        """
        defaults = InstanceRef.config_defaults(base_dir)
        if postgres_url() is None:
            return defaults
        # Dagster shows these settings, and puts them on the command lines of its processes.
        storage = ConfigurableClassData(
            "streetineq_assets.instance.postgres_storage", "PostgresStorage", "{}"
        )
        return {**defaults, "storage": storage}

    def create_run_for_job(
        self, job_def: dg.JobDefinition, *given: Any, **named: Any
    ) -> dg.DagsterRun:
        """As Dagster's, for a run of the study's code location.

        Without an origin the UI leaves a run out of its timeline and of the jobs' pages, and no
        sensor hears that it failed.
        """
        named.setdefault("remote_job_origin", RemoteJobOrigin(_REPOSITORY, job_def.name))
        return super().create_run_for_job(job_def, *given, **named)
