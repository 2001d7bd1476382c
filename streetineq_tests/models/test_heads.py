"""Every head against a calculation in NumPy, and at the limits of float32."""

import numpy as np
import pytest

from streetineq_assets.models import binomial
from streetineq_assets.models.heads import HEADS, OrderedThresholds, log_likelihood


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def outputs(head: str, n: int = 50) -> np.ndarray:
    rng = np.random.default_rng(0)
    units = HEADS[head].units
    values = rng.normal(scale=2, size=(n, units))
    if head == "cumulative_link":
        values = -np.sort(-values, axis=1)  # logits of P(class > k) fall in k
    return values.astype(np.float32)


def test_binomial_equals_the_link_on_arrays() -> None:
    h = outputs("binomial")
    rows = np.asarray(HEADS["binomial"].log_probabilities(h))
    np.testing.assert_allclose(rows, binomial.log_probabilities(h[:, 0]), atol=1e-4)
    np.testing.assert_array_equal(np.asarray(HEADS["binomial"].score(h)), h[:, 0])


def test_cumulative_link_is_the_difference_of_neighbouring_sigmoids() -> None:
    values = outputs("cumulative_link")
    above = sigmoid(values.astype(np.float64))
    edges = np.concatenate([np.ones((50, 1)), above, np.zeros((50, 1))], axis=1)
    p = np.exp(np.asarray(HEADS["cumulative_link"].log_probabilities(values)))
    np.testing.assert_allclose(p, edges[:, :-1] - edges[:, 1:], atol=2e-6)


def test_corn_is_the_chain_of_conditional_probabilities() -> None:
    values = outputs("corn")
    conditional = sigmoid(values.astype(np.float64))
    expected = np.empty((50, 10))
    for row in range(50):
        reached = 1.0
        for k in range(9):
            expected[row, k] = reached * (1 - conditional[row, k])
            reached *= conditional[row, k]
        expected[row, 9] = reached
    p = np.exp(np.asarray(HEADS["corn"].log_probabilities(values)))
    np.testing.assert_allclose(p, expected, atol=1e-6)


def test_corn_loss_is_the_sum_of_its_tasks_cross_entropies() -> None:
    values = outputs("corn", 10)
    classes = np.arange(10)
    log_p = HEADS["corn"].log_probabilities(values)
    loss = -np.asarray(log_likelihood(log_p, classes))
    for row, y in enumerate(classes):
        conditional = sigmoid(values[row].astype(np.float64))
        tasks = [-np.log(conditional[k]) if y > k else -np.log(1 - conditional[k])
                 for k in range(9) if y >= k]  # fmt: skip
        assert loss[row] == pytest.approx(sum(tasks), rel=1e-5)


@pytest.mark.parametrize("head", list(HEADS))
def test_probabilities_sum_to_one_and_stay_finite(head: str) -> None:
    for scale in (1, 30, 1e4, 1e30):
        values = outputs(head) * np.float32(scale)
        log_p = np.asarray(HEADS[head].log_probabilities(values))
        assert np.isfinite(log_p).all()
        np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, atol=1e-4)
        assert np.isfinite(np.asarray(HEADS[head].score(values))).all()


@pytest.mark.parametrize("head", ["cumulative_link", "corn"])
def test_score_is_the_h_of_the_binomial_with_the_same_mean(head: str) -> None:
    values = outputs(head)
    p = np.exp(np.asarray(HEADS[head].log_probabilities(values), dtype=np.float64))
    score = np.asarray(HEADS[head].score(values))
    np.testing.assert_allclose(9 * sigmoid(score.astype(np.float64)), p @ np.arange(10), atol=1e-4)


def test_thresholds_start_at_equal_shares_and_stay_ordered() -> None:
    layer = OrderedThresholds()
    logits = np.asarray(layer(np.zeros((1, 2), np.float32))).reshape(2, 9)
    np.testing.assert_allclose(sigmoid(-logits), np.tile(np.arange(1, 10) / 10, (2, 1)), atol=1e-6)
    layer.set_weights([np.random.default_rng(0).normal(scale=5, size=(2, 9))])
    moved = np.asarray(layer(np.zeros((1, 2), np.float32))).reshape(2, 9)
    assert (np.diff(moved, axis=1) < 0).all()
