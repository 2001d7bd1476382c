"""JPEG files, decoded by libjpeg-turbo with its warnings heard.

A JPEG decoder mends what it can. A scan that ends early is filled up with grey, one that lost some
bytes goes on in the wrong place, and the picture looks whole to who asks only whether it could be
decoded. libjpeg-turbo warns of both; Pillow drops the warnings, `simplejpeg` raises them. The
pixels of both are the same, since both call the same library in the same way.

What no decoder can notice: a stretch that is lost or overwritten and happens to leave as many
blocks as were there. That is a matter of some tens of bytes, not of a disk's sector.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np

_SOI_BYTES = 2
_DHT, _SOS, _EOI = 0xC4, 0xDA, b"\xff\xd9"
_SEQUENTIAL = (0xC0, 0xC1)
_END_OF_BLOCK = 0x00
# Photographs come to 12 bytes of zeros at most, whatever the quality, the exposure and the fog.
_ZEROS = bytes(32)
# Some cameras write a byte or two too many at the end of the scan; the picture is whole.
_HARMLESS_TAIL_BYTES = 4
_TAIL = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


class JpegDamagedError(ValueError):
    """A scan that ends early, that had to be joined up again, or that has a hole of zeros."""


def decode_jpeg(data: bytes, *, divisor: int = 1) -> np.ndarray | None:
    """The pixels of a JPEG file, the first of its pictures where it has several.

    Args:
        divisor: 1, 2, 4 or 8: decode at this fraction of the size, rounded up.

    Returns:
        uint8 (rows, columns, 3) red, green, blue; None where the decoder does not take this kind
        of JPEG, which Pillow may: CMYK, or what is no JPEG at all.

    Raises:
        JpegDamagedError: parts of the picture are missing or in the wrong place.

    Source: the warnings are those of libjpeg-turbo's `jdhuff.c`, `jdphuff.c` and `jdmarker.c`.
    """
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except ValueError:
        return None
    if _has_hole(data):
        raise JpegDamagedError(f"{len(_ZEROS)} bytes or more of the scan are zeros")
    inks = colours in ("CMYK", "YCCK")
    decode = partial(
        simplejpeg.decode_jpeg,
        data,
        "CMYK" if inks else "RGB",
        min_height=int(height) // divisor,
        min_width=int(width) // divisor,
    )
    try:
        pixels = decode()
    except ValueError as warning:
        try:
            pixels = decode(strict=False)
        except ValueError:
            return None
        if not _is_harmless(str(warning), data):
            raise JpegDamagedError(str(warning)) from warning
    return None if inks else pixels


def _is_harmless(warning: str, data: bytes) -> bool:
    """Whether it is about what precedes or follows the picture: odd headers, a byte too many."""
    import simplejpeg

    tail = _TAIL.search(warning)
    if tail:
        return int(tail[1]) <= _HARMLESS_TAIL_BYTES
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return True
    return False


def _has_hole(data: bytes) -> bool:
    """Whether zeros stand in the scan where its code cannot have written them.

    Where a code of zero bits means "end of block", a clear sky is a long row of zeros; in the usual
    tables it is a coefficient of -1, of which no block has dozens.
    """
    tables: dict[int, int] = {}
    sequential = False
    for marker, start, payload in _segments(data):
        sequential |= marker in _SEQUENTIAL
        if marker == _DHT:
            tables.update(_codes_of_zeros(payload))
        if marker == _SOS:
            table = 0x10 | payload[2] & 0x0F  # of the first component's coefficients
            stop = data.find(_EOI, start)
            hole = data.find(_ZEROS, start + len(payload), stop if stop >= 0 else len(data))
            return sequential and hole >= 0 and tables.get(table) != _END_OF_BLOCK
    return False


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, start and payload of the segments up to the first scan."""
    position = _SOI_BYTES
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4])
        start = position + 4
        position += 2 + length
        yield marker, start, data[start:position]


def _codes_of_zeros(payload: bytes) -> Iterator[tuple[int, int]]:
    """Class and number of each Huffman table, and the symbol whose code is zero bits alone."""
    while len(payload) > 17:
        size = 17 + sum(payload[1:17])
        yield payload[0], payload[17]
        payload = payload[size:]
