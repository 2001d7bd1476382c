"""Area scores shrunk towards the city's mean: a mean of few locations says less than one of many.

The model is a one-way random effect: an area's true score varies between areas with the variance
tau^2, and a location's around it with sigma^2. A mean of n locations then varies around the true
score with sigma^2 / n, and its best linear prediction is

    m + w (score - m),  w = n / (n + sigma^2 / tau^2)

(Searle, Casella, McCulloch, *Variance Components*, 1992, chapters 3 and 7). Both variances are
estimated by moments: sigma^2 from the locations within areas, tau^2 as the variance of the areas'
means less what sigma^2 explains of it. No label is used.

Without shrinkage, areas with one location own both ends of a ranking, since their means vary most.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Where areas differ by less than chance would have it, tau^2 is estimated as 0 and all areas would
# be equal. A very small ratio keeps the order of the limit, in which the weight is that of n.
_LEAST_RATIO = 1e-6
_DECIMALS = 12  # equal scores of different numbers of locations must stay equal


@dataclass(frozen=True)
class Shrinkage:
    """How area scores were shrunk.

    Attributes:
        within: sigma^2, between locations of an area (logit squared); NaN where no area has two.
        between: tau^2, between areas (logit squared), at least 0; NaN of fewer than two areas.
        mean: the city's mean towards which scores were shrunk, weighted by precision.
    """

    within: float
    between: float
    mean: float

    @property
    def note(self) -> str:
        """In words why scores were not shrunk, or were shrunk to their limit; else empty."""
        if np.isnan(self.within) or np.isnan(self.between):
            return "not shrunk: it takes two areas, and an area with two locations"
        if self.between == 0 < self.within:
            return (
                "areas differ by no more than the locations within them: their order is that of "
                "score times locations, and says little"
            )
        return ""


def shrink(
    score: NDArray[np.floating],
    n_effective: NDArray[np.floating],
    locations: pd.DataFrame,
) -> tuple[NDArray[np.float64], Shrinkage]:
    """Scores of areas shrunk by how many locations they have.

    Args:
        score: (n,) weighted means of the areas' locations, finite.
        n_effective: (n,) locations behind each, (sum of weights)^2 / (sum of squared weights).
        locations: `area, h`, one row per location of these areas.

    Returns:
        (n,) shrunk scores, equal to `score` where the variances cannot be estimated or are 0; and
        the estimates.
    """
    score = np.asarray(score, np.float64)
    within = _within(locations)
    if np.isnan(within) or len(score) < 2:
        mean = float(score.mean()) if len(score) else float("nan")
        return score.copy(), Shrinkage(within, float("nan"), mean)
    noise = within / np.asarray(n_effective, np.float64)
    between = max(float(score.var(ddof=1) - noise.mean()), 0.0)
    if within == 0:
        return score.copy(), Shrinkage(within, between, float(score.mean()))
    used = max(between, _LEAST_RATIO * within)
    mean = float(np.average(score, weights=1 / (used + noise)))
    shrunk = mean + used / (used + noise) * (score - mean)
    return shrunk.round(_DECIMALS), Shrinkage(within, between, mean)


def _within(locations: pd.DataFrame) -> float:
    """Pooled variance of locations around the plain means of their areas; NaN without pairs."""
    groups = locations.groupby("area")["h"]
    freedom = len(locations) - groups.ngroups
    if freedom == 0:
        return float("nan")
    deviations = locations["h"].to_numpy(np.float64) - groups.transform("mean").to_numpy(np.float64)
    return float((deviations**2).sum() / freedom)
