"""How the network of a pair compares with its baselines: cells of tables, and sentences.

The metrics are those of `predictions`; here they are chosen, set side by side and put into words.
Only what was scored on the same folds is compared: those of the pair's networks, which its metrics
name, whatever study.toml says by now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.block_sizes import SPATIAL_BLOCK, uneven_note
from streetineq_assets.predictions.evaluation import (
    GAIN,
    MAP_AND_SCORE,
    MAP_KNN,
    MIN_AREAS,
    NETWORK,
)
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.reports.results import PairResults
from streetineq_assets.transfer.curve import OTHERS, OWN, SHOWN_METRIC, TUNED

LOWER_IS_BETTER = frozenset({"mae", "rps"})
SUMMARY_METRICS = {
    "kappa_quadratic": "Quadratic kappa",
    "spearman_score": "Spearman's correlation of the score with the actual decile",
    "mae": "Mean absolute error, in deciles",
}
METRIC_TITLES = {
    "pearson": "Pearson's r of the deciles",
    "spearman": "Spearman's rho of the deciles",
    "kendall": "Kendall's tau-b of the deciles",
    "pearson_score": "Pearson's r of the score",
    "spearman_score": "Spearman's rho of the score",
    "mae": "Mean absolute error, deciles",
    "rps": "Ranked probability score",
    "kappa": "Cohen's kappa",
    "kappa_linear": "Linear kappa",
    "kappa_quadratic": "Quadratic kappa",
    "accuracy": "Share in the right decile",
    "within_1": "Share within 1 decile",
    "within_2": "Share within 2 deciles",
    "recall_decile_1": "Recall of decile 1 (worst-off)",
    "recall_decile_10": "Recall of decile 10 (best-off)",
    "moran_i_residuals": "Moran's I of the residuals",
    "moran_p_residuals": "its permutation p-value",
}
MODEL_TITLES = {
    NETWORK: "Network",
    JOINT_NETWORK: "Network of all outcomes",
    MAP_KNN: "Nearest areas (map)",
    "map_gaussian_process": "Gaussian process (map)",
    "map_msoa_mean": "Mean of the MSOA (map)",
    "ridge": "Ridge on codes",
    "image_count": "Number of images",
    "constant": "Constant",
    MAP_AND_SCORE: "Map and network",
}
HEADLINE = "kappa_quadratic"
# The network alone gives probabilities, and no value of Moran's I is the best.
_UNRANKED = frozenset({"rps", "moran_i_residuals", "moran_p_residuals"})
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Cell:
    """One metric of one model with its interval, and whether it is the best on its folds."""

    value: float
    lower: float
    upper: float
    best: bool = False

    @property
    def text(self) -> str:
        """The value with two decimals; `none` where it is undefined."""
        return "none" if np.isnan(self.value) else f"{self.value:z.2f}"

    @property
    def interval(self) -> str:
        """`0.41 to 0.52`, empty where there is none."""
        return "" if np.isnan(self.lower) else _range(self.lower, self.upper)


@dataclass(frozen=True)
class Column:
    """One model under one scheme of folds."""

    model: str
    scheme: str

    @property
    def title(self) -> str:
        """The model's name as the report prints it."""
        return MODEL_TITLES.get(self.model, self.model)


# -- tables ----------------------------------------------------------------------------------------


def columns(pairs: Sequence[PairResults]) -> list[Column]:
    """Every model and scheme that occurs: first those on the networks' folds, the network ahead.

    Args:
        pairs: all of one scheme, at least one.
    """
    (scheme,) = {each.scheme for each in pairs}
    present = {
        (str(model), str(own))
        for each in pairs
        for model, own in zip(each.metrics["model"], each.metrics["scheme"], strict=True)
    }
    ranks = {model: rank for rank, model in enumerate(MODEL_TITLES)}

    def order(key: tuple[str, str]) -> tuple[bool, int, str]:
        return key[1] != scheme, ranks.get(key[0], len(ranks)), key[0]

    return [Column(*key) for key in sorted(present, key=order)]


