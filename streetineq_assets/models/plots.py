"""The plots of this step: learning curves, and what the folds are made of."""

from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.plotting import DECILE_COLOURS, new_figure, save_png

_TRAIN, _VALIDATION = "#8c510a", "#01665e"


def plot_learning_curves(
    history: pd.DataFrame, best: dict[int, int], path: Path, *, subject: str
) -> None:
    """Training and validation loss, and validation error, by epoch and fold.

    Args:
        history: `fold, epoch, loss, val_loss, val_mae`.
        best: fold to the epoch whose weights were kept; marked.
        subject: the pair.
    """
    figure, (left, right) = new_figure(8, 3.4, columns=2, subject=subject)
    for fold, curve in history.groupby("fold"):
        left.plot(curve["epoch"], curve["loss"], color=_TRAIN, alpha=0.6, linewidth=1)
        left.plot(curve["epoch"], curve["val_loss"], color=_VALIDATION, alpha=0.8, linewidth=1)
        right.plot(curve["epoch"], curve["val_mae"], color=_VALIDATION, alpha=0.8, linewidth=1)
        kept = curve[curve["epoch"] == best[int(fold)]]
        left.plot(kept["epoch"], kept["val_loss"], "o", color=_VALIDATION, markersize=4)
        right.plot(kept["epoch"], kept["val_mae"], "o", color=_VALIDATION, markersize=4)
    left.plot([], [], color=_TRAIN, label="training, weighted by class")
    left.plot([], [], color=_VALIDATION, label="validation; the dot was kept")
    left.legend(fontsize=8)
    left.set(title="Loss, one line per fold", xlabel="epoch", ylabel="negative log-likelihood")
    right.set(title="Validation error", xlabel="epoch", ylabel="MAE of locations, deciles")
    save_png(figure, path)


def plot_folds(folds: pd.DataFrame, areas: pd.DataFrame, path: Path, *, subject: str) -> None:
    """How many areas of each decile a fold tests.

    Args:
        folds: `area, fold`.
        areas: `area, decile`, the mean decile over the outcomes.
        subject: the city.
    """
    merged = folds.merge(areas, on="area")
    rounded = merged["decile"].round().clip(1, 10).fillna(0).astype(int)
    counts = pd.crosstab(merged["fold"], rounded).reindex(columns=range(1, 11), fill_value=0)
    figure, axes = new_figure(6, 3.2, subject=subject)
    bottom = np.zeros(len(counts))
    for decile, colour in enumerate(DECILE_COLOURS, start=1):
        axes.bar(counts.index.astype(str), counts[decile], bottom=bottom, color=colour)
        bottom += counts[decile].to_numpy()
    axes.set(
        title="Areas by mean decile: brown is worst-off, green best-off",
        xlabel="fold",
        ylabel="areas",
    )
    save_png(figure, path)
