"""What training asks of codes, wherever they lie."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from streetineq_assets.images.catalogue import VIEWS

READ_ROWS = 1024


class CodeShape(NamedTuple):
    """What a network is made for, beside its profile.

    Attributes:
        width: values of one view's code.
        views: of a location, present or absent.
        masked: whether some are absent.
    """

    width: int
    views: int = len(VIEWS)
    masked: bool = False


class Reader(Protocol):
    """What training asks of `codes.shards.ShardReader`."""

    n_rows: int
    width: int
    views: int
    dtype: Any
    location_ids: NDArray
    present: NDArray

    @property
    def nbytes(self) -> int:
        """Bytes of all features."""
        ...

    @property
    def shard_bounds(self) -> Sequence[tuple[int, int]]:
        """(first row, row after the last) of each shard."""
        ...

    @property
    def attributes(self) -> dict[str, Any]:
        """How the codes were made."""
        ...

    def read(self, rows: NDArray | None = None, out: NDArray | None = None) -> NDArray:
        """(n,) ascending rows -> (n, views, width), into `out` if it is given."""
        ...

    def stream(
        self, mask: NDArray | None = None, chunk_rows: int = READ_ROWS
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Row numbers and codes, in sequence."""
        ...
