"""Whether the errors of neighbouring areas are alike: Moran's I of the residuals.

What belongs here: the statistic and its permutation test. What does not: where areas lie
(`models.grid`), and drawing.

Each area has its eight nearest areas as neighbours, so that there are no islands, which skew the
statistic of polygons that touch. A high I says that a model misses something that varies in space,
and that the areas are worth fewer independent ones than their number.
"""

import contextlib
from collections.abc import Iterator

import numpy as np

NEIGHBOURS = 8
PERMUTATIONS = 999
MIN_AREAS = 30


def moran(residuals: np.ndarray, positions: np.ndarray, *, seed: int) -> tuple[float, float]:
    """Moran's I of residuals and its two-sided permutation p-value.

    Args:
        residuals: (n,) predicted minus actual decile.
        positions: (n, 2) easting and northing in metres.

    Returns:
        (I, p); NaN where there are fewer than `MIN_AREAS` areas or all residuals are the same.
    """
    if len(residuals) < MIN_AREAS or np.ptp(residuals) == 0:
        return float("nan"), float("nan")
    from esda.moran import Moran
    from libpysal.weights import KNN

    weights = KNN.from_array(positions, k=NEIGHBOURS, silence_warnings=True)
    with _seeded(seed):
        found = Moran(residuals.astype(np.float64), weights, permutations=PERMUTATIONS)
    return float(found.I), min(1.0, 2 * float(found.p_sim))


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, by which esda permutes, and leave it as it was found."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
