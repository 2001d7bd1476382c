"""What the report says of a pair: the cells of its tables, and sentences that do not flatter.

What belongs here: choosing, comparing and phrasing published figures. What does not: calculating
them (`predictions`), and HTML (`html`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.evaluation import COORDINATES, MIN_AREAS, NETWORK, SPATIAL_BLOCK
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.reports.results import PairEvidence
from streetineq_assets.transfer.curve import OTHERS, OWN, TUNED

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
# The network alone gives probabilities, and of Moran's I none is the best.
_UNRATED = frozenset({"rps", "moran_i_residuals", "moran_p_residuals"})
_SIGNIFICANT = 0.05
# It contains the network's own score, so it is no rival of it.
_NO_RIVAL = frozenset({"coordinates_and_score"})


@dataclass(frozen=True)
class Cell:
    """One figure with its interval, and whether it is the best of those on the same folds."""

    value: float
    lower: float
    upper: float
    best: bool = False

    @property
    def text(self) -> str:
        """The figure with two decimals, a word where there is none."""
        return "none" if np.isnan(self.value) else f"{self.value:.2f}"

    @property
    def interval(self) -> str:
        """`.41 to .52`, empty where there is none."""
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


def columns(pairs: list[PairEvidence], scheme: str) -> list[Column]:
    """Every model and scheme that occurs: first those on the study's folds, the network ahead."""
    seen = {
        (str(model), str(own))
        for pair in pairs
        for model, own in zip(pair.metrics["model"], pair.metrics["scheme"], strict=True)
    }
    order = {model: place for place, model in enumerate(MODEL_TITLES)}

    def place(key: tuple[str, str]) -> tuple[bool, int, str]:
        return key[1] != scheme, order.get(key[0], len(order)), key[0]

    return [Column(*key) for key in sorted(seen, key=place)]


def row(pair: PairEvidence, metric: str, shown: list[Column], scheme: str) -> list[Cell]:
    """A metric's cell for each column; the best ones on the study's folds are marked."""
    rows = pair.metrics[pair.metrics["metric"] == metric].set_index(["model", "scheme"])
    cells = []
    for column in shown:
        key = (column.model, column.scheme)
        found = rows.loc[key, ["value", "lower", "upper"]] if key in rows.index else [np.nan] * 3
        cells.append(Cell(*(float(number) for number in found)))
    sign = -1 if metric in LOWER_IS_BETTER else 1
    rated = [
        sign * round(cell.value, 2) if column.scheme == scheme else np.nan
        for cell, column in zip(cells, shown, strict=True)
    ]
    if metric in _UNRATED or np.isnan(rated).all():
        return cells
    top = np.nanmax(rated)
    return [
        Cell(cell.value, cell.lower, cell.upper, best=rate == top)
        for cell, rate in zip(cells, rated, strict=True)
    ]


def verdict(pair: PairEvidence, scheme: str) -> list[str]:
    """What the figures say of the network, in sentences, on quadratic kappa."""
    sentences = [_few_areas(pair)] if len(pair.areas) < MIN_AREAS else []
    sentences += [_against(pair, rival, scheme) for rival in _rivals(pair, scheme)]
    sentences += _jointly(pair, scheme) + _beside_the_map(pair, scheme)
    sentences += _spatial(pair, scheme) + _clustered(pair, scheme)
    return [sentence for sentence in sentences if sentence]


def beaten_by(pair: PairEvidence, scheme: str) -> list[str]:
    """Baselines whose quadratic kappa is at least the network's, on the same folds."""
    own = value(pair, "kappa_quadratic", NETWORK, scheme)
    return [
        rival
        for rival in _rivals(pair, scheme)
        if value(pair, "kappa_quadratic", rival, scheme) >= own
    ]


def _few_areas(pair: PairEvidence) -> str:
    return f"Only {len(pair.areas)} areas, fewer than {MIN_AREAS}: the figures mean little."


def _rivals(pair: PairEvidence, scheme: str) -> list[str]:
    rows = pair.comparisons[pair.comparisons["scheme"] == scheme]
    return [m for m in MODEL_TITLES if m in set(rows["baseline"]) and m not in _NO_RIVAL]


def _against(pair: PairEvidence, rival: str, scheme: str) -> str:
    rows = pair.comparisons
    here = (rows["baseline"] == rival) & (rows["scheme"] == scheme)
    lead = rows[here & (rows["metric"] == "kappa_quadratic")].iloc[0]
    name, difference = MODEL_TITLES[rival].lower(), lead["difference"]
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


