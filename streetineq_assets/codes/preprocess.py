"""From an image's bytes to the array that VGG16 takes, or the reason why an image is refused.

There are two ways of scaling. Both share one geometry, the original's: the image is scaled by
224 / min(h, w) + 0.0001, and the middle 224 x 224 pixels are taken, from floor((size - 224) / 2).
They differ in the interpolation: Pillow's bilinear filter, which averages over all pixels that a
new one covers, or plain bilinear interpolation between four pixels, as scikit-image's `rescale` did
in 2017.
"""

import contextlib
import io
import os
import struct
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streetineq_assets.codes.jpeg import decode_jpeg
from streetineq_assets.errors import StreetineqError

if TYPE_CHECKING:
    from PIL import Image

SIDE = 224
CHANNEL_MEANS = np.array([103.939, 116.779, 123.68], dtype=np.float32)  # blue, green, red
MAX_PIXELS = 2**26  # 67 megapixels: 200 MB decoded
MIN_SIDE = 16
MAX_ASPECT = 20
FORMATS = ("JPEG", "PNG", "WEBP")

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_ORIENTATION_TAG = 0x0112
# JPEG files can be decoded at 1/2, 1/4 or 1/8 of their size for a fraction of the time. As long as
# three decoded pixels are left for each final one, photographs come out within 4 of 255 grey levels
# (root mean square 0.4 to 0.6), less than JPEG's own loss at quality 88.
PIXELS_LEFT = 3 * SIDE
# What decoders say of a file that ends early: Pillow's word, and libjpeg-turbo's.
_CUT = ("truncated", "premature end")
# Photographs in WebP come to 34 bytes of zeros at most, in fog and at night too.
_WEBP_ZEROS = bytes(1024)
# The two ends of a panorama of the whole horizon meet: they differ as neighbouring columns do
# (1.0 to 1.4 times as much in real ones, 6 to 48 times in other photographs), and by far less than
# columns apart (a tenth).
_PANORAMA_ASPECT, _ASPECT_TOLERANCE = 2.0, 0.02
_SEAM_OVER_STEP, _SEAM_OVER_FAR = 2.5, 0.25


class ImageRejectedError(StreetineqError):
    """An image that cannot be used; `reason` is one of a few words that are counted.

    Reasons: `empty_file`, `not_an_image`, `truncated`, `damaged`, `too_large`, `too_small`,
    `too_narrow`, `panorama`; of `cutting` also `not_a_panorama` and `no_compass`; of `screening`
    also `blank` and `placeholder`; of `quality` also `blurred`, `dark` and `without_sky`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True)
class Decoded:
    """An upright RGB image, and how it relates to the one at full size.

    Attributes:
        rgb: as decoded, at full size or smaller.
        height, width: of the image at full size, in pixels.
        box: left, top, right and bottom of the whole image in `rgb`, in its pixels.
    """

    rgb: "Image.Image"
    height: int
    width: int
    box: tuple[float, float, float, float]


def preprocess(
    image: "bytes | str | os.PathLike[str] | Image.Image", *, antialias: bool = True
) -> np.ndarray:
    """Decode, scale and crop one image into VGG16's input.

    Args:
        image: an encoded image (JPEG, PNG or WebP), the path of one, or a PIL image of any mode.
            Transparency is dropped, 16-bit grey keeps its upper eight bits, and the EXIF
            orientation is applied.
        antialias: Pillow's antialiasing, or none at all as in the original (`suel2019`).

    Returns:
        float32 array (224, 224, 3): blue, green, red in 0..255, minus (103.939, 116.779, 123.68).

    Raises:
        ImageRejectedError: the image is damaged, not an image, of a size that is refused, or a
            panorama of the whole horizon.
        OSError: the path cannot be read.

    Source: Suel et al. 2019 for the geometry; the means are those of VGG16's training images.
    """
    decoded = decode(image, least_px=PIXELS_LEFT if antialias else None)
    refuse_panorama(decoded)
    return view_of(decoded, antialias=antialias)


def view_of(decoded: Decoded, *, antialias: bool = True) -> np.ndarray:
    """VGG16's input, as `preprocess` gives it, of a decoded picture: (224, 224, 3) float32."""
    return rgb_view(decoded, side=SIDE, antialias=antialias)[:, :, ::-1] - CHANNEL_MEANS


