"""Whether what a provider sends for a picture is one: complete, readable, and of a street.

Providers send pages for people with status 200, and grey cards for places of which they have no
image. Both are told here and not only at extraction, so that the acquisition counts them and the
card is never stored. How good a picture is, is not asked here.
"""

import io
import struct
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from streetineq_assets.errors import StreetineqError
from streetineq_assets.images.plain import share_of_one_colour

NOT_AN_IMAGE, TRUNCATED, NO_IMAGERY = "not_an_image", "truncated", "no_imagery"
TOO_MANY_PIXELS = "too_many_pixels"
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_FORMATS = ("JPEG", "PNG", "WEBP")
_MOST_PIXELS = 2**27  # a panorama of 16,384 x 8,192
_SMALL = (160, 160)  # pixels: enough to tell a card
_GPS, _LAT_REF, _LAT, _LON_REF, _LON = 0x8825, 1, 2, 3, 4


class PictureRejectedError(StreetineqError):
    """A picture that cannot be had; `reason` is one of a few words that are counted.

    Reasons: `not_an_image`, `truncated`, `too_many_pixels`, `no_imagery` (a grey card); and of the
    way to it: `gone`, `link_expired`, `unsafe_link`, `too_large`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


def check_picture(data: bytes, *, most_plain: float) -> None:
    """Refuse what is no picture of a street.

    Args:
        data: as it came.
        most_plain: share of pixels of one colour above which it is a card for no image.

    Raises:
        PictureRejectedError: it is no JPEG, PNG or WebP file, ends early, is far too large, or
            shows a card.
    """
    if not data.startswith(_MAGIC):
        start = data[:20].decode("ascii", errors="replace").strip() or "nothing"
        raise PictureRejectedError(NOT_AN_IMAGE, f"what came begins with {start!r}")
    small = _decoded_small(data)
    plain = share_of_one_colour(np.asarray(small, dtype=np.float32).reshape(-1, 3))
    if plain > most_plain:
        raise PictureRejectedError(NO_IMAGERY, f"{plain:.0%} of its pixels have one colour")


def exif_position(data: bytes) -> tuple[float, float] | None:
    """The position that a picture states of itself, latitude and longitude in degrees (WGS84).

    Returns:
        None where it states none, or one that is off the globe.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damaged entries
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                stated = picture.getexif().get_ifd(_GPS)
        lat = _degrees(stated, _LAT, _LAT_REF, "S")
        lon = _degrees(stated, _LON, _LON_REF, "W")
    except (OSError, ValueError, TypeError, KeyError, ZeroDivisionError, SyntaxError, struct.error):
        return None
    on_the_globe = abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0.0, 0.0)
    return (lat, lon) if on_the_globe else None


def _decoded_small(data: bytes) -> Image.Image:
    """The picture at a fraction of its size, for which JPEG files need not be decoded in full.

    All of the file is read, so that one that ends early is noticed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        if picture.width * picture.height > _MOST_PIXELS:
            raise Image.DecompressionBombError
        picture.draft("RGB", _SMALL)
        picture.load()
        return picture.convert("RGB").resize(_SMALL, Image.Resampling.NEAREST)
    except Image.DecompressionBombError as error:  # Pillow's own limit is somewhat higher
        raise PictureRejectedError(TOO_MANY_PIXELS, f"more than {_MOST_PIXELS:,}") from error
    except UnidentifiedImageError as error:
        raise PictureRejectedError(NOT_AN_IMAGE, "no decoder knows it") from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:
        raise PictureRejectedError(TRUNCATED, "it ends early, or is damaged") from error


def _degrees(stated: Mapping[int, Any], value: int, reference: int, negative: str) -> float:
    """Degrees of EXIF's degrees, minutes and seconds."""
    degrees, minutes, seconds = (float(part) for part in stated[value])
    size = degrees + minutes / 60 + seconds / 3600
    if not np.isfinite(size):
        raise ValueError("no number")
    return -size if str(stated[reference]).strip("\0 ").upper() == negative else size
