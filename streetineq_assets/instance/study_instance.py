"""The Dagster instance of a study; its `dagster.yaml` names this class.

Which storage it has is settled where the settings are read, and handed to run workers and steps
with them: a process that lacks `STREETINEQ_POSTGRES_URL` fails instead of taking SQLite.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData

from streetineq_assets.instance.postgres_url import postgres_url


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
