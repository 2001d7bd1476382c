"""Opens one of two sides that are compared: the root of a study, or the folder of a pack."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from streetineq_assets import tables
from streetineq_assets.errors import StreetineqError, clear_disk_errors
from streetineq_assets.reports.differences.packs import PROVENANCE_FILE, is_pack, read_pack
from streetineq_assets.reports.differences.tables import AREAS, METRICS
from streetineq_assets.reports.page.render import synthetic_reasons
from streetineq_assets.reports.provenance import Provenance, read_provenance
from streetineq_assets.reports.results import StudyResults, read_results
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study

_COMPARED = ("lsoa_predictions[", "lsoa_evaluation[")  # labels of these begin so


@dataclass(frozen=True)
class Side:
    """What one side of a comparison has.

    Attributes:
        kind: `study` or `pack`.
        provenance: how its results came about.
        areas: `tables.AREAS` of all pairs whose results may be compared.
        metrics: `tables.METRICS` of these.
        left_out: results that it has and that may not be compared, with the reason.
    """

    kind: str
    provenance: Provenance
    areas: pd.DataFrame
    metrics: pd.DataFrame
    left_out: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Of the study."""
        return self.provenance.title

    @property
    def pairs(self) -> set[str]:
        """Keys of the pairs that have areas."""
        return set((self.areas["city"] + "/" + self.areas["outcome"]).unique())


def open_side(folder: Path) -> Side:
    """Open a study or a pack.

    Raises:
        StudyError: its study.toml is malformed.
        StoreError: its files are damaged, or may not be read.
        PackError: it is a pack that is incomplete, damaged or of another version.
        StreetineqError: it is neither.
    """
    with clear_disk_errors(folder):
        if is_pack(folder):
            return Side("pack", *read_pack(folder))
        store = DataStore(folder)
        if store.study_file.is_file():
            return _open_study(store)
    what = "no study and no evidence pack" if folder.is_dir() else "no folder"
    raise StreetineqError(
        f"{folder} is {what}: name the root of a study, where study.toml lies, or the folder of "
        f"an evidence pack, where {PROVENANCE_FILE} lies, such as a study's "
        "assets/evidence_pack/<generation>"
    )


def _open_study(store: DataStore) -> Side:
    study = load_study(store.study_file)
    results = read_results(store, study)
    reasons = synthetic_reasons(results, study)
    return Side(
        kind="study",
        provenance=read_provenance(store, study, results, reasons),
        areas=tables.conform(results.areas, AREAS),
        metrics=tables.conform(results.metrics, METRICS),
        left_out=_left_out(results),
    )


def _left_out(results: StudyResults) -> tuple[str, ...]:
    disagree = {each.pair: each.disagreements for each in results.pairs if each.disagreements}
    found = [f"{pair}: {'; '.join(map(str, why))}" for pair, why in disagree.items()]
    found += [
        f"{label}: an earlier version made it, with other columns; materialise it again"
        for label in results.outdated
        if label.startswith(_COMPARED)
    ]
    return tuple(found)
