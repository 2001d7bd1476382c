"""The assets of this step: a city's folds, its networks by outcome, and its joint network.

What belongs here: reading slices, leasing the device, calling the domain, publishing. What does
not: any rule of it.
"""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from streetineq_assets.findings import CheckSpec, Findings
from streetineq_assets.models import city_folds, opening, pair_training
from streetineq_assets.models.checks import FOLD_CHECKS, TRAINING_CHECKS
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import GpuResource, StudyResource, define_asset

GROUP = "models"
FOLD_COLUMNS = {
    "lsoa11": "lower layer super output area of 2011",
    "fold": "the network that this area tests; -1 tests none, -2 only validates (holdout)",
    "scheme": "how areas were split",
    "block": "the square of the national grid in which the area lies (spatial_block)",
}


class TrainingConfig(dg.Config):
    """How to train in this run; left alone, as study.toml says."""

    profile: str = Field("", description="recommended or suel2019; empty for the study's profile")
    overrides: dict[str, Any] = Field(
        {}, description="fields of the profile, such as epochs: 20, over those of study.toml"
    )


def area_folds(context: dg.AssetExecutionContext, study: StudyResource):
    """One fold table per city, used by every outcome, head, baseline and joint network.

    Whole areas, stratified by their mean decile over the outcomes, so that nothing leaks from one
    outcome to another. Beside it lie spatial blocks for the baselines, and the areas' centroids.
    """
    city = context.partition_key
    sources = city_folds.read_sources(study.store, study.study, city)

    def make(folder: Path) -> Findings:
        return city_folds.write_folds(sources, study.study, folder)

    yield from study.materialize(
        context,
        make,
        inputs=sources.digests(),
        config={"folds": study.study.folds.model_dump(), "seed": study.study.seed},
        columns=FOLD_COLUMNS,
    )


def trained_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    study: StudyResource,
    gpu: GpuResource,
):
    """The ordinal networks of one city and outcome, one per fold, and their out-of-fold scores.

    A killed run goes on from its last saved epoch; a finished fold is not trained again. Joint
    networks that another pair's run has replaced are no longer this pair's: it is made again. The
    baselines, trained and tested on the same folds, lie beside the scores.
    """
    job = opening.open_pair(
        study.store,
        study.study,
        context.partition_key,
        profile_name=config.profile,
        overrides=config.overrides,
    )

    def make(folder: Path) -> Findings:
        with gpu.lease(context) as device:
            return job.make(folder, device, context.log.info)

    yield from study.materialize(
        context,
        make,
        inputs=job.inputs,
        config=job.config,
        columns=pair_training.SCORE_COLUMNS,
        again=job.superseded,
    )
    job.clean()


def joint_model(context: dg.AssetExecutionContext, study: StudyResource, gpu: GpuResource):
    """All outcomes of a city in one training: one trunk with a head for each.

    It takes about the time of one outcome. With `joint = true` in study.toml `trained_model` takes
    its networks from here; else it stands beside the separate networks, for comparison.
    """
    job = opening.open_joint(study.store, study.study, context.partition_key)

    def make(folder: Path) -> Findings:
        with gpu.lease(context) as device:
            return job.make_joint(folder, device, context.log.info)

    yield from study.materialize(
        context, make, inputs=job.inputs, config=job.config, columns=pair_training.JOINT_COLUMNS
    )
    job.clean()


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Folds by city, networks by pair, joint networks by city."""
    return [
        define_asset(
            area_folds,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=["lsoa_labels", "postcode_lsoa", *parts.folds_need],
            partitions_def=parts.city,
            code_version="1",
            checks=[CheckSpec(name, *rest) for name, rest in FOLD_CHECKS.items()],
        ),
        define_asset(
            trained_model,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=[
                "lsoa_labels",
                parts.city_to_pairs("locations"),
                parts.city_to_pairs("hdf5_shards"),
                parts.city_to_pairs("area_folds"),
            ],
            partitions_def=parts.pair,
            pool="gpu",
            code_version="3",  # 2: which cities taught the networks was not recorded
            checks=[CheckSpec(name, *rest) for name, rest in TRAINING_CHECKS.items()],
        ),
        define_asset(
            joint_model,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=["lsoa_labels", "locations", "hdf5_shards", "area_folds"],
            partitions_def=parts.city,
            pool="gpu",
            code_version=pair_training.TRAINING_VERSION,  # `trained_model` looks for this recipe
            checks=[CheckSpec(name, *rest) for name, rest in pair_training.JOINT_CHECKS.items()],
        ),
    ]
