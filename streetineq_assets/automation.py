"""Jobs, schedules and the sensor, all shipped stopped: whoever runs the study switches them on.

What belongs here: what is run together, and when. What does not: what a step does, and how a change
is found (`images.catalogue`, `codes.extraction`). A job cannot mix partitions definitions, so the
chain is six jobs; each takes one city, bucket or pair, or none.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from streetineq_assets.partitions import Partitions

TIMEZONE = "Europe/London"


def build_jobs(parts: Partitions) -> dict[str, Any]:
    """Every job by name, in the order in which data flow."""
    selections: dict[str, tuple[list[str], dg.PartitionsDefinition | None, str]] = {
        "refresh_labels": (
            ["postcode_lsoa", "lsoa_labels"],
            None,
            "Read the official files again: postcodes, areas, deciles.",
        ),
        "list_images": (
            ["street_images", "locations"],
            parts.city,
            "List a city's images and join its locations to their areas.",
        ),
        "extract_codes": (["image_codes"], parts.bucket, "Encode a bucket's images."),
        "pack_codes": (
            ["hdf5_shards", "area_folds"],
            parts.city,
            "Pack a city's codes for training, and split its areas into folds.",
        ),
        "train_and_predict": (
            ["trained_model", "location_predictions", "lsoa_predictions", "lsoa_evaluation"],
            parts.pair,
            "Train a city's networks on an outcome, predict out of fold, compare with the truth.",
        ),
        "publish_report": (
            ["inequality_report", "warehouse"],
            None,
            "Write the report and the warehouse over everything that is there.",
        ),
    }
    return {
        name: dg.define_asset_job(
            name, selection=selection, partitions_def=partitions, description=description
        )
        for name, (selection, partitions, description) in selections.items()
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


def build_sensors(jobs: Mapping[str, Any]) -> list[dg.SensorDefinition]:
    return []
