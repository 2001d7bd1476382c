"""Invented towns: cities and a district outside them, their small areas, and postcodes.

They lie in the North Sea and bear codes that are not issued, so that nobody takes them for real
ones: authorities from E09000901, areas from E01900001, postcodes that begin with Q.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pyproj
    import shapely

# Ordnance Survey grid, metres; towns stand in a column from here northwards.
WEST_M, SOUTH_M, APART_M = 598_000, 452_000, 24_000
GOLDEN_ANGLE = pi * (3 - sqrt(5))
OAS_PER_LSOA = 4
LSOAS_PER_MSOA = 5
MOST_LSOAS = 99 * LSOAS_PER_MSOA  # a postcode district has two digits at most
OUTSIDE = "outside"  # key of the district that is in no city
UNIT_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"


def stream(seed: int, *names: object) -> np.random.Generator:
    """A random generator for one purpose, unaffected by the use of any other."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


@dataclass(frozen=True)
class Town:
    """A city, or the district outside all cities.

    Attributes:
        authorities: code to name of its local authorities.
        order: 0 for the first city.
        in_study: false for the district outside.
    """

    key: str
    title: str
    authorities: dict[str, str]
    n_lsoas: int
    order: int
    in_study: bool = True


def towns(sizes: Mapping[str, int]) -> list[Town]:
    """The cities, the first with two authorities as if of London, and a district outside."""
    cities = []
    for order, (key, n_lsoas) in enumerate(sizes.items()):
        title = key.replace("_", " ").title()
        if order == 0:
            authorities = {"E09000901": f"{title} East", "E09000902": f"{title} West"}
        else:
            authorities = {f"E080009{order:02d}": title}
        cities.append(Town(key, title, authorities, n_lsoas, order))
    outside = {"E07000901": "Farfen"}
    return [*cities, Town(OUTSIDE, "Farfen", outside, 6, len(cities), in_study=False)]


def areas(town: Town, seed: int, first_number: int) -> pd.DataFrame:
    """The small areas of a town.

    Args:
        seed: of the study.
        first_number: number of the first LSOA; the others follow.

    Returns:
        One row per LSOA in code order: `town, area, name, msoa, district` (first half of its
        postcodes), `letter` (0..4 within the MSOA), `authority, authority_name, easting, northing`
        (metres), `lon, lat` (degrees), `boundary` (shapely polygon in metres; together they
        tile the town).
    """
    points, boundaries = _tiles(town, stream(seed, "areas", town.key))
    clockwise = np.argsort(np.arctan2(points[:, 1], points[:, 0]), kind="stable")
    n_msoas = -(-town.n_lsoas // LSOAS_PER_MSOA)
    codes, names = list(town.authorities), list(town.authorities.values())
    rows = []
    for number, tile in enumerate(clockwise):
        msoa, letter = divmod(number, LSOAS_PER_MSOA)
        authority = msoa * len(codes) // n_msoas
        rows.append(
            {
                "town": town.key,
                "area": f"E01{900_000 + first_number + number}",
                "name": f"{names[authority]} {msoa + 1:03d}{'ABCDE'[letter]}",
                "msoa": f"E02{900_001 + 1000 * town.order + msoa}",
                "district": f"Q{chr(ord('A') + town.order)}{msoa + 1}",
                "letter": letter,
                "authority": codes[authority],
                "authority_name": names[authority],
                "easting": WEST_M + points[tile, 0],
                "northing": SOUTH_M + APART_M * town.order + points[tile, 1],
                "boundary": boundaries[tile],
            }
        )
    frame = pd.DataFrame(rows)
    frame["lon"], frame["lat"] = to_degrees(frame["easting"], frame["northing"])
    return frame


def _tiles(town: Town, rng: np.random.Generator) -> tuple[np.ndarray, list["shapely.Polygon"]]:
    """(n, 2) points in the order of a sunflower's seeds, jittered, and the n tiles around them.

    Tiles grow outwards, as areas do in cities, and have a square kilometre on average.
    """
    import shapely
    from shapely.affinity import translate

    rank = (np.arange(town.n_lsoas) + 0.5) / town.n_lsoas
    radius_m = 1000 * sqrt(town.n_lsoas / pi)
    angle = np.arange(town.n_lsoas) * GOLDEN_ANGLE + rng.uniform(0, 2 * pi)
    points = radius_m * rank[:, None] ** 0.6 * np.c_[np.cos(angle), np.sin(angle)]
    points += rng.normal(0, 90, points.shape)
    rim = shapely.MultiPoint(points).convex_hull.buffer(0.12 * radius_m)
    voronoi = shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=rim, ordered=True)
    cells = shapely.intersection(np.array(list(voronoi.geoms)), rim)
    dy = SOUTH_M + APART_M * town.order
    return points, [translate(cell, WEST_M, dy) for cell in cells]


