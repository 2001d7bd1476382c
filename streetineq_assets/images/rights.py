"""Under which terms images stand, what these allow, and what of it a study does.

The terms are a table, `terms.csv`: for providers and for licences (by SPDX identifier), whether
images may be stored, codes derived and published, and images shown. It states what its authors
read on the day that it names, cautiously, and is no legal advice. An agreement of one's own stands
in study.toml, with its reason, and comes first.
"""

import csv
import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from streetineq_assets.image_settings import ACTS, Rights
from streetineq_assets.images.tables import IMAGE_RIGHTS
from streetineq_assets.tables import conform, empty

YES, NO, UNKNOWN = "yes", "no", "unknown"
ALWAYS_DONE = ("store_images", "derive_codes")
_N_NAMED = 3  # spellings in one cell
_LINK = re.compile(r"^https?://(www\.)?|/(deed|legalcode)(\.[a-z_-]+)?/?$")
_NO_TEXT = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Terms:
    """What a provider's terms, or a licence, allow.

    Attributes:
        kind: `provider` or `licence`.
        name: our key of the provider, or the licence's SPDX identifier.
        title: as people write it.
        permits: each act of `ACTS` to `yes`, `no` or `unknown`.
        conditions: under which, in words.
        source: where the terms stand.
        read_on: the day on which they were read, as `2026-11-26`; empty where a version never
            changes, or where nobody read them.
    """

    kind: str
    name: str
    title: str
    permits: Mapping[str, str]
    conditions: str
    source: str
    read_on: str


def plain(text: str) -> str:
    """A name without case, spaces, punctuation and the parts of a link that say nothing."""
    bare = re.sub(
        r"^https?://(www\.)?|/(deed\.[a-z_-]+|legalcode(\.[a-z_-]+)?)/?$", "", text.lower()
    )
    return _NO_TEXT.sub("", bare)


@cache
def known_terms() -> Mapping[tuple[str, str], Terms]:
    """The terms that the platform knows: kind and plain spelling to terms."""
    by_spelling: dict[tuple[str, str], Terms] = {}
    for row in csv.DictReader(_text().splitlines()):
        permits = {act: row[act] for act in ACTS}
        texts = {key: row[key] for key in ("kind", "name", "title", "conditions", "source")}
        terms = Terms(**texts, permits=permits, read_on=row["read_on"])
        for spelling in (terms.name, terms.title, *row["aliases"].split(";")):
            by_spelling.setdefault((terms.kind, plain(spelling)), terms)
    return by_spelling


def _text() -> str:
    return files("streetineq_assets.images").joinpath("terms.csv").read_text(encoding="utf-8")


def terms_digest() -> str:
    """sha256 of the table of terms, of which all that is allowed is taken."""
    return hashlib.sha256(_text().encode()).hexdigest()


def find_terms(kind: str, written: str | None) -> Terms | None:
    """The terms that a cell of a list names in any spelling; None for those that nobody knows."""
    return known_terms().get((kind, plain(written))) if written else None


def meant(kind: str, written: str) -> str | None:
    """The name of the terms that an unknown spelling looks like; None where it looks like none."""
    spellings = [spelling for own, spelling in known_terms() if own == kind]
    close = difflib.get_close_matches(plain(written), spellings, n=1, cutoff=0.7)
    return known_terms()[kind, close[0]].name if close else None


def rights_table(listed: pd.DataFrame, rights: Rights) -> pd.DataFrame:
    """What is allowed with a city's images, by provider and licence, most locations first.

    Args:
        listed: `provider, licence` as written, a row for each location.

    Returns:
        A frame of the schema `IMAGE_RIGHTS`.
    """
    if listed.empty:
        return empty(IMAGE_RIGHTS)
    counts = listed.assign(n=1).groupby(["provider", "licence"], dropna=False, sort=True)["n"].sum()
    written = counts.reset_index().astype({"provider": object, "licence": object})
    written = written.where(written.notna(), None)
    rows = [
        rights_of(line.provider, line.licence, rights)
        | {"as_written": _as_written(line.provider, line.licence), "n_locations": line.n}
        for line in written.itertuples()
    ]
    frame = pd.DataFrame(rows)
    kept = frame.columns.drop(["as_written", "n_locations"]).tolist()
    merged = frame.groupby(kept, dropna=False, sort=False, as_index=False).agg(
        as_written=("as_written", _few), n_locations=("n_locations", "sum")
    )
    merged = merged.sort_values(
        ["n_locations", "provider", "licence"], ascending=[False, True, True]
    )
    return conform(merged, IMAGE_RIGHTS)


def _name(kind: str, written: str | None) -> str:
    """The name under which something is known; else what was written."""
    terms = find_terms(kind, written)
    return terms.name if terms else written or ""


def rights_of(provider: str | None, licence: str | None, rights: Rights) -> dict[str, str | None]:
    """What is allowed with images of one provider under one licence.

    Args:
        provider, licence: as a list writes them; None where it does not.

    Returns:
        The columns of `IMAGE_RIGHTS` that follow from these: both names, an answer to each act, the
        conditions, the source, and the agreement.
    """
    agreed = {plain(_name("provider", name)): name for name in rights.agreements}
    found = [find_terms("provider", provider), find_terms("licence", licence)]
    known = [terms for terms in found if terms]
    agreement = rights.agreements.get(agreed.get(plain(_name("provider", provider)), ""))
    permits = {act: _joined(terms.permits[act] for terms in known) for act in ACTS}
    if agreement:
        permits = {act: YES if act in agreement.allows else NO for act in ACTS}
    names = [terms.name if terms else UNKNOWN for terms in found]
    if agreement and not found[0]:
        names[0] = str(provider)
    read = [f"{each.source}{f' (read {each.read_on})' if each.read_on else ''}" for each in known]
    return {
        "provider": names[0],
        "licence": names[1],
        **permits,
        "conditions": "; ".join(terms.conditions for terms in known if terms.conditions) or None,
        "source": "; ".join(text for text in read if text) or None,
        "agreement": agreement.reason if agreement else None,
    }


def _as_written(provider: str | None, licence: str | None) -> str:
    return f"{_quoted('provider', provider)}, {_quoted('licence', licence)}"


def _quoted(kind: str, written: str | None) -> str:
    """What a list says, and for an unknown name the known one that it looks like."""
    if not written:
        return f"no {kind}"
    like = None if find_terms(kind, written) else meant(kind, written)
    return f'"{written}" (did you mean {like}?)' if like else f'"{written}"'


def _joined(answers: Iterable[str]) -> str:
    """What provider and licence allow together: one that forbids is enough to forbid."""
    given = set(answers)
    return NO if NO in given else YES if YES in given else UNKNOWN


def _few(spellings: pd.Series) -> str:
    shown = list(dict.fromkeys(spellings))
    more = f" and {len(shown) - _N_NAMED} more" if len(shown) > _N_NAMED else ""
    return " | ".join(shown[:_N_NAMED]) + more


def acts_of(rights: Rights, *, keeps: bool = True) -> tuple[str, ...]:
    """What a study does: the platform keeps images and makes codes; the rest it declares.

    Args:
        keeps: false where images are deleted once their codes are published.
    """
    always = ALWAYS_DONE if keeps else ALWAYS_DONE[1:]
    return (*always, *(act for act in ACTS if act not in ALWAYS_DONE and getattr(rights, act)))


def with_answer(table: pd.DataFrame, acts: Iterable[str], answer: str) -> pd.DataFrame:
    """The rows of a table of rights in which any of the acts has this answer."""
    return table[(table[list(acts)] == answer).any(axis=1)]
