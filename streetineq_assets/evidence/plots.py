"""The plots of this step: the matrix, where the folds lie, and errors by group of areas."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.evidence.equity import ACTUAL, MEAN_ERROR, SAME_DECILE
from streetineq_assets.evidence.schemes import STRICTNESS, TITLES
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.plotting import DECILE_COLOURS, MISSING_COLOUR, new_figure, save_png
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRIC = "spearman_score"
MODELS = {
    JOINT_NETWORK: ("network", "#d95f02", "o"),
    "ridge": ("ridge on codes", "#7570b3", "s"),
    "map_and_score": ("map and network", "#1b9e77", "^"),
    "map": ("best map", "#555555", "D"),
}
_FOLD_COLOURS = "tab10"
_ANGLE = 20
_DIFFERS, _ALIKE, _LINE = "#d95f02", "#bbbbbb", "#555555"
_MOST_ROWS = 60


def plot_matrix(matrix: pd.DataFrame, path: Path, *, subject: str) -> None:
    """Spearman's correlation by scheme, a panel per outcome, with intervals.

    Args:
        matrix: `tables.EVIDENCE_MATRIX` of one city, at least one row.
        subject: the city.
    """
    shown = _with_best_map(matrix[matrix["metric"] == METRIC])
    outcomes = sorted(shown["outcome"].unique())
    schemes = [each for each in STRICTNESS if each in set(shown["scheme"])]
    columns = min(3, len(outcomes))
    rows = -(-len(outcomes) // columns)
    figure, axes = new_figure(
        3.4 * columns,
        2.9 * rows + 0.2,
        rows=rows,
        columns=columns,
        subject=subject,
        squeeze=False,
        sharey=True,
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


def plot_fold_maps(folds: Mapping[str, pd.DataFrame], path: Path, *, subject: str) -> None:
    """Where the areas of each fold lie, a panel per scheme.

    Args:
        folds: scheme to `easting_m, northing_m, fold` of the areas; -1 for those in several folds.
        subject: the city.
    """
    import matplotlib as mpl

    colours = [mpl.colors.to_hex(c) for c in mpl.colormaps[_FOLD_COLOURS].colors]
    palette = np.array([*colours, *colours, MISSING_COLOUR])  # -1 is the last
    size = 3.0 * len(folds), 3.4
    figure, axes = new_figure(*size, columns=len(folds), subject=subject, squeeze=False)
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


def plot_equity(table: pd.DataFrame, path: Path, *, subject: str) -> None:
    """Mean error by actual decile, and each group's error beyond that of the same deciles.

    Args:
        table: `tables.EQUITY` of one pair, at least one row.
        subject: the pair.
    """
    by_decile = table[(table["grouping"] == ACTUAL) & (table["measure"] == MEAN_ERROR)]
    groups = table[table["measure"] == SAME_DECILE].dropna(subset=["value"])
    left_out, groups = max(0, len(groups) - _MOST_ROWS), groups.head(_MOST_ROWS)
    height = max(3.2, 1.2 + 0.2 * len(groups))
    figure, (left, right) = new_figure(9.0, height, columns=2, subject=subject)
    _plot_deciles(left, by_decile.dropna(subset=["value"]))
    colours = [_DIFFERS if each else _ALIKE for each in groups["differs"].fillna(False)]
    labels = (groups["grouping"] + ": " + groups["group"]).str.slice(0, 45)
    _plot_rows(right, groups, colours)
    right.set_yticks(range(len(groups)), labels, fontsize=7)
    right.invert_yaxis()
    more = f"; {left_out} more in the table" if left_out else ""
    right.set(
        title=f"Beyond others of the same decile{more}",
        xlabel="predicted minus actual decile; > 0: need is missed",
    )
    save_png(figure, path)


def _plot_deciles(axis: "Axes", rows: pd.DataFrame) -> None:
    deciles = rows["group"].astype(int).tolist()
    _plot_rows(axis, rows, [DECILE_COLOURS[decile - 1] for decile in deciles])
    axis.set_yticks(range(len(rows)), deciles)
    axis.set(
        title="Mean error: every prediction leans to the middle",
        xlabel="predicted minus actual decile",
        ylabel="actual decile (1 = worst-off)",
    )


def _plot_rows(axis: "Axes", rows: pd.DataFrame, colours: list[str]) -> None:
    for height, (row, colour) in enumerate(zip(rows.itertuples(), colours, strict=True)):
        axis.plot([row.lower, row.upper], [height, height], color=_LINE, linewidth=1.2)
        axis.plot(row.value, height, "o", color=colour, markersize=4, markeredgecolor="#333333")
    axis.axvline(0, color="#999999", linewidth=0.8)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
