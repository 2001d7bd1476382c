"""One pair: what its evaluation reads, and the files of `lsoa_evaluation`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import Findings, Scalar, unavailable_findings
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.joint_training import SEED_SCORES_FILE
from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.predictions import checks, plots, tables
from streetineq_assets.predictions.aggregation import mean_probabilities
from streetineq_assets.predictions.evaluation import EVALUATION_FILES, Evaluation, evaluate_pair
from streetineq_assets.predictions.further_seeds import SeedAreas, areas_by_seed
from streetineq_assets.predictions.headline import headline
from streetineq_assets.predictions.ranked_areas import ranked_table
from streetineq_assets.settings import Areas
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import write


@dataclass(frozen=True)
class PairSources:
    """What the evaluation of a pair reads.

    Attributes:
        trained, predicted, at_locations, baselines: the published artefacts: networks, areas,
            locations, baselines.
        areas: `tables.LSOA_PREDICTIONS`.
        centroids: of the predicted areas.
        scheme: by which they were predicted.
    """

    study: Study
    pair: Pair
    trained: Artefact
    predicted: Artefact
    at_locations: Artefact
    baselines: Artefact
    areas: pd.DataFrame
    centroids: pd.DataFrame
    scheme: str

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        return {
            "lsoa_predictions": self.predicted.digest,
            "location_predictions": self.at_locations.digest,
            "baseline_scores": self.baselines.digest,
            "trained_model": self.trained.digest,  # the scores of further seeds
            "positions": digest_frame(self.centroids),  # the name of earlier versions
        }

    @property
    def config(self) -> dict[str, Any]:
        """Every setting that changes the evaluation, for the recipe."""
        return {"rule": self.rule, "scheme": self.scheme, "seed": self.study.seed}

    @property
    def rule(self) -> str:
        """By which the areas were ranked, whatever study.toml says by now."""
        return str(self._made_with.get("rule", self.study.aggregation))

    @property
    def level(self) -> float:
        """Of the areas' intervals, as they were made."""
        return float(self._made_with.get("level", self.study.intervals.level))

    def further_seeds(self) -> tuple[SeedAreas, ...]:
        """The areas by the networks' further seeds, where there are any, ranked as the first's.

        None where the locations were predicted by other networks than stand now.
        """
        of_these = self.at_locations.manifest.recipe.inputs.get("trained_model")
        if SEED_SCORES_FILE not in self.trained.manifest.files or of_these != self.trained.digest:
            return ()
        scores, locations = self.trained.table(SEED_SCORES_FILE), self.at_locations.table()
        return areas_by_seed(scores, locations, self._rank)

    @property
    def n_further_seeds(self) -> int:
        """Seeds beside the first whose scores the networks' artefact has."""
        if SEED_SCORES_FILE not in self.trained.manifest.files:
            return 0
        return int(self.trained.table(SEED_SCORES_FILE, ["seed"])["seed"].nunique())

    def _rank(self, locations: pd.DataFrame) -> pd.DataFrame:
        asked = self._made_with.get("areas", self.study.areas.ranking)
        return ranked_table(
            locations,
            rule=self.rule,
            settings=Areas.model_validate(asked),
            level=self.level,
            scheme=self.scheme,
        )

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        return self.predicted.manifest.recipe.config


def read_pair_sources(store: DataStore, study: Study, pair: Pair) -> PairSources:
    """Open what the evaluation reads, each slice once.

    Raises:
        StoreError: an artefact is absent or damaged; the message names what to materialise.
    """
    predicted = store.open("lsoa_predictions", pair.key)
    areas = predicted.table()
    centroids = store.open("area_folds", pair.city).table("centroids.parquet")
    own = centroids["area"].isin(set(areas["area"]))
    return PairSources(
        study=study,
        pair=pair,
        trained=store.open("trained_model", pair.key),
        predicted=predicted,
        at_locations=store.open("location_predictions", pair.key),
        baselines=store.open("baseline_scores", pair.key),
        areas=areas,
        centroids=centroids[own].reset_index(drop=True),
        scheme=scheme_of(store, study, predicted),
    )


def scheme_of(store: DataStore, study: Study, predicted: Artefact) -> str:
    """By which folds something was predicted; where it does not say it, its networks do."""
    if recorded := predicted.manifest.read_record(tables.SchemeRecord).scheme:
        return recorded
    trained = store.open("trained_model", predicted.manifest.partition).manifest
    if trained.unavailable:  # nothing was predicted
        return study.folds.scheme
    return trained.read_record(TrainingRecord).scheme


def write_pair_evaluation(sources: PairSources, folder: Path) -> Findings:
    """Evaluate a pair, and write its tables and plots."""
    if why := sources.predicted.manifest.unavailable:
        _write(Evaluation.of_nothing(), folder, sources)
        return unavailable_findings(why, checks.LSOA_EVALUATION)
    further = sources.further_seeds()
    evaluated = evaluate_pair(
        sources.areas,
        mean_probabilities(sources.at_locations.table(), sources.areas["area"]),
        sources.baselines.table(),
        sources.centroids,
        rule=sources.rule,
        scheme=sources.scheme,
        seed=sources.study.seed,
        further_seeds=further,
    )
    _write(evaluated, folder, sources)
    findings = _findings(evaluated, sources)
    if n_lost := sources.n_further_seeds - len(further):
        findings.notes["seeds_left_out"] = (
            f"{n_lost} of {sources.n_further_seeds} further seeds are left out of means and sd: "
            "they lack finite scores of the predicted locations in their folds. Materialise "
            f"trained_model[{sources.pair}] again."
        )
    return findings


def _write(evaluation: Evaluation, folder: Path, sources: PairSources) -> None:
    of_pair, level = sources.pair.key, sources.level
    for name, fields in EVALUATION_FILES.items():
        write(getattr(evaluation, name), fields, folder / f"{name}.parquet")
    if len(evaluation.metrics):
        plots.plot_confusion(evaluation.confusion, folder / "confusion.png", subject=of_pair)
        plots.plot_metrics(evaluation.metrics, folder / "metrics.png", subject=of_pair)
        coverage = folder / "coverage.png"
        plots.plot_coverage(evaluation.coverage, coverage, subject=of_pair, level=level)


def _findings(evaluation: Evaluation, sources: PairSources) -> Findings:
    n_lsoas, scheme = len(sources.areas), sources.scheme
    found = [checks.inputs_available(), checks.enough_areas(n_lsoas)]
    findings = Findings(
        checks=found + checks.evaluation_checks(evaluation, scheme),
        notes=checks.leak_notes([scheme]),
        record=tables.SchemeRecord(scheme=scheme),
        holdings={"areas": n_lsoas},
    )
    if caution := OUTCOMES[sources.pair.outcome].caution:
        findings.notes["modelled"] = caution
    if len(evaluation.metrics):
        findings.values, findings.notes["headline"] = headline(evaluation, scheme)
        for name in ("metrics", "by_n_locations"):
            findings.tables[name] = _shown(getattr(evaluation, name))
    return findings


def _shown(table: pd.DataFrame) -> list[dict[str, Scalar]]:
    """The rows of a pair's table as the UI takes them: without the pair, None where missing."""
    rows = table.drop(columns=["city", "outcome"]).astype(object)
    return rows.where(rows.notna(), None).to_dict("records")
