"""To which areas a city's locations belong: DuckDB joins them by postcode, and counts all failures.

What belongs here: reading `locations/<city>.csv`, the join, a location's area and its weight. What
does not: where its images lie (`catalogue`), and what its area is like (`labels`).

A location serves one or several postcodes. Those that the directory knows, whose LSOA is one of the
city's (as `postcodes.city_areas` says, so that it has a label), and that were not terminated before
the images were taken, place it. If they lie in several LSOAs the one with most live postcodes is
taken, ties by code. Its weight is the number of live small-user postcodes that it serves in that
LSOA: terminated ones are 45 % of London's directory, and large users (single organisations) would
give a few areas a fifth of all weight.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Check, Findings
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.spreadsheets.columns import Columns, find_column, normalise, read_columns
from streetineq_assets.spreadsheets.sheets import read_sheets

REASONS = ("terminated_before_capture", "no_lsoa", "outside_city", "unknown_postcode")
"""Why a postcode does not place a location; the first that holds of any postcode is the
location's."""

COLUMNS = {
    "location_id": "the location's id, as in the names of its images",
    "postcodes": "all postcodes that it serves, joined by semicolons",
    "n_postcodes": "how many these are",
    "oa11": "output area of 2011; null when rejected",
    "lsoa11": "lower layer super output area of 2011",
    "msoa11": "middle layer super output area of 2011",
    "weight": "live small-user postcodes that it serves in its LSOA, at the study's date",
    "lat": "WGS84 latitude, degrees: as listed, else the mean of the postcodes that place it",
    "lon": "WGS84 longitude, degrees",
    "captured_at": "day on which the images were taken, or the first of the month; null if unknown",
    "provider": "who took the images, as listed",
    "licence": "under which licence, as listed",
    "status": "matched or rejected",
    "reason": "why it was rejected; null when matched",
}
CHECKS: dict[str, str] = {
    "locations_accounted": "Every listed location is matched or rejected, once.",
    "locations_matched": "At least 95 % of the locations have an area.",
    "locations_in_one_area": "At most 5 % of the locations serve postcodes of several LSOAs.",
    "locations_weighted": "At least 95 % of the matched ones serve a live small-user postcode.",
}
"""Name and meaning of each check in the findings; the first blocks."""

_MATCHED, _SPREAD, _WEIGHTED = 0.95, 0.05, 0.95
_DATE = re.compile(r"(\d{4}-\d{2})(-\d{2})?([T ].*)?")
_OPTIONAL = ("lat", "lon", "captured_at", "provider", "licence")

_KNOWN = """
CREATE TEMP TABLE known AS
WITH served AS (
    SELECT DISTINCT location_id,
        regexp_replace(regexp_replace(upper(postcode), '[^A-Z0-9]', '', 'g'), '(...)$', ' \\1')
            AS postcode
    FROM listed)
SELECT served.location_id, served.postcode, p.oa11, p.lsoa11, p.msoa11, p.lat, p.lon,
    coalesce(p.introduced <= $date, true) AND coalesce(p.terminated > $date, true) AS live,
    p.usertype = 0 AS small_user,
    CASE WHEN p.postcode IS NULL THEN 'unknown_postcode'
        WHEN CASE WHEN p.lsoa11 IS NULL THEN p.city ELSE areas.city END IS DISTINCT FROM $city
            THEN 'outside_city'
        WHEN p.lsoa11 IS NULL THEN 'no_lsoa'
        WHEN p.terminated < date_trunc('month', l.captured_at) THEN 'terminated_before_capture'
    END AS fault
FROM served JOIN locations AS l USING (location_id)
LEFT JOIN read_parquet($postcodes) AS p ON p.postcode = served.postcode
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
        count(*) FILTER (live AND small_user) AS weight, avg(lat) AS lat, avg(lon) AS lon
    FROM known JOIN votes USING (location_id, lsoa11)
    WHERE fault IS NULL AND votes.place = 1 GROUP BY ALL),
outcome AS (
    SELECT location_id, string_agg(postcode, ';' ORDER BY postcode) AS postcodes,
        count(*) AS n_postcodes,
        list_extract($reasons, min(list_position($reasons, fault))::BIGINT) AS reason
    FROM known GROUP BY location_id)
SELECT location_id, outcome.postcodes, outcome.n_postcodes, o.oa11, placed.lsoa11, placed.msoa11,
    coalesce(placed.weight, 0) AS weight, coalesce(l.lat, placed.lat) AS lat,
    coalesce(l.lon, placed.lon) AS lon, l.captured_at, l.provider, l.licence,
    CASE WHEN placed.lsoa11 IS NULL THEN 'rejected' ELSE 'matched' END AS status,
    CASE WHEN placed.lsoa11 IS NULL THEN outcome.reason END AS reason,
    coalesce(votes.n_lsoas, 0) AS n_lsoas
FROM locations AS l JOIN outcome USING (location_id)
LEFT JOIN placed USING (location_id)
LEFT JOIN votes ON votes.location_id = l.location_id AND votes.place = 1
LEFT JOIN output_areas AS o
    ON o.location_id = l.location_id AND o.lsoa11 = placed.lsoa11 AND o.place = 1
ORDER BY location_id
"""
_FAULTS = "SELECT fault, count(DISTINCT postcode) AS n FROM known GROUP BY fault"


