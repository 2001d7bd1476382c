"""What chance in training does to the metrics: the same networks trained again by further seeds.

Seeds share locations and labels with the published networks, so that what differs between them is
training alone: the weights at the start, the order of the rows, the dropped units; and in a small
city, who shares a fold with whom. The interval of a metric does not hold this: it is of the areas.
"""

from collections.abc import Callable, Sequence
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

    A seed that did not score all predicted locations is left out: in a small city, a fold of its
    own may have tested nothing that has codes. So is one with a score that is no number.

    Args:
        scores: `seed, location_id, fold, h, p_1 .. p_10`, out of fold, of the same trained model as
            the locations; without rows where there was one seed.
        locations: `tables.LOCATION_PREDICTIONS` of the first seed.
        rank: makes the table of areas of such locations, as it was made of the first seed's.
    """
    own = ["fold", "h", *PROBABILITIES]
    rest = locations.drop(columns=[*own, "decile"])
    found = []
    for _, group in scores.groupby("seed", sort=True):
        scored = rest.merge(group[["location_id", *own]], on="location_id", validate="one_to_one")
        finite = np.isfinite(scored[["h", *PROBABILITIES]].to_numpy(np.float64)).all()
        if len(scored) == len(locations) and finite:
            areas = rank(scored)
            found.append(SeedAreas(areas, mean_probabilities(scored, areas["area"])))
    return tuple(found)


def n_deals(areas: pd.DataFrame, further: Sequence[SeedAreas]) -> int:
    """How many different folds of the areas there are among the seeds.

    Args:
        areas: `tables.LSOA_PREDICTIONS` of the first seed.
    """
    deals = [each[["area", "fold"]] for each in (areas, *(seed.areas for seed in further))]
    return len({tuple(deal.sort_values("area")["fold"].fillna(-1)) for deal in deals})


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
