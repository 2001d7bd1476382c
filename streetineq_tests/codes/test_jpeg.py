"""JPEG files that lost a part are refused; what is unusual and whole has the pixels of Pillow."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from streetineq_assets.codes.jpeg import JpegDamagedError, decode_jpeg
from streetineq_tests.images.pictures import photograph

SECTOR = 512
END = b"\xff\xd9"
TABLES = [{}, {"optimize": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]


def jpeg(image=None, **options):
    file = io.BytesIO()
    (image or photograph(0)).save(file, "JPEG", **{"quality": 88} | options)
    return file.getvalue()


def by_pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def is_torn(data, whole):
    """Whether more than one pixel in a hundred is far from what it was."""
    if data.shape != whole.shape:
        return True
    return (np.abs(data.astype(int) - whole).max(axis=2) > 32).mean() > 0.01


def scan(data):
    """First and last byte of the compressed pixels of a file with one scan."""
    return data.rindex(b"\xff\xda") + 14, len(data) - len(END)


@st.composite
def damaged(draw):
    """A photograph and its file with one fault of a disk's, a network's or a tool's making."""
    whole = jpeg(photograph(draw(st.integers(0, 3))), **draw(st.sampled_from(TABLES)))
    first, last = scan(whole)
    size = draw(st.sampled_from([SECTOR, 1024, 4096]))
    at = draw(st.integers(first, last - size - 64))
    rest = whole[at + size :]
    fault = draw(st.sampled_from(["cut", "cut and closed", "zeros", "ones", "lost", "twice"]))
    return whole, {
        "cut": whole[:at],
        "cut and closed": whole[:at] + END,
        "zeros": whole[:at] + bytes(size) + rest,
        "ones": whole[:at] + b"\xff" * size + rest,
        "lost": whole[:at] + rest,
        "twice": whole[:at] + whole[at : at + size] * 2 + rest,
    }[fault]


@given(damaged())
def test_a_scan_with_a_fault_of_a_sector_is_refused_or_looks_the_same(files):
    whole, data = files
    try:
        found = decode_jpeg(data)
    except JpegDamagedError:
        return
    if found is None:  # then it is Pillow that refuses it
        with pytest.raises(OSError, match=r"broken|truncated"):
            by_pillow(data)
        return
    assert not is_torn(found, by_pillow(whole))


def test_pillow_takes_half_a_picture_for_a_whole_one():
    """Why the decoder's warnings are asked for."""
    data = jpeg()
    half = data[: len(data) // 2] + END
    assert is_torn(by_pillow(half), by_pillow(data))
    with pytest.raises(JpegDamagedError, match="premature end"):
        decode_jpeg(half)


@pytest.mark.parametrize("options", TABLES)
@pytest.mark.parametrize("size", [64, SECTOR, 4096])
def test_a_foot_of_zeros_is_found(size, options):
    """An end of the file that was reserved and never written, or lost."""
    data = jpeg(**options)
    for end in (END, b""):
        with pytest.raises(JpegDamagedError):
            decode_jpeg(data[: -size - 2] + bytes(size) + end)


@pytest.mark.parametrize("size", [64, SECTOR, 4096])
def test_a_hole_of_zeros_is_found_wherever_it_is(size):
    data = jpeg()
    first, last = scan(data)
    for at in range(first, last - size, (last - first) // 20):
        with pytest.raises(JpegDamagedError):
            decode_jpeg(data[:at] + bytes(size) + data[at + size :])


def test_progressive_scans_that_end_early_are_refused():
    data = jpeg(progressive=True)
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(JpegDamagedError):
            decode_jpeg(data[: int(share * len(data))] + END)


def exif():
    tags = Image.Exif()
    tags[0x010E], tags[0x927C] = "a street", bytes(3000)
    return tags.tobytes()


LAWFUL = {
    "plain": jpeg(),
    "progressive": jpeg(progressive=True),
    "restart markers": jpeg(restart_marker_blocks=5),
    "optimised": jpeg(optimize=True),
    "coarse": jpeg(quality=10),
    "fine": jpeg(quality=100, subsampling=0),
    "grey": jpeg(photograph(0).convert("L")),
    "metadata full of zeros": jpeg(exif=exif(), comment=bytes(2000)),
    "colour profile": jpeg(icc_profile=bytes(5000)),
    "kept in red, green, blue": jpeg(keep_rgb=True),
    "odd size": jpeg(photograph(1, size=(321, 239))),
    "bytes behind the end": jpeg() + bytes(4096) + b"trailer of a phone",
    "another picture behind the end": jpeg() + jpeg(photograph(1)),
    "one byte too many": jpeg()[:-2] + b"\x05" + END,
    "zeros behind the scan": jpeg()[:-2] + bytes(300) + END,
    "zeros behind a scan of its own code": jpeg(optimize=True)[:-2] + bytes(300) + END,
}


@pytest.mark.parametrize("name", LAWFUL)
def test_what_is_unusual_and_whole_has_the_pixels_of_pillow(name):
    np.testing.assert_array_equal(decode_jpeg(LAWFUL[name]), by_pillow(LAWFUL[name]))


def test_of_several_pictures_the_first_is_taken():
    file = io.BytesIO()
    photograph(0).save(file, "MPO", save_all=True, append_images=[photograph(1)])
    np.testing.assert_array_equal(decode_jpeg(file.getvalue()), by_pillow(file.getvalue()))


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
def test_a_clear_sky_and_a_dark_night_are_no_holes(options):
    pixels = np.asarray(photograph(0)).copy()
    for value in (0, 255):
        pixels[:160] = value
        data = jpeg(Image.fromarray(pixels), **options)
        np.testing.assert_array_equal(decode_jpeg(data), by_pillow(data))


@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize("size", [(640, 400), (641, 401)])
def test_a_fraction_of_the_size_is_pillows_draft(divisor, size):
    data = jpeg(photograph(2, size=size))
    opened = Image.open(io.BytesIO(data))
    opened.draft("RGB", (size[0] // divisor, size[1] // divisor))
    np.testing.assert_array_equal(decode_jpeg(data, divisor=divisor), np.asarray(opened))


def test_printers_colours_are_checked_and_left_to_pillow():
    data = jpeg(photograph(0).convert("CMYK"))
    assert decode_jpeg(data) is None
    with pytest.raises(JpegDamagedError):
        decode_jpeg(data[: len(data) // 2] + END)


def test_what_is_no_jpeg_is_left_to_pillow():
    assert decode_jpeg(b"<html>404</html>") is None
