"""One bucket of locations, from the bytes of their images to a file of codes.

Every image is read and hashed; a location is encoded when no earlier file holds a row with the same
id, image hashes and encoder. Encoded rows are put aside as parts while the work goes on
(`finished_rows`), and at the end rows of parts and of earlier files are merged in order of id.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.codes.accounting import reason_counts
from streetineq_assets.codes.bucket_file import Contents, Rejection
from streetineq_assets.codes.bucket_findings import Written, bucket_findings, write_looked_at
from streetineq_assets.codes.encoders.encoder import Encoder
from streetineq_assets.codes.finished_rows import SCREENING, FinishedRows
from streetineq_assets.codes.image_loading import (
    Finished,
    Hashes,
    Locate,
    LocationImages,
    Prepared,
    complete_locations,
    prepare_location,
    read_archives,
)
from streetineq_assets.codes.pictures import Pictures
from streetineq_assets.codes.quality import FIGURES
from streetineq_assets.codes.screening import label
from streetineq_assets.findings import Findings, Scalar
from streetineq_assets.image_settings import Images, Views
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.locks import one_process
from streetineq_assets.prefetch import prefetch

_REPORT_EVERY_S = 60.0
_PHASES = ("reading", "decoding", "device", "writing")
_DEFAULT_LIMITS, _DEFAULT_VIEWS = Images(), Views()
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


def extract_bucket(
    images: pd.DataFrame,
    *,
    locate: Locate,
    encoder: Encoder,
    target: Path,
    work: Path,
    n_buckets: int,
    limits: Images = _DEFAULT_LIMITS,
    views: Views = _DEFAULT_VIEWS,
    previous: Sequence[Path] = (),
    attributes: Mapping[str, Any] | None = None,
    pace: Pace = Pace(),
    report: Report = lambda _: None,
) -> Findings:
    """Encode a bucket's locations and write its file.

    Args:
        images: the bucket's rows of `street_images`, four for each location.
        locate: the file of a path of theirs, `images.files.locate`.
        target: the file to write; it appears when everything is done.
        work: a folder that outlives a crash; parts of an earlier run there are used, and stay.
        n_buckets: of the city; recorded.
        limits: which pictures are refused, `[images]` of study.toml.
        views: how views are cut of panoramas, `[views]` of study.toml.
        previous: bucket files whose rows may be reused, already checked against their manifests.
        attributes: what else the file's attributes say.
        report: called with a line of progress about once a minute.

    Returns:
        Accounting by location, seconds by phase, the checks of `checks.IMAGE_CODES` but
        those of the encoder, and a `BucketRecord`.

    Raises:
        StoreError: the disk is full, or another process works on this bucket.
    """
    listed = complete_locations(images, views, limits.least_views)
    wanted = [location.location_id for location in listed.complete]
    screening = label(limits)
    rows = FinishedRows(work, encoder.identity, screening=screening, wanted=wanted, report=report)
    with one_process(work, report), rows as finished:
        for path in previous:
            finished.add_bucket(path)
        finished.add_parts()
        extraction = _Extraction(encoder, finished, pace=pace, report=report)
        extraction.encode(listed.complete, locate, limits)
        attributes = {**(attributes or {}), SCREENING: screening}
        written = extraction.merge(target, listed.rejections, attributes)
    n_listed = images["location_id"].nunique()
    findings = bucket_findings(
        target, written, n_listed=n_listed, n_buckets=n_buckets, wanted=wanted
    )
    findings.values |= extraction.values()
    # A view of a location that was rejected after all is among its rejections.
    done = extraction.done
    absent = [each for each in (*listed.absent, *extraction.absent) if each.location_id in done]
    findings.values["n_absent_views"] = len(absent)
    findings.tables["absent_views"] = reason_counts(absent)
    return findings


class _Extraction:
    """The work on one bucket: which locations are done, which are rejected, and how long it took.

    Attributes:
        done: locations with a finished row.
        rejections: of the views that could not be used.
        absent: the same, of locations that are encoded without them.
    """

    def __init__(
        self, encoder: Encoder, finished: FinishedRows, *, pace: Pace, report: Report
    ) -> None:
        self.done: set[str] = set()
        self.rejections: list[Rejection] = []
        self.absent: list[Rejection] = []
        self._pictures: dict[str, Pictures] = {}
        self._encoder, self._finished, self._pace, self._report = encoder, finished, pace, report
        self._n_encoded = 0
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._started = time.perf_counter()

    def encode(self, locations: Sequence[LocationImages], locate: Locate, limits: Images) -> None:
        """Read every image, encode what has no row yet, put encoded rows aside as parts."""
        prepare = partial(
            prepare_location,
            locate=locate,
            finished=Finished(self._finished.hashes, self._finished.screened),
            limits=limits,
            preprocessing=self._encoder.preprocessing,
        )
        per_batch = self._encoder.batch_size // len(VIEWS)
        ahead = 2 * per_batch + self._pace.workers
        prepared = prefetch(
            prepare, read_archives(locations, locate), workers=self._pace.workers, ahead=ahead
        )
        rows: list[_Row] = []
        since = reported = time.perf_counter()
        for row in self._encoded(_batches(self._to_encode(prepared), per_batch)):
            rows.append(row)
            now = time.perf_counter()
            if len(rows) >= self._pace.part_rows or now - since >= self._pace.part_seconds:
                self._write_part(rows)
                rows, since = [], now
            if now - reported >= _REPORT_EVERY_S:
                speed = f"{self._images_per_second:.1f} images a second"
                self._report(f"{len(self.done)} of {len(locations)} locations done, {speed}")
                reported = now
        if rows:
            self._write_part(rows)

    def merge(
        self, target: Path, rejections: Sequence[Rejection], attributes: Mapping[str, Any]
    ) -> Written:
        """Write the bucket's file from finished rows, in order of id.

        Args:
            rejections: of the views that the listing had no image for.
            attributes: what else the file's attributes say.
        """
        started = time.perf_counter()
        ids, hashes = sorted(self.done), self._finished.hashes
        known = self._finished.pictures | self._pictures
        pictures = [known[location_id] for location_id in ids]
        digests = np.array([hashes[each] for each in ids], str).reshape(len(ids), len(VIEWS))
        contents = Contents(
            location_ids=ids,
            image_sha256=digests,
            present=digests != "",
            identity=self._encoder.identity,
            rejections=sorted([*rejections, *self.rejections]),
            attributes=attributes,
            image_phash=np.array([p.phash for p in pictures], np.uint64).reshape(-1, len(VIEWS)),
            image_quality=np.array([p.quality for p in pictures], np.float32).reshape(
                -1, len(VIEWS), len(FIGURES)
            ),
        )
        written = write_looked_at(target, contents, self._finished.read(ids))
        self._seconds["writing"] += time.perf_counter() - started
        return written

    def values(self) -> dict[str, Scalar]:
        """What was encoded, how fast, and the seconds of each phase; phases overlap."""
        return {
            "n_encoded_now": self._n_encoded,
            "n_reused": len(self.done) - self._n_encoded,
            "images_per_second": self._images_per_second,
            **{f"seconds_{phase}": self._seconds[phase] for phase in _PHASES},
            "seconds_total": time.perf_counter() - self._started,
        }

    @property
    def _images_per_second(self) -> float:
        return self._n_encoded * len(VIEWS) / (time.perf_counter() - self._started)

    def _to_encode(self, prepared: Iterable[Prepared]) -> Iterator[Prepared]:
        """Let pass what is to be encoded; book the rest."""
        for each in prepared:
            self._seconds["reading"] += each.seconds_reading
            self._seconds["decoding"] += each.seconds_decoding
            if each.pictures is not None:
                self._pictures[each.location_id] = each.pictures
            self.absent.extend(each.absent)
            if each.pixels is not None:
                yield each
            elif each.rejections:
                self.rejections.extend(each.rejections)
            else:
                self.done.add(each.location_id)

    def _encoded(self, batches: Iterable[list[Prepared]]) -> Iterator["_Row"]:
        """Locations with their codes (4, width); a GPU computes while the next is gathered."""
        running: tuple[list[Prepared], Any] | None = None
        for batch in batches:
            started = time.perf_counter()
            shape = (self._encoder.batch_size, *self._encoder.input_shape)
            pixels = np.zeros(shape, np.float32)
            for place, each in enumerate(batch):
                pixels[place * len(VIEWS) : (place + 1) * len(VIEWS)] = each.pixels
            computing = self._encoder.encode(pixels)
            self._seconds["device"] += time.perf_counter() - started
            if running:
                yield from self._finish(*running)
            running = ([replace(each, pixels=None) for each in batch], computing)
        if running:
            yield from self._finish(*running)

    def _finish(self, batch: list[Prepared], computing: Any) -> Iterator["_Row"]:
        started = time.perf_counter()
        codes = np.asarray(computing, dtype=np.float32).reshape(-1, len(VIEWS), self._encoder.width)
        self._seconds["device"] += time.perf_counter() - started
        self._n_encoded += len(batch)
        for each, row in zip(batch, codes, strict=False):  # the last batch is filled up with zeros
            yield _Row(each.location_id, each.hashes, row)

    def _write_part(self, rows: list["_Row"]) -> None:
        started = time.perf_counter()
        ids, hashes, codes = zip(*rows, strict=True)
        pictures = [self._pictures[location_id] for location_id in ids]
        self._finished.write_part(ids, hashes, pictures, np.stack(codes))
        self.done.update(ids)
        self._seconds["writing"] += time.perf_counter() - started


class _Row(NamedTuple):
    """A location that was encoded just now; `codes` is (4, width) float32."""

    location_id: str
    hashes: Hashes
    codes: np.ndarray


def _batches(items: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
