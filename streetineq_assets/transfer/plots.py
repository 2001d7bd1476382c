"""The plot of this step: rank correlation against the share that tuned."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.plotting import new_figure, save_png
from streetineq_assets.predictions.evaluation import MAP_KNN
from streetineq_assets.transfer.curve import SHOWN_METRIC
from streetineq_assets.transfer.tables import EITHER, FROM_SCRATCH, OTHERS, OWN, TUNED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = {0.0: "0", 0.01: "1 %", 0.1: "10 %", 1.0: "all"}
_COLOURS = ("#01665e", "#8c510a", "#7570b3", "#666666")
_MARKERS = {"areas": "o", "locations": "^", EITHER: "s"}
_LINE_STYLES = {OWN: "--", OTHERS: "-.", MAP_KNN: ":"}


def plot_curves(summary: pd.DataFrame, path: Path) -> None:
    """Spearman's correlation against the share, a panel per outcome, a colour per target city.

    Args:
        summary: `tables.CURVE_SUMMARY`, at least one row.
    """
    shown = summary[summary["metric"] == SHOWN_METRIC]
    outcomes = sorted(shown["outcome"].unique())
    columns = min(3, len(outcomes))
    rows = -(-len(outcomes) // columns)
    figure, axes = new_figure(
        3.2 * columns, 2.8 * rows, rows=rows, columns=columns, squeeze=False, sharey=True
    )
    for axis in axes.flat[len(outcomes) :]:
        axis.set_visible(False)
    cities = sorted(shown["city"].unique())
    for axis, outcome in zip(axes.flat, outcomes, strict=False):
        for city, colour in zip(cities, _COLOURS * len(cities), strict=False):
            here = shown[(shown["outcome"] == outcome) & (shown["city"] == city)]
            _plot_city(axis, here, city, colour)
        axis.set_xscale("symlog", linthresh=0.01)
        axis.set_xlim(-0.001, 1.2)
        axis.set_xticks(list(_TICKS), list(_TICKS.values()))
        axis.set(title=OUTCOMES[outcome].title, xlabel="share that tuned")
    axes[0, 0].set_ylabel("Spearman of areas' scores")
    axes[0, 0].legend(fontsize=5, framealpha=0.6)
    save_png(figure, path)


def _plot_city(axis: "Axes", here: pd.DataFrame, city: str, colour: str) -> None:
    for network in (TUNED, FROM_SCRATCH):
        mine = here[here["network"] == network]
        ends = mine["share_of"] == EITHER
        for share_of in sorted(set(mine.loc[~ends, "share_of"])) or [EITHER]:
            curve = mine[ends | (mine["share_of"] == share_of)].sort_values("share")
            if len(curve):
                label = f"{city}, {_label(network, share_of)}"
                _plot_curve(axis, curve, label, colour, _MARKERS[share_of])
    for row in here[here["network"].isin(list(_LINE_STYLES))].itertuples():
        label, style = f"{city}, {row.network.replace('_', ' ')}", _LINE_STYLES[row.network]
        axis.axhline(row.mean, color=colour, linestyle=style, lw=1, label=label)


def _plot_curve(axis: "Axes", curve: pd.DataFrame, label: str, colour: str, marker: str) -> None:
    """Means with the range over the repeats; networks from scratch are drawn faintly."""
    alpha = 0.4 if FROM_SCRATCH in set(curve["network"]) else 1.0
    axis.plot(
        curve["share"], curve["mean"], marker=marker, color=colour, alpha=alpha, markersize=3,
        label=label,
    )  # fmt: skip
    axis.fill_between(
        curve["share"], curve["lowest"], curve["highest"], color=colour, alpha=alpha / 5,
        linewidth=0,
    )  # fmt: skip


def _label(network: str, share_of: str) -> str:
    of = "" if share_of == EITHER else f" on {share_of}"
    return f"{network.replace('_', ' ')}{of}"
