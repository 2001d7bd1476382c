"""Patterns by which image files are named, such as `{id}_{heading}`: read, refused, matched.

    {id}                  the location, as it is listed
    {lat} {lng}           or its coordinates; {lon} is {lng}
    {view}                a, b, c or d
    {heading}             or 0, 90, 180, 270; also 000, 90.0, and 360 for 0
    {n,e,s,w}             or four words of the study's own, in the order of the headings
    {any}                 text that does not matter

All else stands for itself, in either case. A slash parts folders; a pattern is held against the
end of a file's path, without the ending. What could be read in two ways whatever the list says, as
`{id}{heading}` in 1790, is refused. Only `{id}` beside `{any}` has several readings, and all of
them are given, since the list decides between them. So is matching linear in a name's length, but
for these, where it is quadratic in at most 255 characters.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

DEFAULT_NAMES = ("{id}_{view}",)
VIEWS = ("a", "b", "c", "d")
HEADINGS = ("0", "90", "180", "270")
SUFFIXES = "png|jpe?g|jpe|jfif|webp"

_RIGHT = 'right are "{id}_{view}" or "{id}/{heading}", for example'
_NAMES = ("id", "lat", "lng", "lon", "view", "heading", "any")
_NUMBER = r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,20})?"
_HEADING = r"0{0,2}(?:360|270|180|90|0)(?:\.0{1,9})?"
_LONGEST = 255  # characters of a file's or folder's name, on any file system
_GROUPS = {"id": "id", "lat": "lat", "lng": "lng", "view": "view", "heading": "view"}


class Field(NamedTuple):
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
        texts = {"id": "[^/]+", "any": "[^/]+", "heading": _HEADING, "view": _any_of(self.words)}
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


class Reading(NamedTuple):
    """What a name says by a pattern: the view, and the location by its id or its coordinates."""

    view: str
    location_id: str | None
    position: tuple[str, str] | None


@dataclass(frozen=True)
class NamePattern:
    """A pattern.

    Attributes:
        text: in one form, so that two that mean the same are equal.
        parts: of folders and file; each a row of plain texts and fields.
    """

    text: str
    parts: tuple[tuple[str | Field, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "NamePattern":
        """The pattern of a text.

        Raises:
            ValueError: it cannot work; the message says why, and shows one that can.
        """
        _refuse_characters(text)
        parts = tuple(tuple(_tokens(part)) for part in text.split("/"))
        written = ["".join(_written(token) for token in part) for part in parts]
        pattern = cls("/".join(written), parts)
        _refuse_fields(pattern.fields)
        for part in parts:
            _refuse_unbounded(part)
        return pattern

    @property
    def fields(self) -> list[Field]:
        """All placeholders, in order."""
        return [token for part in self.parts for token in part if isinstance(token, Field)]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Of the views, in the order of the headings."""
        return next(field.words for field in self.fields if field.words)

    @property
    def by_position(self) -> bool:
        """Whether it names locations by their coordinates."""
        return any(field.kind == "lat" for field in self.fields)

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether a name may have several readings."""
        return any(
            {"id", "any"} <= {token.kind for token in part if isinstance(token, Field)}
            for part in self.parts
        )

    def ids_and_views(self, paths: Iterable[str]) -> Iterator[tuple[str, str] | None]:
        """Of each path the id and the view, by a pattern with an id and one reading at most.

        It says what `readings` says, and takes half the time, which counts for a million files.
        """
        fullmatch, tail, view_of = self._regex.fullmatch, self._tail, self._view_of
        if len(self.parts) == 1:
            tail = _last_part
        for path in paths:
            match = fullmatch(tail(path))
            if match is None:
                yield None
                continue
            location_id, word = match.group("id", "view")
            view = view_of.get(word) or self._other_form(word)
            yield (location_id, view) if view else None

    def readings(self, path: str) -> Iterator[Reading]:
        """All readings of a path, each with another id."""
        tail = self._tail(path)
        if self.is_ambiguous and len(tail) > _LONGEST * len(self.parts):
            return
        match = self._regex.fullmatch(tail)
        if match is None:
            return
        if not self.is_ambiguous:
            yield from self._reading(match.groupdict())
            return
        before, after = self._around_id
        starts = [(n, m) for n in range(len(tail)) if (m := before.fullmatch(tail, 0, n))]
        ends = [(n, m) for n in range(len(tail)) if (m := after.fullmatch(tail, n))]
        for start, head in starts:
            for end, foot in ends:
                location_id = tail[start:end]
                if location_id and "/" not in location_id:
                    said = {"id": location_id, **head.groupdict(), **foot.groupdict()}
                    yield from self._reading(said)

    def example(self, location_id: str, view: str, position: tuple[str, str] | None = None) -> str:
        """A path by this pattern, without the ending.

        Args:
            location_id: of the location.
            view: a, b, c or d.
            position: latitude and longitude as they are to be written; None to leave them open.
        """
        texts = {"id": location_id, "any": "..."}
        if position:
            texts["lat"], texts["lng"] = position
        return self._filled(texts, self.words[VIEWS.index(view)])

    def in_words(self) -> str:
        """As it is told, `<location_id>_<a|b|c|d>`."""
        return self._filled({"id": "<location_id>"}, f"<{'|'.join(self.words)}>")

    def _filled(self, texts: Mapping[str, str], view: str) -> str:
        """A path by this pattern, with the placeholders of which there are no texts as they are."""

        def fill(token: str | Field) -> str:
            if isinstance(token, str):
                return token
            return view if token.words else texts.get(token.kind, f"<{token.kind}>")

        return "/".join("".join(map(fill, part)) for part in self.parts)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return _compiled(_joined(self.parts) + rf"\.(?:{SUFFIXES})")

    @cached_property
    def _around_id(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Of all before the id, and of all behind it."""
        head, _, foot = self._regex.pattern.partition("(?P<id>[^/]+)")
        return _compiled(head), _compiled(foot)

    @cached_property
    def _view_of(self) -> dict[str, str]:
        views = zip(self.words, VIEWS, strict=True)
        return {form: view for word, view in views for form in _forms(word.lower())}

    @cached_property
    def _has_heading(self) -> bool:
        return any(field.kind == "heading" for field in self.fields)

    def _tail(self, path: str) -> str:
        """As many of the path's last parts as the pattern has; Windows' separators occur too."""
        if len(self.parts) == 1:
            return _last_part(path)
        return "/".join(path.replace("\\", "/").split("/")[-len(self.parts) :])

    def _reading(self, said: Mapping[str, str]) -> Iterator[Reading]:
        view = self._view_of.get(said["view"]) or self._other_form(said["view"])
        position = (said["lat"], said["lng"]) if "lat" in said else None
        if view:
            yield Reading(view, said.get("id"), position)

    def _other_form(self, view: str) -> str | None:
        """Of a heading in more digits, or a word in other letters that `re` takes for the same."""
        if self._has_heading:
            view = str(int(float(view)) % 360)
        return self._view_of.get(view.lower())


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def checked_pattern(text: str) -> str:
    """The text of a pattern that can work.

    Raises:
        ValueError: as `NamePattern.parse`.
    """
    NamePattern.parse(text)
    return text


