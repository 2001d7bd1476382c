"""How sure a score is: probabilities of the ten deciles that are as sure as they are right.

A network's own probabilities come from a link that knows neither how far its scores are off on
areas that it never saw, nor that an area's score is a mean of several locations. Here the link is
fitted again, to the areas' out-of-fold scores and actual deciles:

    P(decile = k + 1) is proportional to C(9, k)^d p^k (1 - p)^(9 - k),  p = sigmoid(a + b h)

This is the Conway-Maxwell-binomial distribution (Kadane, "Sums of possibly associated Bernoulli
variables", Bayesian Analysis 11, 2016). With the dispersion d = 1 it is the binomial; below 1 it is
wider, and with d = 0 and p = 1/2 all deciles are equally likely; above 1 it is narrower, which a
beta-binomial cannot be. Its log-likelihood is concave in (a, b, d), so that there is one maximum.

A fold's link is fitted on the areas of the other folds alone. Their networks did learn from this
fold's areas, as in all cross-validation: no area's own label fits its link directly, but it is not
quite unseen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.binomial import LOG_CHOOSE
from streetineq_assets.predictions.metrics import ranked_probability_scores

FEWEST = 9  # areas that calibrate; fewer say next to nothing of three numbers
ENOUGH_FOR_SLOPE = 30
_CLASSES = np.arange(N_DECILES)
_DECILES = _CLASSES + 1
# A higher score is never worse-off, and probabilities have one peak. The upper ends keep areas that
# a line separates from driving the fit to infinity.
_BOUNDS = {"a": (-30.0, 30.0), "b": (0.0, 30.0), "dispersion": (0.0, 30.0)}


@dataclass(frozen=True)
class Link:
    """A fitted link from scores to deciles.

    Attributes:
        a, b: intercept and slope of the logit; `b` per unit of the score.
        dispersion: 1 is binomial, below it wider, above it narrower.
        n_lsoas: areas that it was fitted on.
        is_slope_fixed: whether these were too few to fit the slope, which is the network's own, 1.
    """

    a: float
    b: float
    dispersion: float
    n_lsoas: int
    is_slope_fixed: bool

    def probabilities(self, score: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) scores -> (n, 10) probabilities of the deciles."""
        logit = self.a + self.b * np.asarray(score, np.float64)
        return np.exp(_log_probabilities(logit, self.dispersion))


def fit(score: NDArray[np.floating], decile: NDArray[np.integer]) -> Link:
    """The link of greatest likelihood.

    With fewer than `ENOUGH_FOR_SLOPE` areas the slope stays that of the network's own link, 1, and
    only the intercept and the dispersion are fitted.

    Args:
        score: (n,) areas' out-of-fold scores, finite.
        decile: (n,) their actual deciles, 1..10.

    Raises:
        ValueError: fewer than `FEWEST` areas, an infinite or missing score, or a decile outside
            1..10.
    """
    score, decile = np.asarray(score, np.float64), np.asarray(decile, np.int64)
    _check(score, decile)
    is_fixed = len(score) < ENOUGH_FOR_SLOPE
    # Centred and of unit spread, so that the search does not depend on the scores' unit.
    centre, spread = float(score.mean()), float(score.std()) or 1.0
    a, b, dispersion = _maximise((score - centre) / spread, decile - 1, spread, is_fixed)
    return Link(a - b * centre / spread, b / spread, dispersion, len(score), is_fixed)


def calibrate(
    score: pd.Series, actual: pd.Series, folds: pd.Series
) -> tuple[NDArray[np.float64], dict[int, Link]]:
    """Each area's probabilities by the link that the other folds' areas fit.

    Args:
        score: (n,) areas' out-of-fold scores.
        actual: (n,) deciles, NA where unknown: the area gets probabilities but fits none.
        folds: (n,), NA where an area lies in several: it gets none and fits none.

    Returns:
        (n, 10), NaN where the other folds have fewer than `FEWEST` areas with a label; and the link
        of each other fold.
    """
    h, fold = score.to_numpy(np.float64), folds.fillna(-1).to_numpy(np.int64)
    decile = actual.fillna(0).to_numpy(np.int64)
    known = (actual.notna() & folds.notna()).to_numpy()
    found = np.full((len(h), N_DECILES), np.nan)
    links = {}
    for each in np.unique(fold[folds.notna().to_numpy()]):
        others = known & (fold != each)
        if others.sum() < FEWEST:
            continue
        links[int(each)] = fit(h[others], decile[others])
        found[fold == each] = links[int(each)].probabilities(h[fold == each])
    return found, links


def link_table(links: Mapping[int, Link]) -> pd.DataFrame:
    """A row for each fold: `fold`, and the attributes of its link."""
    rows = [{"fold": fold} | vars(link) for fold, link in links.items()]
    return pd.DataFrame(rows, columns=["fold", *(field.name for field in fields(Link))])


def expected_decile(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, 10) -> (n,) mean of the decile's distribution; NaN stays NaN."""
    return probabilities @ _DECILES.astype(np.float64)


