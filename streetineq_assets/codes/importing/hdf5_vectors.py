"""Codes in an HDF5 file: `features (n, views, width)` or `(n, width)`, as the original wrote them.

Beside them may lie `location_id (n)`, and, of rows that are of one view, `view (n)`; of rows that
hold several, `present (n, views)`. All else is left alone.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.codes.bucket_file import DAMAGE
from streetineq_assets.codes.hdf5 import open_hdf5
from streetineq_assets.codes.importing.row_names import LOCATION, VIEW, RowNames
from streetineq_assets.codes.importing.vectors import Vectors
from streetineq_assets.errors import SourceError, StoreError
from streetineq_assets.images.catalogue import VIEWS

FEATURES, PRESENT = "features", "present"
_MOST_BYTES = 1 << 28  # unpacked at a time, of a file whose chunks are long
_AGAIN = "copy it again, it may be half there"


@contextmanager
def hdf5_vectors(path: Path) -> Generator[Vectors]:
    """The codes of a file, open while the block runs.

    Raises:
        SourceError: it is no HDF5 file, was cut off, or has another layout.
        FileLockedError: another program holds it, or its file system has no locks.
    """
    try:
        file = open_hdf5(path, remedy=_AGAIN)
    except StoreError as error:
        raise SourceError(str(error)) from error
    with file:
        yield _described(path, file)


def _described(path: Path, file: Any) -> Vectors:
    features = _features(path, file)
    n_rows, n_views = features.shape[0], 1 if features.ndim == 2 else features.shape[1]
    if n_views > len(VIEWS):
        raise SourceError(
            f"{path}: features {features.shape} hold {n_views} views of a location, and there are "
            f"names for {len(VIEWS)}, {', '.join(VIEWS)}: bring (n, views, width) with at most so "
            "many views"
        )

    def read(rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return _read(path, features, rows).reshape(len(rows), n_views, -1)

    def stream() -> Iterator[NDArray[np.float32]]:
        for start in range(0, n_rows, size := _rows_at_once(features)):
            yield read(np.arange(start, min(start + size, n_rows)))

    return Vectors(
        _names(path, file, n_rows),
        n_rows,
        n_views,
        features.shape[-1],
        read,
        stream if features.chunks else None,
        _present(path, file, (n_rows, n_views)),
    )


def _features(path: Path, file: Any) -> Any:
    import h5py

    features = file.get(FEATURES)
    if not isinstance(features, h5py.Dataset):
        found = ", ".join(file) or "nothing"
        raise SourceError(
            f"{path} has no dataset {FEATURES}, but {found}: name the codes {FEATURES}, of shape "
            "(n, views, width) or (n, width)"
        )
    if features.ndim not in (2, 3) or 0 in features.shape[1:] or features.dtype.kind not in "fiu":
        raise SourceError(
            f"{path}: {FEATURES} is {features.dtype} of shape {features.shape}: expected are "
            "numbers of shape (n, views, width) or (n, width)"
        )
    return features


def _names(path: Path, file: Any, n_rows: int) -> RowNames | None:
    if LOCATION not in file:
        return None
    ids = _column(path, file, LOCATION, n_rows)
    return RowNames.of(ids, _column(path, file, VIEW, n_rows) if VIEW in file else None, str(path))


def _column(path: Path, file: Any, name: str, n_rows: int) -> pd.Series:
    import h5py

    dataset = file[name]
    if dataset.shape != (n_rows,):
        raise SourceError(
            f"{path}: {name} is of shape {dataset.shape}, and there are {n_rows:,} rows of "
            f"{FEATURES}: bring one for each row, in the same order"
        )
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    try:
        return pd.Series(dataset.asstr()[:] if is_text else dataset[:])
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: {name} is no UTF-8 ({error}): write it as text") from error
    except DAMAGE as error:
        raise _unreadable(path, error) from error


def _present(path: Path, file: Any, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if PRESENT not in file:
        return None
    if file[PRESENT].shape != shape:
        raise SourceError(
            f"{path}: {PRESENT} is of shape {file[PRESENT].shape}, expected is {shape}: whether "
            "there is a code, by row and view"
        )
    return file[PRESENT][:].astype(bool)


def _read(path: Path, features: Any, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Ascending rows; of a file in chunks, each chunk that holds some is unpacked once."""
    found = np.empty((len(rows), *features.shape[1:]), np.float32)
    try:
        for first, last in _windows(features, rows):
            part = rows[first:last]
            block = features[part[0] : part[-1] + 1]
            found[first:last] = block[part - part[0]]
    except DAMAGE as error:
        raise _unreadable(path, error) from error
    return found


def _windows(features: Any, rows: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Bounds of the runs of rows that are read at once: consecutive ones, or those of a chunk."""
    if not len(rows):
        return
    window = rows - np.arange(len(rows))
    if features.chunks:
        window = rows // _rows_at_once(features)
    breaks = np.flatnonzero(np.diff(window)) + 1
    yield from zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True)


def _rows_at_once(features: Any) -> int:
    """As many as a chunk has, if they are not too many."""
    row_bytes = features.dtype.itemsize * int(np.prod(features.shape[1:]))
    return min(features.chunks[0], max(1, _MOST_BYTES // row_bytes))


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path} cannot be read to its end ({error}): {_AGAIN}")
