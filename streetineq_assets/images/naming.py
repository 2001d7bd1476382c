"""Names of image files: which location and view they say, and what is to be said where they do not.

An image's name is `<location_id>_<view>.<png|jpg|jpeg|jpe|jfif|webp>`, view a, b, c, d. Case counts
in the id alone. Letters with accents are the same letters in both of Unicode's forms, of which
macOS writes one and other systems the other.
"""

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import NamedTuple

from streetineq_assets.images.location_ids import plain_form

_SUFFIXES = "png|jpe?g|jpe|jfif|webp"
_IMAGE = re.compile(rf"(?P<id>.+)_(?P<view>[abcd])\.(?:{_SUFFIXES})", re.IGNORECASE)
_STEM = re.compile(rf"(?P<stem>.+)\.(?:{_SUFFIXES})", re.IGNORECASE)
_ANY_IMAGE = re.compile(rf"(?P<stem>.+)\.(?:{_SUFFIXES}|gif|bmp|tiff?|avif|heic)", re.IGNORECASE)
# What systems leave in folders: hidden files and folders, trash, thumbnails, resource forks.
_LITTER = re.compile(
    r"(?:^|[/\\])(?:\.(?!\.?(?:[/\\]|$))|(?:__MACOSX|@eaDir|[#@$]?recycled?(?:\.bin)?|recycler"
    r"|System Volume Information|lost\+found|Trash(?:es)?)(?:[/\\]|$))",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"(?:copy of )?(?P<stem>.+?)(?: - copy| copy)?(?: \d+)?(?: ?\(\d+\))?(?P<suffix>\.\w+)",
    re.IGNORECASE,
)
_OTHER_ARCHIVE = re.compile(r".+\.(?:7z|rar|zst|tzst|lz4|lzma|gz|bz2|xz)", re.IGNORECASE)
_VIEW_OF_HEADING = {"0": "a", "90": "b", "180": "c", "270": "d"}
_HEADING = re.compile(r"(?P<id>.+)[_-](?:heading|h)?(?P<heading>0|90|180|270)", re.IGNORECASE)
_MOST_COMPARED = 20_000  # ids; comparing takes some microseconds each


class View(NamedTuple):
    """What an image's name says: the id in composed letters, the view in lower case."""

    location_id: str
    view: str


def base_name(name: str) -> str:
    """The last part of a path; Windows' separators occur too, in archives and where unpacked."""
    return name.replace("\\", "/").rpartition("/")[2]


def parse(name: str) -> View | None:
    """Location and view of a file, or None where its name is not that of an image."""
    match = _IMAGE.fullmatch(base_name(name))
    return View(composed(match["id"]), match["view"].lower()) if match else None


def stem(name: str) -> str | None:
    """The whole name of an image but for folders and ending, in composed letters, or None."""
    match = _STEM.fullmatch(base_name(name))
    return composed(match["stem"]) if match else None


def composed(text: str) -> str:
    """Text with each letter and its accent as one character, as most systems write them."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_litter(path: str) -> bool:
    """Whether a file or one of its folders is hidden, or what a system keeps for itself."""
    return _LITTER.search(path) is not None


def is_image(name: str) -> bool:
    """Whether a file's ending is that of an image, whatever else it is called."""
    return _ANY_IMAGE.fullmatch(base_name(name)) is not None


def is_other_archive(name: str) -> bool:
    """Whether a file's ending is that of an archive that is not read."""
    return _OTHER_ARCHIVE.fullmatch(base_name(name)) is not None


def is_copy(name: str, listed: Collection[str]) -> bool:
    """Whether a file manager named it as a copy of a listed location's view."""
    match = _COPY.fullmatch(base_name(name))
    view = parse(match["stem"] + match["suffix"]) if match else None
    return view is not None and view.location_id in listed


def hint(name: str, listed: Iterable[str]) -> str:
    """Which name an image file should have: with its own view, or a, and the nearest listed id."""
    match = _ANY_IMAGE.fullmatch(base_name(name))
    stem = composed(match["stem"] if match else base_name(name))
    view, heading = parse(name), _HEADING.fullmatch(stem)
    if view:
        guess, letter = view
    elif heading:
        guess, letter = heading["id"], _VIEW_OF_HEADING[heading["heading"]]
    else:
        guess, letter = stem, "a"
    nearest = nearest_id(guess, listed)
    if nearest is None:
        return "no listed id is like it"
    return f"the nearest listed id is {nearest}, whose file is {nearest}_{letter}.jpg"


def nearest_id(text: str, listed: Iterable[str]) -> str | None:
    """The listed id that is the same but for case, zeros or `.0`, else the most similar one."""
    ids = sorted(listed)
    plain = {plain_form(each): each for each in reversed(ids)}
    same = plain.get(plain_form(text))
    if same is not None:
        return same
    found = difflib.get_close_matches(text, ids[:_MOST_COMPARED], n=1, cutoff=0.5)
    return found[0] if found else None
