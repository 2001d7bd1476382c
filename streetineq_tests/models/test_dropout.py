"""What training drops, by numbers that come with the batch."""

import numpy as np
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.models.arrays import aligned_empty, as_tensor, take_rows
from streetineq_assets.models.dropout import DrawnDropout, draw, given
from streetineq_assets.models.network import build_network
from streetineq_assets.models.reader import CodeShape
from streetineq_assets.models.trainer import Trainer
from streetineq_assets.profiles import PROFILES


def _dropped(rate: float, numbers: np.ndarray) -> np.ndarray:
    layer = DrawnDropout(rate)
    with given([layer], [numbers]):
        return np.asarray(layer(np.ones(numbers.shape, np.float32), training=True))


def test_numbers_below_the_rate_drop_and_the_others_are_scaled_up() -> None:
    numbers = np.array([[0, 16383, 16384, 65535]], np.uint16)
    np.testing.assert_allclose(_dropped(0.25, numbers), [[0, 0, 4 / 3, 4 / 3]])


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_as_many_units_are_dropped_as_the_rate_says(rate: float) -> None:
    (numbers,) = draw(np.random.SFC64(0), [(1000, 101)])
    kept = _dropped(rate, numbers)
    assert (kept == 0).mean() == pytest.approx(rate, abs=0.005)
    assert kept.mean() == pytest.approx(1, abs=0.01)
    assert (kept == 0).mean(axis=0).std() < 0.02  # no column is favoured


def test_nothing_is_dropped_outside_training() -> None:
    assert np.asarray(DrawnDropout(0.9)(np.ones((5, 5), np.float32))).all()


def test_the_same_generator_draws_the_same_and_goes_on() -> None:
    one, other = np.random.SFC64(7), np.random.SFC64(7)
    shapes = [(3, 4, 5), (3, 2)]
    first = draw(one, shapes)
    for mine, yours in zip(first, draw(other, shapes), strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert [each.shape for each in first] == shapes
    assert not np.array_equal(first[0], draw(one, shapes)[0])


def test_only_the_network_that_trains_takes_its_numbers_from_outside() -> None:
    """What is saved is of Keras's own layers; its weights have the same order."""
    profile = PROFILES["recommended"]
    training = Trainer(profile, CodeShape(8), 1, Device(kind="cpu")).network
    saved = build_network(profile, 8)
    assert {type(layer) for layer in training.layers} - {type(layer) for layer in saved.layers} == {
        DrawnDropout
    }
    assert [w.path for w in training.weights] == [w.path for w in saved.weights]


def test_an_aligned_array_is_lent_to_tensorflow_and_another_is_copied() -> None:
    features = np.arange(24, dtype=np.float16).reshape(4, 2, 3)
    taken = take_rows(features, np.array([1, 3]))
    np.testing.assert_array_equal(taken, features[[1, 3]])
    lent, copied = as_tensor(taken), as_tensor(taken[:, :1])
    taken[:] = 0
    assert not lent.numpy().any()
    np.testing.assert_array_equal(copied.numpy(), features[[1, 3], :1])


def test_an_empty_array_is_a_tensor_too() -> None:
    assert as_tensor(aligned_empty((0, 4, 3), np.float16)).shape == (0, 4, 3)
