"""What a network must beat: guesses from no image at all, and from plain means of the codes.

All work on areas and score on the scale of deciles. `constant` says 5. `map_knn`,
`map_gaussian_process` and `map_msoa_mean` guess from where an area lies (`map_baselines`).
`image_count` is the area's rank by its number of images, upwards or downwards as among the areas
that it may learn from. A line through the counts would be worse than no guess where they say
nothing: its height is the mean decile of the other folds, which is low where this fold's is high.
`ridge` is ridge regression on the mean code of an area's images, its penalty chosen on the same
validation areas as the network's epochs (without any, 10,000: the middle of those that are tried,
on a logarithmic scale).

`map_and_score` is the guess of the best map and what the network's mean score says beyond it: where
it gains nothing over the best map, the network saw a map and not pictures. The best is that with
the least squared error when each known area is guessed from the others. What is added is the score
less its line through these guesses, times its slope in the regression of the decile on both. The
slope is shrunk by what it owes to chance, with t its Student's t: to the positive part of 1 - 2/t^2
of itself, so that it is 0 wherever Akaike's criterion would do without it. A score of noise then
leaves the map as it is in most folds. All maps together, or a line through the best, would gain
over each of them without any score. The scores are out of fold; other folds' networks have seen
this fold's labels, which one slope cannot carry over.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.models.baseline_areas import Areas, FoldAreas
from streetineq_assets.models.map_baselines import MAP_MODELS, MAPS

_CONSTANT_DECILE = 5.0
_MIDDLE, _SPAN = 5.5, 9.0  # of the deciles 1 to 10
_PENALTIES = tuple(float(10**power) for power in range(1, 8))
DEFAULT_PENALTY = _PENALTIES[len(_PENALTIES) // 2]
MAP_AND_SCORE = "map_and_score"
_CHANCE = 2.0  # of its variances a squared slope owes to chance: Akaike's price of a parameter

Guess = Callable[[FoldAreas], NDArray[np.float64]]


def _constant(fold: FoldAreas) -> NDArray[np.float64]:
    return np.full(len(fold.test.area), _CONSTANT_DECILE)


def _map(fold: FoldAreas, *, model: str) -> NDArray[np.float64]:
    return fold.map_guesses(model)[1]


def _image_count(fold: FoldAreas) -> NDArray[np.float64]:
    counts = np.sort(fold.known.n_images)

    def rank(n: NDArray[np.float64]) -> NDArray[np.float64]:
        """From -1/2 to 1/2, among the known areas; equal counts share a rank."""
        below, up_to = (counts.searchsorted(n, side) for side in ("left", "right"))
        return (below + up_to) / (2 * len(counts)) - 0.5

    decile = fold.known.decile
    direction = np.sign(rank(fold.known.n_images) @ (decile - decile.mean()))
    return _MIDDLE + direction * _SPAN * rank(fold.test.n_images)


def _ridge(fold: FoldAreas) -> NDArray[np.float64]:
    """Standardised by the training areas; the penalty with the least error on validation areas."""
    from sklearn.linear_model import Ridge

    train, validation = fold.train, fold.validation
    mean, sd = train.means.mean(axis=0), np.maximum(train.means.std(axis=0), 1e-6)

    def guesses(areas: Areas, penalties: tuple[float, ...], to: Areas) -> NDArray[np.float64]:
        """A column for each penalty, of which one product of the codes serves all."""
        deciles = np.repeat(areas.decile[:, None], len(penalties), axis=1)
        model = Ridge(alpha=penalties, solver="cholesky")
        model.fit((areas.means - mean) / sd, deciles)
        return model.predict((to.means - mean) / sd).reshape(-1, len(penalties))

    penalty = DEFAULT_PENALTY
    if len(validation.area):
        errors = guesses(train, _PENALTIES, validation) - validation.decile[:, None]
        penalty = _PENALTIES[np.square(errors).mean(axis=0).argmin()]
    return guesses(fold.known, (penalty,), fold.test)[:, 0]


def _map_and_score(fold: FoldAreas) -> NDArray[np.float64]:
    known, test = fold.known, fold.test
    own, others = fold.map_guesses(best_map(fold))
    seen, usable = np.isfinite(own + known.scores), np.isfinite(others + test.scores)
    answer = np.full(len(test.area), np.nan)
    if seen.sum() > 3 and usable.any():
        line = _plane([own[seen]], known.scores[seen])
        news = known.scores[seen] - line[0] - line[1] * own[seen]
        slope = _shrunk_slope(own[seen], news, known.decile[seen])
        of_test = test.scores - line[0] - line[1] * others
        answer[usable] = (others + slope * of_test)[usable]
    return answer


def _shrunk_slope(
    own: NDArray[np.float64], news: NDArray[np.float64], decile: NDArray[np.float64]
) -> float:
    """Of the decile on the news beside the map's own guess; 0 where chance explains it."""
    intercept, of_map, slope = _plane([own, news], decile)
    residual = decile - intercept - of_map * own - slope * news
    variance = residual @ residual / (len(decile) - 3)
    signal = slope**2 * (news @ news)
    return slope * max(0.0, 1 - _CHANCE * variance / signal) if signal > 0 else 0.0


def _plane(x: list[NDArray[np.float64]], y: NDArray[np.float64]) -> NDArray[np.floating]:
    """Intercept and slopes by least squares."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(y)), *x]), y, rcond=None)[0]


def best_map(fold: FoldAreas) -> str:
    """The map with the least squared error when each known area is guessed from the others."""

    def error(model: str) -> float:
        errors = np.square(fold.map_guesses(model)[0] - fold.known.decile)
        return float(errors[np.isfinite(errors)].mean()) if np.isfinite(errors).any() else np.inf

    return min(MAP_MODELS, key=error)


GUESSES: dict[str, Guess] = {
    "constant": _constant,
    **{name: partial(_map, model=model) for name, model in zip(MAPS, MAP_MODELS, strict=True)},
    "image_count": _image_count,
    "ridge": _ridge,
    MAP_AND_SCORE: _map_and_score,
}
NAMES = tuple(GUESSES)