def refuse_same(texts: Sequence[str]) -> None:
    """Refuse patterns that mean the same.

    Raises:
        ValueError: naming the later of two.
    """
    seen: dict[str, str] = {}
    for text in texts:
        form = NamePattern.parse(text).text.casefold()
        if form in seen:
            raise ValueError(f'"{text}" means the same as "{seen[form]}": delete one of them')
        seen[form] = text


# -- reading a pattern ---------------------------------------------------------------------------


def _tokens(part: str) -> Iterator[str | Field]:
    for place, piece in enumerate(re.split(r"\{([^{}]*)\}", part)):
        if place % 2:
            yield _field(piece)
        elif piece:
            yield piece


def _field(inner: str) -> Field:
    name = inner.strip()
    if name in ("view", "heading"):
        return Field(name, f"{{{name}}}", VIEWS if name == "view" else HEADINGS)
    if name in _NAMES:
        kind = "lng" if name == "lon" else name
        return Field(kind, f"{{{kind}}}")
    words = tuple(word.strip() for word in inner.split(","))
    if len(words) == 1:
        close = difflib.get_close_matches(name, _NAMES, n=1)
        meant = f"; did you mean {{{close[0]}}}?" if close else ";"
        raise ValueError(
            f"{{{name}}} is no placeholder{meant} There are {{id}}, {{view}}, {{heading}}, "
            f"{{lat}}, {{lng}}, {{any}}, and four words such as {{n,e,s,w}}; {_RIGHT}"
        )
    if len({word.casefold() for word in words} - {""}) != len(VIEWS) or len(words) != len(VIEWS):
        raise ValueError(
            f"{{{inner}}} must be four different words, for the views of 0, 90, 180 and 270 "
            'degrees: right is "{id}_{n,e,s,w}", for example'
        )
    return Field("view", f"{{{','.join(words)}}}", words)


