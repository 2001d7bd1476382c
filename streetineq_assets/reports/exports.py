"""Tables as CSV that spreadsheets open without calculating what they hold."""

import csv
import re
from pathlib import Path

import pandas as pd

# What spreadsheets calculate: such a sign, of full width too, at the start or behind white space.
_FORMULA = re.compile(
    r"'*((?![+\-][0-9]+([.][0-9]+)?\Z)\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
)


def write_csv(frame: pd.DataFrame, path: Path, *, float_format: str | None = "%.6g") -> None:
    """A table as UTF-8 CSV; an empty cell is a missing value.

    A text or column name that a spreadsheet would calculate, since it begins with `=`, `+`, `-` or
    `@` and is no number, gets an apostrophe before it; so does one that has apostrophes there
    already, so that `as_written` gives every text back.
    """
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"])
    safe = frame.assign(**{name: column.map(_as_text) for name, column in texts.items()})
    safe = safe.rename(columns=_as_text)
    # Spreadsheets end a line at a carriage return, before which pandas sets no quotes.
    written = [*map(str, frame.columns), *(cell for _, column in texts.items() for cell in column)]
    returns = any("\r" in text for text in written if isinstance(text, str))
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    safe.to_csv(path, index=False, lineterminator="\n", float_format=float_format, quoting=quoting)


def as_written(cell: str) -> str:
    """The text that a cell of `write_csv` stands for."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _as_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
