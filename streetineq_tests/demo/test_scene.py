"""Street scenes: they vary, repeat with the same seed, and show the latent value."""

import numpy as np
import pytest

from streetineq_assets.demo.scene import Cues, Texture, paint_location

SIZE = (160, 100)
PLAIN = Texture(((156, 92, 70), (190, 168, 124)), (84, 120, 52), (1.0, 1.0, 1.0))


def pixels(latent, seed, size=SIZE, texture=PLAIN):
    images = paint_location(latent, texture, np.random.default_rng(seed), size)
    return np.stack([np.asarray(image, dtype=float) for image in images])


def greenery(images):
    """Share of pixels in which green leads clearly."""
    red, green, blue = np.moveaxis(images, -1, 0)
    return ((green > red + 8) & (green > blue + 8)).mean()


def colourfulness(images):
    """Mean distance between the strongest and the weakest channel below the horizon."""
    ground = images[:, images.shape[1] // 2 :]
    return (ground.max(axis=-1) - ground.min(axis=-1)).mean()


def test_a_location_has_four_views_of_the_asked_size():
    images = paint_location(0.3, PLAIN, np.random.default_rng(1), (640, 400))
    assert [image.size for image in images] == [(640, 400)] * 4
    assert {image.mode for image in images} == {"RGB"}


def test_the_same_state_gives_the_same_pixels():
    assert (pixels(0.3, 7) == pixels(0.3, 7)).all()


def test_views_differ_from_each_other_and_from_the_next_street():
    views = np.concatenate([pixels(0.0, 1), pixels(0.0, 2)])
    for a in range(8):
        for b in range(a):
            assert np.abs(views[a] - views[b]).mean() > 8


def test_no_view_is_flat():
    for latent in (-2.0, 0.0, 2.0):
        assert (pixels(latent, 3).std(axis=(1, 2, 3)) > 10).all()  # a blank picture: 1


LEVELS = [-2.0, -0.7, 0.7, 2.0]


@pytest.fixture(scope="module")
def five_streets():
    """Latent value to the pixels of five streets."""
    return {level: [pixels(level, seed) for seed in range(5)] for level in LEVELS}


@pytest.mark.parametrize("measure", [greenery, colourfulness])
def test_what_is_seen_rises_with_the_latent_value(five_streets, measure):
    means = [np.mean([measure(street) for street in five_streets[level]]) for level in LEVELS]
    assert np.corrcoef(LEVELS, means)[0, 1] > 0.9
    assert means[-1] > 1.5 * means[0]


def test_one_street_says_less_than_the_mean_over_many():
    """Each cue has errors of its own, so that greenery alone does not give the value away."""
    latent = np.linspace(-2, 2, 16)
    seen = np.array([[greenery(pixels(v, [k, j])) for j in range(4)] for k, v in enumerate(latent)])
    single = np.mean([np.corrcoef(latent, seen[:, j])[0, 1] for j in range(4)])
    assert 0.5 < single < np.corrcoef(latent, seen.mean(axis=1))[0, 1] < 1.0


def test_cues_follow_the_level_with_errors_and_stay_within_bounds():
    rng = np.random.default_rng(4)
    seen = [Cues.around(0.5, rng).seen(rng) for _ in range(400)]
    road = np.array([cues.road for cues in seen])
    trees = np.array([cues.greenery for cues in seen])
    assert road.mean() == pytest.approx(0.5, abs=0.03)
    assert 0.1 < road.std() < 0.25
    assert abs(np.corrcoef(road, trees)[0, 1]) < 0.15
    assert min(Cues.around(0.0, rng).road for _ in range(50)) == 0


def test_streets_of_a_neighbourhood_are_alike_in_colour_whatever_their_value():
    """Mean colours tell neighbourhoods apart, and say nothing of the latent value."""
    rng = np.random.default_rng(5)
    places = [Texture.invent(np.random.default_rng(k)) for k in range(8)]
    values = rng.normal(size=(8, 4))
    colour = np.array(
        [
            [pixels(values[k, j], [k, j], texture=places[k]).mean(axis=(0, 1, 2)) for j in range(4)]
            for k in range(8)
        ]
    )
    tint = colour / colour.mean(axis=-1, keepdims=True)
    between, within = tint.mean(axis=1).var(axis=0), tint.var(axis=1).mean(axis=0)
    assert (between > within).any()
    means, latent = tint.mean(axis=1), values.mean(axis=1)
    assert np.abs([np.corrcoef(latent, means[:, c])[0, 1] for c in range(3)]).max() < 0.9
