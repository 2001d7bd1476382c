"""The checks of this step: of folds, of trained networks, of baselines."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.findings import AVAILABLE, Check, CheckSpec, Scalar
from streetineq_assets.models.folds import LEAKY, FoldTable, Split, scheme_note
from streetineq_assets.models.tables import PROBABILITIES

AREAS_ONCE = CheckSpec("areas_once", "Every labelled area is in the table once.", blocking=True)
FOLDS_FILLED = CheckSpec("folds_filled", "Every fold tests some areas.", blocking=True)
FOLDS_BALANCED = CheckSpec("folds_balanced", "Folds differ little in size and mean decile.")
NO_LEAK = CheckSpec("no_leak", "No scheme splits an area between training and test.")
AREA_FOLDS = (AVAILABLE, AREAS_ONCE, FOLDS_FILLED, FOLDS_BALANCED, NO_LEAK)

OUT_OF_FOLD = CheckSpec(
    "out_of_fold", "Every location used is scored once, by the fold that tests it.", blocking=True
)
NO_SHARED_AREAS = CheckSpec(
    "no_leak", "No area is in two of training, validation and test.", blocking=True
)
VALID_PROBABILITIES = CheckSpec(
    "probabilities", "Scores are finite, ten probabilities sum to 1.", blocking=True
)
LABELS_COVER_LOCATIONS = CheckSpec(
    "labels_cover_locations", "At least half of the placed locations have a label."
)
LEARNED = CheckSpec(
    "learned", "On areas that they never saw, networks lose less than the best constant answer."
)
TRAINED_MODEL = (
    AVAILABLE,
    OUT_OF_FOLD,
    NO_SHARED_AREAS,
    VALID_PROBABILITIES,
    LABELS_COVER_LOCATIONS,
    LEARNED,
)
JOINT_MODEL = (AVAILABLE,)

ONE_SCORE_PER_AREA = CheckSpec(
    "one_score_per_area", "One score per baseline, scheme and area.", blocking=True
)
BASELINES_OUT_OF_FOLD = CheckSpec(
    "out_of_fold", "Every area is scored in the fold that tests it.", blocking=True
)
BASELINE_SCORES = (AVAILABLE, ONE_SCORE_PER_AREA, BASELINES_OUT_OF_FOLD)

_LARGEST_RATIO, _LARGEST_SPREAD = 1.25, 0.5
_FEWEST_LABELLED = 0.5
_SUM_TOLERANCE = 1e-3
_FEWEST_AREAS, _FEWEST_AREAS_OF_FOLD = 10, 100
_NORMAL_95 = 1.96


def fold_checks(table: FoldTable, areas: pd.DataFrame, balance: pd.DataFrame) -> list[Check]:
    """The checks of a fold table.

    Args:
        areas: `area, decile`, the areas that have a label.
        balance: of `folds.balance`.
    """
    codes = table.areas["area"]
    once = not codes.duplicated().any() and set(codes) >= set(areas["area"])
    n_folds = len(table.folds)
    return [
        AVAILABLE.result(len(codes) > 0, f"{len(codes)} areas for {n_folds} folds"),
        AREAS_ONCE.result(once, f"{len(codes)} areas, {len(areas)} of them labelled"),
        FOLDS_FILLED.result(n_folds > 0, f"{n_folds} folds"),
        _folds_balanced(table, balance),
        NO_LEAK.result(
            table.scheme not in LEAKY, scheme_note([table.scheme]) or "areas are kept whole"
        ),
    ]


def _folds_balanced(table: FoldTable, balance: pd.DataFrame) -> Check:
    """Of folds of areas; those of single locations have no mean decile of their own."""
    sizes = table.tested.loc[table.tested["fold"] >= 0, "fold"].value_counts()
    ratio = float(sizes.max() / sizes.min())
    values: dict[str, Scalar] = {"largest_over_smallest": ratio}
    passed = ratio <= _LARGEST_RATIO
    what = "areas" if table.locations is None else "locations"
    text = (
        f"the largest fold has {ratio:.2f} times the {what} of the smallest (limit "
        f"{_LARGEST_RATIO})"
    )
    if table.locations is None:
        means = balance.loc[balance["fold"] >= 0, "mean_decile"].to_numpy(np.float64)
        spread = float(np.ptp(means)) if len(means) else float("nan")
        passed = passed and spread <= _LARGEST_SPREAD
        values["mean_decile_spread"] = spread
        text += f", mean deciles differ by {spread:.2f} (limit {_LARGEST_SPREAD})"
    if not passed:
        text += (
            ": metrics of single folds are not comparable; a smaller `block_km` or `k` under "
            "[folds] in study.toml evens them out"
        )
    return FOLDS_BALANCED.result(passed, text, of=len(sizes), **values)


def training_checks(
    scores: pd.DataFrame,
    rows: pd.DataFrame,
    splits: Mapping[int, Split],
    *,
    counts: Mapping[str, int],
    losses: pd.DataFrame,
    scheme: str,
) -> list[Check]:
    """The checks of one outcome's networks.

    Args:
        scores: `models.tables.SCORES`.
        rows: `location_id, area` of the locations with this outcome's label.
        splits: fold to its split of `rows`.
        counts: of the city's own locations, by `dataset.labelled_rows`.
        losses: of `learning.losses_of_areas`.
    """
    return [
        AVAILABLE.result(True, "labels, codes and folds are there", of=len(rows)),
        _out_of_fold(scores, rows, splits),
        _no_shared_areas(rows, splits, scheme),
        valid_probabilities(scores),
        _labels_cover_locations(counts),
        _learned(losses),
    ]


def _out_of_fold(scores: pd.DataFrame, rows: pd.DataFrame, splits: Mapping[int, Split]) -> Check:
    tested = pd.concat(
        [rows.loc[s.test, ["location_id"]].assign(fold=fold) for fold, s in splits.items()]
    ).sort_values("location_id", ignore_index=True)
    keys = ["location_id", "fold"]
    same = len(tested) == len(scores) and bool((tested[keys] == scores[keys]).all(axis=None))
    once = not scores["location_id"].duplicated().any()
    scored = same and once and len(scores) > 0
    return OUT_OF_FOLD.result(scored, f"{len(scores)} scores of {len(tested)} tested locations")


def _no_shared_areas(rows: pd.DataFrame, splits: Mapping[int, Split], scheme: str) -> Check:
    shared = 0
    for split in splits.values():
        train, validation, test = (
            set(rows["area"][mask]) for mask in (split.train, split.validation, split.test)
        )
        shared += len(train & validation)
        shared += 0 if scheme in LEAKY else len(test & (train | validation))
    text = f"{shared} areas are in two parts"
    return NO_SHARED_AREAS.result(shared == 0, text, of=len(rows))


def valid_probabilities(scores: pd.DataFrame) -> Check:
    """Whether every row has a finite score and a distribution over ten deciles.

    Args:
        scores: `location_id, h, p_1 .. p_10`.
    """
    p = scores[list(PROBABILITIES)].to_numpy(np.float64)
    sums = np.abs(p.sum(axis=1) - 1) < _SUM_TOLERANCE
    valid = sums & (p >= 0).all(axis=1) & np.isfinite(scores["h"].to_numpy(np.float64))
    n_invalid = int((~valid).sum())
    text = f"{n_invalid} rows have no finite score or no distribution over ten deciles"
    if n_invalid:
        first = scores["location_id"].to_numpy()[~valid][0]
        text += f", such as that of location {first}; materialise the networks again"
    return VALID_PROBABILITIES.result(n_invalid == 0, text, of=len(scores), n_invalid=n_invalid)


def _labels_cover_locations(counts: Mapping[str, int]) -> Check:
    placed = counts["n_locations_used"] + counts["n_locations_without_label"]
    covered = counts["n_locations_used"] / max(placed, 1)
    return LABELS_COVER_LOCATIONS.result(
        covered >= _FEWEST_LABELLED,
        f"{covered:.1%} of {placed} placed locations have a label",
        share_labelled=covered,
    )


def _learned(losses: pd.DataFrame) -> Check:
    """By the 95 % interval of the mean gain over areas, taken as independent; no large fold fails.

    A normal interval of paired differences: area by area, the constant's loss less the network's.
    """
    gain = (losses["constant_loss"] - losses["loss"]).to_numpy(np.float64)
    n = len(gain)
    if n < _FEWEST_AREAS:
        return LEARNED.not_tested(
            f"{n} areas are scored, and losses are compared from {_FEWEST_AREAS} on: add images of "
            "more areas"
        )
    mean, half = float(gain.mean()), _NORMAL_95 * float(gain.std(ddof=1)) / np.sqrt(n)
    failing = _folds_that_gain_nothing(losses["fold"], gain)
    learned = mean - half > 0 and not failing
    text = (
        f"over {n} areas the networks lose {losses['loss'].mean():.3f} nats and the head's best "
        f"constant {losses['constant_loss'].mean():.3f}: {mean:.3f} gained, 95 % interval "
        f"{mean - half:.3f} to {mean + half:.3f} (limit: above 0)"
    )
    if not learned:
        where = f" in fold {', '.join(map(str, failing))}" if failing else ""
        text += (
            f". That they learned anything is not shown{where}, and ranks by their scores mean "
            "little: add images, or raise epochs or learning_rate under [training.overrides] in "
            "study.toml"
        )
    return LEARNED.result(learned, text, gain=mean, gain_lower=mean - half)


def _folds_that_gain_nothing(folds: pd.Series, gain: NDArray[np.float64]) -> list[int]:
    """Of those large enough that a gain of nothing is no chance."""
    by_fold = pd.Series(gain).groupby(folds.to_numpy()).agg(["mean", "size"])
    none = (by_fold["mean"] <= 0) & (by_fold["size"] >= _FEWEST_AREAS_OF_FOLD)
    return [int(fold) for fold in by_fold.index[none]]


def baseline_checks(baselines: pd.DataFrame, tables: Mapping[str, FoldTable]) -> list[Check]:
    """The checks of the baselines' scores.

    Args:
        baselines: `models.tables.BASELINES`.
        tables: scheme to the fold table that it was scored on.
    """
    twice = int(baselines.duplicated(["baseline", "scheme", "area"]).sum())
    astray = sum(_astray(baselines[baselines["scheme"] == s], t) for s, t in tables.items())
    return [
        AVAILABLE.result(len(baselines) > 0, f"{len(baselines)} scores"),
        ONE_SCORE_PER_AREA.result(
            twice == 0,
            f"{twice} of {len(baselines)} scores are repeated",
            of=len(baselines),
        ),
        BASELINES_OUT_OF_FOLD.result(
            astray == 0,
            f"{astray} areas were scored in a fold that does not test them",
            of=len(baselines),
        ),
    ]


def _astray(scores: pd.DataFrame, table: FoldTable) -> int:
    if table.locations is not None:  # an area is in several folds, and its score their mean
        return int((scores["fold"] != -1).sum())
    fold_of = table.areas.set_index("area")["fold"]
    return int((fold_of.reindex(scores["area"]).to_numpy() != scores["fold"].to_numpy()).sum())
