"""To which areas a city's locations belong, by postcodes or coordinates: a join in DuckDB.

A location serves one or several postcodes. It is placed by those that the directory knows, whose
LSOA is one of the city's (as in `postcodes.city_areas`, so that it has a label), and that were not
terminated before the images were taken. Where they lie in several LSOAs, the one with most live
postcodes is taken, ties by code. Its weight is the number of live small-user postcodes that it
serves in that LSOA: terminated ones are 45 % of London's directory, and large users (single
organisations) would give a few areas a fifth of all weight.

A location without a postcode is placed by its coordinates. By the nearest live postcode, it lies in
the areas of that one. By boundaries, it lies in the LSOA around it, of which the directory says the
MSOA and the city; its output area is not known. Nobody knows which postcodes it serves, so in both
ways it weighs as much as one of these: 1.

Coordinates and stated areas of a location that has a postcode place nothing. They are compared with
its postcodes, since a column that was sorted or filled on its own leaves a list that looks sound.
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from streetineq_assets import geography
from streetineq_assets.area_vintages import LSOA11, AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Findings
from streetineq_assets.image_settings import Places
from streetineq_assets.images.location_checks import location_findings
from streetineq_assets.images.location_list import (
    columns_not_read,
    none_listed,
    one_row_each,
    read_location_list,
)
from streetineq_assets.images.places import (
    Agreement,
    areas_of_points,
    count_agreeing,
    nearest_postcodes,
)
from streetineq_assets.images.tables import (
    BY_BOUNDARIES,
    BY_NEAREST_POSTCODE,
    BY_POSTCODE,
    LOCATIONS,
    REASONS,
)
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.store import DataStore
from streetineq_assets.tables import conform, view

if TYPE_CHECKING:
    import geopandas as gpd

# Introduced by the study's date, and not terminated by then.
_LIVE = "coalesce(p.introduced <= $date, true) AND coalesce(p.terminated > $date, true)"
_KNOWN = """
CREATE TEMP TABLE known AS
WITH served AS (
    SELECT location_id,
        regexp_replace(regexp_replace(upper(postcode), '[^A-Z0-9]', '', 'g'), '(...)$', ' \\1')
            AS postcode, area, reason,
        min(upper(stated_lsoa)) AS stated_lsoa, min(lower(stated_city)) AS stated_city
    FROM listed GROUP BY ALL),
around AS (
    SELECT area, min(msoa) AS msoa FROM postcodes
    WHERE area IN (SELECT area FROM listed) GROUP BY area),
found AS (
    SELECT served.location_id, served.postcode, served.reason, served.stated_lsoa,
        served.stated_city, p.oa, coalesce(p.area, served.area) AS area,
        coalesce(p.msoa, around.msoa) AS msoa, p.lat, p.lon, p.city, p.terminated,
        coalesce(p.postcode, served.area) IS NULL AS is_unknown, {live} AS live,
        coalesce(p.usertype = 0, false) AS small_user
    FROM served LEFT JOIN postcodes AS p ON p.postcode = served.postcode
    LEFT JOIN around ON around.area = served.area)
SELECT p.location_id, p.postcode, p.oa, p.area, p.msoa, p.lat, p.lon, p.live,
    p.small_user OR NOT listed_so AS small_user,
    p.stated_lsoa = p.area AS as_stated,
    p.stated_city IN (SELECT city FROM areas) AND p.stated_city <> $city AS stated_elsewhere,
    CASE WHEN listed_so THEN {metres} END AS metres,
    CASE WHEN p.reason IS NOT NULL THEN p.reason
        WHEN p.is_unknown THEN 'unknown_postcode'
        WHEN CASE WHEN p.area IS NULL THEN p.city ELSE areas.city END IS DISTINCT FROM $city
            THEN 'outside_city'
        WHEN p.area IS NULL THEN 'no_lsoa'
        WHEN listed_so AND p.terminated < date_trunc('month', l.captured_at)
            THEN 'terminated_before_capture'
    END AS fault
FROM found AS p
JOIN (SELECT *, placed_by = $listed AS listed_so FROM locations) AS l USING (location_id)
LEFT JOIN areas ON areas.area = p.area
"""
_PLACE = """
WITH votes AS (
    SELECT location_id, area, count(*) OVER (PARTITION BY location_id) AS n_lsoas,
        row_number() OVER (PARTITION BY location_id ORDER BY n_live DESC, area) AS place
    FROM (SELECT location_id, area, count(*) FILTER (live) AS n_live FROM known
        WHERE fault IS NULL GROUP BY ALL)),
output_areas AS (
    SELECT location_id, area, oa,
        row_number() OVER (PARTITION BY location_id, area ORDER BY n_live DESC, oa) AS place
    FROM (SELECT location_id, area, oa, count(*) FILTER (live) AS n_live FROM known
        WHERE fault IS NULL GROUP BY ALL)),
