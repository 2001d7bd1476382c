"""The ONS Postcode Directory: from its files to one table of postcodes, by DuckDB.

DuckDB reads the CSVs in parallel, plain or gzipped; no row becomes a Python object. Which areas
make up a city follows from the table.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Scalar
from streetineq_assets.labels.postcode_directory import Directory
from streetineq_assets.spreadsheets.sheets import is_gzip
from streetineq_assets.tables import engine_path, view

# Our columns, and the type of their cells.
_TYPES = {
    "postcode": "VARCHAR",
    "authority": "VARCHAR",
    "usertype": "TINYINT",
    "introduced": "DATE",
    "terminated": "DATE",
    "oa": "VARCHAR",
    "area": "VARCHAR",
    "msoa": "VARCHAR",
    "lat": "DOUBLE",
    "lon": "DOUBLE",
}
# A code that ends in 99999999 stands for "no area of this kind"; latitude 99.999999 for no grid
# reference.
_COPY = """
    COPY (
        SELECT {postcode} AS postcode, cities.city AS city, cities.authority AS authority,
            CASE WHEN oa NOT LIKE '%99999999' THEN oa END AS oa,
            CASE WHEN area NOT LIKE '%99999999' THEN area END AS area,
            CASE WHEN msoa NOT LIKE '%99999999' THEN msoa END AS msoa,
            {lat} AS lat, {lon} AS lon, usertype, introduced, terminated
        FROM read_csv($files, columns = $columns, header = true, auto_detect = false, delim = ',',
            quote = '"', escape = '"', dateformat = '%Y%m', encoding = $encoding,
            compression = $compression, hive_partitioning = false)
        LEFT JOIN (SELECT *, authority::VARCHAR AS code FROM cities) AS cities
            ON cities.code = trim(listed_authority)
        ORDER BY postcode)
    TO $target (FORMAT parquet, COMPRESSION zstd)
