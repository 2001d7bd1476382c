"""By what a cut view is known, and how fine a panorama is kept for it."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes.cutting import Cut, cut_view, decode_panorama, image_sha256
from streetineq_assets.codes.preprocess import ImageRejectedError
from streetineq_assets.images.panorama import least_height, views
from streetineq_tests.codes.panoramas import FOV, SIZE, encoded, panorama

CUT = Cut(10.0, 0.0, -1.5, 90.0, FOV, SIZE)
SMALL = (64, 40)
DATA = b"the bytes of a panorama"


# -- identity --------------------------------------------------------------------------------------


def test_an_image_of_its_own_is_known_by_its_bytes():
    assert image_sha256(DATA, None) == hashlib.sha256(DATA).hexdigest()


def test_a_cut_view_is_known_by_bytes_and_cut():
    """The text is a contract: codes of cut views are found again by it."""
    label = f"{hashlib.sha256(DATA).hexdigest()} cut 1 (10.0, 0.0, -1.5, 90.0, 90.0, 640, 400)"
    assert image_sha256(DATA, CUT) == hashlib.sha256(label.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"compass": 10.1},
        {"pitch": 1.0},
        {"roll": 0.0},
        {"heading": 180.0},
        {"fov": 67.4},
        {"size": (640, 399)},
    ],
)
def test_another_cut_is_another_image(change):
    assert image_sha256(DATA, CUT._replace(**change)) != image_sha256(DATA, CUT)


def test_a_compass_is_known_modulo_a_turn():
    assert image_sha256(DATA, CUT._replace(compass=370.0)) == image_sha256(DATA, CUT)


# -- pixels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_panorama_that_is_as_fine_as_its_views_is_taken_as_it_is(kind):
    height = least_height(60, SMALL)
    data = encoded(panorama(1, height=height), kind)
    pixels = decode_panorama(data, 60, SMALL)
    assert pixels.shape == (height, 2 * height, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels.astype(int), panorama(1, height=height), atol=30)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(("times", "left"), [(1.9, 1.9), (2, 1), (3, None), (4, 1)])
def test_a_finer_one_is_made_smaller_and_stays_as_fine_as_its_views(kind, times, left):
    least = least_height(60, SMALL)
    data = encoded(panorama(2, height=round(times * least)), kind)
    height, width, _ = decode_panorama(data, 60, SMALL).shape
    assert abs(width - 2 * height) <= 1
    assert least <= height < 2 * least
    assert left is None or height == round(left * least)


def test_details_finer_than_a_view_are_averaged_and_not_picked():
    """Black and white columns, one pixel each, of which a view has pixels for a sixth."""
    stripes = np.zeros((1056, 2112, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = Cut(33.0, 0.0, 0.0, 0.0, 60.0, SMALL)
    (picked,) = views(stripes, compass=33, headings=[0], fov=60, size=SMALL)
    averaged = np.asarray(cut_view(decode_panorama(encoded(stripes), 60.0, SMALL), cut))
    assert picked.std() > 60
    assert averaged.std() < 2
    assert abs(averaged.mean() - 127.5) < 2


def test_a_view_is_that_of_the_panorama_with_its_pose():
    pixels = panorama(3)
    expected = views(pixels, compass=10, roll=-1.5, headings=[90])[0]
    view = cut_view(pixels, CUT)
    assert view.size == SIZE
    assert view.mode == "RGB"
    assert np.array_equal(np.asarray(view), expected)


@pytest.mark.parametrize("shape", [(128, 254), (128, 128), (256, 128), (128, 260)])
def test_what_is_not_twice_as_wide_as_high_is_no_panorama(shape):
    data = encoded(np.asarray(Image.fromarray(panorama(4)).resize(shape[::-1])))
    with pytest.raises(ImageRejectedError) as caught:
        decode_panorama(data, FOV, SIZE)
    assert caught.value.reason == "not_a_panorama"
    assert f"{shape[1]} x {shape[0]}" in str(caught.value)


def test_a_column_less_by_rounding_is_a_panorama():
    data = encoded(panorama(4)[:, :255])
    assert decode_panorama(data, FOV, SIZE).shape == (128, 255, 3)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: b"", "empty_file"),
        (lambda data: b"<html>", "not_an_image"),
        (lambda data: data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 :], "damaged"),
    ],
)
def test_a_damaged_panorama_is_rejected_as_other_images_are(spoil, reason):
    data = spoil(encoded(panorama(5, height=512), "JPEG", quality=95))
    with pytest.raises(ImageRejectedError) as caught:
        decode_panorama(data, FOV, SIZE)
    assert caught.value.reason == reason


def test_a_panorama_of_unknown_direction_is_rejected():
    with pytest.raises(ImageRejectedError) as caught:
        cut_view(panorama(6), CUT._replace(compass=float("nan")))
    assert caught.value.reason == "no_compass"
