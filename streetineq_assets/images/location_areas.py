"""To which areas a city's locations belong, by their postcodes: a join in DuckDB.

A location serves one or several postcodes. It is placed by those that the directory knows, whose
LSOA is one of the city's (as in `postcodes.city_areas`, so that it has a label), and that were not
terminated before the images were taken. Where they lie in several LSOAs, the one with most live
postcodes is taken, ties by code. Its weight is the number of live small-user postcodes that it
serves in that LSOA: terminated ones are 45 % of London's directory, and large users (single
organisations) would give a few areas a fifth of all weight.

Coordinates and stated areas place nothing. They are compared with the postcodes, since a column
that was sorted or filled on its own leaves a list that looks sound.
"""

import datetime as dt
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.findings import Findings
from streetineq_assets.images.checks import location_findings
from streetineq_assets.images.location_list import (
    columns_not_read,
    none_listed,
    one_row_each,
    read_location_list,
)
from streetineq_assets.images.tables import LOCATIONS, REASONS
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.tables import conform, view

_KNOWN = """
CREATE TEMP TABLE known AS
WITH served AS (
    SELECT location_id,
        regexp_replace(regexp_replace(upper(postcode), '[^A-Z0-9]', '', 'g'), '(...)$', ' \\1')
            AS postcode,
        min(upper(stated_lsoa)) AS stated_lsoa, min(lower(stated_city)) AS stated_city
    FROM listed GROUP BY ALL)
SELECT served.location_id, served.postcode, p.oa11, p.lsoa11, p.msoa11, p.lat, p.lon,
    served.stated_lsoa = p.lsoa11 AS as_stated,
    served.stated_city IN (SELECT city FROM areas) AND served.stated_city <> $city
        AS stated_elsewhere,
    {metres} AS metres,
    coalesce(p.introduced <= $date, true) AND coalesce(p.terminated > $date, true) AS live,
    p.usertype = 0 AS small_user,
    CASE WHEN p.postcode IS NULL THEN 'unknown_postcode'
        WHEN CASE WHEN p.lsoa11 IS NULL THEN p.city ELSE areas.city END IS DISTINCT FROM $city
            THEN 'outside_city'
        WHEN p.lsoa11 IS NULL THEN 'no_lsoa'
        WHEN p.terminated < date_trunc('month', l.captured_at) THEN 'terminated_before_capture'
    END AS fault
FROM served JOIN locations AS l USING (location_id)
LEFT JOIN postcodes AS p ON p.postcode = served.postcode
LEFT JOIN areas ON areas.lsoa11 = p.lsoa11
"""
_PLACE = """
WITH votes AS (
    SELECT location_id, lsoa11, count(*) OVER (PARTITION BY location_id) AS n_lsoas,
        row_number() OVER (PARTITION BY location_id ORDER BY n_live DESC, lsoa11) AS place
    FROM (SELECT location_id, lsoa11, count(*) FILTER (live) AS n_live FROM known
        WHERE fault IS NULL GROUP BY ALL)),
output_areas AS (
    SELECT location_id, lsoa11, oa11,
        row_number() OVER (PARTITION BY location_id, lsoa11 ORDER BY n_live DESC, oa11) AS place
    FROM (SELECT location_id, lsoa11, oa11, count(*) FILTER (live) AS n_live FROM known
        WHERE fault IS NULL GROUP BY ALL)),
placed AS (
    SELECT known.location_id, known.lsoa11, min(known.msoa11) AS msoa11,
        count(*) FILTER (live AND small_user) AS weight, avg(lat) AS lat, avg(lon) AS lon,
        min(metres) AS metres
    FROM known JOIN votes USING (location_id, lsoa11)
    WHERE fault IS NULL AND votes.place = 1 GROUP BY ALL),
outcome AS (
    SELECT location_id, string_agg(postcode, ';' ORDER BY postcode) AS postcodes,
        count(*) AS n_postcodes,
        CASE WHEN count(lat) < 2 THEN NULL WHEN count(DISTINCT lsoa11) < 2 THEN 0 ELSE {across} END
            AS metres_across,
        NOT bool_or(as_stated) AS other_lsoa, bool_or(stated_elsewhere) AS other_city,
        list_extract($reasons, min(list_position($reasons, fault))::BIGINT) AS reason
    FROM known GROUP BY location_id)
SELECT location_id, outcome.postcodes, outcome.n_postcodes, o.oa11, placed.lsoa11, placed.msoa11,
    coalesce(placed.weight, 0) AS weight, coalesce(l.lat, placed.lat) AS lat,
    coalesce(l.lon, placed.lon) AS lon, l.captured_at, l.provider, l.licence,
    CASE WHEN placed.lsoa11 IS NULL THEN 'rejected' ELSE 'matched' END AS status,
    CASE WHEN placed.lsoa11 IS NULL THEN outcome.reason END AS reason,
    coalesce(votes.n_lsoas, 0) AS n_lsoas, placed.metres, outcome.metres_across,
    outcome.other_lsoa, outcome.other_city
FROM locations AS l JOIN outcome USING (location_id)
LEFT JOIN placed USING (location_id)
LEFT JOIN votes ON votes.location_id = l.location_id AND votes.place = 1
LEFT JOIN output_areas AS o
    ON o.location_id = l.location_id AND o.lsoa11 = placed.lsoa11 AND o.place = 1
ORDER BY location_id
"""
# On a sphere that is flat over a few kilometres: one degree of latitude is 111,195 metres.
_METRES = "111195 * sqrt(pow({0}, 2) + pow(({1}) * cos(radians({2})), 2))"
_FROM_POSTCODE = _METRES.format("p.lat - l.lat", "p.lon - l.lon", "l.lat")
_ACROSS = _METRES.format("max(lat) - min(lat)", "max(lon) - min(lon)", "min(lat)")
_FAULTS = "SELECT fault, count(DISTINCT postcode) AS n FROM known GROUP BY fault"


