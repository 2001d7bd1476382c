"""The assets of this step: networks tuned on shares of a city, and the curve of all of them.

What belongs here: reading slices, leasing the device, calling the domain, publishing. What does
not: any rule of it.
"""

from pathlib import Path

import dagster as dg

from streetineq_assets.findings import CheckSpec, Findings
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.tables import descriptions
from streetineq_assets.resources import GpuResource, StudyResource, define_asset
from streetineq_assets.transfer import curve, tables
from streetineq_assets.transfer import pair_tuning as jobs

GROUP = "transfer"


def fine_tuned_model(context: dg.AssetExecutionContext, study: StudyResource, gpu: GpuResource):
    """Networks of the study's transfer source, tuned on shares of this pair's training locations.

    Each share is drawn several times; every draw is scored out of fold and evaluated like the
    pair's own networks. The tuned networks of each share's first draw are kept.
    """
    job = jobs.open_transfer(study.store, study.study, context.partition_key)

    def make(folder: Path) -> Findings:
        with gpu.lease(context) as device:
            return job.make(folder, device, context.log.info)

    yield from study.materialize(
        context,
        make,
        inputs=job.inputs,
        config=job.config,
        columns=descriptions(tables.METRICS),
    )
    job.clean()


def transfer_report(context: dg.AssetExecutionContext, study: StudyResource):
    """How well tuned networks rank areas, by the share of the target that tuned them.

    Rank metrics only: deciles are relative to each city. Beside each curve stand the target's own
    networks and coordinates alone, on the same folds. The paper's claim is that a share of 0.01 is
    enough.
    """
    evaluations = curve.read_evaluations(study.store, study.study)
    yield from study.materialize(
        context,
        lambda folder: curve.write_report(evaluations, folder),
        inputs={f"{asset}/{key}": found.digest for (asset, key), found in evaluations.items()},
        columns=descriptions(tables.CURVE),
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Tuning by pair, and one report."""
    return [
        define_asset(
            fine_tuned_model,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=[
                "lsoa_labels",
                *parts.source_to_pairs("trained_model"),
                parts.city_to_pairs("locations"),
                parts.city_to_pairs("hdf5_shards"),
                parts.city_to_pairs("area_folds"),
            ],
            partitions_def=parts.pair,
            pool="gpu",
            code_version="1",
            checks=[CheckSpec(name, *rest) for name, rest in jobs.CHECKS.items()],
        ),
        define_asset(
            transfer_report,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["fine_tuned_model", "lsoa_evaluation"],
            code_version="1",
            checks=[CheckSpec(name, text) for name, text in curve.CHECKS.items()],
        ),
    ]
