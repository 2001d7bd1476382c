"""Where areas lie: the British National Grid (EPSG:27700), centroids, boundaries.

No area is ever assigned by geometry: the generalised boundaries put one postcode in six into a
neighbour of its LSOA; the directory says which area a postcode is in.

The boundary file is ONS' "Lower layer Super Output Areas (December 2011) Boundaries", in any
generalisation, as GeoJSON (also gzipped), GeoPackage or shapefile; the code stands in `LSOA11CD`,
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
from streetineq_assets.spreadsheets.sheets import is_gzip

if TYPE_CHECKING:
    import geopandas as gpd

BOUNDARIES_FOLDER = "boundaries"
BRITISH_NATIONAL_GRID = "EPSG:27700"
_SUFFIXES = (".geojson", ".json", ".gpkg", ".shp")
_CODES = ("lsoa11cd", "lsoa_code", "code", "geo_code")


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


def find_boundaries(folder: Path) -> Path | None:
    """The boundary file below a folder; None when there is none.

    Raises:
        SourceError: there are several.
    """
    found = [path for path in sorted(folder.rglob("*")) if _suffix(path) in _SUFFIXES]
    if len(found) > 1:
        raise SourceError(
            f"{found[0]} and {found[1]} are both boundaries: keep one file in {folder}"
        )
    return found[0] if found else None


def read_boundaries(path: Path) -> "gpd.GeoDataFrame":
    """The areas' outlines.

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
        raise SourceError(f"{path}: {twice} is there twice: download it again")
    return named.to_crs(BRITISH_NATIONAL_GRID).sort_values("lsoa11", ignore_index=True)


def _suffix(path: Path) -> str:
    return (
        path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    )
