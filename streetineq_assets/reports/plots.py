"""The charts of the report."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_losses(history: pd.DataFrame) -> "Figure":
    """Training and validation loss by epoch: a thin line per fold that ends in a point.

    Their mean goes as far as all folds do: of those that are left it would jump where one stops.

    Args:
        history: `fold, epoch, loss, val_loss`; losses in nats.
    """
    figure, axes = new_figure(7.0, 2.6, columns=2, sharey=True)
    for axis, (column, title) in zip(
        axes, (("loss", "Training loss"), ("val_loss", "Validation loss")), strict=True
    ):
        for _, fold in history.groupby("fold"):
            axis.plot(fold["epoch"], fold[column], color="#999999", linewidth=0.8)
            axis.plot(*fold[["epoch", column]].iloc[-1], "o", color="#999999", markersize=2.5)
        by_epoch = history.groupby("epoch")[column]
        mean = by_epoch.mean()[by_epoch.size() == history["fold"].nunique()]
        axis.plot(mean.index, mean, color="#d55e00", linewidth=1.6)
        axis.set(title=f"{title}, {history['fold'].nunique()} folds", xlabel="epoch")
    finite = history[["loss", "val_loss"]].to_numpy(float)
    top = np.nanquantile(finite, 0.98) if np.isfinite(finite).any() else 1.0
    axes[0].set_ylim(top=float(top) * 1.05)
    return figure
