"""How the network of a pair compares with its baselines: cells of tables, and sentences.

The metrics are those of `predictions`; here they are chosen, set side by side and put into words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.evaluation import (
    COORDINATES,
    MIN_AREAS,
    NETWORK,
    SPATIAL_BLOCK,
    metric_value,
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
    COORDINATES: "Coordinates only",
    "ridge": "Ridge on codes",
    "image_count": "Number of images",
    "constant": "Constant",
    "coordinates_and_score": "Coordinates and network",
}
_HEADLINE = "kappa_quadratic"
# The network alone gives probabilities, and no value of Moran's I is the best.
_UNRANKED = frozenset({"rps", "moran_i_residuals", "moran_p_residuals"})
_SIGNIFICANT = 0.05
_BOTH = "coordinates_and_score"  # contains the network's own score, so it is not its baseline


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
        return "none" if np.isnan(self.value) else f"{self.value:.2f}"

    @property
    def interval(self) -> str:
        """`0.41 to 0.52`, empty where there is none."""
        return "" if np.isnan(self.lower) else f"{self.lower:.2f} to {self.upper:.2f}"


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


def columns(pairs: Sequence[PairResults], scheme: str) -> list[Column]:
    """Every model and scheme that occurs: first those under the study's, the network ahead.

    Args:
        scheme: of the study's folds.
    """
    present = {
        (str(model), str(own))
        for each in pairs
        for model, own in zip(each.metrics["model"], each.metrics["scheme"], strict=True)
    }
    ranks = {model: rank for rank, model in enumerate(MODEL_TITLES)}

    def order(key: tuple[str, str]) -> tuple[bool, int, str]:
        return key[1] != scheme, ranks.get(key[0], len(ranks)), key[0]

    return [Column(*key) for key in sorted(present, key=order)]


def row(results: PairResults, metric: str, shown: Sequence[Column], scheme: str) -> list[Cell]:
    """A metric's cell for each column; the best under the study's scheme are marked."""
    rows = results.metrics[results.metrics["metric"] == metric].set_index(["model", "scheme"])
    cells = []
    for column in shown:
        key = (column.model, column.scheme)
        numbers = rows.loc[key, ["value", "lower", "upper"]] if key in rows.index else [np.nan] * 3
        own, lower, upper = (float(number) for number in numbers)
        cells.append(Cell(own, lower, upper))
    sign = -1 if metric in LOWER_IS_BETTER else 1
    ranked = [
        sign * round(cell.value, 2) if column.scheme == scheme else np.nan
        for cell, column in zip(cells, shown, strict=True)
    ]
    if metric in _UNRANKED or np.isnan(ranked).all():
        return cells
    top = np.nanmax(ranked)
    return [
        Cell(cell.value, cell.lower, cell.upper, best=rank == top)
        for cell, rank in zip(cells, ranked, strict=True)
    ]


def value(results: PairResults, metric: str, model: str, scheme: str) -> float:
    """One metric of one model under one scheme; NaN where there is none."""
    return metric_value(results.metrics, metric, model, scheme)


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
        text for each share), `own` and `coordinates`, "-" where there is none.
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
        rows.append(line | {"coordinates": by_network.get(COORDINATES, "-")})
    return [f"{share:.3g}" for share in shares], rows


def _mean_and_range(line: Any) -> str:
    """The mean over the repeats of one share, with their range (a row of the summary)."""
    if np.isnan(line.mean):
        return "-"
    if line.n_repeats == 1:
        return f"{line.mean:.2f}"
    return f"{line.mean:.2f} ({line.lowest:.2f} to {line.highest:.2f})"


# -- sentences -------------------------------------------------------------------------------------


def sentences(results: PairResults, scheme: str) -> list[str]:
    """How the network compares with each baseline, by quadratic kappa, and what to beware of."""
    n = len(results.areas)
    few = [f"Only {n} areas, fewer than {MIN_AREAS}: the metrics mean little."]
    said = few if n < MIN_AREAS else []
    said += [_lead(results, baseline, scheme) for baseline in _baselines(results, scheme)]
    said += _jointly(results, scheme) + _beside_the_map(results, scheme)
    said += _spatial(results, scheme) + _clustered(results, scheme)
    return [sentence for sentence in said if sentence]


def matching_baselines(results: PairResults, scheme: str) -> list[str]:
    """Baselines whose quadratic kappa is at least the network's, on the same folds."""
    own = value(results, _HEADLINE, NETWORK, scheme)
    return [
        baseline
        for baseline in _baselines(results, scheme)
        if value(results, _HEADLINE, baseline, scheme) >= own
    ]


