"""How much of a picture is of one colour: how a provider's card for no image is told.

Street View's "Sorry, we have no imagery here" comes with status 200, as a grey card with a line of
text: 99 % of its pixels are of one colour, (228, 227, 223). Such pictures are told by what they
have in common, and not by their bytes, which differ with size and quality.
"""

import numpy as np
from numpy.typing import NDArray

SAME_COLOUR = 1.5  # grey levels in each channel: rounding, and JPEG's on flat blocks
_DARK = 8  # grey levels: of a real night more than nine tenths may be black


def share_of_one_colour(pixels: NDArray[np.floating]) -> float:
    """The share of pixels that have one colour which is not black; 0 where most are black.

    Args:
        pixels: (n, 3) in grey levels of 0 to 255.
    """
    colour = np.median(pixels, axis=0)  # that of most pixels, if one is
    if colour.max() <= _DARK:
        return 0.0
    return float((np.abs(pixels - colour) <= SAME_COLOUR).all(axis=1).mean())
