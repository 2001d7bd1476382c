"""Under which licences weights stand, and what of it a study does.

The licences are a table, `licences.csv`, stated cautiously; it is no legal advice. Those of images
are another matter, and have a table of their own in `images.rights`.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from streetineq_assets.image_settings import Rights
from streetineq_assets.images.rights import plain

ACTS = ("derive_codes", "publish_codes", "commercial")
_IN_WORDS = {
    "derive_codes": "make codes with them",
    "publish_codes": "publish their codes",
    "commercial": "use them commercially",
}


@dataclass(frozen=True)
class WeightsLicence:
    """What a licence of weights allows.

    Attributes:
        name: the SPDX identifier, or one that begins with `LicenseRef-`.
        permits: each act of `ACTS` to `yes`, `no` or `unknown`.
        conditions: under which, in words.
        source: where the licence stands.
    """

    name: str
    permits: Mapping[str, str]
    conditions: str
    source: str


@cache
def known_licences() -> Mapping[str, WeightsLicence]:
    """The licences that the platform knows, by plain spelling."""
    text = files("streetineq_assets.codes.encoders").joinpath("licences.csv").read_text("utf-8")
    by_spelling: dict[str, WeightsLicence] = {}
    for row in csv.DictReader(text.splitlines()):
        permits = {act: row[act] for act in ACTS}
        licence = WeightsLicence(row["licence"], permits, row["conditions"], row["source"])
        for spelling in (row["licence"], row["title"], *row["aliases"].split(";")):
            by_spelling.setdefault(plain(spelling), licence)
    return by_spelling


def find_licence(written: str) -> WeightsLicence | None:
    """The licence that somebody states in any spelling; None for one that is not known."""
    return known_licences().get(plain(written)) if written else None


def acts_of(rights: Rights) -> tuple[str, ...]:
    """What a study does with an encoder: it makes codes; the rest it declares under [rights]."""
    return ACTS[:1] + tuple(act for act in ACTS[1:] if getattr(rights, act))


def in_words(acts: tuple[str, ...]) -> str:
    """Acts as `make codes with them and publish their codes`."""
    return " and ".join(_IN_WORDS[act] for act in acts)
