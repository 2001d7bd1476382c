"""The assets of this step: predictions of locations and areas, and their evaluation.

What belongs here: reading slices, calling the domain, publishing. What does not: any rule of it.
"""

from dataclasses import replace

import dagster as dg
import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import CheckSpec, Findings
from streetineq_assets.models.dataset import city_labels
from streetineq_assets.models.folds import LEAKY, FoldTable, scheme_note
from streetineq_assets.partitions import Partitions, city_of
from streetineq_assets.predictions import (
    checks,
    evaluation,
    location_scores,
    plots,
    tables,
)
from streetineq_assets.predictions.aggregation import lsoa_table, mean_probabilities
from streetineq_assets.predictions.joint_evaluation import judge_outcomes, side_by_side
from streetineq_assets.predictions.judging import Ground
from streetineq_assets.resources import StudyResource, define_asset
from streetineq_assets.store import Artefact

GROUP = "predictions"
AVAILABLE = CheckSpec("available", "The official file behind the outcome is there.")
PROVEN = (
    CheckSpec("location_identity", "Every score belongs to one location.", True),
    CheckSpec("out_of_fold", "No network scored an area that it learnt from.", True),
    CheckSpec("probabilities", "Ten probabilities that sum to 1 in each row.", True),
)
ENOUGH = CheckSpec("enough_areas", "There are enough areas for figures to mean something.")


def location_predictions(context: dg.AssetExecutionContext, study: StudyResource):
    """Each location's out-of-fold score, the most probable decile and the ten probabilities.

    A join of the trained networks' scores with locations and labels; no second pass over codes.
    """
    city, outcome = context.partition_key.split("/")
    trained = study.store.open("trained_model", context.partition_key)
    scores = trained.table("scores.parquet")
    places = _places(study, city)
    labels = _labels(study, city, outcome)
    folds = study.store.open("area_folds", city)
    tested = _tested(folds)

    def make(folder):
        found = _inherited(trained, folds)
        frame = location_scores.join(scores, places, labels, city=city, outcome=outcome)
        found.checks += location_scores.check(frame, tested)
        found.values |= {
            "n_predicted": len(frame),
            "n_without_prediction": len(places) - len(frame),
            "n_lsoas": int(frame["lsoa11"].nunique()),
        }
        frame.to_parquet(folder / "location_predictions.parquet", index=False)
        if len(frame):
            plots.draw_scores(frame, "h", folder / "score_by_decile.png", unit="locations")
        return found

    yield from study.materialize(
        context,
        make,
        inputs={
            "trained_model": trained.digest,
            "locations": digest_frame(places),
            "labels": digest_frame(labels),
            "area_folds": digest_frame(tested),
        },
        columns=tables.descriptions(tables.LOCATIONS),
    )


def lsoa_predictions(context: dg.AssetExecutionContext, study: StudyResource):
    """Each area's score and decile by the study's rule, by every other rule, and its interval.

    The rule `mean_score` ranks the areas that were predicted among each other, so the metadata say
    how many of the city's areas these are and what their mean actual decile is.
    """
    city, outcome = context.partition_key.split("/")
    predicted = study.store.open("location_predictions", context.partition_key)
    n_city = int(_labels(study, city, outcome)["decile"].notna().sum())
    rule = study.study.aggregation

    def make(folder):
        found = _inherited(predicted)
        frame = predicted.table()
        areas = lsoa_table(frame, rule=rule) if len(frame) else tables.empty(tables.LSOAS)
        ranked, ranking_checks = checks.ranking(areas, n_city, rule)
        found.values |= ranked
        found.checks += [*ranking_checks, checks.enough_areas(len(areas))]
        areas.to_parquet(folder / "lsoa_predictions.parquet", index=False)
        if len(areas):
            plots.draw_scores(areas, "score", folder / "score_by_decile.png", unit="areas")
        return found

    yield from study.materialize(
        context,
        make,
        inputs={"location_predictions": predicted.digest, "n_lsoas_of_city": str(n_city)},
        config={"rule": rule},
        columns=tables.descriptions(tables.LSOAS),
    )


