"""The check of how far a city's pictures can be used."""

from collections.abc import Sequence

import numpy as np

from streetineq_assets.codes.quality import REASONS, REFERENCE, below_reference, n_without_quality
from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.images.catalogue import VIEWS

_MOST_BLURRED_OR_DARK = 0.05
_MOST_NAMED = 3
_NAMED = REASONS[:2]

IMAGES_USABLE = CheckSpec("images_usable", "At most 5 % of views are blurred or dark.")


def images_usable(location_ids: Sequence[str], quality: np.ndarray) -> Check:
    """Whether few views are blurred or dark, by the reference limits; without sky may be right.

    Args:
        location_ids: of the rows.
        quality: float32 (n, V, 3), NaN where unknown or absent.
    """
    if not len(location_ids):
        return IMAGES_USABLE.not_tested("no location has codes", passed=True)
    known = ~np.isnan(quality).any(axis=-1)
    n_known, n_unknown = int(known.sum()), n_without_quality(quality) * quality.shape[1]
    below = dict(below_reference(quality))
    useless = below[_NAMED[0]] | below[_NAMED[1]]
    n = int(useless.sum())
    share = n / max(n_known, 1)
    counts = ", ".join(
        f"{int(below[reason].sum())} {reason} (below {limit:g})"
        for reason, limit in zip(_NAMED, REFERENCE, strict=False)
    )
    text = (
        f"{n} of {n_known} views ({share:.1%}) are blurred or dark (at most "
        f"{_MOST_BLURRED_OR_DARK:.0%}): {counts}"
    )
    passed = share <= _MOST_BLURRED_OR_DARK
    if not passed:
        named = ", ".join(
            f"{location_ids[row]}_{VIEWS[view]}" for row, view in np.argwhere(useless)[:_MOST_NAMED]
        )
        text += (
            f", such as {named}: look at some; image_quality has all. Were they taken at night or "
            "at speed, or downloaded too small? To leave them out, set least_sharpness or "
            "least_brightness under [images] in study.toml"
        )
    if n_unknown:
        text += (
            f"; of {n_unknown} views nothing is known: materialise image_codes of the city "
            "with hash_pictures, which reads the images once more and encodes none again"
        )
    return IMAGES_USABLE.result(
        passed, text, of=n_known, n_views_useless=n, share_views_useless=share
    )