def rgb_view(decoded: Decoded, *, side: int, antialias: bool = True) -> np.ndarray:
    """The middle of a picture scaled by its short side: float32 (side, side, 3), RGB in 0..255."""
    rows, columns = scaled_size(decoded.height, decoded.width, side)
    top, left = (rows - side) // 2, (columns - side) // 2
    if antialias:
        scaled = _resize(decoded, rows, columns)
        return scaled[top : top + side, left : left + side].astype(np.float32)
    return _interpolate(np.asarray(decoded.rgb), (rows, columns), (top, left), side)


def scaled_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """Rows and columns after scaling; the short side is always `side`, 224 pixels by default.

    The original's 0.0001 keeps its rounding at 224 for short sides up to 5,000 pixels; beyond, its
    short side became 225 and its network failed, so here the short side is set.
    """
    factor = side / min(height, width) + 0.0001
    rows = side if height <= width else max(side, round(height * factor))
    columns = side if width <= height else max(side, round(width * factor))
    return rows, columns


# -- decoding ------------------------------------------------------------------------------------


def decode(
    image: "bytes | str | os.PathLike[str] | Image.Image",
    *,
    least_px: int | None,
) -> Decoded:
    """Decode one image.

    Args:
        image: as for `preprocess`.
        least_px: a JPEG file may come at a fraction of its size while its short side keeps so many
            pixels; None: at full size.

    Raises:
        ImageRejectedError: as `preprocess`, but for panoramas.
        OSError: the path cannot be read.
    """
    from PIL import Image

    if isinstance(image, Image.Image):
        with _rejections():
            return _upright(image)
    data = image if isinstance(image, bytes) else Path(image).read_bytes()
    if not data:
        raise ImageRejectedError("empty_file", "the file has no bytes")
    with _rejections(data):
        opened = Image.open(io.BytesIO(data), formats=FORMATS)
        _refuse_bad_size(opened)
        _refuse_hole(data)
        return _from_jpeg(opened, data, least_px=least_px) or _upright(opened)


@contextlib.contextmanager
def _rejections(data: bytes = b"") -> Generator[None]:
    """Turn what Pillow raises on bad bytes into the reasons that are counted."""
    from PIL import Image

    try:
        yield
    except Image.DecompressionBombError as error:
        raise ImageRejectedError("too_large", str(error)) from error
    except Image.UnidentifiedImageError as error:
        reason = "truncated" if data.startswith(_MAGIC) else "not_an_image"
        raise ImageRejectedError(reason, f"it starts with {data[:16]!r}") from error
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error) as error:
        cut = any(word in str(error).lower() for word in _CUT) or _webp_is_cut(data)
        raise ImageRejectedError("truncated" if cut else "damaged", str(error)) from error


def _webp_is_cut(data: bytes) -> bool:
    """WebP's header says how long the file is; its decoder does not say what it misses."""
    return data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") + 8 > len(data)


def _refuse_hole(data: bytes) -> None:
    """A hole of zeros in a lossy WebP file: its decoder goes on with any bits that it finds."""
    start = data.find(b"VP8 ")
    if data[:4] == b"RIFF" and start >= 0:
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        if _WEBP_ZEROS in data[start : start + 8 + length]:
            raise ImageRejectedError("damaged", f"{len(_WEBP_ZEROS)} bytes or more are zeros")


def _upright(opened: "Image.Image") -> Decoded:
    from PIL import Image

    _refuse_bad_size(opened)
    upright = _turned(opened, _orientation(opened))
    if upright.mode.startswith("I"):  # Pillow would cut 16-bit values off at 255
        upper = np.asarray(upright).astype(np.int64) >> 8
        upright = Image.fromarray(upper.clip(0, 255).astype(np.uint8))
    rgb = upright.convert("RGB")
    return Decoded(rgb, rgb.height, rgb.width, (0, 0, rgb.width, rgb.height))


def _orientation(opened: "Image.Image") -> int:
    """How the camera was held, by EXIF; 1 where it does not say, or in no way that is known.

    Only this one tag is taken: other tags are often malformed, and the picture is whole.
    """
    orientation = opened.getexif().get(_ORIENTATION_TAG, 1)
    return orientation if isinstance(orientation, int) else 1


