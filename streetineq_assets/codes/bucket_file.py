"""The HDF5 file of one bucket of codes: what is in it, and how it is written and read.

A row's id, its images' hashes and its codes lie in one file, so that they can never part.

Layout: `features (n, V, width) float32` of V views, `location_id (n) utf-8`, `image_sha256 (n, V)`,
rows in ascending order of id; `rejected_location_id, rejected_view, rejected_reason`, one entry for
each view for which a location was rejected or is missing. Where some views are absent,
`present (n, V) bool` says which are there; without it all are. Codes of an absent view are 0, its
image's hash is empty. The attributes say which encoder made the codes, and `content_sha256` covers
all of the above. Beside them lie `image_phash (n, V) uint64` and `image_quality (n, V, 3) float32`
with `phash_sha256` and `quality_sha256`, which files of earlier versions lack: codes are the same
with and without.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streetineq_assets.codes.hdf5 import new_hdf5, open_hdf5
from streetineq_assets.codes.identity import EncoderIdentity, plain_attribute
from streetineq_assets.codes.perceptual_hash import UNKNOWN
from streetineq_assets.codes.quality import FIGURES
from streetineq_assets.errors import clear_disk_errors
from streetineq_assets.images.catalogue import VIEWS

# What h5py raises where it meets flipped bits: it has no error of its own.
DAMAGE = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
_DIGEST = "content_sha256"
_PRESENT = "present"
_OF_PICTURES = {"image_phash": "phash_sha256", "image_quality": "quality_sha256"}


class Rejection(NamedTuple):
    """Why one view keeps its location from being encoded."""

    location_id: str
    view: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """What a bucket file holds beside its features.

    Attributes:
        location_ids: of the rows.
        image_sha256: (n, V) hexadecimal strings, in the order of the views; empty where a view is
            absent, or its image is not known.
        identity: of the encoder that made the codes.
        rejections: of the locations without a row.
        attributes: what else is worth knowing, such as library versions.
        image_phash: (n, V) uint64, `perceptual_hash.UNKNOWN` where it was never made; None in files
            of earlier versions.
        image_quality: (n, V, 3) float32, `quality.FIGURES` of each view, NaN where they were never
            made; None in files of earlier versions.
        present: (n, V) bool, which views are there; None where all are.
    """

    location_ids: Sequence[str]
    image_sha256: np.ndarray
    identity: EncoderIdentity
    rejections: Sequence[Rejection] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    image_phash: np.ndarray | None = None
    image_quality: np.ndarray | None = None
    present: np.ndarray | None = None

    @property
    def n_views(self) -> int:
        """Views of a location, present or absent; four where there is no location."""
        hashes = np.asarray(self.image_sha256)
        return hashes.shape[1] if hashes.ndim == 2 else len(VIEWS)

    @property
    def views_present(self) -> np.ndarray:
        """(n, V) bool: `present`, or all."""
        everything = np.ones((len(self.location_ids), self.n_views), bool)
        return everything if self.present is None else self.present

    @property
    def hashes_of_pictures(self) -> np.ndarray:
        """(n, V) uint64: `image_phash`, or `UNKNOWN` throughout."""
        unknown = np.full((len(self.location_ids), self.n_views), UNKNOWN)
        return unknown if self.image_phash is None else self.image_phash

    @property
    def quality_of_pictures(self) -> np.ndarray:
        """(n, V, 3) float32: `image_quality`, or NaN throughout."""
        shape = (len(self.location_ids), self.n_views, len(FIGURES))
        unknown = np.full(shape, np.nan, np.float32)
        return unknown if self.image_quality is None else self.image_quality


def write_bucket(path: Path, contents: Contents, features: Iterable[np.ndarray]) -> str:
    """Write a bucket file, flush it to disk, and put it into its place.

    Args:
        features: consecutive blocks (m, V, width) float32 of all rows; one is in memory at a time.
            What stands in the place of an absent view is not written.

    Returns:
        The content's sha256, with what is noted of pictures, which does not depend on the library
        that wrote the file.

    Raises:
        StoreError: the disk is full.
        ValueError: more or fewer rows of features than locations, more views than have names, or a
            location without any.
    """
    draft = path.with_name(f"{path.name}.tmp")
    _require_views(contents)
    count, start = len(contents.location_ids), 0
    shape = (count, contents.n_views, contents.identity.width)
    with clear_disk_errors(path):
        with new_hdf5(draft, shape, np.dtype(np.float32)) as file:
            _write_contents(file, contents)
            digest = _digest(contents)
            dataset = file.create_dataset("features", shape, np.float32)
            for given in features:
                block = _without_absent(given, contents, start)
                dataset[start : start + len(block)] = block
                digest.update(np.ascontiguousarray(block).data)
                start += len(block)
            file.attrs[_DIGEST] = digest.hexdigest()
            digest.update("".join(_digests_of_pictures(contents).values()).encode())
        if start != count:
            raise ValueError(f"{start} rows of features for {count} locations")
        _flush_to_disk(draft)
        draft.replace(path)
    return digest.hexdigest()


class Bucket:
    """A bucket file, open for reading; a context manager.

    Raises:
        StoreError: the file is not HDF5.
        FileLockedError: another program holds it, or its file system has no locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_hdf5(path, remedy="materialise its bucket of image_codes again")

    def __enter__(self) -> "Bucket":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @cached_property
    def contents(self) -> Contents:
        """Ids, hashes, encoder and rejections."""
        file = self._file
        rejected = [file[f"rejected_{name}"].asstr()[:].tolist() for name in Rejection._fields]
        identity = EncoderIdentity.from_attributes(file.attrs)
        known = {_DIGEST, *_OF_PICTURES.values(), *identity.attributes}
        return Contents(
            location_ids=file["location_id"].asstr()[:].tolist(),
            image_sha256=file["image_sha256"].asstr("ascii")[:],
            identity=identity,
            rejections=[Rejection(*entry) for entry in zip(*rejected, strict=True)],
            attributes={
                n: plain_attribute(value) for n, value in file.attrs.items() if n not in known
            },
            **{name: file[name][:] for name in (*_OF_PICTURES, _PRESENT) if name in file},
        )

    @property
    def digest(self) -> str:
        """The sha256 of all but what is noted of pictures, as the file's writer put it down."""
        return str(self._file.attrs.get(_DIGEST, ""))

    def read(self, rows: slice | Sequence[int]) -> np.ndarray:
        """Features (m, V, width) of ascending rows."""
        if not isinstance(rows, slice) and rows[-1] - rows[0] == len(rows) - 1:
            rows = slice(rows[0], rows[-1] + 1)  # h5py is many times faster on these
        return self._file["features"][rows]

    def is_intact(self) -> bool:
        """Whether all that the file holds is what was written."""
        digest = _digest(self.contents)
        for _, block in self.blocks():
            digest.update(block.data)
        attributes = self._file.attrs
        found = {name: attributes[name] for name in _OF_PICTURES.values() if name in attributes}
        whole = _digests_of_pictures(self.contents) == found
        return whole and digest.hexdigest() == self.digest

    def is_finite(self) -> bool:
        """Whether all codes are finite numbers."""
        return all(bool(np.isfinite(block).all()) for _, block in self.blocks())

    def blocks(self, rows: int = 256) -> Iterator[tuple[int, np.ndarray]]:
        """All features in order: the number of the first row, and a block (m, V, width)."""
        for start in range(0, self._file["features"].shape[0], rows):
            yield start, self.read(slice(start, start + rows))


