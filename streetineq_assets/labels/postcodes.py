"""The ONS Postcode Directory: from its files to one table of postcodes, by DuckDB.

Editions differ in the names of their columns and in little else:

2012 to 2014  `pcd, pcd2, pcds, ..., oslaua, ..., usertype, ..., oa11, lsoa11, msoa11`;
to 2024       the same with `lat, long`, later also `oa21, lsoa21, msoa21`;
from 2025     `pcd7, pcd8, pcds, ..., lad25cd, ..., usrtypind, ..., oa11cd, lsoa11cd, msoa11cd`;
and the lookup "Postcode to OA to LSOA to MSOA to LAD" has `pcd7, ..., usertype, oa11cd, lsoa11cd,
msoa11cd, ladcd` without coordinates. An edition without the areas of 2011 cannot be used.

ONS publishes one national file of 1.2 GB and the same by postcode area in a folder
`multi_csv`. DuckDB reads the CSVs in parallel, plain or gzipped; no row becomes a Python object.
Which areas make up a city follows from the table.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.errors import SourceError, SourceMissingError
from streetineq_assets.findings import Scalar
from streetineq_assets.spreadsheets.columns import find_column, normalise
from streetineq_assets.spreadsheets.sheets import data_files, is_gzip, read_sheets
from streetineq_assets.tables import engine_path, view

FOLDER = "onspd"
DIRECTORY = (
    'ONS Postcode Directory, "ONSPD" (Office for National Statistics, Open Geography Portal)'
)
_PER_AREA = "multi_csv"

# Our name, the type of the cells, and their names over the editions.
_COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "postcode": ("VARCHAR", ("pcds", "pcd8", "pcd7", "pcd2", "pcd")),
    "authority": ("VARCHAR", ("oslaua", "laua", "ladcd")),
    "usertype": ("TINYINT", ("usertype", "usrtypind")),
    "introduced": ("DATE", ("dointr",)),
    "terminated": ("DATE", ("doterm",)),
    "oa11": ("VARCHAR", ("oa11", "oa11cd")),
    "lsoa11": ("VARCHAR", ("lsoa11", "lsoa11cd")),
    "msoa11": ("VARCHAR", ("msoa11", "msoa11cd")),
}
_COORDINATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "lat": ("DOUBLE", ("lat",)),
    "lon": ("DOUBLE", ("long",)),
}
# The lists of names and codes in the publisher's archive have one or two of them.
_ENOUGH_COLUMNS = 4
_AUTHORITY_OF_YEAR = re.compile(r"lad\d\dcd")

# A code that ends in 99999999 stands for "no area of this kind"; latitude 99.999999 for no grid
# reference.
_READ = """
    SELECT {postcode} AS postcode, cities.city AS city,
        CASE WHEN oa11 NOT LIKE '%99999999' THEN oa11 END AS oa11,
        CASE WHEN lsoa11 NOT LIKE '%99999999' THEN lsoa11 END AS lsoa11,
        CASE WHEN msoa11 NOT LIKE '%99999999' THEN msoa11 END AS msoa11,
        {lat} AS lat, {lon} AS lon, usertype, introduced, terminated
    FROM read_csv($files, columns = $columns, header = true, auto_detect = false, delim = ',',
        quote = '"', escape = '"', dateformat = '%Y%m', encoding = $encoding,
        compression = $compression, hive_partitioning = false)
    LEFT JOIN cities ON cities.authority = listed_authority
    ORDER BY postcode
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


@dataclass(frozen=True)
class Directory:
    """The files of one edition of the directory.

    Attributes:
        files: one national file, or one per postcode area.
        header: the names of their columns, in order.
        columns: our name to the position of the column; some editions have no `lat` and `lon`.
    """

    files: tuple[Path, ...]
    header: tuple[str, ...]
    columns: Mapping[str, int]


