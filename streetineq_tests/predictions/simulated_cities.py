"""Cities in which it is known how much of a model's error is spatial.

Areas lie at random, as densely as London's. The actual decile is of a field of which .7 is spatial
and the rest is each area's own; the score is the field plus an error, of which a share is spatial.
Both fields fall off exponentially with distance.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

AREAS_PER_KM2 = 3.07  # 4,835 LSOAs in Greater London's 1,572 square kilometres
_SPATIAL_SHARE_OF_LABELS = 0.7


@dataclass(frozen=True)
class City:
    """One simulated city: (n,) deciles, (n,) scores, (n, 2) metres.

    `rival` is the score of another model that is as good: its error is of the same kind.
    """

    actual: np.ndarray
    score: np.ndarray
    positions: np.ndarray
    rival: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The decile of each score among the city's."""
        return tenths(self.score)


def cities(
    n_cities: int,
    n_areas: int,
    *,
    share: float,
    scale_km: float = 1.0,
    label_scale_km: float = 2.0,
    noise: float = 0.9,
    seed: int = 0,
) -> Iterator[City]:
    """Cities of one map of areas, so that the costly part is done once.

    Args:
        share: of the error's variance that is spatial.
        scale_km: distance at which the correlation of spatial errors falls to 1/e.
        label_scale_km: the same of the actual values.
        noise: standard deviation of the error, in those of the actual values.
    """
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, np.sqrt(n_areas / AREAS_PER_KM2), (n_areas, 2))
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    of_errors, of_labels = (_root(distance, scale) for scale in (scale_km, label_scale_km))
    for _ in range(n_cities):
        value = _field(of_labels, _SPATIAL_SHARE_OF_LABELS, rng)
        value = (value - value.mean()) / value.std()
        score, rival = (value + noise * _field(of_errors, share, rng) for _ in range(2))
        yield City(tenths(value), score, 1000 * positions, rival)


def tenths(values: np.ndarray) -> np.ndarray:
    """Ten classes of equal size, 1 to 10."""
    return np.ceil(10 * rankdata(values, method="ordinal") / len(values)).astype(np.int64)


def _root(distance: np.ndarray, scale: float) -> np.ndarray:
    return np.linalg.cholesky(np.exp(-distance / scale) + 1e-9 * np.eye(len(distance)))


def _field(root: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    own, spatial = rng.normal(size=(2, len(root)))
    return np.sqrt(share) * (root @ spatial) + np.sqrt(1 - share) * own
