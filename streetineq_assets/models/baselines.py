"""The baselines of a pair: scored on the folds of its networks and on spatial blocks.

`baseline_guesses` says what each does, `map_baselines` what is guessed from the map.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings, Unavailable, unavailable_findings
from streetineq_assets.models import checks
from streetineq_assets.models.baseline_areas import CodeSums, fold_areas, sum_codes
from streetineq_assets.models.baseline_guesses import GUESSES, MAP_AND_SCORE, NAMES
from streetineq_assets.models.dataset import labelled_rows, open_codes
from streetineq_assets.models.fold_table import SPATIAL_STEM
from streetineq_assets.models.folds import FoldTable, scheme_note, split_rows
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.pair_training import SCORES_FILE
from streetineq_assets.models.tables import BASELINES
from streetineq_assets.models.training_plan import TrainingPlan, other_inputs
from streetineq_assets.profiles import Profile
from streetineq_assets.store import Artefact
from streetineq_assets.study import Pair
from streetineq_assets.tables import conform, empty, write

ASSET = "baseline_scores"

_ON_SPATIAL_BLOCKS = (*MAPS, "ridge")
_OF_OTHER_CITIES = frozenset({*MAPS, MAP_AND_SCORE})
_NO_MAPS = (
    "With folds by city everything that a map could go by lies in other cities: no baseline from "
    "the map is scored, and nothing says whether the network adds to one."
)


def score_pair(plan: TrainingPlan, trained: Artefact, folder: Path) -> Findings:
    """Score a pair's baselines on the folds of its networks and on spatial blocks; write them.

    Args:
        plan: of the pair's networks, by which they were trained.
        trained: the networks' artefact.

    Raises:
        StoreError: the networks were trained on other inputs than there are now.
    """
    if others := other_inputs(trained.manifest, plan):
        raise StoreError(
            f"{trained.manifest.label} was trained on other {others} than there are now: "
            f"materialise {trained.manifest.label} first"
        )
    outcome = Pair.parse(plan.artefact[1]).outcome
    rows, _ = labelled_rows(plan.slices, plan.outcomes).of_outcome(plan.outcomes.index(outcome))
    h = trained.table(SCORES_FILE, ["location_id", "h"]).assign(city=plan.city)
    rows = rows.merge(h, on=["city", "location_id"], how="left")
    codes = open_codes([each.shards for each in plan.slices], plan.budget_bytes)
    sums = sum_codes(codes, rows, plan.table)
    share = validation_share(trained)
    centroids, seed = plan.slices[0].centroids(), plan.study.seed

    def scored(table: FoldTable, folds: tuple[int, ...], names: tuple[str, ...]) -> pd.DataFrame:
        return score_baselines(
            sums,
            rows,
            table,
            centroids,
            baselines=names,
            folds=folds,
            validation_share=share,
            seed=seed,
        )

    names = baselines_of(plan.table.scheme)
    parts, tables = [scored(plan.table, plan.folds, names)], {plan.table.scheme: plan.table}
    blocks = _spatial_blocks(plan)
    if blocks is not None:
        parts.append(scored(blocks, blocks.folds, _ON_SPATIAL_BLOCKS))
        tables[blocks.scheme] = blocks
    baselines = pd.concat([part for part in parts if len(part)], ignore_index=True)
    write(baselines, BASELINES, folder / f"{ASSET}.parquet")
    found = _findings(baselines, tables, blocks)
    found.notes |= map_notes(baselines, plan.table.scheme, centroids)
    return found


def baselines_of(scheme: str) -> tuple[str, ...]:
    """The baselines on the networks' own folds: under folds by city none that needs a map."""
    return tuple(n for n in NAMES if scheme != "city" or n not in _OF_OTHER_CITIES)