def to_degrees(easting: ArrayLike, northing: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude, each (n,), of metres on the British National Grid.

    Degrees WGS84, rounded to 0.1 m.
    """
    lon, lat = _from_grid().transform(np.asarray(easting), np.asarray(northing))
    return np.round(lon, 6), np.round(lat, 6)


@cache
def _from_grid() -> "pyproj.Transformer":
    """Made once: that takes forty times as long as to transform the points of an area."""
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)


def points_inside(boundary: "shapely.Polygon", count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) eastings and northings inside a tile, between its centroid and its corners."""
    corners = np.array(boundary.exterior.coords)[:-1]
    middle = np.array([boundary.centroid.x, boundary.centroid.y])
    chosen = corners[rng.integers(len(corners), size=count)]
    return middle + rng.uniform(0, 0.85, (count, 1)) * (chosen - middle)


def postcodes(area: pd.DataFrame, seed: int, live_per_lsoa: int) -> pd.DataFrame:
    """The postcodes of every area: live ones of small users, and some terminated or of large users.

    Args:
        area: as `areas` returns them, of all towns.
        seed: of the study.

    Returns:
        One row per postcode, sorted: `pcds, oa, area, msoa, authority, town, usertype`,
        `dointr, doterm` (YYYYMM, "" for none), `easting, northing, lon, lat`, and `live` (small
        user, not terminated).
    """
    parts = [
        _postcodes_of(row, stream(seed, "postcodes", row.area), live_per_lsoa)
        for row in area.itertuples()
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["lon"], frame["lat"] = to_degrees(frame["easting"], frame["northing"])
    return frame.sort_values("pcds", ignore_index=True)


def _postcodes_of(area: Any, rng: np.random.Generator, live: int) -> pd.DataFrame:
    """The postcodes of one area (a row of `areas`)."""
    count = live + int(rng.integers(2, 7))
    numbers = np.arange(count)
    units = [
        divmod(int(u), len(UNIT_LETTERS))
        for u in rng.choice(len(UNIT_LETTERS) ** 2, count, replace=False)
    ]
    large = (numbers >= live) & (rng.random(count) < 0.4)
    ended = (numbers >= live) & ~large
    begun, month = rng.integers(1980, 2013, count), rng.integers(1, 13, count)
    points = points_inside(area.boundary, count, rng).round().astype(int)
    first_oa = 900_000 + OAS_PER_LSOA * (int(area.area[3:]) - 900_000)
    return pd.DataFrame(
        {
            "pcds": [
                f"{area.district} {area.letter}{UNIT_LETTERS[a]}{UNIT_LETTERS[b]}" for a, b in units
            ],
            "oa": [f"E00{first_oa + n % OAS_PER_LSOA}" for n in numbers],
            "area": area.area,
            "msoa": area.msoa,
            "authority": area.authority,
            "town": area.town,
            "usertype": large.astype(int),
            "dointr": [f"{y}{m:02d}" for y, m in zip(begun, month, strict=True)],
            "doterm": [f"{y + 2}06" if e else "" for y, e in zip(begun, ended, strict=True)],
            "easting": points[:, 0],
            "northing": points[:, 1],
            "live": numbers < live,
        }
    )
