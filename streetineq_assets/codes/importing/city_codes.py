"""The codes that somebody brings of a city: their file, what it must be, and its rows by location.

`inputs/codes/<city>.h5` (or `.hdf5`) or `<city>.parquet`; the ids of an HDF5 file may stand beside
it in `<city>.csv`.
"""

import hashlib
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.codes.importing.hdf5_vectors import FEATURES, hdf5_vectors
from streetineq_assets.codes.importing.parquet_vectors import parquet_vectors
from streetineq_assets.codes.importing.row_names import (
    LOCATION,
    VIEW,
    RowNames,
    read_id_table,
    refuse_disagreement,
)
from streetineq_assets.codes.importing.unpacking import unpacked_once
from streetineq_assets.codes.importing.vectors import Vectors
from streetineq_assets.digests import digest_file
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Unavailable
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.store import DataStore

FOLDER = "codes"
_HDF5, _PARQUET = (".h5", ".hdf5"), (".parquet",)
_BLOCK_BYTES = 1 << 26


class CodeFiles(NamedTuple):
    """Where the codes of a city lie.

    Attributes:
        codes: HDF5 or Parquet.
        ids: the table beside an HDF5 file; None where there is none.
    """

    codes: Path
    ids: Path | None

    def digest(self) -> str:
        """sha256 of both."""
        found = [digest_file(path) for path in self if path]
        return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def find_codes(store: DataStore, city: str) -> CodeFiles | None:
    """The files of a city's codes; None where there are none.

    Raises:
        SourceError: there are two, or one that seems to be meant for it.
    """
    folder = store.inputs(FOLDER)
    named = [folder / f"{city}{suffix}" for suffix in (*_HDF5, *_PARQUET)]
    found = [path for path in named if path.is_file()]
    if len(found) > 1:
        raise SourceError(f"{found[0]} and {found[1]} are both the codes of {city}: keep one")
    if found:
        beside = folder / f"{city}.csv"
        has_table = found[0].suffix in _HDF5 and beside.is_file()
        return CodeFiles(found[0], beside if has_table else None)
    for other in sorted(folder.iterdir()) if folder.is_dir() else ():
        if other.is_file() and other.name.partition(".")[0].strip().casefold() == city:
            raise SourceError(
                f"{other} lies there without {city}.h5 or {city}.parquet: bring the codes as HDF5 "
                "or Parquet under one of these names"
            )
    return None


def none_brought(store: DataStore, city: str) -> Unavailable:
    """Why a city has no codes."""
    wanted = store.inputs(FOLDER) / f"{city}.h5"
    return Unavailable(f"{wanted} (or .parquet)", "the city has no file of codes")


