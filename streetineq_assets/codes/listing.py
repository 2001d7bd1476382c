"""A city's listed images, bucket by bucket."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.findings import Unavailable
from streetineq_assets.store import DataStore


class Listing(NamedTuple):
    """A city's `street_images`, its rows' numbers by bucket, and why there are none, if so."""

    images: pd.DataFrame
    rows: Mapping[str, NDArray[np.intp]]
    unavailable: Unavailable | None

    def of_bucket(self, key: str) -> pd.DataFrame:
        """The rows of a bucket, in their order."""
        return self.images.iloc[self.rows.get(key, [])]


def read_listing(store: DataStore, city: str) -> Listing:
    """A city's images as they are published.

    Raises:
        StoreError: they are absent or damaged; the message names what to materialise.
    """
    listed = store.open("street_images", city)
    images = listed.table()
    rows = images.groupby("bucket", sort=False).indices
    return Listing(images, rows, listed.manifest.unavailable)
