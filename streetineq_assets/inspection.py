"""What lies below a study's `inputs/`, and how much of it matches: the part of `doctor` on inputs.

The platform's own readers read it, and the platform's own checks judge it, so nothing is called
found here that a run refuses. Everything is read but the images themselves, large archives and
large boundaries; nothing is written but the postcodes, into a temporary folder.

Each line has a status: `found`; `doubtful`, where a check would warn; `wrong`, where a run would
refuse it or nothing of it matches; `missing`; `ignored`.
"""

import datetime as dt
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets import geography
from streetineq_assets.area_vintages import AreaVintage
from streetineq_assets.codes.importing.examination import examine_codes
from streetineq_assets.encoder_settings import ImportedEncoder
from streetineq_assets.errors import SourceError, SourceMissingError, StreetineqError
from streetineq_assets.evidence.groups import read_group_files
from streetineq_assets.findings import Check
from streetineq_assets.imagery.providers import check_access
from streetineq_assets.images.acquired import imagery_digests, keeps_pictures, read_imagery
from streetineq_assets.images.capture_checks import CAPTURES_ACCOUNTED, city_findings
from streetineq_assets.images.capture_listing import list_city
from streetineq_assets.images.captures import captures_file, read_captures
from streetineq_assets.images.catalogue import VIEWS, FileEntry, walk_files
from streetineq_assets.images.checks import ACCOUNTING, FILES_ACCOUNTED, rights_held
from streetineq_assets.images.files import planned_locations
from streetineq_assets.images.location_areas import join_locations, placing_boundaries
from streetineq_assets.images.location_list import (
    location_list_file,
    read_location_list,
    stated_terms,
)
from streetineq_assets.images.rights import rights_table
from streetineq_assets.images.tables import LOCATION_LIST
from streetineq_assets.labels import postcodes
from streetineq_assets.labels.formats.base import OutcomeValues
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.postcode_checks import AREAS_IN_ONE_CITY, MATCHED, postcode_checks
from streetineq_assets.labels.postcode_directory import FOLDER, find_directory, ignored_files
from streetineq_assets.labels.sources import Sources, find_sources, read_sources
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import empty
from streetineq_assets.wrong_settings import nearest

Row = dict[str, str]

_LARGE_BYTES = 2**29  # of archives and boundaries, which take minutes to read
# Real directories put a few postcodes of most cities' edges into the authority next door.
_EXPECTED_TO_FAIL = {AREAS_IN_ONE_CITY.name}
_SUMS = {ACCOUNTING.name, FILES_ACCOUNTED.name, CAPTURES_ACCOUNTED.name}  # of the platform's own


@dataclass(frozen=True)
class Official:
    """The official files, read whole.

    Attributes:
        values: of every outcome whose file can be read.
        faults: what is wrong with a recognised file.
        others: what is wrong with files that are none, or that contradict each other.
    """

    sources: Sources
    values: dict[str, OutcomeValues]
    faults: dict[Path, str]
    others: list[str]


@dataclass(frozen=True)
class Postcodes:
    """The study's postcodes as a run would make them.

    Attributes:
        table: `postcode_lsoa.parquet`, in a temporary folder.
        areas: as `postcodes.city_areas` returns them.
    """

    connection: duckdb.DuckDBPyConnection
    table: Path
    areas: pd.DataFrame

    def of_city(self, city: str) -> pd.Index:
        """The codes of the city's areas."""
        return pd.Index(self.areas.loc[self.areas["city"] == city, "area"])


def inspect_inputs(store: DataStore, study: Study) -> dict[str, list[Row]]:
    """The lines on `sources`, `outcomes` (one for each pair) and `cities`.

    Returns:
        `sources`: rows of `status, what, where`. `outcomes`: `city, outcome, status, where`.
        `cities`: `city`, and what was found of `locations`, of `images` or `codes`; `..._status`.
    """
    official = _read_official(store.inputs(), study.vintage)
    with tempfile.TemporaryDirectory() as scratch, _engine(scratch) as connection:
        directory, made = _read_directory(store, study, connection, Path(scratch))
        return {
            "sources": [
                *_files(official),
                *directory,
                *_boundaries(store, study, made),
                *_groups(store, made),
                *_strangers(store, study),
                *_transfer(store, study),
            ],
            "outcomes": [_outcome(store, study, official, pair, made) for pair in study.pairs],
            "cities": [_city(store, study, key, made) for key in study.by_weight],
        }