def _baselines(results: PairResults, scheme: str) -> list[str]:
    rows = results.comparisons[results.comparisons["scheme"] == scheme]
    compared = set(rows["baseline"]) - {_BOTH}
    return [model for model in MODEL_TITLES if model in compared]


def _lead(results: PairResults, baseline: str, scheme: str) -> str:
    rows = results.comparisons
    here = (rows["baseline"] == baseline) & (rows["scheme"] == scheme)
    lead = rows[here & (rows["metric"] == _HEADLINE)].iloc[0]
    name, difference = MODEL_TITLES[baseline].lower(), lead["difference"]
    if np.isnan(difference):
        return ""
    gap = f"{abs(difference):.2f}"
    bounds = f"95 % interval of the lead {lead['lower']:.2f} to {lead['upper']:.2f}"
    chance = ", which may be chance" if lead["lower"] <= 0 <= lead["upper"] else ""
    if difference == 0:
        return f"“{name}” does as well as the network ({bounds})."
    if difference < 0:
        return f"“{name}” does better than the network, by {gap}{chance} ({bounds})."
    return f"The network is ahead of “{name}” by {gap}{chance} ({bounds})."


def _jointly(results: PairResults, scheme: str) -> list[str]:
    own = value(results, _HEADLINE, NETWORK, scheme)
    joint = value(results, _HEADLINE, JOINT_NETWORK, scheme)
    if np.isnan([own, joint]).any():
        return []
    reached = f"reaches {joint:.2f}, one trained on this outcome alone {own:.2f}"
    return [f"One network trained on all of the city's outcomes {reached}."]


def _beside_the_map(results: PairResults, scheme: str) -> list[str]:
    both = value(results, _HEADLINE, _BOTH, scheme)
    alone = value(results, _HEADLINE, COORDINATES, scheme)
    if np.isnan([both, alone]).any():
        return []
    said = "adds to what the map says" if both > alone else "adds nothing to what the map says"
    return [f"The network's score {said}: {alone:.2f} by coordinates alone, {both:.2f} by both."]


def _spatial(results: PairResults, scheme: str) -> list[str]:
    alone = value(results, _HEADLINE, COORDINATES, scheme)
    blocked = value(results, _HEADLINE, COORDINATES, SPATIAL_BLOCK)
    if scheme == SPATIAL_BLOCK or np.isnan([alone, blocked]).any():
        return []
    said = f"Coordinates alone reach {alone:.2f} on these folds, {blocked:.2f} on spatial blocks"
    if blocked >= alone:
        return [f"{said}: close neighbours are not what carries these metrics."]
    return [f"{said}: the difference is what close neighbours give any model on these folds."]


def _clustered(results: PairResults, scheme: str) -> list[str]:
    moran = value(results, "moran_i_residuals", NETWORK, scheme)
    p = value(results, "moran_p_residuals", NETWORK, scheme)
    if np.isnan([moran, p]).any():
        return []
    said = "do not cluster in space"
    if p < _SIGNIFICANT:
        said = f"are {'alike' if moran > 0 else 'unlike'} in neighbouring areas"
    return [f"The network's errors {said} (Moran's I {moran:.2f}, p {p:.3f})."]
