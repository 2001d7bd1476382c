"""Statistics of codes block by block, against NumPy on the whole; and how codes are stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.codes.feature_statistics import (
    FeatureStatistics,
    RunningMoments,
    storage_type,
)


def statistics_of(rows):
    found = FeatureStatistics(rows.shape[-1])
    for block in np.array_split(rows.astype(np.float32), 3):
        found.add(block)
    return found


def codes(count=300, width=8):
    return np.random.default_rng(0).normal(-5.24, 8.17, (count, 4, width))


def test_mean_and_sd_are_those_of_all_images():
    rows = codes() * np.arange(1, 9) + 1000
    found = statistics_of(rows)
    flat = rows.astype(np.float32).astype(np.float64).reshape(-1, 8)
    np.testing.assert_allclose(found.moments.mean, flat.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.moments.sd, flat.std(axis=0), rtol=1e-5)
    mean, sd = found.overall
    assert mean == pytest.approx(flat.mean(), rel=1e-9)
    assert sd == pytest.approx(flat.std(), rel=1e-5)


@given(cuts=st.lists(st.integers(0, 300), max_size=6), shift=st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_blocks_of_any_size_give_the_same(cuts, shift):
    rows = (codes() + shift).astype(np.float32)
    whole, parts = FeatureStatistics(8), FeatureStatistics(8)
    whole.add(rows)
    for block in np.split(rows, sorted(cuts)):
        parts.add(block)
    assert parts.moments.count == whole.moments.count
    np.testing.assert_allclose(parts.moments.mean, whole.moments.mean, rtol=1e-9)
    np.testing.assert_allclose(parts.moments.sd, whole.moments.sd, rtol=1e-5)
    assert parts.float16_error == pytest.approx(whole.float16_error, rel=1e-6)


def test_rounding_error_is_measured_in_the_features_own_deviations():
    rows = codes().astype(np.float32)
    flat = rows.reshape(-1, 8).astype(np.float64)
    error = flat - flat.astype(np.float16).astype(np.float64)
    expected = (np.sqrt((error**2).mean(axis=0)) / flat.std(axis=0)).max()
    assert statistics_of(rows).float16_error == pytest.approx(expected, rel=1e-4)


def test_codes_as_published_fit_into_float16():
    found = statistics_of(codes(3000))
    assert storage_type(found) == (np.float16, None)
    assert found.float16_error == pytest.approx(2.5e-4, rel=0.2)  # as measured on London's


def test_a_magnitude_beyond_the_limit_stays_float32():
    rows = codes()
    rows[0, 0, 0] = 32_752
    assert storage_type(statistics_of(rows))[0] == np.float16
    rows[0, 0, 0] = -32_768
    dtype, reason = storage_type(statistics_of(rows))
    assert dtype == np.float32
    assert "32768" in reason


def test_a_small_spread_on_a_large_mean_stays_float32():
    rows = codes()
    rows[:, :, 3] = 1000 + 0.5 * rows[:, :, 3] / 8.17
    dtype, reason = storage_type(statistics_of(rows))
    assert dtype == np.float32
    assert "rounding error" in reason


def test_constant_features_are_exempt():
    rows = codes()
    rows[:, :, 3] = 1000.3
    found = statistics_of(rows)
    assert storage_type(found)[0] == np.float16
    assert found.n_dead_units == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_moments_of_blocks_with_and_without_views(dtype):
    """Small and large blocks, values far from zero, as training and packing hand them over."""
    rows = (codes(3000) + 30).astype(dtype)
    flat = rows.reshape(-1, 8).astype(np.float64)
    with_views, without = RunningMoments(8), RunningMoments(8)
    for block in np.split(rows, [0, 1, 700, 2999]):
        with_views.add(block)
        without.add(block.reshape(-1, 8))
    for moments in (with_views, without):
        assert moments.count == len(flat)
        np.testing.assert_allclose(moments.mean, flat.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(moments.sd, flat.std(axis=0), rtol=1e-5)


def test_a_block_is_left_as_it_is():
    rows = codes().astype(np.float32)
    before = rows.copy()
    RunningMoments(8).add(rows)
    np.testing.assert_array_equal(rows, before)


def test_moments_of_nothing():
    moments = RunningMoments(3)
    moments.add(np.empty((0, 4, 3), np.float32))
    assert moments.count == 0
    np.testing.assert_array_equal(moments.sd, 0)


def test_images_that_are_not_finite_count_for_nothing_else():
    rows = codes().astype(np.float32)
    found = FeatureStatistics(8)
    expected = statistics_of(rows[:, 1:])
    rows[:, 0, 3] = np.nan
    found.add(rows)
    assert found.n_not_finite == len(rows)
    np.testing.assert_allclose(found.moments.mean, expected.moments.mean, rtol=1e-9)
    assert storage_type(found)[0] == np.float32
