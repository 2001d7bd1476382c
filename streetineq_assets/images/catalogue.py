"""Where every image of a city lies: one row for each listed location and view.

An image's name says location and view by the study's patterns, see `naming`; views a, b, c, d are
headings of 0, 90, 180, 270 degrees. It lies in the city's folder, at any depth, in archives or not;
a symbolic link to another disk's folder is followed. Every file is accounted for: it is a listed
location's view, or a capture, or it stands among the foreign files with a reason. No image is
opened here: extraction reads and hashes each once.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets import tables
from streetineq_assets.errors import SourceError
from streetineq_assets.images.archives import MAX_MEMBER_BYTES, is_archive, list_members, printable
from streetineq_assets.images.identification import (
    identify,
    refuse_another_place,
    refuse_duplicates,
    refuse_other_names,
)
from streetineq_assets.images.litter import litter_kind
from streetineq_assets.images.naming import Naming
from streetineq_assets.images.tables import (
    ARCHIVE_MEMBERS,
    FOREIGN_FILES,
    NAMED_CAPTURES,
    NAMED_FILES,
    STREET_IMAGES,
)
from streetineq_assets.name_patterns import DEFAULT_NAMES, VIEWS

DAMAGED_ARCHIVE = "damaged_archive"
HEADINGS = {"a": 0, "b": 90, "c": 180, "d": 270}
MAX_FILE_BYTES = MAX_MEMBER_BYTES

_EFFECTIVE = os.access in os.supports_effective_ids


@dataclass(frozen=True)
class Catalogue:
    """A city's images.

    Attributes:
        images: a frame of `STREET_IMAGES`, sorted by location and view: the images by name.
        captures: a frame of `NAMED_CAPTURES`, sorted by capture: the files of captures.
        foreign_files: a frame of `FOREIGN_FILES`: everything else in the folder.
        archive_members: a frame of `ARCHIVE_MEMBERS`: a row for each archive and one for each of
            its members, so that an unchanged archive is not read again.
        n_files: files outside archives, and members.
        naming: by which names they were recognised.
    """

    images: pd.DataFrame
    captures: pd.DataFrame
    foreign_files: pd.DataFrame
    archive_members: pd.DataFrame
    n_files: int
    naming: Naming

    def write(self, folder: Path) -> None:
        """Write `street_images.parquet`, `foreign_files.parquet`, `archive_members.parquet`."""
        tables.write(self.images, STREET_IMAGES, folder / "street_images.parquet")
        tables.write(self.foreign_files, FOREIGN_FILES, folder / "foreign_files.parquet")
        tables.write(self.archive_members, ARCHIVE_MEMBERS, folder / "archive_members.parquet")


@dataclass(frozen=True, slots=True)
class FileEntry:
    r"""A file below a city's image folder.

    Attributes:
        path: relative, with forward slashes; bytes that are no UTF-8 are written as `\xe9`.
        readable: False too for a link to nowhere, and for a name that is no UTF-8.
    """

    path: str
    size_bytes: int
    modified_ns: int
    readable: bool

    @property
    def is_archive(self) -> bool:
        """Whether it is read as an archive; what a Mac puts beside one is none."""
        return is_archive(self.path) and litter_kind(self.path) is None


def bucket_of(city: str, location_id: str, buckets: int) -> str:
    """The bucket of a location, `london/003`: sha256 of its id modulo the number of buckets.

    It depends on the id alone, so a new location touches one bucket and moves no other.
    """
    digest = hashlib.sha256(location_id.encode()).digest()
    return f"{city}/{int.from_bytes(digest, 'big') % buckets:03d}"


def list_images(
    root: Path,
    location_ids: Iterable[str],
    *,
    city: str,
    buckets: int,
    names: Sequence[str] = DEFAULT_NAMES,
    positions: pd.DataFrame | None = None,
    capture_ids: Collection[str] = (),
    files: Sequence[FileEntry] | None = None,
    known_archives: pd.DataFrame | None = None,
) -> Catalogue:
    """List a city's images.

    Args:
        root: the city's image folder; one that is absent is an empty one.
        location_ids: the listed ids.
        buckets: number of partitions of image_codes over which the city is spread.
        names: patterns of the names of views, as `[images]` of study.toml has them.
        positions: frame `location_id, lat, lon` of the listed, where the list has coordinates.
        capture_ids: of captures, whose files are called `<capture_id>.jpg` and the like.
        files: what `walk_files` gives for the folder; it is walked here where they are not given.
        known_archives: `archive_members` of an earlier listing of this folder.

    Raises:
        SourceError: two files are the same view of the same location or the same capture, no image
            has the name of a listed location or capture, the folder is called otherwise, or a
            folder cannot be read.
    """
    naming = Naming(names, location_ids, positions)
    listed = naming.listed
    files = walk_files(root) if files is None else files
    members = _archive_members(root, files, known_archives)
    named = pd.concat([_loose_files(files), _archived_files(members)], ignore_index=True)
    named = identify(named, naming, capture_ids)
    views, captures = (named[named[of].notna()] for of in ("location_id", "capture_id"))
    refuse_duplicates(root, views, ["location_id", "view"], "view of one location")
    refuse_duplicates(root, captures, ["capture_id"], "capture")
    if views.empty and captures.empty and (listed or capture_ids):
        refuse_another_place(root)
        refuse_other_names(root, named, naming, of_captures=bool(capture_ids))
    foreign = named.loc[named["foreign"].notna(), ["path", "member", "foreign"]]
    foreign = pd.concat([foreign, _damaged_archives(members)], ignore_index=True)
    foreign = foreign.rename(columns={"foreign": "reason"}).sort_values(["path", "member"])
    return Catalogue(
        images=_join_listed(views, listed, city, buckets),
        captures=tables.conform(captures.sort_values("capture_id"), NAMED_CAPTURES),
        foreign_files=tables.conform(foreign, FOREIGN_FILES),
        archive_members=members,
        n_files=len(named),
        naming=naming,
    )


# -- the folder ----------------------------------------------------------------------------------


def walk_files(root: Path) -> list[FileEntry]:
    """Every file below `root`, sorted by path; links to folders are followed, loops are not.

    Raises:
        SourceError: a folder cannot be read.
    """
    files: list[FileEntry] = []
    seen: set[tuple[int, int]] = set()
    pending = [(root, "")] if root.is_dir() else []
    while pending:
        folder, prefix = pending.pop()
        identity = folder.stat()
        if (identity.st_dev, identity.st_ino) in seen:
            continue
        seen.add((identity.st_dev, identity.st_ino))
        for entry in _entries(folder):
            if _is_folder(entry):
                pending.append((Path(entry.path), f"{prefix}{entry.name}/"))
            else:
                files.append(_file_entry(entry, prefix))
    return sorted(files, key=lambda file: file.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError as error:
        raise SourceError(f"{folder} cannot be read: allow this user to list it") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file_entry(entry: os.DirEntry[str], prefix: str) -> FileEntry:
    name = prefix + entry.name
    path = printable(name)
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere or to itself, or gone since the folder was listed
        return FileEntry(path, 0, 0, readable=False)
    readable = path == name and os.access(entry.path, os.R_OK, effective_ids=_EFFECTIVE)
    return FileEntry(path, status.st_size, status.st_mtime_ns, readable)


def _loose_files(files: Sequence[FileEntry]) -> pd.DataFrame:
    loose = [file for file in files if not file.is_archive]
    frame = pd.DataFrame(
        {
            "path": [file.path for file in loose],
            "member": None,
            "size_bytes": [file.size_bytes for file in loose],
            "modified_ns": [file.modified_ns for file in loose],
            "problem": [_problem(file) for file in loose],
        },
    )
    return tables.conform(frame, NAMED_FILES)


def _problem(file: FileEntry) -> str | None:
    if not file.readable:
        return "unreadable"
    return "too_large" if file.size_bytes > MAX_FILE_BYTES else None


# -- archives ------------------------------------------------------------------------------------


def _archive_members(
    root: Path, files: Sequence[FileEntry], known: pd.DataFrame | None
) -> pd.DataFrame:
    """Members of all archives; those of unchanged ones are taken from `known`."""
    kept = {}
    if known is not None:
        kept = dict(tuple(known.groupby(["path", "archive_bytes", "archive_modified_ns"])))
    parts = []
    for file in (file for file in files if file.is_archive):
        before = kept.get((file.path, file.size_bytes, file.modified_ns))
        # One that was damaged is read again: the fault may have been the disk's or the network's.
        # So is one with links: earlier versions took hard ones for symbolic ones.
        whole = (
            before is not None
            and before["damage"].isna().all()
            and not before["refused"].eq("link").any()
        )
        parts.append(before if whole else _read_archive(root, file))
    members = pd.concat([tables.empty(ARCHIVE_MEMBERS), *parts], ignore_index=True)
    return tables.conform(members, ARCHIVE_MEMBERS)


def _read_archive(root: Path, file: FileEntry) -> pd.DataFrame:
    listing = list_members(root / file.path)
    members = listing.members
    frame = pd.DataFrame(
        {
            "path": file.path,
            "archive_bytes": file.size_bytes,
            "archive_modified_ns": file.modified_ns,
            "damage": [listing.damage] + [None] * len(members),
            "member": [None] + [member.name for member in members],
            "size_bytes": [0] + [member.size_bytes for member in members],
            "modified_ns": [0] + [member.modified_ns or file.modified_ns for member in members],
            "refused": [None] + [member.refused for member in members],
        }
    )
    return tables.conform(frame, ARCHIVE_MEMBERS)


def _archived_files(members: pd.DataFrame) -> pd.DataFrame:
    files = members[members["member"].notna()].rename(columns={"refused": "problem"})
    return tables.conform(files, NAMED_FILES)


def _damaged_archives(members: pd.DataFrame) -> pd.DataFrame:
    damaged = members[members["damage"].notna()]
    return pd.DataFrame({"path": damaged["path"], "member": None, "foreign": DAMAGED_ARCHIVE})


# -- the listing -------------------------------------------------------------------------------


def _join_listed(views: pd.DataFrame, listed: list[str], city: str, buckets: int) -> pd.DataFrame:
    """A row for every listed location and view, whether there is a file or not."""
    images = pd.DataFrame(
        {
            "location_id": pd.Series(listed, dtype="str").repeat(len(VIEWS)).to_numpy(),
            "view": pd.Series(VIEWS * len(listed), dtype="str"),
            "heading": pd.Series([HEADINGS[v] for v in VIEWS] * len(listed), dtype="int16"),
            "bucket": pd.Series([bucket_of(city, each, buckets) for each in listed], dtype="str")
            .repeat(len(VIEWS))
            .to_numpy(),
        }
    )
    images = images.merge(views, on=["location_id", "view"], how="left", validate="one_to_one")
    images["reason"] = images["problem"].mask(images["path"].isna(), "no_file")
    images["status"] = np.select(
        [images["path"].isna(), images["problem"].notna()], ["missing", "unreadable"], "present"
    )
    of_captures = [name for name in STREET_IMAGES.names if name not in images]
    return tables.conform(images.assign(**dict.fromkeys(of_captures)), STREET_IMAGES)
