"""One bucket of locations, from the bytes of their images to a file of codes.

What belongs here: the order of the work (read, hash, decode, encode, write), what is reused, what
is rejected, and how a crash loses little. What does not: the file's layout (`bucket`), the network
(`encoders`), a single image (`preprocess`), whole cities (`shards`).

Every image is read and hashed; a location is encoded when no earlier file holds a row with the same
id, image hashes and encoder. Finished rows are put aside as part files, each written, flushed and
renamed into place, so that a kill at any moment loses the rows since the last part. Parts have the
layout of a bucket file. At the end the rows of parts and earlier files are merged in order of id.
"""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from streetineq_assets.codes.bucket_file import DAMAGE, Bucket, Contents, write_bucket
from streetineq_assets.codes.encoders import Encoder
from streetineq_assets.codes.image_loading import (
    GONE,
    MISSING,
    Hashes,
    Prepared,
    plan,
    prepare_location,
    read_archives,
    reasons_by_location,
)
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Check, Findings
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.images.checks import KEPT_SHARE
from streetineq_assets.prefetch import prefetch

_MERGE_ROWS = 256
_REPORT_EVERY_S = 60.0
_PART = "part-*.h5"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How the work is cut; it changes no result.

    Attributes:
        workers: threads that read and decode.
        part_rows, part_seconds: a part is written when it has so many rows, or after so long.
    """

    workers: int = 4
    part_rows: int = 512
    part_seconds: float = 30.0


@dataclass(frozen=True)
class Place:
    """A finished row: how its file is opened, and where in it."""

    opener: Callable[[], AbstractContextManager[Bucket]]
    row: int
    hashes: Hashes


def extract_bucket(
    images: pd.DataFrame,
    *,
    root: Path,
    encoder: Encoder,
    target: Path,
    work: Path,
    previous: Sequence[Path] = (),
    attributes: Mapping[str, Any] | None = None,
    pace: Pace = Pace(),
    report: Report = lambda _: None,
) -> Findings:
    """Encode a bucket's locations and write its file.

    Args:
        images: the bucket's rows of `street_images`, four for each location.
        root: the folder to which their paths are relative.
        target: the file to write; it appears when everything is done.
        work: a folder that outlives a crash; parts are found and left there.
        previous: bucket files whose rows may be reused, already checked against their manifests.
        attributes: what else the file's attributes say.
        report: called with a line of progress about once a minute.

    Returns:
        Accounting by location, seconds by phase, and the checks `accounting, identity, finite,
        images_there` (blocking) and `complete, distinct_views`.

    Raises:
        StoreError: the disk is full, or another process works on this bucket.
    """
    with _alone(work), ExitStack() as files:
        extraction = _Extraction(
            images, encoder=encoder, work=work, files=files, pace=pace, report=report
        )
        extraction.know(previous)
        extraction.encode_all(root)
        return extraction.merge(target, attributes or {})


class _Extraction:
    """The state of one bucket's extraction."""

    def __init__(
        self,
        images: pd.DataFrame,
        *,
        encoder: Encoder,
        work: Path,
        files: ExitStack,
        pace: Pace,
        report: Report,
    ) -> None:
        self.encoder, self.work, self.files, self.pace = encoder, work, files, pace
        self.report = report
        self.jobs, self.rejections = plan(images)
        self.listed = images["location_id"].nunique()
        self.known: dict[str, Place] = {}
        self.kept: dict[str, Place] = {}
        self.encoded = 0
        self.seconds: Counter = Counter(dict.fromkeys(("read", "decode", "device", "write"), 0.0))
        self.started = time.perf_counter()

    def know(self, previous: Iterable[Path]) -> None:
        """Find the rows of earlier files and parts that this encoder made."""
        wanted = {job.location_id for job in self.jobs}
        for path in previous:
            # It stays open, since another run may put a new file into its place.
            bucket = self.files.enter_context(Bucket(path))
            self._index(bucket.contents, partial(nullcontext, bucket), wanted)
        for path in sorted(self.work.glob(_PART)):
            part = self._usable_part(path)
            if part:
                self._index(part, partial(Bucket, path), wanted)
            else:
                self.report(f"{path.name} is damaged, not finite, or of another encoder: dropped")
                path.unlink()

    def encode_all(self, root: Path) -> None:
        """Read every image, encode what is not known, put finished rows aside as parts."""
        prepare = partial(
            prepare_location,
            root=root,
            known={location_id: place.hashes for location_id, place in self.known.items()},
            antialias=self.encoder.identity["preprocessing"] == "antialias",
        )
        per_batch = self.encoder.batch_size // len(VIEWS)
        ahead = 2 * per_batch + self.pace.workers
        prepared = prefetch(
            prepare, read_archives(self.jobs, root), workers=self.pace.workers, ahead=ahead
        )
        rows: list[tuple[Prepared, np.ndarray]] = []
        since = reported = time.perf_counter()
        for row in self._encode(_batches(self._sort_out(prepared), per_batch)):
            rows.append(row)
            now = time.perf_counter()
            if len(rows) >= self.pace.part_rows or now - since >= self.pace.part_seconds:
                self._write_part(rows)
                rows, since = [], now
            if now - reported >= _REPORT_EVERY_S:
                self._report_progress()
                reported = now
        if rows:
            self._write_part(rows)

    def merge(self, target: Path, attributes: Mapping[str, Any]) -> Findings:
        """Write all kept rows in order of id, and account for every location."""
        started = time.perf_counter()
        ids = sorted(self.kept)
        contents = Contents(
            ids,
            np.array([self.kept[each].hashes for each in ids]).reshape(len(ids), len(VIEWS)),
            {**self.encoder.identity, **attributes},
            sorted(self.rejections),
        )
        not_finite = Counter()
        digest = write_bucket(target, contents, self._merged(ids, not_finite))
        self.seconds["write"] += time.perf_counter() - started
        return self._findings(target, contents, not_finite["rows"], digest)

    def _usable_part(self, path: Path) -> Contents | None:
        """What a part holds; None when it is to be dropped.

        Raises:
            OSError: the file cannot be opened at all, which says nothing about what it holds.
        """
        path.open("rb").close()
        try:
            with Bucket(path) as part:
                same = part.contents.identity == self.encoder.identity
                return part.contents if same and part.is_intact() and part.is_finite() else None
        except (StoreError, *DAMAGE):
            return None

    def _index(
        self,
        contents: Contents,
        opener: Callable[[], AbstractContextManager[Bucket]],
        wanted: set[str],
    ) -> None:
        if contents.identity != self.encoder.identity:
            return
        for row, location_id in enumerate(contents.location_ids):
            if location_id in wanted:
                hashes = tuple(contents.image_sha256[row].tolist())
                self.known[location_id] = Place(opener, row, hashes)

    def _sort_out(self, prepared: Iterable[Prepared]) -> Iterator[Prepared]:
        """Let pass what is to be encoded; book the rest."""
        for each in prepared:
            self.seconds["read"] += each.read_s
            self.seconds["decode"] += each.decode_s
            if each.pixels is not None:
                yield each
            elif each.rejections:
                self.rejections.extend(each.rejections)
            else:
                self.kept[each.location_id] = self.known[each.location_id]

    def _encode(self, batches: Iterable[list[Prepared]]) -> Iterator[tuple[Prepared, np.ndarray]]:
        """Locations with their codes (4, width); a GPU computes while the next is gathered."""
        running: tuple[list[Prepared], Any] | None = None
        for batch in batches:
            started = time.perf_counter()
            pixels = np.zeros((self.encoder.batch_size, *batch[0].pixels.shape[1:]), np.float32)
            for place, each in enumerate(batch):
                pixels[place * len(VIEWS) : (place + 1) * len(VIEWS)] = each.pixels
            computing = self.encoder.encode(pixels)
            self.seconds["device"] += time.perf_counter() - started
            if running:
                yield from self._finish(*running)
            running = ([replace(each, pixels=None) for each in batch], computing)
        if running:
            yield from self._finish(*running)

    def _finish(
        self, batch: list[Prepared], computing: Any
    ) -> Iterator[tuple[Prepared, np.ndarray]]:
        started = time.perf_counter()
        codes = np.asarray(computing, dtype=np.float32).reshape(-1, len(VIEWS), self.encoder.width)
        self.seconds["device"] += time.perf_counter() - started
        self.encoded += len(batch)
        yield from zip(batch, codes, strict=False)  # the last batch is filled up with zeros

    def _write_part(self, rows: list[tuple[Prepared, np.ndarray]]) -> None:
        started = time.perf_counter()
        contents = Contents(
            [each.location_id for each, _ in rows],
            np.array([each.hashes for each, _ in rows]),
            self.encoder.identity,
        )
        path = self.work / f"part-{uuid.uuid4().hex}.h5"
        write_bucket(path, contents, [np.stack([codes for _, codes in rows])])
        opener = partial(Bucket, path)  # hours of work leave more parts than a process may open
        for row, (each, _) in enumerate(rows):
            self.kept[each.location_id] = Place(opener, row, each.hashes)
        self.seconds["write"] += time.perf_counter() - started

    def _merged(self, ids: list[str], not_finite: Counter) -> Iterator[np.ndarray]:
        for start in range(0, len(ids), _MERGE_ROWS):
            places = [self.kept[location_id] for location_id in ids[start : start + _MERGE_ROWS]]
            block = np.empty((len(places), len(VIEWS), self.encoder.width), np.float32)
            by_file = defaultdict(list)
            for position, place in enumerate(places):
                by_file[place.opener].append((place.row, position))
            for opener, pairs in by_file.items():
                rows, positions = zip(*sorted(pairs), strict=True)
                with opener() as file:
                    block[list(positions)] = file.read(list(rows))
            not_finite["rows"] += int((~np.isfinite(block).all(axis=(1, 2))).sum())
            yield block

    def _report_progress(self) -> None:
        elapsed = time.perf_counter() - self.started
        speed = self.encoded * len(VIEWS) / elapsed
        self.report(
            f"{len(self.kept)} of {len(self.jobs)} locations done, {speed:.1f} images a second"
        )

    def _findings(self, target: Path, contents: Contents, not_finite: int, digest: str) -> Findings:
        elapsed = time.perf_counter() - self.started
        reasons = Counter(reasons_by_location(contents.rejections).values())
        extracted = len(contents.location_ids)
        account = {
            "listed": self.listed,
            "extracted": extracted,
            "rejected": reasons.total() - reasons[MISSING],
            "missing": reasons[MISSING],
        }
        twice = sum(len(set(hashes)) < len(VIEWS) for hashes in contents.image_sha256.tolist())
        figures = account | {
            "encoded_now": self.encoded,
            "reused": extracted - self.encoded,
            "identical_views": twice,
            "images_per_second": round(self.encoded * len(VIEWS) / elapsed, 3),
            **{f"{phase}_seconds": round(spent, 3) for phase, spent in self.seconds.items()},
            "total_seconds": round(elapsed, 3),
        }
        checks = _checks(account, not_finite=not_finite, twice=twice)
        checks += [self._identity_check(target, contents), _images_there(account, reasons[GONE])]
        table = [{"reason": why, "locations": n} for why, n in sorted(reasons.items()) if n]
        return Findings(figures, checks, {"without_codes": table}, digest=digest)

    def _identity_check(self, target: Path, contents: Contents) -> Check:
        """Read the file back: its ids are the listed ones less the rejected, each once, sorted."""
        with Bucket(target) as written:
            ids, hashes = written.contents.location_ids, written.contents.image_sha256
        expected = {job.location_id for job in self.jobs}
        expected -= {entry.location_id for entry in contents.rejections}
        passed = ids == sorted(expected) and hashes.tolist() == contents.image_sha256.tolist()
        return Check("identity", passed, "rows are the locations that they say", blocking=True)


