"""Codes in a Parquet file: a row for each location, or for each location and view.

The columns are `location_id`, maybe `view`, and the code: one column of lists, or a column for each
of its numbers, in the order of the code. Names of these do not matter.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from streetineq_assets.codes.importing.row_names import LOCATION, VIEW, RowNames
from streetineq_assets.codes.importing.vectors import Vectors
from streetineq_assets.errors import SourceError

_BATCH_BYTES = 1 << 26  # unpacked at a time
_INDEX = re.compile(r"__index_level_[0-9]+__")  # which pandas adds, and nobody asked for
_NUMBER = re.compile(r".*?([0-9]+)")


@contextmanager
def parquet_vectors(path: Path) -> Generator[Vectors]:
    """The codes of a file, open while the block runs.

    Raises:
        SourceError: it is no Parquet file, was cut off, or has other columns.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{path} is not readable as Parquet: copy it again, it may be half there"
        ) from error
    with file:
        yield _described(path, file)


def _described(path: Path, file: pq.ParquetFile) -> Vectors:
    fields = file.schema_arrow
    if LOCATION not in fields.names:
        raise SourceError(
            f"{path} has no column {LOCATION}, but {_few(fields.names)}: expected are {LOCATION}, "
            f"maybe {VIEW}, and the code"
        )
    kept = [field for field in fields if not _INDEX.fullmatch(field.name)]
    codes = [field for field in kept if field.name not in (LOCATION, VIEW)]
    rows = _Rows(path, file, _checked(path, codes))
    columns = [name for name in (LOCATION, VIEW) if name in fields.names]
    named = file.read(columns=columns)
    for name in columns:
        if named[name].null_count:
            raise SourceError(
                f"{path}: {name} is empty in {named[name].null_count:,} rows: fill it"
            )
    views = named[VIEW].to_pandas() if VIEW in columns else None
    return Vectors(
        RowNames.of(named[LOCATION].to_pandas(), views, str(path)),
        file.metadata.num_rows,
        1,
        rows.width,
        lambda wanted: rows.read(wanted)[:, None, :],
        lambda: (block[:, None, :] for block in rows.stream()),
    )


def _checked(path: Path, codes: Sequence[pa.Field]) -> list[str]:
    """The names of the columns of the code.

    Raises:
        SourceError: they are neither numbers nor one column of lists, or are not in order.
    """
    names = [field.name for field in codes]
    if len(codes) == 1 and _is_list(codes[0].type):
        if not _is_number(codes[0].type.value_type):
            raise SourceError(
                f"{path}: column {names[0]} holds {codes[0].type}: expected are lists of numbers, "
                "one list in a row"
            )
        return names
    others = [field for field in codes if not _is_number(field.type)]
    if others or not codes:
        said = ", ".join(f"{field.name} ({field.type})" for field in others[:3]) or "no column"
        raise SourceError(
            f"{path}: {said} is no code: keep {LOCATION}, {VIEW}, and either one column of lists "
            "of numbers or a column for each number"
        )
    _refuse_disorder(path, names)
    return names


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _refuse_disorder(path: Path, names: Sequence[str]) -> None:
    """Numbered columns that were sorted as text would mix up the numbers of a code."""
    found = [_NUMBER.fullmatch(name) for name in names]
    numbers = [int(each[1]) for each in found if each]
    if len(numbers) < len(names):
        return
    for before, after, name in zip(numbers, numbers[1:], names, strict=False):
        if after <= before:
            following = names[names.index(name) + 1]
            raise SourceError(
                f"{path}: column {following} follows {name}: write the columns of the code in the "
                "order of their numbers"
            )


class _Rows:
    """Rows of the code, read by groups of rows; `width` is how many numbers it has."""

    def __init__(self, path: Path, file: pq.ParquetFile, names: list[str]) -> None:
        self._path, self._file, self._names = path, file, names
        groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        self._starts = np.cumsum([0, *groups])
        self._is_list = _is_list(file.schema_arrow.field(names[0]).type)
        self.width = len(names)
        if self._is_list:
            first = next(self._batches(1, None), None)
            self.width = len(first.column(0)[0].as_py() or []) if first else 0

    def read(self, wanted: NDArray[np.intp]) -> NDArray[np.float32]:
        """(m, width) of ascending rows (m,).

        Raises:
            SourceError: the file is damaged, or a code has another length.
        """
        found = np.empty((len(wanted), self.width), np.float32)
        for group in np.unique(np.searchsorted(self._starts, wanted, side="right") - 1):
            start = int(self._starts[group])
            for batch in self._batches(self._size, [int(group)]):
                first, last = np.searchsorted(wanted, [start, start + len(batch)])
                rows = wanted[first:last]
                found[first:last] = self._values(batch.take(rows - start), rows)
                start += len(batch)
        return found

    def stream(self) -> Iterator[NDArray[np.float32]]:
        """All rows, in blocks (m, width).

        Raises:
            SourceError: as `read`.
        """
        start = 0
        for group in range(self._file.num_row_groups):  # of several, all would be held in memory
            for batch in self._batches(self._size, [group]):
                rows = np.arange(start, start + len(batch))
                yield self._values(batch, rows).astype(np.float32)
                start += len(batch)

    @property
    def _size(self) -> int:
        return max(1, _BATCH_BYTES // (8 * max(1, self.width)))

    def _batches(self, size: int, groups: list[int] | None) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(size, row_groups=groups, columns=self._names)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{self._path} cannot be read to its end ({error}): copy it again"
            ) from error

    def _values(self, batch: pa.RecordBatch, rows: NDArray[np.intp]) -> NDArray:
        if not self._is_list:
            columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
            return np.column_stack(columns) if len(batch) else np.empty((0, self.width))
        lengths = pc.list_value_length(batch.column(0)).fill_null(0).to_numpy()
        odd = lengths != self.width
        if odd.any():
            row = int(odd.argmax())
            raise SourceError(
                f"{self._path}, row {rows[row] + 1}: a code of {lengths[row]} numbers, and that of "
                f"the first row has {self.width}: bring one length throughout"
            )
        numbers = batch.column(0).flatten().to_numpy(zero_copy_only=False)
        return numbers.reshape(len(batch), self.width)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
