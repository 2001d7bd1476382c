"""Figures that others published of the same places, to be set beside ours: `published.csv`.

A figure stands beside ours only where place and outcome are the same, and says whether metric,
areas and folds are too. Where they are not, it says why: no comparison is drawn.
"""

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from pydantic import BaseModel

from streetineq_assets.labels.outcomes import DOMAINS, OUTCOMES
from streetineq_assets.settings import City


def _codes(first: str, last: str) -> frozenset[str]:
    """Codes of local authorities that are numbered on."""
    prefix = first[:3]
    return frozenset(f"{prefix}{n:06d}" for n in range(int(first[3:]), int(last[3:]) + 1))


PLACES: dict[str, frozenset[str]] = {
    "Greater London": _codes("E09000001", "E09000033"),
    "Greater Manchester": _codes("E08000001", "E08000010"),
    "West Midlands": _codes("E08000025", "E08000031"),
    "West Yorkshire": _codes("E08000032", "E08000036"),
}
"""Place to its local authorities: a study's city is the place that has the same."""


class PublishedFigure(BaseModel, frozen=True):
    """One figure of one publication.

    Attributes:
        source, year, url: who published it, when and where.
        place: a key of `PLACES`.
        outcome: a key of `OUTCOMES` or `DOMAINS`.
        metric: a name of `predictions.metrics`.
        value: as printed.
        split: what was held out.
        images: whose images, and which encoder where it is not VGG16.
        is_comparable: whether metric, areas and folds are those of this platform.
        why: why they are not; empty where they are.
    """

    source: str
    year: int
    url: str
    place: str
    outcome: str
    metric: str
    value: float
    split: str
    images: str
    is_comparable: bool
    why: str

    @property
    def outcome_title(self) -> str:
        """As the report prints it; of an outcome that is none of the platform's too."""
        own = OUTCOMES.get(self.outcome)
        return own.title if own else DOMAINS[self.outcome]


@cache
def published_figures() -> tuple[PublishedFigure, ...]:
    """All that the platform knows, in the order of the table."""
    text = files("streetineq_assets.reports").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(map(PublishedFigure.model_validate, csv.DictReader(text.splitlines())))


def place_of(city: City) -> str | None:
    """The place that a study's city is, by its local authorities; None for any other."""
    same = [place for place, codes in PLACES.items() if codes == set(city.authorities)]
    return same[0] if same else None


def figures_of(city: City) -> Iterable[PublishedFigure]:
    """What is published of the place that a study's city is."""
    place = place_of(city)
    return [figure for figure in published_figures() if figure.place == place]
