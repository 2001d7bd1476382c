"""Small pictures of images, for people: whoever shows one has asked before whether that is allowed.

What a file says beside its pixels, such as where and by which camera it was taken, is left behind.
"""

import io
from typing import TYPE_CHECKING

from streetineq_assets.codes.preprocess import PIXELS_LEFT, decode

if TYPE_CHECKING:
    from PIL import Image

MOST_WIDTH, MOST_HEIGHT = 192, 120  # pixels
_QUALITY = 70


def thumbnail(image: "bytes | Image.Image") -> bytes:
    """A JPEG file of at most 192 x 120 pixels, of an image's shape.

    Args:
        image: an encoded image (JPEG, PNG or WebP), or a PIL image.

    Raises:
        ImageRejectedError: as `preprocess.decode`.
    """
    from PIL import Image

    decoded = decode(image, least_px=PIXELS_LEFT)
    scale = min(1.0, MOST_WIDTH / decoded.width, MOST_HEIGHT / decoded.height)
    size = (max(1, round(scale * decoded.width)), max(1, round(scale * decoded.height)))
    small = decoded.rgb.resize(size, resample=Image.Resampling.BICUBIC, box=decoded.box)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
