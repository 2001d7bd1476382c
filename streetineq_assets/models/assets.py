"""The assets of this step: a city's folds and joint networks, a pair's networks and baselines."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import dagster as dg
from pydantic import Field, create_model

from streetineq_assets.findings import Findings
from streetineq_assets.models import (
    baselines,
    checks,
    city_folds,
    joint_training,
    pair_training,
    tables,
)
from streetineq_assets.models.training_plan import TRAINING_VERSION, RunProfile, resolve_profile
from streetineq_assets.partitions import Partitions
from streetineq_assets.profiles import PROFILES, Profile
from streetineq_assets.resources import Events, GpuResource, StudyResource, define_asset
from streetineq_assets.study import Pair, Study

GROUP = "4_models"


def _choices(name: str, values: Iterable[str]) -> type[StrEnum]:
    """The launchpad offers the values of an enumeration, and refuses others."""
    return StrEnum(name, {value: value for value in values})


def _override(name: str) -> tuple[Any, Any]:
    """A field of the profile as an optional setting, with its choices and description."""
    field = Profile.model_fields[name]
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        kind = _choices(name, get_args(kind))
    return kind | None, Field(
        None, description=f"{field.description}; by default as study.toml says"
    )


_fields: dict[str, Any] = {name: _override(name) for name in Profile.model_fields}
ProfileChoice = _choices("ProfileChoice", PROFILES)
ProfileOverrides = create_model(
    "ProfileOverrides",
    __base__=dg.Config,
    __doc__="Fields of the profile that this run sets otherwise.",
    **_fields,
)


class TrainingConfig(dg.Config):
    """How to train in this run; left alone, as study.toml says."""

    profile: ProfileChoice | None = Field(  # ty: ignore[invalid-type-form] - made from PROFILES
        None, description="the profile to train by; by default the study's"
    )
    overrides: ProfileOverrides = Field(  # ty: ignore[invalid-type-form] - made from Profile
        default_factory=ProfileOverrides,
        description="fields of the profile, over those of study.toml",
    )

    def resolve(self, study: Study) -> RunProfile:
        """The profile of the run."""
        overrides = self.overrides.model_dump(mode="json", exclude_none=True)
        return resolve_profile(study, self.profile and self.profile.value, overrides)


def area_folds(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Which areas of a city test which network: one fold table for all outcomes.

    Every outcome, head, baseline and joint network uses it, so that nothing leaks from one outcome
    to another. Whole areas are kept together and stratified by their mean decile. In a small city
    each further seed of training has folds of its own. Beside the tables lie spatial blocks for the
    baselines, and the areas' centroids, MSOAs and local authorities.
    """
    slices = city_folds.read_fold_slices(study.store, study.study, context.partition_key)
    n_further_deals = city_folds.further_deals(slices, study.study)

    def make(folder: Path) -> Findings:
        return city_folds.write_folds(slices, study.study, folder)

    yield from study.materialize(
        context,
        make,
        inputs=slices.digests(),
        config={
            "folds": _fold_settings(study.study),
            "seed": study.study.seed,
        }
        | ({"further_deals": n_further_deals} if n_further_deals else {}),
        columns=tables.AREA_FOLDS,
    )


def _fold_settings(study: Study) -> dict[str, Any]:
    """A setting of later versions that is not used is no part of it: folds of before stay."""
    unused = {"repeated_below"} if study.folds.buffer_m else {"repeated_below", "buffer_m"}
    return study.folds.model_dump(exclude_none=True, exclude=unused)