def _checks(account: Mapping[str, int], *, not_finite: int, twice: int) -> list[Check]:
    without = account["rejected"] + account["missing"]
    text = "{listed} listed = {extracted} extracted + {rejected} rejected + {missing} missing"
    return [
        Check(
            "accounting",
            account["listed"] == account["extracted"] + without,
            text.format(**account),
            blocking=True,
        ),
        Check(
            "finite",
            not_finite == 0,
            f"{not_finite} locations have codes that are not finite numbers",
            blocking=True,
        ),
        Check(
            "complete",
            without == 0,
            f"{without} of {account['listed']} listed locations have no codes",
        ),
        Check("distinct_views", twice == 0, f"{twice} locations have the same image in two views"),
    ]


def _images_there(account: Mapping[str, int], gone: int) -> Check:
    """Codes of a bucket are not given up because a disk is away for an hour."""
    passed = gone <= KEPT_SHARE * account["listed"]
    text = f"{gone} of {account['listed']} locations have an image that is gone since the listing"
    if not passed:
        text += ": is the images' disk mounted? If they were removed on purpose, list them again"
    return Check("images_there", passed, text, blocking=True)


def _batches(items: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """One process at a time in a workspace; the kernel frees the lock of a dead one."""
    try:
        with FileLock(work / "lock", timeout=0):
            yield
    except Timeout as error:
        raise StoreError(f"another process works in {work}: wait for it to end") from error
