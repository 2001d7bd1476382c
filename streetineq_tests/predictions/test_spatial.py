"""Moran's I of errors within deciles, and their range, where both are known."""

import numpy as np
import pytest
from esda.moran import Moran
from libpysal.weights import KNN

from streetineq_assets.predictions.spatial import (
    NEIGHBOURS,
    errors_within_deciles,
    moran_of_errors,
    range_of_errors,
)
from streetineq_tests.predictions.simulated_cities import City, cities

ONE_DECILE = np.ones(400, dtype=int)  # where errors are the scores less their mean


def grid(side: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    east, north = np.meshgrid(np.arange(side), np.arange(side))
    return np.column_stack([east.ravel(), north.ravel()]) * 1000 + rng.uniform(0, 50, (side**2, 2))


def by_formula(residuals: np.ndarray, centroids: np.ndarray) -> float:
    distance = np.linalg.norm(centroids[:, None] - centroids[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :NEIGHBOURS]
    weights = np.zeros_like(distance)
    np.put_along_axis(weights, nearest, 1 / NEIGHBOURS, axis=1)
    z = residuals - residuals.mean()
    return len(z) / weights.sum() * (z @ weights @ z) / (z @ z)


def p_of(city: City, seed: int) -> float:
    return moran_of_errors(city.score, city.actual, city.positions, seed=seed)[1]


def p_of_difference(city: City) -> float:
    """Moran's I of predicted minus actual decile: what is not reported."""
    weights = KNN.from_array(city.positions, k=NEIGHBOURS, silence_warnings=True)
    return Moran(city.predicted - city.actual, weights, permutations=199).p_sim


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_formula(seed):
    rng = np.random.default_rng(seed)
    score, actual, centroids = rng.normal(size=100), rng.integers(1, 11, 100), grid(10)
    error = score - np.array([score[actual == each].mean() for each in actual])
    found, _ = moran_of_errors(score, actual, centroids, seed=1)
    assert found == pytest.approx(by_formula(error, centroids), abs=1e-9)


def test_an_area_alone_in_its_decile_is_left_out():
    score, actual = np.array([1.0, 3.0, 7.0, 2.0, 6.0]), np.array([4, 4, 9, 2, 2])
    assert errors_within_deciles(score, actual) == pytest.approx(
        [-1, 1, np.nan, -2, 2], nan_ok=True
    )
    rng = np.random.default_rng(0)
    score, actual, centroids = (
        rng.normal(size=101),
        rng.integers(1, 10, 101),
        rng.normal(size=(101, 2)),
    )
    actual[7] = 10
    others = np.arange(101) != 7
    without = moran_of_errors(score[others], actual[others], centroids[others], seed=1)
    assert moran_of_errors(score, actual, centroids, seed=1) == without


def test_clustered_labels_alone_do_not_make_errors_cluster():
    """Predicted minus actual decile would be said to cluster in nearly every one of these."""
    kind = {"share": 0, "label_scale_km": 4, "noise": 1.5}
    independent = list(cities(20, 500, seed=4, **kind))
    assert sum(p_of_difference(city) < 0.05 for city in independent) >= 16
    assert sum(p_of(city, 1) < 0.05 for city in independent) <= 4


def test_errors_that_are_half_spatial_are_found():
    assert all(p_of(city, 1) < 0.05 for city in cities(10, 300, share=0.5, seed=5))


@pytest.mark.slow
def test_independent_errors_are_said_to_cluster_in_one_city_of_twenty():
    found = [p_of(city, n) < 0.05 for n, city in enumerate(cities(600, 300, share=0, seed=6))]
    assert 0.02 <= np.mean(found) <= 0.08


@pytest.mark.slow
def test_half_spatial_errors_are_nearly_always_found():
    found = [p_of(city, n) < 0.05 for n, city in enumerate(cities(100, 300, share=0.5, seed=7))]
    assert np.mean(found) >= 0.98


def test_the_same_seed_gives_the_same_p_and_leaves_numpys_generator_alone():
    rng = np.random.default_rng(0)
    score, actual, centroids = rng.normal(size=64), rng.integers(1, 11, 64), grid(8)
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    first, second = (moran_of_errors(score, actual, centroids, seed=5) for _ in range(2))
    assert first == second
    assert np.random.rand() == expected  # noqa: NPY002


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(np.arange(29.0), id="too few areas"),
        pytest.param(np.full(36, 0.1), id="one score"),
        pytest.param(np.arange(36) % 3 + 0.1, id="one score in each decile"),
    ],
)
def test_where_errors_cannot_be_told_there_is_no_i_and_no_range(score):
    actual = np.arange(len(score)) % 3 + 1 if len(score) > 29 else np.ones(29, int)
    positions = grid(6)[: len(score)]
    assert np.isnan(moran_of_errors(score, actual, positions, seed=0)).all()
    assert range_of_errors(score, actual, positions) == 0


def test_areas_without_a_position_are_left_out():
    rng = np.random.default_rng(0)
    score, actual, positions = rng.normal(size=64), rng.integers(1, 4, 64), grid(8)
    nowhere = np.full_like(positions, np.nan)
    assert np.isnan(moran_of_errors(score, actual, nowhere, seed=0)).all()
    assert range_of_errors(score, actual, nowhere) == 0


def test_the_range_is_where_a_wave_of_errors_is_no_longer_alike():
    """Along a wave of 12 km the correlation of errors falls to 0 at 3 km, and is negative after."""
    positions = grid(20)
    wave = np.sin(2 * np.pi * positions[:, 0] / 12000) + np.sin(2 * np.pi * positions[:, 1] / 12000)
    noise = np.random.default_rng(1).normal(0, 0.3, 400)
    assert 2000 <= range_of_errors(wave + noise, ONE_DECILE, positions) <= 5000


def test_independent_errors_have_hardly_any_range_and_wider_fields_a_longer_one():
    def mean_range(**kind) -> float:
        found = [range_of_errors(c.score, c.actual, c.positions) for c in cities(15, 500, **kind)]
        return float(np.mean(found))

    near, far = mean_range(share=0.6, scale_km=0.7), mean_range(share=0.6, scale_km=3)
    assert mean_range(share=0) < 300
    assert 1000 < near < far
