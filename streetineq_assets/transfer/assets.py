"""The assets of this step: networks tuned on shares of a city, and the curve of all of them."""

from dataclasses import replace
from pathlib import Path

import dagster as dg

from streetineq_assets.findings import AVAILABLE, Findings, Unavailable, unavailable_findings
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.checks import leak_notes
from streetineq_assets.resources import Events, GpuResource, StudyResource, define_asset
from streetineq_assets.study import Pair
from streetineq_assets.tables import write
from streetineq_assets.transfer import checks, plots
from streetineq_assets.transfer.curve import (
    compare_all,
    digests,
    gather,
    left_out_notes,
    read_targets,
    summarise,
)
from streetineq_assets.transfer.pair_tuning import plan_tuning, tune_pair, write_unavailable
from streetineq_assets.transfer.source import is_target
from streetineq_assets.transfer.tables import (
    CURVE,
    CURVE_SUMMARY,
    TRANSFER_COMPARISONS,
    TUNED_METRICS,
)

GROUP = "6_transfer"
_NOTHING_TUNED = Unavailable(
    "`source` under [transfer] in study.toml, then fine_tuned_model of another city",
    "no pair has networks of another city",
)


def fine_tuned_model(
    context: dg.AssetExecutionContext, study: StudyResource, gpu: GpuResource
) -> Events:
    """Another city's networks, tuned on a part of this city, as if few areas had known deciles.

    The networks of the study's transfer source, tuned on shares of this pair's training areas or
    locations, and beside them networks trained from scratch on the same shares. Each share is
    chosen at random several times; every repeat is scored out of fold and evaluated like the pair's
    own networks. The tuned networks of each share's first repeat are kept. A killed run resumes
    after its last saved epoch.
    """
    plan = plan_tuning(study.store, study.study, Pair.parse(context.partition_key))
    target = plan.target

    def make(folder: Path) -> Findings:
        if isinstance(target, Unavailable):
            return write_unavailable(target, folder)
        with gpu.lease(context, most_gpus=1) as device:
            return tune_pair(plan, target, folder, device, context.log.info)

    yield from study.materialize(
        context, make, inputs=plan.inputs, config=plan.config, columns=TUNED_METRICS
    )
    plan.clean()


def transfer_report(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """How well another city's networks rank areas, by the share of the city that tuned them.

    Rank metrics only: deciles are relative to each city. Beside each curve stand networks trained
    from scratch on the same shares, the target's own networks and the nearest areas, on the same
    folds. The paper's claim is that a share of 0.01 is enough: it holds where the interval of the
    difference from the city's own networks lies above a margin.
    """
    targets = read_targets(study.store, study.study)

    def make(folder: Path) -> Findings:
        curve = gather(targets)
        summary, comparisons = summarise(curve), compare_all(targets, study.study)
        write(curve, CURVE, folder / "transfer_report.parquet")
        write(summary, CURVE_SUMMARY, folder / "transfer_summary.parquet")
        write(comparisons, TRANSFER_COMPARISONS, folder / "transfer_comparisons.parquet")
        if curve.empty:
            wanted = any(is_target(study.study, city) for city in study.study.cities)
            why = replace(_NOTHING_TUNED, by_settings=not wanted)
            nothing = unavailable_findings(why, checks.TRANSFER_REPORT)
            return replace(nothing, notes=left_out_notes(targets))
        plots.plot_curves(summary, folder / "transfer_curves.png")
        n_pairs = curve.groupby(["city", "outcome"]).ngroups
        found = [AVAILABLE.result(True, f"pairs with networks of another city: {n_pairs}")]
        return Findings(
            values={"n_pairs": n_pairs},
            checks=[*found, *checks.transfer_checks(comparisons, summary)],
            tables={
                "curve": summary.astype(object).to_dict("records"),
                "comparisons": comparisons.astype(object).to_dict("records"),
            },
            notes=leak_notes(curve["scheme"]) | left_out_notes(targets),
            holdings={"pairs": n_pairs},
        )

    config = {
        "equivalence_margin": study.study.transfer.equivalence_margin,
        "seed": study.study.seed,
    }
    inputs = digests(targets)
    yield from study.materialize(context, make, inputs=inputs, config=config, columns=CURVE)


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
                parts.city_to_pairs("image_repeats"),
                parts.city_to_pairs("area_folds"),
            ],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            pool="gpu",
            # 2: one unit of shares, no controls, fewer columns of areas
            # 1: the columns were called fraction and draw
            code_version="3",
            checks=checks.FINE_TUNED_MODEL,
        ),
        define_asset(
            transfer_report,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["fine_tuned_model", "lsoa_evaluation", "lsoa_predictions", "area_folds"],
            # 2: means were compared; 1: the columns were called fraction, draw and draws.
            code_version="3",
            checks=checks.TRANSFER_REPORT,
        ),
    ]
