"""From a bucket's listing to locations that are ready to be encoded: bytes, hashes, pixels.

A location is encoded whole: one view that is missing or cannot be used rejects it, with a reason.
With a smaller `least_views` under `[images]` it is encoded without such views, which are absent.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.codes.accounting import GONE, MISSING
from streetineq_assets.codes.bucket_file import Rejection
from streetineq_assets.codes.cutting import Cut, cut_view, decode_panorama, image_sha256
from streetineq_assets.codes.encoders.encoder import Preprocessing
from streetineq_assets.codes.pictures import Pictures, look_at
from streetineq_assets.codes.preprocess import (
    ImageRejectedError,
    decode,
    refuse_panorama,
    view_of,
)
from streetineq_assets.codes.quality import refuse_useless
from streetineq_assets.codes.screening import refuse_empty
from streetineq_assets.image_settings import Images, Views
from streetineq_assets.images.archives import read_members
from streetineq_assets.images.catalogue import DAMAGED_ARCHIVE, VIEWS
from streetineq_assets.images.tables import EQUIRECTANGULAR

Hashes = tuple[str, ...]
Locate = Callable[[str], Path]  # the file of a path of `street_images`
# What `source_of` reads of a row of `street_images`.
SOURCE = [
    *("path", "member", "heading"),
    *("projection", "compass_deg", "pitch_deg", "roll_deg"),
]


class Source(NamedTuple):
    """Where an image comes from.

    Attributes:
        path, member: of `street_images`; the member is None outside archives.
        cut: how it is cut of a panorama; None where it is an image of its own.
    """

    path: str
    member: str | None
    cut: Cut | None = None


@dataclass(frozen=True)
class LocationImages:
    """Images of a location: where each comes from, and its view, in the order of the views."""

    location_id: str
    sources: tuple[Source, ...]
    views: tuple[str, ...] = VIEWS


class Finished(NamedTuple):
    """What earlier work says of locations.

    Attributes:
        hashes: of the images from which each location's codes were made.
        screened: the locations whose pictures are known, and were judged by the present rules.
    """

    hashes: Mapping[str, Hashes]
    screened: Collection[str]


class Unpacked(NamedTuple):
    """A location with the bytes of its archived images by path and member, None of damaged ones."""

    images: LocationImages
    archived: Mapping[tuple[str, str], bytes | None]
    seconds_reading: float


@dataclass(frozen=True)
class Prepared:
    """A location whose images were read; `pixels` is None when it is reused or rejected.

    Attributes:
        hashes: `cutting.image_sha256` of each view, empty of those that are absent.
        pictures: what was noted of each view; None when they were not decoded.
        pixels: float32 (4, height, width, 3), the network's input.
        rejections: why the location cannot be encoded.
        absent: why it is encoded without some views.
    """

    location_id: str
    hashes: Hashes = ()
    pictures: Pictures | None = None
    pixels: np.ndarray | None = None
    rejections: tuple[Rejection, ...] = ()
    absent: tuple[Rejection, ...] = ()
    seconds_reading: float = 0.0
    seconds_decoding: float = 0.0


def source_of(row: Any, views: Views) -> Source:
    """Where the image of a row of `street_images` comes from.

    Args:
        row: with the attributes `SOURCE`.
        views: `[views]` of study.toml.
    """
    member = row.member if isinstance(row.member, str) else None
    if row.projection != EQUIRECTANGULAR:
        return Source(row.path, member)
    cut = Cut(
        compass=_degrees(row.compass_deg, unknown=math.nan),
        pitch=_degrees(row.pitch_deg, unknown=0.0),
        roll=_degrees(row.roll_deg, unknown=0.0),
        heading=float(row.heading),
        fov=views.fov_deg,
        size=(views.width_px, views.height_px),
    )
    return Source(row.path, member, cut)


def _degrees(value: Any, *, unknown: float) -> float:
    return unknown if pd.isna(value) else float(value)


class Listed(NamedTuple):
    """What a listing says of locations.

    Attributes:
        complete: the locations with as many images as are needed.
        rejections: why the others have none or too few, by view.
        absent: the views that are wanting of those that have enough, and why.
    """

    complete: list[LocationImages]
    rejections: list[Rejection]
    absent: list[Rejection]


def complete_locations(images: pd.DataFrame, views: Views, least_views: int) -> Listed:
    """The locations whose images are present, and what is wanting of the others.

    A location without any file is `missing`; one without some of them lacks them for
    `missing_view`, or for the reason that the listing gives.

    Args:
        images: rows of `street_images`, four for each location.
        views: `[views]` of study.toml.
        least_views: as under `[images]`.
    """
    images = images.sort_values(["location_id", "view"])
    # Listings of earlier versions knew no captures.
    rows = images.reindex(columns=["location_id", "status", "reason", *SOURCE])
    found = Listed([], [], [])
    by_location = groupby(rows.itertuples(index=False), key=attrgetter("location_id"))
    for location_id, of_location in by_location:
        by_view = dict(zip(VIEWS, of_location, strict=True))
        there = {view: row for view, row in by_view.items() if row.status == "present"}
        if enough := len(there) >= least_views:
            sources = tuple(source_of(row, views) for row in there.values())
            found.complete.append(LocationImages(location_id, sources, tuple(there)))
        nothing = all(row.status == "missing" for row in by_view.values())
        for view, row in by_view.items():
            if view in there:
                continue
            why = row.reason if row.status == "unreadable" else "missing_view"
            rejection = Rejection(location_id, view, MISSING if nothing else why)
            (found.absent if enough else found.rejections).append(rejection)
    return found


def read_archives(locations: Iterable[LocationImages], locate: Locate) -> Iterator[Unpacked]:
    """Locations with the bytes of those of their images that lie in archives.

    Each archive is read through once, in its own order; a location waits in memory, compressed,
    until its last archived image has come. Those without an archived one come first.
    """
    wanted: dict[str, dict[str, list[LocationImages]]] = defaultdict(lambda: defaultdict(list))
    n_archived: dict[LocationImages, int] = {}
    for location in locations:
        archived = {(path, member) for path, member, _ in location.sources if member}
        for path, member in archived:
            wanted[path][member].append(location)
        if archived:
            n_archived[location] = len(archived)
        else:
            yield Unpacked(location, {}, 0.0)
    collected: dict[LocationImages, dict[tuple[str, str], bytes | None]] = defaultdict(dict)
    started = time.perf_counter()
    for path in sorted(wanted):
        for member, data, of_locations in _members(locate(path), wanted.pop(path)):
            for location in of_locations:
                collected[location][path, member] = data
                if len(collected[location]) == n_archived[location]:
                    now = time.perf_counter()
                    yield Unpacked(location, collected.pop(location), now - started)
                    started = time.perf_counter()


def read_images(unpacked: Unpacked, locate: Locate) -> list[bytes | str]:
    """The bytes of each image of a location, or the reason why they cannot be read.

    A panorama that several of them are cut of is read once.
    """
    read = lru_cache(maxsize=1)(_read_file)
    found: list[bytes | str] = []
    for path, member, _ in unpacked.images.sources:
        if member is None:
            found.append(read(locate(path)))
            continue
        data = unpacked.archived[path, member]
        if data is None:
            data = DAMAGED_ARCHIVE if locate(path).is_file() else GONE
        found.append(data)
    return found


def prepare_location(
    unpacked: Unpacked,
    *,
    locate: Locate,
    finished: Finished,
    limits: Images,
    preprocessing: Preprocessing,
) -> Prepared:
    """Read and hash a location's images, and decode those that were not encoded and judged before.

    Codes of unchanged images are used again, but only of images that the present rules accept: a
    location of an earlier version, or of other limits, is decoded once more, for its verdict and
    what is noted of its pictures, and not encoded.

    Args:
        locate: the file of a path of `street_images`.
        finished: what was done already.
        limits: `[images]` of study.toml.
        preprocessing: what makes the network's input.
    """
    (location, _, seconds), started = unpacked, time.perf_counter()
    location_id, wanting, images = location.location_id, [], {}
    for view, image in zip(location.views, read_images(unpacked, locate), strict=True):
        if isinstance(image, str):
            wanting.append(Rejection(location_id, view, image))
        else:
            images[view] = image
    if len(images) < limits.least_views:
        return Prepared(location_id, rejections=tuple(wanting))
    sources = dict(zip(location.views, location.sources, strict=True))
    hashes = {view: image_sha256(data, sources[view].cut) for view, data in images.items()}
    seconds += time.perf_counter() - started
    known = finished.hashes.get(location_id)
    if known == _of_all_views(hashes) and location_id in finished.screened:
        return Prepared(location_id, known, absent=tuple(wanting), seconds_reading=seconds)
    started = time.perf_counter()
    seen, pixels, refused = _decode(location_id, images, sources, limits, preprocessing)
    wanting += refused
    prepared = Prepared(location_id, seconds_reading=seconds)
    if len(seen) < limits.least_views:
        prepared = replace(prepared, rejections=tuple(wanting))
    else:
        used = _of_all_views({view: hashes[view] for view in seen})
        prepared = replace(
            prepared,
            hashes=used,
            pictures=look_at([seen.get(view) for view in VIEWS]),
            pixels=None if used == known else _with_blanks(pixels),
            absent=tuple(wanting),
        )
    return replace(prepared, seconds_decoding=time.perf_counter() - started)


def _of_all_views(hashes: Mapping[str, str]) -> Hashes:
    return tuple(hashes.get(view, "") for view in VIEWS)


def _with_blanks(pixels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of all views; what is made of the blanks of absent ones is not kept."""
    blank = np.zeros_like(next(iter(pixels.values())))
    return np.stack([pixels.get(view, blank) for view in VIEWS])


