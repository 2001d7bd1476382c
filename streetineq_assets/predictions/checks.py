"""What the tables of this step say of themselves: figures, warning checks, the headline.

What belongs here: the sentences and numbers that the UI and the report show of one pair. What does
not: how a number is calculated, and anything of Dagster.
"""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.findings import Check, Scalar
from streetineq_assets.predictions.evaluation import COORDINATES, MIN_AREAS, NETWORK, Evaluation

HEADLINE_METRICS = {
    "spearman_score": "Spearman of the score",
    "kappa_quadratic": "quadratic kappa",
    "mae": "MAE in deciles",
}
SPATIAL = "spatial_block"
_MIDDLE = 5.5  # mean decile of all areas of a city
_FAR = 0.5


def availability(figures: Mapping[str, Scalar]) -> Check:
    """A warning where the pair has no labels, codes or folds, so that its tables are empty.

    Args:
        figures: `status`, and `wanted` and `reason` when that is `unavailable`.
    """
    if figures.get("status") != "unavailable":
        return Check("available", True, "labels, codes and folds are there")
    text = "; ".join(str(figures[name]) for name in ("reason", "wanted") if figures.get(name))
    return Check("available", False, f"unavailable: {text}; the tables are empty")


def enough_areas(n: int) -> Check:
    """A warning where figures rest on too few areas to mean much."""
    enough = n >= MIN_AREAS
    text = f"{n} areas"
    if not enough:
        text = f"only {n} areas, fewer than {MIN_AREAS}: figures mean little"
    return Check("enough_areas", enough, text, values={"n_lsoas": n})


def ranking(areas: pd.DataFrame, n_city: int, rule: str) -> tuple[dict[str, Scalar], list[Check]]:
    """Which of the city's areas were ranked, and whether they stand for all of them.

    Args:
        areas: `tables.LSOAS`.
        n_city: areas of the city that have a label.
    """
    actual = areas["actual_decile"].astype("float64")
    mean = float(actual.mean()) if actual.notna().any() else None
    doubled = int(areas["lsoa11"].duplicated().sum())
    inside = bool(areas["decile"].between(1, 10).all())
    stands = mean is None or abs(mean - _MIDDLE) <= _FAR
    figures: dict[str, Scalar] = {
        "rule": rule,
        "n_lsoas_ranked": len(areas),
        "n_lsoas_of_city": n_city,
        "mean_actual_decile": mean,
        "n_locations": int(areas["n_locations"].sum()),
    }
    checks = [
        Check(
            "one_row_per_lsoa",
            doubled == 0 and inside,
            f"{doubled} areas are there twice; deciles are {'' if inside else 'not '}all 1 to 10",
            blocking=True,
        ),
        Check(
            "stands_for_the_city",
            stands,
            f"{len(areas)} of {n_city} areas were predicted"
            + ("" if mean is None else f", of mean actual decile {mean:.2f} (all: {_MIDDLE})")
            + ("" if stands else ": ranking among them is not ranking within the city"),
            values={"mean_actual_decile": mean},
        ),
    ]
    return figures, checks


def judgement(evaluation: Evaluation, scheme: str, leaky: bool) -> list[Check]:
    """Warnings where the figures must not be read as a success of the network."""
    own, rival = (evaluation.value("kappa_quadratic", m) for m in (NETWORK, COORDINATES))
    beaten = rival >= own
    rows = evaluation.metrics[evaluation.metrics["metric"] == "mae"]
    study_rows = rows[rows["scheme"] == scheme]
    same = len(set(study_rows["n_lsoas"])) <= 1
    covered = same and (rows.empty or COORDINATES in set(study_rows["model"]))
    return [
        Check(
            "beats_coordinates",
            not beaten,
            "quadratic kappa: "
            f"network {own:.3f}, coordinates only {rival:.3f} under the same folds"
            + (": the map says at least as much as the pictures" if beaten else ""),
            values={"network": own, "coordinates": rival},
        ),
        Check(
            "same_areas",
            covered,
            "the baselines know the network's areas"
            if covered
            else "the coordinates baseline or some of the areas are missing: not all compare",
        ),
        Check(
            "no_leak",
            not leaky,
            f"folds by {scheme}"
            + (": an area's label leaks from its other locations, figures are too good" * leaky),
        ),
    ]


def headline(evaluation: Evaluation, scheme: str) -> tuple[dict[str, Scalar], str]:
    """The network beside the coordinates baseline, by the study's scheme and by spatial blocks.

    Returns:
        Figures for time series, and a Markdown table.
    """
    columns = [(NETWORK, scheme), (COORDINATES, scheme), (COORDINATES, SPATIAL)]
    titles = ["network", "coordinates only"]
    if scheme != SPATIAL:
        titles.append("coordinates only, spatial blocks")
    lines = ["| | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    figures: dict[str, Scalar] = {}
    for metric, title in HEADLINE_METRICS.items():
        rows = evaluation.metrics[evaluation.metrics["metric"] == metric]
        values = rows.set_index(["model", "scheme"])["value"]
        shown = [float(values.get(key, float("nan"))) for key in columns[: len(titles)]]
        lines.append(f"| {title} | " + " | ".join(f"{value:.3f}" for value in shown) + " |")
        figures |= {metric: shown[0], f"{metric}_coordinates": shown[1]}
        if len(shown) > 2:
            figures[f"{metric}_coordinates_spatial"] = shown[2]
    return figures, "\n".join(lines)
