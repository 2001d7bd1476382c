"""From locations to areas: the rules that turn scores into an area's decile.

The original's README and its script disagree about the rule, and the choice moves every metric. So
all rules are calculated, the study names the one that counts, and results say which it was:

- `mean_score`: decile of the area's mean score among the areas (the README's). It makes the ten
  deciles equal in size among the areas that were ranked, whichever areas these are.
- `shrunk_score`: the same, after the mean of an area with few locations was shrunk towards the
  city's mean (`shrinkage`), or such areas would own the first and the last decile.
- `mean_decile`: deciles of the scores among all locations, then the area's rounded mean (the
  script's, by which the paper was made). It shrinks towards the middle.
- `fixed_borders`: where the area's mean score falls between the borders of the link itself. It
  needs no other area, and depends on how well the scores are calibrated.
"""

from typing import get_args

import numpy as np
import pandas as pd

from streetineq_assets.findings import Scalar
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.labels.deciles import deciles
from streetineq_assets.models import binomial
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions import calibration, intervals, shrinkage
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.settings import AggregationRule, Areas
from streetineq_assets.tables import conform

RULES = get_args(AggregationRule)
RANKING_RULES = ("mean_score", "shrunk_score")  # that make the ten deciles equal in size
_AREAS = Areas()
TOO_WIDE = 8  # deciles of an interval that leaves out two of the ten at most


def aggregate(locations: pd.DataFrame, *, rule: str) -> pd.DataFrame:
    """Each area's mean score and decile.

    Args:
        locations: `area`, `h` (logit) and optionally `weight` (at least 0), one row per location.
            Where all weights of an area are 0, its locations count equally. `mean_decile` ignores
            weights, as the original's script did.
        rule: one of `RULES`.

    Returns:
        One row per area in the order of its code: `area`, `score` (float64, weighted mean of h,
        whatever the rule), `decile` (Int8, 1 = worst-off), `n_locations` (int32).

    Raises:
        ValueError: an unknown rule, a score or weight that is not a finite number, a negative
            weight, or a location without an area.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; the rules are {', '.join(RULES)}")
    areas = area_means(locations, ["h"]).rename(columns={"h": "score"})
    if rule == "mean_score":
        decile = deciles(areas["score"], worst="low")
    elif rule == "shrunk_score":
        decile = deciles(shrunk_scores(locations, areas["score"])[0], worst="low")
    elif rule == "mean_decile":
        decile = _rounded_mean_decile(locations).reindex(areas["area"]).array
    else:
        decile = binomial.decile(areas["score"])
    areas["decile"] = pd.array(decile, dtype="Int8")
    return areas[["area", "score", "decile", "n_locations"]]


def area_means(locations: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Weighted means over each area's locations: `area`, the columns, `n_locations`.

    Args:
        locations: as for `aggregate`, with the columns in place of `h`.

    Raises:
        ValueError: as `aggregate`.
    """
    values, weight = _checked(locations, columns)
    area, codes = pd.factorize(locations["area"], sort=True)
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
    return pd.DataFrame({"area": codes, **means, "n_locations": n.astype(np.int32)})


def shrunk_scores(
    locations: pd.DataFrame, score: pd.Series
) -> tuple[np.ndarray, shrinkage.Shrinkage]:
    """Each area's score shrunk towards the city's mean, and the variances that decide how far.

    Args:
        locations: as for `aggregate`.
        score: the areas' weighted means, in the order of their codes.

    Returns:
        As `shrinkage.shrink`.
    """
    _, weight = _checked(locations, ["h"])
    sums = pd.DataFrame({"one": 1.0, "w": weight, "w2": weight**2}).groupby(locations["area"].array)
    n, total, squares = (sums[name].sum().to_numpy() for name in ("one", "w", "w2"))
    # Where all weights are 0 the locations count equally.
    n_effective = np.divide(total**2, squares, out=n.astype(np.float64), where=squares > 0)
    return shrinkage.shrink(score.to_numpy(np.float64), n_effective, locations)


def ranked_locations(locations: pd.DataFrame, min_locations: int) -> pd.DataFrame:
    """The locations of areas that have at least so many, with a new index.

    Args:
        locations: `area` and more, one row per location.
    """
    n = locations.groupby("area")["area"].transform("size")
    return locations[n >= min_locations].reset_index(drop=True)


def lsoa_table(
    locations: pd.DataFrame,
    *,
    rule: str,
    areas: Areas = _AREAS,
    level: float = intervals.LEVEL,
) -> pd.DataFrame:
    """The published table of areas.

    Args:
        locations: `tables.LOCATION_PREDICTIONS`, each in an area.
        rule: the study's, one of `RULES`.
        areas: which areas are ranked and published; areas of too few locations have no row. What
            it says of folds is left to `alignment`, before.
        level: of the intervals.

    Returns:
        `tables.LSOA_PREDICTIONS`, ascending by area.
    """
    locations = ranked_locations(locations, areas.min_locations)
    table = area_means(locations, ["h"]).rename(columns={"h": "score"})
    by_rule = {each: aggregate(locations, rule=each)["decile"] for each in RULES}
    table = table.assign(
        **_first_of_areas(locations),
        **{f"decile_{each}": decile for each, decile in by_rule.items()},
        decile=by_rule[rule],
        score_shrunk=shrunk_scores(locations, table["score"])[0],
        n_images=_n_images(locations),
        is_published=table["n_locations"] >= areas.min_published,
    )
    table = table.assign(rank_change=rank_changes(table)["rank_change"], **_how_sure(table, level))
    table["too_uncertain_to_rank"] = _too_uncertain(table)
    return conform(table, LSOA_PREDICTIONS)


