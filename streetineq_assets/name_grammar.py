"""Patterns of names as texts: the placeholders in them, and which patterns cannot work.

A pattern that can be read in two ways whatever the list says, as `{id}{heading}` in 1790, is
refused, with what is wrong and one that is right.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

VIEWS = ("a", "b", "c", "d")
HEADINGS = ("0", "90", "180", "270")
SUFFIXES = "png|jpe?g|jpe|jfif|webp"

_RIGHT = 'right are "{id}_{view}" or "{id}/{heading}", for example'
_NAMES = ("id", "lat", "lng", "lon", "view", "heading", "any")
_NUMBER = r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,20})?"
_HEADING = r"0{0,2}(?:360|270|180|90|0)(?:\.0{1,9})?"
_GROUPS = {"id": "id", "lat": "lat", "lng": "lng", "view": "view", "heading": "view"}


class Placeholder(NamedTuple):
    """A placeholder.

    Attributes:
        kind: `id`, `any`, `lat`, `lng`, `heading`, or `view` for words too.
        written: as it stands in the pattern.
        words: of a view, in the order of the headings.
    """

    kind: str
    written: str
    words: tuple[str, ...] = ()

    @property
    def regex(self) -> str:
        """Of the texts for which it stands, with a group of its kind."""
        texts = {"id": "[^/]+", "any": "[^/]+", "heading": _HEADING, "view": any_of(self.words)}
        text = texts.get(self.kind, _NUMBER)
        group = _GROUPS.get(self.kind)
        return f"(?P<{group}>{text})" if group else text

    @property
    def is_open(self) -> bool:
        """Whether any text may stand for it."""
        return self.kind in ("id", "any")

    @property
    def is_fixed(self) -> bool:
        """Whether all its texts are equally long, so that its end is always known."""
        return self.kind == "view" and len({len(word) for word in self.words}) == 1

    def may_hold(self, character: str, *, first: bool) -> bool:
        """Whether the character may stand in one of its texts, and so cannot bound it.

        Args:
            first: whether it stands before the field; else behind it.
        """
        if self.kind == "view":
            return character.casefold() in "".join(self.words).casefold()
        signs = "+-" if first and self.kind != "heading" else ""
        return not self.is_open and character in f"0123456789.{signs}"


Part = tuple[str | Placeholder, ...]
"""The name of a folder or file: plain texts and placeholders in turn."""


def parts_of(text: str) -> tuple[Part, ...]:
    """The folders and the file of a pattern.

    Raises:
        ValueError: it cannot work; the message says why, and shows one that can.
    """
    _refuse_characters(text)
    parts = tuple(tuple(_tokens(part)) for part in text.split("/"))
    _refuse_contents([token for part in parts for token in part if isinstance(token, Placeholder)])
    for part in parts:
        _refuse_unbounded(part)
    return parts


def written(token: str | Placeholder) -> str:
    """A text or placeholder as it stands in a pattern."""
    return token if isinstance(token, str) else token.written


def regex_of(token: str | Placeholder) -> str:
    """A regular expression of a text or placeholder."""
    return any_of([token]) if isinstance(token, str) else token.regex


def any_of(texts: Sequence[str]) -> str:
    """A regular expression of some texts."""
    forms = {form for text in texts for form in forms_of(text)}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def forms_of(text: str) -> set[str]:
    """A text with its accents as Unicode writes them in either way."""
    return {unicodedata.normalize(form, text) for form in ("NFC", "NFD")} | {text}


# -- reading a pattern ---------------------------------------------------------------------------


def _tokens(part: str) -> Iterator[str | Placeholder]:
    for place, piece in enumerate(re.split(r"\{([^{}]*)\}", part)):
        if place % 2:
            yield _placeholder(piece)
        elif piece:
            yield piece


def _placeholder(inner: str) -> Placeholder:
    name = inner.strip().lower()
    if name in ("view", "heading"):
        return Placeholder(name, f"{{{name}}}", VIEWS if name == "view" else HEADINGS)
    if name in _NAMES:
        kind = "lng" if name == "lon" else name
        return Placeholder(kind, f"{{{kind}}}")
    words = tuple(word.strip() for word in inner.split(","))
    if len(words) == 1:
        close = difflib.get_close_matches(name, _NAMES, n=1)
        meant = f"; did you mean {{{close[0]}}}?" if close else ";"
        raise ValueError(
            f"{{{inner}}} is no placeholder{meant} There are {{id}}, {{view}}, {{heading}}, "
            f"{{lat}}, {{lng}}, {{any}}, and four words such as {{n,e,s,w}}; {_RIGHT}"
        )
    if len({word.casefold() for word in words} - {""}) != len(VIEWS) or len(words) != len(VIEWS):
        raise ValueError(
            f"{{{inner}}} must be four different words, for the views of 0, 90, 180 and 270 "
            'degrees: right is "{id}_{n,e,s,w}", for example'
        )
    return Placeholder("view", f"{{{','.join(words)}}}", words)


# -- what cannot work ----------------------------------------------------------------------------


def _refuse_characters(text: str) -> None:
    plain = re.sub(r"\{[^{}/]*\}", "", text)
    if {"{", "}"} & set(plain):
        raise ValueError(f"a brace is not closed or not opened, or a slash is in braces: {_RIGHT}")
    if {"*", "?", "\\", "\0"} & set(plain):
        raise ValueError(
            f"write {{any}} for text that does not matter, and / for folders: {_RIGHT}"
        )
    if re.search(rf"\.(?:{SUFFIXES})$", text, re.IGNORECASE):
        raise ValueError(f"leave the ending away, any image's will do: {_RIGHT}")
    if any(not part or part.startswith(".") for part in text.split("/")):
        raise ValueError(
            "a folder or file in it has no name, or one that begins with a dot and is never used: "
            f"{_RIGHT}"
        )


def _refuse_contents(placeholders: Sequence[Placeholder]) -> None:
    """A name says one location and one view."""
    kinds = [each.kind for each in placeholders]
    n_views = sum(bool(each.words) for each in placeholders)
    if n_views != 1:
        what = "two views" if n_views else "no view, as panoramas do, which are listed as captures"
        raise ValueError(f"says {what}: one of {{view}}, {{heading}}, {{n,e,s,w}} is due; {_RIGHT}")
    by_id, by_position = kinds.count("id"), (kinds.count("lat"), kinds.count("lng"))
    if by_id + sum(by_position) == 0:
        raise ValueError(f"says no location: add {{id}}, or {{lat}} and {{lng}}; {_RIGHT}")
    if by_id > 1 and not any(by_position):
        raise ValueError(
            "says {id} twice: say it once, and leave folders away that do not matter, since images "
            f"may lie in any; {_RIGHT}"
        )
    if (by_id, *by_position) not in ((1, 0, 0), (0, 1, 1)):
        raise ValueError(
            "must say the location once, by {id}, or by {lat} and {lng}, with {any} for what more "
            'there is: right is "{lat}_{lng}_{heading}", for example'
        )


def _refuse_unbounded(part: Sequence[str | Placeholder]) -> None:
    """Where one field ends and the next begins must be seen."""
    if sum(isinstance(token, Placeholder) and token.kind == "any" for token in part) > 1:
        raise ValueError(
            "has {any} twice in one name, which may hold whatever stands between the two: "
            'right is "{id}_{heading}_{any}", for example'
        )
    # A view of always as many letters neither bounds what is beside it nor has to be bounded.
    tokens = [token for token in part if isinstance(token, str) or not token.is_fixed]
    for left, right in pairwise(tokens):
        if isinstance(left, Placeholder) and isinstance(right, Placeholder):
            why = "nothing stands between them"
        elif (
            isinstance(right, Placeholder)
            and isinstance(left, str)
            and right.may_hold(left[-1], first=True)
        ):
            why = f"{left[-1]!r} may be part of {right.written}"
        elif (
            isinstance(left, Placeholder)
            and isinstance(right, str)
            and left.may_hold(right[0], first=False)
        ):
            why = f"{right[0]!r} may be part of {left.written}"
        else:
            continue
        raise ValueError(
            f"where {written(left)} ends and {written(right)} begins cannot be told, since "
            f"{why}: put another character there; {_RIGHT}"
        )
