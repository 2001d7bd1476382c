"""A pair's ranked areas, with what is to be said of them: how surely, by which links."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from streetineq_assets.findings import Scalar, Unavailable
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions import calibration
from streetineq_assets.predictions.aggregation import (
    lsoa_table,
    mean_probabilities,
    rank_changes,
    ranked_locations,
    ranking,
    shrunk_scores,
)
from streetineq_assets.predictions.alignment import aligned
from streetineq_assets.predictions.intervals import are_label_conditional
from streetineq_assets.predictions.tables import CALIBRATION, LSOA_PREDICTIONS
from streetineq_assets.settings import Areas
from streetineq_assets.tables import conform, empty

_NETWORK, _CALIBRATED = "network's own", "calibrated"


@dataclass(frozen=True)
class RankedAreas:
    """The areas of a pair and what the UI shows of them.

    Attributes:
        areas: `tables.LSOA_PREDICTIONS`, without rows where no area has enough locations.
        calibration: `tables.CALIBRATION`, a row for each fold whose probabilities were calibrated.
        reliability: `calibration.reliability` before and after, told apart by `probabilities`.
        values: single numbers.
        tables: `calibration` (quality before and after) and `rank_changes`.
        notes: why something asked for was not done.
    """

    areas: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    values: dict[str, Scalar] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Scalar]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_nothing(cls) -> "RankedAreas":
        """Without areas."""
        return cls(empty(LSOA_PREDICTIONS), empty(CALIBRATION), pd.DataFrame())


def none_ranked(settings: Areas) -> Unavailable:
    """Why no area of a city is ranked though locations were predicted."""
    return Unavailable(
        "a smaller min_locations under [areas] in study.toml, or images of more locations",
        f"no area has min_locations = {settings.min_locations} predicted locations",
        by_settings=True,
    )


def not_ranked(areas: pd.DataFrame) -> str:
    """In words that the areas are not told apart; empty where they are.

    Args:
        areas: `tables.LSOA_PREDICTIONS` of one pair.
    """
    if len(areas) < 2 or np.ptp(areas["score"].to_numpy(np.float64)) > 0:
        return ""
    return (
        f"all {len(areas)} areas have the same score: the network tells none from another, and "
        "their predicted deciles rank nothing"
    )


def ranked_table(
    locations: pd.DataFrame, *, rule: str, settings: Areas, level: float, scheme: str
) -> pd.DataFrame:
    """`tables.LSOA_PREDICTIONS` alone, as `rank_areas` makes it."""
    placed = aligned(locations, scheme)[0] if settings.align_folds else locations
    return lsoa_table(placed, rule=rule, areas=settings, level=level)


def rank_areas(
    locations: pd.DataFrame, *, rule: str, settings: Areas, level: float, scheme: str
) -> RankedAreas:
    """Rank the areas of a pair, and say how surely.

    Args:
        locations: `tables.LOCATION_PREDICTIONS`, each in an area.
        rule: the study's, one of `aggregation.RULES`.
        level: of the intervals.
        scheme: by which the folds were made.
    """
    placed, why = aligned(locations, scheme) if settings.align_folds else (locations, "")
    areas = lsoa_table(placed, rule=rule, areas=settings, level=level)
    n_below = int(locations["area"].nunique()) - len(areas)
    _, links = calibration.calibrate(areas["score"], areas["actual_decile"], areas["fold"])
    table = calibration.link_table(links)
    compared, reliability, maes = _before_and_after(areas, locations)
    ranked = ranked_locations(placed, settings.min_locations)
    _, shrunk = shrunk_scores(ranked, areas["score"])
    notes = {"folds_on_one_scale": why, "shrinkage": shrunk.note, "calibration": _of_links(table)}
    notes["ranking"] = not_ranked(areas)
    by_label = are_label_conditional(areas["actual_decile"], areas["fold"], level)
    values = {
        "n_lsoas_below_min_locations": n_below,
        "variance_within_areas": shrunk.within,
        "variance_between_areas": shrunk.between,
        "intervals": "one limit for each decile" if by_label else "one limit for all deciles",
    }
    return RankedAreas(
        areas=areas,
        calibration=_published(table, areas),
        reliability=reliability,
        values=ranking(areas) | _defined(values | maes),
        tables={"calibration": compared, "rank_changes": _moves(areas)} if len(areas) else {},
        notes={name: text for name, text in notes.items() if text},
    )


def _before_and_after(
    areas: pd.DataFrame, locations: pd.DataFrame
) -> tuple[list[dict[str, Scalar]], pd.DataFrame, dict[str, Scalar]]:
    """Quality and reliability of the network's own probabilities and of the calibrated ones.

    And the mean absolute errors of the expected and of the ranked decile: ranking forces as many
    areas into the ends as into the middle, which an uncertain score does not deserve.
    """
    known = (areas["actual_decile"].notna() & areas["expected_decile"].notna()).to_numpy()
    of = areas[known]
    if of.empty:
        return [], pd.DataFrame(), {}
    actual = of["actual_decile"].to_numpy(np.int64)
    calibrated = of[list(PROBABILITIES)].to_numpy(np.float64)
    given = {_NETWORK: mean_probabilities(locations, of["area"]), _CALIBRATED: calibrated}
    rows: list[dict[str, Scalar]] = [
        {"probabilities": name, "n_lsoas": len(of)} | calibration.quality(p, actual)
        for name, p in given.items()
    ]
    reliability = [
        calibration.reliability(p, actual).assign(probabilities=name) for name, p in given.items()
    ]
    ranked_error = np.abs(of["decile"].to_numpy(np.int64) - actual)
    maes = {
        "mae_expected_decile": rows[1]["mae"],
        "mae_ranked_decile": float(ranked_error.mean()),
        "variance_ratio": rows[1]["variance_ratio"],
    }
    return rows, pd.concat(reliability, ignore_index=True), maes


def _moves(areas: pd.DataFrame) -> list[dict[str, Scalar]]:
    """How many areas move by how many deciles when the rule is another."""
    counts = rank_changes(areas)["rank_change"].value_counts().sort_index()
    return [
        {"rank_change": int(change), "n_lsoas": int(n), "share": float(n / len(areas))}
        for change, n in counts.items()
    ]


def _of_links(links: pd.DataFrame) -> str:
    if links.empty:
        return (
            f"not calibrated: it takes {calibration.FEWEST} areas with a label in other folds; "
            "probabilities, expected deciles and intervals are missing"
        )
    if fixed := int(links["is_slope_fixed"].sum()):
        return (
            f"{fixed} of {len(links)} folds have fewer than {calibration.ENOUGH_FOR_SLOPE} areas "
            "to calibrate with: the slope is the network's own, 1"
        )
    return ""


def _published(links: pd.DataFrame, areas: pd.DataFrame) -> pd.DataFrame:
    if links.empty:
        return empty(CALIBRATION)
    keys = {name: areas[name].iloc[0] for name in ("city", "outcome")}
    return conform(links.assign(**keys), CALIBRATION)


def _defined(values: dict[str, Scalar]) -> dict[str, Scalar]:
    """NaN as None, which the UI shows as missing."""
    return {
        name: None if isinstance(value, float) and np.isnan(value) else value
        for name, value in values.items()
    }
