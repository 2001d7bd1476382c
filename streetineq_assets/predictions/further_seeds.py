"""What chance in training does to the metrics: the same networks trained again by further seeds.

Seeds share folds, locations and labels with the published networks, so that what differs between
them is training alone: the weights at the start, the order of the rows, the dropped units. The
interval of a metric does not hold this: it is of the areas.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions.aggregation import mean_probabilities


@dataclass(frozen=True)
class SeedAreas:
    """The areas as networks of another seed predict them.

    Attributes:
        areas: `tables.LSOA_PREDICTIONS`.
        probabilities: (len(areas), 10), the mean of each area's locations.
    """

    areas: pd.DataFrame
    probabilities: np.ndarray


def areas_by_seed(
    scores: pd.DataFrame,
    locations: pd.DataFrame,
    rank: Callable[[pd.DataFrame], pd.DataFrame],
) -> tuple[SeedAreas, ...]:
    """The areas of each further seed, by the rule of the published ones.

    A seed that did not score all predicted locations in their folds is of other networks than these
    (its training was cut off, or folds were made again), and one with a score that is no number has
    not finished well: it is left out.

    Args:
        scores: `seed, location_id, fold, h, p_1 .. p_10`, out of fold; without rows where there was
            one seed.
        locations: `tables.LOCATION_PREDICTIONS` of the first seed.
        rank: makes the table of areas of such locations, as it was made of the first seed's.
    """
    own = ["location_id", "fold"]
    rest = locations.drop(columns=["h", "decile", *PROBABILITIES])
    found = []
    for _, group in scores.groupby("seed", sort=True):
        scored = rest.merge(group[[*own, "h", *PROBABILITIES]], on=own, validate="one_to_one")
        finite = np.isfinite(scored[["h", *PROBABILITIES]].to_numpy(np.float64)).all()
        if len(scored) == len(locations) and finite:
            areas = rank(scored)
            found.append(SeedAreas(areas, mean_probabilities(scored, areas["lsoa11"])))
    return tuple(found)


def spread(values: list[dict[str, float]]) -> pd.DataFrame:
    """`metric, seed_mean, seed_sd, n_seeds` of the metrics of each seed's networks.

    Args:
        values: metric to value, of at least one seed; the first names the metrics.

    Returns:
        The standard deviation is that of a sample (n - 1), and NaN for one seed. Both are NaN where
        a seed's metric is: networks that give every area one score are not left out of the mean.
    """
    table = pd.DataFrame(values)
    mean, sd = table.mean(skipna=False), table.std(ddof=1, skipna=False)
    rows = {"seed_mean": mean, "seed_sd": sd, "n_seeds": len(table)}
    return pd.DataFrame(rows).rename_axis("metric").reset_index()
