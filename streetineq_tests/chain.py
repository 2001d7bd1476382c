"""Running every job of a study in this process, for tests of the whole chain."""

import dagster as dg

from streetineq_assets.definitions import build_definitions
from streetineq_assets.progress import PlannedRun
from streetineq_assets.run import QUIET, planned_runs


def run_chain(root) -> dict[str, dg.ExecuteInProcessResult]:
    """Run every job on every partition, in order; the first failure fails the test."""
    definitions = build_definitions(root)
    return {str(run): _execute(definitions, run) for run in planned_runs(definitions)}


def _execute(definitions, run: PlannedRun) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def(run.job)
    return job.execute_in_process(
        partition_key=run.partition, run_config=QUIET, raise_on_error=True
    )