def _n_images(locations: pd.DataFrame) -> pd.Series:
    """Of each area, in the order of its code; locations of earlier versions have all views."""
    n_views = locations.get("n_views", pd.Series(len(VIEWS), index=locations.index))
    return n_views.astype(np.int64).groupby(locations["area"]).sum().reset_index(drop=True)


def ranking(areas: pd.DataFrame) -> dict[str, Scalar]:
    """Which areas were ranked: how many, how well-off, from how many locations, how surely.

    Args:
        areas: `tables.LSOA_PREDICTIONS`.

    Returns:
        `n_lsoas_ranked`, `mean_actual_decile` (None where no area has a label), `n_locations`,
        `n_lsoas_published`, `n_lsoas_too_uncertain`.
    """
    actual = areas["actual_decile"].dropna().astype("float64")
    return {
        "n_lsoas_ranked": len(areas),
        "mean_actual_decile": float(actual.mean()) if len(actual) else None,
        "n_locations": int(areas["n_locations"].sum()),
        "n_lsoas_published": int(areas["is_published"].sum()),
        "n_lsoas_too_uncertain": int(areas["too_uncertain_to_rank"].sum()),
    }


def rank_changes(areas: pd.DataFrame) -> pd.DataFrame:
    """How far each area's decile depends on the rule, as a map shows it.

    Args:
        areas: `tables.LSOA_PREDICTIONS`.

    Returns:
        `area`, `lowest` and `highest` (int64, of the deciles by all rules), `rank_change`
        (int64, their difference).
    """
    deciles_by_rule = areas[[f"decile_{rule}" for rule in RULES]].astype(np.int64)
    ends = {"lowest": deciles_by_rule.min(axis=1), "highest": deciles_by_rule.max(axis=1)}
    found = areas[["area"]].assign(**ends)
    return found.assign(rank_change=found["highest"] - found["lowest"])


def mean_probabilities(locations: pd.DataFrame, areas: pd.Series) -> np.ndarray:
    """(len(areas), 10) float64: each area's weighted mean of its locations' probabilities.

    Args:
        locations: `tables.LOCATION_PREDICTIONS`.
        areas: codes, each of at least one location.
    """
    columns = list(PROBABILITIES)
    means = area_means(locations, columns).set_index("area")
    return means.loc[areas, columns].to_numpy(np.float64)


def _first_of_areas(locations: pd.DataFrame) -> dict[str, pd.Series]:
    """What all locations of an area share, in the order of its code; NA for several folds."""
    groups = locations.groupby("area", sort=True)
    first = groups[["city", "outcome", "actual_decile"]].first().reset_index(drop=True)
    folds = groups["fold"].agg(["min", "max"]).reset_index(drop=True)
    fold = folds["min"].where(folds["min"] == folds["max"]).astype("Int16")
    return {name: first[name] for name in first.columns} | {"fold": fold}


def _how_sure(areas: pd.DataFrame, level: float) -> dict[str, pd.Series]:
    """Calibrated probabilities, their mean, and the interval of each area's actual decile."""
    known = {"actual": areas["actual_decile"], "folds": areas["fold"]}
    p, links = calibration.calibrate(areas["score"], **known)
    ends = intervals.calibrated_intervals(
        areas["score"], links, **known, predicted=areas["decile"], level=level
    )
    found = dict(zip(PROBABILITIES, (pd.Series(column) for column in p.T), strict=True))
    expected = pd.Series(calibration.expected_decile(p))
    return found | {"expected_decile": expected, "lower": ends["lower"], "upper": ends["upper"]}


def _too_uncertain(areas: pd.DataFrame) -> pd.Series:
    """True where the interval says nearly nothing or locations are too few; NA without interval."""
    wide = (areas["upper"] - areas["lower"] + 1 >= TOO_WIDE).astype("boolean")
    return wide.mask(~areas["is_published"], True)


def _rounded_mean_decile(locations: pd.DataFrame) -> pd.Series:
    """Per area, the mean of its locations' deciles among all locations; a half goes to the even."""
    decile = np.asarray(deciles(locations["h"], worst="low"), dtype=np.float64)
    return pd.Series(decile).groupby(locations["area"].array).mean().round()


def _checked(locations: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    values = locations[columns].to_numpy(np.float64)
    given = "weight" in locations.columns
    weight = locations["weight"].to_numpy(np.float64) if given else np.ones(len(locations))
    if locations["area"].isna().any():
        raise ValueError("a location has no area: leave out locations that lie in no area")
    if not np.isfinite(values).all():
        raise ValueError(f"a value of {', '.join(columns)} is not a finite number")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("a weight is negative or not a finite number")
    return values, weight
