"""A city's learning-ready shards: the order of their rows, and the reader that training uses.

A shard is an HDF5 file with `features (n, V, width)` of V views and `location_id (n)`, and where
views are absent `present (n, V)`; their features are 0. Over all shards the rows ascend by a hash
of seed and location id, so consecutive rows are a random sample, and adding a location moves no
other against its neighbours.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.hdf5 import open_hdf5
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.errors import StoreError, StreetineqError


def shard_order(location_ids: Sequence[str], seed: int) -> np.ndarray:
    """The permutation (n,) that sorts locations by sha256 of seed and id."""
    keys = [
        hashlib.sha256(f"{seed}:{location_id}".encode()).digest() for location_id in location_ids
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


class ShardReader:
    """All shards of a city as one array of rows, read from disk on demand; a context manager.

    Attributes:
        n_rows, views, width: the shape of all features together.
        dtype: float16 or float32, as stored; the wider one where shards differ.
        location_ids: object array of the rows' ids, in their order over all shards.
        present: (n_rows, views) bool, which views are there.
        shard_bounds: (first row, row after the last) of each shard.
    """

    def __init__(self, files: Sequence[Path], rows: pd.DataFrame) -> None:
        """Open the shards and check their ids against the row table.

        Args:
            files: shards by number.
            rows: `shard, row, location_id`.

        Raises:
            StoreError: a file cannot be read, its ids differ from the table's, or its number of
                views from another file's.
            FileLockedError: another program holds a file, or its file system has no locks.
        """
        rows = rows.sort_values(["shard", "row"])
        self.location_ids: np.ndarray = rows["location_id"].to_numpy(dtype=object)
        self._files: list[Any] = []
        self.shard_bounds: list[tuple[int, int]] = []
        start = 0
        for number, path in enumerate(files):
            try:
                file = open_hdf5(path, remedy="materialise hdf5_shards again")
            except StreetineqError:
                self.close()
                raise
            self._files.append(file)
            ids = file["location_id"].asstr()[:]
            expected = self.location_ids[start : start + len(ids)]
            if (rows["shard"] == number).sum() != len(ids) or not np.array_equal(ids, expected):
                self.close()
                raise StoreError(
                    f"{path} holds other locations than rows.parquet names: materialise "
                    "hdf5_shards again"
                )
            self.shard_bounds.append((start, start + len(ids)))
            start += len(ids)
        self.n_rows = start
        if start != len(rows):
            self.close()
            raise StoreError(
                f"rows.parquet has {len(rows)} rows, the shards {start}: materialise hdf5_shards "
                "again"
            )
        self.views, self.width = self._files[0]["features"].shape[1:]
        self._require_same_views(files)
        self.present = np.concatenate([_present(file) for file in self._files])
        # Several cities may be read as one; large codes of float32 are infinite in float16.
        self.dtype = np.result_type(*(file["features"].dtype for file in self._files))

    def _require_same_views(self, files: Sequence[Path]) -> None:
        for path, file in zip(files, self._files, strict=True):
            if (found := file["features"].shape[1]) != self.views:
                self.close()
                raise StoreError(
                    f"{path} holds {found} views of each location, {files[0]} {self.views}: codes "
                    "that are read together need the same views"
                )

    def __enter__(self) -> "ShardReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()

    @property
    def nbytes(self) -> int:
        """Bytes of all features."""
        return self.n_rows * self.views * self.width * self.dtype.itemsize

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """How the codes were made; `mean` and `sd` per feature are for inspection only."""
        return self.attributes_of(0)

    def attributes_of(self, shard: int) -> dict[str, Any]:
        """As `attributes`, of one shard by its number: several cities may be read as one."""
        return dict(self._files[shard].attrs.items())

    @property
    def encoder(self) -> EncoderIdentity:
        """What made the codes of the first shard; see `identity.require_one_encoder`."""
        return self.encoder_of(0)

    def encoder_of(self, shard: int) -> EncoderIdentity:
        """What made the codes of one shard by its number."""
        return EncoderIdentity.from_attributes(self._files[shard].attrs)

    def read(self, rows: np.ndarray | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Features of ascending row numbers, by default of all, as `dtype`.

        Args:
            rows: (n,) within 0..n_rows - 1.
            out: (n, views, width), to be filled; new memory costs as much as the reading does.

        Returns:
            (n, views, width), `out` if it was given.

        Raises:
            ValueError: the rows do not ascend, or one is outside.
            StoreError: a file was cut off since it was opened.
        """
        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        if len(rows) and (rows[0] < 0 or rows[-1] >= self.n_rows or (np.diff(rows) <= 0).any()):
            raise ValueError(f"rows must ascend within 0..{self.n_rows - 1}")
        shape = (len(rows), self.views, self.width)
        features = np.empty(shape, self.dtype) if out is None else out
        for file, (start, stop) in zip(self._files, self.shard_bounds, strict=True):
            first, last = np.searchsorted(rows, [start, stop])
            if last > first:
                _read(file["features"], rows[first:last] - start, features[first:last])
        return features

    def stream(
        self, mask: np.ndarray | None = None, chunk_rows: int = 1024
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers and features of the rows in a mask, in order, a chunk in memory at a time.

        Args:
            mask: boolean (n_rows,), by default all rows.
            chunk_rows: rows passed over for each chunk that is yielded; chunks without a row of
                the mask are left out.

        Raises:
            ValueError: the mask is of another length.
        """
        chosen = np.arange(self.n_rows) if mask is None else np.flatnonzero(mask)
        if mask is not None and len(mask) != self.n_rows:
            raise ValueError(f"a mask of {len(mask)} for {self.n_rows} rows")
        for start in range(0, self.n_rows, chunk_rows):
            first, last = np.searchsorted(chosen, [start, start + chunk_rows])
            if last > first:
                yield chosen[first:last], self.read(chosen[first:last])


def _present(file: Any) -> np.ndarray:
    """(n, views) bool of a shard; without such a dataset all views are there."""
    if "present" in file:
        return file["present"][:]
    return np.ones(file["features"].shape[:2], bool)


def _read(dataset: Any, rows: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with some rows of a shard.

    A shard lies in its file in one piece, and is read from there without HDF5, which would take
    two to three times as long as a copy in memory. HDF5 reads what has to be converted.
    """
    position, handle = dataset.id.get_offset(), dataset.file.id.get_vfd_handle()
    as_it_is = position is not None and dataset.dtype == out.dtype
    for begin, end in _runs(rows):
        first, part = int(rows[begin]), out[begin:end]
        if not as_it_is:
            dataset.read_direct(part, np.s_[first : first + end - begin])
        else:
            _fill(part, handle, position + first * out[0].nbytes, name=dataset.file.filename)


def _fill(part: np.ndarray, handle: int, position: int, *, name: str) -> None:
    """Fill an array from a place in an open file; the system gives 2 GB at a time at most."""
    room, done = part.data.cast("B"), 0
    while done < len(room):
        n_bytes = os.preadv(handle, [room[done:]], position + done)
        if not n_bytes:
            raise StoreError(f"{name} ends too early: materialise hdf5_shards again")
        done += n_bytes


def _runs(rows: np.ndarray) -> Iterable[tuple[int, int]]:
    """Bounds of the runs of consecutive numbers, each of which is one read."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    return zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True)