def quality(probabilities: NDArray[np.floating], actual: NDArray[np.integer]) -> dict[str, float]:
    """How good and how honest probabilities are.

    Args:
        probabilities: (n, 10), rows sum to 1.
        actual: (n,) deciles 1..10.

    Returns:
        `nll` (mean negative log-likelihood, nats; a probability of 0 counts as the smallest
        float), `rps` (mean ranked probability score, nine borders), `predicted_variance` (mean, in
        deciles squared), `squared_error` (of the expected decile), `variance_ratio` (squared error
        over predicted variance: 1 is calibrated, above it overconfident) and `mae` (of the expected
        decile, in deciles). NaN of no areas.
    """
    names = ("nll", "rps", "predicted_variance", "squared_error", "variance_ratio", "mae")
    if not len(actual):
        return dict.fromkeys(names, math.nan)
    p = np.asarray(probabilities, np.float64)
    expected = expected_decile(p)
    variance = float(_variance(p, expected).mean())
    error = actual - expected
    squared_error = float((error**2).mean())
    own = np.maximum(p[np.arange(len(p)), actual - 1], np.finfo(np.float64).tiny)
    values = (
        float(-np.log(own).mean()),
        float(ranked_probability_scores(actual, p).mean()),
        variance,
        squared_error,
        squared_error / variance if variance else math.nan,
        float(np.abs(error).mean()),
    )
    return dict(zip(names, values, strict=True))


def reliability(probabilities: NDArray[np.floating], actual: NDArray[np.integer]) -> pd.DataFrame:
    """Whether areas of an expected decile have it on average.

    Args:
        probabilities: (n, 10), rows sum to 1.
        actual: (n,) deciles 1..10.

    Returns:
        A row for each rounded expected decile that occurs: `expected_decile` (rounded), `n_lsoas`,
        `mean_expected`, `mean_actual`, `predicted_sd`, `actual_sd` (root mean square error of the
        expected decile; all in deciles).
    """
    p = np.asarray(probabilities, np.float64)
    expected = expected_decile(p)
    frame = pd.DataFrame(
        {
            "expected_decile": np.rint(expected).astype(np.int64),
            "expected": expected,
            "actual": np.asarray(actual, np.float64),
            "variance": _variance(p, expected),
            "error": (np.asarray(actual, np.float64) - expected) ** 2,
        }
    )
    found = frame.groupby("expected_decile", as_index=False).agg(
        n_lsoas=("actual", "size"),
        mean_expected=("expected", "mean"),
        mean_actual=("actual", "mean"),
        predicted_sd=("variance", "mean"),
        actual_sd=("error", "mean"),
    )
    sds = ["predicted_sd", "actual_sd"]
    return found.assign(**{name: np.sqrt(found[name]) for name in sds})


def _variance(p: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 10) -> (n,) in deciles squared; a mean of squares less a square may be negative."""
    return (p * (_DECILES - expected[:, None]) ** 2).sum(axis=1)


def _check(score: NDArray[np.float64], decile: NDArray[np.int64]) -> None:
    if len(score) < FEWEST:
        raise ValueError(f"{len(score)} areas cannot calibrate probabilities: at least {FEWEST}")
    if not np.isfinite(score).all():
        raise ValueError("a score is not a finite number")
    if decile.min() < 1 or decile.max() > N_DECILES:
        raise ValueError(f"deciles must be 1 to 10, not {decile.min()} to {decile.max()}")


def _maximise(
    z: NDArray[np.float64], classes: NDArray[np.int64], spread: float, is_fixed: bool
) -> NDArray[np.float64]:
    """(a, b, dispersion) of greatest mean log-likelihood, for standardised scores."""
    from scipy.optimize import minimize

    seen = np.array([classes.mean(), (classes * z).mean(), LOG_CHOOSE[classes].mean()])

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Minus the mean log-likelihood and its gradient: expected less seen statistics."""
        logit = values[0] + values[1] * z
        log_p = _log_probabilities(logit, values[2])
        p = np.exp(log_p)
        mean = p @ _CLASSES
        expected = np.array([mean.mean(), (mean * z).mean(), (p @ LOG_CHOOSE).mean()])
        return float(-log_p[np.arange(len(z)), classes].mean()), expected - seen

    bounds = dict(_BOUNDS)
    bounds["b"] = (spread, spread) if is_fixed else (0.0, _BOUNDS["b"][1])
    start = np.clip([0.0, spread, 1.0], *np.transpose(list(bounds.values())))
    # L-BFGS-B finds the same, but calls BLAS for 3 x 3 matrices: ten times slower on busy cores.
    return minimize(loss, start, jac=True, method="TNC", bounds=list(bounds.values())).x


def _log_probabilities(logit: NDArray[np.float64], dispersion: float) -> NDArray[np.float64]:
    """(n,) -> (n, 10), normalised, finite for every finite logit."""
    free = dispersion * LOG_CHOOSE + _CLASSES * logit[:, None]
    free -= free.max(axis=1, keepdims=True)
    return free - np.log(np.exp(free).sum(axis=1, keepdims=True))
