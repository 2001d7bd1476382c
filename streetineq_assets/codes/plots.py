"""The plots of this step."""

from typing import TYPE_CHECKING

from streetineq_assets.codes.feature_statistics import FeatureStatistics
from streetineq_assets.plotting import DECILE_COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
