"""Seconds in a fresh process: to the definitions of a study, and of ticks of `keep_up_to_date`.

    uv run python -m streetineq_tests.benchmarks.ticks STUDY

`bench_load` starts it on finished studies. Prints JSON: what was timed to seconds. One image of the
first city is changed on the way, so the study is no longer finished afterwards.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

IMAGE = "0/0_a.jpg"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(root: Path) -> None:
    """Time everything in the order in which a code server does it."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "import"):
        import dagster as dg

        from streetineq_assets.definitions import build_definitions
    with _timed(seconds, "build"):
        definitions = build_definitions(root)
        definitions.get_repository_def().load_all_definitions()
    from streetineq_assets.resources import StudyResource

    sensor, cursor = definitions.resolve_sensor_def("keep_up_to_date"), None
    study = StudyResource(root=str(root))
    city = next(iter(study.study.cities))

    def tick(instance: dg.DagsterInstance, what: str, *, asks_for: str | None) -> None:
        nonlocal cursor
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, definitions=definitions, resources={"study": study}
        )
        with _timed(seconds, what):
            data = sensor.evaluate_tick(context)
        asked = {request.job_name for request in data.run_requests or []}
        assert asked == ({asks_for} if asks_for else set()), (what, asked, data.skip_message)
        cursor = data.cursor

    with dg.DagsterInstance.ephemeral() as instance:
        tick(instance, "first tick", asks_for=None)
        tick(instance, "later tick", asks_for=None)
        study.store.inputs("images", city, IMAGE).write_bytes(b"another picture")
        tick(instance, "tick, an image changed", asks_for="list_images")
        job = definitions.resolve_job_def("list_images")
        job.execute_in_process(instance=instance, partition_key=city, run_config=_QUIET)
        tick(instance, "tick, it was listed", asks_for="extract_codes")
    print(json.dumps(seconds))


@contextlib.contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - started


if __name__ == "__main__":
    main(Path(sys.argv[1]))
