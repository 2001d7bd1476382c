"""How far a picture can be used: by figures with known answers, and refused only where asked."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from streetineq_assets.codes.bucket_recipe import bucket_recipe
from streetineq_assets.codes.preprocess import CHANNEL_MEANS, ImageRejectedError, preprocess
from streetineq_assets.codes.quality import (
    FIGURES,
    REASONS,
    REFERENCE,
    below_reference,
    picture_quality,
    refuse_useless,
)
from streetineq_assets.codes.quality_checks import images_usable
from streetineq_assets.codes.screening import label
from streetineq_assets.demo.geography import stream
from streetineq_assets.demo.scene import Texture, paint_location
from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED
from streetineq_assets.image_settings import Images
from streetineq_assets.images.catalogue import list_images
from streetineq_assets.study import load_study
from streetineq_tests import studies

ROWS = np.arange(224)[:, None]


def view_of(red, green, blue):
    """Planes that broadcast to 224 x 224, as `preprocess` gives pictures."""
    planes = [np.broadcast_to(plane, (224, 224)) for plane in (blue, green, red)]
    return np.stack(planes, axis=-1).astype(np.float32) - CHANNEL_MEANS


def figures(view):
    return dict(zip(FIGURES, picture_quality(view).tolist(), strict=True))


def checkerboard(low=40, high=200):
    """Squares of 14 pixels, each beginning within a piece of 28."""
    board = (((ROWS + 7) // 14 + (ROWS.T + 7) // 14) % 2) * (high - low) + low
    return board.astype(np.uint8)


def grey(pixels):
    return preprocess(Image.fromarray(np.asarray(pixels, np.uint8)))


def scenes(n=4):
    """Painted street views, a location at each of n degrees of well-being."""
    for k in range(n):
        texture = Texture.invent(stream(1, "texture", k))
        yield from paint_location(k / (n - 1), texture, stream(1, "scene", k), (640, 400))


# -- known answers --------------------------------------------------------------------------------


def test_an_edge_within_one_pixel_is_its_own_height():
    """A step of 160 of a range of 160, less the 2 grey levels that are taken for noise."""
    assert figures(grey(checkerboard()))["sharpness"] == pytest.approx(160 / 162, abs=1e-3)


@pytest.mark.parametrize("sigma", [1, 2, 3, 4])
def test_a_blurred_edge_rises_by_the_error_function(sigma):
    """Its steepest step is that of a Gaussian's distribution across one pixel."""
    distance = 14 - np.abs((ROWS + 0.5) % 56 - 28)  # from edges amid pieces of 28 pixels
    profile = np.vectorize(lambda d: 120 + 80 * math.erf(d / sigma / math.sqrt(2)))(distance)
    both = np.minimum(profile, profile.T)  # squares: edges along both axes
    step = 160 * math.erf(0.5 / sigma / math.sqrt(2))
    found = picture_quality(view_of(both, both, both))[0]
    assert found == pytest.approx(step / 162, rel=0.1)
    assert found == pytest.approx(0.4 / sigma, rel=0.15), "as the docstring says"


def test_sharpness_falls_with_every_blur():
    image = next(iter(scenes()))
    blurred = [image.filter(ImageFilter.GaussianBlur(radius)) for radius in (0, 1, 2, 3, 5, 8, 12)]
    found = [figures(preprocess(each))["sharpness"] for each in blurred]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * REFERENCE[0] > REFERENCE[0] > found[-1]


@pytest.mark.parametrize("axis", [0, 1])
def test_motion_along_one_axis_is_seen(axis):
    """The edges along the other axis stay as they were."""
    board = checkerboard().astype(float)
    moved = np.mean([np.roll(board, shift, axis) for shift in range(12)], axis=0)
    assert figures(grey(moved))["sharpness"] < REFERENCE[0] < figures(grey(board))["sharpness"]


def test_little_contrast_is_not_blur():
    """Nor are fog and dusk: they make edges lower, not wider."""
    bright, dim = (figures(grey(checkerboard(100, high)))["sharpness"] for high in (220, 112))
    assert dim > 0.8 * bright


def test_a_black_frame_is_neither_sharp_nor_bright_nor_sky():
    assert picture_quality(view_of(0, 0, 0)).tolist() == [0, 0, 0]


