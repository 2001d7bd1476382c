"""What is noted of a location's pictures when they are read, beside their codes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streetineq_assets.codes.perceptual_hash import UNKNOWN, perceptual_hash
from streetineq_assets.codes.quality import FIGURES, picture_quality


class Pictures(NamedTuple):
    """Of the views of a location, in their order.

    Attributes:
        phash: (4,) uint64, `UNKNOWN` where an earlier version made none, or the view is absent.
        quality: float32 (4, 3), `quality.FIGURES` of each, NaN where there are none.
    """

    phash: np.ndarray
    quality: np.ndarray

    @property
    def known(self) -> bool:
        """Whether they were made, as they are of all of a location's views or of none."""
        return bool((self.phash != UNKNOWN).any() and not np.isnan(self.quality).all())


def look_at(views: Sequence[np.ndarray | None]) -> Pictures:
    """Hash and judge pictures.

    Args:
        views: each float32 (224, 224, 3), as `preprocess` gives it; None where it is absent.
    """
    phash = np.full(len(views), UNKNOWN)
    quality = np.full((len(views), len(FIGURES)), np.nan, np.float32)
    for number, view in enumerate(views):
        if view is not None:
            phash[number], quality[number] = perceptual_hash(view), picture_quality(view)
    return Pictures(phash, quality)