def row(results: PairResults, metric: str, shown: Sequence[Column]) -> list[Cell]:
    """A metric's cell for each column; the best on the networks' folds are marked."""
    rows = results.metrics[results.metrics["metric"] == metric].set_index(["model", "scheme"])
    cells = []
    for column in shown:
        key = (column.model, column.scheme)
        numbers = rows.loc[key, ["value", "lower", "upper"]] if key in rows.index else [np.nan] * 3
        own, lower, upper = (float(number) for number in numbers)
        cells.append(Cell(own, lower, upper))
    sign = -1 if metric in LOWER_IS_BETTER else 1
    ranked = [
        sign * round(cell.value, 2) if column.scheme == results.scheme else np.nan
        for cell, column in zip(cells, shown, strict=True)
    ]
    if metric in _UNRANKED or np.isnan(ranked).all():
        return cells
    top = np.nanmax(ranked)
    return [
        Cell(cell.value, cell.lower, cell.upper, best=rank == top)
        for cell, rank in zip(cells, ranked, strict=True)
    ]


def confusion_shares(confusion: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the 10 x 10 table: `actual`, `n`, and `cells` of share and count."""
    ordered = confusion.sort_values(["actual", "predicted"])
    counts = ordered["n"].to_numpy(int).reshape(10, 10)
    rows = []
    for actual, line in enumerate(counts, start=1):
        total = int(line.sum())
        cells = [{"n": int(n), "share": n / total if total else 0.0} for n in line]
        rows.append({"actual": actual, "n": total, "cells": cells})
    return rows


def transfers(table: pd.DataFrame) -> tuple[list[str], list[dict[str, Any]]]:
    """Rank correlations of tuned networks by share, beside those of the targets' own.

    Args:
        table: `StudyResults.transfer`.

    Returns:
        The shares as headings; and a row per source and target: `source, city, outcome, tuned` (a
        text for each share), `own` and `map_knn`, "-" where there is none.
    """
    shown = table[table["metric"] == SHOWN_METRIC]
    tuned = shown[shown["network"] == TUNED]
    shares = sorted(set(tuned["share"]))
    rows = []
    for (source, city, outcome), group in shown.groupby(["source", "city", "outcome"]):
        texts = {(r.network, r.share): _mean_and_range(r) for r in group.itertuples()}
        by_network = {r.network: _mean_and_range(r) for r in group.itertuples()}
        line = {"source": source, "city": city, "outcome": OUTCOMES[outcome].title}
        line["tuned"] = [texts.get((TUNED, share), "-") for share in shares]
        line["own"] = by_network.get(OWN) or by_network.get(OTHERS, "-")
        rows.append(line | {"map_knn": by_network.get(MAP_KNN, "-")})
    return [f"{share:.3g}" for share in shares], rows


def _mean_and_range(line: Any) -> str:
    """The mean over the repeats of one share, with their range (a row of the summary)."""
    if np.isnan(line.mean):
        return "-"
    if line.n_repeats == 1:
        return f"{line.mean:z.2f}"
    return f"{line.mean:z.2f} ({_range(line.lowest, line.highest)})"


def _range(lower: float, upper: float) -> str:
    """Two ends with two decimals; what rounds to nothing has no sign."""
    return f"{lower:z.2f} to {upper:z.2f}"


# -- sentences -------------------------------------------------------------------------------------


def sentences(results: PairResults) -> list[str]:
    """How the network compares with each baseline, by quadratic kappa, and what to beware of."""
    n = len(results.areas)
    few = [f"Only {n} areas, fewer than {MIN_AREAS}: the metrics mean little."]
    said = few if n < MIN_AREAS else []
    said += [_lead(results, baseline) for baseline in _baselines(results)]
    said += [_jointly(results), _beside_the_map(results), _spatial(results), _clustered(results)]
    return [sentence for sentence in said if sentence]


def matching_baselines(results: PairResults) -> list[str]:
    """Baselines whose quadratic kappa is at least the network's, on the same folds."""
    own = results.value(HEADLINE, NETWORK)
    return [each for each in _baselines(results) if results.value(HEADLINE, each) >= own]


def is_compared(results: PairResults) -> bool:
    """Whether the network and coordinates alone have a quadratic kappa on the same folds."""
    kappas = [results.value(HEADLINE, model) for model in (NETWORK, MAP_KNN)]
    return not np.isnan(kappas).any()


def _baselines(results: PairResults) -> list[str]:
    rows = results.comparisons[results.comparisons["scheme"] == results.scheme]
    compared = set(rows["baseline"]) - {MAP_AND_SCORE}  # it contains the network's own score
    return [model for model in MODEL_TITLES if model in compared]


def _lead(results: PairResults, baseline: str) -> str:
    rows = results.comparisons
    here = (rows["baseline"] == baseline) & (rows["scheme"] == results.scheme)
    leads = rows[here & (rows["metric"] == HEADLINE)].dropna(subset=["difference"])
    if leads.empty:
        return ""
    lead, name = leads.iloc[0], MODEL_TITLES[baseline].lower()
    difference, lower, upper = (float(lead[end]) for end in ("difference", "lower", "upper"))
    gap = f"{abs(difference):.2f}"
    bounds = "no interval of the lead"
    if not np.isnan([lower, upper]).any():
        bounds = f"95 % interval of the lead {_range(lower, upper)}"
    chance = "" if lower > 0 or upper < 0 else ", which may be chance"
    if difference == 0:
        return f"“{name}” does as well as the network ({bounds})."
    if difference < 0:
        return f"“{name}” does better than the network, by {gap}{chance} ({bounds})."
    return f"The network is ahead of “{name}” by {gap}{chance} ({bounds})."


def _jointly(results: PairResults) -> str:
    own, joint = (results.value(HEADLINE, model) for model in (NETWORK, JOINT_NETWORK))
    if np.isnan([own, joint]).any():
        return ""
    reached = f"reaches {joint:z.2f}, one trained on this outcome alone {own:z.2f}"
    return f"One network trained on all of the city's outcomes {reached}."


def _beside_the_map(results: PairResults) -> str:
    """What the network knows beyond the map, by the interval of the paired difference."""
    rows = results.metrics[results.metrics["metric"] == GAIN].dropna(subset=["lower", "upper"])
    if rows.empty:
        return ""
    gain, lower, upper = (float(rows[end].iloc[0]) for end in ("value", "lower", "upper"))
    alone, both = (results.value(HEADLINE, model) for model in (MAP_KNN, MAP_AND_SCORE))
    said = "is not shown to add to what the map says"
    if lower > 0:
        said = "adds to what the map says"
    elif upper < 0:
        said = "takes from what the map says"
    return (
        f"The network's score {said}: {alone:z.2f} by coordinates alone, {both:z.2f} by both "
        f"(difference {gain:z.2f}, 95 % interval {_range(lower, upper)})."
    )


def _spatial(results: PairResults) -> str:
    if note := uneven_note(results.uneven_blocks):
        return note
    alone = results.value(HEADLINE, MAP_KNN)
    blocked = results.value(HEADLINE, MAP_KNN, SPATIAL_BLOCK)
    if results.scheme == SPATIAL_BLOCK or np.isnan([alone, blocked]).any():
        return ""
    said = f"Coordinates alone reach {alone:z.2f} on these folds, {blocked:z.2f} on spatial blocks"
    if blocked >= alone:
        return f"{said}: close neighbours are not what carries these metrics."
    return f"{said}: the difference is what close neighbours give any model on these folds."


def _clustered(results: PairResults) -> str:
    moran, p = (results.value(f"moran_{what}_residuals", NETWORK) for what in "ip")
    if np.isnan([moran, p]).any():
        return ""
    said = "do not cluster in space"
    if p < _SIGNIFICANT:
        said = f"are {'alike' if moran > 0 else 'unlike'} in neighbouring areas"
    return f"The network's errors {said} (Moran's I {moran:z.2f}, p {p:.3f})."
