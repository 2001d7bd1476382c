"""Boxes of degrees in which captures are searched: of a fixed grid, and parts of crowded ones.

A provider is asked once for everything in a box of the grid, not once for each point, which takes
days for a city. The grid is the same whatever the points are, so that a request is the same too,
and can be answered from a recording. A box with more captures than a provider lists at once is
split; what cannot be split far enough is reported, never cut off silently.

There is no place at 180 degrees of longitude: a box does not reach over it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from streetineq_assets.imagery.found import FOUND
from streetineq_assets.tables import conform, empty

_EQUATOR_M, _E2 = 6_378_137.0, 6.694_379_990_141e-3  # WGS84: half axis, squared eccentricity
_SLACK = 1 + 1e-6  # metres to degrees at a point are not quite those at the rim of its surroundings
_DIGITS = 9  # of degrees: a tenth of a millimetre


class Box(NamedTuple):
    """West, south, east and north in degrees (WGS84)."""

    west: float
    south: float
    east: float
    north: float

    @property
    def side_deg(self) -> float:
        """The longer side."""
        return max(self.east - self.west, self.north - self.south)

    @property
    def middle(self) -> tuple[float, float]:
        """Latitude and longitude of the middle."""
        return (self.south + self.north) / 2, (self.west + self.east) / 2

    @property
    def corner_m(self) -> float:
        """Metres from the middle to the corner that is farthest from it, rather too many."""
        nearest = min(abs(self.south), abs(self.north)) if self.south * self.north > 0 else 0.0
        north_m, _ = _metres_of_a_degree(max(abs(self.south), abs(self.north)))
        _, east_m = _metres_of_a_degree(nearest)
        height, width = self.north - self.south, self.east - self.west
        return float(np.hypot(height * north_m, width * east_m) / 2 * _SLACK)

    def holds(self, lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie in the box, its rim included.

        Args:
            lat, lon: (n,) degrees; NaN lies nowhere.
        """
        lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
        inside = (self.south <= lat) & (lat <= self.north)
        return inside & (self.west <= lon) & (lon <= self.east)

    def split(self) -> tuple["Box", "Box", "Box", "Box"]:
        """Its four quarters, from the south-west; neighbours share their rim to the last digit."""
        lat, lon = (round(value, _DIGITS) for value in self.middle)
        return (
            Box(self.west, self.south, lon, lat),
            Box(lon, self.south, self.east, lat),
            Box(self.west, lat, lon, self.north),
            Box(lon, lat, self.east, self.north),
        )

    def __str__(self) -> str:
        """West, south, east, north as providers take them."""
        return ",".join(f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".") for value in self)


class TooManyCapturesError(Exception):
    """A box holds more captures than a provider lists at once.

    Attributes:
        captures: those that it did list, a frame of the schema `FOUND`; maybe none.
    """

    def __init__(self, captures: pd.DataFrame | None = None) -> None:
        self.captures = empty(FOUND) if captures is None else captures
        super().__init__(f"more than {len(self.captures)} captures")


class Answer(NamedTuple):
    """What a provider lists in one box.

    Attributes:
        box: the box of the grid, or the part of it, that was asked for.
        captures: those in it by one of their positions, a frame of the schema `FOUND`.
        n_outside: listed, and dropped since they lie elsewhere.
        exhausted: false where the box holds more than was listed.
    """

    box: Box
    captures: pd.DataFrame
    n_outside: int
    exhausted: bool


@dataclass(frozen=True)
class Found:
    """What several boxes hold together.

    Attributes:
        captures: frame of the schema `FOUND`, sorted by id, each capture once, all with a position
            and a projection that can be used (`reason` is null throughout).
        rejected: frame `capture_id, reason` of the others, each once, sorted by id.
        n_boxes: that were asked for, parts included.
        n_outside: listed by a box in which they do not lie.
        n_twice: listed by a second box too, such as on the rim of both.
        not_exhausted: boxes that hold more captures than were listed.
    """

    captures: pd.DataFrame
    rejected: pd.DataFrame
    n_boxes: int
    n_outside: int
    n_twice: int
    not_exhausted: tuple[Box, ...]


def around(lat: float, lon: float, reach_m: float) -> Box:
    """The smallest box around a circle.

    Args:
        lat, lon: of its middle, degrees.
        reach_m: its radius, metres.
    """
    # Not less by rounding.
    high, wide = (float(value) + 10.0**-_DIGITS for value in _reach_deg(lat, reach_m))
    return Box(
        round(max(lon - wide, -180.0), _DIGITS),
        round(max(lat - high, -90.0), _DIGITS),
        round(min(lon + wide, 180.0), _DIGITS),
        round(min(lat + high, 90.0), _DIGITS),
    )


