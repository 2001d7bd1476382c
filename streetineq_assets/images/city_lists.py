"""Lists of a city, `inputs/<folder>/<city>.csv`: the file, its columns, its cells, and its ids."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.images.location_ids import plain_form, rounded_id, same_but_for_form
from streetineq_assets.spreadsheets.columns import (
    Columns,
    find_column,
    header_separator,
    normalise,
)
from streetineq_assets.spreadsheets.sheets import Row, Sheet


def file_of_city(folder: Path, city: str) -> Path:
    """The file of a folder that lists something of a city; it need not exist.

    Raises:
        SourceError: there is none, but a file that seems to be meant for it.
    """
    path = folder / f"{city}.csv"
    if path.is_file() or not folder.is_dir():
        return path
    for other in sorted(folder.iterdir()):
        if other.is_file() and other.name.partition(".")[0].strip().casefold() == city:
            raise SourceError(
                f"{other} lies in the place of {path.name}: save it as CSV (UTF-8, with commas) "
                "under that name"
            )
    return path


def header_of(sheet: Sheet) -> Row:
    """The first line of a list, blank where it has none."""
    return sheet.head[0] if sheet.head else (1, [])


def refuse_separator(sheet: Sheet, ids: Collection[str]) -> None:
    """Say that the columns are not separated by commas, where the header shows it.

    Args:
        ids: headings of the column of ids.

    Raises:
        SourceError: they are separated by another mark.
    """
    separator = header_separator(sheet.path, ids) if sheet.name is None else None
    if separator:
        raise SourceError(
            f"{sheet.at(1)}: the columns are separated by {separator}: save the list as CSV with "
            "commas"
        )


def find_columns(
    sheet: Sheet, headings: Mapping[str, Sequence[str]], required: Collection[str], *, table: str
) -> dict[str, int]:
    """Our name to the position of its column, for the columns that are there.

    Args:
        headings: our name to the headings that mean it.
        required: the names without which it is no such list.
        table: what the list is called in messages.

    Raises:
        SourceError: a required one is missing, or there are two of one.
    """
    header = header_of(sheet)
    cells = {normalise(cell) for cell in header[1]}
    present = {name for name, meant in headings.items() if cells & set(meant)}
    return {
        name: find_column(sheet, header, meant if name in present else meant[:1], table=table)
        for name, meant in headings.items()
        if name in present or name in required
    }


def parsed(columns: Columns, position: int, parse: Callable[[str], object]) -> list:
    """A column's values.

    Args:
        parse: raises ValueError with a reason, the rest of a sentence that begins with the text.

    Raises:
        SourceError: a cell cannot be read.
    """
    values = []
    for row, text in enumerate(columns.texts[position].to_pylist()):
        try:
            values.append(parse(text))
        except ValueError as error:
            raise SourceError(f"{columns.at(row, position)}: {text!r} {error}") from error
    return values


def refuse_halves(sheet: Sheet, rows: pd.DataFrame) -> None:
    """Refuse a latitude without a longitude.

    Args:
        rows: `line, lat, lon`.

    Raises:
        SourceError: a row has one of both.
    """
    halves = rows["lat"].isna() != rows["lon"].isna()
    if halves.any():
        raise SourceError(
            f"{sheet.at(int(rows.loc[halves, 'line'].iloc[0]))}: lat without lon, or lon without "
            "lat: give both or neither"
        )


def refuse_spoilt_ids(sheet: Sheet, ids: pd.Series, lines: pd.Series, *, what: str) -> None:
    """Refuse ids of which a program changed the form, where comparing them shows it.

    Args:
        ids: as the list writes them, and `lines` where.
        what: they are ids of these, in the plural, for messages.

    Raises:
        SourceError: two ids are one but for their form, or all long ones were rounded.
    """
    first_line = lines.groupby(ids.to_numpy()).first()
    if pair := same_but_for_form(ids.drop_duplicates()):
        one, other = pair
        raise SourceError(
            f"{sheet.at()}, lines {first_line[one]} and {first_line[other]}: {one!r} and {other!r} "
            f"are one id in two forms (both mean {plain_form(one)!r}): a spreadsheet may have "
            "taken zeros away or added .0; write each id as the names of its images have it, and "
            f"let two {what} differ in more than case, zeros or .0"
        )
    if spoilt := rounded_id(ids.drop_duplicates()):
        raise SourceError(
            f"{sheet.at(int(first_line[spoilt]))}: {spoilt!r} was rounded to 15 digits, as all "
            "long ids of the list were: a spreadsheet keeps no more; import the column as text, "
            "and save the list again"
        )
