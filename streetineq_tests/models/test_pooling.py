"""Any number of views: their mean or attention, whatever their order, without the absent ones."""

from itertools import permutations
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from streetineq_assets.errors import SourceError, TrainingError
from streetineq_assets.models.network import build_network, load_network
from streetineq_assets.models.pooling import split_at_views
from streetineq_assets.profiles import PROFILES, Profile, Training

WIDTH = 24
POOLINGS = ("mean", "attention")
ANY_NUMBER = [*(("mean", views) for views in (1, 2, 7)), ("attention", 2), ("attention", 7)]


def profile_of(pooling: str, name: str = "recommended") -> Profile:
    return PROFILES[name].model_copy(update={"pooling": pooling})


def trained_looking(network: keras.Model, seed: int = 0) -> keras.Model:
    """Every weight, statistic and attention as after a training: no longer 0 or 1."""
    rng = np.random.default_rng(seed)
    network.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in network.get_weights()])
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            sd = 0.02 if layer.name == "attention_logit" else 0.5
            layer.kernel.assign(rng.normal(0, sd, layer.kernel.shape))
    return network


def codes(views: int = 4, n: int = 9, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (n, views, WIDTH)).astype(np.float32)


def some_absent(views: int, n: int = 9, seed: int = 2) -> np.ndarray:
    """Every location has a view, most lack one."""
    present = np.random.default_rng(seed).random((n, views)) < 0.5
    present[np.arange(n), np.arange(n) % views] = True
    return present


@pytest.mark.parametrize(("pooling", "views"), ANY_NUMBER)
def test_any_number_of_views_has_the_same_weights(pooling: str, views: int) -> None:
    profile = profile_of(pooling)
    network, of_four = (build_network(profile, WIDTH, views=v, seed=3) for v in (views, 4))
    assert network(codes(views)).shape == (9, 1)
    for own, theirs in zip(network.get_weights(), of_four.get_weights(), strict=True):
        np.testing.assert_array_equal(own, theirs)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("training", [False, True])
