"""Patterns by which image files are named, such as `{id}_{heading}`: read, refused, matched.

    {id}                  the location, as it is listed
    {lat} {lng}           or its coordinates; {lon} is {lng}
    {view}                a, b, c or d
    {heading}             or 0, 90, 180, 270; also 000, 90.0, and 360 for 0
    {n,e,s,w}             or four words of the study's own, in the order of the headings
    {any}                 text that does not matter

All else stands for itself, in either case. A slash parts folders; a pattern is held against the
end of a file's path, without the ending. Only `{id}` beside `{any}` has several readings, and all
of them are given, since the list decides between them. So matching is linear in a name's length,
but for these, where it is quadratic in at most 255 characters. Which patterns cannot work is in
`name_grammar`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from streetineq_assets.name_grammar import (
    SUFFIXES,
    VIEWS,
    Part,
    Placeholder,
    forms_of,
    parts_of,
    regex_of,
    written,
)

DEFAULT_NAMES = ("{id}_{view}",)

_LONGEST = 255  # characters of a file's or folder's name, on any file system


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
        parts: of folders and file; each a row of plain texts and placeholders.
    """

    text: str
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str) -> "NamePattern":
        """The pattern of a text.

        Raises:
            ValueError: it cannot work; the message says why, and shows one that can.
        """
        parts = parts_of(text)
        return cls("/".join("".join(map(written, part)) for part in parts), parts)

    @property
    def placeholders(self) -> list[Placeholder]:
        """All placeholders, in order."""
        return [token for part in self.parts for token in part if isinstance(token, Placeholder)]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Of the views, in the order of the headings."""
        return next(each.words for each in self.placeholders if each.words)

    @property
    def by_position(self) -> bool:
        """Whether it names locations by their coordinates."""
        return any(each.kind == "lat" for each in self.placeholders)

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether a name may have several readings."""
        return any(
            {"id", "any"} <= {token.kind for token in part if isinstance(token, Placeholder)}
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

        def fill(token: str | Placeholder) -> str:
            if isinstance(token, str):
                return token
            return view if token.words else texts.get(token.kind, f"<{token.kind}>")

        return "/".join("".join(map(fill, part)) for part in self.parts)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        path = "/".join("".join(map(regex_of, part)) for part in self.parts)
        return re.compile(rf"{path}\.(?:{SUFFIXES})", re.IGNORECASE)

    @cached_property
    def _around_id(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Of all before the id, and of all behind it."""
        head, _, foot = self._regex.pattern.partition("(?P<id>[^/]+)")
        return re.compile(head, re.IGNORECASE), re.compile(foot, re.IGNORECASE)

    @cached_property
    def _view_of(self) -> dict[str, str]:
        views = zip(self.words, VIEWS, strict=True)
        return {form: view for word, view in views for form in forms_of(word.lower())}

    @cached_property
    def _has_heading(self) -> bool:
        return any(each.kind == "heading" for each in self.placeholders)

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