def _turned(image: "Image.Image", orientation: int) -> "Image.Image":
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _from_jpeg(opened: "Image.Image", data: bytes, *, least_px: int | None) -> Decoded | None:
    """A JPEG, at a fraction of its size where so many pixels are left; None of other formats."""
    from PIL import Image

    if opened.format not in ("JPEG", "MPO"):
        return None
    orientation, (width, height) = _orientation(opened), opened.size
    divisor = 1
    if least_px and opened.format == "JPEG" and orientation == 1:
        fitting = (n for n in (8, 4, 2) if min(width, height) // n >= least_px)
        divisor = next(fitting, 1)
    pixels = decode_jpeg(data, divisor=divisor)
    if pixels is None:
        return None
    rgb = _turned(Image.fromarray(pixels), orientation)
    if divisor == 1:
        width, height = rgb.size
    return Decoded(rgb, height, width, (0, 0, width / divisor, height / divisor))


def _refuse_bad_size(opened: "Image.Image") -> None:
    width, height = opened.size
    short, long = min(width, height), max(width, height)
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise ImageRejectedError("too_large", f"{size}; at most {MAX_PIXELS:,} are decoded")
    if short < MIN_SIDE:
        raise ImageRejectedError("too_small", f"{size}; the shorter side has less than {MIN_SIDE}")
    if long > MAX_ASPECT * short:
        raise ImageRejectedError("too_narrow", f"{size}; more than {MAX_ASPECT} to 1")


def refuse_panorama(decoded: Decoded) -> None:
    """The middle of a panorama is one view of four, bent: it is not what a view's name says.

    Raises:
        ImageRejectedError: `panorama`.
    """
    if abs(decoded.width / decoded.height - _PANORAMA_ASPECT) > _ASPECT_TOLERANCE:
        return
    width = decoded.rgb.width
    places = np.array([0, width // 4, width // 2, 3 * width // 4])
    pixels = np.asarray(decoded.rgb).astype(np.float32)
    seam = np.abs(pixels[:, 0] - pixels[:, -1]).mean()
    step = np.abs(pixels[:, places] - pixels[:, places + 1]).mean()
    far = np.abs(pixels[:, places[1:]] - pixels[:, :1]).mean()
    if seam <= _SEAM_OVER_STEP * step and seam < _SEAM_OVER_FAR * far:
        raise ImageRejectedError(
            "panorama", f"{decoded.width} x {decoded.height} pixels, whose left and right ends meet"
        )


# -- scaling -------------------------------------------------------------------------------------


def _resize(decoded: Decoded, rows: int, columns: int) -> np.ndarray:
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    return np.asarray(decoded.rgb.resize((columns, rows), resample=bilinear, box=decoded.box))


def _interpolate(
    pixels: np.ndarray, scaled: tuple[int, int], corner: tuple[int, int], side: int
) -> np.ndarray:
    """Bilinear interpolation of the crop alone, without rounding to whole grey levels.

    A new pixel's centre (i + 0.5) * size / new_size - 0.5 lies between four old pixels. Where an
    image is enlarged, the outermost centres lie outside it: there the edge is repeated, where the
    library of 2017 mixed in black (a defect, and seen only in images below 224 pixels).
    """
    height, width = pixels.shape[:2]
    above, below, down = _neighbours(height, scaled[0], corner[0], side)
    before, after, along = _neighbours(width, scaled[1], corner[1], side)
    down, along = down[:, None, None], along[None, :, None]
    upper = _between(pixels[np.ix_(above, before)], pixels[np.ix_(above, after)], along)
    lower = _between(pixels[np.ix_(below, before)], pixels[np.ix_(below, after)], along)
    return _between(upper, lower, down).astype(np.float32)


def _between(first: np.ndarray, second: np.ndarray, way: np.ndarray) -> np.ndarray:
    return (1.0 - way) * first + way * second


def _neighbours(
    size: int, new_size: int, start: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For new positions from `start`: the old ones on both sides, and the way between them."""
    position = (np.arange(start, start + count) + 0.5) * size / new_size - 0.5
    position = position.clip(0, size - 1)
    low = np.floor(position).astype(np.intp)
    return low, np.minimum(low + 1, size - 1), position - low
