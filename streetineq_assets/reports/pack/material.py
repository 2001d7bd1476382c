"""What a pack is made of, and the words for it that several of its files have in common."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.reports.provenance import Provenance, artefacts
from streetineq_assets.reports.results import PairResults, StudyResults
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd

REPORT = "inequality_report"
_MARKDOWN = re.compile(r"([\\`*_\[\]|~]|^[#+=-]|(?<=^[0-9])[.)])")
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True)
class Material:
    """What a pack is made of.

    Attributes:
        boundaries: `area, geometry` of the areas on the British National Grid, or None where the
            study has no boundary file.
        report: the report's file, as it is published.
    """

    study: Study
    results: StudyResults
    provenance: Provenance
    boundaries: "gpd.GeoDataFrame | None"
    report: Path

    @cached_property
    def current(self) -> list[PairResults]:
        """The pairs that the pack has."""
        return self.results.current

    @property
    def synthetic(self) -> str:
        """Why it describes no real place; empty where it does."""
        return "; ".join(self.provenance.synthetic)

    @property
    def absent(self) -> Mapping[str, str]:
        """Each pair that the pack has not, and why."""
        return self.provenance.absent

    @property
    def outcomes(self) -> list[str]:
        """Keys of the outcomes of which areas are predicted, in the study's order."""
        return list(dict.fromkeys(self.results.areas["outcome"]))

    @property
    def published_on(self) -> dt.date:
        """The day of publication that the study states; else its own date stands in."""
        return self.study.publication.date or self.study.date


def digests(store: DataStore, study: Study) -> dict[str, str]:
    """Artefact to digest of all that a pack is made of, with the recipes that it tells."""
    found = artefacts(store, study)
    if report := store.manifest(REPORT):
        found |= {REPORT: report.digest, f"recipe of {REPORT}": report.key}
    return found


def markdown(text: object) -> str:
    """A text in one line that Markdown and HTML show as it is."""
    line = re.sub(r"[&<>]", lambda found: _MARKUP[found[0]], " ".join(str(text).split()))
    return _MARKDOWN.sub(r"\\\1", line)
