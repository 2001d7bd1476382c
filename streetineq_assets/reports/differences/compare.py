"""Which areas and metrics of two sides differ, and by how much: pure functions on frames.

**Beyond its intervals.** Each side gives an area a decile and an interval, which holds the area's
*actual* decile at the level of the study. A move is `BEYOND` where each side's decile lies outside
the other's interval: B now says what A had left out, and A had said what B now leaves out. Where
only one of the two lies outside, one side was merely less sure, as [1, 10] is beside [8, 9], and
the move is `PARTLY` beyond. Where either side has no interval it is `UNTESTED`. The rule treats A
and B alike.

It is a list to look at, and no test. In simulation (`test_compare`), on areas of which nothing had
changed, hardly any move was `BEYOND` where the errors of the two networks were nearly the same, as
those of two seeds are; where they were independent, as with other images, up to one area in six
was, since two predictions lie farther from each other than either lies from the truth. Of areas
whose own truth had moved by two standard deviations, nine in ten were where scores and truth
correlate at .9, and under half at .7. To ask that the two intervals have no decile in common would
be stricter, and find half of these at .9 and hardly any at .7.

Deciles are ranks among the areas of one side: where an area rises another falls, and where areas
came or went others move.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from streetineq_assets.predictions.evaluation import MAP_KNN, NETWORK
from streetineq_assets.predictions.headline import HEADLINE_METRICS
from streetineq_assets.reports.differences.tables import (
    AREA_KEYS,
    AREA_VALUES,
    CHANGED_AREAS,
    METRIC_KEYS,
    METRIC_VALUES,
)
from streetineq_assets.tables import conform

BEYOND, PARTLY = "beyond both intervals", "beyond one interval"
WITHIN, UNTESTED = "within both intervals", "not tested"
UNMOVED, ONLY_A, ONLY_B = "not moved", "only in A", "only in B"
MOVED = (BEYOND, PARTLY, WITHIN, UNTESTED)
_ORDER = (*MOVED, UNMOVED, ONLY_A, ONLY_B)
FLAGS = ("is_published", "too_uncertain_to_rank")
SIZES = ("0", "1", "2", "3 or more")
_SHOWN_MODELS = (NETWORK, MAP_KNN)
_ROUNDING = 1e-5  # CSV files have six digits
_FEWEST = 3  # areas of a correlation


@dataclass(frozen=True)
class PairDifference:
    """How the areas and metrics of one pair differ.

    Attributes:
        pair: its key.
        areas: `tables.CHANGED_AREAS` of the areas that moved, are of one side alone, or have
            another actual decile or flag; in the order of `most_moved_first`.
        n_both: areas that both sides rank.
        sizes: how many of these moved by how many deciles, by `SIZES`.
        mean_move: their mean absolute move in deciles; NaN without any.
        rank_correlation: Spearman's, of the two sides' scores; NaN where it is undefined.
        n_scores, n_intervals, n_relabelled: how many of them have another score, another interval,
            another actual decile.
        flags: flag to how many of them changed, by value in A and in B: `yes`, `no`, `not known`.
        metrics: `METRIC_KEYS`, `METRIC_VALUES` with `_a` and `_b`, and `differs`.
    """

    pair: str
    areas: pd.DataFrame
    n_both: int
    sizes: Mapping[str, int]
    mean_move: float
    rank_correlation: float
    n_scores: int
    n_intervals: int
    n_relabelled: int
    flags: Mapping[str, Mapping[tuple[str, str], int]]
    metrics: pd.DataFrame

    @cached_property
    def verdicts(self) -> dict[str, int]:
        """How many of `areas` are of which verdict."""
        counts = self.areas["verdict"].value_counts()
        return {verdict: int(counts.get(verdict, 0)) for verdict in _ORDER}

    @property
    def moved(self) -> pd.DataFrame:
        """The areas whose decile is another."""
        return self.areas[self.areas["verdict"].isin(MOVED)]

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        counted = len(self.areas) + self.n_scores + self.n_intervals
        return counted > 0 or bool(self.metrics["differs"].any())

    def only(self, verdict: str) -> list[str]:
        """Codes of the areas that are `ONLY_A` or `ONLY_B`."""
        return sorted(self.areas.loc[self.areas["verdict"] == verdict, "area"])


def compare_pairs(
    areas: tuple[pd.DataFrame, pd.DataFrame], metrics: tuple[pd.DataFrame, pd.DataFrame]
) -> list[PairDifference]:
    """The differences of every pair that has areas on both sides, by key.

    Args:
        areas: `tables.AREAS` of A and of B.
        metrics: `tables.METRICS` of A and of B.
    """
    by_pair = dict(iter(compare_areas(*areas).groupby(["city", "outcome"])))
    scored = dict(iter(_compare_metrics(*metrics).groupby(["city", "outcome"])))
    none = _compare_metrics(*(frame.head(0) for frame in metrics))
    both = sorted(set.intersection(*(_pairs(frame) for frame in areas)))
    return [_pair(by_pair[key], scored.get(key, none)) for key in both]


def compare_areas(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Every area that either side ranks, by key.

    Args:
        a, b: `tables.AREAS`.

    Returns:
        `tables.CHANGED_AREAS`, with missing values in the columns of a side that lacks an area, and
        `same_score, same_interval, same_label, same_flags` (bool): true of areas of one side, too.
    """
    joined = _nullable(a).merge(
        _nullable(b), on=list(AREA_KEYS), how="outer", suffixes=("_a", "_b"), indicator="side"
    )
    joined["move"] = joined["decile_b"] - joined["decile_a"]
    joined["verdict"] = _verdicts(joined)
    alone = joined["side"] != "both"
    whole = {"interval": ("lower", "upper"), "label": ("actual_decile",), "flags": FLAGS}
    alike = {
        f"same_{what}": alone | np.logical_and.reduce([_equal(joined, name) for name in names])
        for what, names in whole.items()
    }
    close = _close(joined["score_a"], joined["score_b"])
    return joined.assign(**alike, same_score=alone | close).drop(columns="side")


