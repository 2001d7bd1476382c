"""The network's shape, initial weights, batch normalisation, standardisation and saving."""

from pathlib import Path

import keras
import numpy as np
import pytest

from streetineq_assets.models.heads import HEADS
from streetineq_assets.models.network import (
    build_network,
    copy_head,
    draw_weights,
    freeze_blocks,
    load_network,
    set_standardisation,
)
from streetineq_assets.profiles import PROFILES

RECOMMENDED = PROFILES["recommended"]
SUEL = PROFILES["suel2019"]


def codes(n: int = 6, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).normal(-5.24, 8.17, (n, 4, width)).astype(np.float32)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_it_has_the_originals_parameters(profile: str) -> None:
    network = build_network(profile)
    assert network.output_shape == (None, 1)
    assert sum(int(np.prod(w.shape)) for w in network.trainable_variables) == 2_272_129


@pytest.mark.parametrize("profile", list(PROFILES))
def test_the_order_of_views_does_not_matter(profile: str) -> None:
    network, x = build_network(profile, 32), codes()
    np.testing.assert_allclose(network(x), network(x[:, [2, 0, 3, 1]]), atol=1e-5)


def test_initial_weights_are_glorot_normal_cut_at_two_deviations() -> None:
    kernel = build_network(SUEL, 4096).get_layer("dense_1").get_weights()[0]
    sd = np.sqrt(1.3 / ((4096 + 512) / 2))  # of the normal that is cut
    assert np.abs(kernel).max() <= 2 * sd + 1e-6
    assert kernel.std() == pytest.approx(0.8796 * sd, rel=0.01)


def test_the_seed_decides_the_weights() -> None:
    one, same, other = (build_network(RECOMMENDED, 32, seed=s).get_weights() for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[2], other[2])


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("head", list(HEADS))
def test_a_network_that_was_made_gets_the_weights_of_another_seed(head: str, pooling: str) -> None:
    profile = RECOMMENDED.model_copy(update={"head": head, "pooling": pooling})
    network = build_network(profile, 32, outcomes=2)
    expected = build_network(profile, 32, outcomes=2, seed=7).get_weights()
    draw_weights(network, seed=7)
    for found, drawn in zip(network.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, drawn)


@pytest.mark.parametrize("head", ["cumulative_link", "corn"])
def test_a_head_with_free_probabilities_starts_at_ten_even_classes(head: str) -> None:
    network = build_network(RECOMMENDED.model_copy(update={"head": head}), 32, outcomes=2)
    (kernel,) = (v for v in network.get_layer("head").variables if v.name == "kernel")
    kernel.assign(np.zeros(kernel.shape))
    outputs = np.asarray(network(codes(3))).reshape(3, 2, 9)
    p = np.exp(np.asarray(HEADS[head].log_probabilities(outputs)))
    np.testing.assert_allclose(p, 0.1, atol=1e-6)


def test_per_view_normalisation_uses_each_views_own_statistics() -> None:
    network, x = build_network(SUEL, 32), codes(16)
    dense = network.get_layer("dense_1")
    activations = np.asarray(dense(x))
    probe = keras.Model(network.input, network.get_layer("relu_1").output)
    got = np.asarray(probe(x, training=True))
    mean, var = activations.mean(axis=0), activations.var(axis=0)
    expected = np.maximum((activations - mean) / np.sqrt(var + 1e-3), 0)
    np.testing.assert_allclose(got, expected, atol=2e-3)
    moving = np.zeros(512)
    for view in range(4):  # one update per view and step
        moving = 0.999 * moving + 0.001 * mean[view]
    np.testing.assert_allclose(network.get_layer("norm_1").get_weights()[2], moving, atol=1e-4)


def test_pooled_normalisation_uses_the_four_views_together() -> None:
    network, x = build_network(RECOMMENDED, 32), codes(16)
    activations = np.asarray(network.get_layer("dense_1")(network.get_layer("standardise")(x)))
    probe = keras.Model(network.input, network.get_layer("relu_1").output)
    mean, var = activations.mean(axis=(0, 1)), activations.var(axis=(0, 1))
    expected = np.maximum((activations - mean) / np.sqrt(var + 1e-3), 0)
    np.testing.assert_allclose(np.asarray(probe(x, training=True)), expected, atol=2e-3)


def test_standardisation_is_part_of_the_network_and_never_trains() -> None:
    network, x = build_network(RECOMMENDED, 32), codes()
    mean, sd = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    sd[3] = 0.0  # a constant feature: floored, not divided by
    plain = np.asarray(network((x - mean) / np.maximum(sd, 1e-6)))
    set_standardisation(network, mean, sd)
    np.testing.assert_allclose(np.asarray(network(x)), plain, rtol=1e-3, atol=1e-4)
    before = network.get_layer("standardise").get_weights()
    network(x, training=True)
    after = network.get_layer("standardise").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("head", ["binomial", "cumulative_link", "corn"])
def test_it_is_saved_and_loaded(head: str, tmp_path: Path) -> None:
    profile = RECOMMENDED.model_copy(update={"head": head})
    network = build_network(profile, 32, seed=3)
    network.save(tmp_path / "network.keras")
    again = load_network(tmp_path / "network.keras", profile, 32)
    np.testing.assert_array_equal(np.asarray(network(codes())), np.asarray(again(codes())))


def test_the_suel2019_network_is_saved_and_loaded(tmp_path: Path) -> None:
    network = build_network(SUEL, 32)
    network.save(tmp_path / "network.keras")
    again = load_network(tmp_path / "network.keras", SUEL, 32)
    np.testing.assert_array_equal(np.asarray(network(codes())), np.asarray(again(codes())))


@pytest.mark.parametrize("head", ["binomial", "cumulative_link", "corn"])
def test_one_outcome_can_be_cut_out_of_a_joint_network(head: str) -> None:
    profile = RECOMMENDED.model_copy(update={"head": head})
    joint = build_network(profile, 32, outcomes=3, seed=5)
    together = np.asarray(joint(codes())).reshape(6, 3, -1)
    for position in range(3):
        alone = copy_head(joint, profile, position)
        np.testing.assert_allclose(np.asarray(alone(codes())), together[:, position], atol=1e-6)


def test_frozen_blocks_do_not_train() -> None:
    network = build_network(RECOMMENDED, 32)
    freeze_blocks(network, 2)
    trained = {w.path.split("/")[0] for w in network.trainable_variables}
    assert trained == {"dense_3", "norm_3", "dense_4", "norm_4", "head"}
