"""Real photographs, openly licensed: none is refused in any light, and each damage is found."""

import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from streetineq_assets.codes.perceptual_hash import PLAIN, hamming, perceptual_hash
from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess
from streetineq_assets.codes.quality import REASONS, below_reference, picture_quality
from streetineq_assets.codes.screening import refuse_empty
from streetineq_assets.image_settings import Images, Repeats

LIGHT = {
    "day": (1, 0),
    "fog": (0.05, 200),
    "haze": (0.2, 150),
    "night": (0.03, 0),
    "black night": (0.2, -15),
    "glare": (1.5, 60),
}


@pytest.fixture(scope="module")
def photographs(shared_data):
    return sorted((shared_data / "street_images").glob("**/*.jp*g"))


@pytest.fixture(scope="module")
def views(photographs):
    """Some of them as a provider of views would send them, 640 x 400."""
    opened = (Image.open(io.BytesIO(path.read_bytes())) for path in photographs[::4])
    return [image.convert("RGB").resize((640, 400), reducing_gap=1.0) for image in opened]


def reason(data):
    try:
        refuse_empty(preprocess(data), Images())
    except ImageRejectedError as error:
        return error.reason
    return None


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def test_panoramas_are_refused_as_they_are_and_nothing_else(photographs):
    panoramas, others = set(), set()
    for data in map(Path.read_bytes, photographs):
        width, height = Image.open(io.BytesIO(data)).size
        (panoramas if width == 2 * height else others).add(data)
    assert {reason(data) for data in panoramas} == {"panorama"}
    assert {reason(data) for data in others} == {None}
    assert len(panoramas) == 6


@pytest.mark.parametrize("light", LIGHT)
def test_no_light_is_taken_for_nothing(views, light):
    contrast, brightness = LIGHT[light]
    for image in views:
        pixels = contrast * np.asarray(image, np.float32) + brightness
        assert reason(jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))) is None


def test_four_kilobytes_lost_or_zeroed_are_found(views):
    for data in map(jpeg, views):
        for share in (0.2, 0.5, 0.8):
            at = int(share * len(data))
            for hole in (b"", bytes(4096)):
                assert reason(data[:at] + hole + data[at + 4096 :]) in ("damaged", "truncated")


# -- perceptual hashes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(photographs):
    """Those that are no panorama, as a decoder of JPEG makes them smaller."""
    opened = [Image.open(io.BytesIO(path.read_bytes())) for path in photographs]
    flat = [image for image in opened if image.width != 2 * image.height]
    for image in flat:
        image.draft("RGB", (640, 480))
    return [image.convert("RGB") for image in flat]


def encoded(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def hash_of(image):
    return perceptual_hash(preprocess(image))


COPIES = {
    "low quality": (lambda image: encoded(image, 20), 2),
    "half the size": (lambda image: image.resize((image.width // 2, image.height // 2)), 2),
    "cropped by 1 %": (
        lambda image: image.crop(
            (
                image.width // 200,
                image.height // 200,
                image.width * 199 // 200,
                image.height * 199 // 200,
            )
        ),
        Repeats().max_hamming,
    ),
    "brighter": (
        lambda image: image.point(lambda level: min(255, int(level * 1.15))),
        Repeats().max_hamming,
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_a_photograph_is_found(whole, name):
    copy, most = COPIES[name]
    assert max(int(hamming(hash_of(image), hash_of(copy(image)))) for image in whole) <= most


def test_no_two_photographs_are_taken_for_copies(whole):
    """Among them frames of one street, taken while walking."""
    hashes = [hash_of(image) for image in whole]
    assert PLAIN not in hashes
    distances = [int(hamming(one, other)) for one, other in combinations(hashes, 2)]
    assert min(distances) > Repeats().max_hamming
    assert 26 < np.mean(distances) < 33


# -- figures of quality ----------------------------------------------------------------------------


def below(images):
    """Which share of images is below each reference limit."""
    quality = np.array([picture_quality(preprocess(image)) for image in images])
    return {name: float(found.mean()) for name, found in below_reference(quality)}


def test_of_real_photographs_none_is_blurred_or_dark_and_most_show_sky(whole):
    shares = below(whole)
    assert (shares["blurred"], shares["dark"]) == (0, 0)
    assert shares["without_sky"] < 0.15, "a portal from near by, thrice, and an arch of leaves"


def test_what_blurs_the_view_by_three_pixels_is_found_and_by_one_is_not(whole):
    slight, strong = (
        [image.filter(ImageFilter.GaussianBlur(pixels * min(image.size) / 224)) for image in whole]
        for pixels in (1, 3)
    )
    assert below(slight)["blurred"] == 0
    assert below(strong)["blurred"] == 1


@pytest.mark.parametrize("light", ["fog", "haze", "night", "glare"])
def test_no_light_is_taken_for_blur(views, light):
    contrast, brightness = LIGHT[light]
    seen = [image.point(lambda level: contrast * level + brightness) for image in views]
    shares = below(seen)
    assert shares["blurred"] == 0
    assert shares["dark"] == (light == "night")
    assert set(shares) == set(REASONS)


def test_compression_is_not_taken_for_blur(whole):
    assert below([encoded(image, 10) for image in whole])["blurred"] == 0
