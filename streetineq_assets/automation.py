"""Jobs, schedules and the sensor, all shipped stopped: whoever runs the study switches them on.

What belongs here: what is run together, and when. What does not: what a step does, and how a change
is found (`images.changes`, `codes.reuse`). A job cannot mix partitions definitions, so the
chain is eight jobs; each takes one city, bucket or pair, or none.
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


def build_jobs() -> dict[str, Any]:
    """Every job by name, in the order in which data flow."""
    selections = {
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
            ["hdf5_shards", "area_folds"],
            "Pack a city's codes for training, and split its areas into folds.",
        ),
        "train_and_predict": (
            ["trained_model", "location_predictions", "lsoa_predictions", "lsoa_evaluation"],
            "Train a city's networks on an outcome, predict out of fold, compare with the truth.",
        ),
        "train_jointly": (
            ["joint_model", "joint_evaluation"],
            "Train all outcomes of a city in one network, and set it beside the separate ones.",
        ),
        "transfer_networks": (
            ["fine_tuned_model"],
            "Tune another city's networks on shares of this city, by outcome.",
        ),
        "publish_report": (
            ["transfer_report", "inequality_report", "warehouse"],
            "Write the report and the warehouse over everything that is there.",
        ),
    }
    return {
        name: dg.define_asset_job(name, selection=selection, description=description)
        for name, (selection, description) in selections.items()
    }


def build_schedules(jobs: Mapping[str, Any], parts: Partitions) -> list[dg.ScheduleDefinition]:
    """Labels every Monday; every pair once a month."""

    @dg.schedule(job=jobs["refresh_labels"], cron_schedule="0 5 * * 1", execution_timezone=TIMEZONE)
    def weekly_labels() -> dg.RunRequest:
        """Unchanged files are skipped, so a week without news costs seconds."""
        return dg.RunRequest()

    @dg.schedule(
        job=jobs["train_and_predict"], cron_schedule="0 2 1 * *", execution_timezone=TIMEZONE
    )
    def monthly_retraining(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        """One run for each pair; a pair whose labels and codes did not change is skipped in it."""
        month = context.scheduled_execution_time.strftime("%Y-%m")
        return [
            dg.RunRequest(run_key=f"{key}-{month}", partition_key=key)
            for key in parts.pair.get_partition_keys()
        ]

    return [weekly_labels, monthly_retraining]


def build_sensors(jobs: Mapping[str, Any], parts: Partitions) -> list[dg.SensorDefinition]:
    """One sensor: new or changed image files lead to exactly the runs that they need."""

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
        the keys requested and not yet done. A city that cannot be looked at stops no other.
        """
        wanted: dict[str, dg.RunRequest] = {}
        for city in parts.city.get_partition_keys():
            try:
                requests = list(_requests(study.store, study.study, city))
            except StreetineqError as error:
                context.log.warning(f"{city} is passed over: {error}")
                continue
            wanted |= {request.run_key: request for request in requests}
        requested = set(json.loads(context.cursor)) if context.cursor else set()
        fresh = [key for key in wanted if key not in requested][:MOST_REQUESTS_PER_TICK]
        pending = sorted(requested.intersection(wanted).union(fresh))
        if not fresh:
            context.update_cursor(json.dumps(pending))
            return dg.SkipReason(f"nothing new; {len(pending)} requested changes are not done yet")
        return dg.SensorResult(
            run_requests=[wanted[key] for key in fresh], cursor=json.dumps(pending)
        )

    return [new_images]


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
