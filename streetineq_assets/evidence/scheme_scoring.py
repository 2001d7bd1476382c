"""One city under one scheme of folds: out-of-fold scores of every model, for all outcomes.

The networks are joint ones, a trunk for all outcomes, since a scheme then costs about as much as
one outcome. Baselines are fitted on the same folds. An area's score is the weighted mean of its
locations, as in `predictions.aggregation`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import SourceError
from streetineq_assets.evidence import checks
from streetineq_assets.evidence.schemes import fold_settings
from streetineq_assets.evidence.tables import SCHEME_SCORES, SchemeRecord
from streetineq_assets.findings import Findings, Unavailable, unavailable_findings
from streetineq_assets.models.baselines import CodeSums, score_baselines, sum_codes
from streetineq_assets.models.checkpoints import Log
from streetineq_assets.models.city_folds import read_fold_slices
from streetineq_assets.models.dataset import open_codes
from streetineq_assets.models.folds import TooFewAreasError, make_folds, scheme_note
from streetineq_assets.models.joint_training import plan_joint
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.training_plan import (
    RunProfile,
    TrainingPlan,
    TrainingRun,
)
from streetineq_assets.predictions.aggregation import area_means
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.predictions.location_scores import matched_locations
from streetineq_assets.store import DataStore
from streetineq_assets.study import SchemeName, Study
from streetineq_assets.tables import conform, empty, write

ASSET = "scheme_scores"
_OF_PICTURES = ("ridge", "map_and_score")


@dataclass(frozen=True)
class SchemePlan:
    """The trainings of one city under one scheme, or why there are none.

    Attributes:
        training: of the first seed.
        locations: `location_id, lsoa11, weight` of the city's matched locations.
        made_of: name to digest of what the folds are made of.
        n_seeds: trainings.
    """

    training: TrainingPlan
    scheme: SchemeName
    locations: pd.DataFrame
    made_of: dict[str, str]
    n_seeds: int

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Name to digest of each slice, for the recipe."""
        return self.training.inputs | self.made_of | {"weights": digest_frame(self.locations)}

    @cached_property
    def config(self) -> dict[str, Any]:
        """Every setting that changes the scores, for the recipe."""
        folds = self.training.study.folds.model_dump(exclude_none=True)
        return self.training.config | {"folds": folds, "seeds": self.n_seeds}

    def trainings(self) -> Iterator[TrainingPlan]:
        """One for each seed; unfinished work of each lies in a folder of its own."""
        yield self.training
        asset, partition = self.training.artefact
        for number in range(1, self.n_seeds):
            seed = self.training.study.seed + 1000 * number
            yield replace(
                self.training,
                study=self.training.study.model_copy(update={"seed": seed}),
                artefact=(asset, f"{partition}/seed_{number}"),
            )

    def clean(self) -> None:
        """Remove the work in progress, which the published artefact has made useless."""
        self.training.clean()


def plan_scheme(
    store: DataStore, study: Study, city: str, scheme: SchemeName, profile: RunProfile
) -> SchemePlan:
    """What the scores of a city under a scheme depend on.

    Raises:
        StoreError: an artefact is to be materialised first.
        SourceError: the scheme needs places that areas lack.
        TrainingError: in none of the outcomes is there anything to learn.
    """
    settings = study.model_copy(update={"folds": fold_settings(study, scheme)})
    slices = read_fold_slices(store, settings, city)
    plan = replace(plan_joint(store, settings, city, profile), artefact=(ASSET, f"{city}/{scheme}"))
    if not plan.unavailable:
        try:
            made = make_folds(
                slices.areas,
                settings.folds,
                seed=study.seed,
                centroids=slices.centroids,
                locations=slices.locations,
            )
            plan = replace(plan, other_folds=made)
        except TooFewAreasError as error:
            why = Unavailable("smaller folds, or more areas", str(error))
            plan = replace(plan, unavailable=why)
        except ValueError as error:
            raise SourceError(f"{city}, scheme {scheme}: {error}") from error
    made_of = {f"fold_{name}": digest for name, digest in slices.digests().items()}
    locations = matched_locations(store, city)
    return SchemePlan(plan, scheme, locations, made_of, study.training.seeds)


