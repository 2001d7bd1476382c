"""Moran's I of residuals, against the formula written out with a dense matrix of neighbours."""

import numpy as np
import pytest

from streetineq_assets.predictions.spatial import NEIGHBOURS, moran


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


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_formula(seed):
    residuals, centroids = np.random.default_rng(seed).integers(-4, 5, 100), grid(10)
    found, _ = moran(residuals, centroids, seed=1)
    assert found == pytest.approx(by_formula(residuals, centroids), abs=1e-9)


def test_errors_that_drift_over_the_map_are_found_and_noise_is_not():
    centroids = grid(12)
    noise = np.random.default_rng(3).normal(size=144)
    drift = centroids[:, 0] / 3000
    i_drift, p_drift = moran(drift + noise, centroids, seed=1)
    i_noise, p_noise = moran(noise, centroids, seed=1)
    assert i_drift > 0.5
    assert p_drift < 0.01
    assert abs(i_noise) < 0.15
    assert p_noise > 0.05


def test_the_same_seed_gives_the_same_p_and_leaves_numpys_generator_alone():
    residuals, centroids = np.random.default_rng(0).normal(size=64), grid(8)
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    assert moran(residuals, centroids, seed=5) == moran(residuals, centroids, seed=5)
    assert np.random.rand() == expected  # noqa: NPY002


@pytest.mark.parametrize("residuals", [np.arange(29.0), np.zeros(36)])
def test_too_few_areas_or_no_variation_is_nan(residuals):
    assert np.isnan(moran(residuals, grid(6)[: len(residuals)], seed=0)).all()