def _engine(scratch: str) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": "4GB", "temp_directory": scratch})


def _row(status: str, what: str, where: str) -> Row:
    return {"status": status, "what": what, "where": where}


def _judged(what: str, good: str, checks: Iterable[Check], *, nothing: bool = False) -> Row:
    """Found, or in the words of the checks that fail doubtful; wrong where nothing matches."""
    failed = [check.description for check in checks if not check.passed]
    status = "wrong" if nothing else "doubtful" if failed else "found"
    return _row(status, what, "; ".join([good, *failed]))


# -- official files --------------------------------------------------------------------------------


def _read_official(inputs: Path, vintage: AreaVintage) -> Official:
    """Read every official file whole, however many of them are wrong."""
    sources = find_sources(inputs, vintage)
    values: dict[str, OutcomeValues] = {}
    faults: dict[Path, str] = {}
    for file in sources.recognised:
        named = [problem for problem in sources.problems if str(file.path) in problem]
        try:
            values |= {each.outcome: each for each in file.read()}
        except SourceError as error:
            named = named or [str(error)]
        if named:
            faults[file.path] = named[0]
    others = [text for text in sources.problems if text not in faults.values()]
    if not sources.problems and not faults:
        try:
            read_sources(sources)  # what single files do not show
        except SourceError as error:
            named = [file.path for file in sources.recognised if str(file.path) in str(error)]
            faults |= dict.fromkeys(named, str(error))
            others += [] if named else [str(error)]
    return Official(sources, values, faults, others)


def _files(official: Official) -> Iterator[Row]:
    sources = official.sources
    for file in sources.recognised:
        fault = official.faults.get(file.path)
        what = ", ".join(file.outcomes)
        yield _row("wrong" if fault else "found", what, fault or f"{file.path} ({file.layout})")
    if sources.lookup:
        yield _row("found", "lookup of 2011 to 2021", str(sources.lookup))
    yield from (_row("ignored", reason, str(path)) for path, reason in sources.ignored)
    yield from (_row("wrong", "see right", text) for text in official.others)


def _outcome(
    store: DataStore, study: Study, official: Official, pair: Pair, made: Postcodes | None
) -> Row:
    """The file that holds a pair's outcome and how many areas it matches, or the file it wants."""
    outcome, file = OUTCOMES[pair.outcome], official.sources.of(pair.outcome)
    if not outcome.covers(study.cities[pair.city].authorities):
        status, where = "missing", f"published for {outcome.coverage} alone"
    elif file is None:
        folder = store.inputs(outcome.tables[0].folder)
        status, where = "missing", f"{outcome.wanted(study.editions)} into {folder}"
    elif file.path in official.faults or pair.outcome not in official.values:
        status, where = "wrong", f"{file.path}: see above"
    elif made is None:
        status, where = "found", str(file.path)
    else:
        areas = made.of_city(pair.city)
        n = int(official.values[pair.outcome].frame["value"].reindex(areas).notna().sum())
        status = "wrong" if n == 0 else "doubtful" if n < MATCHED * len(areas) else "found"
        where = f"{file.path}: {n:,} of {len(areas):,} areas have a value"
    return {**pair._asdict(), "status": status, "where": where}


# -- geography -------------------------------------------------------------------------------------


