"""From a bucket's listing to locations that are ready to be encoded: bytes, hashes, pixels.

A location is encoded whole: one view that is missing or cannot be used rejects it, with a reason.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.codes.accounting import GONE, MISSING
from streetineq_assets.codes.bucket_file import Rejection
from streetineq_assets.codes.pictures import Pictures, look_at
from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess
from streetineq_assets.codes.quality import refuse_useless
from streetineq_assets.codes.screening import refuse_empty
from streetineq_assets.images.archives import read_members
from streetineq_assets.images.catalogue import DAMAGED_ARCHIVE, VIEWS
from streetineq_assets.settings import Images

Hashes = tuple[str, ...]


@dataclass(frozen=True)
class LocationImages:
    """Images of a location: for each a file, and the member where that is an archive.

    To be encoded a location has four, in the order of the views.
    """

    location_id: str
    sources: tuple[tuple[str, str | None], ...]


class Finished(NamedTuple):
    """What earlier work says of locations.

    Attributes:
        hashes: of the images from which each location's codes were made.
        screened: the locations whose pictures are known, and were judged by the present rules.
    """

    hashes: Mapping[str, Hashes]
    screened: Collection[str]


class Unpacked(NamedTuple):
    """A location with the bytes of its archived views by view number, None for damaged ones."""

    images: LocationImages
    archived: Mapping[int, bytes | None]
    seconds_reading: float


@dataclass(frozen=True)
class Prepared:
    """A location whose images were read; `pixels` is None when it is reused or rejected.

    Attributes:
        hashes: sha256 of each view's bytes.
        pictures: what was noted of each view; None when they were not decoded.
        pixels: float32 (4, 224, 224, 3) as `preprocess` makes them.
        rejections: why the location cannot be encoded.
    """

    location_id: str
    hashes: Hashes = ()
    pictures: Pictures | None = None
    pixels: np.ndarray | None = None
    rejections: tuple[Rejection, ...] = ()
    seconds_reading: float = 0.0
    seconds_decoding: float = 0.0


def complete_locations(images: pd.DataFrame) -> tuple[list[LocationImages], list[Rejection]]:
    """The locations whose four images are present, and rejections for the views of the others.

    A location without any file is `missing`; one without some of them is rejected for
    `missing_view`, or for the reason that the listing gives.

    Args:
        images: rows of `street_images`, four for each location.
    """
    images = images.sort_values(["location_id", "view"])
    rows = images[["path", "member", "status", "reason"]].astype(object).to_numpy()
    ids = images["location_id"].tolist()[:: len(VIEWS)]
    complete, rejections = [], []
    for location_id, views in zip(ids, rows.reshape(-1, len(VIEWS), 4), strict=True):
        statuses = views[:, 2].tolist()
        if statuses == ["present"] * len(VIEWS):
            sources = [
                (path, member if isinstance(member, str) else None) for path, member, *_ in views
            ]
            complete.append(LocationImages(location_id, tuple(sources)))
            continue
        nothing = set(statuses) == {"missing"}
        for view, status, reason in zip(VIEWS, statuses, views[:, 3], strict=True):
            if status != "present":
                why = reason if status == "unreadable" else "missing_view"
                rejections.append(Rejection(location_id, view, MISSING if nothing else why))
    return complete, rejections


def read_archives(locations: Iterable[LocationImages], root: Path) -> Iterator[Unpacked]:
    """Locations with the bytes of those of their views that lie in archives.

    Each archive is read through once, in its own order; a location waits in memory, compressed,
    until its last archived view has come. Those without an archived view come first.
    """
    wanted: dict[str, dict[str, tuple[LocationImages, int]]] = defaultdict(dict)
    for location in locations:
        archived = [
            (path, member, view) for view, (path, member) in enumerate(location.sources) if member
        ]
        for path, member, view in archived:
            wanted[path][member] = (location, view)
        if not archived:
            yield Unpacked(location, {}, 0.0)
    collected: dict[str, dict[int, bytes | None]] = defaultdict(dict)
    started = time.perf_counter()
    for path in sorted(wanted):
        for (location, view), data in _members(root / path, wanted.pop(path)):
            views = collected[location.location_id]
            views[view] = data
            if len(views) == sum(bool(member) for _, member in location.sources):
                now = time.perf_counter()
                yield Unpacked(location, collected.pop(location.location_id), now - started)
                started = time.perf_counter()


def read_images(unpacked: Unpacked, root: Path) -> list[bytes | str]:
    """The bytes of each image of a location, or the reason why they cannot be read.

    Args:
        root: the folder to which the images' paths are relative.
    """
    found: list[bytes | str] = []
    for number, (path, member) in enumerate(unpacked.images.sources):
        if member is None:
            found.append(_read_file(root / path))
            continue
        data = unpacked.archived[number]
        why = DAMAGED_ARCHIVE if (root / path).is_file() else GONE
        found.append(why if data is None else data)
    return found


def prepare_location(
    unpacked: Unpacked, *, root: Path, finished: Finished, limits: Images, antialias: bool
) -> Prepared:
    """Read and hash a location's images, and decode those that were not encoded and judged before.

    Codes of unchanged images are used again, but only of images that the present rules accept: a
    location of an earlier version, or of other limits, is decoded once more, for its verdict and
    what is noted of its pictures, and not encoded.

    Args:
        root: the folder to which the images' paths are relative.
        finished: what was done already.
        limits: `[images]` of study.toml.
        antialias: as in `preprocess`.
    """
    location, _, seconds = unpacked
    started = time.perf_counter()
    images, rejections = [], []
    for view, image in zip(VIEWS, read_images(unpacked, root), strict=True):
        if isinstance(image, str):
            rejections.append(Rejection(location.location_id, view, image))
        else:
            images.append(image)
    if rejections:
        return Prepared(location.location_id, rejections=tuple(rejections))
    hashes = tuple(hashlib.sha256(data).hexdigest() for data in images)
    seconds += time.perf_counter() - started
    encoded = finished.hashes.get(location.location_id) == hashes
    if encoded and location.location_id in finished.screened:
        return Prepared(location.location_id, hashes, seconds_reading=seconds)
    started = time.perf_counter()
    pixels, rejections = _decode(location.location_id, images, limits, antialias)
    return Prepared(
        location.location_id,
        hashes,
        None if rejections else look_at(pixels),
        None if rejections or encoded else np.stack(pixels),
        tuple(rejections),
        seconds,
        time.perf_counter() - started,
    )


def _decode(
    location_id: str, images: list[bytes], limits: Images, antialias: bool
) -> tuple[list[np.ndarray], list[Rejection]]:
    pixels, rejections = [], []
    for view, data in zip(VIEWS, images, strict=True):
        try:
            pixels.append(preprocess(data, antialias=antialias))
            refuse_empty(pixels[-1], limits)
            refuse_useless(pixels[-1], limits)
        except ImageRejectedError as error:
            rejections.append(Rejection(location_id, view, error.reason))
    return pixels, rejections


def _members(
    archive: Path, wanted: dict[str, tuple[LocationImages, int]]
) -> Iterator[tuple[tuple[LocationImages, int], bytes | None]]:
    """The bytes of the wanted members, and None for those that did not come."""
    for name, data in read_members(archive, list(wanted)):
        yield wanted.pop(name), data
    yield from ((target, None) for target in wanted.values())


def _read_file(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return GONE
    except OSError:
        return "unreadable"
