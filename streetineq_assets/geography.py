"""Where areas lie: the British National Grid (EPSG:27700), centroids, boundaries.

No postcode is assigned to an area by geometry, since the generalised boundaries put one in six into
a neighbour of its LSOA; the postcode directory says in which it lies.

The boundary file is ONS' "Lower layer Super Output Areas (December 2011) Boundaries", in any
generalisation, as GeoJSON (also gzipped), GeoPackage or shapefile, with the code in `LSOA11CD`,
`lsoa11cd` or `code`.
"""

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from streetineq_assets.errors import SourceError
from streetineq_assets.spreadsheets.columns import LSOA_CODE
from streetineq_assets.spreadsheets.sheets import data_files, is_gzip

if TYPE_CHECKING:
    import geopandas as gpd

BOUNDARIES_FOLDER = "boundaries"
BRITISH_NATIONAL_GRID = "EPSG:27700"
_SUFFIXES = (".geojson", ".json", ".gpkg", ".shp")
_CODES = ("lsoa11cd", "lsoa_code", "code", "geo_code")


def national_grid(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.float64]:
    """Coordinates on the British National Grid.

    Args:
        lat, lon: (n,) WGS84 degrees, NaN where unknown.

    Returns:
        (n, 2) float64, eastings and northings in metres, both NaN where either is unknown.
    """
    from pyproj import Transformer

    to_grid = Transformer.from_crs("EPSG:4326", BRITISH_NATIONAL_GRID, always_xy=True)
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    grid = np.column_stack(to_grid.transform(lon, lat))
    grid[~np.isfinite(grid).all(axis=1)] = np.nan
    return grid


def area_centroids(postcodes: pd.DataFrame) -> pd.DataFrame:
    """The centroid of each area's addresses: the mean of its postcodes' coordinates.

    Args:
        postcodes: `lsoa11, lat, lon`, one row per postcode; a row without all is ignored.

    Returns:
        `lsoa11, easting_m, northing_m`, one row per area, sorted by code.
    """
    located = postcodes[["lsoa11", "lat", "lon"]].dropna()
    grid = national_grid(located["lat"], located["lon"])
    points = located[["lsoa11"]].assign(easting_m=grid[:, 0], northing_m=grid[:, 1]).dropna()
    return points.groupby("lsoa11", as_index=False, sort=True).mean()


def find_boundaries(folder: Path) -> Path | None:
    """The boundary file below a folder; None when there is none.

    Raises:
        SourceError: there are several.
    """
    files = [path for path in data_files(folder) if _suffix(path) in _SUFFIXES]
    if len(files) > 1:
        raise SourceError(
            f"{files[0]} and {files[1]} are both boundaries: keep one file in {folder}"
        )
    return files[0] if files else None


def read_boundaries(path: Path) -> "gpd.GeoDataFrame":
    """The boundaries of the areas in a file.

    Returns:
        `lsoa11, geometry` (polygons, British National Grid, metres), by code, each code once.

    Raises:
        SourceError: the file is damaged, names no coordinate system, or has no codes of LSOAs.
    """
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    try:
        source = io.BytesIO(gzip.decompress(path.read_bytes())) if is_gzip(path) else path
        areas = gpd.read_file(source)
    except (DataSourceError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{path} holds no boundaries ({error}): download it again") from error
    names = {name.lower(): name for name in areas.columns}
    column = next((names[name] for name in _CODES if name in names), None)
    if column is None or not areas[column].astype("str").str.fullmatch(LSOA_CODE).all():
        raise SourceError(
            f"{path} has no column of LSOA codes of 2011 (LSOA11CD); it has {', '.join(names)}"
        )
    if areas.crs is None:
        raise SourceError(
            f"{path} names no coordinate system: download it as GeoJSON or GeoPackage"
        )
    named = areas[[column, "geometry"]].rename(columns={column: "lsoa11"})
    if named["lsoa11"].duplicated().any():
        twice = named.loc[named["lsoa11"].duplicated(), "lsoa11"].iloc[0]
        raise SourceError(f"{path}: {twice} occurs twice: download it again")
    return named.to_crs(BRITISH_NATIONAL_GRID).sort_values("lsoa11", ignore_index=True)


def _suffix(path: Path) -> str:
    return (
        path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    )