def _read_directory(
    store: DataStore, study: Study, connection: duckdb.DuckDBPyConnection, scratch: Path
) -> tuple[list[Row], Postcodes | None]:
    """The lines on the postcode directory, and its table where it can be made."""
    what, folder, table = "postcode directory", store.inputs(FOLDER), scratch / "postcodes.parquet"
    authorities = study.city_of_authority()
    try:
        directory = find_directory(folder, study.vintage)
        postcodes.write_postcodes(connection, directory, authorities, table)
        areas = postcodes.city_areas(connection, table)
        postcodes.refuse_no_area(areas, directory, authorities)
    except SourceMissingError as error:
        return [_row("missing", what, str(error))], None
    except SourceError as error:
        return [_row("wrong", what, str(error))], None
    n_files, summary = len(directory.files), postcodes.summarise(connection, table, study.date)
    good = (
        f"{folder} (files: {n_files}; postcodes: {summary['n_postcodes']:,}, the newest of "
        f"{summary['newest_postcode']}; areas of the study: {len(areas):,})"
    )
    checks = postcode_checks(connection, table, areas, study)
    rows = [_judged(what, good, (c for c in checks if c.name not in _EXPECTED_TO_FAIL))]
    others = ignored_files(folder, study.vintage)
    rows += [_row("ignored", reason, str(path)) for path, reason in others]
    return rows, Postcodes(connection, table, areas)


def _boundaries(store: DataStore, study: Study, made: Postcodes | None) -> Iterator[Row]:
    """The boundaries, and for how many of the study's areas there is one."""
    what, folder = "boundaries", store.inputs(geography.BOUNDARIES_FOLDER)
    try:
        path = geography.find_boundaries(folder)
        if path is None:
            needed = study.places.by == "boundaries"
            use = "to place locations and for maps" if needed else "optional, for maps"
            yield _row("missing", what, f"{use}: {study.vintage} (ONS) into {folder}")
        elif path.stat().st_size > _LARGE_BYTES:
            yield _row("found", what, f"{path} (large: not read here)")
        else:
            shapes = geography.read_boundaries(path, study.vintage)
            wanted = made.areas["area"] if made else shapes["area"]
            n = int(wanted.isin(shapes["area"]).sum())
            status = "found" if n == len(wanted) else "doubtful" if n else "wrong"
            yield _row(status, what, f"{path}: {n:,} of {len(wanted):,} areas have a boundary")
    except SourceError as error:
        yield _row("wrong", what, str(error))


def _groups(store: DataStore, made: Postcodes | None) -> Iterator[Row]:
    """The files of groups, if there are any, and how many of the study's areas each has."""
    what = "groups of areas"
    try:
        files = read_group_files(store)
    except SourceError as error:
        yield _row("wrong", what, str(error))
        return
    for path, columns in files:
        named = ", ".join(columns)
        if made is None:
            yield _row("found", what, f"{path}: {named}")
            continue
        areas = made.areas["area"]
        n = int(areas.isin(columns.index).sum())
        status = "found" if n else "wrong"
        yield _row(status, what, f"{path}: {n:,} of {len(areas):,} areas ({named})")


# -- cities ----------------------------------------------------------------------------------------


def _city(store: DataStore, study: Study, city: str, made: Postcodes | None) -> Row:
    """A city's lists, and its images or codes."""
    rows = empty(LOCATION_LIST)
    try:
        rows = read_location_list(location_list_file(store, city))
        locations = _locations(store, rows, study, city, made)
    except SourceError as error:
        locations = _row("wrong", "locations", str(error))
    if isinstance(study.encoder, ImportedEncoder):
        status, where = examine_codes(store, study.encoder, city, set(rows["location_id"]))
        found = _row(status, "codes", where)
    else:
        look = _acquired if study.acquires(city) else _images
        found = look(store, rows, study, city)
    return {"city": city} | {
        key: text
        for row in (locations, found)
        for key, text in ((row["what"], row["where"]), (f"{row['what']}_status", row["status"]))
    }


