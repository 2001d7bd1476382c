"""A city's areas as the report draws them: simplified polygons, or points where there are none.

Borders are simplified together, so that neighbours still meet; the same shapes are rasterised into
pictures and drawn by the page's script, and stand in the file once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.geography import national_grid

if TYPE_CHECKING:
    import geopandas as gpd

_UNITS = 4000  # along a city's longer side: what is less than one of them apart is one point
_MARGIN = 0.02


@dataclass(frozen=True)
class CityShapes:
    """Where a city's areas lie, on the British National Grid, in metres.

    Attributes:
        codes: (n,) LSOA codes, ascending; positions below are positions among them.
        rings: position to the rings of its polygons, (m, 2) each, and whether each is a hole.
        points: position to the centroid of an area without a polygon.
        bounds: west, south, east, north.
    """

    codes: Sequence[str]
    rings: dict[int, list[tuple[np.ndarray, bool]]] = field(default_factory=dict)
    points: dict[int, tuple[float, float]] = field(default_factory=dict)
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    @property
    def unit(self) -> float:
        """Metres of one unit of `paths`."""
        west, south, east, north = self.bounds
        return max(east - west, north - south) / _UNITS

    def rings_by_size(self) -> Iterator[tuple[int, np.ndarray, bool]]:
        """Position, ring, whether it is a hole: the largest first, holes behind their polygon."""
        sized = [
            (-max(_extent(own) for own, _ in parts), position, order, ring, is_hole)
            for position, parts in self.rings.items()
            for order, (ring, is_hole) in enumerate(parts)
        ]
        for _, position, _, ring, is_hole in sorted(sized, key=lambda each: each[:3]):
            yield position, ring, is_hole

    def paths(self) -> list[str]:
        """(n,) SVG paths in units from the north-west corner; empty for areas without a polygon."""
        return [self._path(self.rings.get(position, [])) for position in range(len(self.codes))]

    def _path(self, parts: Sequence[tuple[np.ndarray, bool]]) -> str:
        return "".join(_relative_path(self._in_units(ring)) for ring, _ in parts)

    def dots(self) -> list[tuple[int, int] | None]:
        """(n,) points in the same units; None for areas with a polygon, and on no map."""
        found = {
            position: self._in_units(np.array([point]))[0]
            for position, point in self.points.items()
        }
        whole = {position: (int(x), int(y)) for position, (x, y) in found.items()}
        return [whole.get(position) for position in range(len(self.codes))]

    def size(self) -> tuple[int, int]:
        """Width and height in units."""
        (width, height), *_ = self._in_units(np.array([[self.bounds[2], self.bounds[1]]]))
        return int(width), int(height)

    def _in_units(self, metres: np.ndarray) -> np.ndarray:
        west, _, _, north = self.bounds
        return np.rint((metres - (west, north)) / (self.unit, -self.unit)).astype(int)


def city_shapes(
    codes: Sequence[str], boundaries: "gpd.GeoDataFrame | None", centroids: pd.DataFrame
) -> CityShapes:
    """The shapes of a city's areas.

    Args:
        codes: (n,) LSOA codes, ascending.
        boundaries: `area, geometry` on the British National Grid, or None.
        centroids: `area, lat, lon` in degrees, for areas without a boundary.
    """
    position = {code: number for number, code in enumerate(codes)}
    rings = {} if boundaries is None else _rings(boundaries, position)
    lacking = centroids[centroids["area"].isin([c for c, p in position.items() if p not in rings])]
    grid = national_grid(lacking["lat"], lacking["lon"])
    located = np.isfinite(grid).all(axis=1)
    points = {
        position[code]: (float(x), float(y))
        for code, (x, y) in zip(lacking["area"][located], grid[located], strict=True)
    }
    corners = [ring for parts in rings.values() for ring, _ in parts]
    corners += [np.array(list(points.values()))] if points else []
    bounds = _bounds(np.concatenate(corners)) if corners else (0.0, 0.0, 1.0, 1.0)
    return CityShapes(codes, rings, points, bounds)


def _rings(
    boundaries: "gpd.GeoDataFrame", position: dict[str, int]
) -> dict[int, list[tuple[np.ndarray, bool]]]:
    import shapely

    mine = boundaries[boundaries["area"].isin(position)]
    if mine.empty:
        return {}
    west, south, east, north = mine.total_bounds
    tolerance = 0.5 * max(east - west, north - south) / _UNITS
    shapes = shapely.coverage_simplify(mine.geometry.to_numpy(), tolerance)
    return {
        position[code]: [
            (np.asarray(ring.coords)[:, :2], is_hole)
            for part in shapely.get_parts(shape)
            for is_hole, rings in ((False, [part.exterior]), (True, part.interiors))
            for ring in rings
        ]
        for code, shape in zip(mine["area"], shapes, strict=True)
        if not shape.is_empty
    }


def _bounds(corners: np.ndarray) -> tuple[float, float, float, float]:
    """Of all points, with a margin; at least a kilometre wide."""
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    margin = max(_MARGIN * max(east - west, north - south), 500.0 if len(corners) == 1 else 50.0)
    return float(west - margin), float(south - margin), float(east + margin), float(north + margin)


def _extent(ring: np.ndarray) -> float:
    width, height = np.ptp(ring, axis=0)
    return float(width * height)


def _relative_path(points: np.ndarray) -> str:
    """A closed ring of whole numbers: its first point, then steps, without those of nothing."""
    steps = np.diff(points[:-1], axis=0)
    steps = steps[(steps != 0).any(axis=1)]
    start, rest = points[0], " ".join(f"{x} {y}" for x, y in steps)
    return f"M{start[0]} {start[1]}l{rest}z" if rest else f"M{start[0]} {start[1]}h1v1z"
