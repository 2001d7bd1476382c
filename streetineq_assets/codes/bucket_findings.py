"""A bucket's file as it is written, and what is found of it: account, checks, record."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streetineq_assets.codes import checks
from streetineq_assets.codes.accounting import Account, reasons_by_location, rejected_views
from streetineq_assets.codes.bucket_file import Contents, write_bucket
from streetineq_assets.codes.perceptual_hash import UNKNOWN
from streetineq_assets.codes.quality import n_without_quality, quality_counts
from streetineq_assets.codes.repeated_images import digest_codes
from streetineq_assets.codes.tables import BucketRecord
from streetineq_assets.findings import Findings


class Written(NamedTuple):
    """A bucket's file.

    Attributes:
        not_finite: locations whose codes are not all finite.
        twice: locations that have a picture in two views, by its bytes or its codes.
        digest: of the content.
    """

    contents: Contents
    not_finite: list[str]
    twice: list[str]
    digest: str


def write_looked_at(target: Path, contents: Contents, blocks: Iterable[np.ndarray]) -> Written:
    """Write a bucket's file, and look at its codes while they pass.

    Args:
        blocks: consecutive (m, V, width) float32 of all rows.

    Raises:
        StoreError: the disk is full.
    """
    ids, present = contents.location_ids, contents.views_present
    not_finite: list[str] = []
    digests: list[Sequence[Any]] = []  # of each view that is there

    def passing() -> Iterator[np.ndarray]:
        for block in blocks:
            for codes, found in zip(block, digest_codes(block), strict=True):
                there = present[len(digests)]
                is_finite = bool(np.isfinite(codes[there]).all())
                if not is_finite:
                    not_finite.append(ids[len(digests)])
                # Codes that are not finite are a fault of their own, and not the same picture.
                digests.append(found[there] if is_finite else [])
            yield block

    digest = write_bucket(target, contents, passing())
    pictures = zip(ids, contents.image_sha256.tolist(), digests, strict=True)
    twice = [i for i, *kinds in pictures if any(_has_twice(each) for each in kinds)]
    return Written(contents, not_finite, twice, digest)


def bucket_findings(
    target: Path, written: Written, *, n_listed: int, n_buckets: int, wanted: Sequence[str]
) -> Findings:
    """What became of every location, with the file read back.

    Args:
        n_listed: locations of the bucket.
        n_buckets: of the city.
        wanted: the locations that were to have codes; those that were rejected have none.

    Returns:
        The checks of `checks.IMAGE_CODES` but `weights_known`, and a `BucketRecord`.
    """
    contents = written.contents
    reasons = reasons_by_location(contents.rejections)
    account = Account.of(n_listed, len(contents.location_ids), reasons.values())
    return Findings(
        values={
            **account.values(),
            "n_identical_views": len(written.twice),
            **quality_counts(contents.quality_of_pictures),
            "n_buckets": n_buckets,
        },
        checks=[
            checks.accounting(account),
            checks.bucket_identity(target, contents, expected=set(wanted) - reasons.keys()),
            checks.finite_locations(written.not_finite),
            checks.images_present(account),
            checks.complete(account),
            checks.distinct_views(written.twice),
        ],
        tables={
            "without_codes": account.table(),
            "rejected_views": rejected_views(contents.rejections),
        },
        record=BucketRecord(
            n_buckets=n_buckets,
            n_rejected=account.n_rejected,
            n_without_phash=int((contents.hashes_of_pictures == UNKNOWN).all(axis=1).sum()),
            n_without_quality=n_without_quality(contents.quality_of_pictures),
            encoder=contents.identity,
        ),
        n_rows=account.n_extracted,
        # Of another number of buckets each holds other locations.
        holdings={f"locations with codes, of {n_buckets} buckets": account.n_extracted},
        digest=written.digest,
    )


def _has_twice(names: Sequence[Any]) -> bool:
    """Whether a name stands in two places; one that is empty is none."""
    known = [name for name in names if name]
    return len(set(known)) < len(known)
