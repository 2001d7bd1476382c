"""One run of one bucket, as Dagster's run worker has it, and the definitions that its steps load.

Usage: `python -m streetineq_tests.cluster.one_run PARTITION KIND ANSWER`. KIND is that of the
resource `gpu`; what became of the run is written to the file ANSWER.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg

from streetineq_assets.codes import assets
from streetineq_assets.definitions import build_definitions
from streetineq_tests.cluster.quick import QuickDevice, noting_encoder, small_parts

JOB = "extract_codes"


def job() -> dg.JobDefinition:
    """The real job of the study, with an encoder that needs no TensorFlow."""
    assets.kept_encoder = noting_encoder
    assets.Pace = small_parts
    return build_definitions(resources={"gpu": QuickDevice()}).resolve_job_def(JOB)


def run(partition: str, kind: str) -> dict[str, Any]:
    with dg.DagsterInstance.get() as instance:
        started = time.monotonic()
        result = dg.execute_job(
            dg.build_reconstructable_job("streetineq_tests.cluster.one_run", "job"),
            instance=instance,
            tags={"dagster/partition": partition},
            run_config={"resources": {"gpu": {"config": {"kind": kind}}}},
        )
        seconds = time.monotonic() - started
        logged = instance.all_logs(result.run_id)
        slots = instance.event_log_storage.get_concurrency_info("gpu").active_slot_count
    events = [entry.dagster_event for entry in logged if entry.dagster_event]
    return {
        "run_id": result.run_id,
        "success": result.success,
        "seconds": seconds,
        "slots": slots,
        "events": [event.event_type_value for event in events],
        "said": [_said(event) for event in events if event.is_failure],
    }


def _said(event: dg.DagsterEvent) -> str:
    error = event.event_specific_data.error
    return error.message if error else ""


if __name__ == "__main__":
    *asked, answer = sys.argv[1:]
    Path(answer).write_text(json.dumps(run(*asked)), encoding="utf-8")
