"""The few figures of an evaluation that the UI shows first, with what to read beside them."""

import numpy as np
import pandas as pd

from streetineq_assets.findings import Scalar
from streetineq_assets.models.block_sizes import SPATIAL_BLOCK
from streetineq_assets.predictions.aligned_baselines import MAP_BEST
from streetineq_assets.predictions.blocks import LSOA, MAP_BLOCK, MSOA
from streetineq_assets.predictions.evaluation import MAP_KNN, NETWORK, Evaluation
from streetineq_assets.predictions.metrics import told

HEADLINE_METRICS = {
    "spearman_score": "Spearman of the score",
    "kappa_quadratic": "quadratic kappa",
    "mae": "MAE in deciles",
}
_KAPPA = "kappa_quadratic"
_UNIT_TITLES = {MAP_BLOCK: "spatial blocks", MSOA: "MSOAs", LSOA: "LSOAs"}


def headline(evaluation: Evaluation, scheme: str) -> tuple[dict[str, Scalar], str]:
    """The network beside the nearest areas on the map, by the study's scheme and by spatial blocks.

    Below the table: what it has over the best map, what was resampled, and how much the metrics
    differ between the networks' seeds.

    Returns:
        Values for time series, and Markdown.
    """
    columns = [("", "network", NETWORK, scheme)]
    columns.append(("_nearest_areas", "nearest areas", MAP_KNN, scheme))
    if scheme != SPATIAL_BLOCK:
        title = "nearest areas, spatial blocks"
        columns.append(("_nearest_areas_spatial", title, MAP_KNN, SPATIAL_BLOCK))
    lines = ["| | " + " | ".join(title for _, title, *_ in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    values: dict[str, Scalar] = {}
    for metric, title in HEADLINE_METRICS.items():
        row = {
            metric + suffix: evaluation.value(metric, model, own)
            for suffix, _, model, own in columns
        }
        values |= row
        lines.append(f"| {title} | " + " | ".join(map(told, row.values())) + " |")
    beside = [_over_the_best_map(evaluation), _resampled(evaluation), _over_seeds(evaluation)]
    return values, "\n\n".join(["\n".join(lines), *filter(None, beside)])


def _over_the_best_map(evaluation: Evaluation) -> str:
    rows = evaluation.comparisons
    row = rows[(rows["baseline"] == MAP_BEST) & (rows["metric"] == _KAPPA)]
    if row.empty or np.isnan(row["difference"].iloc[0]):
        return ""
    lead, lower, upper = (float(row[name].iloc[0]) for name in ("difference", "lower", "upper"))
    within = "too few units for an interval"
    if not np.isnan([lower, upper]).any():
        within = f"95 % interval {lower:z.3f} to {upper:z.3f}"
    return f"Over the best map in quadratic kappa: {lead:z.3f} ({within})."


def _resampled(evaluation: Evaluation) -> str:
    """What the intervals rest on, with the other units' beside it, for the network's kappa."""
    rows = evaluation.intervals
    rows = rows[(rows["model"] == NETWORK) & (rows["metric"] == _KAPPA)]
    parts = [_of_unit(row) for _, row in rows.iterrows()]
    if not parts:
        return ""
    chosen, *others = parts
    beside = f"; by {'; by '.join(others)}" if others else ""
    missing = set(_UNIT_TITLES) - set(rows["unit"])
    lacking = ", ".join(title for unit, title in _UNIT_TITLES.items() if unit in missing)
    said = f" Not resampled, for want of positions, codes or areas: {lacking}." if lacking else ""
    return f"95 % interval of the network's quadratic kappa by {chosen}{beside}.{said}"


def _of_unit(row: pd.Series) -> str:
    side = "" if np.isnan(row["block_m"]) else f" of about {row['block_m'] / 1000:.1f} km"
    ends = "none, too few"
    if not np.isnan([row["lower"], row["upper"]]).any():
        ends = f"{row['lower']:z.3f} to {row['upper']:z.3f}"
    return f"{row['n_units']} {_UNIT_TITLES[row['unit']]}{side}: {ends}"


def _over_seeds(evaluation: Evaluation) -> str:
    rows = evaluation.metrics[evaluation.metrics["model"] == NETWORK].set_index("metric")
    n = int(rows.loc["mae", "n_seeds"]) if len(rows) else 0
    if n == 0:
        return ""
    if n == 1:
        return "One seed: how much training itself varies is not known."
    parts = [
        f"{title} {told(rows.loc[metric, 'seed_mean'])} (sd {told(rows.loc[metric, 'seed_sd'])})"
        for metric, title in HEADLINE_METRICS.items()
    ]
    dealt = ", each with folds of its own" if rows.loc["mae", "n_deals"] > 1 else ""
    return f"Over {n} seeds{dealt}, mean and sd: {', '.join(parts)}."
