"""What a network must beat: guesses from no image at all, and from plain means of the codes.

All work on areas and score on the scale of deciles. `constant` says 5. `map_knn` is the mean
decile of the eight nearest training areas on the British National Grid. `image_count` is a line
through the logarithm of the number of images. `ridge` is ridge regression on the mean code of an
area's images, its penalty chosen on the same validation areas as the network's epochs (without
any, 10,000: the middle of those that are tried, on a logarithmic scale).
`map_and_score` regresses the decile on the `map_knn` guess and the network's mean
score: where it gains nothing over `map_knn`, the network saw a map and not pictures. It is
fitted on other folds' out-of-fold scores; their networks have seen this fold's labels, which two
coefficients cannot carry over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings, Unavailable, unavailable_findings
from streetineq_assets.models import checks
from streetineq_assets.models.dataset import SPATIAL_STEM, Codes, labelled_rows, open_codes
from streetineq_assets.models.folds import FoldTable, Split, scheme_note, split_rows
from streetineq_assets.models.pair_training import SCORES_FILE
from streetineq_assets.models.tables import BASELINES
from streetineq_assets.models.training_plan import TrainingPlan
from streetineq_assets.store import Artefact
from streetineq_assets.study import Pair, Profile
from streetineq_assets.tables import conform, empty, write

ASSET = "baseline_scores"

NAMES = ("constant", "map_knn", "image_count", "ridge", "map_and_score")
_CONSTANT_DECILE = 5.0
_NEIGHBOURS = 8
_PENALTIES = tuple(float(10**power) for power in range(1, 8))
DEFAULT_PENALTY = _PENALTIES[len(_PENALTIES) // 2]
_ON_SPATIAL_BLOCKS = ("map_knn", "ridge")
_CHUNK_ROWS = 512


@dataclass(frozen=True)
class CodeSums:
    """Sums of the mean codes of locations, by group.

    Attributes:
        group: (n,) the group of each row.
        sums: (groups, width) float64.
    """

    group: NDArray[np.int64]
    sums: NDArray[np.float64]


@dataclass(frozen=True)
class Areas:
    """The areas of some rows: their codes' means and what else a baseline may use.

    Attributes:
        lsoa11, decile: (a,) codes, and actual deciles.
        n_images: (a,).
        centroids: (a, 2) metres on EPSG:27700, NaN where unknown.
        means: (a, width) mean code.
        scores: (a,) the network's mean out-of-fold score, NaN where there is none.
    """

    lsoa11: NDArray
    decile: NDArray[np.float64]
    n_images: NDArray[np.float64]
    centroids: NDArray[np.float64]
    means: NDArray[np.float64]
    scores: NDArray[np.float64]


Guess = Callable[[Areas, Areas, Areas], NDArray[np.float64]]


def score_pair(plan: TrainingPlan, trained: Artefact, folder: Path) -> Findings:
    """Score a pair's baselines on the folds of its networks and on spatial blocks; write them.

    Args:
        plan: of the pair's networks, by which they were trained.
        trained: the networks' artefact.

    Raises:
        StoreError: the networks were trained on other inputs than there are now.
    """
    if trained.manifest.recipe.inputs != plan.inputs:
        raise StoreError(
            f"{trained.manifest.label} was trained on other labels, locations, codes or folds than "
            f"there are now: materialise {trained.manifest.label} first"
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

    parts, tables = [scored(plan.table, plan.folds, NAMES)], {plan.table.scheme: plan.table}
    blocks = _spatial_blocks(plan)
    if blocks is not None:
        parts.append(scored(blocks, blocks.folds, _ON_SPATIAL_BLOCKS))
        tables[blocks.scheme] = blocks
    baselines = pd.concat([part for part in parts if len(part)], ignore_index=True)
    write(baselines, BASELINES, folder / f"{ASSET}.parquet")
    return _findings(baselines, tables, blocks)


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
            "n_lsoas": int(baselines["lsoa11"].nunique()),
        },
        checks=checks.baseline_checks(baselines, tables),
        notes={"leak": note} if note else {},
        holdings={"areas": int(baselines["lsoa11"].nunique())},
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
        rows: `location_id, lsoa11, decile` and, for `map_and_score`, the network's
            out-of-fold `h`.
        folds: which to test; by default all.
        centroids: `lsoa11, easting_m, northing_m`; `map_knn` gives no score to areas without
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
        train, validation, test = _fold_areas(rows, split, sums, centroids)
        for name in baselines:
            score = GUESSES[name](train, validation, test)
            part = {"baseline": name, "scheme": table.scheme, "lsoa11": test.lsoa11}
            parts.append(pd.DataFrame({**part, "fold": np.int64(fold), "score": score}))
    frame = pd.concat(parts, ignore_index=True) if parts else empty(BASELINES)
    if table.locations is not None:
        keys = ["baseline", "scheme", "lsoa11"]
        frame = frame.groupby(keys, as_index=False)["score"].mean().assign(fold=-1)
    order = pd.Categorical(frame["baseline"], categories=NAMES)
    frame = frame.assign(order=order.codes).sort_values(["order", "lsoa11"], ignore_index=True)
    return conform(frame, BASELINES)


# -- the guesses: training, validation and test areas to a score per test area ---------------------


def _constant(_train: Areas, _validation: Areas, test: Areas) -> NDArray[np.float64]:
    return np.full(len(test.lsoa11), _CONSTANT_DECILE)


def _map_knn(train: Areas, validation: Areas, test: Areas) -> NDArray[np.float64]:
    return _neighbours(_joined(train, validation), test)


def _image_count(train: Areas, validation: Areas, test: Areas) -> NDArray[np.float64]:
    known = _joined(train, validation)
    return _line(np.log(known.n_images)[:, None], known.decile, np.log(test.n_images)[:, None])


def _ridge(train: Areas, validation: Areas, test: Areas) -> NDArray[np.float64]:
    """Standardised by the training areas; the penalty with the least error on validation areas."""
    from sklearn.linear_model import Ridge

    mean, sd = train.means.mean(axis=0), np.maximum(train.means.std(axis=0), 1e-6)

    def fitted(areas: Areas, penalty: float, to: Areas) -> NDArray[np.float64]:
        model = Ridge(alpha=penalty, solver="cholesky")
        model.fit((areas.means - mean) / sd, areas.decile)
        return model.predict((to.means - mean) / sd)

    def error(penalty: float) -> float:
        return np.square(fitted(train, penalty, validation) - validation.decile).mean()

    penalty = min(_PENALTIES, key=error) if len(validation.lsoa11) else DEFAULT_PENALTY
    return fitted(_joined(train, validation), penalty, test)


def _map_and_score(train: Areas, validation: Areas, test: Areas) -> NDArray[np.float64]:
    known = _joined(train, validation)
    seen = np.isfinite(known.scores) & np.isfinite(known.centroids).all(axis=1)
    features = np.column_stack([_neighbours(known, known, leave_out=True), known.scores])
    wanted = np.column_stack([_neighbours(known, test), test.scores])
    answer = np.full(len(test.lsoa11), np.nan)
    usable = np.isfinite(wanted).all(axis=1)
    if seen.sum() > 2 and usable.any():
        answer[usable] = _line(features[seen], known.decile[seen], wanted[usable])
    return answer


GUESSES: dict[str, Guess] = {
    "constant": _constant,
    "map_knn": _map_knn,
    "image_count": _image_count,
    "ridge": _ridge,
    "map_and_score": _map_and_score,
}


def _neighbours(known: Areas, wanted: Areas, *, leave_out: bool = False) -> NDArray[np.float64]:
    """Mean decile of the nearest known areas; `leave_out` when the wanted are the known ones."""
    from scipy.spatial import cKDTree

    answer = np.full(len(wanted.lsoa11), np.nan)
    placed = np.isfinite(known.centroids).all(axis=1)
    asked = np.isfinite(wanted.centroids).all(axis=1)
    available = int(placed.sum()) - leave_out
    if available < 1 or not asked.any():
        return answer
    neighbours = min(_NEIGHBOURS, available)
    ranks = np.arange(1 + leave_out, neighbours + leave_out + 1)
    _, nearest = cKDTree(known.centroids[placed]).query(wanted.centroids[asked], k=list(ranks))
    answer[asked] = known.decile[placed][nearest].mean(axis=1)
    return answer


def _line(x: NDArray, y: NDArray, wanted: NDArray) -> NDArray[np.float64]:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(x, y).predict(wanted)


# -- areas from rows -----------------------------------------------------------------------------


def sum_codes(codes: Codes, rows: pd.DataFrame, table: FoldTable) -> CodeSums:
    """One pass over the codes: a group is an area, or an area's part in one fold of locations.

    Parts of an area add up to it, so these sums serve fold tables that keep areas whole too.

    Args:
        rows: `row` (in the codes, ascending), `location_id, lsoa11`.
        table: the folds; locations of one area lie in several under the scheme `location`.
    """
    keys = [rows["lsoa11"].astype(str)]
    if table.locations is not None:
        keys.append(table.fold_of(rows))
    group = rows.groupby(keys, sort=True).ngroup().to_numpy(np.int64)
    sums = np.zeros((int(group.max(initial=-1)) + 1, codes.reader.width))
    start = 0
    for features in codes.chunks(rows["row"].to_numpy(np.int64), _CHUNK_ROWS):
        stop = start + len(features)
        _add_rows(sums, group[start:stop], features.mean(axis=1, dtype=np.float32))
        start = stop
    return CodeSums(group, sums)


def _fold_areas(
    rows: pd.DataFrame, split: Split, sums: CodeSums, centroids: pd.DataFrame
) -> tuple[Areas, Areas, Areas]:
    by_area = centroids.set_index("lsoa11")[["easting_m", "northing_m"]]
    train, validation, test = (
        _areas(rows, mask, sums, by_area) for mask in (split.train, split.validation, split.test)
    )
    return train, validation, test


def _areas(
    rows: pd.DataFrame, mask: NDArray[np.bool_], sums: CodeSums, centroids: pd.DataFrame
) -> Areas:
    chosen = rows[mask].assign(group=sums.group[mask])
    scores = chosen["h"] if "h" in chosen else pd.Series(np.nan, index=chosen.index)
    grouped = chosen.assign(h=scores).groupby("lsoa11", sort=True)
    areas = grouped.agg(decile=("decile", "first"), n=("location_id", "size"), h=("h", "mean"))
    members = chosen.drop_duplicates("group")
    totals = np.zeros((len(areas), sums.sums.shape[1]))
    at = areas.index.get_indexer(members["lsoa11"])
    _add_rows(totals, at, sums.sums[members["group"]])
    return Areas(
        lsoa11=areas.index.to_numpy(str),
        decile=areas["decile"].to_numpy(np.float64),
        n_images=4.0 * areas["n"].to_numpy(np.float64),
        centroids=centroids.reindex(areas.index).to_numpy(np.float64),
        means=totals / areas["n"].to_numpy(np.float64)[:, None],
        scores=areas["h"].to_numpy(np.float64),
    )


def _add_rows(totals: NDArray, at: NDArray[np.integer], values: NDArray) -> None:
    """totals[at[i]] += values[i] for every i; `np.add.at` is slow on wide rows."""
    if not len(at):
        return
    order = np.argsort(at, kind="stable")
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    totals[at[order][starts]] += np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)


def _joined(one: Areas, other: Areas) -> Areas:
    """Two sets of areas as one; an area in both (scheme `location`) stays twice."""
    names = Areas.__dataclass_fields__
    return Areas(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in names))
