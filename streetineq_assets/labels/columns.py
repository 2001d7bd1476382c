"""From rows of text to typed columns, with errors that name the file, the line and the column.

What belongs here: finding a column by its heading, and turning its cells into LSOA codes, counts,
ranks and amounts of money. What does not: which columns a format has (one module per format).
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.files import Row, Sheet, is_blank

LSOA_CODE = re.compile(r"[EW]01[0-9]{6}")
_NUMBER = re.compile(
    r"-?([0-9]{1,15}|[0-9]{1,3}(,[0-9]{3}){1,4})(\.[0-9]{1,20})?([eE]-?[0-9]{1,2})?"
)
# A pound sign survives re-encoding as up to three foreign characters: "£", "?", "\xc2\xa3", ...
_MONEY = re.compile(r"([^0-9.,\s-]{0,3})\s*(-?[0-9].*)")


def normalise(heading: str) -> str:
    """A heading for comparison: lower case, single spaces."""
    return " ".join(heading.split()).lower()


def find_column(sheet: Sheet, header: Row, wanted: Sequence[str], *, table: str) -> int:
    """Position of the one column whose heading is any of `wanted`, whatever its case and spaces.

    Args:
        wanted: headings that mean the same, in the order of the message.
        table: what the file was taken for, for the message.

    Raises:
        SourceError: no column fits (the message lists those that look alike), or several do.
    """
    line, cells = header
    wishes = [normalise(wish) for wish in wanted]
    found = [i for i, cell in enumerate(cells) if normalise(cell) in wishes]
    if len(found) == 1:
        return found[0]
    names = " or ".join(f'"{name}"' for name in wanted)
    if found:
        raise SourceError(
            f"{sheet.at(line)}: {len(found)} columns are called {names}, {table} has one: "
            "remove those that do not belong"
        )
    raise SourceError(
        f"{sheet.at(line)}: {table} needs the column {names}; {_alike(wishes, cells)}"
    )


def lsoa_codes(sheet: Sheet, rows: Sequence[Row], column: int) -> list[str]:
    """The areas of the rows, each once.

    Raises:
        SourceError: there is no row, a code has not the shape of an LSOA's, or one comes twice.
    """
    if not rows:
        raise SourceError(f"{sheet.at()} holds a header and no areas: download it again by LSOA")
    codes = [cells[column].strip() for _, cells in rows]
    first: dict[str, int] = {}
    for (line, _), code in zip(rows, codes, strict=True):
        if not LSOA_CODE.fullmatch(code):
            raise SourceError(
                f"{sheet.at(line)}: {code!r} is not the code of an LSOA (E01 or W01 and six "
                "digits): download the table by lower layer super output area"
            )
        if code in first:
            raise SourceError(
                f"{sheet.at(line)}: {code} is there twice, first in line {first[code]}: keep one "
                "row"
            )
        first[code] = line
    return codes


def counts(sheet: Sheet, rows: Sequence[Row], column: int, heading: str) -> np.ndarray:
    """(n,) float: numbers that are zero or more, NaN where the cell is empty."""
    return _not_negative(sheet, rows, column, heading, kind="a count", bare=str)


def money(sheet: Sheet, rows: Sequence[Row], column: int, heading: str) -> np.ndarray:
    """(n,) float, pounds: as `counts`, and before the number a currency sign, mangled or not."""

    def bare(cell: str) -> str:
        match = _MONEY.fullmatch(cell)
        return match.group(2) if match else cell

    return _not_negative(sheet, rows, column, heading, kind="an amount of money", bare=bare)


def scores(sheet: Sheet, rows: Sequence[Row], column: int, heading: str) -> np.ndarray:
    """(n,) float: numbers of either sign, NaN where the cell is empty."""
    return _numbers(sheet, rows, column, heading, kind="a score", bare=str)


def ranks(sheet: Sheet, rows: Sequence[Row], column: int, heading: str) -> np.ndarray:
    """(n,) float: whole numbers from 1, NaN where the cell is empty."""
    numbers = counts(sheet, rows, column, heading)
    wrong = np.flatnonzero((numbers < 1) | (numbers % 1 != 0))
    if wrong.size:
        line, cells = rows[wrong[0]]
        raise SourceError(
            f'{sheet.at(line)}, column "{heading}": {cells[column]!r} is not a rank (1, 2, 3, ...)'
        )
    return numbers


def body(sheet: Sheet, header: Row, *, footnotes: bool = False) -> list[Row]:
    """The rows below the header that hold text.

    Args:
        footnotes: short rows are notes when their first cell is empty or their only one.

    Raises:
        SourceError: a row is shorter than the header, so that the file was cut off or damaged.
    """
    rows = []
    for line, cells in sheet.rows:
        if line <= header[0] or is_blank(cells):
            continue
        if len(cells) >= len(header[1]):
            rows.append((line, cells))
        elif not (footnotes and (len(cells) == 1 or not cells[0].strip())):
            raise SourceError(
                f"{sheet.at(line)}: {len(cells)} columns where the header has {len(header[1])}: "
                "the file was cut off or damaged, download it again"
            )
    return rows


def _not_negative(
    sheet: Sheet,
    rows: Sequence[Row],
    column: int,
    heading: str,
    *,
    kind: str,
    bare: Callable[[str], str],
) -> np.ndarray:
    numbers = _numbers(sheet, rows, column, heading, kind=kind, bare=bare)
    negative = np.flatnonzero(numbers < 0)
    if negative.size:
        line, cells = rows[negative[0]]
        raise SourceError(
            f'{sheet.at(line)}, column "{heading}": {cells[column]!r} is negative, {kind} is not'
        )
    return numbers


def _numbers(
    sheet: Sheet,
    rows: Sequence[Row],
    column: int,
    heading: str,
    *,
    kind: str,
    bare: Callable[[str], str],
) -> np.ndarray:
    texts = [bare(cells[column].strip()) for _, cells in rows]
    if _all_digits(texts):
        return np.fromiter(map(float, texts), float, len(texts))
    numbers = np.full(len(rows), np.nan)
    for i, text in enumerate(texts):
        if text and not _NUMBER.fullmatch(text):
            line, cells = rows[i]
            raise SourceError(
                f'{sheet.at(line)}, column "{heading}": {cells[column]!r} is not {kind}'
            )
        if text:
            numbers[i] = float(text.replace(",", ""))
    return numbers


def _all_digits(texts: Sequence[str]) -> bool:
    """Whether every text is a plain whole number, as nearly every column is."""
    joined = "".join(texts)
    return joined.isascii() and joined.isdigit() and all(texts) and max(map(len, texts)) <= 15


def _alike(wishes: Iterable[str], cells: Sequence[str]) -> str:
    """The headings most like the wanted ones, in words."""
    headings = {normalise(cell): cell.strip() for cell in cells if cell.strip()}
    close: dict[str, None] = {}
    for wish in wishes:
        for name in difflib.get_close_matches(wish, headings, n=3, cutoff=0.5):
            close[headings[name]] = None
    shown = ", ".join(f'"{name}"' for name in close)
    return f"these look alike: {shown}" if close else "no column looks like it"
