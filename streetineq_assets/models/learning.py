"""Whether networks learned: their loss on areas that they never saw, beside that of a constant.

What can be reached without looking at the codes depends on the head. The binomial of the closest
mean has a loss of 3.229 on ten equal classes; heads whose ten probabilities are free have the
entropy, ln 10 = 2.303. Test areas are compared and not validation areas: these have chosen the
epoch, and on a few of them a network that knows nothing is ahead of every constant by luck.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.binomial import LOG_CHOOSE
from streetineq_assets.models.tables import PROBABILITIES

_TRIALS = N_DECILES - 1
_CLASSES = np.arange(N_DECILES)
_SMALLEST_PROBABILITY = 1e-30


def best_constant(classes: NDArray[np.integer], head: str) -> NDArray[np.float64]:
    """Log-probabilities of the constant answer of a head with the least loss on these classes.

    For `binomial` that is Binomial(9, m / 9) with the mean class m, for `cumulative_link` and
    `corn` the shares of the classes: the maximum-likelihood estimates.

    Args:
        classes: (n,) whole numbers 0 to 9, at least one.
        head: a name in `heads.HEADS`.

    Returns:
        (10,); -inf for classes that the constant rules out, none of which occurs.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if head != "binomial":
            return np.log(np.bincount(classes, minlength=N_DECILES) / len(classes))
        p = classes.mean() / _TRIALS
        # 0 log 0 is 0: where all rows are of the first or the last class.
        above = np.where(_CLASSES > 0, _CLASSES * np.log(p), 0.0)
        below = np.where(_CLASSES < _TRIALS, (_TRIALS - _CLASSES) * np.log1p(-p), 0.0)
    return LOG_CHOOSE + above + below


def losses_of_areas(scores: pd.DataFrame, rows: pd.DataFrame, head: str) -> pd.DataFrame:
    """The mean loss of each fold's test areas, by its network and by the best constant.

    The constant is fitted on these areas' own labels, each counted once, so that no constant is
    better, whatever a network learned of the training labels.

    Args:
        scores: `tables.SCORES`.
        rows: `location_id, area, decile` (1 to 10).
        head: a name in `heads.HEADS`.

    Returns:
        `fold, area, loss, constant_loss`, in nats; a row per fold and area that it tests.
    """
    tested = scores.merge(rows[["location_id", "area", "decile"]], on="location_id")
    classes = tested["decile"].to_numpy(np.int64) - 1
    p = tested[list(PROBABILITIES)].to_numpy(np.float64)
    tested["class"] = classes
    tested["loss"] = -np.log(np.maximum(p[np.arange(len(p)), classes], _SMALLEST_PROBABILITY))
    areas = tested.groupby(["fold", "area"], as_index=False)[["loss", "class"]].mean()
    if areas.empty:
        return areas.drop(columns="class").assign(constant_loss=np.empty(0))
    known = areas["class"].to_numpy(np.int64)
    areas["constant_loss"] = -best_constant(known, head)[known]
    return areas.drop(columns="class")
