"""Jobs, schedules and sensors, all shipped stopped: whoever runs the study switches them on.

A job cannot mix partitions definitions, so the chain is twelve jobs, in the order in which data
flow; each takes one city, bucket, pair or scheme, or none.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from streetineq_assets.codes.reuse import changed_buckets
from streetineq_assets.errors import StreetineqError
from streetineq_assets.images.changes import changed_listing
from streetineq_assets.images.location_list import location_list_file
from streetineq_assets.partitions import Partitions, bucket_keys
from streetineq_assets.resources import StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study

TIMEZONE = "Europe/London"
SENSOR_INTERVAL_S = 300
MOST_REQUESTS_PER_TICK = 20

# Name to the assets of a job and what it does.
_JOBS: dict[str, tuple[list[str], str]] = {
    "refresh_labels": (
        ["postcode_lsoa", "lsoa_labels"],
        "Read the official files again: postcodes, areas, deciles.",
    ),
    "list_images": (
        ["street_images", "locations"],
        "List a city's images and join its locations to their areas.",
    ),
    "extract_codes": (["image_codes"], "Encode a bucket's images."),
    "pack_codes": (
        ["hdf5_shards", "image_repeats", "area_folds"],
        "Pack a city's codes for training, find repeats, and split its areas into folds.",
    ),
    "train_jointly": (
        ["joint_model"],
        "Train all outcomes of a city in one network; with `joint = true` before the pairs.",
    ),
    "train_and_predict": (
        [
            "trained_model",
            "baseline_scores",
            "location_predictions",
            "lsoa_predictions",
            "lsoa_evaluation",
            "equity_audit",
        ],
        "Train a pair's networks, predict out of fold, compare with baselines and the truth.",
    ),
    "compare_jointly": (
        ["joint_evaluation"],
        "Evaluate a city's joint networks, beside those of its pairs.",
    ),
    "audit_data": (
        ["data_audit"],
        "Audit a city: rights and dates of its images, and which of its areas were ranked.",
    ),
    "transfer_networks": (
        ["fine_tuned_model"],
        "Tune another city's networks on shares of this city, by outcome.",
    ),
    "try_schemes": (
        ["scheme_scores"],
        "Train and score every model of a city under one scheme of folds.",
    ),
    "compare_schemes": (
        ["evidence_matrix"],
        "Compare all models of a city under all schemes of folds.",
    ),
    "publish_report": (
        ["transfer_report", "inequality_report", "warehouse"],
        "Write the report and the warehouse over everything that is there.",
    ),
}


def build_jobs() -> dict[str, Any]:
    """Every job by name, in the order in which data flow."""
    return {
        name: dg.define_asset_job(name, selection=selection, description=description)
        for name, (selection, description) in _JOBS.items()
    }


def build_schedules(jobs: Mapping[str, Any], parts: Partitions) -> list[dg.ScheduleDefinition]:
    """Labels every Monday; networks once a month."""

    @dg.schedule(job=jobs["refresh_labels"], cron_schedule="0 5 * * 1", execution_timezone=TIMEZONE)
    def weekly_labels() -> dg.RunRequest:
        """Unchanged files are skipped, so a week without news costs seconds."""
        return dg.RunRequest()

    first = "train_jointly" if parts.trains_jointly else "train_and_predict"
    keys = (parts.city if parts.trains_jointly else parts.pair).get_partition_keys()

    @dg.schedule(job=jobs[first], cron_schedule="0 2 1 * *", execution_timezone=TIMEZONE)
    def monthly_retraining(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        """A run for each pair; one whose labels and codes did not change is skipped in it.

        A study that trains jointly has a run for each city, after which the sensor
        `joint_networks_trained` asks for the city's pairs.
        """
        month = context.scheduled_execution_time.strftime("%Y-%m")
        return [dg.RunRequest(run_key=f"{key}-{month}", partition_key=key) for key in keys]

    return [weekly_labels, monthly_retraining]


def build_sensors(jobs: Mapping[str, Any], parts: Partitions) -> list[dg.SensorDefinition]:
    """New images lead to the runs that they need, and joint networks to the runs of their pairs."""
    joint = [_joint_networks_sensor(jobs, parts)] if parts.trains_jointly else []
    return [_new_images_sensor(jobs, parts), *joint]


def _joint_networks_sensor(jobs: Mapping[str, Any], parts: Partitions) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=[jobs["train_jointly"]],
        request_jobs=[jobs["train_and_predict"]],
    )
    def joint_networks_trained(context: dg.RunStatusSensorContext) -> list[dg.RunRequest]:
        """After a city's joint networks were trained, a run for each of its pairs."""
        run = context.dagster_run
        city = run.tags["dagster/partition"]
        return [
            dg.RunRequest(
                run_key=f"{key}-{run.run_id}", partition_key=key, job_name="train_and_predict"
            )
            for key in parts.pairs_of(city)
        ]

    return joint_networks_trained


def _new_images_sensor(jobs: Mapping[str, Any], parts: Partitions) -> dg.SensorDefinition:
    @dg.sensor(
        jobs=[jobs["list_images"], jobs["extract_codes"]],
        minimum_interval_seconds=SENSOR_INTERVAL_S,
    )
    def new_images(
        context: dg.SensorEvaluationContext, study: StudyResource
    ) -> dg.SensorResult | dg.SkipReason:
        """List a city whose files changed; once it is listed, encode the buckets that differ.

        File names, sizes and times are compared, no image is opened. A change is requested once:
        its digest and the moment of the last publication are the run's key, and the cursor keeps
        the keys requested and not yet done. A city that cannot be listed stops no other.
        """
        wanted: dict[str, dg.RunRequest] = {}
        for city in parts.city.get_partition_keys():
            try:
                requests = list(_requests(study.store, study.study, city))
            except StreetineqError as error:
                context.log.warning(f"{city} is left out: {error}")
                continue
            wanted |= {str(request.run_key): request for request in requests}
        requested = set(json.loads(context.cursor)) if context.cursor else set()
        fresh = [key for key in wanted if key not in requested][:MOST_REQUESTS_PER_TICK]
        pending = sorted(requested.intersection(wanted).union(fresh))
        if not fresh:
            context.update_cursor(json.dumps(pending))
            waiting = f"; {len(pending)} requested runs have not ended" if pending else ""
            return dg.SkipReason(f"nothing changed{waiting}")
        return dg.SensorResult(
            run_requests=[wanted[key] for key in fresh], cursor=json.dumps(pending)
        )

    return new_images


def _requests(store: DataStore, study: Study, city: str) -> Iterator[dg.RunRequest]:
    """The runs that a city's files ask for: its listing first, then its changed buckets."""
    if not location_list_file(store, city).is_file():
        return
    listing = changed_listing(store, city)
    if listing:
        yield _request(store, "list_images", "street_images", city, listing)
        return
    keys = bucket_keys(city, study.cities[city].buckets)
    for key, digest in changed_buckets(store, city, keys).items():
        yield _request(store, "extract_codes", "image_codes", key, digest)


def _request(store: DataStore, job: str, asset: str, key: str, digest: str) -> dg.RunRequest:
    """A run's key is used once for ever, so it names what the run replaces: files may change back.

    Args:
        asset: what the job publishes for the partition `key`.
        digest: of the files as they are now.
    """
    last = store.manifest(asset, key)
    since = last.published_at.isoformat() if last else "never"
    return dg.RunRequest(run_key=f"{key}@{digest}@{since}", partition_key=key, job_name=job)
