"""Running every job of a study in this process, for tests of the whole chain."""

from pathlib import Path

import dagster as dg

from streetineq_assets.definitions import build_definitions
from streetineq_assets.run import QUIET, planned_runs


def run_chain(root: Path, *, fails: bool = False) -> dict[str, dg.ExecuteInProcessResult]:
    """Run every job on every partition, in order.

    Args:
        fails: go on after failures; else the first is raised.
    """
    definitions = build_definitions(root)
    with dg.DagsterInstance.ephemeral() as instance:
        return {
            str(run): definitions.resolve_job_def(run.job).execute_in_process(
                instance=instance,
                partition_key=run.partition,
                run_config=QUIET,
                raise_on_error=not fails,
            )
            for run in planned_runs(definitions)
        }
