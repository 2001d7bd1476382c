"""Jobs, schedules and sensors, all shipped stopped: whoever runs the study switches them on.

News travels by one sensor. Every two minutes `keep_up_to_date` compares what is published with
what it was made of, and asks for the runs that are wanting, city by city and stage by stage; the
report comes last, when no city waits for anything.
"""

import datetime as dt
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import dagster as dg

from streetineq_assets.errors import StreetineqError
from streetineq_assets.instance_state import LAUNCHER, UNFINISHED
from streetineq_assets.notices import Notice, digest, failure, publish
from streetineq_assets.outdated import OutOfDate, Work
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.lineage import label_of
from streetineq_assets.requested import Requested, name_of
from streetineq_assets.resources import StudyResource
from streetineq_assets.stages import LABELS, REPORT, STAGES, stages_of
from streetineq_assets.study import city_of

TIMEZONE = "Europe/London"
WHOLE_CITY = "whole_city"
WEEKLY_REPORT = "weekly_report"
UPKEEP = "streetineq/upkeep"  # tag of the runs that the sensor asked for
SENSOR_INTERVAL_S = 120
MOST_REQUESTS_PER_TICK = 100
_WEEKLY = (
    (
        "weekly_labels",
        LABELS,
        "0 5 * * 1",
        "Read the official files again every Monday; unchanged ones cost seconds.",
    ),
    (
        WEEKLY_REPORT,
        REPORT,
        "0 8 * * 1",
        "Make report, evidence pack and warehouse again every Monday, where anything changed.",
    ),
)
_ON_GPU = {stage.job for stage in STAGES if stage.on_gpu}
_DAY = dt.timedelta(days=1)


def build_jobs(parts: Partitions) -> dict[str, Any]:
    """Every job by name: those of the chain in the order in which data flow, then `whole_city`."""
    jobs = {
        stage.job: dg.define_asset_job(
            stage.job, selection=list(stage.assets), description=stage.description
        )
        for stage in stages_of(acquires=parts.imagery_pool is not None)
    }
    return jobs | {WHOLE_CITY: _whole_city_job(parts)}


def _whole_city_job(parts: Partitions) -> dg.JobDefinition:
    @dg.op
    def run_every_job(context: dg.OpExecutionContext, study: StudyResource) -> None:
        """Run `streetineq run --city` in a process of its own, and say what it says."""
        root, city = str(study.store.root), context.partition_key
        command = [sys.executable, "-m", "streetineq_assets", "run", "--root", root, "--city", city]
        # No input of a user but a folder and a city's key, neither read by a shell.
        with subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            last = ""
            try:
                for line in process.stdout or ():
                    last = line.strip() or last
                    context.log.info(line.rstrip())
            except BaseException:  # the run was stopped: so is what it started
                process.terminate()
                raise
        if process.returncode:
            raise dg.Failure(last, allow_retries=False)

    @dg.job(name=WHOLE_CITY, partitions_def=parts.city)
    def whole_city() -> None:
        """Bring one city up to date from official files and images to the report, by one click.

        The runs of the chain follow one another in one process, as `streetineq run --city` has
        them; what is unchanged is skipped.
        """
        run_every_job()

    return whole_city


def build_schedules(jobs: Mapping[str, Any]) -> list[dg.ScheduleDefinition]:
    """Labels and report once a week, so that both are at most a week old."""
    return [
        dg.ScheduleDefinition(
            name=name,
            job=jobs[stage.job],
            cron_schedule=cron,
            execution_timezone=TIMEZONE,
            description=description,
        )
        for name, stage, cron, description in _WEEKLY
    ]


def build_sensors(jobs: Mapping[str, Any], parts: Partitions) -> list[dg.SensorDefinition]:
    """News of inputs carried to the report; notices of failures, and of what a week brought."""
    return [_upkeep_sensor(jobs, parts), _failure_sensor(), _digest_sensor(jobs)]


