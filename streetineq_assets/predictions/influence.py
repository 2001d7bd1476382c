"""What pushes an area's score up or down: its locations, and the views of each location.

Both are leave-one-out: what a score is, less what it would be without the one thing. An area's
score is a mean over locations, and a network takes the mean (weighted, where it attends) of what it
made of each view, so both can be computed exactly, without training or sampling anything. The
influences of an area's locations, or of a location's views, do not add up to its score: each is
asked about alone.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.models.dataset import Codes
from streetineq_assets.predictions.aggregation import area_means

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    from streetineq_assets.models.heads import Head
    from streetineq_assets.models.pooling import SplitAtViews

CHUNK_ROWS = 512


class SplitNetwork(NamedTuple):
    """A network that takes a weighted mean of the views, cut there (`pooling.split_at_views`).

    Attributes:
        parts: before and after the mean.
        head: makes scores of what comes out.
    """

    parts: "SplitAtViews"
    head: "Head"

    def scores(
        self, features: NDArray, present: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Scores of all views, then without each in turn.

        Args:
            features: (n, V, width) codes.
            present: (n, V), which views are there; None where all are.

        Returns:
            (n, 1 + V); NaN without a view that is absent, or the only one.
        """
        of_views, of_pooled = self.parts
        found = of_views(features.astype(np.float32), training=False)
        views, logits = map(np.asarray, found) if isinstance(found, list) else (found, 0.0)
        views = np.asarray(views)
        n, n_views, units = views.shape
        there = np.ones((n, n_views), bool) if present is None else present
        # The means themselves, for a difference of sums would lose digits.
        means = mean_weights(there, logits) @ views
        outputs = of_pooled(means.reshape(-1, units), training=False)
        scores = np.asarray(self.head.score(outputs)).reshape(n, 1 + n_views).copy()
        told = there & (there.sum(axis=1, keepdims=True) > 1)
        scores[:, 1:][~told] = np.nan
        return scores


def mean_weights(
    present: NDArray[np.bool_], logits: NDArray[np.floating] | float = 0.0
) -> NDArray[np.float32]:
    """(n, 1 + V, V) weights of views: in the mean of all, and of those without each in turn.

    Args:
        present: (n, V), which views are there. Without the only one, or an absent one, nothing is
            left out.
        logits: (n, V) of the views' weights; equal ones make a plain mean.
    """
    n_views = present.shape[1]
    kept = np.vstack([np.ones((1, n_views), bool), ~np.eye(n_views, dtype=bool)])
    kept = present[:, None] & kept
    kept |= ~kept.any(axis=2, keepdims=True) & present[:, None]
    logits = np.broadcast_to(np.asarray(logits, np.float64), present.shape)[:, None]
    largest = np.where(kept, logits, -np.inf).max(axis=2, keepdims=True)
    weights = np.where(kept, np.exp(np.minimum(logits - largest, 0.0)), 0.0)
    return (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)


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
        (n, 1 + V): of all views that are there, then without a, without b, and so on; NaN without
        a view that is absent, or the only one.

    Raises:
        TrainingError: a code is not finite.
    """
    scores = np.empty((len(rows), 1 + codes.reader.views), np.float32)
    start = 0
    for features in codes.chunks(rows, CHUNK_ROWS):
        part = slice(start, start + len(features))
        for fold in np.unique(folds[part]):
            chosen = np.flatnonzero(folds[part] == fold)
            present = codes.present(rows[start + chosen])
            scores[start + chosen] = networks[int(fold)].scores(features[chosen], present)
        start = part.stop
    return scores


def location_influence(locations: pd.DataFrame) -> NDArray[np.float64]:
    """By how much each location raises its area's score: the score less that without it.

    Weights count as in `aggregation`: where those of all locations that are left are 0, they count
    equally.

    Args:
        locations: `area, h, weight`, one row per location.

    Returns:
        (n,) logit; NaN where an area has one location.

    Raises:
        ValueError: as `aggregation.area_means`.
    """
    score = area_means(locations, ["h"]).set_index("area")["h"]
    area = score.index.get_indexer(locations["area"])
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
