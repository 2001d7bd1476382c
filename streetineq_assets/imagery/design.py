"""Where images are wanted: a sample of locations in which every area has its share.

Three designs draw from different frames. `postcodes`: the live small-user postcodes of an area, so
that locations lie where people live; `areas`: the postcode nearest to the middle of an area's
postcodes; `grid`: the points of a square grid on the British National Grid, which sees parks and
industry too. A design that has fewer locations in an area than the least is filled up with its
postcodes. Of more than are wanted, those of the smallest hashes of seed and name are drawn: a name
that is added or removed changes no other choice but one.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.digests import hash_of
from streetineq_assets.errors import StudyError
from streetineq_assets.geography import from_national_grid, national_grid
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.tables import WANTED
from streetineq_assets.images.places import areas_of_points
from streetineq_assets.tables import conform, empty

if TYPE_CHECKING:
    import geopandas as gpd

_COLUMNS = ["location_id", "area", "postcode", "lat", "lon"]


def draw_locations(
    postcodes: pd.DataFrame,
    settings: Imagery,
    *,
    seed: int,
    boundaries: "gpd.GeoDataFrame | None" = None,
) -> pd.DataFrame:
    """The locations at which a city's images are wanted.

    Args:
        postcodes: `postcode, area, lat, lon` of every live small-user postcode of the city's
            areas that has a position, each once.
        settings: `[imagery]` of study.toml.
        seed: the study's.
        boundaries: `area, geometry` of the city's areas; a grid needs them.

    Returns:
        A frame of the schema `WANTED`, by id: at most `per_area` locations in an area, and at least
        `least_per_area` where it has as many postcodes. Their ids are postcodes without the space,
        or, of a grid, `E530250N180500`, eastings and northings in metres.

    Raises:
        StudyError: a grid without boundaries.
    """
    if postcodes.empty:
        return empty(WANTED)
    own = postcodes.assign(location_id=postcodes["postcode"].str.replace(" ", ""))[_COLUMNS]
    match settings.design:
        case "postcodes":
            frame = own
        case "areas":
            frame = _middles(own)
        case "grid":
            frame = _grid(boundaries, settings.spacing_m)
    drawn = _first(frame[frame["area"].isin(own["area"])], settings.per_area, seed)
    drawn = pd.concat([drawn, _wanting(drawn, own, settings.least_per_area, seed)])
    return conform(drawn.sort_values("location_id"), WANTED)


def _first(frame: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Of each area the `n` locations with the smallest hashes."""
    lots = frame.assign(lot=[hash_of(seed, name) for name in frame["location_id"]])
    return lots.sort_values("lot").groupby("area").head(n)[_COLUMNS]


def _wanting(drawn: pd.DataFrame, own: pd.DataFrame, least: int, seed: int) -> pd.DataFrame:
    """Further postcodes of the areas in which fewer than the least are drawn."""
    n_drawn = drawn["area"].value_counts().to_dict()
    left = own[~own["location_id"].isin(drawn["location_id"])]
    further = _first(left, least, seed)
    wanting = [least - n_drawn.get(area, 0) for area in further["area"]]
    return further[further.groupby("area").cumcount() < wanting]


def _middles(own: pd.DataFrame) -> pd.DataFrame:
    """Of each area the postcode that is nearest to the mean of all, ties by name."""
    grid = pd.DataFrame(
        national_grid(own["lat"], own["lon"]), columns=["east", "north"], index=own.index
    )
    from_mean = grid - grid.groupby(own["area"]).transform("mean")
    metres = np.hypot(from_mean["east"], from_mean["north"]).round(3)
    ranked = own.assign(metres=metres).sort_values(["area", "metres", "location_id"])
    return ranked.drop_duplicates("area")[_COLUMNS]


def _grid(boundaries: "gpd.GeoDataFrame | None", spacing_m: float) -> pd.DataFrame:
    """The points of a grid that lie in an area; multiples of the spacing, so that they stay."""
    if boundaries is None:
        raise StudyError(
            'imagery.design = "grid" needs the boundaries of the areas: put their file into '
            'inputs/boundaries, or set design = "postcodes"'
        )
    west, south, east, north = boundaries.total_bounds / spacing_m
    steps = np.meshgrid(
        np.arange(np.ceil(west), np.floor(east) + 1),
        np.arange(np.ceil(south), np.floor(north) + 1),
    )
    eastings, northings = (axis.ravel() * spacing_m for axis in steps)
    lat, lon = from_national_grid(eastings, northings).T
    names = [f"E{e:06.0f}N{n:07.0f}" for e, n in zip(eastings, northings, strict=True)]
    points = pd.DataFrame({"location_id": names, "lat": lat, "lon": lon, "postcode": None})
    placed = areas_of_points(points[["location_id", "lat", "lon"]], boundaries)
    return points.assign(area=placed["area"].to_numpy()).dropna(subset=["area"])
