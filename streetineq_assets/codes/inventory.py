"""What a city's buckets hold beside their features, read before anything is packed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from streetineq_assets.codes.accounting import Account, reasons_by_location
from streetineq_assets.codes.bucket_file import Bucket, Contents
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.quality import FIGURES
from streetineq_assets.images.catalogue import VIEWS


@dataclass(frozen=True)
class Inventory:
    """What the buckets of a city hold, beside the features.

    Attributes:
        listed: the location ids of `street_images`.
        codes: one row per extracted location: `location_id, bucket`.
        image_sha256: (n, V) bytes, aligned with `codes`; empty where a view's image is unknown.
        quality: (n, V, 3) float32, `quality.FIGURES` of each view, NaN where unknown, aligned too.
        present: (n, V) bool, which views are there, aligned too.
        n_views: V of each bucket; 0 where it has no locations.
        reasons: location id to reason, of those without codes.
        encoders: the encoder of each bucket; its width is 0 where a bucket has no images.
        digests: content of each bucket.
        encoder, attributes: of the first bucket with images, or of the first.
    """

    listed: Sequence[str]
    codes: pd.DataFrame
    image_sha256: np.ndarray
    quality: np.ndarray
    present: np.ndarray
    n_views: dict[str, int]
    reasons: dict[str, str]
    encoders: dict[str, EncoderIdentity]
    digests: list[str]
    encoder: EncoderIdentity
    attributes: Mapping[str, Any]

    @property
    def n_images(self) -> int:
        """Views with codes."""
        return int(self.present.sum())

    @property
    def n_absent_views(self) -> int:
        """Views without codes of locations that have some."""
        return self.present.size - self.n_images

    @property
    def account(self) -> Account:
        """Where the listed locations went."""
        return Account.of(len(self.listed), len(self.codes), self.reasons.values())


def take_inventory(buckets: Mapping[str, Path], listed: Sequence[str]) -> Inventory:
    """Read everything but the features.

    Args:
        buckets: key to file, of at least one bucket.
        listed: the location ids of `street_images`.
    """
    ids: list[str] = []
    keys: list[str] = []
    digests: list[str] = []
    reasons: dict[str, str] = {}
    contents: dict[str, Contents] = {}
    for key, path in buckets.items():
        with Bucket(path) as bucket:
            contents[key] = held = bucket.contents
            digests.append(bucket.digest)
        ids += held.location_ids
        keys += [key] * len(held.location_ids)
        reasons |= reasons_by_location(held.rejections)
    pictures = _pictures(contents.values())
    with_images = (held for held in contents.values() if held.identity.width)
    first = next(with_images, next(iter(contents.values())))
    return Inventory(
        listed=listed,
        codes=pd.DataFrame({"location_id": pd.Series(ids, dtype="str"), "bucket": keys}),
        image_sha256=pictures.image_sha256,
        quality=pictures.quality,
        present=pictures.present,
        n_views={k: held.n_views if held.location_ids else 0 for k, held in contents.items()},
        reasons=reasons,
        encoders={key: held.identity for key, held in contents.items()},
        digests=digests,
        encoder=first.identity,
        attributes=first.attributes,
    )


class _Pictures(NamedTuple):
    """Of all rows of a city, as `Inventory` has them."""

    image_sha256: np.ndarray
    quality: np.ndarray
    present: np.ndarray


def _pictures(contents: Collection[Contents]) -> _Pictures:
    """Those of all buckets; of one with fewer views than another the rest is absent."""
    filled = [held for held in contents if held.location_ids]
    shape = (
        sum(len(held.location_ids) for held in filled),
        max((held.n_views for held in filled), default=len(VIEWS)),
    )
    found = _Pictures(
        np.zeros(shape, "S64"),
        np.full((*shape, len(FIGURES)), np.nan, np.float32),
        np.zeros(shape, bool),
    )
    start = 0
    for held in filled:
        part = slice(start, start + len(held.location_ids)), slice(held.n_views)
        found.image_sha256[part] = held.image_sha256
        found.quality[part] = held.quality_of_pictures
        found.present[part] = held.views_present
        start = part[0].stop
    return found
