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
from typing import NamedTuple

import numpy as np

_SOI_BYTES = 2
_DHT, _SOS, _EOI = 0xC4, 0xDA, b"\xff\xd9"
_SEQUENTIAL = (0xC0, 0xC1)
_END_OF_BLOCK = 0x00
# Photographs come to 12 bytes of zeros at most, whatever the quality, the exposure and the fog.
_ZEROS = bytes(32)
# Some cameras write a few bytes or a row of zeros behind the scan's end; the picture is whole.
_SPARE_BYTES = 4
_READ_AHEAD = 8  # bytes that the decoder holds and does not count as left over
_TAIL = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


class _Scan(NamedTuple):
    """The first scan's bytes, but for zeros at its end.

    Attributes:
        start, stop: in the file.
        n_padding: zeros between `stop` and the end marker; 0 where there is none.
        zeros_are_lawful: whether its code can write many of them.
    """

    start: int
    stop: int
    n_padding: int
    zeros_are_lawful: bool


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
    scan = _first_scan(data)
    if scan and not scan.zeros_are_lawful and data.find(_ZEROS, scan.start, scan.stop) >= 0:
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
        if not _is_harmless(str(warning), data, scan):
            raise JpegDamagedError(str(warning)) from warning
    return None if inks else pixels


def _is_harmless(warning: str, data: bytes, scan: _Scan | None) -> bool:
    """Whether it is about what precedes or follows the picture: odd headers, a byte too many."""
    import simplejpeg

    tail = _TAIL.search(warning)
    if tail and scan:
        # A picture that lacks something takes more of the zeros for its own.
        return -_READ_AHEAD <= int(tail[1]) - scan.n_padding <= _SPARE_BYTES
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return True
    return False


def _first_scan(data: bytes) -> _Scan | None:
    """Where the first scan lies, and whether its code can write rows of zeros.

    Where a code of zero bits means "end of block", a clear sky is one; in the usual tables it is a
    coefficient of -1, of which no block has dozens. Progressive files have codes for many blocks.
    """
    tables: dict[int, int] = {}
    sequential = False
    for marker, position, payload in _segments(data):
        sequential |= marker in _SEQUENTIAL
        if marker == _DHT:
            tables.update(_codes_of_zeros(payload))
        if marker == _SOS:
            table = 0x10 | payload[2] & 0x0F  # of the first component's coefficients
            lawful = not sequential or tables.get(table) == _END_OF_BLOCK
            start = position + len(payload)
            end = data.find(_EOI, start)
            if end < 0:
                return _Scan(start, len(data), 0, lawful)
            stop = start + len(data[start:end].rstrip(b"\0"))
            return _Scan(start, stop, end - stop, lawful)
    return None


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