@dataclass(frozen=True)
class CityCodes:
    """The codes of a city by location, open to be read.

    Attributes:
        path: of their file.
        location_ids: those that it has, each once.
        n_views: of a location, counted from the first.
        width: numbers in the code of one view.
    """

    path: Path
    location_ids: pd.Index
    n_views: int
    width: int
    _rows: NDArray[np.intp]  # (n, views by row) rows of the file, -1 where a view has none
    _vectors: Vectors

    def present(self, location_ids: Sequence[str]) -> NDArray[np.bool_]:
        """(n, n_views): whether each view of locations has a code.

        Args:
            location_ids: of `location_ids`.
        """
        rows = self._rows_of(location_ids)
        stated = self._vectors.present
        has_row = np.repeat(rows[:, :, None] >= 0, self._vectors.n_views, axis=2)
        return (has_row if stated is None else has_row & stated[rows]).reshape(len(rows), -1)

    def blocks(self, location_ids: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Codes of locations in the order given, (m, n_views, width) at a time; 0 of absent views.

        Args:
            location_ids: of `location_ids`.

        Raises:
            SourceError: the file is damaged.
        """
        rows, present = self._rows_of(location_ids), self.present(location_ids)
        size = max(1, _BLOCK_BYTES // (4 * self.n_views * self.width))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            has_row = part >= 0
            wanted = np.unique(part[has_row])
            codes = np.zeros((*part.shape, self._vectors.n_views, self.width), np.float32)
            codes[has_row] = self._vectors.read(wanted)[np.searchsorted(wanted, part[has_row])]
            block = codes.reshape(len(part), self.n_views, self.width)
            block[~present[start : start + size]] = 0
            yield block

    def unlisted(self, listed: Collection[str]) -> list[str]:
        """The locations that a city does not list.

        Raises:
            SourceError: it lists none of them: the file is another city's.
        """
        is_listed = self.location_ids.isin(list(listed))
        if listed and not is_listed.any():
            raise SourceError(
                f"{self.path} and the city's list of locations have no id in common: the first are "
                f"{self.location_ids[0]!r} and {min(listed)!r}; bring the codes of this city, with "
                "ids as the list writes them"
            )
        return self.location_ids[~is_listed].tolist()

    def _rows_of(self, location_ids: Sequence[str]) -> NDArray[np.intp]:
        return self._rows[self.location_ids.get_indexer(pd.Index(location_ids))]


@contextmanager
def open_codes(files: CodeFiles, *, width: int, scratch: Path) -> Generator[CityCodes]:
    """The codes of a city, open while the block runs; the ids are read, and no code yet.

    Args:
        scratch: where a packed file may be unpacked, see `unpacking`.
        width: numbers in the code of one view, as study.toml states it.

    Raises:
        SourceError: a file is damaged, ids are lacking, spoilt, repeated, in another order or in
            another number than the codes, a view is unknown, or the codes have another width.
        FileLockedError: another program holds the file, or its file system has no locks.
    """
    with _vectors_of(files.codes) as packed, unpacked_once(packed, scratch) as vectors:
        if not vectors.n_rows:
            raise SourceError(f"{files.codes} holds no code: bring one for each location or view")
        if vectors.width != width:
            raise SourceError(
                f"{files.codes} has codes of {vectors.width:,} numbers, and encoder.width in "
                f"study.toml is {width:,}: state {vectors.width}, or bring that encoder's codes"
            )
        names = _names(files, vectors)
        location_ids, rows = _by_location(files, names, vectors.n_views)
        n_views = rows.shape[1] * vectors.n_views
        yield CityCodes(files.codes, location_ids, n_views, width, rows, vectors)


def _vectors_of(path: Path) -> AbstractContextManager[Vectors]:
    return parquet_vectors(path) if path.suffix in _PARQUET else hdf5_vectors(path)


def _names(files: CodeFiles, vectors: Vectors) -> RowNames:
    """What the rows are of: by the file itself, which the table beside it may not contradict."""
    if files.ids is None:
        if vectors.names is None:
            raise SourceError(
                f"{files.codes} has no dataset {LOCATION}, and there is no "
                f"{files.codes.with_suffix('.csv').name} beside it: bring the ids of its "
                f"{vectors.n_rows:,} rows, in the same order"
            )
        return vectors.names
    beside = read_id_table(files.ids)
    if vectors.names is not None:
        refuse_disagreement(files.codes, vectors.names, files.ids, beside)
        return vectors.names
    n_ids = len(beside.location_ids)
    if n_ids != vectors.n_rows:
        raise SourceError(
            f"{files.ids} has {n_ids:,} ids, and {FEATURES} of {files.codes} {vectors.n_rows:,} "
            "rows: bring the table that was written with the codes, one id for each row in the "
            "same order"
        )
    return beside


def _by_location(
    files: CodeFiles, names: RowNames, n_views: int
) -> tuple[pd.Index, NDArray[np.intp]]:
    """The locations, and their rows (n, views by row), -1 where a view has none."""
    where = files.ids or files.codes
    number, ids = pd.factorize(names.location_ids)
    views = np.zeros(len(number), np.intp) if names.views is None else names.views
    if n_views > 1 and names.views is not None:
        raise SourceError(
            f"{where} names a {VIEW} for each row, and each row of {files.codes} holds {n_views}: "
            f"remove the column {VIEW}, or bring (n, width)"
        )
    twice = pd.DataFrame({"number": number, "view": views}).duplicated().to_numpy()
    if twice.any():
        row = int(twice.argmax())
        first = int(((number == number[row]) & (views == views[row])).argmax())
        what = f"{ids[number[row]]!r}"
        what += "" if names.views is None else f", view {VIEWS[views[row]]},"
        raise SourceError(
            f"{where}: location {what} has two codes, in rows {first + 1} and {row + 1} "
            f"({int(twice.sum()):,} are repeated): keep one of each"
        )
    rows = np.full((len(ids), views.max() + 1), -1, np.intp)
    rows[number, views] = np.arange(len(number))
    return pd.Index(ids), rows