def join_locations(
    connection: duckdb.DuckDBPyConnection,
    listing: Path,
    postcodes: Path,
    *,
    city: str,
    date: dt.date,
) -> tuple[pd.DataFrame, Findings]:
    """Give every listed location of a city its area and its weight, or a reason why it has none.

    Args:
        listing: `locations/<city>.csv`, see `read_listing`.
        postcodes: `postcode_lsoa.parquet`.
        city: key of the city, as in the `city` column of `postcodes`.
        date: the study's; a postcode is live when introduced by then and not terminated by then.

    Returns:
        The table, one row per location in the order of ids, columns as `COLUMNS` (`weight` and
        `n_postcodes` int64, `lat` and `lon` float64, `captured_at` a day as datetime64[s], the rest
        strings), and the
        findings: how many locations were rejected and how many postcodes failed, by reason, and the
        checks of `CHECKS`.

    Raises:
        SourceError: a line of it is malformed, or two lines contradict each other.
    """
    rows = read_listing(listing)
    locations = _one_row_each(rows, listing)
    connection.register("listed", rows[["location_id", "postcode"]])
    connection.register("locations", locations)
    try:
        connection.register("areas", city_areas(connection, postcodes))
        connection.execute(_KNOWN, {"postcodes": str(postcodes), "city": city, "date": date})
        table = connection.execute(_PLACE, {"reasons": list(REASONS)}).df()
        faults = connection.execute(_FAULTS).fetchall()
    finally:
        connection.execute("DROP TABLE IF EXISTS known")
        connection.unregister("listed")
        connection.unregister("locations")
        connection.unregister("areas")
    findings = _findings(table, rows, dict(faults))
    return table.drop(columns="n_lsoas").astype(_DTYPES), findings


def read_listing(path: Path) -> pd.DataFrame:
    """The rows of a locations file.

    A CSV with the columns `location_id, postcode` and optionally `lat, lon` (WGS84 degrees),
    `captured_at` (`2016-07-21`, `2016-07` or a time stamp), `provider` and `licence`. A location
    that serves several postcodes has a row for each.

    Returns:
        `line, location_id, postcode, lat, lon, captured_at, provider, licence`; what is absent is
        null. A city without a file has no rows: it is unavailable, and stops no other.

    Raises:
        SourceError: a column is missing, an id is empty or no part of a file name, a cell is
            wrong, or one of `lat` and `lon` is there alone.
    """
    if not path.is_file():
        return pd.DataFrame(columns=["line", *_LISTED]).astype(_LISTED)
    sheet = read_sheets(path)[0]
    header = sheet.head[0] if sheet.head else (1, [])
    what = "a list of locations"
    positions = {
        name: find_column(sheet, header, [name], table=what) for name in ("location_id", "postcode")
    }
    present = {normalise(cell) for cell in header[1]}
    for name in _OPTIONAL:
        if name in present:
            positions[name] = find_column(sheet, header, [name], table=what)
    columns = read_columns(sheet, header, positions.values())
    frame: dict[str, Sequence] = {"line": columns.lines}
    for name in ("location_id", "postcode", *_OPTIONAL):
        frame[name] = [None] * len(columns.lines)
        if name in positions:
            frame[name] = _parsed(columns, positions[name], _PARSERS.get(name, _text))
    rows = pd.DataFrame(frame).astype(_LISTED)
    halves = rows["lat"].isna() != rows["lon"].isna()
    if halves.any():
        raise SourceError(
            f"{sheet.at(int(rows.loc[halves, 'line'].iloc[0]))}: lat without lon, or lon without "
            "lat: give both or neither"
        )
    return rows


def _parsed(columns: Columns, position: int, parse: Callable[[str], object]) -> list:
    """A column's values, None where the cell is empty; `parse` raises ValueError with a reason."""
    values = []
    for row, text in enumerate(columns.texts[position].to_pylist()):
        try:
            values.append(parse(text))
        except ValueError as error:
            raise SourceError(f"{columns.at(row, position)}: {text!r} {error}") from error
    return values


