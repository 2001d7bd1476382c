"""The plot of this step: rank correlation against the share that tuned."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.plotting import new_figure, save_png
from streetineq_assets.predictions.evaluation import MAP_KNN
from streetineq_assets.transfer.curve import OTHERS, OWN, SHOWN_METRIC, TUNED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = {0.0: "0", 0.01: "1 %", 0.1: "10 %", 1.0: "all"}
_COLOURS = ("#01665e", "#8c510a", "#7570b3", "#666666")
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
    axes[0, 0].legend(fontsize=6)
    save_png(figure, path)


def _plot_city(axis: "Axes", here: pd.DataFrame, city: str, colour: str) -> None:
    tuned = here[here["network"] == TUNED].sort_values("share")
    axis.plot(tuned["share"], tuned["mean"], "o-", color=colour, markersize=3, label=city)
    axis.fill_between(
        tuned["share"], tuned["lowest"], tuned["highest"], color=colour, alpha=0.2, linewidth=0
    )
    for row in here[here["network"].isin(list(_LINE_STYLES))].itertuples():
        label, style = f"{city}, {row.network.replace('_', ' ')}", _LINE_STYLES[row.network]
        axis.axhline(row.mean, color=colour, linestyle=style, lw=1, label=label)
