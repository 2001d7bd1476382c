"""What training asks of codes, wherever they lie."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

READ_ROWS = 1024


class Reader(Protocol):
    """What training asks of `codes.shards.ShardReader`."""

    n_rows: int
    width: int
    views: int
    dtype: Any
    location_ids: NDArray

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
