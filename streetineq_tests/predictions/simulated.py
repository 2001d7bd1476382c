"""Simulated out-of-fold scores with a known signal, in the columns that the platform publishes."""

import numpy as np
import pandas as pd

from streetineq_assets.models import binomial
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.tables import BASELINES, PROBABILITIES
from streetineq_assets.predictions.tables import LOCATION_PREDICTIONS
from streetineq_assets.tables import conform


def locations(
    areas: int = 200, per_area: int = 3, noise: float = 0.8, seed: int = 0, folds: int = 5
) -> pd.DataFrame:
    """`LOCATION_PREDICTIONS` whose score is the logit of their area's decile plus noise."""
    rng = np.random.default_rng(seed)
    actual = np.arange(areas) * 10 // areas + 1
    area = np.repeat(np.arange(areas), per_area)
    share = (actual - 0.5) / 10
    signal = np.log(share / (1 - share)) + rng.normal(0, noise / 2, areas)
    h = (signal[area] + rng.normal(0, noise, len(area))).astype(np.float32)
    probabilities = np.exp(binomial.log_probabilities(h))
    frame = pd.DataFrame(
        {
            "city": "city",
            "outcome": "crime",
            "location_id": [f"l{i:05d}" for i in range(len(area))],
            "area": [f"E01{i:06d}" for i in area],
            "fold": rng.permutation(np.arange(areas) % folds)[area],
            "weight": rng.integers(0, 5, len(area)),
            "n_views": 4,
            "h": h,
            "decile": binomial.decile(h),
            "actual_decile": actual[area],
            **dict(zip(PROBABILITIES, probabilities.T, strict=True)),
        }
    )
    return conform(frame, LOCATION_PREDICTIONS)


def baselines(areas: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Scores of a constant, of maps, of coordinates in blocks too, and of ridge (`BASELINES`)."""
    rng = np.random.default_rng(seed)
    actual = areas["actual_decile"].to_numpy(np.float64)
    parts = {
        ("constant", "area"): np.full(len(areas), 5.0),
        **{(name, "area"): actual + rng.normal(0, 3, len(areas)) for name in MAPS},
        ("map_knn", "spatial_block"): actual + rng.normal(0, 6, len(areas)),
        ("ridge", "area"): actual + rng.normal(0, 2, len(areas)),
    }
    frames = [
        areas[["area", "fold"]].assign(baseline=name, scheme=scheme, score=score)
        for (name, scheme), score in parts.items()
    ]
    return conform(pd.concat(frames, ignore_index=True), BASELINES)


def centroids(areas: pd.DataFrame) -> pd.DataFrame:
    """Areas on a square grid of 1 km, row by row, so that neighbours have near deciles."""
    side = int(np.ceil(np.sqrt(len(areas))))
    number = np.arange(len(areas))
    return pd.DataFrame(
        {
            "area": areas["area"],
            "easting_m": 1000.0 * (number % side),
            "northing_m": 1000.0 * (number // side),
        }
    )
