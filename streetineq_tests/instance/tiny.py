"""A code location whose jobs do next to nothing, and a process that runs one of them many times.

What its ops do is counted in the file that `TINY_LOG` names, a line for each attempt.
"""

import os
import signal
import sys
from pathlib import Path

import dagster as dg

KEYS = [f"{number:03}" for number in range(200)]


def _count(word: str) -> int:
    """Add a line to the log; how often the word stands there now."""
    log = Path(os.environ["TINY_LOG"])
    with log.open("a") as file:
        file.write(f"{word}\n")
    return log.read_text().splitlines().count(word)


@dg.asset(pool="gpu", partitions_def=dg.StaticPartitionsDefinition(KEYS))
def counted(context: dg.AssetExecutionContext) -> None:
    _count(context.partition_key)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2), pool="gpu")
def failing() -> None:
    _count("failing")
    raise ValueError("this op fails")


@dg.op(pool="gpu")
def killed() -> None:
    _count("killed")
    os.kill(os.getpid(), signal.SIGKILL)  # in process, so this is the run's own


@dg.job(executor_def=dg.in_process_executor)
def fails() -> None:
    failing()


@dg.job(executor_def=dg.in_process_executor)
def is_killed() -> None:
    killed()


defs = dg.Definitions(
    assets=[counted],
    jobs=[
        dg.define_asset_job("count", [counted], executor_def=dg.in_process_executor),
        fails,
        is_killed,
    ],
)


def main(home: str, keys: list[str]) -> None:
    """Run `count` on each key in this process; a word for each, whether it succeeded."""
    job = defs.resolve_job_def("count")
    with dg.DagsterInstance.from_config(home) as instance:
        for key in keys:
            result = job.execute_in_process(
                instance=instance, partition_key=key, raise_on_error=False
            )
            sys.stdout.write(f"{key} {'succeeded' if result.success else 'failed'}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
