"""From a bucket's listing to locations that are ready to be encoded.

What belongs here: which locations have all their images, their bytes from files and archives, their
hashes, their pixels, and why a location is rejected. What does not: when this happens and what
becomes of it (`extraction`).
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Rejection
from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess
from streetineq_assets.images.archives import read_members
from streetineq_assets.images.catalogue import VIEWS

MISSING, GONE = "missing", "gone"
Hashes = tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A location with four images: for each view a file, and the member where it is an archive."""

    location_id: str
    sources: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Prepared:
    """A location whose images were read; `pixels` is None when it is reused or rejected."""

    location_id: str
    hashes: Hashes = ()
    pixels: np.ndarray | None = None
    rejections: tuple[Rejection, ...] = ()
    read_s: float = 0.0
    decode_s: float = 0.0


def plan(images: pd.DataFrame) -> tuple[list[Job], list[Rejection]]:
    """Jobs for locations whose four images are there, rejections for the views of the others.

    A location without any file is `missing`; one without some of them is rejected for
    `missing_view`, or for the reason that the listing gives.
    """
    images = images.sort_values(["location_id", "view"])
    rows = images[["path", "member", "status", "reason"]].astype(object).to_numpy()
    ids = images["location_id"].tolist()[:: len(VIEWS)]
    jobs, rejections = [], []
    for location_id, views in zip(ids, rows.reshape(-1, len(VIEWS), 4), strict=True):
        statuses = views[:, 2].tolist()
        if statuses == ["present"] * len(VIEWS):
            sources = [
                (path, member if isinstance(member, str) else None) for path, member, *_ in views
            ]
            jobs.append(Job(location_id, tuple(sources)))
            continue
        nothing = set(statuses) == {"missing"}
        for view, status, reason in zip(VIEWS, statuses, views[:, 3], strict=True):
            if status != "present":
                why = reason if status == "unreadable" else "missing_view"
                rejections.append(Rejection(location_id, view, MISSING if nothing else why))
    return jobs, rejections


def reasons_by_location(rejections: Iterable[Rejection]) -> dict[str, str]:
    """Each location's reason: that of its first view that has one."""
    return {entry.location_id: entry.reason for entry in sorted(rejections, reverse=True)}


def read_archives(
    jobs: Iterable[Job], root: Path
) -> Iterator[tuple[Job, dict[int, bytes | None], float]]:
    """Jobs with the bytes of those views that lie in archives, and the seconds that it took.

    Each archive is read through once, in its own order; a location waits in memory, compressed,
    until its last archived view has come.
    """
    wanted: dict[str, dict[str, tuple[Job, int]]] = defaultdict(dict)
    for job in jobs:
        archived = [
            (path, member, view) for view, (path, member) in enumerate(job.sources) if member
        ]
        for path, member, view in archived:
            wanted[path][member] = (job, view)
        if not archived:
            yield job, {}, 0.0
    collected: dict[str, dict[int, bytes | None]] = defaultdict(dict)
    started = time.perf_counter()
    for path in sorted(wanted):
        for (job, view), data in _members(root / path, wanted.pop(path)):
            collected[job.location_id][view] = data
            if len(collected[job.location_id]) == sum(bool(m) for _, m in job.sources):
                now = time.perf_counter()
                yield job, collected.pop(job.location_id), now - started
                started = time.perf_counter()


def prepare_location(
    task: tuple[Job, dict[int, bytes | None], float],
    *,
    root: Path,
    known: Mapping[str, Hashes],
    antialias: bool,
) -> Prepared:
    """Read and hash a location's images; decode them unless `known` has the same hashes."""
    job, archived, read_s = task
    started = time.perf_counter()
    images, rejections = [], []
    for view, (path, member) in enumerate(job.sources):
        if member:
            data = archived[view]
            problem = "damaged_archive" if data or (root / path).is_file() else GONE
        else:
            data, problem = _read_file(root / path)
        if data is None:
            rejections.append(Rejection(job.location_id, VIEWS[view], problem))
        images.append(data)
    if rejections:
        return Prepared(job.location_id, rejections=tuple(rejections))
    hashes = tuple(hashlib.sha256(data).hexdigest() for data in images)
    read_s += time.perf_counter() - started
    if known.get(job.location_id) == hashes:
        return Prepared(job.location_id, hashes, read_s=read_s)
    return _decode(job.location_id, images, hashes, antialias, read_s)


def _decode(
    location_id: str, images: list[bytes], hashes: Hashes, antialias: bool, read_s: float
) -> Prepared:
    started = time.perf_counter()
    pixels, rejections = [], []
    for view, data in zip(VIEWS, images, strict=True):
        try:
            pixels.append(preprocess(data, antialias=antialias))
        except ImageRejectedError as error:
            rejections.append(Rejection(location_id, view, error.reason))
    decode_s = time.perf_counter() - started
    stacked = None if rejections else np.stack(pixels)
    return Prepared(location_id, hashes, stacked, tuple(rejections), read_s, decode_s)


def _members(
    archive: Path, wanted: dict[str, tuple[Job, int]]
) -> Iterator[tuple[tuple[Job, int], bytes | None]]:
    """The bytes of the wanted members, and None for those that did not come."""
    for name, data in read_members(archive, list(wanted)):
        yield wanted.pop(name), data
    yield from ((target, None) for target in wanted.values())


def _read_file(path: Path) -> tuple[bytes | None, str]:
    try:
        return path.read_bytes(), ""
    except FileNotFoundError:
        return None, GONE
    except OSError:
        return None, "unreadable"
