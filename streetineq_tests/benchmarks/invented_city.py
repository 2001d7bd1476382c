"""The map of an invented city: areas that tile the plane, their names, and their postcodes.

Areas are cells around points of a spiral, denser in the middle, as people live. Borders are drawn
once for the two areas that share them, with about as many vertices as the super-generalised
boundaries of the ONS have. Authorities and MSOAs are contiguous. No place is like this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_tests.studies import degrees

POSTCODES_PER_AREA = 36
_DENSER_INSIDE = 0.62  # 0.5 would make all areas equal in size
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_AREAS_PER_MSOA = 5
_VERTICES_PER_BORDER = 6  # between its ends; an area has about six borders
_SHORT_BORDER_M = 60.0
_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"  # of the inward part of postcodes
_UNITS_PER_DISTRICT = 3000
_LARGE_USERS, _TERMINATED = 0.03, 0.04  # shares of postcodes


class Place(NamedTuple):
    """Where a city lies and what is in it.

    Attributes:
        authorities: code to name of its local authorities.
        districts: letters that its postcodes begin with.
        centre: easting and northing in metres.
        km2: its size.
        n_areas: LSOAs.
    """

    authorities: dict[str, str]
    districts: Sequence[str]
    centre: tuple[float, float]
    km2: float
    n_areas: int


@dataclass(frozen=True)
class InventedCity:
    """The areas of one city.

    Attributes:
        first: number of its first area and MSOA; codes of several cities differ by it.
        seed: of all that is drawn.
    """

    place: Place
    first: int
    seed: int

    @cached_property
    def areas(self) -> pd.DataFrame:
        """`area, name, msoa, authority, easting_m, northing_m`, by code.

        Neighbours in this order are neighbours on the map.
        """
        points = self._points[self._order]
        authority = self._authority[self._order]
        codes, names = list(self.place.authorities), list(self.place.authorities.values())
        msoa, of_authority, letter = _msoas(authority)
        number = np.arange(len(points))
        titles = [
            f"{names[a]} {m + 1:03d}{'ABCDEFGH'[i]}"
            for a, m, i in zip(authority, of_authority, letter, strict=True)
        ]
        return pd.DataFrame(
            {
                "area": [f"E01{self.first + n:06d}" for n in number],
                "name": titles,
                "msoa": [f"E02{self.first + n:06d}" for n in msoa],
                "authority": np.array(codes)[authority],
                "easting_m": points[:, 0],
                "northing_m": points[:, 1],
            }
        )

    @cached_property
    def rings(self) -> list[NDArray[np.float64]]:
        """The outer ring of each area in the order of `areas`: (n, 2) metres, closed."""
        from scipy.spatial import Voronoi

        cells = Voronoi(np.concatenate([self._points, self._around]))
        borders = _Borders(cells.vertices, np.array(cells.ridge_vertices), self._rng(3))
        regions = [cells.regions[cells.point_region[n]] for n in self._order]
        return [borders.ring(region) for region in regions]

    def rings_in_degrees(self) -> dict[str, list[tuple[float, float]]]:
        """Code to ring, longitude and latitude with six decimals."""
        metres = np.concatenate(self.rings)
        lat, lon = degrees(*metres.T)
        both = np.column_stack([lon, lat]).round(6).tolist()
        ends = np.cumsum([len(ring) for ring in self.rings])
        parts = zip([0, *ends[:-1]], ends, strict=True)
        return {
            code: [tuple(point) for point in both[start:end]]
            for code, (start, end) in zip(self.areas["area"], parts, strict=True)
        }

    def postcodes(self) -> pd.DataFrame:
        """`labels.tables.POSTCODE_LSOA` without `city`: some 36 in each area, each once."""
        rng, areas = self._rng(4), self.areas
        per_area = np.maximum(8, rng.poisson(POSTCODES_PER_AREA, len(areas)))
        area = np.repeat(np.arange(len(areas)), per_area)
        n = len(area)
        nearby = rng.normal(0, 0.18 * self._spacing[self._order][area, None], (n, 2))
        metres = areas[["easting_m", "northing_m"]].to_numpy()[area] + nearby
        lat, lon = degrees(*metres.T)
        introduced = np.where(rng.random(n) < 0.85, 1980, rng.integers(1996, 2012, n))
        gone = np.where(rng.random(n) < _TERMINATED, rng.integers(2012, 2017, n), 0)
        known = areas.iloc[area].reset_index(drop=True)
        return pd.DataFrame(
            {
                "postcode": _postcodes(n, self.place.districts),
                "authority": known["authority"],
                "oa": [f"E00{5 * (self.first + a) + n % 5:06d}" for n, a in enumerate(area)],
                "area": known["area"],
                "msoa": known["msoa"],
                "lat": lat.round(6),
                "lon": lon.round(6),
                "usertype": (rng.random(n) < _LARGE_USERS).astype(np.int8),
                "introduced": _new_year(introduced),
                "terminated": _new_year(gone).where(gone > 0),
            }
        )

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.first, number])

    @cached_property
    def _spiral(self) -> NDArray[np.float64]:
        """Points of the city, and more of them around it, so that each cell of it is closed."""
        n = self.place.n_areas
        number = np.arange(n + int(12 * np.sqrt(n)) + 40)
        radius = np.sqrt(self.place.km2 / np.pi) * 1000 * ((number + 0.5) / n) ** _DENSER_INSIDE
        angle = number * _GOLDEN_ANGLE
        return np.column_stack([1.15 * radius * np.cos(angle), radius / 1.15 * np.sin(angle)])

    @cached_property
    def _spacing(self) -> NDArray[np.float64]:
        """How far from each area its neighbours lie, metres."""
        n = self.place.n_areas
        growth = 2 * _DENSER_INSIDE * ((np.arange(n) + 0.5) / n) ** (2 * _DENSER_INSIDE - 1)
        return 1000 * np.sqrt(self.place.km2 / n * growth)

    @cached_property
    def _points(self) -> NDArray[np.float64]:
        n = self.place.n_areas
        moved = self._rng(1).uniform(-0.3, 0.3, (n, 2)) * self._spacing[:, None]
        return self._spiral[:n] + moved + self.place.centre

    @property
    def _around(self) -> NDArray[np.float64]:
        return self._spiral[self.place.n_areas :] + self.place.centre

    @cached_property
    def _authority(self) -> NDArray[np.int64]:
        """(n,) number of the authority whose seat is nearest, of the unordered points."""
        from scipy.spatial import cKDTree

        k = len(self.place.authorities)
        every = np.linspace(0, self.place.n_areas - 1, k + 1)[1:] if k > 1 else [0]
        seats = self._spiral[np.round(every).astype(int)] * 0.8 + self.place.centre
        return cKDTree(seats).query(self._points)[1]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """By authority, and along a curve that visits neighbours one after another."""
        return np.lexsort([_along_curve(self._points), self._authority])


class _Borders:
    """The lines between cells, each bent once."""

    def __init__(
        self,
        vertices: NDArray[np.float64],
        ridges: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        ridges = ridges[(ridges >= 0).all(axis=1)]
        start, end = vertices[ridges[:, 0]], vertices[ridges[:, 1]]
        along = end - start
        t = np.linspace(0, 1, _VERTICES_PER_BORDER + 2)[1:-1]
        # Straight at both ends, so that lines that meet at a sharp corner do not cross.
        waves = np.sin(np.pi * t * np.arange(1, 5)[:, None]) * np.sin(np.pi * t)
        bend = rng.normal(0, 0.04, (len(ridges), 4)) @ waves
        across = np.column_stack([-along[:, 1], along[:, 0]])
        self._bent = (
            start[:, None] + t[:, None] * along[:, None] + bend[..., None] * across[:, None]
        )
        self._is_short = np.hypot(*along.T) < _SHORT_BORDER_M
        self._vertices = vertices
        self._number = {pair: n for n, pair in enumerate(map(tuple, ridges.tolist()))}

    def ring(self, region: Sequence[int]) -> NDArray[np.float64]:
        """Around a cell: its corners in order, and the bent lines between them."""
        parts = []
        for a, b in zip(region, [*region[1:], region[0]], strict=True):
            parts.append(self._vertices[[a]])
            number = self._number.get((a, b))
            line = self._bent[number] if number is not None else None
            if number is None:
                number = self._number[b, a]
                line = self._bent[number][::-1]
            if not self._is_short[number]:
                parts.append(line)
        parts.append(self._vertices[[region[0]]])
        return np.concatenate(parts)


def _along_curve(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) place of each point along a Z-order curve."""
    low, high = points.min(axis=0), points.max(axis=0)
    cell = ((points - low) / np.maximum(high - low, 1) * 1023).astype(np.int64)
    place = np.zeros(len(points), np.int64)
    for bit in range(10):
        place |= ((cell[:, 0] >> bit) & 1) << (2 * bit)
        place |= ((cell[:, 1] >> bit) & 1) << (2 * bit + 1)
    return place


