"""The charts of the report: all pairs at a glance, and the course of a training."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.models.block_sizes import SPATIAL_BLOCK
from streetineq_assets.plotting import new_figure
from streetineq_assets.predictions.evaluation import MAP_KNN, NETWORK
from streetineq_assets.reports.comparison import SUMMARY_METRICS, Column, row
from streetineq_assets.reports.results import PairResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart, and a shape for each.
_MARKS = {
    "network": ("#d55e00", "o"),
    "nearest areas (map)": ("#0072b2", "s"),
    "ridge on codes": ("#009e73", "^"),
    "nearest areas (map), spatial blocks": ("#56b4e9", "D"),
}


def plot_overview(pairs: Sequence[PairResults]) -> "Figure":
    """Network and main baselines of every pair on its own folds, with 95 % intervals."""
    figure, axes = new_figure(9.0, 1.4 + 0.42 * len(pairs), columns=3, sharey=True)
    for axis, (metric, title) in zip(axes, SUMMARY_METRICS.items(), strict=True):
        for rank, each in enumerate(reversed(pairs)):
            keys = [Column(model, each.scheme) for model in (NETWORK, MAP_KNN, "ridge")]
            cells = row(each, metric, [*keys, Column(MAP_KNN, SPATIAL_BLOCK)])
            for offset, (name, cell) in enumerate(zip(_MARKS, cells, strict=True)):
                colour, shape = _MARKS[name]
                height = rank + 0.24 - 0.16 * offset
                label = name if rank == 0 else None
                axis.plot(cell.value, height, shape, color=colour, markersize=4, label=label)
                axis.plot([cell.lower, cell.upper], [height] * 2, color=colour, linewidth=1)
        axis.set_title(textwrap.fill(title, 30), fontsize=9)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    names = [f"{each.city_title}: {each.outcome_title}" for each in reversed(pairs)]
    axes[0].set_yticks(range(len(pairs)), names)
    axes[0].set_ylim(-0.6, len(pairs) - 0.4)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside lower center", fontsize=8)
    return figure


def plot_losses(history: pd.DataFrame) -> "Figure":
    """Training and validation loss by epoch: a thin line per fold, and their mean.

    Args:
        history: `fold, epoch, loss, val_loss`; losses in nats.
    """
    figure, axes = new_figure(7.0, 2.6, columns=2, sharey=True)
    for axis, (column, title) in zip(
        axes, (("loss", "Training loss"), ("val_loss", "Validation loss")), strict=True
    ):
        for _, fold in history.groupby("fold"):
            axis.plot(fold["epoch"], fold[column], color="#999999", linewidth=0.8)
        mean = history.groupby("epoch")[column].mean()
        axis.plot(mean.index, mean, color="#d55e00", linewidth=1.6)
        axis.set(title=f"{title}, {history['fold'].nunique()} folds", xlabel="epoch")
    finite = history[["loss", "val_loss"]].to_numpy(float)
    top = np.nanquantile(finite, 0.98) if np.isfinite(finite).any() else 1.0
    axes[0].set_ylim(top=float(top) * 1.05)
    return figure