placed AS (
    SELECT known.location_id, known.area, min(known.msoa) AS msoa,
        count(*) FILTER (live AND small_user) AS weight, avg(lat ORDER BY postcode) AS lat,
        avg(lon ORDER BY postcode) AS lon,
        min(metres) AS metres
    FROM known JOIN votes USING (location_id, area)
    WHERE fault IS NULL AND votes.place = 1 GROUP BY ALL),
outcome AS (
    SELECT location_id, coalesce(string_agg(postcode, ';' ORDER BY postcode), '') AS postcodes,
        count(postcode) AS n_postcodes,
        CASE WHEN count(lat) < 2 THEN NULL WHEN count(DISTINCT area) < 2 THEN 0 ELSE {across} END
            AS metres_across,
        NOT bool_or(as_stated) AS other_lsoa, bool_or(stated_elsewhere) AS other_city,
        list_extract($reasons, min(list_position($reasons, fault))::BIGINT) AS reason
    FROM known GROUP BY location_id)
SELECT location_id, outcome.postcodes, outcome.n_postcodes, o.oa, placed.area, placed.msoa,
    coalesce(placed.weight, 0) AS weight, coalesce(l.lat, placed.lat) AS lat,
    coalesce(l.lon, placed.lon) AS lon, l.captured_at, l.provider, l.licence, l.creator,
    CASE WHEN placed.area IS NULL THEN 'rejected' ELSE 'matched' END AS status,
    CASE WHEN placed.area IS NULL THEN outcome.reason END AS reason,
    CASE WHEN placed.area IS NOT NULL THEN l.placed_by END AS placed_by,
    l.placed_by AS way, l.metres_near,
    coalesce(votes.n_lsoas, 0) AS n_lsoas, placed.metres, outcome.metres_across,
    outcome.other_lsoa, outcome.other_city
FROM locations AS l JOIN outcome USING (location_id)
LEFT JOIN placed USING (location_id)
LEFT JOIN votes ON votes.location_id = l.location_id AND votes.place = 1
LEFT JOIN output_areas AS o
    ON o.location_id = l.location_id AND o.area = placed.area AND o.place = 1
ORDER BY location_id
"""
# On a sphere that is flat over a few kilometres: one degree of latitude is 111,195 metres.
_METRES = "111195 * sqrt(pow({0}, 2) + pow(({1}) * cos(radians({2})), 2))"
_FROM_POSTCODE = _METRES.format("p.lat - l.lat", "p.lon - l.lon", "l.lat")
_ACROSS = _METRES.format("max(lat) - min(lat)", "max(lon) - min(lon)", "min(lat)")
_FAULTS = "SELECT fault, count(DISTINCT postcode) AS n FROM known GROUP BY fault"
# A degree of either kind has more than 50 km everywhere in the United Kingdom.
_NEAR = """
SELECT postcode, usertype, lat, lon FROM postcodes AS p
WHERE area IS NOT NULL AND {live}
    AND lat BETWEEN $south - $degrees AND $north + $degrees
    AND lon BETWEEN $west - $degrees AND $east + $degrees