def _msoas(authority: NDArray[np.int64]) -> tuple[NDArray, NDArray, NDArray]:
    """Of ordered areas: number of the MSOA in the city, in the authority, and of the area in it."""
    starts = np.searchsorted(authority, authority)
    within = np.arange(len(authority)) - starts
    of_authority, letter = np.divmod(within, _AREAS_PER_MSOA)
    is_first = (letter == 0).astype(np.int64)
    return np.cumsum(is_first) - 1, of_authority, letter


def _new_year(year: NDArray[np.int64]) -> pd.Series:
    return pd.Series((year - 1970).astype("datetime64[Y]").astype("datetime64[s]"))


def _postcodes(n: int, districts: Sequence[str]) -> list[str]:
    """Postcodes in order: neighbours share their district, and mostly their sector."""
    n_districts = -(-n // _UNITS_PER_DISTRICT)
    per_letters = -(-n_districts // len(districts))
    found = []
    for number in range(n):
        district, unit = divmod(number, _UNITS_PER_DISTRICT)
        letters, outward = divmod(district, per_letters)
        sector, last = divmod(unit, len(_LETTERS) ** 2)
        first, second = divmod(last, len(_LETTERS))
        found.append(
            f"{districts[letters]}{outward + 1} {sector}{_LETTERS[first]}{_LETTERS[second]}"
        )
    return found
