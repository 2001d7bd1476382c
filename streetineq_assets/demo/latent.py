"""How well-off each invented area is, and what follows from it for every outcome.

The latent value has mean 0 and variance 1 over a town. Of its variance, 40 % is smooth in space
and 60 % is each area's own; scenes show both. Were it all smooth, a guess from coordinates would
beat any network. A further value, as smooth, is shown by no scene. All are made uncorrelated within
each town, so that the shares hold exactly and not just on average.

Three kinds of truth come of it, which evidence must tell apart: one that pictures alone show (each
area's own part), one that the map alone shows (the unseen value), and the others, in which both
have a share.
"""

from math import sqrt

import numpy as np
import pandas as pd

from streetineq_assets.demo.geography import stream

SMOOTH_SHARE = 0.4
# Distance over which the smooth part stays alike, as a share of the town's radius.
SMOOTH_RANGE = 0.45

# What shows an outcome, where it is not the latent value.
SHOWN_BY = {"living_environment": "independent", "self_reported_health": "unseen"}

# Correlation of each outcome with what shows it, exact within a town.
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
    """The latent value of each area of one town, its two uncorrelated parts, and the unseen value.

    Args:
        easting, northing: (n,) metres.
        rng: decides the field.

    Returns:
        (n,) rows of `smooth` (variance 0.4), `independent` (0.6), `latent` (their sum), and
        `unseen` (variance 1).
    """
    points = np.column_stack([easting, northing])
    points = (points - points.mean(axis=0)) / np.hypot(*points.std(axis=0)) / sqrt(2)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    covariance = np.exp(-squares / (2 * SMOOTH_RANGE**2)) + 1e-8 * np.eye(len(points))
    factor = np.linalg.cholesky(covariance)
    smooth = _standardise(factor @ rng.normal(size=len(points)))
    own = _uncorrelated(rng.normal(size=len(points)), smooth)
    unseen = _uncorrelated(factor @ rng.normal(size=len(points)), smooth, own)
    parts = {"smooth": sqrt(SMOOTH_SHARE) * smooth, "independent": sqrt(1 - SMOOTH_SHARE) * own}
    latent = parts["smooth"] + parts["independent"]
    return pd.DataFrame(parts | {"latent": latent, "unseen": unseen})


def outcome_values(field: pd.DataFrame, seed: int, town: str) -> pd.DataFrame:
    """Standardised values of all 13 outcomes in one town, higher is better-off: (n,) rows.

    Each correlates with what shows it exactly as `CORRELATIONS` says; the rest is its own noise.

    Args:
        field: of `latent_field`.
    """
    values = {}
    for outcome, rho in CORRELATIONS.items():
        standard = _standardise(field[SHOWN_BY.get(outcome, "latent")].to_numpy())
        noise = _uncorrelated(
            stream(seed, "outcome", town, outcome).normal(size=len(field)), standard
        )
        values[outcome] = rho * standard + sqrt(1 - rho**2) * noise
    return pd.DataFrame(values)


def _standardise(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _uncorrelated(values: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The part of `values` that is uncorrelated with standardised arrays, standardised.

    The arrays are uncorrelated with each other.
    """
    left = values - values.mean()
    for other in others:
        left = left - other * (left @ other) / len(other)
    return _standardise(left)