def _text(text: str) -> str | None:
    return text or None


def _id(text: str) -> str:
    if not text or {"/", "\\"} & set(text):
        raise ValueError("is no id: it names image files, so it is not empty and has no slash")
    return text


def _degrees(text: str, low: float, high: float) -> float | None:
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]+)?", text) or not low <= float(text) <= high:
        raise ValueError(
            f"is not a number of degrees in the United Kingdom, {low:g} to {high:g}: are lat and "
            "lon in each other's place?"
        )
    return float(text)


def _day(text: str) -> dt.date | None:
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if match:
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(match.group(1) + (match.group(2) or "-01"))
    raise ValueError("is not a date such as 2016-07-21 or 2016-07")


_PARSERS: dict[str, Callable[[str], object]] = {
    "location_id": _id,
    "postcode": str,  # an empty one is an unknown one
    "lat": partial(_degrees, low=49, high=61.5),
    "lon": partial(_degrees, low=-9, high=2.5),
    "captured_at": _day,
}


def _one_row_each(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """What the rows of one location agree on.

    Raises:
        SourceError: they contradict each other.
    """
    described = rows[["location_id", *_OPTIONAL]].drop_duplicates()
    twice = described.index[described["location_id"].duplicated()]
    if len(twice):
        other = rows.loc[twice[0]]
        first = rows[rows["location_id"] == other["location_id"]].iloc[0]
        differing = [
            name
            for name in _OPTIONAL
            if first[name] != other[name] and not (pd.isna(first[name]) and pd.isna(other[name]))
        ]
        raise SourceError(
            f"{path}, lines {first['line']} and {other['line']}: location {other['location_id']} "
            f"has two values of {', '.join(differing)}: a location is one place and one moment"
        )
    return described


def _findings(table: pd.DataFrame, rows: pd.DataFrame, faults: Mapping[str, int]) -> Findings:
    rejected = table["reason"].value_counts()
    matched = table[table["status"] == "matched"]
    served = rows[["location_id", "postcode"]].drop_duplicates()
    figures = {
        "listed": int(rows["location_id"].nunique()),
        "matched": len(matched),
        **{f"rejected_{reason}": int(rejected.get(reason, 0)) for reason in REASONS},
        "postcodes_listed": int(served["postcode"].nunique()),
        **{f"postcodes_{reason}": int(faults.get(reason, 0)) for reason in REASONS},
        "postcodes_of_several_locations": int(served["postcode"].duplicated().sum()),
        "rows_repeated": len(rows) - len(served),
        "locations_over_several_lsoas": int((table["n_lsoas"] > 1).sum()),
        "matched_without_weight": int((matched["weight"] == 0).sum()),
        "lsoas_with_locations": int(matched["lsoa11"].nunique()),
        "total_weight": int(matched["weight"].sum()),
    }
    return Findings(values=figures, checks=_checks(figures, table))


def _checks(figures: Mapping[str, int], table: pd.DataFrame) -> list[Check]:
    listed, matched = figures["listed"], figures["matched"]
    rejected = listed - matched
    reasons = sum(figures[f"rejected_{reason}"] for reason in REASONS)
    spread, unweighted = figures["locations_over_several_lsoas"], figures["matched_without_weight"]
    accounted = table["location_id"].is_unique and len(table) == listed and rejected == reasons
    return [
        Check(
            "locations_accounted",
            bool(accounted),
            f"{listed:,} listed = {matched:,} matched + {reasons:,} rejected",
            blocking=True,
        ),
        Check(
            "locations_matched",
            matched >= _MATCHED * listed,
            f"{matched:,} of {listed:,} locations have an area",
        ),
        Check(
            "locations_in_one_area",
            spread <= _SPREAD * listed,
            f"{spread:,} locations serve postcodes of several LSOAs; the majority decided",
        ),
        Check(
            "locations_weighted",
            unweighted <= (1 - _WEIGHTED) * matched,
            f"{unweighted:,} matched locations serve no live small-user postcode and weigh nothing",
        ),
    ]


_LISTED = {
    "location_id": "str",
    "postcode": "str",
    "lat": "float64",
    "lon": "float64",
    "captured_at": "datetime64[s]",
    "provider": "str",
    "licence": "str",
}
_DTYPES = {
    "location_id": "str",
    "postcodes": "str",
    "n_postcodes": "int64",
    "oa11": "str",
    "lsoa11": "str",
    "msoa11": "str",
    "weight": "int64",
    "provider": "str",
    "licence": "str",
    "status": "str",
    "reason": "str",
}
