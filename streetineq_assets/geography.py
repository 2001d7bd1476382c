"""Where areas lie: the British National Grid (EPSG:27700), centroids, boundaries.

No postcode is assigned to an area by geometry, since the super-generalised boundaries put one in
six into a neighbour of its LSOA; the postcode directory says in which it lies. Boundaries are for
maps and for neighbours, and place locations without a postcode where the study asks for it, by
`images.places`, with a check of how many postcodes they put right.

The boundary file is ONS' "Lower layer Super Output Areas (December 2011) Boundaries", or those of
2021, in any generalisation, as GeoJSON (also gzipped), GeoPackage or shapefile (also zipped), with
the code in `LSOA11CD` or `LSOA21CD`, or in `code` or `geo_code`, which say no year; names of areas
are taken from `LSOA11NM` or alike.
"""

import gzip
import io
import re
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from streetineq_assets.area_vintages import LSOA11, AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.spreadsheets.columns import LSOA_CODE
from streetineq_assets.spreadsheets.sheets import data_files, is_gzip

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import Transformer

BOUNDARIES_FOLDER = "boundaries"
BRITISH_NATIONAL_GRID = "EPSG:27700"
_SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".zip")
_CODES = ("lsoa_code", "code", "geo_code")  # without a year
_NAMES = ("lsoa11nm", "lsoa21nm", "lsoa_name", "name", "geo_label")
_OF_ANY_YEAR = re.compile(r"lsoa[0-9]{2}cd", re.IGNORECASE)
_ELSEWHERE = re.compile(r"S01[0-9]{6}|N[0-9]{8}|95[A-Z]{2}[0-9]{2}[A-Z][0-9]")  # and its old form
_SOUTH_WEST, _NORTH_EAST = (50_000, 0), (670_000, 1_230_000)  # of Great Britain on the grid, metres


def national_grid(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.float64]:
    """Coordinates on the British National Grid.

    Args:
        lat, lon: (n,) WGS84 degrees, NaN where unknown.

    Returns:
        (n, 2) float64, eastings and northings in metres, both NaN where either is unknown.
    """
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    grid = np.column_stack(_to_grid().transform(lon, lat))
    grid[~np.isfinite(grid).all(axis=1)] = np.nan
    return grid


def from_national_grid(easting_m: ArrayLike, northing_m: ArrayLike) -> NDArray[np.float64]:
    """Where points of the British National Grid lie.

    Args:
        easting_m, northing_m: (n,) metres.

    Returns:
        (n, 2) float64, latitude and longitude in WGS84 degrees.
    """
    lon, lat = _to_grid().transform(
        np.asarray(easting_m, dtype=np.float64),
        np.asarray(northing_m, dtype=np.float64),
        direction="INVERSE",
    )
    return np.column_stack([lat, lon])


@cache
def _to_grid() -> "Transformer":
    """Making it takes longer than a city's areas."""
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4326", BRITISH_NATIONAL_GRID, always_xy=True)


def area_centroids(postcodes: pd.DataFrame) -> pd.DataFrame:
    """The centroid of each area's addresses: the mean of its postcodes' coordinates.

    Args:
        postcodes: `area, lat, lon`, one row per postcode; a row without all is ignored. With
            `msoa` or `authority` they are told too.

    Returns:
        `area, easting_m, northing_m, msoa, authority`, one row per area, sorted by code. The
        last two are those of most of the area's postcodes (`of_most_postcodes`), missing where the
        postcodes do not say.
    """
    located = postcodes[["area", "lat", "lon"]].dropna()
    grid = national_grid(located["lat"], located["lon"])
    points = located[["area"]].assign(easting_m=grid[:, 0], northing_m=grid[:, 1]).dropna()
    means = points.groupby("area", as_index=False, sort=True).mean()
    for name in ("msoa", "authority"):
        if name in postcodes:
            means[name] = of_most_postcodes(postcodes, name).reindex(means["area"]).to_numpy()
        else:
            means[name] = None
    return means.astype({"msoa": "str", "authority": "str"})


def of_most_postcodes(postcodes: pd.DataFrame, name: str) -> pd.Series:
    """What most postcodes of an area say; of two that as many say, the first in order.

    A few postcodes of an area lie across a border, or are listed wrongly.

    Args:
        postcodes: `area` and a column `name` of codes, one row per postcode.

    Returns:
        The codes, indexed by `area`; areas of which no postcode says anything are absent.
    """
    counted = postcodes[["area", name]].dropna().value_counts().reset_index()
    ranked = counted.sort_values(["area", "count", name], ascending=[True, False, True])
    return ranked.drop_duplicates("area").set_index("area")[name]


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


