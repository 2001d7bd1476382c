"""The files of the ONS Postcode Directory: which they are in `inputs/onspd`, and their columns.

Editions differ in the names of their columns and in little else:

2012 to 2014  `pcd, pcd2, pcds, ..., oslaua, ..., usertype, ..., oa11, lsoa11, msoa11`;
to 2024       the same with `lat, long`, later also `oa21, lsoa21, msoa21`;
from 2025     `pcd7, pcd8, pcds, ..., lad25cd, ..., usrtypind, ..., oa11cd, lsoa11cd, msoa11cd`;
and the lookup "Postcode to OA to LSOA to MSOA to LAD" has `pcd7, ..., usertype, oa11cd, lsoa11cd,
msoa11cd, ladcd` without coordinates. So does ONS' other product, the NSPL, with the areas of one
census. Later editions have the areas of 2021 too: `oa21`, `lsoa21`, `msoa21`. An edition without
those of the study's vintage cannot be used.

ONS publishes one national file of 1.2 GB and the same by postcode area in a folder `multi_csv`. A
file that is no directory is harmless beside a national one. Among files by area it may be one of
them that was spoilt, so that its postcodes would be lost: it is refused.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from streetineq_assets.area_vintages import LSOA11, VINTAGES, AreaVintage
from streetineq_assets.errors import SourceError, SourceMissingError
from streetineq_assets.spreadsheets.columns import find_column, header_separator, normalise
from streetineq_assets.spreadsheets.sheets import Row, Sheet, data_files, read_sheets

FOLDER = "onspd"
DIRECTORY = (
    'ONS Postcode Directory, "ONSPD" (Office for National Statistics, Open Geography Portal)'
)
_PER_AREA = "multi_csv"

# Our name, and the publisher's over the editions; `{}` stands for the year of the areas.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "postcode": ("pcds", "pcd8", "pcd7", "pcd2", "pcd"),
    "authority": ("oslaua", "laua", "ladcd"),
    "usertype": ("usertype", "usrtypind"),
    "introduced": ("dointr",),
    "terminated": ("doterm",),
    "oa": ("oa{}", "oa{}cd"),
    "area": ("lsoa{}", "lsoa{}cd"),
    "msoa": ("msoa{}", "msoa{}cd"),
}
_COORDINATES = {"lat": "lat", "lon": "long"}
# The lists of names and codes in the publisher's archive have one or two of them.
_ENOUGH_COLUMNS = 4
_AUTHORITY_OF_YEAR = re.compile(r"lad\d\dcd")
_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]? *[0-9][A-Z]{2}")
_AREA_CODE = re.compile(r"[EWSN][0-9]{8}")
_N_NAMED = 5


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

    @property
    def headings(self) -> dict[str, str]:
        """Our name to the publisher's, in this edition."""
        return {name: self.header[position] for name, position in self.columns.items()}

    @property
    def named(self) -> str:
        """The files in words, for messages."""
        first = str(self.files[0])
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} more"


def find_directory(folder: Path, vintage: AreaVintage = LSOA11) -> Directory:
    """The postcode directory below a folder, recognised by its columns.

    Where a national file lies beside a folder `multi_csv`, as in the publisher's archive, the
    national file is used. Files without the columns of a directory, such as its lists of names,
    are ignored beside it.

    Args:
        vintage: of the areas that are read; most editions have both.

    Raises:
        SourceMissingError: no file has such columns; the message says of each file why.
        SourceError: a file is damaged, lacks a column, or is no directory among files by postcode
            area, or files of two editions lie together.
    """
    directories: dict[Path, Directory] = {}
    others: dict[Path, str] = {}
    for path in data_files(folder):
        found = _recognise(path, vintage)
        if isinstance(found, Directory):
            directories[path] = found
        else:
            others[path] = found
    national = [path for path in directories if _PER_AREA not in path.relative_to(folder).parts]
    files = national or list(directories)
    if not files:
        raise SourceMissingError(
            f"no file in {folder} is a postcode directory: put the {DIRECTORY} there{_seen(others)}"
        )
    if len(files) > 1:
        _refuse_strangers(files, directories, others)
    first = directories[files[0]]
    return Directory(tuple(files), first.header, first.columns)


def ignored_files(folder: Path, vintage: AreaVintage = LSOA11) -> Iterator[tuple[Path, str]]:
    """The files below a folder that are no postcode directory, each with the reason.

    Raises:
        SourceError: as `find_directory`, of a single file.
    """
    for path in data_files(folder):
        found = _recognise(path, vintage)
        if isinstance(found, str):
            yield path, found