def trained_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    study: StudyResource,
    gpu: GpuResource,
) -> Events:
    """The networks of one city and outcome, and the score that each gives to areas it never saw.

    One ordinal network per fold, and the scores of as many again for each further seed. A killed
    run resumes from its last saved epoch; a finished fold is not trained again. With `joint = true`
    in study.toml the networks are cut out of the city's joint ones. With folds by city they learn
    from the other cities' locations, codes and labels, which are read from the store and are not
    edges of the lineage.
    """
    pair = Pair.parse(context.partition_key)
    plan = pair_training.plan_pair(study.store, study.study, pair, config.resolve(study.study))

    def make(folder: Path) -> Findings:
        if plan.unavailable:
            return pair_training.write_unavailable(plan.unavailable, folder)
        if plan.joint:
            return pair_training.take_joint(plan, folder)
        with gpu.lease(context, most_gpus=1) as device:
            return pair_training.train_pair(plan, folder, device, context.log.info)

    yield from study.materialize(
        context,
        make,
        inputs=plan.inputs,
        config=plan.config,
        columns=tables.SCORES,
        origins=tables.SCORES_ORIGINS,
    )
    plan.clean()


def baseline_scores(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """What can be guessed without a network, on the same folds: from the map, or from plain means.

    The baselines are a constant, three guesses from the map (the nearest areas, a Gaussian process,
    the areas of the same MSOA), the number of images, ridge regression on the codes, and the best
    map together with the network's score. No figure of the network stands without them.
    """
    pair = Pair.parse(context.partition_key)
    trained = study.store.open(pair_training.ASSET, pair.key)
    plan = pair_training.plan_pair(study.store, study.study, pair, resolve_profile(study.study))

    def make(folder: Path) -> Findings:
        if trained.manifest.unavailable:
            return baselines.write_unavailable(trained.manifest.unavailable, folder)
        return baselines.score_pair(plan, trained, folder)

    yield from study.materialize(
        context,
        make,
        inputs=plan.inputs | {"trained_model": trained.digest},
        config={
            "validation_share": baselines.validation_share(trained),
            "seed": study.study.seed,
        },
        columns=tables.BASELINES,
        origins=tables.BASELINES_ORIGINS,
    )


def joint_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    study: StudyResource,
    gpu: GpuResource,
) -> Events:
    """All outcomes of a city learned by one network: a common trunk with a head for each.

    It takes about the time of one outcome. With `joint = true` in study.toml `trained_model` takes
    its networks from here; else it stands beside the separate networks, for comparison.
    """
    plan = joint_training.plan_joint(
        study.store, study.study, context.partition_key, config.resolve(study.study)
    )

    def make(folder: Path) -> Findings:
        if plan.unavailable:
            return joint_training.write_unavailable(plan.unavailable, folder)
        with gpu.lease(context, most_gpus=1) as device:
            return joint_training.train_jointly(plan, folder, device, context.log.info)

    yield from study.materialize(
        context,
        make,
        inputs=plan.inputs,
        config=plan.config,
        columns=tables.JOINT_SCORES,
        origins=tables.SCORES_ORIGINS,
    )
    plan.clean()


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Folds by city, networks and baselines by pair, joint networks by city."""
    of_city = ("locations", "hdf5_shards", "image_repeats", "area_folds")
    of_pair = ["lsoa_labels", *map(parts.city_to_pairs, of_city)]
    return [
        define_asset(
            area_folds,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=["lsoa_labels", "postcode_lsoa", *parts.folds_need],
            partitions_def=parts.city,
            code_version="2",  # 1: fold means rose with the fold; no MSOAs and authorities
            checks=checks.AREA_FOLDS,
        ),
        define_asset(
            joint_model,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=["lsoa_labels", *of_city],
            partitions_def=parts.city,
            pool="gpu",
            code_version=TRAINING_VERSION,
            checks=checks.JOINT_MODEL,
        ),
        define_asset(
            trained_model,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=[*of_pair, *parts.networks_need],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            pool="gpu",
            # 3: no scores of further seeds, no areas that taught; 2: no cities that taught
            code_version="4",
            checks=checks.TRAINED_MODEL,
        ),
        define_asset(
            baseline_scores,
            group_name=GROUP,
            kinds={"scikitlearn", "parquet"},
            deps=["trained_model", *of_pair],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            code_version="2",  # 1: of the maps only the nearest areas; counts by a line
            checks=checks.BASELINE_SCORES,
        ),
    ]
