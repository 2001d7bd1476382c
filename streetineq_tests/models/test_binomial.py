"""The binomial link: golden vectors of the reference, its tie rule, and its numeric limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.models import binomial

GOLDEN_P = [
    0.000049, 0.000884, 0.007118, 0.033445, 0.101024,
    0.203438, 0.273116, 0.235709, 0.118665, 0.026551,
]  # fmt: skip


def test_probabilities_match_the_independent_implementation_at_0_7() -> None:
    p = np.exp(binomial.log_probabilities(np.array([0.7])))
    np.testing.assert_allclose(p[0], GOLDEN_P, atol=5e-7)
    assert p[0].argmax() == 6


def test_loss_matches_the_independent_implementation_at_0_7() -> None:
    losses = binomial.loss(np.array([1, 5, 10]), np.array([0.7, 0.7, 0.7]))
    np.testing.assert_allclose(losses, [9.928674, 2.292393, 3.628674], atol=5e-7)


def test_loss_falls_by_9_sigmoid_minus_class() -> None:
    step = 1e-6
    h = np.full(3, 0.7)
    decile = np.array([1, 5, 10])
    slope = (binomial.loss(decile, h + step) - binomial.loss(decile, h - step)) / (2 * step)
    np.testing.assert_allclose(slope, [6.013690, 2.013690, -2.986310], atol=1e-5)


def test_loss_is_nine_times_cross_entropy_up_to_a_term_in_the_decile() -> None:
    h = np.linspace(-6, 6, 25)
    sigmoid = 1 / (1 + np.exp(-h))
    for decile in range(1, 11):
        y = (decile - 1) / 9
        cross_entropy = -(y * np.log(sigmoid) + (1 - y) * np.log(1 - sigmoid))
        difference = binomial.loss(np.full(25, decile), h) - 9 * cross_entropy
        np.testing.assert_allclose(difference, -math.log(math.comb(9, decile - 1)), atol=1e-9)


def test_a_tie_goes_to_the_lower_decile() -> None:
    assert binomial.decile(np.array([0.0])) == 5
    for dtype in (np.float32, np.float64):
        borders = np.log(np.arange(1, 10) / np.arange(9, 0, -1)).astype(dtype)
        assert binomial.decile(borders).tolist() == list(range(1, 10))
        assert binomial.decile(np.nextafter(borders, dtype(9))).tolist() == list(range(2, 11))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_everything_is_finite_in_float32(h: float) -> None:
    values = np.array([h], dtype=np.float32)
    rows = binomial.log_probabilities(values)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.isfinite(binomial.loss(np.array([1]), values)).all()
    assert 1 <= binomial.decile(values)[0] <= 10
    assert 1 <= binomial.expected_decile(values)[0] <= 10


@given(st.floats(min_value=-15, max_value=15))
def test_decile_is_the_ceiling_and_the_mode(h: float) -> None:
    position = 10 / (1 + math.exp(-h))
    if abs(position - round(position)) < 1e-9:
        return  # the tie rule has its own test
    assert binomial.decile(np.array([h]))[0] == min(max(math.ceil(position), 1), 10)
    assert binomial.log_probabilities(np.array([h])).argmax() + 1 == binomial.decile([h])[0]


@given(st.floats(min_value=-700, max_value=700))
def test_probabilities_sum_to_one_and_have_the_expected_mean(h: float) -> None:
    p = np.exp(binomial.log_probabilities(np.array([h])))[0]
    assert p.sum() == pytest.approx(1)
    assert p @ np.arange(1, 11) == pytest.approx(binomial.expected_decile(np.array([h]))[0])


def test_values_beyond_the_originals_range_keep_their_order() -> None:
    h = np.array([-1e30, -90.0, -14.0, 14.0, 90.0, 1e30], dtype=np.float32)
    assert binomial.decile(h).tolist() == [1, 1, 1, 10, 10, 10]
    assert np.isfinite(binomial.loss(np.full(6, 5), h)).all()


def test_nan_has_no_decile_and_deciles_end_at_ten() -> None:
    with pytest.raises(ValueError, match="NaN"):
        binomial.decile(np.array([np.nan]))
    with pytest.raises(ValueError, match="1 to 10"):
        binomial.loss(np.array([11]), np.array([0.0]))
    with pytest.raises(ValueError, match="1 to 10"):
        binomial.loss(np.array([0]), np.array([0.0]))
