"""The plots of this step.

What belongs here: how codes are drawn. What does not: the house style (the base `figures`).
"""

from typing import TYPE_CHECKING

from streetineq_assets.codes.feature_statistics import FeatureStatistics
from streetineq_assets.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def code_statistics(
    statistics: FeatureStatistics, title: str, published: tuple[float, float] | None
) -> "Figure":
    """Histograms of the features' means and standard deviations.

    Args:
        published: mean and standard deviation to compare with, or None when these are of other
            weights.
    """
    figure, axes = new_figure(7.0, 2.8, columns=2)
    panels = [("mean", statistics.mean), ("standard deviation", statistics.sd)]
    for number, (axis, (name, values)) in enumerate(zip(axes, panels, strict=True)):
        axis.hist(values, bins=60, color="#35978f")
        axis.set_xlabel(f"{name} of a feature, code units")
        axis.set_ylabel("features")
        if published:
            label = f"published, London: {published[number]}"
            axis.axvline(published[number], color="#543005", linewidth=1.2, label=label)
            axis.legend()
    images = statistics.count
    axes[0].set_title(f"{title}: {len(statistics.mean)} features of {images:,} images")
    return figure