def other_files(folder: Path) -> list[Path]:
    """The files below a folder that are neither boundaries nor parts of a shapefile."""
    files = list(data_files(folder))
    shapefiles = {path.with_suffix("") for path in files if _suffix(path) == ".shp"}
    return [
        path
        for path in files
        if _suffix(path) not in _SUFFIXES and path.with_suffix("") not in shapefiles
    ]


def read_boundaries(path: Path, vintage: AreaVintage = LSOA11) -> "gpd.GeoDataFrame":
    """The boundaries of the areas in a file; Scotland's and Northern Ireland's are left out.

    Coordinates that are no degrees although no system is named, as in some GeoJSON, are metres of
    the British National Grid.

    Args:
        vintage: of the areas.

    Returns:
        `area, name, geometry` (polygons, British National Grid, metres), by code, each code once.
        The name is missing where the file has none.

    Raises:
        SourceError: the file is damaged, names no coordinate system or a wrong one, or has no codes
            of LSOAs or those of another vintage, or an area has no shape.
    """
    areas = _read(path)
    column = _column_of_codes(path, areas, vintage)
    titles = next((areas[name] for name in areas.columns if name.lower() in _NAMES), None)
    named = areas[[column, "geometry"]].rename(columns={column: "area"})
    named.insert(1, "name", None if titles is None else titles.astype("str"))
    named = named[~named["area"].astype("str").str.fullmatch(_ELSEWHERE)]
    if named["area"].duplicated().any():
        twice = named.loc[named["area"].duplicated(), "area"].iloc[0]
        raise SourceError(f"{path}: {twice} occurs twice: download it again")
    shapeless = named.geometry.isna() | named.geometry.is_empty
    if shapeless.any():
        code = named.loc[shapeless, "area"].iloc[0]
        raise SourceError(f"{path}: {code} has no shape: download it again")
    return _on_the_grid(path, named).sort_values("area", ignore_index=True)


def _read(path: Path) -> "gpd.GeoDataFrame":
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    try:
        source = io.BytesIO(gzip.decompress(path.read_bytes())) if is_gzip(path) else path
        areas = gpd.read_file(source)
    except (DataSourceError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{path} holds no boundaries ({error}): download it again") from error
    if not isinstance(areas, gpd.GeoDataFrame):
        raise SourceError(
            f"{path} is a table without shapes: download the boundaries with their shapes"
        )
    return areas


def _column_of_codes(path: Path, areas: "gpd.GeoDataFrame", vintage: AreaVintage) -> str:
    """The name of the column of codes, all of which are codes of small areas."""
    names = {name.lower(): name for name in areas.columns}
    heading = f"LSOA{vintage.suffix}CD"
    wanted = f"download the boundaries of {vintage} ({heading})"
    others = [name for name in names.values() if _OF_ANY_YEAR.fullmatch(name)]
    if others and heading.lower() not in names:
        raise SourceError(
            f"{path} is of other areas ({', '.join(others)}) than the study, which is of the "
            f"{vintage} ([areas] vintage): {wanted}"
        )
    column = next((names[name] for name in (heading.lower(), *_CODES) if name in names), None)
    if column is None:
        raise SourceError(
            f"{path} has no column of LSOA codes of {vintage.year} ({heading}); it has "
            f"{', '.join(names)}: {wanted}"
        )
    codes = areas[column].astype("str")
    lsoa = codes.str.fullmatch(LSOA_CODE)
    strange = codes[~(lsoa | codes.str.fullmatch(_ELSEWHERE))]
    if len(strange):
        raise SourceError(
            f"{path}, area {strange.index[0] + 1}: {strange.iloc[0]!r} in column {column} is not "
            f"the code of an LSOA (E01 or W01 and six digits): {wanted}"
        )
    if not lsoa.any():
        raise SourceError(f"{path} holds no LSOA of England or Wales in column {column}: {wanted}")
    return column


def _on_the_grid(path: Path, areas: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """The areas on the British National Grid, all of them in Great Britain."""
    if areas.crs is None:
        raise SourceError(
            f"{path} names no coordinate system: download it as GeoJSON or GeoPackage"
        )
    if areas.crs.is_geographic and (np.abs(areas.total_bounds) > [180, 90, 180, 90]).any():
        areas.geometry = areas.geometry.set_crs(BRITISH_NATIONAL_GRID, allow_override=True)
    areas = areas.to_crs(BRITISH_NATIONAL_GRID)
    bounds = areas.bounds.to_numpy()
    inside = (bounds[:, :2] >= _SOUTH_WEST) & (bounds[:, 2:] <= _NORTH_EAST)  # false of NaN
    outside = ~inside.all(axis=1)
    if outside.any():
        raise SourceError(
            f"{path}: {areas['area'][outside].iloc[0]} lies outside Great Britain: the "
            "coordinates are in another order or system than the file says: download it again as "
            "GeoJSON (WGS84) or GeoPackage"
        )
    return areas


def _suffix(path: Path) -> str:
    return (
        path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    )