def rank_correlation(a: pd.Series, b: pd.Series) -> float:
    """Spearman's correlation, with average ranks; NaN for a constant, or fewer than three."""
    ranks = [scores.rank().to_numpy(np.float64) for scores in (a, b)]
    if len(a) < _FEWEST or any(np.ptp(each) == 0 for each in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def _pairs(areas: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(areas["city"], areas["outcome"], strict=True))


def _pair(rows: pd.DataFrame, metrics: pd.DataFrame) -> PairDifference:
    both = rows[~rows["verdict"].isin([ONLY_A, ONLY_B])]
    size = both["move"].abs().to_numpy(np.int64)
    counts = np.bincount(np.minimum(size, len(SIZES) - 1), minlength=len(SIZES))
    unchanged = (rows["verdict"] == UNMOVED) & rows["same_label"] & rows["same_flags"]
    return PairDifference(
        pair="/".join(rows[["city", "outcome"]].iloc[0]),
        areas=conform(most_moved_first(rows[~unchanged]), CHANGED_AREAS),
        n_both=len(both),
        sizes=dict(zip(SIZES, counts.tolist(), strict=True)),
        mean_move=float(size.mean()) if len(size) else float("nan"),
        rank_correlation=rank_correlation(both["score_a"], both["score_b"]),
        n_scores=int((~both["same_score"]).sum()),
        n_intervals=int((~both["same_interval"]).sum()),
        n_relabelled=int((~both["same_label"]).sum()),
        flags={flag: _transitions(both, flag) for flag in FLAGS},
        metrics=metrics.reset_index(drop=True),
    )


def most_moved_first(rows: pd.DataFrame) -> pd.DataFrame:
    """The areas beyond their intervals first, of these those that moved most; ties by key."""
    order = rows["verdict"].map({verdict: rank for rank, verdict in enumerate(_ORDER)})
    keyed = rows.assign(order=order, size=-rows["move"].abs().astype("float64"))
    return keyed.sort_values(["order", "size", *AREA_KEYS]).drop(columns=["order", "size"])


def _verdicts(joined: pd.DataFrame) -> np.ndarray:
    a, b, move = (_numbers(joined[name]) for name in ("decile_a", "decile_b", "move"))
    ends = {each: _numbers(joined[each]) for each in ("lower_a", "upper_a", "lower_b", "upper_b")}
    left_out_by_a = (b < ends["lower_a"]) | (b > ends["upper_a"])
    left_out_by_b = (a < ends["lower_b"]) | (a > ends["upper_b"])
    cases = {
        ONLY_A: (joined["side"] == "left_only").to_numpy(),
        ONLY_B: (joined["side"] == "right_only").to_numpy(),
        UNMOVED: move == 0,
        UNTESTED: np.logical_or.reduce([np.isnan(each) for each in ends.values()]),
        BEYOND: left_out_by_a & left_out_by_b,
        PARTLY: left_out_by_a | left_out_by_b,
    }
    return np.select(list(cases.values()), list(cases), default=WITHIN).astype(object)


def _transitions(both: pd.DataFrame, flag: str) -> dict[tuple[str, str], int]:
    words = {True: "yes", False: "no"}
    sides = [both[f"{flag}_{side}"].map(words).fillna("not known") for side in "ab"]
    counts = pd.Series(list(zip(*sides, strict=True)), dtype=object).value_counts()
    return {key: int(counts[key]) for key in sorted(counts.index) if key[0] != key[1]}


# -- metrics ---------------------------------------------------------------------------------------


def _compare_metrics(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """The headline metrics of the network and of the nearest areas, under each scheme of folds."""
    kept = [
        frame[frame["metric"].isin(HEADLINE_METRICS) & frame["model"].isin(_SHOWN_MODELS)]
        for frame in (a, b)
    ]
    joined = kept[0].merge(kept[1], on=list(METRIC_KEYS), how="outer", suffixes=("_a", "_b"))
    alike = [_close(joined[f"{name}_a"], joined[f"{name}_b"]) for name in METRIC_VALUES]
    joined["differs"] = ~np.logical_and.reduce(alike)
    order = {name: rank for rank, name in enumerate((*HEADLINE_METRICS, *_SHOWN_MODELS))}
    return joined.sort_values(
        ["city", "outcome", "metric", "model", "scheme"],
        key=lambda column: column.map(order) if column.name in ("metric", "model") else column,
        ignore_index=True,
    )


# -- values that may be missing --------------------------------------------------------------------


def _nullable(areas: pd.DataFrame) -> pd.DataFrame:
    """Of types that may be missing, or pandas makes floats of the integers that are."""
    deciles = dict.fromkeys(("decile", "lower", "upper", "actual_decile"), "Int8")
    return areas[[*AREA_KEYS, *AREA_VALUES]].astype(deciles | dict.fromkeys(FLAGS, "boolean"))


def _numbers(column: pd.Series) -> np.ndarray:
    return column.to_numpy(np.float64, na_value=np.nan)


def _equal(joined: pd.DataFrame, name: str) -> np.ndarray:
    a, b = (_numbers(joined[f"{name}_{side}"]) for side in "ab")
    return (a == b) | (np.isnan(a) & np.isnan(b))


def _close(a: pd.Series, b: pd.Series) -> np.ndarray:
    """Whether numbers are the same in the digits that CSV files have."""
    x, y = _numbers(a), _numbers(b)
    near = np.abs(x - y) <= _ROUNDING * np.maximum(np.abs(x), np.abs(y))
    return near | (np.isnan(x) & np.isnan(y))
