"""The assets of this step: predictions of locations and areas, and their evaluation."""

from pathlib import Path

import dagster as dg
import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import (
    Check,
    Findings,
    blocking_failures,
    unavailable_findings,
)
from streetineq_assets.models.bundles.provenance import refuse_stale
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions import checks, plots, tables
from streetineq_assets.predictions.aggregation import rank_changes
from streetineq_assets.predictions.explanation_checks import EXPLANATIONS
from streetineq_assets.predictions.explanations import (
    read_explanation_sources,
    write_explanations,
    write_unavailable,
)
from streetineq_assets.predictions.joint_evaluation import (
    read_joint_sources,
    write_joint_evaluation,
)
from streetineq_assets.predictions.location_scores import (
    join,
    matched_locations,
    pair_labels,
    tested_by,
)
from streetineq_assets.predictions.pair_evaluation import (
    read_pair_sources,
    scheme_of,
    write_pair_evaluation,
)
from streetineq_assets.predictions.ranked_areas import (
    RankedAreas,
    none_ranked,
    rank_areas,
)
from streetineq_assets.resources import Events, GpuResource, StudyResource, define_asset
from streetineq_assets.study import Pair
from streetineq_assets.tables import empty, write

GROUP = "5_predictions"
SEED_SCORES_FILE = "seed_scores.parquet"  # of `trained_model`, where it was trained more than once