"""
# What the query renames needs another name inside it.
_INSIDE = {
    "postcode": "listed",
    "authority": "listed_authority",
    "lat": "listed_lat",
    "lon": "listed_lon",
}
_AS_IT_IS, _SPACED = "listed", "left(replace(listed, ' ', ''), -3) || ' ' || right(listed, 3)"
_LOCATED = "CASE WHEN listed_lat BETWEEN 49 AND 61.5 THEN listed_{0} END"
_NOWHERE = "NULL::DOUBLE"


def write_postcodes(
    connection: duckdb.DuckDBPyConnection,
    directory: Directory,
    city_of_authority: Mapping[str, str],
    target: Path,
) -> None:
    """Write every postcode of the directory to a Parquet file, in the order of postcodes.

    Args:
        city_of_authority: local authority code to city key.
        target: the file to write, as `tables.POSTCODE_LSOA`.

    Raises:
        SourceError: a line, a postcode or an area's code is malformed, a postcode occurs twice, or
            an LSOA lies in two MSOAs.
    """
    cities = pd.DataFrame(
        {"authority": list(city_of_authority), "city": list(city_of_authority.values())},
        dtype="category",  # a byte for each row that is sorted, where text takes a tenth longer
    )
    connection.register("cities", cities)
    try:
        _copy(connection, directory, target)
    finally:
        connection.unregister("cities")
    with view(connection, "postcodes", target):
        _refuse_duplicates(connection, directory)
        _refuse_odd_codes(connection, directory)
        _refuse_other_columns(connection, directory)


def city_areas(connection: duckdb.DuckDBPyConnection, postcodes: Path) -> pd.DataFrame:
    """The LSOAs of every city.

    An LSOA belongs to the city of most of its postcodes, ties by the city's key: the directory puts
    a few postcodes into the authority next door.

    Returns:
        `city, area, n_postcodes, n_elsewhere` (postcodes of the LSOA outside that city), by city
        and LSOA.
    """
    areas = """
        WITH counted AS (
            SELECT area, city, count(*) AS n FROM postcodes
            WHERE area IS NOT NULL GROUP BY area, city),
        ranked AS (
            SELECT *, sum(n) OVER (PARTITION BY area) - n AS elsewhere,
                row_number() OVER (PARTITION BY area ORDER BY n DESC, city NULLS LAST) AS choice
            FROM counted)
        SELECT city, area, n AS n_postcodes, elsewhere::BIGINT AS n_elsewhere FROM ranked
        WHERE choice = 1 AND city IS NOT NULL ORDER BY city, area
        """
    with view(connection, "postcodes", postcodes):
        return connection.execute(areas).df()


def msoas_of(
    connection: duckdb.DuckDBPyConnection, postcodes: Path, lsoas: Iterable[str]
) -> pd.DataFrame:
    """`area, msoa` of these LSOAs, ascending; each lies in one MSOA."""
    asked = """
        SELECT area, min(msoa) AS msoa FROM postcodes
        WHERE area IN (SELECT unnest($lsoas::VARCHAR[])) GROUP BY area ORDER BY area
        """
    with view(connection, "postcodes", postcodes):
        return connection.execute(asked, {"lsoas": sorted(set(lsoas))}).df()


def refuse_no_area(
    areas: pd.DataFrame, directory: Directory, city_of_authority: Mapping[str, str]
) -> None:
    """Refuse a directory without any area of the study's cities.

    Raises:
        SourceError: no city has an area.
    """
    if areas.empty:
        authorities = sorted(city_of_authority)
        raise SourceError(
            f"{directory.named} has no postcode with an LSOA in any of the "
            f"study's {len(authorities)} local authorities ({authorities[0]}, ...): it is of "
            "another region, or study.toml names other authorities"
        )


def summarise(
    connection: duckdb.DuckDBPyConnection, postcodes: Path, date: dt.date
) -> dict[str, Scalar]:
    """How many postcodes there are, in cities, live, and how recent the edition is.

    Args:
        date: the study's; a postcode is live when it was introduced and not terminated by then.
    """
    counted = """
        WITH dated AS (SELECT *, coalesce(introduced <= $date, true)
            AND coalesce(terminated > $date, true) AS live FROM postcodes)
        SELECT count(*) AS n_postcodes, count(city) AS n_postcodes_in_cities,
            count(*) FILTER (city IS NOT NULL AND live) AS n_live_in_cities,
            count(*) FILTER (city IS NOT NULL AND live AND usertype = 0) AS n_live_small_user,
            count(DISTINCT area) FILTER (city IS NOT NULL) AS n_lsoas,
            strftime(max(introduced), '%Y-%m') AS newest_postcode
        FROM dated
        """
    with view(connection, "postcodes", postcodes):
        counts = connection.execute(counted, {"date": date}).df()
    return {str(name): column.item() for name, column in counts.items()}


def count_rows(
    connection: duckdb.DuckDBPyConnection, postcodes: Path, cities: Iterable[str]
) -> dict[str, int]:
    """How many postcodes the table has, and each of these cities."""
    with view(connection, "postcodes", postcodes):
        counted = connection.execute("SELECT city, count(*) FROM postcodes GROUP BY city")
        found = dict(counted.fetchall())
    return {"postcodes": sum(found.values())} | {
        f"postcodes of {city}": found.get(city, 0) for city in cities
    }


def _copy(connection: duckdb.DuckDBPyConnection, directory: Directory, target: Path) -> None:
    # DuckDB applies these names by position, so that no heading of the file reaches the SQL.
    names = [f"unused_{i}" for i in range(len(directory.header))]
    types = ["VARCHAR"] * len(names)
    for name, i in directory.columns.items():
        names[i], types[i] = _INSIDE.get(name, name), _TYPES[name]
    canonical = directory.header[directory.columns["postcode"]] == "pcds"
    located = {"lat", "lon"} <= directory.columns.keys()
    copy = _COPY.format(
        postcode=_AS_IT_IS if canonical else _SPACED,
        lat=_LOCATED.format("lat") if located else _NOWHERE,
        lon=_LOCATED.format("lon") if located else _NOWHERE,
    )
    packed = {is_gzip(path) for path in directory.files}
    parameters = {
        "files": [engine_path(path) for path in directory.files],
        "columns": dict(zip(names, types, strict=True)),
        "compression": "auto_detect" if len(packed) > 1 else "gzip" if packed.pop() else "none",
        "target": str(target),
    }
    for encoding in ("utf-8", "latin-1"):
        try:
            connection.execute(copy, parameters | {"encoding": encoding})
            return
        except duckdb.Error as error:
            if "not utf-8" in str(error) and encoding == "utf-8":
                continue
            raise SourceError(_in_one_sentence(error, directory.files)) from error


def _in_one_sentence(error: duckdb.Error, files: Sequence[Path]) -> str:
    """DuckDB's account of a malformed line without its advice on options."""
    text = str(error)
    line = re.search(r"on Line: (\d+)", text)
    file = re.search(r"^\s*file = (.+)$", text, re.MULTILINE)
    column = re.search(r'column "(\w+)"', text)
    what = re.search(r"(Could not convert string .*|Expected Number of Columns.*)", text)
    at = file.group(1).strip() if file else str(files[0])
    if line:
        at += f", line {line.group(1)}"
    if column:
        at += f", column {column.group(1)}"
    first = text.splitlines()[0]
    if "CSV Error" in first:  # a quotation mark that stays open, or other ends of lines
        first = "the line cannot be read as CSV"
    reason = (what.group(1) if what else first).strip().rstrip(".")
    return f"{at}: {reason}: the postcode directory is damaged, download it again"


