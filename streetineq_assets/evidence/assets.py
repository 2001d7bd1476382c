"""The assets of this step: all models under all schemes, and for whom predictions err."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.evidence import checks, equity, plots, scheme_scoring, tables
from streetineq_assets.evidence.city_evidence import read_city_sources, write_evidence
from streetineq_assets.evidence.groups import Groups, read_groups
from streetineq_assets.findings import AVAILABLE, Findings, unavailable_findings
from streetineq_assets.models.assets import TrainingConfig
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.places import pair_values, read_places
from streetineq_assets.resources import Events, GpuResource, StudyResource, define_asset
from streetineq_assets.study import Pair
from streetineq_assets.tables import empty, write

GROUP = "7_evidence"
_READING = (
    "Errors are predicted minus actual decile. Every prediction leans to the middle, so areas of "
    "decile 1 err upwards and areas of decile 10 downwards, and so do groups of such areas. "
    "`error_at_same_decile` is what a group has beyond others of the same official value."
)


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


def equity_audit(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """For whom the predictions err, and whose need is missed if they decide who is funded.

    Errors, coverage of intervals and missed need by actual decile, by local authority and by every
    grouping in `inputs/groups`, with intervals; and whether a group errs otherwise than others of
    the same actual decile do.
    """
    pair, seed = Pair.parse(context.partition_key), study.study.seed
    predicted = study.store.open("lsoa_predictions", pair.key)
    values = pair_values(study.store, pair)
    places = read_places(study.store, pair.city)
    groups = read_groups(study.store, values["area"])

    def make(folder: Path) -> Findings:
        file = folder / "equity_audit.parquet"
        if why := predicted.manifest.unavailable:
            write(empty(tables.EQUITY), tables.EQUITY, file)
            return unavailable_findings(why, checks.EQUITY_AUDIT)
        areas = equity.gather(values, predicted.table(), places)
        table = equity.audit(areas, groups.table, seed=seed).assign(**pair._asdict())
        write(table, tables.EQUITY, file)
        if len(table):
            plots.plot_equity(table, folder / "errors_by_group.png", subject=pair.key)
        return _audited(table, areas, groups)

    yield from study.materialize(
        context,
        make,
        inputs={
            "lsoa_predictions": predicted.digest,
            "values": digest_frame(values),
            "places": digest_frame(places),
            "groups": groups.digest(),
        },
        config={"seed": seed},
        columns=tables.EQUITY,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Scores by city and scheme, the matrix by city, the audit by pair, and what people bring."""
    of_city = ("locations", "hdf5_shards", "image_repeats", "area_folds")
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
        dg.AssetSpec(
            "area_groups",
            group_name=GROUP,
            kinds={"csv"},
            description="Groups of areas to audit by, in `inputs/groups`, if you have any.",
        ),
        define_asset(
            equity_audit,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["lsoa_predictions", "lsoa_labels", "postcode_lsoa", "area_groups"],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            code_version="1",
            checks=checks.EQUITY_AUDIT,
        ),
    ]


def _audited(table: pd.DataFrame, areas: pd.DataFrame, groups: Groups) -> Findings:
    n_areas = len(areas)
    city = table[table["grouping"] == equity.CITY].set_index("measure")["value"]
    notes = {"reading": _READING}
    if groups.notes:
        notes["about_groups"] = "".join(f"- {note}\n" for note in groups.notes)
    if n_unnamed := int(areas["msoa"].isna().sum()):
        notes["areas_without_msoa"] = (
            f"{n_unnamed} of {n_areas} areas have no MSOA in the postcode directory, and each "
            "counts as one of its own: where neighbours err alike, intervals are too short and "
            "groups differ too easily. Take an edition of the directory in inputs/onspd that names "
            "MSOAs."
        )
    return Findings(
        values={"n_lsoas_of_city": n_areas, **city.to_dict()},
        checks=[
            AVAILABLE.result(True, "predictions and labels are there"),
            checks.no_group_is_missed(table),
        ],
        tables={"groups": equity.wide(table).astype(object).to_dict("records")},
        notes=notes,
        holdings={"areas": n_areas, "groupings": int(table["grouping"].nunique())},
    )