def _refuse_strangers(
    files: list[Path], directories: Mapping[Path, Directory], others: Mapping[Path, str]
) -> None:
    """Of several files each must be a part of one edition, and so must all that lie beside them."""
    folders = {path.parent for path in files}
    for path, reason in others.items():
        if path.parent in folders:
            raise SourceError(
                f"{path} lies among the files of the postcode directory and is none ({reason}): if "
                "it is one of them, download it again, else remove it"
            )
    for path in files[1:]:
        if directories[path].header != directories[files[0]].header:
            raise SourceError(
                f"{files[0]} and {path} are of two editions of the postcode directory (their "
                "columns differ): keep the files of one"
            )


def _seen(others: Mapping[Path, str]) -> str:
    named = [f"{path.name}: {reason}" for path, reason in list(others.items())[:_N_NAMED]]
    more = f"; and {len(others) - _N_NAMED} more" if len(others) > _N_NAMED else ""
    return f". These are none: {'; '.join(named)}{more}" if named else ""


def _recognise(path: Path, vintage: AreaVintage) -> Directory | str:
    """The file as a directory of its own, or why it is none.

    Raises:
        SourceError: the file is damaged, or would be one but for a fault that it has.
    """
    sheet, wanted = read_sheets(path)[0], _columns(vintage)
    known = {name for theirs in wanted.values() for name in theirs}
    if sheet.name is None and (
        separator := header_separator(path, known, at_least=_ENOUGH_COLUMNS)
    ):
        raise SourceError(
            f"{path} is a postcode directory whose columns are separated by {separator}: save it "
            "with commas, or download it again"
        )
    if not sheet.head:
        return "it has no rows"
    header = sheet.head[0]
    names = [normalise(cell) for cell in header[1]]
    if sum(any(name in names for name in theirs) for theirs in wanted.values()) < _ENOUGH_COLUMNS:
        return _reason(sheet, names, wanted)
    if sheet.name is not None:
        raise SourceError(f"{path} is a workbook: save the postcode directory as CSV")
    return Directory((path,), tuple(names), _positions(sheet, header, names, vintage))


def _columns(vintage: AreaVintage) -> dict[str, tuple[str, ...]]:
    """Our names, and the publisher's for areas of this vintage."""
    year = vintage.suffix
    return {ours: tuple(name.format(year) for name in each) for ours, each in _COLUMNS.items()}


def _positions(sheet: Sheet, header: Row, names: list[str], vintage: AreaVintage) -> dict[str, int]:
    """Our name to the position of its column.

    Raises:
        SourceError: one is missing.
    """
    wanted = _columns(vintage)
    for other in VINTAGES.values():
        if {*_columns(other)["area"]} & {*names} and not {*wanted["area"]} & {*names}:
            raise SourceError(
                f"{sheet.at()} has the {other} and not the {vintage} ({wanted['area'][0]}), of "
                f"which the study is ([areas] vintage): take another edition of the {DIRECTORY}, "
                f"or the edition of the NSPL for the census of {vintage.year}"
            )
    columns = {}
    for ours, theirs in wanted.items():
        present = [name for name in theirs if name in names]
        if ours == "authority":
            present += [name for name in names if _AUTHORITY_OF_YEAR.fullmatch(name)]
        named = present[:1] or theirs
        columns[ours] = find_column(sheet, header, named, table="the postcode directory")
    located = {ours: names.index(name) for ours, name in _COORDINATES.items() if name in names}
    return columns | located


def _reason(sheet: Sheet, names: list[str], wanted: Mapping[str, tuple[str, ...]]) -> str:
    """Why a file is no directory.

    Raises:
        SourceError: it has postcodes where its header should be.
    """
    cells = [cell.strip().upper() for cell in sheet.head[0][1]]
    if any(map(_POSTCODE.fullmatch, cells)) and any(map(_AREA_CODE.fullmatch, cells)):
        raise SourceError(
            f"{sheet.at(1)} holds a postcode where the names of the columns should be: the file "
            "lost its header, download it again"
        )
    if any("postcode" in name or name in wanted["postcode"] for name in names):
        missing = [theirs[0] for theirs in wanted.values() if not set(theirs) & set(names)]
        return (
            "it has postcodes, but is of another publisher or product: it lacks "
            f"{', '.join(missing)}"
        )
    return "it has no column of postcodes"
