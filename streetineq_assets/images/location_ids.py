"""Ids of locations: what cannot be one, and which ids are the same but for their form.

An id names image files, so it must be written in the list as it is there. Spreadsheets and columns
of floats change how an id looks: `123456789012001` becomes `1.23457E+14`, `0012` becomes `12` or
`12.0`, `1-1` becomes `1-Jan`. Some of that cannot be undone, and is refused; the rest is seen when
two ids have one `plain_form`.
"""

import re
import unicodedata
from collections.abc import Iterable

_EXACT_DIGITS = 15  # a spreadsheet keeps no more of a number
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_SPOILT = {
    re.compile(r"[+-]?[0-9]+([.,][0-9]+)?e[+-][0-9]+"): (
        "is a number that a spreadsheet or a column of floats shortened, so that several ids "
        "became one: import the column as text, and save the list again"
    ),
    re.compile(rf"[0-9]{{1,2}}-{_MONTH}(-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{2,4}}"): (
        "is a date that a spreadsheet made of an id: import the column as text, and save the list "
        "again"
    ),
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ t]00:00:00(\.0+)?"): (
        "is a date that a spreadsheet made of an id: import the column as text, and save the list "
        "again"
    ),
    re.compile(r"#+|#[a-z0-9/]+[!?]?"): "is an error of a spreadsheet: correct the cell",
    re.compile(r"nan|nat|none|null|<na>|n/a"): "stands for a missing id: every row needs one",
    re.compile(r"(((grand|sub)[ -]?)?totals?|sum|count|average|mean)[ :]*[0-9.,]*"): (
        "is a line of totals and no location: remove it"
    ),
    re.compile(r"location[_ ]id"): "repeats the header: remove the line",
}
_WHOLE_NUMBER = re.compile(r"0*([0-9]+?)(\.0*)?")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")


def checked_id(text: str) -> str:
    """The id as it is written.

    Raises:
        ValueError: it cannot be the id of a location; the message is the rest of a sentence that
            begins with the text.
    """
    for spoilt, reason in _SPOILT.items():
        if spoilt.fullmatch(text.lower()):
            raise ValueError(reason)
    if not text or {"/", "\\"} & set(text):
        raise ValueError("is no id: it names image files, so it is not empty and has no slash")
    return text


def plain_form(location_id: str) -> str:
    """The id without what spreadsheets and file systems change.

    That is upper case, the Unicode form of accents, the kind of spaces, and in whole numbers zeros
    in front, `.0` behind and commas between thousands. Ids with one plain form are most likely
    meant to be one.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", location_id).casefold())
    text = " ".join(text.split())
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    number = _WHOLE_NUMBER.fullmatch(text)
    return number[1] if number else text


def same_but_for_form(location_ids: Iterable[str]) -> tuple[str, str] | None:
    """The first two different ids with one plain form; None when all differ in more than form."""
    first: dict[str, str] = {}
    for location_id in location_ids:
        other = first.setdefault(plain_form(location_id), location_id)
        if other != location_id:
            return other, location_id
    return None


def rounded_id(location_ids: Iterable[str]) -> str | None:
    """The first of long numbers that a spreadsheet rounded to 15 digits; None when it did not.

    Every digit behind the 15th is then zero in all of them. Three such digits make it certain
    enough: one or two are zero by chance.
    """
    long = [each for each in set(location_ids) if re.fullmatch(r"[1-9][0-9]{15,}", each)]
    lost = "".join(each[_EXACT_DIGITS:] for each in long)
    return min(long) if len(lost) >= 3 and not lost.strip("0") else None
