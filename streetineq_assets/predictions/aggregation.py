"""From locations to areas: the three rules that turn scores into an area's decile.

The original's README and its script disagree about the rule, and the choice moves every metric. So
all three are calculated, the study names the one that counts, and results say which it was:

- `mean_score`: decile of the area's mean score among the areas (the README's). It makes the ten
  deciles equal in size among the areas that were ranked, whichever areas these are.
- `mean_decile`: deciles of the scores among all locations, then the area's rounded mean (the
  script's, by which the paper was made). It shrinks towards the middle.
- `fixed_borders`: where the area's mean score falls between the borders of the link itself. It
  needs no other area, and depends on how well the scores are calibrated.
"""

import numpy as np
import pandas as pd

from streetineq_assets.findings import Scalar
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.labels.deciles import deciles
from streetineq_assets.models import binomial
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions import intervals
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.tables import conform

RULES = ("mean_score", "mean_decile", "fixed_borders")


def aggregate(locations: pd.DataFrame, *, rule: str) -> pd.DataFrame:
    """Each area's mean score and decile.

    Args:
        locations: `lsoa11`, `h` (logit) and optionally `weight` (at least 0), one row per location.
            Where all weights of an area are 0, its locations count equally. `mean_decile` ignores
            weights, as the original's script did.
        rule: one of `RULES`.

    Returns:
        One row per area in the order of its code: `lsoa11`, `score` (float64, weighted mean of h),
        `decile` (Int8, 1 = worst-off), `n_locations` (int32).

    Raises:
        ValueError: an unknown rule, a score or weight that is not a finite number, a negative
            weight, or a location without an area.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; the rules are {', '.join(RULES)}")
    areas = area_means(locations, ["h"]).rename(columns={"h": "score"})
    if rule == "mean_score":
        decile = deciles(areas["score"], worst="low")
    elif rule == "mean_decile":
        decile = _rounded_mean_decile(locations).reindex(areas["lsoa11"]).array
    else:
        decile = binomial.decile(areas["score"])
    areas["decile"] = pd.array(decile, dtype="Int8")
    return areas[["lsoa11", "score", "decile", "n_locations"]]


def area_means(locations: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Weighted means over each area's locations: `lsoa11`, the columns, `n_locations`.

    Args:
        locations: as for `aggregate`, with the columns in place of `h`.

    Raises:
        ValueError: as `aggregate`.
    """
    values, weight = _checked(locations, columns)
    area, codes = pd.factorize(locations["lsoa11"], sort=True)
    # Sums of floats depend on their order, and a last bit can move an area over a border.
    order = np.lexsort((weight, values[:, 0], area))
    area, values, weight = area[order], values[order], weight[order]
    n = np.bincount(area, minlength=len(codes))
    total = np.bincount(area, weight, minlength=len(codes))
    weight = np.where(total[area] > 0, weight, 1.0)  # an area without live postcodes: plain mean
    total = np.where(total > 0, total, n)
    means = {
        name: np.bincount(area, weight * values[:, column], minlength=len(codes)) / total
        for column, name in enumerate(columns)
    }
    codes = pd.array(np.asarray(codes, dtype=object), dtype="str")
    return pd.DataFrame({"lsoa11": codes, **means, "n_locations": n.astype(np.int32)})


def lsoa_table(locations: pd.DataFrame, *, rule: str) -> pd.DataFrame:
    """The published table of areas.

    Args:
        locations: `tables.LOCATION_PREDICTIONS`, each in an area.
        rule: the study's, one of `RULES`.

    Returns:
        `tables.LSOA_PREDICTIONS`, ascending by area.
    """
    areas = area_means(locations, ["h", *PROBABILITIES]).rename(columns={"h": "score"})
    for each in RULES:
        areas[f"decile_{each}"] = aggregate(locations, rule=each)["decile"]
    groups = locations.groupby("lsoa11", sort=True)
    first = groups[["city", "outcome", "actual_decile"]].first().reset_index(drop=True)
    folds = groups["fold"].agg(["min", "max"]).reset_index(drop=True)
    areas = areas.assign(
        **first,
        decile=areas[f"decile_{rule}"],
        fold=folds["min"].where(folds["min"] == folds["max"]).astype("Int16"),
        n_images=areas["n_locations"] * len(VIEWS),  # a location without all views has no code
    )
    ends = intervals.decile_intervals(
        areas[list(PROBABILITIES)].to_numpy(),
        actual=areas["actual_decile"],
        folds=areas["fold"],
        predicted=areas["decile"],
    )
    return conform(areas.assign(**ends), LSOA_PREDICTIONS)


def ranking(areas: pd.DataFrame) -> dict[str, Scalar]:
    """Which areas were ranked: how many, how well-off, from how many locations.

    Args:
        areas: `tables.LSOA_PREDICTIONS`.

    Returns:
        `n_lsoas_ranked`, `mean_actual_decile` (None where no area has a label), `n_locations`.
    """
    actual = areas["actual_decile"].dropna().astype("float64")
    return {
        "n_lsoas_ranked": len(areas),
        "mean_actual_decile": float(actual.mean()) if len(actual) else None,
        "n_locations": int(areas["n_locations"].sum()),
    }


def mean_probabilities(locations: pd.DataFrame, areas: pd.Series) -> np.ndarray:
    """(len(areas), 10) float64: each area's weighted mean of its locations' probabilities.

    Args:
        locations: `tables.LOCATION_PREDICTIONS`.
        areas: codes, each of at least one location.
    """
    columns = list(PROBABILITIES)
    means = area_means(locations, columns).set_index("lsoa11")
    return means.loc[areas, columns].to_numpy(np.float64)


def _rounded_mean_decile(locations: pd.DataFrame) -> pd.Series:
    """Per area, the mean of its locations' deciles among all locations; a half goes to the even."""
    decile = np.asarray(deciles(locations["h"], worst="low"), dtype=np.float64)
    return pd.Series(decile).groupby(locations["lsoa11"].array).mean().round()


def _checked(locations: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    values = locations[columns].to_numpy(np.float64)
    given = "weight" in locations.columns
    weight = locations["weight"].to_numpy(np.float64) if given else np.ones(len(locations))
    if locations["lsoa11"].isna().any():
        raise ValueError("a location has no lsoa11: leave out locations that lie in no area")
    if not np.isfinite(values).all():
        raise ValueError(f"a value of {', '.join(columns)} is not a finite number")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("a weight is negative or not a finite number")
    return values, weight
