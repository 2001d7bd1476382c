"""The predictions of all pairs as files for other tools: CSV, and GeoParquet with boundaries."""

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import geopandas as gpd

CSV_FILE = "lsoa_predictions.csv"
METRICS_FILE = "metrics.csv"
GEO_FILE = "lsoa_map.parquet"
WGS84 = "EPSG:4326"
_AREA = ["city", "lsoa11"]
# What spreadsheets calculate: such a sign, of full width too, at the start or behind white space.
_FORMULA = re.compile(
    r"'*((?![+\-][0-9]+([.][0-9]+)?\Z)\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
)


def write_csv(frame: pd.DataFrame, path: Path, *, float_format: str | None = "%.6g") -> None:
    """A table as UTF-8 CSV; an empty cell is a missing value.

    A text or column name that a spreadsheet would calculate, since it begins with `=`, `+`, `-` or
    `@` and is no number, gets an apostrophe before it; so does one that has apostrophes there
    already, so that `as_written` gives every text back.
    """
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"])
    safe = frame.assign(**{name: column.map(_as_text) for name, column in texts.items()})
    safe = safe.rename(columns=_as_text)
    # Spreadsheets end a line at a carriage return, before which pandas sets no quotes.
    written = [*map(str, frame.columns), *(cell for _, column in texts.items() for cell in column)]
    returns = any("\r" in text for text in written if isinstance(text, str))
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    safe.to_csv(path, index=False, lineterminator="\n", float_format=float_format, quoting=quoting)


def as_written(cell: str) -> str:
    """The text that a cell of `write_csv` stands for."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _as_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def write_geoparquet(
    areas: pd.DataFrame,
    boundaries: "gpd.GeoDataFrame | None",
    centroids: pd.DataFrame,
    path: Path,
) -> int:
    """One row per area with its boundary, or its centroid where there is none, in WGS84.

    The columns of each outcome bear its name before their own, such as `crime_decile`: a row for
    each outcome would repeat the geometry, which is nearly all of the file.

    Args:
        areas: `predictions.tables.LSOA_PREDICTIONS` of all pairs.
        boundaries: `lsoa11, geometry`, or None.
        centroids: `lsoa11, lat, lon` in degrees.

    Returns:
        How many areas have neither, and so no geometry.
    """
    import geopandas as gpd

    table = by_area(areas)
    points = gpd.GeoSeries(
        gpd.points_from_xy(centroids["lon"], centroids["lat"]), index=centroids["lsoa11"], crs=WGS84
    )
    geometry = points.reindex(table["lsoa11"])
    if boundaries is not None:
        shapes = boundaries.set_index("lsoa11").geometry.to_crs(WGS84).reindex(table["lsoa11"])
        geometry = shapes.where(shapes.notna(), geometry)
    frame = gpd.GeoDataFrame(table, geometry=geometry.array, crs=WGS84)
    frame.to_parquet(path, index=False)
    return int(frame.geometry.isna().sum())


def by_area(areas: pd.DataFrame) -> pd.DataFrame:
    """The predictions of all pairs with one row per area.

    Args:
        areas: `predictions.tables.LSOA_PREDICTIONS` of all pairs.

    Returns:
        `city, lsoa11`, then `<outcome>_<column>` for all other columns, missing where a city lacks
        an outcome.
    """
    values = areas.columns.drop([*_AREA, "outcome"])
    # Types that may be missing, or pandas makes floats of the integers that are.
    integers = areas[values].select_dtypes("integer").dtypes
    whole = {name: dtype.name.capitalize() for name, dtype in integers.items()}
    whole |= dict.fromkeys(areas[values].select_dtypes("bool").columns, "boolean")
    keyed = areas.astype(whole).set_index(_AREA)
    parts = [
        keyed.loc[keyed["outcome"] == outcome, values].add_prefix(f"{outcome}_")
        for outcome in areas["outcome"].unique()
    ]
    return pd.concat([keyed[[]].loc[~keyed.index.duplicated()], *parts], axis=1).reset_index()
