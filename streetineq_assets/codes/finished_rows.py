"""Rows of a bucket that need not be encoded again, in earlier bucket files and in parts.

A part is a file with the layout of a bucket file in the workspace of a bucket. It holds rows in the
order in which they were encoded, and is written, flushed and renamed into place, so that a kill at
any moment loses the rows since the last part.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from streetineq_assets.codes.bucket_file import DAMAGE, Bucket, Contents, write_bucket
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.image_loading import Hashes
from streetineq_assets.codes.pictures import Pictures
from streetineq_assets.errors import StoreError
from streetineq_assets.images.catalogue import VIEWS

SCREENING = "screening"  # the attribute of files of codes
_PART = "part-*.h5"
_MERGE_ROWS = 256


@dataclass(frozen=True)
class _Place:
    """A finished row: how its file is opened, and where in it."""

    opener: Callable[[], AbstractContextManager[Bucket]]
    row: int
    hashes: Hashes
    pictures: Pictures
    screening: str | None


class FinishedRows:
    """The finished rows of one encoder by location; a context manager, which closes the files.

    Args:
        work: the bucket's workspace, where parts lie.
        identity: rows that another encoder made are left out.
        screening: by which rules pictures are judged now, `screening.label`.
        wanted: the locations that matter.
        report: called with a line for each part that is dropped.
    """

    def __init__(
        self,
        work: Path,
        identity: EncoderIdentity,
        *,
        screening: str,
        wanted: Collection[str],
        report: Callable[[str], None],
    ) -> None:
        self._work, self._identity, self._report = work, identity, report
        self._screening = screening
        self._wanted = set(wanted)
        self._places: dict[str, _Place] = {}
        self._files = ExitStack()

    def __enter__(self) -> "FinishedRows":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    @property
    def hashes(self) -> dict[str, Hashes]:
        """Of the images from which each location's row was made."""
        return {location_id: place.hashes for location_id, place in self._places.items()}

    @property
    def pictures(self) -> dict[str, Pictures]:
        """What was noted of each location's pictures."""
        return {location_id: place.pictures for location_id, place in self._places.items()}

    @property
    def screened(self) -> set[str]:
        """Locations whose pictures are known, and were judged by the present rules."""
        return {
            location_id
            for location_id, place in self._places.items()
            if place.screening == self._screening and place.pictures.known
        }

    def add_bucket(self, path: Path) -> None:
        """Take in a bucket file, which the caller has checked against its manifest."""
        # It stays open, since another run may put a new file into its place.
        bucket = self._files.enter_context(Bucket(path))
        if bucket.contents.identity.is_same(self._identity):
            self._index(bucket.contents, partial(nullcontext, bucket))

    def add_parts(self) -> None:
        """Take in the parts in the workspace; those that are of no use are removed.

        Raises:
            OSError, FileLockedError: a part cannot be opened at all, which says nothing about what
                it holds.
        """
        for path in sorted(self._work.glob(_PART)):
            contents = self._usable(path)
            if contents:
                self._index(contents, partial(Bucket, path))
            else:
                reason = "damaged, not finite, or of another encoder"
                self._report(f"{path.name} is removed: it is {reason}")
                path.unlink()

    def write_part(
        self,
        ids: Sequence[str],
        hashes: Sequence[Hashes],
        pictures: Sequence[Pictures],
        codes: np.ndarray,
    ) -> None:
        """Put encoded rows aside.

        Args:
            pictures: what was noted of each location's.
            codes: (n, 4, width) float32.
        """
        digests = np.array(hashes)
        contents = Contents(
            ids,
            digests,
            self._identity,
            present=digests != "",
            attributes={SCREENING: self._screening},
            image_phash=np.stack([each.phash for each in pictures]),
            image_quality=np.stack([each.quality for each in pictures]),
        )
        path = self._work / f"part-{uuid.uuid4().hex}.h5"
        write_bucket(path, contents, [codes])
        # Hours of work leave more parts than a process may hold open.
        self._index(contents, partial(Bucket, path))

    def read(self, ids: Sequence[str]) -> Iterator[np.ndarray]:
        """Codes of the locations in the order given, in blocks (m, 4, width) float32."""
        for start in range(0, len(ids), _MERGE_ROWS):
            places = [self._places[location_id] for location_id in ids[start : start + _MERGE_ROWS]]
            block = np.empty((len(places), len(VIEWS), self._identity.width), np.float32)
            by_file = defaultdict(list)
            for position, place in enumerate(places):
                by_file[place.opener].append((place.row, position))
            for opener, rows_and_positions in by_file.items():
                rows, positions = zip(*sorted(rows_and_positions), strict=True)
                with opener() as file:
                    block[list(positions)] = file.read(list(rows))
            yield block

    def _usable(self, path: Path) -> Contents | None:
        path.open("rb").close()
        try:
            with Bucket(path) as part:
                same = part.contents.identity.is_same(self._identity)
                return part.contents if same and part.is_intact() and part.is_finite() else None
        except (StoreError, *DAMAGE):
            return None

    def _index(
        self, contents: Contents, opener: Callable[[], AbstractContextManager[Bucket]]
    ) -> None:
        hashes, screening = contents.image_sha256.tolist(), contents.attributes.get(SCREENING)
        phashes, quality = contents.hashes_of_pictures, contents.quality_of_pictures
        for row, location_id in enumerate(contents.location_ids):
            if location_id in self._wanted:
                pictures = Pictures(phashes[row], quality[row])
                self._places[location_id] = _Place(
                    opener, row, tuple(hashes[row]), pictures, screening
                )
