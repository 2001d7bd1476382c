"""The answer in plain words: do images say more of an area than where it lies, and how surely?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streetineq_assets.predictions.evaluation import MIN_AREAS, NETWORK
from streetineq_assets.reports import comparison
from streetineq_assets.reports.comparison import Cell, Column, Lead
from streetineq_assets.reports.results import PairResults

_WIDTH, _HEIGHT = 240.0, 32.0  # of a row's drawing, as in summary.html.j2
YES, NO, OPEN, NOT_TESTED = "yes", "no: the map says more", "not shown", "not tested"
_SAYS_MORE = "the images say more about how well-off areas are than the map alone"
_MOST_NAMED = 8
_MARKS = {YES: "yes", NO: "no", OPEN: "", NOT_TESTED: ""}


@dataclass(frozen=True)
class Line:
    """One pair in the table that opens the report.

    Attributes:
        network, map: quadratic kappa of the network and of the best map on the same folds.
        mae: mean absolute error of the network, in deciles.
        lead: of the network over the best map; None where the two were not compared.
        verdict: whether the network says more than the map, by the lead's interval.
        adds: what it adds to the map, in words; empty where that is not known.
        dots: where the row's drawing has its marks.
    """

    results: PairResults
    network: Cell
    map: Cell
    mae: Cell
    lead: Lead | None
    verdict: str
    adds: str
    dots: list[dict[str, Any]]

    @property
    def lead_text(self) -> str:
        """The lead with its interval."""
        return "none" if self.lead is None else self.lead.text

    @property
    def mark(self) -> str:
        """The class by which the page colours the verdict."""
        return _MARKS[self.verdict]


def answer_lines(pairs: Sequence[PairResults]) -> tuple[list[Line], tuple[float, float]]:
    """A line for each pair that may be compared, and the ends of the axis of their drawings."""
    cells = [_kappas(each) for each in pairs]
    lowest = min((_low(cell) for pair in cells for cell in pair), default=0.0)
    axis = (min(np.floor(lowest * 5) / 5, -0.2), 1.0)
    lines = [
        Line(
            results=each,
            network=network,
            map=best_map,
            mae=_cell(each, "mae", NETWORK),
            lead=comparison.lead_over_maps(each),
            verdict=verdict(each),
            adds=comparison.adds_to_the_map(each),
            dots=[
                *_dots("ours", network, axis, 10.0),
                *_dots("map", best_map, axis, 22.0),
            ],
        )
        for each, (network, best_map) in zip(pairs, cells, strict=True)
    ]
    return lines, axis


def zero_of(axis: tuple[float, float]) -> float:
    """Where the drawings have their 0."""
    return _at(0.0, axis)


def verdict(results: PairResults) -> str:
    """Whether the network says more than the best map, by the interval of its lead."""
    lead = comparison.lead_over_maps(results)
    if lead is None or not lead.is_known or len(results.areas) < MIN_AREAS:
        return NOT_TESTED
    return YES if lead.is_ahead else NO if lead.upper < 0 else OPEN


def answer_sentences(lines: Sequence[Line]) -> list[str]:
    """What the lines come to, in plain words."""
    if not lines:
        return []
    by_verdict = {name: [line.results for line in lines if line.verdict == name] for name in _MARKS}
    n = len(lines)
    pairs = "1 pair" if n == 1 else f"{n} pairs"
    said = [f"Of {pairs} of city and outcome, {_SAYS_MORE} in {_listed(by_verdict[YES])}."]
    if by_verdict[OPEN]:
        said.append(f"That is not shown in {_listed(by_verdict[OPEN])}.")
    if by_verdict[NO]:
        said.append(f"The map alone does better in {_listed(by_verdict[NO])}.")
    if by_verdict[NOT_TESTED]:
        said.append(f"It was not tested in {_listed(by_verdict[NOT_TESTED])}.")
    return [" ".join(said), *filter(None, [_how_far_off(lines), _how_sure(lines)])]


def _listed(pairs: Sequence[PairResults]) -> str:
    """How many, and which, by city; those of a long list stand in the table."""
    if not pairs:
        return "none"
    if len(pairs) > _MOST_NAMED:
        return str(len(pairs))
    by_city: dict[str, list[str]] = {}
    for each in pairs:
        by_city.setdefault(each.city_title, []).append(each.outcome_title.lower())
    named = "; ".join(f"{city}: {', '.join(outcomes)}" for city, outcomes in by_city.items())
    return f"{len(pairs)} ({named})"


def _how_far_off(lines: Sequence[Line]) -> str:
    errors = [line.mae.value for line in lines if not np.isnan(line.mae.value)]
    if not errors:
        return ""
    low, high = f"{min(errors):.1f}", f"{max(errors):.1f}"
    ends = low if low == high else f"{low} to {high}"
    return (
        f"A predicted decile is off by {ends} deciles on average, where saying 5 of every area "
        "would be off by 2.5."
    )


def _how_sure(lines: Sequence[Line]) -> str:
    rankable = [comparison.can_be_ranked(line.results.areas) for line in lines]
    n, n_ranked = sum(map(len, rankable)), sum(int(each.sum()) for each in rankable)
    if not n:
        return ""
    return (
        f"Of {n:,} predicted deciles, {n_ranked:,} are sure enough to set the area beside single "
        "other areas; the others may only be counted among many."
    )


def _kappas(results: PairResults) -> tuple[Cell, Cell]:
    return _cell(results, comparison.HEADLINE, NETWORK), comparison.best_map_cell(results)


def _cell(results: PairResults, metric: str, model: str) -> Cell:
    return comparison.row(results, metric, [Column(model, results.scheme)])[0]


def _low(cell: Cell) -> float:
    ends = [end for end in (cell.value, cell.lower) if not np.isnan(end)]
    return min(ends, default=0.0)


def _dots(name: str, cell: Cell, axis: tuple[float, float], y: float) -> list[dict[str, Any]]:
    if np.isnan(cell.value):
        return []
    lower, upper = (cell.value if np.isnan(end) else end for end in (cell.lower, cell.upper))
    ends = {"lower": _at(lower, axis), "upper": _at(upper, axis)}
    return [{"name": name, "x": _at(cell.value, axis), "y": y, **ends}]


def _at(value: float, axis: tuple[float, float]) -> float:
    share = (value - axis[0]) / (axis[1] - axis[0])
    return round(6 + float(np.clip(share, 0, 1)) * (_WIDTH - 12), 1)