def _decode(
    location_id: str,
    images: Mapping[str, bytes],
    sources: Mapping[str, Source],
    limits: Images,
    preprocessing: Preprocessing,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[Rejection]]:
    """What is screened of each view, what the network takes, and what was refused."""
    panorama = lru_cache(maxsize=1)(decode_panorama)
    screened, pixels, rejections = {}, {}, []
    for view, data in images.items():
        cut = sources[view].cut
        try:
            picture = cut_view(panorama(data, cut.fov, cut.size), cut) if cut else data
            decoded = decode(picture, least_px=preprocessing.least_px)
            refuse_panorama(decoded)
            seen = view_of(decoded, antialias=preprocessing.antialias)
            refuse_empty(seen, limits)
            refuse_useless(seen, limits)
            pixels[view] = preprocessing.prepare(decoded) if preprocessing.prepare else seen
            screened[view] = seen
        except ImageRejectedError as error:
            rejections.append(Rejection(location_id, view, error.reason))
    return screened, pixels, rejections


def _members(
    archive: Path, wanted: dict[str, list[LocationImages]]
) -> Iterator[tuple[str, bytes | None, list[LocationImages]]]:
    """The wanted members with their bytes, None of those that did not come, and who wants them."""
    for name, data in read_members(archive, list(wanted)):
        yield name, data, wanted.pop(name)
    yield from ((name, None, locations) for name, locations in wanted.items())


def _read_file(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return GONE
    except OSError:
        return "unreadable"
