"""The assets of this step: scores under every scheme of folds, and the matrix of them."""

from pathlib import Path
from typing import Any

import dagster as dg

from streetineq_assets.evidence import checks, scheme_scoring, tables
from streetineq_assets.evidence.city_evidence import read_city_sources, write_evidence
from streetineq_assets.findings import Findings
from streetineq_assets.models.assets import TrainingConfig
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import Events, GpuResource, StudyResource, define_asset

GROUP = "evidence"


def scheme_scores(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    study: StudyResource,
    gpu: GpuResource,
) -> Events:
    """What every model says of areas under one way of holding areas out, from lenient to strict.

    Joint networks with several seeds, the map baselines, ridge regression on codes, and map and
    network together, all on the same folds. Choose schemes by their partitions. A killed run
    resumes from its last saved epoch. With folds by city the networks learn from the other cities,
    which are read from the store and are not edges of the lineage.
    """
    city, _, scheme = context.partition_key.partition("/")
    profile = config.resolve(study.study)
    named: Any = scheme
    plan = scheme_scoring.plan_scheme(study.store, study.study, city, named, profile)

    def make(folder: Path) -> Findings:
        if plan.training.unavailable:
            return scheme_scoring.write_unavailable(plan.training.unavailable, folder)
        with gpu.lease(context, most_gpus=1) as device:
            return scheme_scoring.score_scheme(plan, folder, device, context.log.info)

    yield from study.materialize(
        context, make, inputs=plan.inputs, config=plan.config, columns=tables.SCHEME_SCORES
    )
    plan.clean()


def evidence_matrix(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Whether pictures say more than a map, and how much of a figure comes from near by.

    Every model under every scheme of folds that was scored, on the same areas, with the gain over
    the best map baseline and what the study's own scheme flatters.
    """
    sources = read_city_sources(study.store, study.study, context.partition_key)
    yield from study.materialize(
        context,
        lambda folder: write_evidence(sources, folder),
        inputs=sources.digests(),
        config={
            "folds": study.study.folds.model_dump(exclude_none=True),
            "schemes": list(study.study.schemes),
            "seed": study.study.seed,
        },
        columns=tables.EVIDENCE_MATRIX,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Scores by city and scheme, the matrix by city."""
    of_city = ("locations", "hdf5_shards", "area_folds")
    return [
        define_asset(
            scheme_scores,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=["lsoa_labels", "postcode_lsoa", *map(parts.city_to_schemes, of_city)],
            partitions_def=parts.scheme,
            pool="gpu",
            code_version="1",
            checks=checks.SCHEME_SCORES,
        ),
        define_asset(
            evidence_matrix,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["lsoa_labels", "area_folds", parts.schemes_to_city("scheme_scores")],
            partitions_def=parts.city,
            code_version="1",
            checks=checks.EVIDENCE_MATRIX,
        ),
    ]
