"""The plots of this step."""

from typing import TYPE_CHECKING

import numpy as np

from streetineq_assets.codes.feature_statistics import FeatureStatistics
from streetineq_assets.codes.quality import FIGURES, REFERENCE
from streetineq_assets.plotting import DECILE_COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANGES = ((0, 1), (0, 255), (0, 1))  # of `FIGURES`, the same for every city


def plot_code_statistics(
    statistics: FeatureStatistics, title: str, published: tuple[float, float] | None
) -> "Figure":
    """Histograms of the features' means and standard deviations.

    Args:
        title: the city's.
        published: mean and standard deviation to compare with, or None when these are of other
            weights.
    """
    moments = statistics.moments
    figure, axes = new_figure(7.0, 2.8, columns=2)
    panels = [("mean", moments.mean), ("standard deviation", moments.sd)]
    for number, (axis, (name, values)) in enumerate(zip(axes, panels, strict=True)):
        axis.hist(values, bins=60, color=DECILE_COLOURS[7])
        axis.set_xlabel(f"{name} of a feature, code units")
        axis.set_ylabel("features")
        if published:
            label = f"published, London: {published[number]}"
            axis.axvline(published[number], color=DECILE_COLOURS[0], linewidth=1.2, label=label)
            axis.legend()
    axes[0].set_title(f"{title}: {len(moments.mean)} features of {moments.count:,} images")
    return figure


def plot_image_quality(quality: np.ndarray, title: str) -> "Figure":
    """Histograms of the three figures of every view, with their reference limits.

    Args:
        quality: float32 (n, V, 3), NaN where unknown.
        title: the city's.
    """
    subject = f"{title}: how sharp and light its views are, and their sky"
    figure, axes = new_figure(7.0, 2.6, columns=len(FIGURES), subject=subject)
    units = ("share of an edge", "grey levels of 255", "share of the upper third")
    for number, (axis, name, unit) in enumerate(zip(axes, FIGURES, units, strict=True)):
        values, limit = quality[..., number].ravel(), REFERENCE[number]
        known = values[~np.isnan(values)]
        axis.hist(known, bins=50, range=_RANGES[number], color=DECILE_COLOURS[7])
        axis.axvline(limit, color=DECILE_COLOURS[0], linewidth=1.2)
        axis.set_xlabel(f"{name}, {unit}")
        axis.set_title(f"{np.mean(known < limit):.1%} below {limit:g}" if len(known) else "unknown")
    axes[0].set_ylabel("views")
    return figure
