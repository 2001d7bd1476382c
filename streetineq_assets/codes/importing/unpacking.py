"""Packed files of codes, unpacked once for a run.

The rows of a bucket lie all over the file. Of one that is compressed, or of Parquet, all would be
unpacked for each bucket; after the first, it is unpacked as a whole, into a file without a name
that is gone with the process.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.codes.importing.vectors import Read, Stream, Vectors
from streetineq_assets.errors import clear_disk_errors


@contextmanager
def unpacked_once(vectors: Vectors, folder: Path) -> Generator[Vectors]:
    """The same codes, to be read again and again.

    Args:
        folder: on a disk with room for all of them, as float32.

    Raises:
        StoreError: when they are read and the disk is full.
    """
    if vectors.stream is None:
        yield vectors
        return
    with ExitStack() as held:
        reads, stream = [vectors.read], vectors.stream

        def read(rows: NDArray[np.intp]) -> NDArray[np.float32]:
            if len(reads) == 2:
                reads.append(_unpack(vectors, stream, folder, held))
            elif len(reads) == 1:
                reads.append(vectors.read)
            return reads[-1](rows)

        yield replace(vectors, read=read)


def _unpack(vectors: Vectors, stream: Stream, folder: Path, held: ExitStack) -> Read:
    """Write all rows into a file, and say how some are read of it."""
    shape = (vectors.n_views, vectors.width)
    row_bytes = 4 * vectors.n_views * vectors.width
    with clear_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = held.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        for block in stream():
            file.write(np.ascontiguousarray(block).data)
        file.flush()

    def read(rows: NDArray[np.intp]) -> NDArray[np.float32]:
        found = np.empty((len(rows), *shape), np.float32)
        for place, row in enumerate(rows.tolist()):
            os.preadv(file.fileno(), [found[place].data], row * row_bytes)
        return found

    return read