def test_the_order_of_views_changes_nothing(pooling: str, training: bool) -> None:
    profile = profile_of(pooling).model_copy(update={"dropout": 0.0})
    network, x = trained_looking(build_network(profile, WIDTH, masked=True)), codes()
    present, weights = some_absent(4), None
    for order in permutations(range(4)):
        weights = weights or network.get_weights()
        network.set_weights(weights)
        own = np.asarray(network([x, present], training=training))
        network.set_weights(weights)
        turned = network([x[:, order], present[:, order]], training=training)
        np.testing.assert_allclose(np.asarray(turned), own, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("number", [0.0, -1.0, 1e6], ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_what_stands_in_place_of_an_absent_view_changes_nothing(
    pooling: str, number: float, training: bool
) -> None:
    """Not to the last bit: neither scores, nor what a training step would learn from them."""
    profile = profile_of(pooling).model_copy(update={"dropout": 0.0})
    x, present = codes(), some_absent(4)
    found = []
    for filled in (x, np.where(present[..., None], x, np.float32(number))):
        network = trained_looking(build_network(profile, WIDTH, masked=True))
        with tf.GradientTape() as tape:
            scores = network([tf.constant(filled), tf.constant(present)], training=training)
            loss = tf.reduce_sum(scores**2)
        gradients = tape.gradient(loss, network.trainable_variables)
        found.append([scores, *gradients, *network.non_trainable_variables])
    for own, other in zip(*found, strict=True):
        np.testing.assert_array_equal(np.asarray(own), np.asarray(other))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_absent_views_are_as_if_there_had_been_fewer(pooling: str) -> None:
    profile, x, present = profile_of(pooling), codes(), some_absent(4)
    present |= present.sum(axis=1, keepdims=True) == 1  # attention needs two to choose from
    masked = trained_looking(build_network(profile, WIDTH, masked=True))
    found = np.asarray(masked([x, present]))
    for row in range(len(x)):
        fewer = build_network(profile, WIDTH, views=int(present[row].sum()))
        fewer.set_weights(masked.get_weights())
        alone = np.asarray(fewer(x[row, present[row]][None]))
        np.testing.assert_allclose(alone, found[row : row + 1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", list(PROFILES))
def test_where_all_are_there_the_mask_says_nothing(pooling: str, name: str) -> None:
    profile, x = profile_of(pooling, name), codes()
    masked = trained_looking(build_network(profile, WIDTH, masked=True))
    plain = build_network(profile, WIDTH)
    plain.set_weights(masked.get_weights())
    np.testing.assert_allclose(
        np.asarray(plain(x)), np.asarray(masked([x, np.ones((9, 4), bool)])), rtol=1e-5, atol=1e-6
    )


def test_attention_starts_as_the_mean() -> None:
    attending, averaging = (build_network(profile_of(p), WIDTH, seed=5) for p in POOLINGS[::-1])
    np.testing.assert_allclose(
        np.asarray(attending(codes())), np.asarray(averaging(codes())), rtol=1e-4, atol=1e-6
    )


def test_attention_is_that_of_ilse_tomczak_and_welling() -> None:
    """Their equation 9, in NumPy, with the logits eight times as large."""
    network, x = trained_looking(build_network(profile_of("attention"), WIDTH)), codes()
    of_views, of_pooled = split_at_views(network)
    h, logits = map(np.asarray, of_views(x))

    def affine(name: str) -> np.ndarray:
        kernel, bias = network.get_layer(f"attention_{name}").get_weights()
        return h @ kernel + bias

    gated = np.tanh(affine("value")) * expit(affine("gate"))
    by_hand = 8 * (gated @ network.get_layer("attention_logit").get_weights()[0])[..., 0]
    np.testing.assert_allclose(logits, by_hand, rtol=1e-4, atol=1e-5)
    weights = softmax(by_hand, axis=1)
    assert np.ptp(weights, axis=1).min() > 0.01
    assert weights.max() < 1
    pooled = (weights[..., None] * h).sum(axis=1).astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(of_pooled(pooled)), np.asarray(network(x)), rtol=1e-4, atol=1e-5
    )


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("masked", [False, True], ids=["all", "some_absent"])
@pytest.mark.parametrize("views", [2, 4])
def test_a_saved_network_opens_in_any_keras(
    pooling: str, masked: bool, views: int, tmp_path: Path
) -> None:
    network = trained_looking(build_network(profile_of(pooling), WIDTH, views=views, masked=masked))
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    given = [codes(views), some_absent(views)] if masked else codes(views)
    np.testing.assert_array_equal(np.asarray(again(given)), np.asarray(network(given)))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("masked", [False, True], ids=["all", "some_absent"])
@pytest.mark.parametrize("name", list(PROFILES))
def test_it_is_loaded_for_codes_of_any_views(
    pooling: str, masked: bool, name: str, tmp_path: Path
) -> None:
    """Whether it was saved with or without a mask."""
    profile = profile_of(pooling, name)
    saved = trained_looking(build_network(profile, WIDTH, masked=masked))
    saved.save(tmp_path / "network.keras")
    for views, absent in ((4, False), (4, True), (2, False), (3, True)):
        loaded = load_network(
            tmp_path / "network.keras", profile, WIDTH, views=views, masked=absent
        )
        made = build_network(profile, WIDTH, views=views, masked=absent)
        made.set_weights(saved.get_weights())
        given = [codes(views), some_absent(views)] if absent else codes(views)
        np.testing.assert_array_equal(np.asarray(loaded(given)), np.asarray(made(given)))


@pytest.mark.parametrize(("saved", "asked"), [POOLINGS, POOLINGS[::-1]])
def test_a_network_that_pools_otherwise_is_refused(saved: str, asked: str, tmp_path: Path) -> None:
    build_network(profile_of(saved), WIDTH).save(tmp_path / "network.keras")
    with pytest.raises(SourceError, match="layers differ"):
        load_network(tmp_path / "network.keras", profile_of(asked), WIDTH)


def test_attention_to_one_view_is_refused() -> None:
    with pytest.raises(TrainingError, match=r'one each: set pooling = "mean"'):
        build_network(profile_of("attention"), WIDTH, views=1)


# -- the profile -----------------------------------------------------------------------------------


def test_attention_is_an_override_and_off_by_default() -> None:
    assert all(profile.pooling == "mean" for profile in PROFILES.values())
    assert Training(overrides={"pooling": "attention"}).resolve().pooling == "attention"
    with pytest.raises(ValueError, match="pooling"):
        Training(overrides={"pooling": "max"})


def test_recipes_of_versions_that_had_the_mean_alone_stay() -> None:
    assert "pooling" not in profile_of("mean").recorded()
    assert profile_of("attention").recorded()["pooling"] == "attention"
    assert Profile.model_validate(profile_of("mean").recorded()).pooling == "mean"