def test_brightness_is_the_luma_of_television():
    """ITU-R BT.709: 0.2126 of red, 0.7152 of green, 0.0722 of blue."""
    expected = 0.2126 * 100 + 0.7152 * 50 + 0.0722 * 200
    assert figures(view_of(100, 50, 200))["brightness"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("n_rows", [0, 10, 37, 74, 200])
def test_sky_is_its_share_of_the_upper_third(n_rows):
    """A blue gradient down to a brick wall; the upper third has 74 rows of 224."""
    above = n_rows > ROWS
    sky = [np.where(above, level + ROWS / 4, wall) for level, wall in ((90, 150), (140, 80))]
    view = view_of(*sky, np.where(above, 220, 60))
    assert figures(view)["sky"] == pytest.approx(min(n_rows, 74) / 74, abs=1e-4)


@pytest.mark.parametrize(
    ("red", "green", "blue", "is_sky"),
    [
        (90, 140, 220, True),
        (200, 205, 210, True),
        (60, 70, 110, True),
        (230, 215, 190, False),
        (60, 120, 50, False),
        (30, 30, 32, False),
    ],
    ids=["blue", "overcast", "dusk", "ceiling", "leaves", "night"],
)
def test_what_counts_as_sky(red, green, blue, is_sky):
    assert figures(view_of(red, green, blue))["sky"] == float(is_sky)


def test_sky_below_an_edge_is_a_window():
    """It does not reach the upper edge."""
    window = np.where((ROWS > 20) & (ROWS < 60), 210, 60)
    assert figures(view_of(window, window, window))["sky"] == 0


# -- nothing to find, and invariance --------------------------------------------------------------


def test_painted_streets_are_neither_blurred_nor_dark():
    quality = np.array([picture_quality(preprocess(scene)) for scene in scenes()])
    below = dict(below_reference(quality))
    assert not below["blurred"].any()
    assert not below["dark"].any()
    assert 0 < below["without_sky"].mean() < 1, "half of them look at houses"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), contrast=st.floats(0.05, 1))
def test_a_mirror_image_has_the_same_figures(seed, contrast):
    noise = np.random.default_rng(seed).normal(120, 40 * contrast, (16, 16, 3))
    image = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).resize((224, 224))
    view = preprocess(image)
    np.testing.assert_allclose(
        picture_quality(view[:, ::-1]), picture_quality(view), rtol=1e-5, atol=2e-4
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), level=st.integers(0, 255), spread=st.floats(0, 60))
def test_figures_are_finite_and_within_their_ranges(seed, level, spread):
    pixels = np.random.default_rng(seed).normal(level, spread, (224, 224, 3)).clip(0, 255)
    found = picture_quality(pixels.astype(np.float32) - CHANNEL_MEANS)
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert (found <= [1, 255, 1]).all()


# -- the filter -----------------------------------------------------------------------------------


def reason(view, **limits):
    try:
        refuse_useless(view, Images(**limits))
    except ImageRejectedError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("name", "why"), [("sharpness", "blurred"), ("brightness", "dark"), ("sky", "without_sky")]
)
def test_a_limit_refuses_exactly_those_below_it(name, why):
    view = preprocess(next(iter(scenes())))
    here = figures(view)[name]
    assert reason(view, **{f"least_{name}": here}) is None
    assert reason(view, **{f"least_{name}": min(1.01 * here + 0.001, 255)}) == why


def test_nothing_is_refused_by_default():
    assert reason(view_of(0, 0, 0)) is None
    assert reason(view_of(0, 0, 0), least_brightness=0) is None


def test_a_study_that_sets_no_limit_is_known_by_the_same_recipe_and_screening(tmp_path):
    """Those of the version before there were figures: no code is judged or made again."""
    store = studies.new_study(tmp_path / "study", studies.SIMULATED)
    study = load_study(store.study_file)
    images = list_images(store.root, ["L0", "L1"], city="alpha", buckets=1).images
    recipe = bucket_recipe(store, study, images, "2")
    assert recipe.key == "dcc6b52d413b468e0f52f0f069d1d24efbe5174160f268ffecc0fb2982fe599e"
    assert label(study.images) == '1 {"least_contrast":1.0,"most_plain":0.9}'
    assert label(Images(least_sky=0.1)) != label(study.images)


# -- the check ------------------------------------------------------------------------------------


def usable(n_useless, *, figure=0, n=25, n_unknown=0):
    quality = np.full((n, 4, 3), [0.5, 120, 0.3], np.float32)
    quality.reshape(-1, 3)[:n_useless, figure] = 0
    quality[n - n_unknown :] = np.nan
    return images_usable([f"L{number:02d}" for number in range(n)], quality)


@pytest.mark.parametrize("figure", [0, 1])
def test_one_view_of_twenty_may_be_blurred_or_dark(figure):
    assert usable(5, figure=figure).result == HOLDS
    check = usable(6, figure=figure)
    assert check.result == DOES_NOT_HOLD
    assert not check.blocking
    assert check.values == {"n_views_useless": 6, "share_views_useless": 0.06}
    assert "L00_a, L00_b, L00_c" in check.description
    assert f"6 {REASONS[figure]}" in check.description


def test_views_without_sky_are_no_fault():
    assert usable(100, figure=2).result == HOLDS


def test_of_views_that_are_not_known_it_says_how_to_know_them():
    check = usable(0, n_unknown=5)
    assert check.result == HOLDS
    assert "20 views" in check.description
    assert "hash_pictures" in check.description
    assert usable(0, n_unknown=25).result == NOT_TESTED
    assert not usable(0, n_unknown=25).passed
    assert usable(0, n=0).passed, "another check says that there is nothing"