def find_directory(folder: Path) -> Directory:
    """The postcode directory below a folder, recognised by its columns.

    Where a national file lies beside a folder `multi_csv`, as in the publisher's archive, the
    national file is used. Files without the columns of a directory, such as its lists of names,
    are ignored.

    Raises:
        SourceMissingError: no file has such columns.
        SourceError: a file is damaged, lacks a column, or files of two editions lie together.
    """
    directories: dict[Path, Directory] = {}
    for path in data_files(folder):
        directory = _directory(path)
        if directory:
            directories[path] = directory
    national = [path for path in directories if _PER_AREA not in path.relative_to(folder).parts]
    files = national or list(directories)
    if not files:
        raise SourceMissingError(
            f"no file in {folder} is a postcode directory: put the {DIRECTORY} there"
        )
    first = directories[files[0]]
    for path in files[1:]:
        if directories[path].header != first.header:
            raise SourceError(
                f"{files[0]} and {path} are of two editions of the postcode directory (their "
                "columns differ): keep the files of one"
            )
    return Directory(tuple(files), first.header, first.columns)


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
        SourceError: a line, a postcode or an area's code is malformed, or a postcode occurs twice.
    """
    cities = pd.DataFrame(
        {"authority": list(city_of_authority), "city": list(city_of_authority.values())},
        dtype="str",
    )
    connection.register("cities", cities)
    try:
        _copy(connection, directory, target)
    finally:
        connection.unregister("cities")
    with view(connection, "postcodes", target):
        _refuse_duplicates(connection, directory)
        _refuse_odd_codes(connection, directory)


def city_areas(connection: duckdb.DuckDBPyConnection, postcodes: Path) -> pd.DataFrame:
    """The LSOAs of every city.

    An LSOA belongs to the city of most of its postcodes, ties by the city's key: the directory puts
    a few postcodes into the authority next door.

    Returns:
        `city, lsoa11, n_postcodes, n_elsewhere` (postcodes of the LSOA outside that city), by city
        and LSOA.
    """
    areas = """
        WITH counted AS (
            SELECT lsoa11, city, count(*) AS n FROM postcodes
            WHERE lsoa11 IS NOT NULL GROUP BY lsoa11, city),
        ranked AS (
            SELECT *, sum(n) OVER (PARTITION BY lsoa11) - n AS elsewhere,
                row_number() OVER (PARTITION BY lsoa11 ORDER BY n DESC, city NULLS LAST) AS choice
            FROM counted)
        SELECT city, lsoa11, n AS n_postcodes, elsewhere::BIGINT AS n_elsewhere FROM ranked
        WHERE choice = 1 AND city IS NOT NULL ORDER BY city, lsoa11
        """
    with view(connection, "postcodes", postcodes):
        return connection.execute(areas).df()


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
            f"{_listed(directory.files)} has no postcode with an LSOA of 2011 in any of the "
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
            count(DISTINCT lsoa11) FILTER (city IS NOT NULL) AS n_lsoas,
            strftime(max(introduced), '%Y-%m') AS newest_postcode
        FROM dated
        """
    with view(connection, "postcodes", postcodes):
        counts = connection.execute(counted, {"date": date}).df()
    return {str(name): column.item() for name, column in counts.items()}


def _directory(path: Path) -> Directory | None:
    """The file as a directory of its own; None when its columns are not those of one.

    Raises:
        SourceError: the file is damaged, or has only some of the columns.
    """
    sheet = read_sheets(path)[0]
    if not sheet.head:
        return None
    header = sheet.head[0]
    names = [normalise(cell) for cell in header[1]]
    known = sum(any(name in names for name in theirs) for _, theirs in _COLUMNS.values())
    if known < _ENOUGH_COLUMNS:
        return None
    columns = {}
    for ours, (_, theirs) in _COLUMNS.items():
        present = [name for name in theirs if name in names]
        if ours == "authority":
            present += [name for name in names if _AUTHORITY_OF_YEAR.fullmatch(name)]
        wanted = present[:1] or theirs
        columns[ours] = find_column(sheet, header, wanted, table="the postcode directory")
    for ours, (_, theirs) in _COORDINATES.items():
        if theirs[0] in names:
            columns[ours] = names.index(theirs[0])
    return Directory((path,), tuple(names), columns)


def _copy(connection: duckdb.DuckDBPyConnection, directory: Directory, target: Path) -> None:
    kinds = {name: kind for name, (kind, _) in (_COLUMNS | _COORDINATES).items()}
    # DuckDB applies these names by position, so that no heading of the file reaches the SQL.
    names = [f"unused_{i}" for i in range(len(directory.header))]
    types = ["VARCHAR"] * len(names)
    for name, i in directory.columns.items():
        names[i], types[i] = _INSIDE.get(name, name), kinds[name]
    canonical = directory.header[directory.columns["postcode"]] == "pcds"
    located = {"lat", "lon"} <= directory.columns.keys()
    read = _READ.format(
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
            connection.execute(
                f"COPY ({read}) TO $target (FORMAT parquet, COMPRESSION zstd)",
                parameters | {"encoding": encoding},
            )
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
    reason = (what.group(1) if what else text.splitlines()[0]).strip().rstrip(".")
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
            f"postcode {twice} occurs twice in {_listed(directory.files)}: keep the files of one "
            "edition, and either the national file or those by area"
        )


def _refuse_odd_codes(connection: duckdb.DuckDBPyConnection, directory: Directory) -> None:
    odd = connection.execute(
        """
        SELECT postcode, lsoa11 FROM postcodes
        WHERE postcode IS NULL OR NOT regexp_full_match(postcode, '[A-Z0-9]{2,4} [A-Z0-9]{3}')
            OR (city IS NOT NULL AND NOT regexp_full_match(lsoa11, '[EW]01[0-9]{6}'))
        ORDER BY postcode LIMIT 1
        """
    ).fetchall()
    if odd:
        postcode, lsoa = odd[0]
        raise SourceError(
            f"{_listed(directory.files)}: the row of postcode {postcode!r} with LSOA {lsoa!r} is "
            "malformed (a postcode and a code such as E01000001 were expected): download it again"
        )


def _listed(files: Sequence[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
