"""What a city's buckets hold beside their features, read before anything is packed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.accounting import Account, reasons_by_location
from streetineq_assets.codes.bucket_file import Bucket, Contents
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.images.catalogue import VIEWS


@dataclass(frozen=True)
class Inventory:
    """What the buckets of a city hold, beside the features.

    Attributes:
        listed: the location ids of `street_images`.
        codes: one row per extracted location: `location_id, bucket`.
        image_sha256: (n, 4) bytes, aligned with `codes`.
        quality: (n, 4, 3) float32, `quality.FIGURES` of each view, NaN where unknown, aligned too.
        reasons: location id to reason, of those without codes.
        encoders: the encoder of each bucket; its width is 0 where a bucket has no images.
        digests: content of each bucket.
        encoder, attributes: of the first bucket with images, or of the first.
    """

    listed: Sequence[str]
    codes: pd.DataFrame
    image_sha256: np.ndarray
    quality: np.ndarray
    reasons: dict[str, str]
    encoders: dict[str, EncoderIdentity]
    digests: list[str]
    encoder: EncoderIdentity
    attributes: Mapping[str, Any]

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
    hashes, quality, digests = [], [], []
    reasons: dict[str, str] = {}
    contents: dict[str, Contents] = {}
    for key, path in buckets.items():
        with Bucket(path) as bucket:
            contents[key] = held = bucket.contents
            digests.append(bucket.digest)
        ids += held.location_ids
        keys += [key] * len(held.location_ids)
        hashes.append(np.asarray(held.image_sha256, dtype="S64").reshape(-1, len(VIEWS)))
        quality.append(held.quality_of_pictures)
        reasons |= reasons_by_location(held.rejections)
    with_images = (held for held in contents.values() if held.identity.width)
    first = next(with_images, next(iter(contents.values())))
    return Inventory(
        listed=listed,
        codes=pd.DataFrame({"location_id": pd.Series(ids, dtype="str"), "bucket": keys}),
        image_sha256=np.concatenate(hashes),
        quality=np.concatenate(quality),
        reasons=reasons,
        encoders={key: held.identity for key, held in contents.items()},
        digests=digests,
        encoder=first.identity,
        attributes=first.attributes,
    )
