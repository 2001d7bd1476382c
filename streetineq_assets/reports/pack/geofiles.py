"""The map of a pack: GeoParquet 1.1 for programs, and a GeoPackage with styles for QGIS.

Both have a row for each area, in WGS84. The columns of an outcome bear its name, such as
`crime_decile`: a row for each outcome would repeat the geometry, which is nearly all of the file.
"""

import contextlib
import datetime as dt
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports.pack.contents import PARQUET, PackFile
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.pack.qgis_styles import write_styles
from streetineq_assets.tables import column, describe_columns, description_and_unit, schema

if TYPE_CHECKING:
    import geopandas as gpd

LAYER = "lsoa_map"
GEOPARQUET, GEOPACKAGE = f"{LAYER}.parquet", f"{LAYER}.gpkg"
WGS84 = "EPSG:4326"
_AREA = ["city", "area"]
_TYPES = {"int8": "Int8", "int16": "Int16", "int32": "Int32", "bool": "boolean"}
_SHAPE = "boundary of the area, or the mean place of its images where it has none; WGS84"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BBOX = column(
    "bbox",
    pa.struct([(corner, pa.float64()) for corner in _CORNERS]),
    "box around the geometry, by which readers leave out row groups",
    unit="degrees",
    nullable=True,
)


def write_maps(material: Material, folder: Path) -> list[PackFile]:
    """Write `lsoa_map.parquet` and `lsoa_map.gpkg`, without rows where nothing is predicted."""
    outcomes = material.outcomes
    frame = geographic(material.results.areas, material.boundaries, material.results.centroids)
    wide = wide_schema(outcomes)
    in_parquet = schema(*wide, column("geometry", "binary", f"{_SHAPE}, as WKB", nullable=True))
    in_parquet = in_parquet.append(_BBOX)
    frame.to_parquet(
        folder / GEOPARQUET, index=False, schema_version="1.1.0", write_covering_bbox=True
    )
    describe_columns(folder / GEOPARQUET, in_parquet)
    _write_geopackage(frame, outcomes, material.published_on, folder / GEOPACKAGE)
    in_geopackage = schema(
        column("fid", "int64", "number of the row, from 1"),
        column("geom", "binary", f"{_SHAPE}, as GeoPackage has it", nullable=True),
        *wide,
    )
    return [
        PackFile(GEOPARQUET, "Map of all areas, as GeoParquet 1.1", PARQUET, in_parquet),
        PackFile(
            GEOPACKAGE,
            "Map of all areas for QGIS, with a style for each outcome",
            "application/geopackage+sqlite3",
            in_geopackage,
        ),
    ]


def wide_schema(outcomes: Sequence[str]) -> pa.Schema:
    """The columns of `by_area`; any may be missing, since a city may lack an outcome."""
    fields = [field for field in LSOA_PREDICTIONS if field.name not in (*_AREA, "outcome")]
    prefixed = [_of_outcome(field, outcome) for outcome in outcomes for field in fields]
    return schema(*(LSOA_PREDICTIONS.field(name) for name in _AREA), *prefixed)


def _of_outcome(field: pa.Field, outcome: str) -> pa.Field:
    text, unit = description_and_unit(field)
    described = f"{OUTCOMES[outcome].title}: {text}"
    return column(f"{outcome}_{field.name}", field.type, described, unit=unit, nullable=True)


def by_area(areas: pd.DataFrame) -> pd.DataFrame:
    """The predictions of all pairs with one row per area.

    Args:
        areas: `predictions.tables.LSOA_PREDICTIONS` of all pairs.

    Returns:
        `city, area`, then `<outcome>_<column>` for all other columns, missing where a city lacks
        an outcome.
    """
    kinds = {field.name: _TYPES.get(str(field.type)) for field in LSOA_PREDICTIONS}
    # Types that may be missing, or pandas makes floats of the integers that are.
    nullable = {name: kind for name, kind in kinds.items() if kind and name in areas}
    values = areas.columns.drop([*_AREA, "outcome"])
    keyed = areas.astype(nullable).set_index(_AREA)
    parts = [
        keyed.loc[keyed["outcome"] == outcome, values].add_prefix(f"{outcome}_")
        for outcome in areas["outcome"].unique()
    ]
    wide = pd.concat([keyed[[]].loc[~keyed.index.duplicated()], *parts], axis=1)
    return wide.copy().reset_index()  # one block of each type, to which pandas adds without ado


def geographic(
    areas: pd.DataFrame, boundaries: "gpd.GeoDataFrame | None", centroids: pd.DataFrame
) -> "gpd.GeoDataFrame":
    """`by_area` with each area's boundary, or its centroid where there is none, in WGS84.

    Args:
        areas: as `by_area`.
        boundaries: `area, geometry`, or None.
        centroids: `area, lat, lon` in degrees.
    """
    import geopandas as gpd

    table = by_area(areas)
    points = gpd.GeoSeries(
        gpd.points_from_xy(centroids["lon"], centroids["lat"]), index=centroids["area"], crs=WGS84
    )
    geometry = points.reindex(table["area"])
    if boundaries is not None:
        wanted = boundaries[boundaries["area"].isin(set(table["area"]))]
        shapes = wanted.set_index("area").geometry.to_crs(WGS84).reindex(table["area"])
        geometry = shapes.where(shapes.notna(), geometry)
    return gpd.GeoDataFrame(table, geometry=geometry.array, crs=WGS84)


# -- GeoPackage ------------------------------------------------------------------------------------


def _write_geopackage(
    frame: "gpd.GeoDataFrame", outcomes: Sequence[str], day: dt.date, path: Path
) -> None:
    """One layer, and the styles of it; the same bytes on every run.

    Where TensorFlow was imported before, GDAL gets its SQLite, which cannot make a spatial index.
    So there is none, which some thousand areas do without: the content is the same everywhere.
    """
    import pyogrio

    stamp = f"{day.isoformat()}T00:00:00.000Z"
    with _gdal_lives_at(stamp):
        pyogrio.write_dataframe(
            frame,
            path,
            layer=LAYER,
            driver="GPKG",
            dataset_options={"VERSION": "1.2"},  # of which no GDAL in use warns
            layer_options={"SPATIAL_INDEX": "NO"},
        )
    kinds = set(frame.geometry.geom_type.dropna())
    write_styles(path, LAYER, outcomes, of_points=kinds == {"Point"}, stamp=stamp)


@contextlib.contextmanager
def _gdal_lives_at(stamp: str) -> Generator[None]:
    """Let GDAL write this time into files in place of the clock's."""
    import pyogrio

    name = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: stamp})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})
