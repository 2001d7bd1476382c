"""Where a position lies: the area around it, or the postcode nearest to it.

A location without a postcode is placed by its coordinates in one of these two ways; the study says
which, under `[places]`. Both are deterministic, and both say why a point has no place.

Boundaries that were generalised for drawing put points near a border into the wrong area: ONS'
super-generalised ones one postcode in six. `count_agreeing` tells how many, of points whose area is
known.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.errors import SourceError
from streetineq_assets.geography import national_grid

if TYPE_CHECKING:
    import geopandas as gpd

NO_POSITION = "no_position"
OUTSIDE_ALL_AREAS, IN_SEVERAL_AREAS = "outside_all_areas", "in_several_areas"
NO_POSTCODE_NEAR = "no_postcode_near"
_POLYGONS = ("Polygon", "MultiPolygon")
_TIED_M, _MOST_TIED = 0.001, 8  # what differs by less than a millimetre is at one distance


class Agreement(NamedTuple):
    """Of points whose area is known: how many there are, and how many lie in it."""

    n: int
    n_agreeing: int


def areas_of_points(points: pd.DataFrame, areas: "gpd.GeoDataFrame") -> pd.DataFrame:
    """The area in which each point lies.

    The border of an area belongs to it. A point on the common border of two is therefore in both,
    as is one where areas overlap, and no area is chosen for it; one on the outer border of a single
    area is in that area, one in a hole in none. An area may have several parts, in one row or in
    rows of one name. A shape that is invalid, as generalisation leaves some, is mended: it is all
    that its outer rings enclose, less its holes (`shapely.make_valid` by structure).

    Args:
        points: `location_id, lat, lon`: WGS84 degrees, missing where unknown; ids may repeat.
        areas: `area, geometry`: names, and polygons in any coordinate system, which the frame must
            name. Points are transformed into it, x before y whatever order its authority has.

    Returns:
        `location_id, area, reason`, a row for each point in the order given. `area` and `reason`
        are text; one of them is missing. The reason is `outside_all_areas`, `in_several_areas` or
        `no_position` (without coordinates).

    Raises:
        SourceError: the areas name no coordinate system, or one of them is no polygon.
    """
    import shapely
    from pyproj import Transformer

    shapes, degrees = _shapes(areas), _degrees(points)
    to_areas = Transformer.from_crs("EPSG:4326", areas.crs, always_xy=True)
    at = np.column_stack(to_areas.transform(degrees[:, 1], degrees[:, 0]))
    known = np.flatnonzero(np.isfinite(at).all(axis=1))
    # Of a tree of points the polygons are the queries, and are prepared once each.
    shape, point = shapely.STRtree(shapely.points(at[known])).query(shapes, predicate="intersects")
    found = pd.DataFrame({"row": known[point], "area": areas["area"].astype("str").array[shape]})
    by_row = found.drop_duplicates().groupby("row")["area"].agg(["first", "size"])
    by_row = by_row.reindex(range(len(points)))
    n_areas = by_row["size"].fillna(0)
    reasons = np.select(
        [~np.isfinite(degrees).all(axis=1), n_areas == 0, n_areas > 1],
        [NO_POSITION, OUTSIDE_ALL_AREAS, IN_SEVERAL_AREAS],
        default="",
    )
    return pd.DataFrame(
        {
            "location_id": points["location_id"].array,
            "area": by_row["first"].where(n_areas == 1).astype("str"),
            "reason": pd.Series(reasons, dtype="str").where(n_areas != 1),
        }
    )


def nearest_postcodes(
    points: pd.DataFrame, postcodes: pd.DataFrame, *, within_m: float
) -> pd.DataFrame:
    """The postcode nearest to each point, by distances on the British National Grid.

    Of several at one distance, to the millimetre, those of small users come first, then codes in
    their order.

    Args:
        points: as in `areas_of_points`.
        postcodes: `postcode, usertype, lat, lon` of those that may place a point, with coordinates.
        within_m: metres from a point to its postcode, at most.

    Returns:
        `location_id, postcode, metres, reason`, a row for each point in the order given. Either the
        reason is missing, or the two before it are: `no_postcode_near`, or `no_position` (without
        coordinates).
    """
    degrees = _degrees(points)
    known = np.isfinite(degrees).all(axis=1)
    ranked = postcodes.sort_values(["usertype", "postcode"]).drop_duplicates(["lat", "lon"])
    row, metres = _nearest(
        national_grid(degrees[known, 0], degrees[known, 1]),
        national_grid(ranked["lat"], ranked["lon"]),
    )
    near = metres <= within_m
    found = pd.DataFrame({"location_id": points["location_id"].array})
    at = np.flatnonzero(known)[near]
    found["postcode"] = pd.Series(ranked["postcode"].array[row[near]], at, dtype="str")
    found["metres"] = pd.Series(metres[near], at, dtype="float64")
    reason = pd.Series(np.where(known, NO_POSTCODE_NEAR, NO_POSITION), dtype="str")
    found["reason"] = reason.where(found["postcode"].isna())
    return found


def count_agreeing(points: pd.DataFrame, areas: "gpd.GeoDataFrame") -> Agreement:
    """How many points lie in the area that is known to be theirs; a point in two lies in neither.

    Args:
        points: `location_id, lat, lon, area`, the last as known otherwise.
        areas: as in `areas_of_points`.

    Raises:
        SourceError: as `areas_of_points`.
    """
    found = areas_of_points(points, areas)["area"]
    return Agreement(len(points), int((found == points["area"].array).sum()))


def _degrees(points: pd.DataFrame) -> NDArray[np.float64]:
    """(n, 2) latitudes and longitudes, NaN where either is missing."""
    columns = [pd.to_numeric(points[name]).astype("float64") for name in ("lat", "lon")]
    degrees = np.column_stack(columns)
    degrees[~np.isfinite(degrees).all(axis=1)] = np.nan
    return degrees


def _shapes(areas: "gpd.GeoDataFrame") -> NDArray[np.object_]:
    """(n,) valid polygons.

    Raises:
        SourceError: as `areas_of_points`.
    """
    import shapely

    if areas.crs is None:
        raise SourceError(
            "the areas name no coordinate system, so nobody knows where they lie: set the one that "
            "their publisher states, as in areas.set_crs(27700)"
        )
    shapes = areas.geometry.to_numpy().copy()
    invalid = ~shapely.is_valid(shapes)
    shapes[invalid] = shapely.make_valid(shapes[invalid], method="structure", keep_collapsed=False)
    for name, given, shape in zip(areas["area"], areas.geometry, shapes, strict=True):
        if pd.isna(name) or shape is None or shape.is_empty or shape.geom_type not in _POLYGONS:
            kind = "nothing" if given is None or given.is_empty else f"a {given.geom_type}"
            raise SourceError(
                f"area {name} is {kind} that encloses no ground: every area needs a name and a "
                "polygon; download the boundaries again"
            )
    return shapes


def _nearest(
    at: NDArray[np.float64], places: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The nearest place of each position, the first of those at one distance, and its distance.

    Args:
        at: (n, 2) metres.
        places: (m, 2) metres, no two alike, the preferred ones first.

    Returns:
        (n,) rows of `places`, m where there are none; (n,) metres, infinite there.
    """
    if not len(at) or not len(places):
        return np.full(len(at), len(places)), np.full(len(at), np.inf)
    from scipy.spatial import cKDTree

    metres, rows = cKDTree(places).query(at, k=range(1, _MOST_TIED + 1))
    tied = metres <= metres[:, :1] + _TIED_M
    return np.where(tied, rows, len(places)).min(axis=1), metres[:, 0]
