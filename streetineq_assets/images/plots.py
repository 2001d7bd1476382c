"""The plots of this step."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.plotting import DECILE_COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BINS = 60


def plot_locations_per_lsoa(locations: pd.DataFrame, title: str) -> "Figure":
    """Histogram of the number of matched locations in an LSOA, over the LSOAs that have any.

    Args:
        locations: a frame of the schema `LOCATIONS`, with at least one matched location.
        title: the city's.
    """
    matched = locations.loc[locations["status"] == "matched", "lsoa11"]
    counts = matched.value_counts().to_numpy()
    width = -(-int(counts.max()) // _MOST_BINS)  # whole locations a bin
    figure, axis = new_figure(6.0, 2.8)
    edges = np.arange(1, counts.max() + width + 1, width) - 0.5
    axis.hist(counts, bins=edges, color=DECILE_COLOURS[7])
    axis.axvline(np.median(counts), color=DECILE_COLOURS[0], linewidth=1.2, label="median")
    axis.legend()
    axis.set_xlabel("matched locations in an LSOA")
    axis.set_ylabel("LSOAs")
    axis.set_title(f"{title}: {len(matched):,} matched locations in {len(counts):,} LSOAs")
    return figure
