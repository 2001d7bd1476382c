"""How well-off each invented area is, and what follows from it for every outcome.

The latent value has mean 0 and variance 1 over a town. Of its variance, 60 % is smooth in space
and 40 % is each area's own; scenes show both. Were it all smooth, a guess from coordinates would
beat any network. The two parts are made uncorrelated within each town, so that the shares hold
exactly and not just on average.
"""

from math import sqrt

import numpy as np
import pandas as pd

from streetineq_assets.demo.geography import stream

SMOOTH_SHARE = 0.6
# Distance over which the smooth part stays alike, as a share of the town's radius.
SMOOTH_RANGE = 0.45

# Correlation of each outcome with the latent value, exact within a town. Loosely after the results
# for London: living environment and income show best in images, health and crime less.
CORRELATIONS: dict[str, float] = {
    "self_reported_health": 0.85,
    "occupancy_rating": 0.85,
    "unemployment": 0.85,
    "education": 0.90,
    "health_deprivation": 0.80,
    "barriers_to_housing": 0.50,
    "employment_deprivation": 0.90,
    "education_deprivation": 0.88,
    "income_deprivation": 0.93,
    "crime": 0.70,
    "living_environment": 0.97,
    "mean_income": 0.97,
    "median_income": 0.95,
}


def latent_field(
    easting: np.ndarray, northing: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """The latent value of each area of one town and its two uncorrelated parts.

    Args:
        easting, northing: (n,) metres.
        rng: decides the field.

    Returns:
        (n,) rows of `smooth` (variance 0.6), `independent` (variance 0.4), `latent` (their sum).
    """
    points = np.column_stack([easting, northing])
    points = (points - points.mean(axis=0)) / np.hypot(*points.std(axis=0)) / sqrt(2)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    covariance = np.exp(-squares / (2 * SMOOTH_RANGE**2)) + 1e-8 * np.eye(len(points))
    smooth = _standardise(np.linalg.cholesky(covariance) @ rng.normal(size=len(points)))
    own = _uncorrelated(rng.normal(size=len(points)), smooth)
    parts = {"smooth": sqrt(SMOOTH_SHARE) * smooth, "independent": sqrt(1 - SMOOTH_SHARE) * own}
    return pd.DataFrame(parts | {"latent": parts["smooth"] + parts["independent"]})


def outcome_values(latent: np.ndarray, seed: int, town: str) -> pd.DataFrame:
    """Standardised values of all 13 outcomes in one town, higher is better-off: (n,) rows.

    Each correlates with the latent value exactly as `CORRELATIONS` says; the rest is its own noise.
    """
    standard = _standardise(latent)
    values = {}
    for outcome, rho in CORRELATIONS.items():
        noise = _uncorrelated(
            stream(seed, "outcome", town, outcome).normal(size=len(latent)), standard
        )
        values[outcome] = rho * standard + sqrt(1 - rho**2) * noise
    return pd.DataFrame(values)


def _standardise(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _uncorrelated(values: np.ndarray, with_: np.ndarray) -> np.ndarray:
    """The part of `values` that is uncorrelated with a standardised array, standardised."""
    centred = values - values.mean()
    return _standardise(centred - with_ * (centred @ with_) / len(with_))