def _locations(
    store: DataStore, rows: pd.DataFrame, study: Study, city: str, made: Postcodes | None
) -> Row:
    path = location_list_file(store, city)
    what, n_listed = "locations", rows["location_id"].nunique()
    if not path.is_file():
        return _row("missing", what, str(path))
    table, keeps = rights_table(stated_terms(rows), study.rights), keeps_pictures(store, city)
    rights = rights_held(table, study.rights, keeps=keeps)
    boundaries = placing_boundaries(store, study.places)
    if made is None:
        there = f"{path}: {n_listed:,} locations, to be matched by the postcode directory"
        return _judged(what, there, [rights], nothing=not n_listed or not rights.passed)
    if boundaries and boundaries.stat().st_size > _LARGE_BYTES and rows["postcode"].isna().any():
        there = f"{path}: {n_listed:,} locations, to be placed by boundaries (large: not read here)"
        return _judged(what, there, [rights], nothing=not rights.passed)
    _, findings = join_locations(
        made.connection,
        path,
        made.table,
        city=city,
        date=study.date,
        places=study.places,
        boundaries=boundaries,
    )
    n = findings.values["n_matched"]
    good = f"{path}: {n:,} of {n_listed:,} locations have an area"
    return _judged(what, good, [*findings.checks, rights], nothing=not n or not rights.passed)


def _images(store: DataStore, listed: pd.DataFrame, study: Study, city: str) -> Row:
    what, root = "images", store.inputs("images", city)
    try:
        captures, files = read_captures(captures_file(store, city)), walk_files(root)
        if not files:
            return _row("missing", what, str(root))
        read, skipped = _affordable(files)
        listing = list_city(
            root,
            listed,
            captures,
            study.views,
            now=dt.datetime.now(dt.UTC),
            city=city,
            buckets=study.cities[city].buckets,
            names=study.images.names,
            files=read,
        )
    except SourceError as error:
        return _row("wrong", what, str(error))
    findings, n_listed = city_findings(listing), listed["location_id"].nunique()
    n = findings.values["n_locations_complete"]
    good = f"{root}: {n:,} of {n_listed:,} listed locations have all four images"
    if skipped:
        size = sum(file.size_bytes for file in skipped) / 1e9
        text = f"{good}; {len(skipped)} archives of {size:.1f} GB are not looked into here"
        return _row("found", what, text)
    checks = [check for check in findings.checks if check.name not in _SUMS]
    if len(captures):  # else the line on locations asks it
        rights = rights_held(rights_table(listing.terms, study.rights), study.rights)
        checks, n = [*checks, rights], n if rights.passed else 0
    return _judged(what, good, checks if n_listed else [], nothing=not n)


def _acquired(store: DataStore, listed: pd.DataFrame, study: Study, city: str) -> Row:
    """What was acquired of a city, or what is wanting for it."""
    what = "images"
    try:
        if imagery_digests(store, city):
            rows, n_listed = read_imagery(store, city), listed["location_id"].nunique()
            n = int((rows["status"] == "fetched").sum())
            text = f"{n:,} views of {n_listed:,} planned locations were acquired"
            return _row("found" if n == len(VIEWS) * n_listed else "doubtful", what, text)
        if study.imagery:
            check_access(study.imagery, study.rights, os.environ)
    except StreetineqError as error:
        return _row("wrong", what, str(error))
    step = "imagery" if planned_locations(store, city) else "imagery_plan"
    return _row("missing", what, f"to be acquired: materialise {step} of {city}")


def _affordable(files: Iterable[FileEntry]) -> tuple[list[FileEntry], list[FileEntry]]:
    """The files that are listed in seconds, and the archives that are not."""
    read, skipped = [], []
    for file in files:
        large = file.is_archive and file.size_bytes > _LARGE_BYTES
        (skipped if large else read).append(file)
    return read, skipped


def _strangers(store: DataStore, study: Study) -> Iterator[Row]:
    """Lists, codes and folders of images that belong to no city of the study."""
    for folder in map(store.inputs, ("locations", "captures", "images", "codes")):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.name.partition(".")[0]
            if name and name.strip().casefold() not in study.cities:
                hint = nearest(name.casefold(), [*study.cities])
                yield _row("ignored", f"no city of the study is called {name}{hint}", str(path))


def _transfer(store: DataStore, study: Study) -> Iterator[Row]:
    """The bundle that networks are transferred from, where the study names one."""
    source = study.transfer.source
    if source is None or source in study.cities:
        return
    for outcome in sorted({pair.outcome for pair in study.pairs}):
        path = store.input_file(source.replace("{outcome}", outcome))
        yield _row("found" if path.is_file() else "missing", "source of transfer", str(path))
        if "{outcome}" not in source:
            return
