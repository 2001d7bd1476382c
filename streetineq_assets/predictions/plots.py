"""The plots of this step: scores, reliability, moves, confusion, metrics, coverage."""

from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.plotting import DECILE_COLOURS, new_figure, save_png
from streetineq_assets.predictions.evaluation import NETWORK

PLOTTED_METRICS = {
    "spearman_score": "Spearman, score",
    "kappa_quadratic": "quadratic kappa",
    "within_1": "share within 1",
    "mae": "mean error, deciles",
}
_LABELS = range(1, N_DECILES + 1)


def plot_scores(frame: pd.DataFrame, column: str, path: Path, *, subject: str, unit: str) -> None:
    """Boxes of a score within each actual decile.

    Args:
        frame: `actual_decile` and the score's column.
        subject: the pair; so in all plots here.
        unit: what one row is, in the plural.
    """
    figure, axes = new_figure(6.0, 3.4, subject=subject)
    known = frame.dropna(subset=["actual_decile"])
    groups = [known.loc[known["actual_decile"] == d, column].to_numpy(float) for d in _LABELS]
    boxes = axes.boxplot(groups, positions=list(_LABELS), patch_artist=True, sym=".", widths=0.7)
    for patch, colour in zip(boxes["boxes"], DECILE_COLOURS, strict=True):
        patch.set(facecolor=colour, edgecolor="#333333", linewidth=0.6)
    for line in boxes["medians"]:
        line.set(color="#d95f02", linewidth=1.6)
    for points in boxes["fliers"]:
        points.set(markersize=2, markeredgecolor="#777777")
    axes.set(
        xlabel="actual decile (1 = worst-off)",
        ylabel="out-of-fold score (logit)",
        title=f"Score by actual decile, n = {len(known):,} {unit}",
    )
    save_png(figure, path)


def plot_reliability(reliability: pd.DataFrame, path: Path, *, subject: str) -> None:
    """Mean actual decile of the areas of each expected decile, and how far they are off.

    Args:
        reliability: `calibration.reliability` of several `probabilities`, told apart by that.
    """
    figure, (left, right) = new_figure(7.6, 3.4, columns=2, subject=subject)
    colours = ("#999999", "#d95f02")
    names = reliability["probabilities"].unique()
    for name, colour in zip(names, colours, strict=True):
        rows = reliability[reliability["probabilities"] == name]
        size = 8 + 60 * rows["n_lsoas"] / rows["n_lsoas"].max()
        left.scatter(rows["mean_expected"], rows["mean_actual"], s=size, color=colour, label=name)
        right.scatter(rows["predicted_sd"], rows["actual_sd"], s=size, color=colour, label=name)
    for axis, limits in ((left, (1, N_DECILES)), (right, (0, 5))):
        axis.plot(limits, limits, color="#333333", linewidth=0.8)
    left.set(xlabel="expected decile", ylabel="mean actual decile", title="Expected and actual")
    right.set(
        xlabel="predicted standard deviation (deciles)",
        ylabel="root mean square error",
        title="How sure, and how far off",
    )
    left.legend(loc="upper left")
    save_png(figure, path)


def plot_rank_changes(changes: pd.DataFrame, path: Path, *, subject: str) -> None:
    """How many areas have deciles that differ by so many between two rules.

    Args:
        changes: `aggregation.rank_changes`.
    """
    counts = changes["rank_change"].value_counts().reindex(range(N_DECILES), fill_value=0)
    figure, axes = new_figure(5.0, 3.0, subject=subject)
    axes.bar(counts.index, counts, color="#35978f", edgecolor="#333333", linewidth=0.5)
    axes.set(
        xticks=list(counts.index),
        xlabel="largest difference between an area's deciles by two rules",
        ylabel="areas",
        title=f"How far deciles depend on the rule, n = {len(changes):,} areas",
    )
    save_png(figure, path)


def plot_confusion(confusion: pd.DataFrame, path: Path, *, subject: str) -> None:
    """The 10 x 10 table of counts, shaded by share of the actual decile."""
    ordered = confusion.sort_values(["actual", "predicted"])
    counts = ordered["n"].to_numpy(float).reshape(N_DECILES, N_DECILES)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    figure, axes = new_figure(5.0, 4.8, subject=subject)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=max(0.5, share.max()), origin="lower")
    for (row, column), n in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.3 else "#222222"
        if n:
            axes.text(column, row, f"{n:.0f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set(
        xticks=range(N_DECILES),
        yticks=range(N_DECILES),
        xticklabels=_LABELS,
        yticklabels=_LABELS,
        xlabel="predicted decile",
        ylabel="actual decile (1 = worst-off)",
        title=f"Areas by decile, n = {counts.sum():,.0f}",
    )
    figure.colorbar(image, ax=axes, label="share of the actual decile", shrink=0.8)
    save_png(figure, path)


def plot_metrics(metrics: pd.DataFrame, path: Path, *, subject: str) -> None:
    """The network beside every baseline, with 95 % intervals.

    Args:
        metrics: `tables.METRICS`.
    """
    models = metrics[["model", "scheme"]].drop_duplicates().itertuples(index=False)
    keys = list(models)[::-1]
    size = 9.0, 1.4 + 0.3 * len(keys)
    n_metrics = len(PLOTTED_METRICS)
    figure, axes = new_figure(*size, columns=n_metrics, subject=subject, sharey=True)
    for axis, (metric, title) in zip(axes, PLOTTED_METRICS.items(), strict=True):
        rows = metrics[metrics["metric"] == metric].set_index(["model", "scheme"])
        for height, key in enumerate(keys):
            row = rows.loc[key]
            colour = "#d95f02" if key[0] == NETWORK else "#555555"
            if np.isfinite(row["value"]):
                axis.plot(row["value"], height, "o", color=colour, markersize=4)
                axis.plot([row["lower"], row["upper"]], [height, height], color=colour, linewidth=1)
        axis.set_title(title)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    labels = [f"{model} ({scheme})" for model, scheme in keys]
    axes[0].set_yticks(range(len(keys)), labels)
    save_png(figure, path)


def plot_coverage(coverage: pd.DataFrame, path: Path, *, subject: str, level: float) -> None:
    """How often the decile intervals hold, by actual decile, and how wide they are.

    Args:
        coverage: `tables.COVERAGE`.
        level: that the intervals promise.
    """
    coverage = coverage[coverage["grouped_by"] == "actual_decile"]
    figure, (left, right) = new_figure(7.0, 3.0, columns=2, subject=subject)
    colours = [DECILE_COLOURS[decile - 1] for decile in coverage["actual"]]
    style = {"color": colours, "edgecolor": "#333333", "linewidth": 0.5}
    left.bar(coverage["actual"], coverage["coverage"], **style)
    left.axhline(level, color="#d95f02", linewidth=1.2)
    left.set(ylim=(0, 1.02), title=f"Share that hold (promised: {level:.0%})")
    right.bar(coverage["actual"], coverage["mean_width"], **style)
    right.set(ylim=(0, N_DECILES), title="Mean width, deciles")
    for axis in (left, right):
        axis.set(xlabel="actual decile (1 = worst-off)", xticks=list(_LABELS))
    save_png(figure, path)