def tiles(points: pd.DataFrame, *, reach_m: float, side_deg: float) -> list[Box]:
    """The fewest boxes of a fixed grid that hold the surroundings of all points.

    Args:
        points: `lat, lon` in degrees, none missing.
        reach_m: radius of the surroundings, metres.
        side_deg: side of the grid's boxes, whose rims are multiples of it.

    Returns:
        Boxes from south to north, in a row from west to east.
    """
    lat, lon = (points[name].to_numpy(dtype=np.float64) for name in ("lat", "lon"))
    high, wide = _reach_deg(lat, reach_m)
    bounds = [
        np.floor(np.clip(values, -most, most) / side_deg).astype(np.int64)
        for values, most in (
            (lat - high, 90),
            (lat + high, 90),
            (lon - wide, 180),
            (lon + wide, 180),
        )
    ]
    cells: set[tuple[int, int]] = set()
    for row, (south, north, west, east) in enumerate(np.column_stack(bounds).tolist()):
        cells |= {
            (j, i)
            for j in range(south, north + 1)
            for i in range(west, east + 1)
            if _reaches(lat[row], lon[row], reach_m, _cell(j, i, side_deg))
        }
    return [_cell(j, i, side_deg) for j, i in sorted(cells)]


def search_boxes(
    search: Callable[[Box], pd.DataFrame], box: Box, *, least_deg: float
) -> Iterator[Answer]:
    """Ask for the captures in a box, and for its parts where they are too many.

    Args:
        search: a provider's; gives a frame of the schema `FOUND`.
        least_deg: side below which a box is split no more: what was listed of it is kept.

    Yields:
        An answer for each box that was not split.
    """
    try:
        found, exhausted = search(box), True
    except TooManyCapturesError as error:
        found, exhausted = error.captures, False
    if not exhausted and box.side_deg / 2 >= least_deg:
        for part in box.split():
            yield from search_boxes(search, part, least_deg=least_deg)
        return
    # Which of a capture's two positions a provider compares with the box is not told.
    inside = (
        found["lat"].isna()
        | box.holds(found["lat"], found["lon"])
        | box.holds(found["raw_lat"], found["raw_lon"])
    )
    yield Answer(box, found[inside], int((~inside).sum()), exhausted)


def together(answers: Iterable[Answer]) -> Found:
    """The captures of several boxes, each once."""
    answers = list(answers)
    frames = [answer.captures for answer in answers if len(answer.captures)]
    listed = pd.concat(frames) if frames else empty(FOUND)
    once = listed.drop_duplicates("capture_id").sort_values("capture_id")
    usable = once["reason"].isna()
    return Found(
        captures=conform(once[usable], FOUND),
        rejected=once.loc[~usable, ["capture_id", "reason"]].reset_index(drop=True),
        n_boxes=len(answers),
        n_outside=sum(answer.n_outside for answer in answers),
        n_twice=len(listed) - len(once),
        not_exhausted=tuple(answer.box for answer in answers if not answer.exhausted),
    )


def _metres_of_a_degree(lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Northwards and eastwards at a latitude, by the radii of curvature of the WGS84 ellipsoid."""
    sine = np.sin(np.radians(np.asarray(lat, dtype=np.float64)))
    prime = _EQUATOR_M / np.sqrt(1 - _E2 * sine**2)
    meridian = prime * (1 - _E2) / (1 - _E2 * sine**2)
    degree = np.pi / 180
    return degree * meridian, degree * prime * np.sqrt(1 - sine**2)


def _reach_deg(lat: ArrayLike, reach_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees of latitude and longitude that a circle spans to each side, rather too many.

    A circle is widest beyond its middle, towards the pole: its width is counted at its rim there.
    """
    lat = np.abs(np.asarray(lat, dtype=np.float64))
    north_m, _ = _metres_of_a_degree(lat)
    high = reach_m * _SLACK / north_m
    _, east_m = _metres_of_a_degree(np.minimum(lat + high, 90.0))
    return high, np.minimum(reach_m * _SLACK / np.maximum(east_m, 1e-9), 180.0)


def _reaches(lat: float, lon: float, reach_m: float, box: Box) -> bool:
    """Whether a circle reaches into a box; in doubt it does."""
    near_lat = min(max(lat, box.south), box.north)
    near_lon = min(max(lon, box.west), box.east)
    north_m, _ = _metres_of_a_degree(lat)
    _, east_m = _metres_of_a_degree(min(max(abs(lat), abs(near_lat)), 90.0))
    distance = np.hypot((near_lat - lat) * north_m, (near_lon - lon) * east_m)
    return bool(distance <= reach_m * _SLACK)


def _cell(row: int, column: int, side_deg: float) -> Box:
    west, east = (round(number * side_deg, _DIGITS) for number in (column, column + 1))
    south, north = (round(number * side_deg, _DIGITS) for number in (row, row + 1))
    return Box(max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0))
