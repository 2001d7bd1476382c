"""What pushes an area's score up or down: its locations, and the views of each location.

Both are leave-one-out: what a score is, less what it would be without the one thing. An area's
score is a mean over locations, and a network takes the mean of what it made of each view, so both
can be computed exactly, without training or sampling anything. The influences of an area's
locations, or of a location's views, do not add up to its score: each is asked about alone.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.models.dataset import Codes
from streetineq_assets.predictions.aggregation import area_means

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    import keras

    from streetineq_assets.models.heads import Head

CHUNK_ROWS = 512


class SplitNetwork(NamedTuple):
    """A network that takes the mean of the views, cut there (`network.split_at_views`).

    Attributes:
        of_views: (n, 4, width) codes -> (n, 4, units), a row for each view.
        of_mean: (n, units) -> the head's outputs.
        head: makes scores of these.
    """

    of_views: "keras.Model"
    of_mean: "keras.Model"
    head: "Head"

    def scores(self, features: NDArray) -> NDArray[np.float32]:
        """(n, 4, width) codes -> (n, 5) scores: of all views, then without each in turn."""
        views = np.asarray(self.of_views(features.astype(np.float32), training=False))
        n_views, units = views.shape[1:]
        # The means themselves, for a difference of sums would lose digits.
        means = mean_weights(n_views) @ views
        outputs = self.of_mean(means.reshape(-1, units), training=False)
        return np.asarray(self.head.score(outputs)).reshape(-1, 1 + n_views)


def mean_weights(n_views: int) -> NDArray[np.float32]:
    """(1 + n_views, n_views) weights of views: of the mean of all, and without each in turn."""
    without = (1 - np.eye(n_views)) / (n_views - 1)
    return np.vstack([np.full(n_views, 1 / n_views), without]).astype(np.float32)


def view_scores(
    codes: Codes,
    rows: NDArray[np.integer],
    folds: NDArray[np.integer],
    networks: Mapping[int, SplitNetwork],
) -> NDArray[np.float32]:
    """Scores of locations with all of their views, and without each in turn.

    Codes are read once, in their order, some hundred locations at a time; each location is scored
    by the network of its fold.

    Args:
        rows: (n,) ascending rows of the codes.
        folds: (n,) of these rows.
        networks: by fold.

    Returns:
        (n, 5): of views a, b, c and d together, then without a, without b, and so on.

    Raises:
        TrainingError: a code is not finite.
    """
    scores = np.empty((len(rows), 1 + codes.reader.views), np.float32)
    start = 0
    for features in codes.chunks(rows, CHUNK_ROWS):
        part = slice(start, start + len(features))
        for fold in np.unique(folds[part]):
            chosen = np.flatnonzero(folds[part] == fold)
            scores[start + chosen] = networks[int(fold)].scores(features[chosen])
        start = part.stop
    return scores


def location_influence(locations: pd.DataFrame) -> NDArray[np.float64]:
    """By how much each location raises its area's score: the score less that without it.

    Weights count as in `aggregation`: where those of all locations that are left are 0, they count
    equally.

    Args:
        locations: `lsoa11, h, weight`, one row per location.

    Returns:
        (n,) logit; NaN where an area has one location.

    Raises:
        ValueError: as `aggregation.area_means`.
    """
    score = area_means(locations, ["h"]).set_index("lsoa11")["h"]
    area = score.index.get_indexer(locations["lsoa11"])
    h, weight = locations["h"].to_numpy(np.float64), locations["weight"].to_numpy(np.float64)
    total = np.bincount(area, weight)[area]
    weight = np.where(total > 0, weight, 1.0)
    n_others = np.bincount(area)[area] - 1
    others = np.bincount(area, weight)[area] - weight
    from_mean = h - score.to_numpy()[area]
    found = np.full(len(h), np.nan)
    weighted = (n_others > 0) & (others > 0)
    found[weighted] = (weight * from_mean)[weighted] / others[weighted]
    # The area's whole weight is this location's, so its score is the area's: the rest are equal.
    alone = (n_others > 0) & (others == 0)
    rest = (np.bincount(area, h)[area] - h)[alone] / n_others[alone]
    found[alone] = h[alone] - rest
    return found
