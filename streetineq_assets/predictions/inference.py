"""Means and slopes on the actual decile where most areas have a predicted one alone.

A regression on predicted deciles is not one on deciles: errors of the predictions pull its slope
towards zero, and its interval knows nothing of it. Here the few areas with an actual decile say by
how much the predictions mislead, and the many with predicted ones make the answer more precise.

The estimator is *predict, then debias*: the estimate from the labelled areas alone, plus what the
same estimate by predictions changes from the labelled areas to all,

    b = b_labelled + t (g_all - g_labelled),

with b by actual and g by predicted deciles. It is right on average whatever the predictions are
like, since both g estimate the same number. The factor t is the one of least variance: the slope of
the influences of b on those of g among the labelled. With t = 0 the predictions are not used; with
all areas labelled b is ordinary least squares. Sources: Chen and Chen (J. R. Stat. Soc. B 62:449,
2000); Angelopoulos et al. (prediction-powered inference, Science 382:669, 2023) and Angelopoulos,
Duchi and Zrnic (its tuning, arXiv 2311.01453); Kluger et al. (predicted covariates, arXiv
2501.18577); Pettersson, Jerzak and Daoud (areas from images, arXiv 2508.01341).

Two things must hold. Which areas are labelled is chance: neither their deciles nor their outcomes
decided it. And an area's prediction is of the same kind whether it is labelled or not: no network
saw its label.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

MIN_LABELLED = 20
_CONSTANT = 1e-12  # a spread below it is rounding


class Estimate(NamedTuple):
    """A value with its interval."""

    value: float
    lower: float
    upper: float


class _Statistic(NamedTuple):
    """A value, and what each area adds to it: (n,) influences whose mean is zero."""

    value: float
    influence: NDArray[np.float64]


def debiased_slope(
    outcome: ArrayLike,
    predicted: ArrayLike,
    labelled: ArrayLike,
    actual: ArrayLike,
    *,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> Estimate:
    """Slope of an outcome on the actual decile, by least squares.

    Args:
        outcome: (n,) of every area, such as a rate of disease.
        predicted: (n,) predicted decile, or score, of every area.
        labelled: (n,) bool, whether an area's actual decile is known.
        actual: (n,) actual decile, looked at where it is known.
        level: of the interval.
        clusters: (n,) what areas have in common whose errors are alike, such as their MSOA.

    Returns:
        The slope in units of the outcome per decile, and its interval by the sandwich estimator,
        which asks for no constant variance and no normal errors.

    Raises:
        ValueError: lengths differ, a value is missing, fewer than 20 areas (or clusters) are
            labelled, or deciles do not vary.
    """
    known, units = _labelled_units(labelled, clusters, level)
    n = len(known)
    y, x_hat = _finite("outcome", outcome, n), _varying("predicted", predicted, known)
    x = _varying("actual", _actual(actual, known), known)
    return _debiased(
        _slope(x[known], y[known]),
        _slope(x_hat[known], y[known]),
        _slope(x_hat, y),
        known=known,
        units=units,
        level=level,
        n_fitted=3,  # intercept, slope and factor
    )


def debiased_mean(
    predicted: ArrayLike,
    labelled: ArrayLike,
    actual: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> Estimate:
    """Mean actual decile of a group of areas.

    Args:
        predicted, labelled, actual, level, clusters: as of `debiased_slope`, of the group's areas.
        weights: (n,) zero or more, such as residents; by default every area counts alike.

    Returns:
        The mean in deciles, and its interval.

    Raises:
        ValueError: as `debiased_slope`, or a weight is negative or all labelled ones are zero.
    """
    known, units = _labelled_units(labelled, clusters, level)
    w = _finite("weights", np.ones(len(known)) if weights is None else weights, len(known))
    if (w < 0).any() or not w[known].any():
        raise ValueError("weights are zero or more, and not all zero where areas are labelled")
    x_hat = _varying("predicted", predicted, known)
    x = _varying("actual", _actual(actual, known), known)
    return _debiased(
        _mean(x[known], w[known]),
        _mean(x_hat[known], w[known]),
        _mean(x_hat, w),
        known=known,
        units=units,
        level=level,
        n_fitted=2,  # mean and factor
    )


def _debiased(
    own: _Statistic,
    proxy: _Statistic,
    proxy_of_all: _Statistic,
    *,
    known: NDArray[np.bool_],
    units: NDArray[np.int64],
    level: float,
    n_fitted: int,
) -> Estimate:
    """The estimate of least variance, and its interval by Student's t.

    Args:
        own: of the labelled areas by actual deciles.
        proxy, proxy_of_all: of the labelled and of all areas by predicted deciles.
        units: (n,) number of the cluster of each area, from 0.
    """
    from scipy.stats import t

    factor = (own.influence @ proxy.influence) / (proxy.influence @ proxy.influence)
    value = own.value + factor * (proxy_of_all.value - proxy.value)
    influence = factor * proxy_of_all.influence / len(known)
    influence[known] += (own.influence - factor * proxy.influence) / known.sum()
    by_unit = np.bincount(units, weights=influence)
    n_units = len(np.unique(units[known]))
    freedom = n_units - n_fitted
    half = t.ppf((1 + level) / 2, freedom) * np.sqrt(by_unit @ by_unit * n_units / freedom)
    return Estimate(float(value), float(value - half), float(value + half))


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Statistic:
    from_mean = x - x.mean()
    spread = from_mean @ from_mean
    slope = from_mean @ y / spread
    residual = y - y.mean() - slope * from_mean
    return _Statistic(float(slope), from_mean * residual * len(x) / spread)


def _mean(x: NDArray[np.float64], weights: NDArray[np.float64]) -> _Statistic:
    share = weights / weights.mean()
    value = float(share @ x / len(x))
    return _Statistic(value, share * (x - value))


# -- what is given ---------------------------------------------------------------------------------


def _labelled_units(
    labelled: ArrayLike, clusters: ArrayLike | None, level: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(n,) whether each area is labelled, and (n,) the number of its cluster or its own."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: a share between 0 and 1, such as 0.95")
    known = np.asarray(labelled)
    if known.dtype != bool or known.ndim != 1:
        raise ValueError("labelled is no list of true and false, one for each area")
    units = np.arange(len(known)) if clusters is None else pd.factorize(np.asarray(clusters))[0]
    if len(units) != len(known):
        raise ValueError(f"clusters has {len(units)} values where labelled has {len(known)}")
    if (units < 0).any():
        raise ValueError("an area has no cluster: give it one of its own")
    n, what = len(np.unique(units[known])), "areas" if clusters is None else "clusters"
    if n < MIN_LABELLED:
        raise ValueError(
            f"{n} {what} are labelled, and below {MIN_LABELLED} the interval does not hold: label "
            "more areas, chosen at random"
        )
    return known, units.astype(np.int64)


def _finite(name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    numbers = pd.Series(np.asarray(values)).to_numpy(np.float64, na_value=np.nan)
    if len(numbers) != n:
        raise ValueError(f"{name} has {len(numbers)} values where labelled has {n}")
    if n_missing := int((~np.isfinite(numbers)).sum()):
        raise ValueError(
            f"{n_missing} of {n} values of {name} are missing: leave these areas out of everything"
        )
    return numbers


def _actual(values: ArrayLike, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Actual deciles; 0 in the place of what is not known, or is not looked at."""
    numbers = pd.Series(np.asarray(values)).to_numpy(np.float64, na_value=np.nan)
    if len(numbers) != len(known):
        raise ValueError(f"actual has {len(numbers)} values where labelled has {len(known)}")
    return np.where(known, numbers, 0.0)


def _varying(name: str, values: ArrayLike, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    numbers = _finite(name, values, len(known))
    if np.ptp(numbers[known]) < _CONSTANT:
        raise ValueError(
            f"{name} is {numbers[known][0]:g} in all {known.sum()} labelled areas, from which "
            "nothing can be learned: label more areas, chosen at random"
        )
    return numbers