def join_locations(
    connection: duckdb.DuckDBPyConnection,
    location_list: Path,
    postcodes: Path,
    *,
    city: str,
    date: dt.date,
) -> tuple[pd.DataFrame, Findings]:
    """Give every listed location of a city its area and its weight, or a reason why it has none.

    Args:
        location_list: `locations/<city>.csv`, see `read_location_list`.
        postcodes: `postcode_lsoa.parquet`.
        city: key of the city, as in the `city` column of `postcodes`.
        date: the study's; a postcode is live when introduced by then and not terminated by then.

    Returns:
        A frame of the schema `LOCATIONS`, one row per location in the order of ids, and the
        findings: how many locations were rejected and how many postcodes failed, by reason, and
        how many have coordinates or a stated area that their postcodes contradict.

    Raises:
        SourceError: a line of the list is malformed, or two lines contradict each other.
    """
    rows = read_location_list(location_list)
    locations = one_row_each(rows, location_list)
    served = rows[["location_id", "postcode", "stated_lsoa", "stated_city"]]
    connection.register("listed", served.fillna({"postcode": ""}))
    connection.register("locations", locations)
    try:
        connection.register("areas", city_areas(connection, postcodes))
        with view(connection, "postcodes", postcodes):
            known = _KNOWN.format(metres=_FROM_POSTCODE)
            connection.execute(known, {"city": city, "date": date})
        place = _PLACE.format(across=_ACROSS)
        table = connection.execute(place, {"reasons": list(REASONS)}).df()
        faults = connection.execute(_FAULTS).fetchall()
    finally:
        connection.execute("DROP TABLE IF EXISTS known")
        for name in ("listed", "locations", "areas"):
            connection.unregister(name)
    findings = location_findings(table, rows, dict(faults))
    findings.values["columns_not_read"] = ", ".join(columns_not_read(location_list)) or None
    if table.empty:
        findings.unavailable = none_listed(location_list)
    return conform(table, LOCATIONS), findings