def location_predictions(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """How well-off each photographed location looks, by a network that never saw its area.

    The out-of-fold score, the most probable decile and the probabilities of all ten: the trained
    networks' scores joined to locations and labels. Codes are not read again. Networks that learned
    from other labels than stand now are refused: they would be judged by what they did not learn.
    """
    pair = Pair.parse(context.partition_key)
    trained = study.store.open("trained_model", pair.key)
    refuse_stale(study.store, trained.manifest)
    locations = matched_locations(study.store, pair.city)
    labels = pair_labels(study.store, pair)
    folds = FoldTable.load(study.store.open("area_folds", pair.city))
    tested, scheme = tested_by(folds), folds.scheme if folds else None

    def make(folder: Path) -> Findings:
        file = folder / "location_predictions.parquet"
        if why := trained.manifest.unavailable:
            write(empty(tables.LOCATION_PREDICTIONS), tables.LOCATION_PREDICTIONS, file)
            return unavailable_findings(why, checks.LOCATION_PREDICTIONS)
        frame = join(trained.table("scores.parquet"), locations, labels, pair)
        found = [checks.inputs_available(), *checks.location_checks(frame, tested)]
        if blocking_failures(found):
            return Findings(checks=found)
        write(frame, tables.LOCATION_PREDICTIONS, file)
        plots.plot_scores(
            frame, "h", folder / "score_by_decile.png", subject=pair.key, unit="locations"
        )
        return _predicted(frame, len(locations), found, scheme)

    yield from study.materialize(
        context,
        make,
        inputs={
            "trained_model": trained.digest,
            "locations": digest_frame(locations),
            "labels": digest_frame(labels),
            "area_folds": digest_frame(tested),
        },
        columns=tables.LOCATION_PREDICTIONS,
        origins=tables.LOCATION_PREDICTIONS_ORIGINS,
    )


def lsoa_predictions(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Each area's predicted decile: by the study's rule, by every other rule, and its interval.

    With the calibrated probabilities of all ten, and whether the area may be published and ranked.
    Rules that rank the predicted areas among each other make the ten deciles equal in size, so the
    metadata say how many of the city's areas these are and what their mean actual decile is.
    """
    pair, settings = Pair.parse(context.partition_key), study.study
    rule, level = settings.aggregation, settings.intervals.level
    predicted = study.store.open("location_predictions", pair.key)
    n_lsoas_of_city = int(pair_labels(study.store, pair)["decile"].notna().sum())

    def make(folder: Path) -> Findings:
        if why := predicted.manifest.unavailable:
            _write_ranked(RankedAreas.of_nothing(), folder, pair)
            return unavailable_findings(why, checks.LSOA_PREDICTIONS)
        locations, scheme = predicted.table(), scheme_of(study.store, study.study, predicted)
        ranked = rank_areas(
            locations, rule=rule, settings=settings.areas, level=level, scheme=scheme
        )
        _write_ranked(ranked, folder, pair)
        if ranked.areas.empty:
            return unavailable_findings(none_ranked(settings.areas), checks.LSOA_PREDICTIONS)
        return Findings(
            values={"rule": rule, "level": level, "n_lsoas_of_city": n_lsoas_of_city}
            | ranked.values,
            checks=[checks.inputs_available(), *checks.area_checks(ranked.areas, n_lsoas_of_city)],
            tables=ranked.tables,
            notes=checks.leak_notes([scheme]) | ranked.notes,
            record=tables.SchemeRecord(scheme=scheme),
            holdings={"areas": len(ranked.areas)},
        )

    yield from study.materialize(
        context,
        make,
        inputs={"location_predictions": predicted.digest, "n_lsoas_of_city": str(n_lsoas_of_city)},
        config={"rule": rule, "level": level, "areas": settings.areas.ranking},
        columns=tables.LSOA_PREDICTIONS,
        origins=tables.LSOA_PREDICTIONS_ORIGINS,
    )


def explanations(
    context: dg.AssetExecutionContext, study: StudyResource, gpu: GpuResource
) -> Events:
    """What pushes each score up or down: the locations of an area, and the views of a location.

    Each is left out in turn, and the score computed again, exactly. The views of strongest push
    stand beside, with a thumbnail where the study shows images and their terms allow it. The hashes
    by which these are recognised are read from `image_codes`, which is no edge of the lineage.
    """
    pair = Pair.parse(context.partition_key)
    sources = read_explanation_sources(study.store, study.study, pair)

    def make(folder: Path) -> Findings:
        if why := sources.unavailable:
            return write_unavailable(why, folder)
        with gpu.lease(context, most_gpus=1) as device:
            return write_explanations(sources, folder, device)

    yield from study.materialize(
        context,
        make,
        inputs=sources.digests(),
        config=sources.config(),
        columns=tables.EXPLANATIONS,
        origins=tables.EXPLANATIONS_ORIGINS,
    )


def lsoa_evaluation(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """How well the predicted deciles agree with the official ones, and whether a map does as well.

    Every metric of the network and of every baseline on the same areas, with its interval. Blocks
    of the map are resampled, never locations; MSOAs and areas stand beside them. Beside each metric
    of the network stands that of the nearest areas, under the same folds and under spatial blocks,
    and its mean and standard deviation over the networks' seeds.
    """
    pair = Pair.parse(context.partition_key)
    sources = read_pair_sources(study.store, study.study, pair)
    yield from study.materialize(
        context,
        lambda folder: write_pair_evaluation(sources, folder),
        inputs=sources.digests(),
        config=sources.config,
        columns=tables.METRICS,
        origins=tables.METRICS_ORIGINS,
    )


def joint_evaluation(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Whether one network for all outcomes of a city does as well as one for each.

    The joint networks are evaluated as the separate ones are, on the same areas, folds and rule,
    and beside them. With `joint = true` in study.toml the two are the same.
    """
    settings = study.study
    sources = read_joint_sources(study.store, settings, context.partition_key)
    yield from study.materialize(
        context,
        lambda folder: write_joint_evaluation(sources, folder),
        inputs=sources.digests(),
        config={
            "rule": settings.aggregation,
            "areas": settings.areas.ranking,
            "level": settings.intervals.level,
            "seed": settings.seed,
        },
        columns=tables.METRICS,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Predictions and evaluation by pair, joint networks by city."""
    of_joint = ["joint_model", "locations", "area_folds", "lsoa_labels"]
    return [
        *_of_pairs(parts),
        define_asset(
            joint_evaluation,
            group_name=GROUP,
            kinds={"parquet"},
            deps=[*of_joint, parts.pairs_to_city("lsoa_evaluation")],
            partitions_def=parts.city,
            # 1: areas alone were resampled, Moran's I of predicted minus actual, other intervals
            code_version="3",
            checks=checks.JOINT_EVALUATION,
        ),
    ]


def _of_pairs(parts: Partitions) -> list[dg.AssetsDefinition]:
    locations, folds = map(parts.city_to_pairs, ("locations", "area_folds"))
    evaluated = ["trained_model", "lsoa_predictions", "location_predictions", "baseline_scores"]
    return [
        define_asset(
            location_predictions,
            group_name=GROUP,
            kinds={"parquet"},
            deps=[
                "trained_model",
                parts.city_to_pairs("hdf5_shards"),
                locations,
                folds,
                "lsoa_labels",
            ],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            code_version="1",
            checks=checks.LOCATION_PREDICTIONS,
        ),
        define_asset(
            lsoa_predictions,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["location_predictions", "lsoa_labels"],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            code_version="2",  # 1: no shrunk scores, calibration or limits by decile
            checks=checks.LSOA_PREDICTIONS,
        ),
        define_asset(
            explanations,
            group_name=GROUP,
            kinds={"tensorflow", "parquet"},
            deps=[
                "trained_model",
                "location_predictions",
                *map(parts.city_to_pairs, ("hdf5_shards", "locations", "street_images")),
            ],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            pool="gpu",
            code_version="2",  # 1: exemplars without their creators
            checks=EXPLANATIONS,
        ),
        define_asset(
            lsoa_evaluation,
            group_name=GROUP,
            kinds={"parquet"},
            deps=[*evaluated, folds],
            partitions_def=parts.pair,
            tags=parts.outcome_tags,
            # 1: leads over baselines on other folds, no gain over coordinates
            # 2: areas alone were resampled, Moran's I of predicted minus actual, one map, one seed,
            # coverage by actual decile alone
            code_version="4",  # 3: did not say whether seeds share their folds
            checks=checks.LSOA_EVALUATION,
        ),
    ]


def _predicted(
    locations: pd.DataFrame, n_matched: int, found: list[Check], scheme: str | None
) -> Findings:
    return Findings(
        values={
            "n_predicted": len(locations),
            "n_without_prediction": n_matched - len(locations),
            "n_lsoas": int(locations["area"].nunique()),
        },
        checks=found,
        notes=checks.leak_notes([scheme]),
        record=tables.LocationPredictionsRecord(n_predicted=len(locations), scheme=scheme),
        holdings={"locations": len(locations)},
    )


def _write_ranked(ranked: RankedAreas, folder: Path, pair: Pair) -> None:
    write(ranked.areas, tables.LSOA_PREDICTIONS, folder / "lsoa_predictions.parquet")
    write(ranked.calibration, tables.CALIBRATION, folder / "calibration.parquet")
    if len(ranked.areas):
        scores, changes = folder / "score_by_decile.png", rank_changes(ranked.areas)
        plots.plot_scores(ranked.areas, "score", scores, subject=pair.key, unit="areas")
        plots.plot_rank_changes(changes, folder / "rank_changes.png", subject=pair.key)
    if len(ranked.reliability):
        plots.plot_reliability(ranked.reliability, folder / "reliability.png", subject=pair.key)