def _require_views(contents: Contents) -> None:
    if contents.n_views > len(VIEWS):
        raise ValueError(f"{contents.n_views} views of a location, and names for {len(VIEWS)}")
    without = ~contents.views_present.any(axis=1)
    if without.any():
        raise ValueError(f"no view of location {contents.location_ids[int(without.argmax())]}")


def _has_absent(contents: Contents) -> bool:
    return contents.present is not None and not contents.present.all()


def _without_absent(block: np.ndarray, contents: Contents, start: int) -> np.ndarray:
    """A block whose absent views are 0, whatever was given in their place."""
    if not _has_absent(contents):
        return block
    there = contents.views_present[start : start + len(block), :, None]
    return np.where(there, block, np.float32(0))


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _write_contents(file: Any, contents: Contents) -> None:
    import h5py

    text = h5py.string_dtype("utf-8")
    ids = list(contents.location_ids)
    hashes = np.asarray(contents.image_sha256, dtype="S64").reshape(len(ids), contents.n_views)
    file.create_dataset("location_id", data=ids, dtype=text, shape=(len(ids),))
    file.create_dataset("image_sha256", data=hashes, dtype=h5py.string_dtype("ascii", 64))
    for name in Rejection._fields:
        values = [getattr(entry, name) for entry in contents.rejections]
        shape = (len(values),)
        file.create_dataset(f"rejected_{name}", data=values, dtype=text, shape=shape)
    if _has_absent(contents):
        file.create_dataset(_PRESENT, data=contents.present)
    file.attrs.update({**contents.identity.attributes, **contents.attributes})
    for name in _OF_PICTURES:
        if (noted := getattr(contents, name)) is not None:
            file.create_dataset(name, data=noted)
    file.attrs.update(_digests_of_pictures(contents))


def _digests_of_pictures(contents: Contents) -> dict[str, str]:
    """The sha256 of each array of what is noted of pictures, by the name of its attribute."""
    return {
        attribute: hashlib.sha256(noted.astype(noted.dtype.newbyteorder("<")).tobytes()).hexdigest()
        for name, attribute in _OF_PICTURES.items()
        if (noted := getattr(contents, name)) is not None
    }


def _digest(contents: Contents) -> Any:
    """A sha256 that has seen all but the features and what is noted of pictures."""
    hashes = np.asarray(contents.image_sha256).tolist()
    covered = [
        contents.identity.covered,
        list(contents.location_ids),
        hashes,
        list(contents.rejections),
    ]
    if _has_absent(contents):
        covered.append(contents.views_present.tolist())
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode())
