"""Cells of a list of locations as people and programs write them: postcodes, degrees, days.

What can be read in one way only is read. Each function raises ValueError otherwise, with the rest
of a sentence that begins with the cell's text.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterable

LATITUDES, LONGITUDES = (49.0, 61.5), (-9.0, 2.5)  # of the United Kingdom, WGS84 degrees

_MISSING = {"", "-", "nan", "nat", "na", "n/a", "#n/a", "<na>", "none", "null"}
_MINUS_SIGNS = dict.fromkeys(map(ord, "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"), "-")
_NUMBER = re.compile(r"[+-]?([0-9]{1,6}(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"([+-]?[0-9]{1,3}),([0-9]+(?:e-?[0-9]+)?)", re.IGNORECASE)

_POSTCODE = r"[A-Z]{1,2}[0-9][A-Z0-9]?\s*[0-9][A-Z]{2}"
_POSTCODES = re.compile(rf"{_POSTCODE}(?:(?:\s*[;,/|&+]\s*|\s+AND\s+|\s+){_POSTCODE})+")

_TIME = (
    r"(?:(?:T[0-9]{2}:?[0-9]{2}| [0-9]{1,2}:[0-9]{2})[0-9:.,]* ?(?:[AP]M)? ?"
    r"(?:Z|UTC|GMT|BST|[+-][0-9:]{2,5})?)?"
)
_YEAR_FIRST = re.compile(rf"([0-9]{{4}})([-/])([0-9]{{1,2}})(?:\2([0-9]{{1,2}}))?{_TIME}")
_YEAR_LAST = re.compile(rf"([0-9]{{1,2}})([-/.])([0-9]{{1,2}})\2([0-9]{{4}}){_TIME}")
_NAMED_MONTH = ("%d %B %Y", "%d %b %Y", "%d-%B-%Y", "%d-%b-%Y", "%B %Y", "%b %Y")
_MILLISECONDS = re.compile(r"1[0-9]{12}")  # since 1970, as providers of images count


def text_or_none(text: str) -> str | None:
    """The cell's text; None where it is empty or a program's word for nothing."""
    return None if text.lower() in _MISSING else text


def postcodes(text: str) -> list[str]:
    """The postcodes in a cell, most often one; a cell that holds anything else stays whole."""
    if not _POSTCODES.fullmatch(text.upper()):
        return [text]
    return re.findall(_POSTCODE, text.upper())


def degrees(text: str, low: float, high: float) -> float | None:
    """A number of degrees, with any minus sign, a decimal comma or an exponent; None for nothing.

    Raises:
        ValueError: it is no number, or not from `low` to `high`.
    """
    if text_or_none(text) is None:
        return None
    value = number(text)
    if value == 0 < low:
        raise ValueError(
            "is no latitude of the United Kingdom: devices that do not know where they are write "
            "0, 0: leave lat and lon of such a location empty"
        )
    if value is None or not low <= value <= high:
        raise ValueError(
            f"is not a number of degrees in the United Kingdom, {low:g} to {high:g}: are lat and "
            "lon in each other's place, or are they eastings and northings?"
        )
    return value


def number(text: str) -> float | None:
    """A number with any minus sign, a decimal comma or an exponent; None for any other text."""
    plain = text.translate(_MINUS_SIGNS).removesuffix("°")
    plain = _DECIMAL_COMMA.sub(r"\1.\2", plain) if _DECIMAL_COMMA.fullmatch(plain) else plain
    return float(plain) if _NUMBER.fullmatch(plain) else None


def day_reader(texts: Iterable[str]) -> Callable[[str], dt.date | None]:
    """A reader of one column's days; of a month the first; None for nothing.

    In `21/07/2016` the day comes first, and so it does in the rest of the column. Where no cell
    shows which comes first, or some cells the one and some the other, such dates are refused.

    Args:
        texts: the cells of the column.
    """
    found = [(int(match[1]), int(match[3])) for match in map(_YEAR_LAST.fullmatch, texts) if match]
    day_first = any(first > 12 for first, _ in found)
    month_first = any(second > 12 for _, second in found)

    def read(text: str) -> dt.date | None:
        if text_or_none(text) is None:
            return None
        with contextlib.suppress(ValueError, OverflowError):
            if match := _YEAR_LAST.fullmatch(text):
                first, second, year = int(match[1]), int(match[3]), int(match[4])
                if day_first != month_first or first == second:
                    pair = (first, second) if month_first else (second, first)
                    return dt.date(year, *pair)
            else:
                return _day(text)
        raise ValueError(
            "is not one day or month that can be read in one way only: write it as 2016-07-21 or "
            "2016-07, or leave the cell empty"
        )

    return read


def _day(text: str) -> dt.date:
    """A day in a form that does not depend on the other cells."""
    if match := _YEAR_FIRST.fullmatch(text):
        return dt.date(int(match[1]), int(match[3]), int(match[4] or 1))
    if re.fullmatch(r"[0-9]{8}", text):
        return dt.date.fromisoformat(text)
    if _MILLISECONDS.fullmatch(text):
        return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC).date()
    for form in _NAMED_MONTH:
        with contextlib.suppress(ValueError):
            return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC).date()
    raise ValueError
