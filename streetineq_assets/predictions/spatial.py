"""Whether the errors of neighbouring areas are alike, and how far apart they still are.

An area's error is its score less the mean score of its actual decile. Predicted minus actual decile
will not do: it falls with the actual decile, however good the model is, and actual deciles cluster
in space, so that it clusters too where the errors do not. Within a decile there is nothing left of
that.

Each area's neighbours are its eight nearest areas, so that there are no islands, which distort
Moran's I where neighbours are polygons that touch. A high I says that a model misses something that
varies in space, and that the areas are worth fewer independent ones than their number.
"""

import contextlib
from collections.abc import Generator

import numpy as np

NEIGHBOURS = 8
PERMUTATIONS = 999
MIN_AREAS = 30
_SMALLEST_SPREAD = 1e-12  # of the score's own: what is below it is rounding
_MOST_RINGS = 200
_NOISE = 2.0  # standard errors of a correlation of nothing
_LONGEST = 0.5  # of the city's shorter side: farther apart there are few places to compare


def errors_within_deciles(score: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Each area's score less the mean score of its actual decile.

    Args:
        score: (n,) float64.
        actual: (n,) int64 of 1..10.

    Returns:
        (n,) float64; NaN for the area that is alone in its decile, whose error cannot be told.
    """
    _, decile = np.unique(actual, return_inverse=True)
    n = np.bincount(decile)
    mean = np.bincount(decile, score) / np.maximum(n, 1)
    return np.where(n[decile] > 1, score - mean[decile], np.nan)


def moran_of_errors(
    score: np.ndarray, actual: np.ndarray, positions: np.ndarray, *, seed: int
) -> tuple[float, float]:
    """Moran's I of the errors within deciles, and its two-sided permutation p-value.

    Args:
        score: (n,) float64, any scale that rises with the decile; NaN leaves an area out.
        actual: (n,) int64 of 1..10; an area that is alone in its decile is left out.
        positions: (n, 2) easting and northing of the areas in metres; NaN leaves an area out.
        seed: of the permutations.

    Returns:
        (I, p); NaN where fewer than `MIN_AREAS` areas remain, or all errors are the same.
    """
    error, placed = _placed_errors(score, actual, positions)
    if len(error) < MIN_AREAS:
        return float("nan"), float("nan")
    from esda.moran import Moran
    from libpysal.weights import KNN

    weights = KNN.from_array(placed, k=NEIGHBOURS, silence_warnings=True)
    with _seeded(seed):
        statistic = Moran(error, weights, permutations=PERMUTATIONS)
    return float(statistic.I), min(1.0, 2 * float(statistic.p_sim))


def range_of_errors(score: np.ndarray, actual: np.ndarray, positions: np.ndarray) -> float:
    """The distance in metres at which errors within deciles are no longer alike.

    It is the inner edge of the first ring around an area in which the errors' correlation with its
    own is less than two standard errors above 0. A ring is as wide as twice the median distance to
    the nearest area. (The correlogram, as in Cliff and Ord 1981, Spatial Processes.)

    Args:
        score, actual, positions: as for `moran_of_errors`.

    Returns:
        0 where even neighbours' errors are not alike, or too few areas remain to tell; at most half
        of the city's shorter side.
    """
    error, placed = _placed_errors(score, actual, positions)
    if len(error) < MIN_AREAS:
        return 0.0
    from scipy.spatial import KDTree

    tree = KDTree(placed)
    nearest = tree.query(placed, k=2)[0][:, 1]
    longest = _LONGEST * float(np.ptp(placed, axis=0).min())
    width = max(2 * float(np.median(nearest)), longest / _MOST_RINGS)
    if width > longest or not longest:
        return 0.0
    edges = np.arange(0, longest + width, width)
    weights = error / error.std()
    # Cumulative from 0, where each area meets itself; pairs are counted from both ends.
    alike = np.diff(tree.count_neighbors(tree, edges, weights=(weights, weights)))
    pairs = np.diff(tree.count_neighbors(tree, edges)) / 2
    noise = alike / 2 < _NOISE * np.sqrt(np.maximum(pairs, 1))
    first = int(np.argmax(noise)) if noise.any() else len(noise)
    return min(float(edges[first]), longest)


def _placed_errors(
    score: np.ndarray, actual: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The errors that can be told and placed, and their positions; none where they do not vary."""
    kept = np.isfinite(score) & np.isfinite(positions).all(axis=1)
    score, placed = score[kept], positions[kept]
    error = errors_within_deciles(score, actual[kept])
    told = np.isfinite(error)
    error, placed = error[told], placed[told]
    if len(error) and error.std() <= _SMALLEST_SPREAD * max(1.0, float(np.abs(score).max())):
        return error[:0], placed[:0]
    return error, placed


@contextlib.contextmanager
def _seeded(seed: int) -> Generator[None]:
    """Seed NumPy's global generator, by which esda permutes, and restore its state afterwards."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
