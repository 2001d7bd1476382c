"""Names of image files: which listed location and view they say, by the patterns of study.toml.

`name_patterns` has what a pattern is. Patterns are tried in order, and the first by which a name
says one listed location and a view wins. Case counts in the id alone. Letters with accents are the
same letters in both of Unicode's forms, of which macOS writes one and other systems the other.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from copy import copy
from typing import NamedTuple

import pandas as pd

from streetineq_assets.images.positions import NOWHERE, Positions
from streetineq_assets.name_patterns import SUFFIXES, NamePattern, Reading

AMBIGUOUS = "ambiguous_name"

_STEM = re.compile(rf"(?P<stem>.+)\.(?:{SUFFIXES})", re.IGNORECASE | re.DOTALL)
_ANY_IMAGE = re.compile(rf"(?P<stem>.+)\.(?:{SUFFIXES}|gif|bmp|tiff?|avif|heic)", re.IGNORECASE)
_COPY = re.compile(
    r"(?:copy of )?(?P<stem>.+?)(?: - copy| copy)?(?: \d+)?(?: ?\(\d+\))?(?P<suffix>\.\w+)",
    re.IGNORECASE,
)
_PACKED = "7z|rar|zst|lz4|lzma|gz|bz2|xz"
_OTHER_ARCHIVE = re.compile(
    rf".+\.(?:{_PACKED}|[rz]\d\d|(?:{_PACKED}|zip|tar|t[a-z]+)\.\d{{2,3}})", re.IGNORECASE
)


class Identity(NamedTuple):
    """The listed location and the view that a name says, or why it says none.

    Attributes:
        why: `unlisted_location`, `ambiguous_name`, `ambiguous_position`, `coarse_position`; None
            where it says one, and where no pattern fits it.
    """

    location_id: str | None = None
    view: str | None = None
    why: str | None = None


class Naming:
    """How the images of a city are named.

    Args:
        names: patterns, as `[images]` of study.toml has them.
        listed: ids of locations.
        positions: frame `location_id, lat, lon` of these, where the list has coordinates.
    """

    def __init__(
        self, names: Sequence[str], listed: Iterable[str], positions: pd.DataFrame | None = None
    ) -> None:
        self.patterns = [NamePattern.parse(name) for name in names]
        self.listed = sorted(set(listed))
        self.positions = Positions(positions)
        self._written = {composed(each): each for each in self.listed}

    def identify(self, path: str) -> Identity:
        """What a path says; members of an archive lie in a folder of its name."""
        why = None
        for pattern in self.patterns:
            said = {self._meant(reading) for reading in pattern.readings(path)}
            located = [each for each in said if each.location_id]
            if len(located) == 1:
                return located[0]
            if located:
                return Identity(why=AMBIGUOUS)
            why = why or next((each.why for each in said), None)
        return Identity(why=why)

    def identify_all(self, paths: Sequence[str]) -> list[tuple[str | None, str | None, str | None]]:
        """What each path says: the fields of an `Identity`."""
        first, written = self.patterns[0], self._written
        if first.is_ambiguous or first.by_position:
            return [self.identify(path) for path in paths]
        # Most files of most studies are named by the first pattern.
        return [
            (location_id, said[1], None)
            if said and (location_id := written.get(said[0]))
            else self.identify(path)
            for path, said in zip(paths, first.ids_and_views(paths), strict=True)
        ]

    def by(self, pattern: NamePattern) -> "Naming":
        """The same list, with files named by another pattern."""
        other = copy(self)
        other.patterns = [pattern]
        return other

    def is_copy(self, path: str) -> bool:
        """Whether a file manager named it as a copy of a listed location's view."""
        name = base_name(path)
        match = _COPY.fullmatch(name)
        if not match:
            return False
        original = path[: -len(name)] + match["stem"] + match["suffix"]
        return self.identify(original).location_id is not None

    def example(self, location_id: str, view: str) -> str:
        """A listed location's file by the first pattern, without its ending."""
        return self.patterns[0].example(location_id, view, self.positions.written(location_id))

    def in_words(self) -> str:
        """The names that are expected."""
        return " or ".join(f"{pattern.in_words()}.<png|jpg|jpeg|webp>" for pattern in self.patterns)

    def _meant(self, reading: Reading) -> Identity:
        if reading.position:
            place = self.positions.at(reading.position)
            view = reading.view if place.location_id else None
            return Identity(place.location_id, view, place.why)
        location_id = self._written.get(composed(str(reading.location_id)))
        return Identity(location_id, reading.view) if location_id else Identity(why=NOWHERE)


def base_name(name: str) -> str:
    """The last part of a path; Windows' separators occur too, in archives and where unpacked."""
    return name.replace("\\", "/").rpartition("/")[2]


def stem(name: str) -> str | None:
    """The whole name of an image but for folders and ending, in composed letters, or None."""
    match = _STEM.fullmatch(base_name(name))
    return composed(match["stem"]) if match else None


def any_stem(name: str) -> str:
    """The same, where images that are not read have endings too, and other files none."""
    match = _ANY_IMAGE.fullmatch(base_name(name))
    return composed(match["stem"] if match else base_name(name))


def composed(text: str) -> str:
    """Text with each letter and its accent as one character, as most systems write them."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_image(name: str) -> bool:
    """Whether a file's ending is that of an image, whatever else it is called."""
    return _ANY_IMAGE.fullmatch(base_name(name)) is not None


def is_other_archive(name: str) -> bool:
    """Whether a file's ending is that of an archive that is not read, or of a part of one."""
    return _OTHER_ARCHIVE.fullmatch(base_name(name)) is not None