def lsoa_evaluation(context: dg.AssetExecutionContext, study: StudyResource):
    """Every metric of the network and of every baseline, on the same areas, with its interval.

    Areas are resampled, never locations. Coordinates alone stand beside every figure of the
    network, under the same folds and under spatial blocks.
    """
    key = context.partition_key
    predicted = study.store.open("lsoa_predictions", key)
    at_locations = study.store.open("location_predictions", key)
    trained = study.store.open("trained_model", key)
    areas = predicted.table()
    positions = _positions(study, city_of(key), areas["lsoa11"])
    settings = study.study
    scheme = settings.folds.scheme

    def make(folder):
        found = _inherited(predicted)
        result = evaluation.evaluate_pair(
            areas,
            mean_probabilities(at_locations.table(), areas["lsoa11"]),
            trained.table("baselines.parquet"),
            positions,
            rule=settings.aggregation,
            scheme=scheme,
            seed=settings.seed,
        )
        _write(result, folder)
        _report(result, found, scheme, n=len(areas))
        return found

    yield from study.materialize(
        context,
        make,
        inputs={
            "lsoa_predictions": predicted.digest,
            "location_predictions": at_locations.digest,
            "trained_model": trained.digest,
            "positions": digest_frame(positions),
        },
        config={"rule": settings.aggregation, "scheme": scheme, "seed": settings.seed},
        columns=tables.descriptions(tables.METRICS),
    )


