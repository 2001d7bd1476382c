"""What changed among a city's images since they were listed, without opening one.

A listing depends on the files' names, sizes and times and on the lists; a bucket of
codes on its own rows of the listing. The digests here go into recipes, and the sensor compares them
with what was published.
"""

import hashlib
import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from streetineq_assets.digests import RowDigests, digest_file
from streetineq_assets.images.acquired import imagery_digests
from streetineq_assets.images.captures import captures_file
from streetineq_assets.images.catalogue import FileEntry, walk_files
from streetineq_assets.images.location_list import location_list_file
from streetineq_assets.store import DataStore

# All that decides which bytes are read. The digest is of values and types.
_SLICE = ["location_id", "view", "path", "member", "size_bytes", "modified_ns", "status", "reason"]
# And how a view is cut of it; left out where every view is an image of its own, as in versions
# that knew no captures, so that their codes stay.
_CUT = ["projection", "compass_deg", "pitch_deg", "roll_deg"]


def location_list_digest(store: DataStore, city: str) -> str:
    """sha256 of the city's list of locations, `missing` when there is none."""
    path = location_list_file(store, city)
    return digest_file(path) if path.is_file() else "missing"


def listing_inputs(store: DataStore, city: str, files: Iterable[FileEntry]) -> dict[str, str]:
    """Digests of what the listing of a city's images reads.

    Args:
        files: of the city's image folder, as `walk_files` gives them.
    """
    captures = captures_file(store, city)
    of_captures = {"captures": digest_file(captures)} if captures.is_file() else {}
    return {
        "street_image_files": fingerprint(files),
        "locations": location_list_digest(store, city),
        # Where there are some, so that a city without any is not listed again.
        **of_captures,
        **imagery_digests(store, city),
    }


def changed_listing(store: DataStore, city: str) -> str | None:
    """A digest of a city's files where they are not those that `street_images` lists, else None.

    They are not either where the listing was damaged since.

    Raises:
        SourceError: a folder cannot be read.
    """
    inputs = listing_inputs(store, city, walk_files(store.inputs("images", city)))
    manifest = store.intact("street_images", city)
    if manifest and manifest.recipe.inputs == inputs:
        return None
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def fingerprint(files: Iterable[FileEntry]) -> str:
    """sha256 over every file's path, size, modification time, and whether it can be read."""
    digest = hashlib.sha256()
    for file in files:
        state = f"{file.path}\0{file.size_bytes}\0{file.modified_ns}\0{file.readable}\n"
        digest.update(state.encode())
    return digest.hexdigest()


def slice_digest(images: pd.DataFrame) -> str:
    """Digest of one bucket's rows of `street_images`."""
    return _Slices(images).of(np.arange(len(images)))


def slice_digests(images: pd.DataFrame, keys: Iterable[str]) -> dict[str, str]:
    """`slice_digest` of every bucket in `keys`, empty ones too."""
    rows = images.groupby("bucket", sort=False).indices
    slices = _Slices(images)
    return {key: slices.of(rows.get(key, np.arange(0))) for key in keys}


class _Slices:
    """Digests of parts of a listing, whose rows are hashed once."""

    def __init__(self, images: pd.DataFrame) -> None:
        cuts = images.reindex(columns=_CUT)  # which listings of earlier versions do not have
        self._files, self._cuts = RowDigests(images[_SLICE]), RowDigests(cuts)
        self._is_cut = cuts["projection"].notna().to_numpy()

    def of(self, rows: np.ndarray) -> str:
        files = self._files.of(rows)
        if not self._is_cut[rows].any():
            return files
        return hashlib.sha256(f"{files} {self._cuts.of(rows)}".encode()).hexdigest()
