"""One city under one scheme of folds: out-of-fold scores of every model, for all outcomes.

The networks are joint ones, a trunk for all outcomes, since a scheme then costs about as much as
one outcome. Baselines are fitted on the same folds. An area's score is the weighted mean of its
locations, as in `predictions.aggregation`.
"""

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
from streetineq_assets.models.baseline_areas import sum_codes
from streetineq_assets.models.baseline_guesses import MAP_AND_SCORE
from streetineq_assets.models.baselines import baselines_of, score_baselines
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
from streetineq_assets.settings import SchemeName
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import conform, empty, write

ASSET = "scheme_scores"
_SHOWN = {*MAPS, "ridge", MAP_AND_SCORE}


@dataclass(frozen=True)
class SchemePlan:
    """The training of one city under one scheme, or why there is none.

    Attributes:
        locations: `location_id, area, weight` of the city's matched locations.
        centroids: `models.tables.CENTROIDS`, of all cities that teach.
        made_of: name to digest of what the folds are made of.
    """

    training: TrainingPlan
    scheme: SchemeName
    locations: pd.DataFrame
    centroids: pd.DataFrame
    made_of: dict[str, str]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Name to digest of each slice, for the recipe."""
        return self.training.inputs | self.made_of | {"weights": digest_frame(self.locations)}

    @cached_property
    def config(self) -> dict[str, Any]:
        """Every setting that changes the scores, for the recipe."""
        # All seeds have the same folds here, for baselines are compared on these.
        unused = {"repeated_below"}
        folds = self.training.study.folds.model_dump(exclude_none=True, exclude=unused)
        return self.training.config | {"folds": folds}

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
            plan = replace(plan, other_folds=plan.slices[0].without_repeats(made))
        except TooFewAreasError as error:
            why = Unavailable("smaller folds, or more areas", str(error))
            plan = replace(plan, unavailable=why)
        except ValueError as error:
            raise SourceError(f"{city}, scheme {scheme}: {error}") from error
    made_of = {f"fold_{name}": digest for name, digest in slices.digests().items()}
    locations = matched_locations(store, city)
    return SchemePlan(plan, scheme, locations, slices.centroids, made_of)


def score_scheme(plan: SchemePlan, folder: Path, device: Device, log: Log) -> Findings:
    """Train the networks of every seed, fit the baselines, and write `scheme_scores.parquet`.

    Raises:
        TrainingError: rows, labels or codes that cannot be trained on, or a diverging loss.
    """
    training = plan.training
    run = training.train(device, log)
    first = run.trained.all_scores().assign(seed=0)
    by_seed = pd.concat([first, run.seed_scores])[["outcome", "seed", "location_id", "h"]]
    baselines, parts = _Baselines(plan, run), [empty(SCHEME_SCORES)]
    for (outcome, seed), group in by_seed.groupby(["outcome", "seed"]):
        h = group[["location_id", "h"]]
        scored = (_network(plan, h), baselines.score(str(outcome), h, first=seed == 0))
        parts += [each.assign(outcome=outcome, seed=seed) for each in scored]
    scores = pd.concat(parts, ignore_index=True).assign(city=training.city, scheme=plan.scheme)
    scores = conform(scores, SCHEME_SCORES).sort_values(
        ["outcome", "model", "seed", "area"], ignore_index=True
    )
    write(scores, SCHEME_SCORES, folder / f"{ASSET}.parquet")
    training.table.save(folder)
    return _findings(plan, scores, device)


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty table of a scheme under which the city cannot be tried."""
    write(empty(SCHEME_SCORES), SCHEME_SCORES, folder / f"{ASSET}.parquet")
    return unavailable_findings(why, checks.SCHEME_SCORES)


def _network(plan: SchemePlan, h: pd.DataFrame) -> pd.DataFrame:
    """`model, area, fold, score` of the networks of one seed: areas' mean scores."""
    placed = h.merge(plan.locations, on="location_id", how="inner")
    areas = area_means(placed, ["h"]).rename(columns={"h": "score"})
    table = plan.training.table
    fold = table.areas.set_index("area")["fold"].reindex(areas["area"]).to_numpy()
    return areas[["area", "score"]].assign(model=JOINT_NETWORK, fold=fold)


class _Baselines:
    """The baselines of every outcome; the codes are summed once, for all outcomes and seeds."""

    def __init__(self, plan: SchemePlan, run: TrainingRun) -> None:
        self._plan, self._run = plan, run
        self._names = tuple(n for n in baselines_of(plan.training.table.scheme) if n in _SHOWN)
        self._of_networks = tuple(n for n in self._names if n == MAP_AND_SCORE)
        shards = [each.shards for each in plan.training.slices]
        codes = open_codes(shards, plan.training.budget_bytes)
        self._sums = sum_codes(codes, run.labelled.rows, plan.training.table)

    def score(self, outcome: str, h: pd.DataFrame, *, first: bool) -> pd.DataFrame:
        """`model, area, fold, score` of one outcome.

        Args:
            h: `location_id, h` of the networks of one seed.
            first: whether that is the first seed; for the others only what depends on networks is
                fitted again.
        """
        training, labelled = self._plan.training, self._run.labelled
        rows, of_outcome = labelled.of_outcome(training.outcomes.index(outcome))
        scores = score_baselines(
            self._sums.of(of_outcome),
            rows.merge(h.assign(city=training.city), on=["city", "location_id"], how="left"),
            training.table,
            self._plan.centroids,
            baselines=self._names if first else self._of_networks,
            folds=training.folds,
            validation_share=training.profile.fields.validation_share,
            seed=training.study.seed,
        )
        own = scores["area"].isin(set(self._plan.locations["area"]))
        return scores.loc[own, ["baseline", "area", "fold", "score"]].rename(
            columns={"baseline": "model"}
        )


def _findings(plan: SchemePlan, scores: pd.DataFrame, device: Device) -> Findings:
    training, n_seeds = plan.training, int(scores["seed"].nunique())
    note = scheme_note([training.table.scheme])
    synthetic = training.slices[0].shards.manifest.read_record(ShardsRecord).synthetic
    return Findings(
        values={
            "scheme": plan.scheme,
            "n_folds": len(training.folds),
            "n_seeds": n_seeds,
            "n_outcomes": len(training.outcomes),
            "n_lsoas": int(scores["area"].nunique()),
            **device.report(),
        },
        checks=checks.score_checks(scores, training.table, training.outcomes),
        notes=training.notes | ({"leak": note} if note else {}),
        record=SchemeRecord(outcomes=training.outcomes, n_seeds=n_seeds, synthetic=synthetic),
        holdings={
            f"areas of {outcome}": int(scores.loc[scores["outcome"] == outcome, "area"].nunique())
            for outcome in training.study.cities[training.city].outcomes
        },
    )