def score_scheme(plan: SchemePlan, folder: Path, device: Device, log: Log) -> Findings:
    """Train the networks of every seed, fit the baselines, and write `scheme_scores.parquet`.

    Raises:
        TrainingError: rows, labels or codes that cannot be trained on, or a diverging loss.
    """
    first = plan.training
    parts, baselines = [empty(SCHEME_SCORES)], _Baselines(plan)
    for seed, training in enumerate(plan.trainings()):
        log(f"{plan.scheme}: training {seed + 1} of {plan.n_seeds}")
        run = training.train(device, log)
        for position, outcome in enumerate(first.outcomes):
            h = run.trained.scores(outcome)[["location_id", "h"]]
            parts.append(_network(plan, h).assign(outcome=outcome, seed=seed))
            fitted = baselines.score(run, position, h, seed)
            parts.append(fitted.assign(outcome=outcome, seed=seed))
    scores = pd.concat(parts, ignore_index=True).assign(city=first.city, scheme=plan.scheme)
    scores = conform(scores, SCHEME_SCORES).sort_values(
        ["outcome", "model", "seed", "lsoa11"], ignore_index=True
    )
    write(scores, SCHEME_SCORES, folder / f"{ASSET}.parquet")
    first.table.save(folder)
    return _findings(plan, scores, device)


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty table of a scheme under which the city cannot be tried."""
    write(empty(SCHEME_SCORES), SCHEME_SCORES, folder / f"{ASSET}.parquet")
    return unavailable_findings(why, checks.SCHEME_SCORES)


def _network(plan: SchemePlan, h: pd.DataFrame) -> pd.DataFrame:
    """`model, lsoa11, fold, score` of the networks of one seed: areas' mean scores."""
    placed = h.merge(plan.locations, on="location_id", how="inner")
    areas = area_means(placed, ["h"]).rename(columns={"h": "score"})
    table = plan.training.table
    fold = table.areas.set_index("lsoa11")["fold"].reindex(areas["lsoa11"]).to_numpy()
    return areas[["lsoa11", "score"]].assign(model=JOINT_NETWORK, fold=fold)


class _Baselines:
    """The baselines of every outcome; the codes are summed once, for all seeds and outcomes."""

    def __init__(self, plan: SchemePlan) -> None:
        self._plan = plan
        self._sums: CodeSums | None = None

    def score(self, run: TrainingRun, position: int, h: pd.DataFrame, seed: int) -> pd.DataFrame:
        """`model, lsoa11, fold, score` of one outcome; of later seeds what depends on networks."""
        training, labelled = self._plan.training, run.labelled
        if self._sums is None:
            shards = [each.shards for each in training.slices]
            codes = open_codes(shards, training.budget_bytes)
            self._sums = sum_codes(codes, labelled.rows, training.table)
        rows, of_outcome = labelled.of_outcome(position)
        names = (*MAPS, *_OF_PICTURES) if seed == 0 else ("map_and_score",)
        scores = score_baselines(
            CodeSums(self._sums.group[of_outcome], self._sums.sums),
            rows.merge(h.assign(city=training.city), on=["city", "location_id"], how="left"),
            training.table,
            training.slices[0].centroids(),
            baselines=names,
            folds=training.folds,
            validation_share=training.profile.fields.validation_share,
            seed=training.study.seed,
        )
        own = scores["lsoa11"].isin(set(self._plan.locations["lsoa11"]))
        return scores.loc[own, ["baseline", "lsoa11", "fold", "score"]].rename(
            columns={"baseline": "model"}
        )


def _findings(plan: SchemePlan, scores: pd.DataFrame, device: Device) -> Findings:
    training = plan.training
    note = scheme_note([training.table.scheme])
    synthetic = training.slices[0].shards.manifest.read_record(ShardsRecord).synthetic
    return Findings(
        values={
            "scheme": plan.scheme,
            "n_folds": len(training.folds),
            "n_seeds": plan.n_seeds,
            "n_outcomes": len(training.outcomes),
            "n_lsoas": int(scores["lsoa11"].nunique()),
            **device.report(),
        },
        checks=checks.score_checks(scores, training.table, training.outcomes),
        notes=training.notes | ({"leak": note} if note else {}),
        record=SchemeRecord(outcomes=training.outcomes, n_seeds=plan.n_seeds, synthetic=synthetic),
        holdings={
            f"areas of {outcome}": int(scores.loc[scores["outcome"] == outcome, "lsoa11"].nunique())
            for outcome in training.study.cities[training.city].outcomes
        },
    )
