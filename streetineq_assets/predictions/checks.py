"""The checks of this step: of joined scores, of ranked areas, of evaluations."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.findings import AVAILABLE, Check, CheckSpec, Scalar
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.checks import VALID_PROBABILITIES, valid_probabilities
from streetineq_assets.models.folds import LEAKY, scheme_note
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.aligned_baselines import MAP_BEST
from streetineq_assets.predictions.evaluation import MIN_AREAS, NETWORK, Evaluation
from streetineq_assets.predictions.location_scores import tested_by
from streetineq_assets.predictions.metrics import told
from streetineq_assets.tables import empty

LOCATION_IDENTITY = CheckSpec(
    "location_identity", "Every score belongs to one location of the city.", blocking=True
)
OUT_OF_FOLD = CheckSpec(
    "out_of_fold", "No network scored an area that it learned from.", blocking=True
)
LOCATION_PREDICTIONS = (AVAILABLE, LOCATION_IDENTITY, OUT_OF_FOLD, VALID_PROBABILITIES)
JOINT_EVALUATION = LOCATION_PREDICTIONS

ONE_ROW_PER_LSOA = CheckSpec(
    "one_row_per_lsoa", "One row per area, deciles from 1 to 10.", blocking=True
)
STANDS_FOR_THE_CITY = CheckSpec(
    "stands_for_the_city", "The ranked areas are as well-off as the city's areas."
)
ENOUGH_AREAS = CheckSpec("enough_areas", f"At least {MIN_AREAS} areas are compared.")
LSOA_PREDICTIONS = (AVAILABLE, ONE_ROW_PER_LSOA, STANDS_FOR_THE_CITY, ENOUGH_AREAS)

BEATS_THE_MAP = CheckSpec(
    "beats_the_map", "The network agrees better with the official deciles than the best map."
)
SAME_AREAS = CheckSpec(
    "same_areas", "Network and baselines are compared on the same areas and folds."
)
NO_LEAK = CheckSpec("no_leak", "No area is in both training and test.")
LSOA_EVALUATION = (AVAILABLE, ENOUGH_AREAS, BEATS_THE_MAP, SAME_AREAS, NO_LEAK)

_MIDDLE = 5.5  # mean decile of all areas of a city
_FARTHEST = 0.25  # ranks of areas that are better off by so much are too low by as much, on average
_Z95 = 1.959964
_SD = np.sqrt((N_DECILES**2 - 1) / 12)  # of the deciles of all areas of a city


def inputs_available() -> Check:
    """That nothing was wanting."""
    return AVAILABLE.result(True, "labels, codes and folds are there")


def location_checks(locations: pd.DataFrame, tested: pd.DataFrame) -> list[Check]:
    """The blocking checks of joined scores.

    Args:
        locations: `tables.LOCATION_PREDICTIONS`; `area` is missing where a score belongs to no
            matched location.
        tested: which fold tests what: `area, fold`, or `location_id, fold`.
    """
    return [
        _location_identity(locations),
        _out_of_fold(locations, tested),
        valid_probabilities(locations),
    ]


def area_checks(areas: pd.DataFrame, n_lsoas_of_city: int) -> list[Check]:
    """The checks of ranked areas.

    Args:
        areas: `tables.LSOA_PREDICTIONS`.
        n_lsoas_of_city: areas of the city that have a label.
    """
    return [
        _one_row_per_lsoa(areas),
        _stands_for_the_city(areas, n_lsoas_of_city),
        enough_areas(len(areas)),
    ]


def enough_areas(n_lsoas: int) -> Check:
    """Whether metrics rest on enough areas to mean much."""
    enough = n_lsoas >= MIN_AREAS
    few = f"only {n_lsoas} of the {MIN_AREAS} areas from which metrics mean much; add images"
    return ENOUGH_AREAS.result(enough, f"{n_lsoas} areas" if enough else few, n_lsoas=n_lsoas)


def evaluation_checks(evaluation: Evaluation, scheme: str) -> list[Check]:
    """Whether the metrics may be read as a success of the network.

    Args:
        scheme: by which the network's folds were made.
    """
    return [
        _beats_the_map(evaluation, scheme),
        _same_areas(evaluation, scheme),
        _no_leak(scheme),
    ]


def leak_notes(schemes: Iterable[str | None]) -> dict[str, str]:
    """A note of what leaks where areas are split between training and test, if any scheme does."""
    note = scheme_note(filter(None, schemes))
    return {"leak": note} if note else {}


def first_failures(found: Iterable[Check]) -> list[Check]:
    """Of the location checks of several sets of scores, for each check the first that failed.

    A check that none failed passes; where there were no scores it says that it had nothing to do.
    """
    checks = list(found) or location_checks(empty(tables.LOCATION_PREDICTIONS), tested_by(None))
    kept: dict[str, Check] = {}
    for check in checks:
        if check.name not in kept or (kept[check.name].passed and not check.passed):
            kept[check.name] = check
    return list(kept.values())


def _location_identity(locations: pd.DataFrame) -> Check:
    lost = int(locations["area"].isna().sum())
    doubled = int(locations["location_id"].duplicated().sum())
    text = f"{lost} scores belong to no matched location of the city, {doubled} occur twice"
    if lost + doubled:
        text += "; materialise locations, hdf5_shards and trained_model again"
    return LOCATION_IDENTITY.result(
        lost + doubled == 0, text, of=len(locations), n_without_area=lost, n_doubled=doubled
    )


def _out_of_fold(locations: pd.DataFrame, tested: pd.DataFrame) -> Check:
    key = "location_id" if "location_id" in tested else "area"
    fold = tested.set_index(key)["fold"].reindex(locations[key]).to_numpy(np.float64)
    astray = int((fold != locations["fold"].to_numpy(np.float64)).sum())
    text = f"{astray} locations were scored by the network of a fold that does not test their area"
    if astray:
        text += "; materialise trained_model again"
    return OUT_OF_FOLD.result(astray == 0, text, of=len(locations), n_astray=astray)


def _one_row_per_lsoa(areas: pd.DataFrame) -> Check:
    doubled = int(areas["area"].duplicated().sum())
    outside = int((~areas["decile"].between(1, 10)).sum())
    text = f"{doubled} areas occur twice, {outside} have a decile outside 1 to 10"
    return ONE_ROW_PER_LSOA.result(doubled + outside == 0, text, of=len(areas))


def _stands_for_the_city(areas: pd.DataFrame, n_lsoas_of_city: int) -> Check:
    """Holds where the interval of the mean lies within the limits, fails where it lies outside.

    All areas of a city stand for it, whatever their mean, which ties move away from the middle.
    """
    actual = areas["actual_decile"].dropna().astype("float64")
    share = len(actual) / n_lsoas_of_city if n_lsoas_of_city else 0.0
    text = f"{len(areas)} of {n_lsoas_of_city} areas were ranked"
    if actual.empty:
        text += ", and none of them has an actual decile: add images of areas with labels"
        return STANDS_FOR_THE_CITY.not_tested(text)
    mean, half = float(actual.mean()), _half_width(len(actual), n_lsoas_of_city)
    values: dict[str, Any] = {"mean_actual_decile": mean, "half_width": half, "share_ranked": share}
    away = abs(mean - _MIDDLE)
    if len(actual) >= n_lsoas_of_city:
        text += f", all that the city has, of mean actual decile {mean:.2f}"
        return STANDS_FOR_THE_CITY.result(True, text, **values)
    text += (
        f" ({share:.0%}), of mean actual decile {mean:.2f}, by chance {mean - half:.2f} to "
        f"{mean + half:.2f} (all areas: {_MIDDLE}; limit: {_FARTHEST} from it)"
    )
    if abs(away - _FARTHEST) < half:
        text += "; too few are ranked to tell whether they stand for the city: add images"
        return STANDS_FOR_THE_CITY.not_tested(text, **values)
    stands = away <= _FARTHEST
    if not stands:
        text += ": ranking among them is not ranking within the city; add images of the other areas"
    return STANDS_FOR_THE_CITY.result(stands, text, **values)


def _half_width(n: int, n_lsoas_of_city: int) -> float:
    """Half of the 95 % interval of the mean decile of n areas drawn from the city's by chance.

    The deciles' variance is known, and what is drawn is not put back: with all areas it is 0
    (Cochran, *Sampling Techniques*, 1977, section 2.6).
    """
    rest = max(n_lsoas_of_city - n, 0) / max(n_lsoas_of_city - 1, 1)
    return float(_Z95 * _SD * np.sqrt(rest / n))


def _beats_the_map(evaluation: Evaluation, scheme: str) -> Check:
    """By the interval of the paired difference, which holds both and the choice of the map."""
    if scheme == "city":
        return BEATS_THE_MAP.not_tested(
            "folds are by city, and a map of other cities says nothing of this one; choose another "
            "scheme under [folds] in study.toml to compare with a map"
        )
    if missing := _missing_maps(evaluation, scheme):
        return BEATS_THE_MAP.not_tested(
            f"{', '.join(missing)} scored no area on the networks' folds; materialise "
            "baseline_scores again, and see there whether areas lack coordinates"
        )
    own = evaluation.value("kappa_quadratic", NETWORK, scheme)
    maps = [evaluation.value("kappa_quadratic", name, scheme) for name in MAPS]
    best = float(np.fmax.reduce(maps))
    lead, lower, upper = _lead_over_the_best_map(evaluation, scheme)
    values: dict[str, Scalar] = {"network": own, "best_map": best, "lead": lead}
    text = f"quadratic kappa on the same folds: network {told(own)}, best map {told(best)}"
    if np.isnan([own, best, lead, lower, upper]).any():
        said = f"{text}, with no interval of the lead: {_why_no_lead(evaluation)}"
        return BEATS_THE_MAP.not_tested(said)
    text += f"; 95 % interval of the lead {lower:z.3f} to {upper:z.3f}"
    if lower <= 0:
        text += (
            ", which is not above 0: images are not shown to say more than where an area lies; "
            "report both"
        )
    return BEATS_THE_MAP.result(lower > 0, text, **values, lower=lower, upper=upper)


def _why_no_lead(evaluation: Evaluation) -> str:
    """Why the lead over the best map has no interval, and what would give it one."""
    n_by_decile = evaluation.confusion.groupby("actual")["n"].sum()
    there = n_by_decile[n_by_decile > 0]
    if len(there) == 1 and there.iloc[0] > 1:
        return (
            f"the {there.iloc[0]} compared areas are all of actual decile {there.index[0]}, so "
            "that no agreement can be told; add images of areas of other deciles, or check "
            "lsoa_labels"
        )
    return f"compared areas: {there.sum()}, which are too few; add images of more"


def _missing_maps(evaluation: Evaluation, scheme: str) -> list[str]:
    rows = evaluation.metrics
    there = set(rows.loc[rows["scheme"] == scheme, "model"])
    return [name for name in MAPS if name not in there]


def _lead_over_the_best_map(evaluation: Evaluation, scheme: str) -> tuple[float, float, float]:
    """The network's lead in quadratic kappa with the ends of its interval; NaN without any."""
    rows = evaluation.comparisons
    of_best = (rows["baseline"] == MAP_BEST) & (rows["scheme"] == scheme)
    lead = rows[of_best & (rows["metric"] == "kappa_quadratic")]
    if lead.empty:
        return float("nan"), float("nan"), float("nan")
    difference, lower, upper = lead[["difference", "lower", "upper"]].to_numpy(float)[0]
    return float(difference), float(lower), float(upper)


def _same_areas(evaluation: Evaluation, scheme: str) -> Check:
    rows = evaluation.metrics[evaluation.metrics["metric"] == "mae"]
    rows = rows[rows["scheme"] == scheme]
    same = len(set(rows["n_lsoas"])) == 1
    maps = () if scheme == "city" else MAPS  # a map of other cities is none of this one
    covered = same and {NETWORK, *maps} <= set(rows["model"])
    text = "the baselines have scores of all areas that the network predicted"
    if not covered:
        text = (
            "a map baseline is missing, or a baseline lacks areas on the folds of the networks, so "
            "not all metrics compare; materialise baseline_scores and location_predictions again, "
            "and see there whether areas lack coordinates"
        )
    return SAME_AREAS.result(covered, text, of=len(rows))


def _no_leak(scheme: str) -> Check:
    leaky = scheme in LEAKY
    text = f"folds by {scheme}"
    if leaky:
        text += (
            ": an area's label leaks from its other locations, so the metrics are too good; "
            "choose another scheme under [folds] in study.toml"
        )
    return NO_LEAK.result(not leaky, text)