def joint_evaluation(context: dg.AssetExecutionContext, study: StudyResource):
    """The joint networks of a city, judged as the separate ones are, and beside them.

    The same areas, folds and rule. With `joint = true` in study.toml the two are the same.
    """
    city, store, settings = context.partition_key, study.store, study.study
    trained = store.open("joint_model", city)
    grounds, folds = _grounds(study, city), store.open("area_folds", city)
    separate = {
        outcome: store.open("lsoa_evaluation", f"{city}/{outcome}")
        for outcome in grounds
        if store.manifest("lsoa_evaluation", f"{city}/{outcome}")
    }

    def make(folder):
        found = _inherited(trained, folds)
        metrics, proofs = judge_outcomes(trained.table(), grounds)
        metrics.to_parquet(folder / "joint_evaluation.parquet", index=False)
        found.checks += proofs or location_scores.check(
            tables.empty(tables.LOCATIONS), _tested(folds)
        )
        own = [artefact.table("metrics.parquet") for artefact in separate.values()]
        if own and len(metrics):
            found.tables["comparison"] = side_by_side(metrics, pd.concat(own))
        return found

    yield from study.materialize(
        context,
        make,
        inputs={
            "joint_model": trained.digest,
            "locations": digest_frame(next(iter(grounds.values())).places),
            "area_folds": folds.digest,
            **{f"labels/{key}": digest_frame(ground.labels) for key, ground in grounds.items()},
            **{f"lsoa_evaluation/{key}": found.digest for key, found in separate.items()},
        },
        config={"rule": settings.aggregation, "seed": settings.seed},
        columns=tables.descriptions(tables.METRICS),
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Predictions and evaluation by pair, joint networks by city."""
    beside = define_asset(
        joint_evaluation,
        group_name=GROUP,
        partitions_def=parts.city,
        code_version="1",
        deps=[
            "joint_model",
            "locations",
            "area_folds",
            "lsoa_labels",
            parts.pairs_to_city("lsoa_evaluation"),
        ],
        kinds={"parquet"},
        checks=[AVAILABLE, *PROVEN],
    )
    return [*_by_pair(parts), beside]


def _by_pair(parts: Partitions) -> list[dg.AssetsDefinition]:
    pair = {"group_name": GROUP, "partitions_def": parts.pair, "code_version": "1"}
    return [
        define_asset(
            location_predictions,
            deps=[
                "trained_model",
                parts.city_to_pairs("locations"),
                parts.city_to_pairs("area_folds"),
                "lsoa_labels",
            ],
            kinds={"parquet"},
            checks=[
                AVAILABLE,
                *PROVEN,
            ],
            **pair,
        ),
        define_asset(
            lsoa_predictions,
            deps=["location_predictions", "lsoa_labels"],
            kinds={"parquet"},
            checks=[
                AVAILABLE,
                CheckSpec("one_row_per_lsoa", "One row per area, deciles from 1 to 10.", True),
                CheckSpec("stands_for_the_city", "The ranked areas are like the city's areas."),
                ENOUGH,
            ],
            **pair,
        ),
        define_asset(
            lsoa_evaluation,
            deps=[
                "lsoa_predictions",
                "location_predictions",
                "trained_model",
                parts.city_to_pairs("area_folds"),
            ],
            kinds={"parquet"},
            checks=[
                AVAILABLE,
                ENOUGH,
                CheckSpec("beats_coordinates", "The network says more than the map alone."),
                CheckSpec("same_areas", "Network and baselines were judged on the same areas."),
                CheckSpec("no_leak", "No area is in both training and test."),
            ],
            **pair,
        ),
    ]


# -- slices and reports --------------------------------------------------------------------------


def _labels(study: StudyResource, city: str, outcome: str) -> pd.DataFrame:
    table = study.store.open("lsoa_labels").table(columns=["city", "outcome", "lsoa11", "decile"])
    mine = (table["city"] == city) & (table["outcome"] == outcome)
    return table.loc[mine, ["lsoa11", "decile"]].sort_values("lsoa11", ignore_index=True)


def _places(study: StudyResource, city: str) -> pd.DataFrame:
    columns = ["location_id", "lsoa11", "weight", "status"]
    places = study.store.open("locations", city).table(columns=columns)
    return places[places["status"] == "matched"].drop(columns="status")


def _grounds(study: StudyResource, city: str) -> dict[str, Ground]:
    """Outcome to what scores of it are judged against; the city's slices are read once."""
    settings, folds = study.study, study.store.open("area_folds", city)
    labels = study.store.open("lsoa_labels")
    of_city = Ground(
        city=city,
        outcome="",
        places=_places(study, city),
        labels=city_labels(labels, city, settings.cities[city].outcomes),
        tested=_tested(folds),
        positions=folds.table("centroids.parquet"),
        rule=settings.aggregation,
        scheme=settings.folds.scheme,
        seed=settings.seed,
    )
    return {
        outcome: replace(of_city, outcome=outcome, labels=_of_outcome(of_city.labels, outcome))
        for outcome in settings.cities[city].outcomes
    }


def _of_outcome(labels: pd.DataFrame, outcome: str) -> pd.DataFrame:
    mine = labels["outcome"] == outcome
    return labels.loc[mine, ["lsoa11", "decile"]].reset_index(drop=True)


def _tested(artefact: Artefact) -> pd.DataFrame:
    """Which fold tests which area or location; empty where the city has too few areas."""
    table = FoldTable.load(artefact)
    return table.tested if table else pd.DataFrame(columns=["lsoa11", "fold"])


def _positions(study: StudyResource, city: str, areas: pd.Series) -> pd.DataFrame:
    table = study.store.open("area_folds", city).table("centroids.parquet")
    return table[table["lsoa11"].isin(set(areas))].reset_index(drop=True)


def _inherited(upstream: Artefact, folds: Artefact | None = None) -> Findings:
    """Findings that carry on whether the pair's labels are there, and what is wanted if not.

    Also whether an area's label leaks: by the city's folds, or as the upstream says.
    """
    given = Findings.from_summary(upstream.manifest.summary)
    wanted = ("status", "wanted", "reason")
    kept = {name: given.values[name] for name in wanted if given.values.get(name)}
    table = FoldTable.load(folds) if folds else None
    leak = given.notes.get("leak") or (scheme_note([table.scheme]) if table else None)
    notes = {"leak": leak} if leak else {}
    return Findings(values=kept, checks=[checks.availability(kept)], notes=notes)


def _write(result: evaluation.Evaluation, folder) -> None:
    for name, frame in result.frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    if len(result.metrics):
        plots.draw_confusion(result.confusion, folder / "confusion.png")
        plots.draw_metrics(result.metrics, folder / "metrics.png")
        plots.draw_coverage(result.coverage, folder / "coverage.png")


def _report(result: evaluation.Evaluation, found: Findings, scheme: str, n: int) -> None:
    leaky = scheme in LEAKY
    found.checks += [checks.enough_areas(n), *checks.judgement(result, scheme, leaky)]
    if len(result.metrics):
        series, table = checks.headline(result, scheme)
        found.values |= series
        found.notes["headline"] = table
        rows = result.metrics.drop(columns=["city", "outcome"]).astype(object)
        found.tables["metrics"] = rows.to_dict("records")
