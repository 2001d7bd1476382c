"""Views that are cut of panoramas: how each is cut, by what it is known, and its pixels.

A cut view is treated as if it were an image file of its size: it is scaled, judged and hashed as
others are. Of a panorama that several views are cut of, the bytes are read and decoded once.
"""

import hashlib
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.codes.preprocess import ImageRejectedError, decode
from streetineq_assets.images.panorama import VERSION, least_height, views

if TYPE_CHECKING:
    from PIL import Image


class Cut(NamedTuple):
    """How a view is cut of a panorama, in degrees and pixels, as `panorama.views` takes it."""

    compass: float
    pitch: float
    roll: float
    heading: float
    fov: float
    size: tuple[int, int]


def image_sha256(data: bytes, cut: Cut | None) -> str:
    """By what an image is known: the sha256 of its bytes, with the cut where there is one.

    Two locations that one panorama serves have equal hashes view by view, as they would with four
    files under two names. The four views of a location differ.

    Args:
        data: of the file, or of the panorama.
    """
    digest = hashlib.sha256(data).hexdigest()
    if cut is None:
        return digest
    angles = (cut.compass % 360, cut.pitch, cut.roll, cut.heading, cut.fov)
    label = f"{digest} cut {VERSION} {(*map(float, angles), *cut.size)}"
    return hashlib.sha256(label.encode()).hexdigest()


def decode_panorama(data: bytes, fov: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels of a panorama, made smaller while it stays as fine as its views.

    Views look at four pixels for each of theirs. Of a panorama that is much finer they would show
    one pixel in many, with jagged edges; here each pixel is the mean of those that it stands for,
    and most of the work of decoding is saved.

    Args:
        data: an encoded image (JPEG, PNG or WebP).
        fov, size: of the views, as for `panorama.views`.

    Returns:
        uint8 (H, W, 3), W = 2 H to the pixel.

    Raises:
        ImageRejectedError: as `preprocess.decode`; `not_a_panorama` where it is not twice as wide
            as high, so that it is not known which directions it shows.
    """
    least = least_height(fov, size)
    decoded = decode(data, least_px=least)
    if abs(decoded.width - 2 * decoded.height) > 1:
        raise ImageRejectedError(
            "not_a_panorama", f"{decoded.width} x {decoded.height} pixels, which is not 2 to 1"
        )
    return np.asarray(decoded.rgb.reduce(max(1, decoded.rgb.height // least)))


def cut_view(panorama: NDArray[np.uint8], cut: Cut) -> "Image.Image":
    """One view of a decoded panorama, as an RGB image.

    Raises:
        ImageRejectedError: `no_compass` where it is not known which way the panorama looks.
    """
    from PIL import Image

    if not math.isfinite(cut.compass):
        raise ImageRejectedError("no_compass", "the direction of its middle is not known")
    (view,) = views(
        panorama,
        compass=cut.compass,
        pitch=cut.pitch,
        roll=cut.roll,
        headings=(cut.heading,),
        fov=cut.fov,
        size=cut.size,
    )
    return Image.fromarray(view)
