"""Hashes of what pictures look like: copies are near, other pictures far, plain ones out."""

import io

import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes.perceptual_hash import PLAIN, UNKNOWN, hamming, perceptual_hash
from streetineq_assets.codes.preprocess import CHANNEL_MEANS, preprocess
from streetineq_assets.image_settings import Repeats
from streetineq_tests.images.pictures import photograph

MOST = Repeats().max_hamming


def hash_of(image):
    return perceptual_hash(preprocess(image))


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def cropped(image, share):
    width, height = image.size
    x, y = round(share * width / 2), round(share * height / 2)
    return image.crop((x, y, width - x, height - y))


def test_it_is_the_signs_of_the_lowest_frequencies_about_their_median():
    """By the definition of the cosine transform, on means of 7 x 7 grey levels."""
    view = preprocess(photograph(3))
    grey = np.asarray(view[..., ::-1] + CHANNEL_MEANS[::-1]) @ np.array([0.299, 0.587, 0.114])
    small = Image.fromarray(grey.astype(np.float32)).convert("L")
    small = np.asarray(small, np.float64).reshape(32, 7, 32, 7).mean(axis=(1, 3)).round()
    n, k = np.arange(32), np.arange(8)[:, None]
    cosines = np.cos(np.pi * k * (2 * n + 1) / 64)
    low = cosines @ small @ cosines.T
    bits = (low > np.median(low)).reshape(-1)
    assert int(perceptual_hash(view)) == int("".join("01"[int(bit)] for bit in bits), 2)


@pytest.mark.parametrize("seed", range(8))
def test_a_copy_in_other_bytes_is_near(seed):
    image = photograph(seed, size=(640, 400))
    original = hash_of(encoded(image, quality=90))
    copies = {
        "quality 40": encoded(image, quality=40),
        "half the size": encoded(image.resize((320, 200))),
        "PNG": encoded(image, "PNG"),
        "brighter": encoded(image.point(lambda level: min(255, round(level * 1.1)))),
        "cropped by 1 %": encoded(cropped(image, 0.01)),
    }
    far = {name: int(hamming(original, hash_of(data))) for name, data in copies.items()}
    assert max(far.values()) <= MOST, far


def test_other_pictures_are_far():
    hashes = np.array([hash_of(photograph(seed)) for seed in range(40)])
    distances = hamming(hashes[:, None], hashes[None])[np.triu_indices(40, 1)]
    assert distances.min() > 2 * MOST
    assert 28 < distances.mean() < 36, "half of the bits"


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_a_picture_that_is_hardly_more_than_noise_has_no_hash_to_compare(spread):
    noise = np.random.default_rng(0).normal(120, spread, (224, 224, 1))
    view = np.broadcast_to(noise, (224, 224, 3)).astype(np.float32) - CHANNEL_MEANS
    assert perceptual_hash(view) == PLAIN


def test_no_picture_is_taken_for_one_without_a_hash():
    hashes = [hash_of(photograph(seed)) for seed in range(20)]
    assert not {int(UNKNOWN), int(PLAIN)} & {int(each) for each in hashes}
    assert hashes[0].dtype == np.uint64
