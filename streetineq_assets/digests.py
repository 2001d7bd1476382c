"""Digests by which content is told apart: sha256 of files, of names, of tables by their values."""

import hashlib
import json
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.area_vintages import EARLIER_NAMES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# A change this soon after the last may bear the same time of change: clocks of file systems tick.
SETTLED_S = 2.0


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal.

    A process reads a file once as long as nobody touches it: a city's shards are opened by every
    pair, and are gigabytes. The kernel's own time of change tells; no program can set that back.
    """
    state = current_state(path)
    if time.time() - state.st_ctime < SETTLED_S:
        return _sha256(path)
    return _untouched(path, state.st_dev, state.st_ino, state.st_size, state.st_ctime_ns)


def current_state(path: Path) -> os.stat_result:
    """What a file is at this moment: network file systems look again when it is opened.

    Without opening they may answer from memory for a minute, though another machine has put another
    file in its place.
    """
    with path.open("rb") as file:
        return os.fstat(file.fileno())


@lru_cache(maxsize=4096)
def _untouched(path: Path, *_: int) -> str:
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(seed: int, name: str) -> str:
    """A random key of a name, the same in every process: by it things are dealt and drawn."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def digest_frame(frame: "pd.DataFrame") -> str:
    """sha256 of a frame's values, column names and types; its index does not count.

    Rows are hashed by value: the same values in another memory layout, such as a slice of a larger
    frame, give the same digest.
    """
    return RowDigests(frame).of(slice(None))


class RowDigests:
    """`digest_frame` of many parts of one frame, whose rows are hashed once."""

    def __init__(self, frame: "pd.DataFrame") -> None:
        from pandas.util import hash_pandas_object

        # By the names of earlier versions, so that what has not changed is known unchanged.
        types = [
            (EARLIER_NAMES.get(str(name), str(name)), str(kind))
            for name, kind in frame.dtypes.items()
        ]
        self._types = json.dumps(types).encode()
        self._hashes = hash_pandas_object(frame, index=False).to_numpy()

    def of(self, rows: "slice | np.ndarray") -> str:
        """The digest of these rows, by position and in this order."""
        digest = hashlib.sha256(self._types)
        digest.update(self._hashes[rows].tobytes())
        return digest.hexdigest()
