"""From rows of text to typed columns, with errors that name the file, the line and the column.

A column is located by its heading; the needed columns are read, and their cells become LSOA codes,
counts, ranks, scores and amounts of money. Which columns a format has is its own module's matter.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from streetineq_assets.errors import SourceError
from streetineq_assets.spreadsheets.sheets import (
    OTHER_SEPARATORS,
    Row,
    Sheet,
    decode,
    is_blank,
    read_bytes,
)

_LONGEST_LINE = 1 << 16
LSOA_CODE = re.compile(r"[EW]01[0-9]{6}")
# These two are regular expressions of Arrow, which reads a column of text at once.
_NUMBER_OR_NOTHING = (
    r"\A(-?([0-9]{1,15}|[0-9]{1,3}(,[0-9]{3}){1,4})(\.[0-9]{1,20})?([eE]-?[0-9]{1,2})?)?\z"
)
_REMEDY = ": correct the cell (a suppressed one is left empty), or download the file again"
# A pound sign survives re-encoding as up to three foreign characters: "£", "?", "Â£", ...
_MONEY = r"\A[^0-9.,\s-]{0,3}\s*(-?[0-9].*)\z"


def normalise(heading: str) -> str:
    """A heading for comparison: lower case, single spaces."""
    return " ".join(heading.split()).lower()


def find_column(sheet: Sheet, header: Row, wanted: Sequence[str], *, table: str) -> int:
    """Position of the one column whose heading is any of `wanted`, whatever its case and spaces.

    Args:
        wanted: headings that mean the same, in the order of the message.
        table: what the file was recognised as, for the message.

    Raises:
        SourceError: no column fits (the message lists those that look alike), or several do.
    """
    line, cells = header
    wishes = [normalise(wish) for wish in wanted]
    positions = [i for i, cell in enumerate(cells) if normalise(cell) in wishes]
    if len(positions) == 1:
        return positions[0]
    names = " or ".join(f'"{name}"' for name in wanted)
    if positions:
        raise SourceError(
            f"{sheet.at(line)}: {len(positions)} columns are called {names}, {table} has one: "
            "remove those that do not belong"
        )
    raise SourceError(
        f"{sheet.at(line)}: {table} needs the column {names}; {_alike(wishes, cells)}"
    )


def header_separator(path: Path, wanted: Collection[str], *, at_least: int = 1) -> str | None:
    """The name of what separates the columns in a text file's first line, where it is no comma.

    For files whose headings are known; of others `sheets.other_separator` counts the marks.

    Args:
        wanted: normalised headings.
        at_least: so many of them must show that the line is the header.

    Raises:
        SourceError: as `read_bytes` and `decode`.
    """
    lines = decode(path, read_bytes(path, limit=_LONGEST_LINE), partial=True).splitlines()
    for mark, name in OTHER_SEPARATORS.items():
        cells = {normalise(cell.strip(' "')) for cell in lines[0].split(mark)} if lines else set()
        if len(cells) > 1 and len(cells.intersection(wanted)) >= at_least:
            return name
    return None


@dataclass(frozen=True)
class Columns:
    """Some columns of a sheet as text, without the header, notes and blank lines.

    Attributes:
        headings: position to the heading, for messages.
        lines: the line number of each row.
        texts: position to the cells, stripped, one per row.
    """

    sheet: Sheet
    headings: dict[int, str]
    lines: list[int]
    texts: dict[int, pa.StringArray]

    def where(self, keep: Callable[..., bool], *positions: int) -> "Columns":
        """The rows whose cells in these columns satisfy a condition."""
        cells = zip(*(self.texts[i].to_pylist() for i in positions), strict=True)
        kept = [n for n, row in enumerate(cells) if keep(*row)]
        texts = {i: column.take(pa.array(kept, pa.int64())) for i, column in self.texts.items()}
        return Columns(self.sheet, self.headings, [self.lines[n] for n in kept], texts)

    def lsoas(self, position: int) -> pd.Index:
        """(n,) text: the areas of the rows, each once.

        Raises:
            SourceError: there is no row, a code is malformed, or one occurs twice.
        """
        texts = self.texts[position]
        if not len(texts):
            raise SourceError(
                f"{self.sheet.at()} holds a header and no areas: download it again by LSOA"
            )
        areas = pd.Index(texts.to_pandas(), dtype="str")
        self._refuse(
            position,
            ~areas.str.fullmatch(LSOA_CODE.pattern),
            "is not the code of an LSOA (E01 or W01 and six digits): download the table by lower "
            "layer super output area, and without rows of totals",
        )
        if not areas.is_unique:
            row = int(areas.duplicated().argmax())
            first = self.lines[int((areas == areas[row]).argmax())]
            raise SourceError(
                f"{self.sheet.at(self.lines[row])}: {areas[row]} occurs twice, first in line "
                f"{first}: keep one row"
            )
        return areas

    def names(self, position: int | None) -> pd.Series | None:
        """(n,) text, empty where the cell is; None where the sheet has no such column."""
        return (
            None if position is None else pd.Series(self.texts[position].to_pandas(), dtype="str")
        )

    def counts(self, position: int) -> np.ndarray:
        """(n,) float: whole numbers that are zero or more, NaN where the cell is empty."""
        numbers = self._not_negative(position, "a count", self.texts[position])
        self._refuse(
            position,
            numbers % 1 > 0,
            "is not a count, which is a whole number: download counts, and not percentages, rates "
            "or rounded figures",
        )
        return numbers

    def money(self, position: int) -> np.ndarray:
        """(n,) float, pounds: numbers that are zero or more, behind a sign that may be mangled."""
        amounts = pc.replace_substring_regex(self.texts[position], _MONEY, r"\1")
        return self._not_negative(position, "an amount of money", amounts)

    def ranks(self, position: int) -> np.ndarray:
        """(n,) float: whole numbers from 1; every area has one."""
        numbers = self._not_negative(position, "a rank", self.texts[position])
        self._refuse(
            position, (numbers < 1) | (numbers % 1 != 0), f"is not a rank (1, 2, 3, ...){_REMEDY}"
        )
        return numbers

    def scores(self, position: int) -> np.ndarray:
        """(n,) float: numbers of either sign, NaN where the cell is empty."""
        return self._numbers(position, "a score", self.texts[position])

    def at(self, row: int, position: int) -> str:
        """File, line and column of a cell in words, for messages."""
        return f'{self.sheet.at(self.lines[row])}, column "{self.headings[position]}"'

    def _not_negative(self, position: int, kind: str, texts: pa.StringArray) -> np.ndarray:
        numbers = self._numbers(position, kind, texts)
        self._refuse(position, numbers < 0, f"is negative, {kind} is not{_REMEDY}")
        return numbers

    def _numbers(self, position: int, kind: str, texts: pa.StringArray) -> np.ndarray:
        good = pc.match_substring_regex(texts, _NUMBER_OR_NOTHING)
        self._refuse(position, ~good.to_numpy(zero_copy_only=False), f"is not {kind}{_REMEDY}")
        bare = pc.replace_substring(texts, ",", "")
        held = pc.if_else(pc.equal(bare, ""), None, bare)
        return held.cast(pa.float64()).to_numpy(zero_copy_only=False)

    def _refuse(self, position: int, wrong: np.ndarray, what: str) -> None:
        """Stop at the first malformed cell."""
        if wrong.any():
            row = int(wrong.argmax())
            text = self.texts[position][row].as_py()
            raise SourceError(f"{self.at(row, position)}: {text!r} {what}")


def read_columns(
    sheet: Sheet, header: Row, positions: Iterable[int | None], *, footnotes: bool = False
) -> Columns:
    """Some columns of the rows below the header; rows without text are left out.

    Args:
        positions: the columns to read; None for one that the sheet does not have.
        footnotes: take rows for notes whose first cell is empty or their only one, however many
            empty cells a spreadsheet appended; rows with the code of an LSOA are never notes.

    Raises:
        SourceError: a row is shorter than the header, so that the file was cut off or damaged, or
            holds text beyond it, so that its cells are shifted, or a line is not CSV.
    """
    line_of_header, headings = header
    width, wanted = len(headings), sorted({i for i in positions if i is not None})
    taken = wanted if len(wanted) > 1 else [*wanted, *wanted]  # of one alone no tuple is picked
    pick = itemgetter(*taken)
    lines: list[int] = []
    picked: list[str] = []  # row after row: keeping a tuple for each would take twice as long
    for line, cells in sheet.rows():
        if line <= line_of_header:
            continue
        # Nearly all rows are regular, and their length alone shows it.
        odd = len(cells) != width or (footnotes and not cells[-1])
        if odd and not _is_row(sheet, line, cells, width, footnotes=footnotes):
            continue
        row = pick(cells)
        if any(row) or not is_blank(cells):
            lines.append(line)
            picked.extend(row)
    texts = {i: _stripped(picked[n :: len(taken)]) for n, i in enumerate(wanted)}
    return Columns(sheet, {i: headings[i] for i in wanted}, lines, texts)


def _stripped(cells: Sequence[str]) -> pa.StringArray:
    return pc.utf8_trim_whitespace(pa.array(cells, pa.string()))


def _is_row(sheet: Sheet, line: int, cells: Sequence[str], width: int, *, footnotes: bool) -> bool:
    """Whether a row belongs to the table: it is neither blank nor a footnote.

    Raises:
        SourceError: it belongs to it, and is shorter or longer than the header.
    """
    texts = [cell.strip() for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    if not texts:
        return False
    is_note = len(texts) == 1 or not texts[0]
    if footnotes and is_note and not any(map(LSOA_CODE.fullmatch, texts)):
        return False
    if len(cells) < width:
        raise SourceError(
            f"{sheet.at(line)}: {len(cells)} columns where the header has {width}: the file was "
            "cut off or damaged, download it again"
        )
    if len(texts) > width:
        raise SourceError(
            f"{sheet.at(line)}: {len(texts)} columns where the header has {width}: most likely a "
            'cell with a comma, such as £84,800, is not in quotation marks: write "£84,800", or '
            "download the file again"
        )
    return True


def _alike(wishes: Iterable[str], cells: Sequence[str]) -> str:
    """The headings most like the wanted ones, for a message."""
    headings = {normalise(cell): cell.strip() for cell in cells if cell.strip()}
    close: dict[str, None] = {}
    for wish in wishes:
        for name in difflib.get_close_matches(wish, headings, n=3, cutoff=0.5):
            close[headings[name]] = None
    shown = ", ".join(f'"{name}"' for name in close)
    return f"these look alike: {shown}" if close else "no column looks like it"