def _refuse_duplicates(connection: duckdb.DuckDBPyConnection, directory: Directory) -> None:
    # The table is sorted, and a window without an order of its own streams over it: a grouping by
    # postcode would take four times as long.
    ((twice,),) = connection.execute(
        """
        SELECT min(postcode) FROM (
            SELECT postcode, lag(postcode) OVER () AS above FROM postcodes)
        WHERE postcode = above
        """
    ).fetchall()
    if twice:
        raise SourceError(
            f"postcode {twice} occurs twice in {directory.named}: keep the files of one "
            "edition, and either the national file or those by area"
        )


def _refuse_odd_codes(connection: duckdb.DuckDBPyConnection, directory: Directory) -> None:
    odd = connection.execute(
        """
        SELECT postcode, area FROM postcodes
        WHERE postcode IS NULL OR NOT regexp_full_match(postcode, '[A-Z0-9]{2,4} [A-Z0-9]{3}')
            OR (city IS NOT NULL AND NOT regexp_full_match(area, '[EW]01[0-9]{6}'))
        ORDER BY postcode LIMIT 1
        """
    ).fetchall()
    if odd:
        postcode, lsoa = odd[0]
        raise SourceError(
            f"{directory.named}: the row of postcode {postcode!r} with LSOA {lsoa!r} is "
            "malformed (a postcode and a code such as E01000001 were expected): download it again"
        )


def _refuse_other_columns(connection: duckdb.DuckDBPyConnection, directory: Directory) -> None:
    """Refuse areas that do not nest: a column was sorted, shifted or filled on its own."""
    torn = connection.execute(
        """
        SELECT area, min(msoa), max(msoa) FROM postcodes
        WHERE city IS NOT NULL GROUP BY area HAVING min(msoa) < max(msoa)
        ORDER BY area LIMIT 1
        """
    ).fetchall()
    if torn:
        lsoa, one, other = torn[0]
        raise SourceError(
            f"{directory.named}: LSOA {lsoa} lies in the MSOAs {one} and {other}, and an LSOA lies "
            "in one: its columns do not belong together, download it again"
        )
