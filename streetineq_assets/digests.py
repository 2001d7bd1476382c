"""Digests by which content is told apart: of files, and of tables by their values.

What belongs here: sha256 of bytes and of frames. What does not: what is done with them (`store`).
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_frame(frame: "pd.DataFrame") -> str:
    """sha256 of a frame's values, column names and types; its index does not count.

    Rows are hashed by value: the same values in another memory layout, such as a slice of a larger
    frame, give the same digest.
    """
    from pandas.util import hash_pandas_object

    types = [(str(name), str(kind)) for name, kind in frame.dtypes.items()]
    digest = hashlib.sha256(json.dumps(types).encode())
    digest.update(hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()
