"""A list of captures made of what cameras wrote into the pictures of a city's folder."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from streetineq_assets.errors import SourceError, clear_disk_errors
from streetineq_assets.images import naming
from streetineq_assets.images.archives import list_members, read_members
from streetineq_assets.images.captures import captures_file
from streetineq_assets.images.catalogue import FileEntry, list_images, walk_files
from streetineq_assets.images.location_cells import LATITUDES, LONGITUDES
from streetineq_assets.images.location_list import location_list_file, read_location_list
from streetineq_assets.images.picture_metadata import Metadata, read_metadata
from streetineq_assets.images.tables import CAPTURES, EQUIRECTANGULAR
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import conform

_TIME = "%Y-%m-%dT%H:%M:%SZ"


def write_capture_list(store: DataStore, study: Study, city: str) -> list[str]:
    """Write `inputs/captures/<city>.csv` of the pictures below `inputs/images/<city>`.

    Of the pictures that are no views of listed locations by their names, those with a position in
    the United Kingdom are listed, also without a direction.

    Returns:
        What was found, in lines: how many pictures, of which kinds, and what they lack.

    Raises:
        StudyError: the study has no such city.
        SourceError: the list is there already, no picture can be listed, or as `list_images`.
        StoreError: the disk is full or read-only.
    """
    study.require_city(city)
    path, root = captures_file(store, city), store.inputs("images", city)
    if path.exists():
        raise SourceError(
            f"{path} is there, and is not overwritten: move it away to have one made of the "
            "pictures, and take over from it what you had corrected"
        )
    pictures = _read_pictures(root, store, study, city)
    listed = captures_of(pictures)
    lines = in_lines(pictures)
    if listed.empty:
        raise SourceError(
            f"no picture below {root} can be listed as a capture, since none names a position in "
            f"the United Kingdom ({'; '.join(lines)}): write {path} by hand"
        )
    draft = path.with_name(f".{path.name}.draft")
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        listed.to_csv(draft, index=False, lineterminator="\n", date_format=_TIME)
        draft.replace(path)
    return [*lines, f"{len(listed):,} captures in {path}"]


def read_pictures(root: Path, names: pd.DataFrame) -> dict[str, Metadata | None]:
    """What cameras wrote into pictures, by capture; None where a file is no picture.

    Args:
        root: the city's image folder.
        names: `capture_id, path, member`, as in `NAMED_CAPTURES`.
    """
    found: dict[str, Metadata | None] = {}
    loose = names[names["member"].isna()]
    for capture_id, path in zip(loose["capture_id"], loose["path"], strict=True):
        found[capture_id] = read_metadata(root / path)
    for archive, members in names[names["member"].notna()].groupby("path"):
        of_member = dict(zip(members["member"], members["capture_id"], strict=True))
        for member, data in read_members(root / str(archive), of_member.keys()):
            found[of_member[member]] = read_metadata(io.BytesIO(data)) if data else None
    return found


def captures_of(pictures: dict[str, Metadata | None]) -> pd.DataFrame:
    """A frame of the schema `CAPTURES` of the pictures that a list can hold, by id."""
    rows = [
        asdict(known) | {"capture_id": capture_id}
        for capture_id, known in sorted(pictures.items())
        if known and known.projection and _is_inside(known)
    ]
    frame = pd.DataFrame(rows, columns=CAPTURES.names)
    return conform(frame.astype(object).where(frame.notna(), None), CAPTURES)


def in_lines(pictures: dict[str, Metadata | None]) -> list[str]:
    """How many pictures there are, of which kinds, and what they lack."""
    counts = Counter(fault for known in pictures.values() for fault in _told(known))
    return [f"{len(pictures):,} pictures"] + [f"{n:,} {what}" for what, n in sorted(counts.items())]


def _told(known: Metadata | None) -> Iterator[str]:
    """What is to be said of a picture."""
    if known is None:
        yield "left out: no JPEG, PNG or WebP, or damaged"
        return
    if known.projection is None:
        yield "left out: a part of a panorama, of which no views are cut"
    elif known.lat is None:
        yield "left out: without a position; give them a location_id by hand"
    elif not _is_inside(known):
        yield "left out: a position outside the United Kingdom"
    yield "panoramas" if known.projection == EQUIRECTANGULAR else "photographs"
    if known.compass_deg is None:
        yield "without a direction, so of no use until compass_deg is filled in"
    elif known.is_magnetic:
        yield "with a direction from magnetic north, kept as it is"
    if known.second_compass_deg is not None:
        yield "with a second direction"
    if known.captured_at is None:
        yield "without a time"


def _is_inside(known: Metadata) -> bool:
    """Whether the position is one that a list may hold."""
    if known.lat is None or known.lon is None:
        return False
    return LATITUDES[0] <= known.lat <= LATITUDES[1] and LONGITUDES[0] <= known.lon <= LONGITUDES[1]


def _read_pictures(
    root: Path, store: DataStore, study: Study, city: str
) -> dict[str, Metadata | None]:
    files = walk_files(root)
    listed = read_location_list(location_list_file(store, city))
    catalogue = list_images(
        root,
        listed["location_id"],
        city=city,
        buckets=1,
        names=study.images.names,
        positions=listed,
        capture_ids=sorted(_stems(root, files)),
        files=files,
    )
    return read_pictures(root, catalogue.captures[catalogue.captures["problem"].isna()])


def _stems(root: Path, files: list[FileEntry]) -> set[str]:
    """The names of all pictures, in archives too, without folders and endings."""
    names = [file.path for file in files if not file.is_archive]
    for file in files:
        if file.is_archive:
            names += [member.name for member in list_members(root / file.path).members]
    return {stem for name in names if (stem := naming.stem(name))}
