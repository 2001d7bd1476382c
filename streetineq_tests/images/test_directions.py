"""Two directions of captures are compared on the circle."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.directions import (
    agreement,
    circular_median,
    differences,
    wrapped,
)


def arcs(angles, direction):
    """Sum of the arcs from a direction, with complex numbers."""
    turned = np.exp(1j * np.deg2rad(angles)) / np.exp(1j * np.deg2rad(direction))
    return np.abs(np.rad2deg(np.angle(turned))).sum()


@given(st.lists(st.floats(-360, 360), min_size=1, max_size=12))
def test_the_median_lies_least_far_from_all(angles):
    found = circular_median(np.array(angles))
    assert -180 < found <= 180
    best = min(arcs(angles, each) for each in angles)
    # Between two that lie least far, the middle may be nearer still; never farther, but where the
    # sample goes around the circle and several distant ones are as good.
    tied = [each for each in angles if arcs(angles, each) < best + 1e-6]
    if np.ptp(wrapped(np.array(tied) - tied[0])) < 90:
        assert arcs(angles, found) <= best + 1e-3


@pytest.mark.parametrize(
    ("angles", "median"),
    [
        ([350, 0, 20], 0),
        ([359, 1], 0),
        ([170, 175, -175], 175),
        ([10, 20, 30, 40], 25),
        ([3], 3),
        ([5, 5, 5, 200], 5),
        ([180, 180, 179], 180),
    ],
)
def test_medians_worked_out_by_hand(angles, median):
    assert circular_median(np.array(angles, dtype=float)) == pytest.approx(median, abs=1e-6)


def test_the_median_of_a_small_arc_is_the_ordinary_one():
    angles = np.random.default_rng(0).normal(0, 8, 1001)
    assert circular_median(angles + 720) == pytest.approx(np.median(angles), abs=1e-6)


def test_differences_are_those_of_captures_with_both_directions():
    frame = pd.DataFrame(
        {
            "compass_deg": [1.0, 359.0, 10.0, np.nan, 190.0, 90.0],
            "second_compass_deg": [359.0, 1.0, np.nan, 3.0, 10.0, 180.0],
        }
    )
    assert differences(frame).tolist() == [2, -2, 180, -90]


def test_what_is_said_of_them():
    found = agreement(np.array([0.0, 2.0, 4.0, 88.0, 92.0, 180.0, -91.0, 1.0]))
    assert found.n == 8
    assert found.share_far == 0.5
    assert found.shares == {90: 0.25, 180: 0.125, -90: 0.125}
    calm = agreement(np.array([8.0, 9.0, 10.0, 11.0, 12.0]))
    assert (calm.median_deg, calm.spread_deg) == (pytest.approx(10), pytest.approx(1))


def test_of_none_nothing_is_said():
    found = agreement(np.array([]))
    assert found.n == 0
    assert np.isnan([found.median_deg, found.spread_deg, found.error_deg, found.share_far]).all()


def test_the_error_is_that_of_a_normal_median():
    """Over many samples, the medians spread as much as their errors say."""
    generator = np.random.default_rng(1)
    found = [agreement(generator.normal(170, 5, 40)) for _ in range(1500)]
    spread = np.std(wrapped(np.array([each.median_deg for each in found]) - 170))
    assert np.mean([each.error_deg for each in found]) == pytest.approx(spread, rel=0.1)
