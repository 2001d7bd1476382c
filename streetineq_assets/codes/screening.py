"""Pictures that were decoded and show nothing: blank frames, and cards that stand for no image."""

import numpy as np

from streetineq_assets.codes.preprocess import CHANNEL_MEANS, ImageRejectedError
from streetineq_assets.image_settings import Images
from streetineq_assets.images.plain import SAME_COLOUR, share_of_one_colour

# Raise it when the same settings judge otherwise: it is stored with codes, see `label`.
VERSION = 1

_STEP = 3  # every third row and column are looked at: 5,625 pixels tell as much as all
# What decoders fill a picture up with where its file ends: it was saved again since.
_FILLING, _FILLED_ROWS = 128, 11  # grey level; rows of 224, a twentieth of the picture


def label(limits: Images) -> str:
    """By which rules pictures were judged; codes of others are judged again, not encoded again."""
    # What image files are called judges none, nor how many are needed, nor a limit that is not set.
    rules = limits.model_dump_json(exclude={"names", "least_views"}, exclude_none=True)
    return f"{VERSION} {rules}"


def refuse_empty(view: np.ndarray, limits: Images) -> None:
    """Refuse a view that shows nothing.

    Args:
        view: float32 (224, 224, 3), as `preprocess` gives it.
        limits: `[images]` of study.toml.

    Raises:
        ImageRejectedError: `blank` where the standard deviation of no colour channel reaches
            `least_contrast` grey levels of 255; `placeholder` where more than `most_plain` of the
            pixels have one colour that is not black; `truncated` where its foot is filled up.
    """
    sample = view[::_STEP, ::_STEP].reshape(-1, 3)
    contrast = float(sample.std(axis=0).max())
    if contrast < limits.least_contrast:
        raise ImageRejectedError("blank", f"its grey levels spread by {contrast:.2f} of 255")
    foot = np.abs(view[-_FILLED_ROWS:] + CHANNEL_MEANS - _FILLING)
    if foot.max() <= SAME_COLOUR:
        raise ImageRejectedError("truncated", "its foot is a decoder's grey")
    plain = share_of_one_colour(sample + CHANNEL_MEANS)
    if plain > limits.most_plain:
        raise ImageRejectedError("placeholder", f"{plain:.0%} of its pixels have one colour")
