"""How the network of a pair compares with its baselines: cells of tables, and sentences.

The metrics are those of `predictions`; here they are chosen, set side by side and put into words.
Only what was scored on the same folds is compared: those of the pair's networks, which its metrics
name, whatever study.toml says by now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.models.baseline_guesses import MAP_AND_SCORE
from streetineq_assets.models.block_sizes import SPATIAL_BLOCK, uneven_note
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions.aligned_baselines import MAP_BEST
from streetineq_assets.predictions.comparisons import GAIN
from streetineq_assets.predictions.evaluation import MAP_KNN, MIN_AREAS, NETWORK
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.predictions.ranked_areas import not_ranked
from streetineq_assets.reports.results import PairResults

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
    "moran_i_errors": "Moran's I of the errors",
    "moran_p_errors": "its permutation p-value",
}
MODEL_TITLES = {
    NETWORK: "Network",
    JOINT_NETWORK: "Network of all outcomes",
    MAP_BEST: "The best map",
    MAP_KNN: "Nearest areas (map)",
    "map_gaussian_process": "Gaussian process (map)",
    "map_msoa_mean": "Mean of the MSOA (map)",
    "ridge": "Ridge on codes",
    "image_count": "Number of images",
    "constant": "Constant",
    MAP_AND_SCORE: "Map and network",
}
HEADLINE = "kappa_quadratic"
HELD_OUT_CITIES = "city"  # the scheme of folds
_MAPS = {*MAPS, MAP_BEST, MAP_AND_SCORE}
_SIGNIFICANT = 0.05
_NUMBERS = ["value", "lower", "upper", "seed_sd"]


@dataclass(frozen=True)
class Cell:
    """One metric of one model with its interval.

    Attributes:
        seed_sd: standard deviation over the networks' seeds; NaN where there is one, or none.
    """

    value: float
    lower: float
    upper: float
    seed_sd: float = float("nan")

    @property
    def text(self) -> str:
        """The value with two decimals; `none` where it is undefined."""
        return "none" if np.isnan(self.value) else f"{self.value:z.2f}"

    @property
    def interval(self) -> str:
        """`0.41 to 0.52`, empty where there is none."""
        return "" if np.isnan(self.lower) else value_range(self.lower, self.upper)

    @property
    def seeds(self) -> str:
        """`seeds ± 0.01`, empty where the spread over seeds is not known."""
        return "" if np.isnan(self.seed_sd) else f"seeds ± {self.seed_sd:.2f}"


class Lead(NamedTuple):
    """The network's lead over a baseline, and the ends of its interval; NaN without one."""

    difference: float
    lower: float
    upper: float

    @property
    def is_known(self) -> bool:
        """Whether it has an interval."""
        return not np.isnan([self.lower, self.upper]).any()

    @property
    def is_ahead(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.lower > 0

    @property
    def text(self) -> str:
        """`0.10 (-0.02 to 0.22)`."""
        bounds = value_range(self.lower, self.upper) if self.is_known else "no interval"
        return f"{self.difference:z.2f} ({bounds})"


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
    """A metric's cell for each column."""
    rows = results.metrics[results.metrics["metric"] == metric].set_index(["model", "scheme"])
    cells = []
    for column in shown:
        key = (column.model, column.scheme)
        numbers = rows.loc[key, _NUMBERS] if key in rows.index else [np.nan] * len(_NUMBERS)
        own, lower, upper, seed_sd = (float(number) for number in numbers)
        cells.append(Cell(own, lower, upper, seed_sd=seed_sd))
    return cells


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


def value_range(lower: float, upper: float) -> str:
    """Two ends with two decimals; what rounds to nothing has no sign."""
    return f"{lower:z.2f} to {upper:z.2f}"


# -- sentences -------------------------------------------------------------------------------------


def sentences(results: PairResults) -> list[str]:
    """How the network compares with each baseline, by quadratic kappa, and what to beware of."""
    n = len(results.areas)
    areas = "1 area" if n == 1 else f"{n} areas"
    few = [f"Only {areas}, fewer than {MIN_AREAS}: the metrics mean little."]
    said = few if n < MIN_AREAS else []
    said += [_without_a_network(results), _same_score(results), _same_decile(results)]
    said += [_lead(results, baseline) for baseline in _told(results)]
    said += [
        _without_a_map(results),
        _jointly(results),
        _beside_the_map(results),
        _spatial(results),
        _clustered(results),
    ]
    return [sentence for sentence in said if sentence]


def leads(results: PairResults) -> dict[str, Lead]:
    """Baseline to the network's lead over it by quadratic kappa, on the same folds.

    Without a baseline whose metric is undefined, which is then not compared.
    """
    found = {name: _lead_over(results, name) for name in _baselines(results)}
    return {name: lead for name, lead in found.items() if lead is not None}


def not_ahead(results: PairResults) -> dict[str, Lead]:
    """Baseline to the lead over it where its interval does not lie above 0."""
    known = {name: lead for name, lead in leads(results).items() if lead.is_known}
    return {name: lead for name, lead in known.items() if not lead.is_ahead}


def lacks_a_map(results: PairResults) -> bool:
    """Whether no lead over the map has an interval, or no lead at all where folds allow no map."""
    known = {name for name, lead in leads(results).items() if lead.is_known}
    return not (known if results.scheme == HELD_OUT_CITIES else known & _MAPS)


def can_be_ranked(areas: pd.DataFrame) -> pd.Series:
    """(n,) bool: areas that are sure enough to be set beside single others.

    Those without an interval are not, and those with too few locations.
    """
    return ~areas["too_uncertain_to_rank"].fillna(True).astype(bool)


def best_map(results: PairResults) -> str | None:
    """The baseline that stands for the map on the networks' folds; None where there is none.

    That is the best map of each draw, where it was compared, or else the map with the least lead.
    """
    over = {name: lead for name, lead in leads(results).items() if name in _MAPS}
    if MAP_BEST in over:
        return MAP_BEST
    return min(over, key=lambda name: over[name].difference, default=None)


def best_map_cell(results: PairResults) -> Cell:
    """Quadratic kappa of the map that does best on the networks' folds; NaN without any."""
    cells = row(results, HEADLINE, [Column(name, results.scheme) for name in MAPS])
    known = [cell for cell in cells if not np.isnan(cell.value)]
    none = Cell(float("nan"), float("nan"), float("nan"))
    return max(known, key=lambda cell: cell.value, default=none)


def lead_over_maps(results: PairResults) -> Lead | None:
    """The network's lead over `best_map`; None where there is none."""
    name = best_map(results)
    return _lead_over(results, name) if name else None


def adds_to_the_map(results: PairResults) -> str:
    """Whether the network's score adds to what the map says, in a few words; empty if not tried."""
    rows = results.metrics[results.metrics["metric"] == GAIN].dropna(subset=["lower", "upper"])
    if rows.empty:
        return ""
    lower, upper = float(rows["lower"].iloc[0]), float(rows["upper"].iloc[0])
    if lower > 0:
        return "adds to the map"
    return "takes from the map" if upper < 0 else "not shown to add to the map"


def _baselines(results: PairResults) -> list[str]:
    rows = results.comparisons[results.comparisons["scheme"] == results.scheme]
    compared = set(rows["baseline"]) - {MAP_AND_SCORE}  # it contains the network's own score
    if results.scheme == HELD_OUT_CITIES:  # where the nearest areas lie in another city
        compared = {name for name in compared if name not in _MAPS}
    return [model for model in MODEL_TITLES if model in compared]


def _told(results: PairResults) -> list[str]:
    """Of the baselines those that sentences name: the best map stands for all of the map."""
    names = _baselines(results)
    return [name for name in names if name not in MAPS] if MAP_BEST in names else names


def _lead_over(results: PairResults, baseline: str) -> Lead | None:
    rows = results.comparisons
    here = (rows["baseline"] == baseline) & (rows["scheme"] == results.scheme)
    found = rows[here & (rows["metric"] == HEADLINE)].dropna(subset=["difference"])
    if found.empty:
        return None
    row = found.iloc[0]
    return Lead(float(row["difference"]), float(row["lower"]), float(row["upper"]))


def _lead(results: PairResults, baseline: str) -> str:
    lead, name = _lead_over(results, baseline), MODEL_TITLES[baseline]
    if lead is None:
        return ""
    difference, lower, upper = lead
    gap = f"{abs(difference):.2f}"
    bounds = "no interval of the lead"
    if lead.is_known:
        bounds = f"95 % interval of the lead {value_range(lower, upper)}"
    chance = "" if lower > 0 or upper < 0 else ", which may be chance"
    if difference == 0:
        return f"“{name}” does as well as the network ({bounds})."
    if difference < 0:
        return f"“{name}” does better than the network, by {gap}{chance} ({bounds})."
    return f"The network is ahead of “{name}” by {gap}{chance} ({bounds})."


def _without_a_network(results: PairResults) -> str:
    if (results.metrics["model"] == NETWORK).any():
        return ""
    return "There are no metrics of the network, only of baselines: nothing is claimed of images."


def _same_score(results: PairResults) -> str:
    text = not_ranked(results.areas)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _same_decile(results: PairResults) -> str:
    actual = results.areas["actual_decile"].dropna()
    if len(actual) < 2 or actual.min() < actual.max():
        return ""
    return (
        f"All {len(actual)} areas are of actual decile {actual.iloc[0]}, so that how well the "
        "network ranks them cannot be told."
    )


def _without_a_map(results: PairResults) -> str:
    if results.scheme != HELD_OUT_CITIES:
        return ""
    return (
        "No baseline of the map exists on these folds: coordinates of other cities say nothing of "
        "this one, so whether the network says more than the map was not tested."
    )


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
    alone = np.fmax.reduce([results.value(HEADLINE, model) for model in MAPS])
    both = results.value(HEADLINE, MAP_AND_SCORE)
    said = "is not shown to add to what the map says"
    if lower > 0:
        said = "adds to what the map says"
    elif upper < 0:
        said = "takes from what the map says"
    return (
        f"The network's score {said}: {alone:z.2f} by the best map, {both:z.2f} by both "
        f"(difference {gain:z.2f}, 95 % interval {value_range(lower, upper)})."
    )


def _spatial(results: PairResults) -> str:
    if note := uneven_note(results.uneven_blocks):
        return note
    alone = results.value(HEADLINE, MAP_KNN)
    blocked = results.value(HEADLINE, MAP_KNN, SPATIAL_BLOCK)
    if results.scheme == SPATIAL_BLOCK or np.isnan([alone, blocked]).any():
        return ""
    said = f"The nearest areas reach {alone:z.2f} on these folds, {blocked:z.2f} on spatial blocks"
    if blocked >= alone:
        return f"{said}: close neighbours are not what carries these metrics."
    return f"{said}: the difference is what close neighbours give any model on these folds."


def _clustered(results: PairResults) -> str:
    moran, p = (results.value(f"moran_{what}_errors", NETWORK) for what in "ip")
    if np.isnan([moran, p]).any():
        return ""
    said = "do not cluster in space"
    if p < _SIGNIFICANT:
        said = f"are {'alike' if moran > 0 else 'unlike'} in neighbouring areas"
    return f"The network's errors {said} (Moran's I {moran:z.2f}, p {p:.3f})."
