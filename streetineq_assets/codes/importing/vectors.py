"""The codes of a file row by row, whatever form the file has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.codes.importing.row_names import RowNames

Read = Callable[[NDArray[np.intp]], NDArray[np.float32]]
Stream = Callable[[], Iterator[NDArray[np.float32]]]


@dataclass(frozen=True)
class Vectors:
    """The codes of a file.

    Attributes:
        names: what its rows are of; None where the file does not say.
        n_rows: of the file.
        n_views: of one row.
        width: numbers in the code of one view.
        read: ascending rows (m,) -> float32 (m, n_views, width); SourceError where they cannot be
            read.
        stream: of a packed file, of which much is unpacked for a few rows, all of them in blocks as
            `read` gives them; None: of a file that is not.
        present: (n_rows, n_views), whether there is a code of the view; None: of all.
    """

    names: RowNames | None
    n_rows: int
    n_views: int
    width: int
    read: Read
    stream: Stream | None = None
    present: NDArray[np.bool_] | None = None
