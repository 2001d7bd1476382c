"""Groupings of areas that the user brings: the files in `inputs/groups`.

Each file has a column of LSOA codes and any others; each other column is one grouping. Text is
taken as it is, numbers are cut into fifths of the city's areas. A column that cannot group the
city's areas is left out with the reason; a file that is spoilt is refused.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import SourceError
from streetineq_assets.evidence.equity import BUILT_IN
from streetineq_assets.spreadsheets.columns import (
    find_column,
    header_separator,
    normalise,
    read_columns,
)
from streetineq_assets.spreadsheets.sheets import data_files, read_sheets
from streetineq_assets.store import DataStore

FOLDER = "groups"
MOST_GROUPS = 30
PARTS = 5
_CODES = ("area", "lsoa11", "lsoa11cd", "lsoa code (2011)")
_MISSING = {"na", "nan"}  # as R and pandas write it


class GroupFile(NamedTuple):
    """A file as it was read.

    Attributes:
        columns: (n,) text by heading, indexed by LSOA code; empty where an area has none.
    """

    path: Path
    columns: pd.DataFrame


class Groups(NamedTuple):
    """The groupings of a city's areas.

    Attributes:
        table: `area, grouping, group`, a row for each area that has a group.
        notes: a sentence for each column that was left out, and of areas that lack a group.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]

    def digest(self) -> str:
        """Of the groups and of what is said of them."""
        said = pd.DataFrame({"area": "", "grouping": "", "group": list(self.notes)}, dtype="str")
        return digest_frame(pd.concat([self.table, said], ignore_index=True))


def read_groups(store: DataStore, areas: pd.Series) -> Groups:
    """The groupings of some areas, by all files of the study.

    Args:
        areas: (n,) LSOA codes of a city.

    Raises:
        SourceError: as `read_group_files`.
    """
    tables, notes = [_no_group()], []
    for file in read_group_files(store):
        mine = file.columns.reindex(pd.Index(areas)).fillna("")
        if not file.columns.index.isin(areas).any():
            notes.append(f"{file.path.name} has none of the city's {len(areas)} areas")
            continue
        for heading in mine:
            group, note = _grouped(mine[heading], len(areas))
            tables.append(group.rename("group").rename_axis("area").reset_index())
            tables[-1].insert(1, "grouping", heading)
            notes += [f'{file.path.name}, column "{heading}": {note}'] if note else []
    return Groups(pd.concat(tables, ignore_index=True).astype("str"), tuple(notes))


def read_group_files(store: DataStore) -> list[GroupFile]:
    """Every file of groups, each heading once.

    Raises:
        SourceError: a file is spoilt, or a heading is also that of another file.
    """
    folder = store.inputs(FOLDER)
    files = [read_group_file(path) for path in data_files(folder)] if folder.is_dir() else []
    first: dict[str, Path] = {}
    for file in files:
        for heading in file.columns:
            other = first.setdefault(normalise(heading), file.path)
            if other != file.path:
                raise SourceError(
                    f'{file.path} and {other} both have a column "{heading}": rename one'
                )
    return files


def read_group_file(path: Path) -> GroupFile:
    """One file: CSV with commas, or a workbook of one sheet, its headings in the first row.

    Raises:
        SourceError: it has no column of LSOA codes, or none beside it; a code is malformed or
            occurs twice; a heading occurs twice or is one of the platform's own.
    """
    separator = header_separator(path, {*_CODES})
    if separator:
        raise SourceError(f"{path} is separated by {separator}: save it as CSV with commas")
    sheet = read_sheets(path)[0]
    header = sheet.head[0] if sheet.head else (1, [])
    at = find_column(sheet, header, _CODES, table="a file of groups")
    wanted = {i: cell.strip() for i, cell in enumerate(header[1]) if cell.strip() and i != at}
    _refuse_headings(path, list(wanted.values()))
    read = read_columns(sheet, header, [at, *wanted])
    codes = read.lsoas(at)
    texts = {name: read.texts[i].to_pandas().astype("str") for i, name in wanted.items()}
    columns = pd.DataFrame(texts).set_axis(codes)
    return GroupFile(path, columns.mask(columns.apply(lambda c: c.str.lower().isin(_MISSING)), ""))


def _refuse_headings(path: Path, headings: list[str]) -> None:
    if not headings:
        raise SourceError(f"{path} has no column beside the codes: add one that groups the areas")
    known = [normalise(heading) for heading in headings]
    for heading in known:
        if known.count(heading) > 1:
            raise SourceError(f'{path} has two columns "{heading}": rename one')
        if heading in BUILT_IN:
            raise SourceError(
                f'{path}: by "{heading}" areas are grouped anyway: rename the column or remove it'
            )


def _grouped(texts: pd.Series, n_areas: int) -> tuple[pd.Series, str]:
    """The group of each area that has one, and what is to be said of the column, if anything."""
    known = texts[texts != ""]
    group = _fifths(known) if _is_numeric(known) else known
    n_groups = group.nunique()
    nothing = group.head(0)
    if n_groups < 2:
        what = "no value in the city" if n_groups == 0 else f"only one value, {group.iloc[0]!r}"
        return nothing, f"{what}: left out"
    if n_groups > MOST_GROUPS:
        return nothing, f"{n_groups} groups, more than {MOST_GROUPS}: left out; merge some"
    lacking = n_areas - len(group)
    return group, f"{lacking} of {n_areas} areas have no group" if lacking else ""


def _is_numeric(texts: pd.Series) -> bool:
    """Whether to cut: all are numbers, and more of them than there would be parts."""
    return bool(np.isfinite(_numbers(texts)).all()) and texts.nunique() > PARTS


def _numbers(texts: pd.Series) -> pd.Series:
    bare = texts.str.replace(",", "").str.removesuffix("%")
    return pd.to_numeric(bare, errors="coerce").astype("float64")


def _fifths(texts: pd.Series) -> pd.Series:
    """Fifths of the areas by a number, named by their rank and limits; ties stay together."""
    numbers = _numbers(texts)
    part = pd.qcut(numbers, PARTS, labels=False, duplicates="drop")
    limits = numbers.groupby(part).agg(["min", "max"])
    last = len(limits)
    names = {
        number: f"{place} of {last} ({low:g} to {high:g})"
        for place, (number, low, high) in enumerate(limits.itertuples(), start=1)
    }
    return part.map(names).astype("str")


def _no_group() -> pd.DataFrame:
    return pd.DataFrame({"area": [], "grouping": [], "group": []}, dtype="str")
