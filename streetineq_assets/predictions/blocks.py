"""Which areas are resampled together: blocks of the map, MSOAs, or single areas.

Errors of near areas are alike, so resampling single areas takes them for more than they are worth
and gives intervals that are too short. Blocks must be large against the distance at which errors
are alike, and there must be enough of them. Here a block is twice as wide as that distance
(`spatial.range_of_errors`), but no city has fewer than eight blocks, and no block fewer than five
areas on average, as an MSOA has: a distance of 0 may be one that was not found. Where models are
compared, the longest distance of any of them counts, as their difference has the errors of both.

Blocks are as equal in number of areas as they can be: the city is halved along its longer side
again and again. k-means, which was tried, gives blocks of unequal size that depend on a seed and on
the machine's threads, and holds no more often. Few large blocks with Student's quantiles
(`bootstrap`) are the remedy of Bester, Conley and Hansen 2011, Inference with dependent data using
cluster covariance estimators, Journal of Econometrics 165.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from streetineq_assets.predictions.spatial import range_of_errors

MAP_BLOCK, MSOA, LSOA = "spatial_block", "msoa", "lsoa"
UNITS = (MAP_BLOCK, MSOA, LSOA)
FEWEST_BLOCKS = 8
AREAS_PER_BLOCK = 5  # of an MSOA, on average
_SIDES_PER_RANGE = 2.0


@dataclass(frozen=True)
class Blocks:
    """Areas by the block that they are resampled with.

    Attributes:
        unit: what a block is, one of `UNITS`.
        label: (n,) int64 of 0..n_blocks-1.
        n_blocks: how many there are.
        side_m: side in metres of a square that holds as many areas as a block; NaN but for blocks
            of the map.
    """

    unit: str
    label: np.ndarray
    n_blocks: int
    side_m: float = float("nan")

    @classmethod
    def of(cls, unit: str, named: np.ndarray, side_m: float = float("nan")) -> "Blocks":
        """Blocks from the name of each area's: (n,) of any type that sorts."""
        names, label = np.unique(named, return_inverse=True)
        return cls(unit, label.astype(np.int64), len(names), side_m)


def resampling_units(
    scores: Sequence[np.ndarray], actual: np.ndarray, positions: np.ndarray, msoa: np.ndarray
) -> tuple[Blocks, ...]:
    """The units that these areas can be resampled by, the one to go by first.

    Args:
        scores: of each model, (n,) float64, NaN where it has none. The errors that are alike over
            the longest distance decide how large a block is.
        actual: (n,) int64 of 1..10.
        positions: (n, 2) easting and northing in metres, NaN where unknown: such an area is a block
            of its own.
        msoa: (n,) codes, None or NaN where unknown.

    Returns:
        Blocks of the map, where at least eight of five areas can be placed; MSOAs, where all areas
        have one; and single areas.
    """
    units = []
    placed = np.asarray(np.isfinite(positions).all(axis=1))
    if placed.sum() >= FEWEST_BLOCKS * AREAS_PER_BLOCK:
        units.append(_map_blocks(scores, actual, positions, placed))
    known = np.array([isinstance(code, str) and code != "" for code in msoa], dtype=bool)
    if len(known) and known.all():
        units.append(Blocks.of(MSOA, np.asarray(msoa, dtype=str)))
    return *units, Blocks.of(LSOA, np.arange(len(actual)))


def placed_units(
    codes: Iterable[str],
    centroids: pd.DataFrame,
    scores: Sequence[np.ndarray],
    actual: np.ndarray,
) -> tuple[Blocks, ...]:
    """`resampling_units` of areas by their codes.

    Args:
        codes: (n,) of the areas.
        centroids: `area, easting_m, northing_m` and, where known, `msoa`.
        scores, actual: as of `resampling_units`.
    """
    placed = centroids.set_index("area").reindex(list(codes))
    positions = placed[["easting_m", "northing_m"]].to_numpy(np.float64)
    unknown = pd.Series(None, index=placed.index, dtype=object)
    msoa = placed.get("msoa", unknown).to_numpy(dtype=object)
    return resampling_units(scores, actual, positions, msoa)


def regions(positions: np.ndarray, n_regions: int) -> np.ndarray:
    """Compact regions of the map with equal numbers of areas, up to one.

    The areas are parted across their longer extent, in proportion to the regions on either side,
    until each part is one region.

    Args:
        positions: (n, 2) in metres, none missing.
        n_regions: 1 to n.

    Returns:
        (n,) int64 of 0..n_regions-1. Areas at one place may be in two regions.
    """
    label = np.zeros(len(positions), dtype=np.int64)
    parts = [(np.arange(len(positions)), 0, n_regions)]
    while parts:
        areas, first, n = parts.pop()
        label[areas] = first
        if n == 1:
            continue
        longer = int(np.argmax(np.ptp(positions[areas], axis=0)))
        areas = areas[np.lexsort((positions[areas, 1 - longer], positions[areas, longer]))]
        half = n // 2
        cut = round(len(areas) * half / n)
        parts += [(areas[:cut], first, half), (areas[cut:], first + half, n - half)]
    return label


def _map_blocks(
    scores: Sequence[np.ndarray], actual: np.ndarray, positions: np.ndarray, placed: np.ndarray
) -> Blocks:
    """Blocks of the placed areas; every other area is a block of its own."""
    points = positions[placed]
    ranges = [range_of_errors(each[placed], actual[placed], points) for each in scores]
    wanted = _SIDES_PER_RANGE * max(ranges)
    most = len(points) // AREAS_PER_BLOCK
    n_blocks = round(len(points) / _areas_within(points, wanted))
    n_blocks = min(max(n_blocks, FEWEST_BLOCKS), most)
    label = np.full(len(positions), -1, dtype=np.int64)
    label[placed] = regions(points, n_blocks)
    label[~placed] = n_blocks + np.arange((~placed).sum())
    return Blocks.of(MAP_BLOCK, label, _side(points, len(points) / n_blocks))


def _areas_within(points: np.ndarray, side: float) -> float:
    """How many areas lie, on average, within a circle of the size of a square: at least 1."""
    from scipy.spatial import KDTree

    tree = KDTree(points)
    return tree.count_neighbors(tree, side / np.sqrt(np.pi)) / len(points)


def _side(points: np.ndarray, n_areas: float) -> float:
    """Side of the square as large as the circle that holds so many areas around the middle one."""
    from scipy.spatial import KDTree

    nearest = KDTree(points).query(points, k=max(1, round(n_areas)))[0]
    radius = nearest if nearest.ndim == 1 else nearest[:, -1]
    return float(np.median(radius) * np.sqrt(np.pi))
