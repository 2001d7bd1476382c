"""An answer to an item of a checklist, and where in the pack it can be verified."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.results import PairResults

Status = Literal["filled", "not in this study", "not applicable", "author to answer"]

# Files of the pack, with sections of HTML, and with pointers into JSON (RFC 6901).
PREDICTIONS, METRICS, LEADS = "lsoa_predictions.csv", "metrics.csv", "comparisons.csv"
EQUITY, MAP = "equity_audit.csv", "lsoa_map.parquet"
SOURCES, PAIRS, CITIES, ABSENT, LIBRARIES, VERSION = (
    f"provenance.json#/{name}"
    for name in ("sources", "pairs", "cities", "absent", "libraries", "version")
)
REPORT_MADE, REPORT_USE = "report.html#made", "report.html#use"
_MOST = 12  # in one sentence
README, CARD, DICTIONARY = "README.md", "model_card.md", "data_dictionary.csv"


@dataclass(frozen=True)
class Answer:
    """What is known of an item.

    Attributes:
        sources: files of the pack that say so, some with `#` and a section or a JSON pointer.
    """

    text: str
    sources: tuple[str, ...] = ()
    status: Status = "filled"


Filler = Callable[[Material], Answer]


def absent(text: str) -> Answer:
    """That this study has no evidence of it, and what would make some."""
    return Answer(text, status="not in this study")


def not_applicable(text: str) -> Answer:
    """That the question does not arise here, and why."""
    return Answer(text, status="not applicable")


def of_results(fill: Filler) -> Filler:
    """A filler that is asked only where there are results."""

    @functools.wraps(fill)
    def answer(material: Material) -> Answer:
        if not material.current:
            return absent("no pair of city and outcome has results that stand")
        return fill(material)

    return answer


def by_name(fillers: Iterable[Filler]) -> dict[str, Filler]:
    """Each filler by its function's name, which is how items name it."""
    return {getattr(fill, "__name__", ""): fill for fill in fillers}


def stated(pairs: Iterable[PairResults], setting: str) -> str:
    """A setting of the pairs as their manifests recorded it; of which pairs, where it differs."""
    return of_pairs({e.pair.key: e.made_with.get(setting, "not recorded") for e in pairs})


def of_pairs(texts: Mapping[str, str]) -> str:
    """What is said of pairs, each text once; of which pairs, where they differ."""
    by_text: dict[str, list[str]] = {}
    for pair, text in texts.items():
        by_text.setdefault(text, []).append(pair)
    if len(by_text) == 1:
        return next(iter(by_text))
    return listed([f"{text} ({', '.join(pairs)})" for text, pairs in by_text.items()])


def listed(texts: Sequence[str]) -> str:
    """The first texts in one sentence, and how many there are more."""
    more = f"; and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return "; ".join(texts[:_MOST]) + more


def report_of(city: str) -> str:
    """The section of the report on a city."""
    return f"report.html#{city}"
