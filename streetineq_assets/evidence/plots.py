"""The plots of this step: the matrix of one outcome each, and where the folds lie."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.evidence.schemes import STRICTNESS, TITLES
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.plotting import MISSING_COLOUR, new_figure, save_png
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK

METRIC = "spearman_score"
MODELS = {
    JOINT_NETWORK: ("network", "#d95f02", "o"),
    "ridge": ("ridge on codes", "#7570b3", "s"),
    "map_and_score": ("map and network", "#1b9e77", "^"),
    "map": ("best map", "#555555", "D"),
}
_FOLD_COLOURS = "tab10"
_ANGLE = 20


def plot_matrix(matrix: pd.DataFrame, path: Path) -> None:
    """Spearman's correlation by scheme, a panel per outcome, with intervals.

    Args:
        matrix: `tables.EVIDENCE_MATRIX` of one city, at least one row.
    """
    shown = _with_best_map(matrix[matrix["metric"] == METRIC])
    outcomes = sorted(shown["outcome"].unique())
    schemes = [each for each in STRICTNESS if each in set(shown["scheme"])]
    columns = min(3, len(outcomes))
    rows = -(-len(outcomes) // columns)
    figure, axes = new_figure(
        3.4 * columns, 2.9 * rows, rows=rows, columns=columns, squeeze=False, sharey=True
    )
    for axis in axes.flat[len(outcomes) :]:
        axis.set_visible(False)
    for axis, outcome in zip(axes.flat, outcomes, strict=False):
        here = shown[shown["outcome"] == outcome]
        for shift, (model, (label, colour, mark)) in enumerate(MODELS.items()):
            line = here[here["model"] == model].set_index("scheme").reindex(schemes)
            x = np.arange(len(schemes)) + 0.12 * (shift - 1.5)
            axis.plot(x, line["value"], mark, color=colour, markersize=4, label=label)
            axis.vlines(x, line["lower"], line["upper"], color=colour, linewidth=1)
        titles = [TITLES[each] for each in schemes]
        axis.set_xticks(range(len(schemes)), titles, rotation=_ANGLE, ha="right", fontsize=7)
        axis.axhline(0, color="#bbbbbb", linewidth=0.8)
        axis.set_title(OUTCOMES[outcome].title, wrap=True)
    axes[0, 0].set_ylabel("Spearman, areas out of fold")
    axes[0, 0].legend(fontsize=6)
    save_png(figure, path)


def plot_fold_maps(folds: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Where the areas of each fold lie, a panel per scheme.

    Args:
        folds: scheme to `easting_m, northing_m, fold` of the areas; -1 for those in several folds.
    """
    import matplotlib as mpl

    colours = [mpl.colors.to_hex(c) for c in mpl.colormaps[_FOLD_COLOURS].colors]
    palette = np.array([*colours, *colours, MISSING_COLOUR])  # -1 is the last
    figure, axes = new_figure(3.0 * len(folds), 3.2, columns=len(folds), squeeze=False)
    for axis, (scheme, areas) in zip(axes.flat, folds.items(), strict=True):
        chosen = np.where(areas["fold"] < 0, -1, areas["fold"] % len(colours))
        size = float(np.clip(12000 / max(len(areas), 1), 2, 60))
        axis.scatter(
            areas["easting_m"], areas["northing_m"], c=palette[chosen].tolist(), s=size, lw=0
        )
        n_folds = areas.loc[areas["fold"] >= 0, "fold"].nunique()
        axis.set_title(f"{TITLES[scheme]}: {n_folds} folds", fontsize=8)  # ty: ignore[invalid-argument-type]
        axis.set_aspect("equal")
        axis.set_axis_off()
    save_png(figure, path)


def _with_best_map(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and for each outcome and scheme that of its best map, as the model `map`."""
    maps = rows[rows["model"].isin(MAPS)].dropna(subset=["value"])
    best = maps.loc[maps.groupby(["outcome", "scheme"])["value"].idxmax()]
    return pd.concat([rows, best.assign(model="map")], ignore_index=True)
