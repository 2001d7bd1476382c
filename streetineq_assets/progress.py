"""How far a plan of runs is, and about how long the rest takes.

A run's duration is estimated from the finished runs of the same job. Jobs that have not run yet
have a rough duration of their own, scaled by how this machine and study compared with it so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Seconds of one run in the demo's study on two cores: the scale is corrected as runs finish.
ROUGH_SECONDS = {
    "refresh_labels": 5.0,
    "list_images": 1.0,
    "extract_codes": 15.0,
    "pack_codes": 1.0,
    "train_jointly": 8.0,
    "train_and_predict": 10.0,
    "compare_jointly": 1.0,
    "audit_data": 1.0,
    "transfer_networks": 3.0,
    "try_schemes": 15.0,
    "compare_schemes": 3.0,
    "publish_report": 4.0,
}
_UNKNOWN_SECONDS = 5.0
_TRUST_SECONDS = 30.0  # as much as this long a measurement: the first job alone sets no scale


@dataclass(frozen=True)
class PlannedRun:
    """One run of a job, for one partition or none."""

    job: str
    partition: str | None = None

    def __str__(self) -> str:
        return f"{self.job} {self.partition}" if self.partition else self.job


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended well.

    Attributes:
        seconds: from its start to its end.
        unchanged: whether everything was up to date, so that nothing was made.
    """

    job: str
    seconds: float
    unchanged: bool = False


def seconds_left(finished: Sequence[FinishedRun], remaining: Sequence[PlannedRun]) -> float:
    """The estimated duration of the remaining runs, in seconds.

    Runs that made nothing say how long looking takes, not how long the work does: they count only
    for jobs, and in plans, of which no run made anything.
    """
    scale = _scale(_telling(finished))
    means = {job: _mean(_telling(runs)) for job, runs in _by_job(finished).items()}
    return sum(means.get(run.job, rough_seconds(run.job) * scale) for run in remaining)


def rough_seconds(job: str) -> float:
    """The duration of a job's run before anything was measured, in seconds."""
    return ROUGH_SECONDS.get(job, _UNKNOWN_SECONDS)


def in_words(seconds: float) -> str:
    """A duration, rounded as an estimate is: `40 s`, `3 min`, `2 h 10 min`, `3 days`."""
    if seconds < 55:
        return f"{max(10, round(seconds, -1)):.0f} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, minutes = divmod(10 * round(minutes / 10), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(minutes / 60 / 24)} days"


def _by_job(finished: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    jobs: dict[str, list[FinishedRun]] = {}
    for run in finished:
        jobs.setdefault(run.job, []).append(run)
    return jobs


def _telling(runs: Sequence[FinishedRun]) -> Sequence[FinishedRun]:
    """The runs that made something, or all where none did."""
    return [run for run in runs if not run.unchanged] or runs


def _mean(runs: Sequence[FinishedRun]) -> float:
    return sum(run.seconds for run in runs) / len(runs)


def _scale(finished: Sequence[FinishedRun]) -> float:
    """How much longer the finished runs took than roughly expected; 1 before any has finished."""
    expected = sum(rough_seconds(run.job) for run in finished)
    taken = sum(run.seconds for run in finished)
    return (taken + _TRUST_SECONDS) / (expected + _TRUST_SECONDS)