def map_notes(baselines: pd.DataFrame, scheme: str, centroids: pd.DataFrame) -> dict[str, str]:
    """What is to be said of the baselines from the map, by name.

    Args:
        baselines: `models.tables.BASELINES`.
        scheme: of the networks' folds.
        centroids: `area, easting_m, northing_m` and, from version 2 of the folds on, `msoa`.
    """
    notes = {"no_map_baselines": _NO_MAPS} if scheme == "city" else {}
    mapped = baselines[baselines["baseline"] == "map_msoa_mean"]
    if n_nowhere := mapped.loc[mapped["score"].isna(), "area"].nunique():
        notes["areas_without_coordinates"] = (
            f"No map guesses {n_nowhere} of {mapped['area'].nunique()} areas: they have no "
            "postcode with coordinates, or no area that may teach has one. Take an edition of the "
            "directory in inputs/onspd that has them."
        )
    of_msoa = set(mapped.dropna(subset=["score"])["area"])
    named = centroids.reindex(columns=["area", "msoa"]).dropna()["area"]
    if n_unnamed := len(of_msoa - set(named)):
        notes["areas_without_msoa"] = (
            f"{n_unnamed} of {len(of_msoa)} areas have no MSOA in the postcode directory: "
            "map_msoa_mean guesses them from the eight nearest areas, as map_knn does."
        )
    return notes


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty table of a pair whose networks are unavailable."""
    write(empty(BASELINES), BASELINES, folder / f"{ASSET}.parquet")
    return unavailable_findings(why, checks.BASELINE_SCORES)


def validation_share(trained: Artefact) -> float:
    """Of the networks' training, so that baselines are fitted on the same validation areas."""
    return Profile.model_validate(trained.manifest.recipe.config["profile"]).validation_share


def _spatial_blocks(plan: TrainingPlan) -> FoldTable | None:
    """Blocks for further baselines; None where the study's folds make them idle or impossible."""
    idle = plan.table.scheme in ("spatial_block", "city")
    return None if idle else plan.slices[0].fold_table(SPATIAL_STEM)


def _findings(
    baselines: pd.DataFrame, tables: dict[str, FoldTable], blocks: FoldTable | None
) -> Findings:
    note = scheme_note(tables)
    found = Findings(
        values={
            "n_baselines": int(baselines["baseline"].nunique()),
            "n_lsoas": int(baselines["area"].nunique()),
        },
        checks=checks.baseline_checks(baselines, tables),
        notes={"leak": note} if note else {},
        holdings={"areas": int(baselines["area"].nunique())},
    )
    if blocks is not None:
        scored = baselines.loc[baselines["scheme"] == blocks.scheme, "fold"].nunique()
        found.values["n_spatial_folds_without_images"] = len(blocks.folds) - scored
    return found


def score_baselines(
    sums: CodeSums,
    rows: pd.DataFrame,
    table: FoldTable,
    centroids: pd.DataFrame,
    *,
    baselines: tuple[str, ...] = NAMES,
    folds: tuple[int, ...] | None = None,
    validation_share: float,
    seed: int,
) -> pd.DataFrame:
    """Out-of-fold scores of every baseline on one fold table.

    Args:
        sums: of the same rows, by area or finer, as `sum_codes` gives them.
        rows: `location_id, area, decile` and, for `map_and_score`, the network's
            out-of-fold `h`.
        folds: which to test; by default all.
        centroids: `area, easting_m, northing_m[, msoa]`; maps give no score to areas without
            one.
        validation_share, seed: as in the network's training, for the same validation areas.

    Returns:
        `models.tables.BASELINES`, one row per baseline and area. Under the scheme
        `location` an area is in several folds: its score is their mean and its fold -1. A fold
        that has no area to test, or none to learn from, has no rows.
    """
    parts = []
    for fold in table.folds if folds is None else folds:
        split = split_rows(table, fold, rows, validation_share=validation_share, seed=seed)
        if not (split.test.any() and split.train.any()):
            continue
        areas = fold_areas(rows, split, sums, centroids)
        for name in baselines:
            score = GUESSES[name](areas)
            part = {"baseline": name, "scheme": table.scheme, "area": areas.test.area}
            parts.append(pd.DataFrame({**part, "fold": np.int64(fold), "score": score}))
    frame = pd.concat(parts, ignore_index=True) if parts else empty(BASELINES)
    if table.locations is not None:
        keys = ["baseline", "scheme", "area"]
        frame = frame.groupby(keys, as_index=False)["score"].mean().assign(fold=-1)
    order = pd.Categorical(frame["baseline"], categories=NAMES)
    frame = frame.assign(order=order.codes).sort_values(["order", "area"], ignore_index=True)
    return conform(frame, BASELINES)
