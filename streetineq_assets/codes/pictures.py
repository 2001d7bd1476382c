"""What is noted of a location's four pictures when they are read, beside their codes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streetineq_assets.codes.perceptual_hash import UNKNOWN, perceptual_hash
from streetineq_assets.codes.quality import picture_quality


class Pictures(NamedTuple):
    """Of the views of a location, in their order.

    Attributes:
        phash: (4,) uint64, `UNKNOWN` where an earlier version made none.
        quality: float32 (4, 3), `quality.FIGURES` of each, NaN where an earlier version made none.
    """

    phash: np.ndarray
    quality: np.ndarray

    @property
    def known(self) -> bool:
        """Whether nothing is lacking."""
        return bool((self.phash != UNKNOWN).all() and not np.isnan(self.quality).any())


def look_at(views: Sequence[np.ndarray]) -> Pictures:
    """Hash and judge pictures.

    Args:
        views: each float32 (224, 224, 3), as `preprocess` gives it.
    """
    return Pictures(
        np.array([perceptual_hash(view) for view in views]),
        np.array([picture_quality(view) for view in views]),
    )