def _failure_sensor() -> dg.SensorDefinition:
    @dg.run_failure_sensor(description="Tells of each failed step: what failed, why, what to do.")
    def failure_notices(context: dg.RunFailureSensorContext, study: StudyResource) -> None:
        """Tell of each failed step in one line: what failed, why, and what to do.

        The line goes to `notices.log` in the study's `dagster_home` and, where they are set up, to
        a webhook and by e-mail. A run whose process died is not told of while Dagster tries again,
        nor those of `streetineq run`: it says so itself, or `whole_city` does.
        """
        tags = context.dagster_run.tags
        if tags.get("dagster/will_retry") != "true" and not LAUNCHER.items() <= tags.items():
            for notice in failures(context):
                _publish(notice, study, context.log)

    return failure_notices


def _digest_sensor(jobs: Mapping[str, Any]) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=[jobs[REPORT.job]],
        description="Tells, after the report of the week, what was made anew.",
    )
    def weekly_digest(context: dg.RunStatusSensorContext, study: StudyResource) -> None:
        """After the report of the week, tell what was made anew since the week before."""
        if context.dagster_run.tags.get("dagster/schedule_name") == WEEKLY_REPORT:
            now = dt.datetime.now(dt.UTC)
            _publish(digest(study.store, now - 7 * _DAY, now), study, context.log)

    return weekly_digest


def failures(context: dg.RunFailureSensorContext) -> Iterator[Notice]:
    """A notice of each reason for which steps failed; of the run, where no step did."""
    run, key = context.dagster_run, _key_of(context.dagster_run)
    labels: dict[str, list[str]] = defaultdict(list)
    for event in context.get_step_failure_events():
        labels[_reason_of(event)].append(label_of((str(event.step_key), key)))
    for reason, failed in labels.items():
        yield failure(", ".join(failed), reason, run.run_id)
    if not labels:
        yield failure(label_of((run.job_name, key)), _reason_of_run(context), run.run_id)


def _reason_of_run(context: dg.RunFailureSensorContext) -> str:
    """Why a run failed of which no step did; the executor says so, where it could."""
    error = context.failure_event.job_failure_data.error
    if error is None:
        return "its process ended before a step failed: started again, it resumes"
    return error.message.split(f"{error.cls_name}: ", 1)[-1]


