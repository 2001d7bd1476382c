"""Coordinates in metres on the British National Grid (EPSG:27700), for distances.

What belongs here: the conversion, and where an area's people live. What does not: areas' outlines,
which are for drawing only (`reports.maps`).
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


def national_grid(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.float64]:
    """Degrees WGS84, each (n,), to (n, 2) eastings and northings in metres; NaN stays NaN."""
    from pyproj import Transformer

    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:27700", always_xy=True)
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    grid = np.column_stack(to_grid.transform(lon, lat))
    grid[~np.isfinite(grid).all(axis=1)] = np.nan
    return grid


def area_centroids(postcodes: pd.DataFrame) -> pd.DataFrame:
    """Where an area's addresses lie: the mean of its postcodes' coordinates.

    Args:
        postcodes: `lsoa11, lat, lon`, one row per postcode; rows without any of them are left out.

    Returns:
        `lsoa11, easting_m, northing_m`, one row per area, sorted by code.
    """
    placed = postcodes[["lsoa11", "lat", "lon"]].dropna()
    grid = national_grid(placed["lat"], placed["lon"])
    points = placed[["lsoa11"]].assign(easting_m=grid[:, 0], northing_m=grid[:, 1]).dropna()
    return points.groupby("lsoa11", as_index=False, sort=True).mean()
