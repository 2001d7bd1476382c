"""Whether the errors of neighbouring areas are alike: Moran's I of the residuals.

Each area's neighbours are its eight nearest areas, so that there are no islands, which distort the
statistic where neighbours are polygons that touch. A high I says that a model misses something that
varies in space, and that the areas are worth fewer independent ones than their number.
"""

import contextlib
from collections.abc import Generator

import numpy as np

NEIGHBOURS = 8
PERMUTATIONS = 999
MIN_AREAS = 30


def moran(residuals: np.ndarray, centroids: np.ndarray, *, seed: int) -> tuple[float, float]:
    """Moran's I of residuals and its two-sided permutation p-value.

    Args:
        residuals: (n,) predicted minus actual decile.
        centroids: (n, 2) easting and northing of the areas in metres.

    Returns:
        (I, p); NaN where there are fewer than `MIN_AREAS` areas or all residuals are the same.
    """
    if len(residuals) < MIN_AREAS or np.ptp(residuals) == 0:
        return float("nan"), float("nan")
    from esda.moran import Moran
    from libpysal.weights import KNN

    weights = KNN.from_array(centroids, k=NEIGHBOURS, silence_warnings=True)
    with _seeded(seed):
        statistic = Moran(residuals.astype(np.float64), weights, permutations=PERMUTATIONS)
    return float(statistic.I), min(1.0, 2 * float(statistic.p_sim))


@contextlib.contextmanager
def _seeded(seed: int) -> Generator[None]:
    """Seed NumPy's global generator, by which esda permutes, and restore its state afterwards."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