def _jointly(pair: PairEvidence, scheme: str) -> list[str]:
    own = value(pair, "kappa_quadratic", NETWORK, scheme)
    joint = value(pair, "kappa_quadratic", JOINT_NETWORK, scheme)
    if np.isnan([own, joint]).any():
        return []
    reached = f"reaches {joint:.2f}, one trained on this outcome alone {own:.2f}"
    return [f"One network trained on all of the city's outcomes {reached}."]


def _beside_the_map(pair: PairEvidence, scheme: str) -> list[str]:
    both = value(pair, "kappa_quadratic", "coordinates_and_score", scheme)
    alone = value(pair, "kappa_quadratic", COORDINATES, scheme)
    if np.isnan([both, alone]).any():
        return []
    said = "adds to what the map says" if both > alone else "adds nothing to what the map says"
    return [f"The network's score {said}: {alone:.2f} by coordinates alone, {both:.2f} by both."]


def _spatial(pair: PairEvidence, scheme: str) -> list[str]:
    alone = value(pair, "kappa_quadratic", COORDINATES, scheme)
    blocked = value(pair, "kappa_quadratic", COORDINATES, SPATIAL_BLOCK)
    if scheme == SPATIAL_BLOCK or np.isnan([alone, blocked]).any():
        return []
    said = f"Coordinates alone reach {alone:.2f} on these folds, {blocked:.2f} on spatial blocks"
    if blocked >= alone:
        return [f"{said}: neighbours do not carry these figures."]
    return [f"{said}: the difference is what close neighbours give any model on these folds."]


def _clustered(pair: PairEvidence, scheme: str) -> list[str]:
    moran = value(pair, "moran_i_residuals", NETWORK, scheme)
    p = value(pair, "moran_p_residuals", NETWORK, scheme)
    if np.isnan([moran, p]).any():
        return []
    said = "do not cluster in space"
    if p < _SIGNIFICANT:
        said = f"are {'alike' if moran > 0 else 'unlike'} in neighbouring areas"
    return [f"The network's errors {said} (Moran's I {moran:.2f}, p {p:.3f})."]


def value(pair: PairEvidence, metric: str, model: str, scheme: str) -> float:
    """One figure of one model under one scheme; NaN where there is none."""
    rows = pair.metrics
    here = (rows["metric"] == metric) & (rows["model"] == model) & (rows["scheme"] == scheme)
    return float(rows.loc[here, "value"].iloc[0]) if here.any() else float("nan")


def confusion_shares(confusion: pd.DataFrame) -> list[dict]:
    """Rows of the 10 x 10 table: `actual`, `n`, and `cells` of share and count."""
    ordered = confusion.sort_values(["actual", "predicted"])
    counts = ordered["n"].to_numpy(int).reshape(10, 10)
    rows = []
    for place, line in enumerate(counts):
        total = int(line.sum())
        shares = [n / total if total else 0.0 for n in line]
        rows.append(
            {
                "actual": place + 1,
                "n": total,
                "cells": [
                    {"n": int(n), "share": share} for n, share in zip(line, shares, strict=True)
                ],
            }
        )
    return rows


def transfers(table: pd.DataFrame) -> tuple[list[str], list[dict]]:
    """Rank correlations of tuned networks by share, beside those of the targets' own.

    Args:
        table: `Evidence.transfer`.

    Returns:
        The shares as headings; and a row per source and target: `source, city, outcome, tuned` (a
        text for each share), `own` and `coordinates`, "-" where there is none.
    """
    shown = table[table["metric"] == "spearman_score"]
    tuned = shown[shown["network"] == TUNED]
    shares = sorted(set(tuned["share"]))
    rows = []
    for (source, city, outcome), group in shown.groupby(["source", "city", "outcome"]):
        texts = {(r.network, r.share): _mean_and_range(r) for r in group.itertuples()}
        by_network = {r.network: _mean_and_range(r) for r in group.itertuples()}
        row = {"source": source, "city": city, "outcome": OUTCOMES[outcome].title}
        row["tuned"] = [texts.get((TUNED, share), "-") for share in shares]
        row["own"] = by_network.get(OWN) or by_network.get(OTHERS, "-")
        rows.append(row | {"coordinates": by_network.get(COORDINATES, "-")})
    return [f"{share:.3g}" for share in shares], rows


def _mean_and_range(line) -> str:
    if np.isnan(line.mean):
        return "-"
    if line.n_repeats == 1:
        return f"{line.mean:.2f}"
    return f"{line.mean:.2f} ({line.lowest:.2f} to {line.highest:.2f})"