def _reason_of(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    said = data.error.message.strip() if data.error else "no reason given"
    return f"{said} An error of the platform: see the run in the UI"


def _publish(notice: Notice, study: StudyResource, log: Any) -> None:
    for problem in publish(notice, study.store, study.study.notices):
        log.warning(problem)


def _upkeep_sensor(jobs: Mapping[str, Any], parts: Partitions) -> dg.SensorDefinition:
    @dg.sensor(
        jobs=[jobs[stage.job] for stage in STAGES if stage.job in jobs],
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        description="Asks for the runs that carry a change of images or labels to the report.",
    )
    def keep_up_to_date(
        context: dg.SensorEvaluationContext, study: StudyResource
    ) -> dg.SensorResult | dg.SkipReason:
        """Ask for the runs that carry a change from images and labels to the report.

        A city's stages follow one another: the next is asked for once nothing of the last is
        wanting. Each run is asked for once, and again only when what it needs has changed or a day
        has passed. Cities in which other runs are under way wait, and so does GPU work beyond the
        day's budget (`[automation]` in study.toml). A city that cannot be read stops no other.
        """
        tick = _Tick(context, study)
        due = tick.due(parts.city.get_partition_keys())
        requests = [tick.request(work) for work in due[:MOST_REQUESTS_PER_TICK]]
        cursor = tick.requested.cursor()
        if not requests:
            context.update_cursor(cursor)
            return dg.SkipReason("; ".join(tick.told) or "everything is up to date")
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return keep_up_to_date


class _Tick:
    """One look at the study.

    Attributes:
        told: why what is out of date was not asked for.
    """

    def __init__(self, context: dg.SensorEvaluationContext, study: StudyResource) -> None:
        self._context, self._study_resource, self._study = context, study, study.study
        self._outdated = OutOfDate(study.store, study.study)
        self._now = dt.datetime.now(dt.UTC)
        self.requested = Requested.read(context.cursor, self._now)
        self.told: list[str] = []
        unfinished = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        self._under_way = {run.tags[UPKEEP] for run in unfinished if UPKEEP in run.tags}
        others = [run for run in unfinished if UPKEEP not in run.tags]
        self._busy = {city for run in others for city in _cities_of(run)}
        self._is_busy_everywhere = any(not _cities_of(run) for run in others)

    def due(self, cities: Sequence[str]) -> list[Work]:
        """What to ask for now: labels; else the next stage of each city; else the report."""
        if self._is_busy_everywhere:
            self.told.append("runs of labels, report or a selection of assets are under way")
            return []
        if labels := self._looked_at("the labels", self._outdated.labels):
            return self._of_stage(labels)
        due = [work for city in cities for work in self._of_city(city)]
        if due or self._busy or self._under_way:
            return due
        return self._of_stage(self._looked_at("the report", self._outdated.report))

    def request(self, work: Work) -> dg.RunRequest:
        """The request of one run, which is remembered."""
        return dg.RunRequest(
            run_key=self.requested.ask(work),
            job_name=work.stage.job,
            partition_key=work.key,
            tags={UPKEEP: name_of(work)},
        )

    def _looked_at(self, what: str, look: Callable[[], Iterable[Work]]) -> tuple[Work, ...]:
        """The work that a look finds; where it fails, why is told: once a day also in a notice."""
        try:
            return tuple(look())
        except StreetineqError as error:
            told = Notice(f"{what} cannot be kept up to date", str(error))
            self.told.append(told.line)
            self._context.log.warning(told.line)
            if self.requested.is_news(told.subject, told.text):
                _publish(told, self._study_resource, self._context.log)
            return ()

    def _of_city(self, city: str) -> list[Work]:
        if city in self._busy:
            self.told.append(f"{city}: other runs are under way")
            return []
        look = partial(self._outdated.next_of_city, city)
        return self._of_stage(self._looked_at(city, look))

    def _of_stage(self, work: tuple[Work, ...]) -> list[Work]:
        due = self.requested.due(work, self._under_way)
        left = len(work) - len(due)
        if left:
            self.told.append(f"{left} requested runs of {work[0].stage.job} gave no result yet")
        if due and due[0].stage.on_gpu and self._spent_budget:
            self.told.append(f"{len(due)} runs of {due[0].stage.job} wait: {self._spent_budget}")
            return []
        return due

    @cached_property
    def _spent_budget(self) -> str | None:
        """Why there is no more GPU work today, if there is none."""
        budget = self._study.automation.gpu_hours_per_day
        filters = dg.RunsFilter(created_after=self._now - 2 * _DAY)
        hours = gpu_hours(self._context.instance.get_run_records(filters), self._now)
        if hours < budget:
            return None
        return (
            f"{hours:.1f} h of GPU work in a day, of the {budget:g} h that study.toml "
            "allows by gpu_hours_per_day under [automation]"
        )


def gpu_hours(records: Iterable[dg.RunRecord], now: dt.datetime) -> float:
    """Hours of the last 24 that runs of jobs with GPU work took, of those that it asked for."""
    since, seconds = (now - _DAY).timestamp(), 0.0
    for record in records:
        run = record.dagster_run
        if UPKEEP in run.tags and run.job_name in _ON_GPU and record.start_time:
            end = record.end_time or now.timestamp()
            seconds += max(0.0, end - max(record.start_time, since))
    return seconds / 3600


def _key_of(run: dg.DagsterRun) -> str | None:
    """A run's partition, or the first and last of its range."""
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return run.tags.get("dagster/partition") or (f"{first} to {last}" if first else None)


def _cities_of(run: dg.DagsterRun) -> set[str]:
    """The cities of a run's partitions; none for a run without."""
    names = ("partition", "asset_partition_range_start", "asset_partition_range_end")
    keys = [run.tags[f"dagster/{name}"] for name in names if f"dagster/{name}" in run.tags]
    return {city_of(key) for key in keys}
