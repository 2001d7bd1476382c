"""What a picture looks like in 64 bits, so that copies in other bytes are found.

The hash is imagehash's pHash: the signs of a picture's 64 lowest spatial frequencies about their
median. It is taken of what the encoder sees, the scaled and cropped view. Of photographs of streets
(44 real ones) another encoding, size or brightness changed 6 bits at most, a crop of 2 % too; the
next frame of a walking camera changed 8 or more, another street 28 of 64 on average.
"""

import numpy as np

from streetineq_assets.codes.preprocess import CHANNEL_MEANS

# A pHash has at most half of its bits set by its median, and none only where all is black.
UNKNOWN = np.uint64(0)
PLAIN = np.uint64(2**64 - 1)
_GREY = np.array([0.114, 0.587, 0.299], dtype=np.float32)  # of blue, green, red: ITU-R BT.601
_LEAST_CONTRAST = 4.0
_STEP = 7  # of 224: 32 rows and columns, of which imagehash takes the frequencies


def perceptual_hash(view: np.ndarray) -> np.uint64:
    """The 64-bit pHash of a view.

    Args:
        view: float32 (224, 224, 3), as `preprocess` gives it.

    Returns:
        The hash; `PLAIN` where the grey levels spread so little (standard deviation below 4 of 255)
        that noise decides the bits.

    Source: https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html, which
    names the method; imagehash takes the median of the 64 frequencies where it takes their mean.
    """
    import imagehash
    from PIL import Image

    grey = view @ _GREY + CHANNEL_MEANS @ _GREY
    if grey[::_STEP, ::_STEP].std() < _LEAST_CONTRAST:
        return PLAIN
    small = Image.fromarray(grey).convert("L").reduce(_STEP)  # a sixth of the time of resizing
    bits = imagehash.phash(small).hash
    return np.packbits(bits).view(">u8")[0].astype(np.uint64)


def hamming(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How many of 64 bits differ, uint8, of arrays of uint64 that broadcast."""
    return np.bitwise_count(first ^ second)
