"""What is a picture of a street, and what is sent instead of one."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from streetineq_assets.imagery.pictures import (
    PictureRejectedError,
    check_picture,
    exif_position,
)
from streetineq_tests.imagery.world import HTML, invented, no_imagery_card
from streetineq_tests.images.pictures import photograph


def encoded(image, kind="JPEG", **how):
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def reason_of(data):
    with pytest.raises(PictureRejectedError) as caught:
        check_picture(data, most_plain=0.9)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photographs_pass(kind):
    check_picture(encoded(photograph(1), kind), most_plain=0.9)


def test_panorama_of_the_invented_world_passes():
    world = invented(1)
    check_picture(world.picture(world.captures[0].capture_id), most_plain=0.9)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (640, 400), (3, 2, 4)),  # night
        photograph(2).convert("L"),
        photograph(3).convert("CMYK"),
        photograph(4).convert("P"),
    ],
    ids=["night", "grey", "cmyk", "palette"],
)
def test_unusual_pictures_pass(image):
    kind = "PNG" if image.mode == "P" else "JPEG"
    check_picture(encoded(image, kind), most_plain=0.9)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HTML, "not_an_image"),
        (b"", "not_an_image"),
        (b'{"error": {}}', "not_an_image"),
        (b"GIF89a" + bytes(50), "not_an_image"),
        (b"\xff\xd8\xff" + bytes(500), "not_an_image"),
        (no_imagery_card(), "no_imagery"),
        (no_imagery_card(2048, 1024), "no_imagery"),
        (encoded(Image.new("RGB", (300, 300), (200, 10, 10))), "no_imagery"),
    ],
    ids=["page", "nothing", "json", "gif", "head", "card", "large card", "plain"],
)
def test_what_is_sent_instead_of_a_picture_is_told(data, reason):
    assert reason_of(data) == reason


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_picture_that_ends_early_is_told(kind, share):
    data = encoded(photograph(5), kind)
    assert reason_of(data[: int(share * len(data))]) == "truncated"


def test_huge_picture_is_not_decoded():
    data = encoded(Image.new("L", (1, 1)), "PNG")
    head = data[12:16] + (40_000).to_bytes(4, "big") * 2 + data[24:29]
    huge = data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]
    assert reason_of(huge) == "too_many_pixels"


def with_position(lat, lon, lat_ref="N", lon_ref="W"):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: lat_ref, 2: lat, 3: lon_ref, 4: lon})
    return encoded(Image.new("RGB", (32, 32)), exif=exif)


def test_position_of_a_picture_is_read():
    assert exif_position(with_position((51.0, 30.0, 0.0), (0.0, 7.0, 12.0))) == pytest.approx(
        (51.5, -0.12), abs=1e-9
    )
    south_east = with_position((33.0, 51.0, 36.0), (151.0, 12.0, 0.0), "S", "E")
    assert exif_position(south_east) == pytest.approx((-33.86, 151.2), abs=1e-9)


@pytest.mark.parametrize(
    "data",
    [
        encoded(photograph(1)),
        b"",
        HTML,
        with_position((95.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        with_position((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ],
    ids=["none", "nothing", "page", "off the globe", "zero"],
)
def test_picture_without_a_position_has_none(data):
    assert exif_position(data) is None


def test_noise_alone_is_not_taken_for_a_card():
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    check_picture(encoded(Image.fromarray(noise)), most_plain=0.9)