"""
_LEAST_M_PER_DEGREE = 50_000
_OF_CITY = """
SELECT postcode AS location_id, lat, lon, area
FROM postcodes AS p JOIN areas USING (area)
WHERE areas.city = $city AND lat IS NOT NULL AND {live} ORDER BY postcode
"""
_SERVED = ["location_id", "postcode", "area", "reason", "stated_lsoa", "stated_city"]
_DEFAULT = Places()


def placing_boundaries(store: DataStore, places: Places) -> Path | None:
    """The file of boundaries, where the study places locations by them and it is there.

    Raises:
        SourceError: there are several.
    """
    if places.by != "boundaries":
        return None
    return geography.find_boundaries(store.inputs(geography.BOUNDARIES_FOLDER))


def join_locations(
    connection: duckdb.DuckDBPyConnection,
    location_list: Path,
    postcodes: Path,
    *,
    city: str,
    date: dt.date,
    places: Places = _DEFAULT,
    boundaries: Path | None = None,
    vintage: AreaVintage = LSOA11,
) -> tuple[pd.DataFrame, Findings]:
    """Give every listed location of a city its area and its weight, or a reason why it has none.

    Args:
        location_list: `locations/<city>.csv`, see `read_location_list`.
        postcodes: `postcode_lsoa.parquet`.
        city: key of the city, as in the `city` column of `postcodes`.
        date: the study's; a postcode is live when introduced by then and not terminated by then.
        places: what places a location without a postcode.
        boundaries: the file of boundaries, see `geography.read_boundaries`; read only where it
            places a location.

    Returns:
        A frame of the schema `LOCATIONS`, one row per location in the order of ids, and the
        findings of `location_findings`.

    Raises:
        SourceError: a line of the list is malformed, or two lines contradict each other; boundaries
            are needed, and are absent or damaged.
    """
    rows = read_location_list(location_list)
    locations = one_row_each(rows, location_list)
    points, agreement = _points(rows, locations), None
    try:
        connection.register("areas", city_areas(connection, postcodes))
        with view(connection, "postcodes", postcodes):
            if places.by == "boundaries" and len(points):
                areas = _placing_areas(boundaries, vintage, city, len(points))
                placed, agreement = _around(connection, points, areas, city, date)
            else:
                placed = _nearest(connection, points, places.within_m, date)
            connection.register("listed", _served(rows, placed))
            connection.register("locations", _with_way(locations, placed))
            known = _KNOWN.format(live=_LIVE, metres=_FROM_POSTCODE)
            connection.execute(known, {"city": city, "date": date, "listed": BY_POSTCODE})
        place = _PLACE.format(across=_ACROSS)
        table = connection.execute(place, {"reasons": list(REASONS)}).df()
        faults = connection.execute(_FAULTS).fetchall()
    finally:
        connection.execute("DROP TABLE IF EXISTS known")
        for name in ("listed", "locations", "areas"):
            connection.unregister(name)
    findings = location_findings(table, rows, dict(faults), agreement)
    findings.values["columns_not_read"] = ", ".join(columns_not_read(location_list)) or None
    if table.empty:
        findings.unavailable = none_listed(location_list)
    return conform(table, LOCATIONS), findings


# -- by coordinates --------------------------------------------------------------------------------


def _points(rows: pd.DataFrame, locations: pd.DataFrame) -> pd.DataFrame:
    """`location_id, lat, lon` of the locations without a postcode.

    In a list that has postcodes, one with neither postcode nor coordinates is none of them: its
    postcode is unknown, as it always was.
    """
    with_postcode = rows.loc[rows["postcode"].notna(), "location_id"]
    without = locations[~locations["location_id"].isin(with_postcode)]
    points = without[["location_id", "lat", "lon"]]
    return points.dropna() if len(with_postcode) else points


def _nearest(
    connection: duckdb.DuckDBPyConnection, points: pd.DataFrame, within_m: float, date: dt.date
) -> pd.DataFrame:
    """As `nearest_postcodes`, among those of any city that are live and have an LSOA."""
    ends = {"south": points["lat"].min(), "north": points["lat"].max()}
    ends |= {"west": points["lon"].min(), "east": points["lon"].max()}
    asked = ends | {"degrees": within_m / _LEAST_M_PER_DEGREE, "date": date}
    candidates = connection.execute(_NEAR.format(live=_LIVE), asked).df()
    return nearest_postcodes(points, candidates, within_m=within_m)


def _placing_areas(
    boundaries: Path | None, vintage: AreaVintage, city: str, n_points: int
) -> "gpd.GeoDataFrame":
    """The boundaries that place a city's locations.

    Raises:
        SourceError: they are absent or damaged.
    """
    if boundaries is None:
        raise SourceError(
            f"inputs/locations/{city}.csv has {n_points:,} locations without a postcode, which "
            'study.toml places by "boundaries" ([places]), but inputs/boundaries has none: put '
            f'ONS\' boundaries of {vintage} there, or set by = "postcode"'
        )
    return geography.read_boundaries(boundaries, vintage)


def _around(
    connection: duckdb.DuckDBPyConnection,
    points: pd.DataFrame,
    areas: "gpd.GeoDataFrame",
    city: str,
    date: dt.date,
) -> tuple[pd.DataFrame, Agreement]:
    """As `areas_of_points`; and of the city's live postcodes, how many lie in their own area."""
    of_city = connection.execute(_OF_CITY.format(live=_LIVE), {"city": city, "date": date}).df()
    return areas_of_points(points, areas), count_agreeing(of_city, areas)


def _served(rows: pd.DataFrame, placed: pd.DataFrame) -> pd.DataFrame:
    """The rows of a list with what coordinates add: a postcode, or an LSOA, or why there is none.

    Args:
        placed: by `nearest_postcodes` or `areas_of_points`.
    """
    by_postcode = rows[~rows["location_id"].isin(placed["location_id"])]
    others = rows.drop(columns="postcode").merge(placed, on="location_id")
    served = pd.concat([by_postcode.fillna({"postcode": ""}), others])
    return served.reindex(columns=_SERVED).astype("str")


def _with_way(locations: pd.DataFrame, placed: pd.DataFrame) -> pd.DataFrame:
    """Locations with `placed_by`, if they are, and the metres to the nearest postcode.

    Args:
        placed: as in `_served`.
    """
    way = BY_BOUNDARIES if "area" in placed else BY_NEAREST_POSTCODE
    metres = placed.set_index("location_id").get("metres", pd.Series(dtype="float64"))
    by_position = locations["location_id"].isin(placed["location_id"])
    return locations.assign(
        placed_by=by_position.map({True: way, False: BY_POSTCODE}),
        metres_near=locations["location_id"].map(metres).astype("float64"),
    )