def _written(token: str | Field) -> str:
    return token if isinstance(token, str) else token.written


# -- what cannot work ----------------------------------------------------------------------------


def _refuse_characters(text: str) -> None:
    plain = re.sub(r"\{[^{}]*\}", "", text)
    if {"{", "}"} & set(plain):
        raise ValueError(f"a brace is not closed, or not opened: {_RIGHT}")
    if {"*", "?", "\\", "\0"} & set(plain):
        raise ValueError(
            f"write {{any}} for text that does not matter, and / for folders: {_RIGHT}"
        )
    if re.search(rf"\.(?:{SUFFIXES})$", text, re.IGNORECASE):
        raise ValueError(f"leave the ending away, any image's will do: {_RIGHT}")
    if any(not part or part.startswith(".") for part in text.split("/")):
        raise ValueError(
            f"a folder or file in it has no name, or one that begins with a dot and is never used: "
            f"{_RIGHT}"
        )


def _refuse_fields(fields: Sequence[Field]) -> None:
    """A name says one location and one view."""
    kinds = [field.kind for field in fields]
    n_views = sum(bool(field.words) for field in fields)
    if n_views != 1:
        what = "no view" if not n_views else "two views"
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


def _refuse_unbounded(part: Sequence[str | Field]) -> None:
    """Where one field ends and the next begins must be seen."""
    if sum(isinstance(token, Field) and token.kind == "any" for token in part) > 1:
        raise ValueError(
            "has {any} twice in one name, which may hold whatever stands between the two: "
            'right is "{id}_{heading}_{any}", for example'
        )
    # A view of always as many letters neither bounds what is beside it nor has to be bounded.
    tokens = [token for token in part if isinstance(token, str) or not token.is_fixed]
    for left, right in pairwise(tokens):
        if isinstance(left, Field) and isinstance(right, Field):
            why = "nothing stands between them"
        elif (
            isinstance(right, Field)
            and isinstance(left, str)
            and right.may_hold(left[-1], first=True)
        ):
            why = f"{left[-1]!r} may be part of {right.written}"
        elif (
            isinstance(left, Field)
            and isinstance(right, str)
            and left.may_hold(right[0], first=False)
        ):
            why = f"{right[0]!r} may be part of {left.written}"
        else:
            continue
        raise ValueError(
            f"where {_written(left)} ends and {_written(right)} begins cannot be told, since "
            f"{why}: put another character there; {_RIGHT}"
        )


# -- regular expressions -------------------------------------------------------------------------


def _joined(parts: Sequence[Sequence[str | Field]]) -> str:
    written = [
        "".join(_any_of([token]) if isinstance(token, str) else token.regex for token in part)
        for part in parts
    ]
    return "/".join(written)


def _any_of(texts: Sequence[str]) -> str:
    forms = {form for text in texts for form in _forms(text)}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def _forms(text: str) -> set[str]:
    """A text with its accents as Unicode writes them in either way."""
    return {unicodedata.normalize(form, text) for form in ("NFC", "NFD")} | {text}


def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)
