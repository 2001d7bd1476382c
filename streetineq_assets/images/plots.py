"""The plots of this step."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.images.directions import agreement, differences
from streetineq_assets.images.tables import PERSPECTIVE, USED
from streetineq_assets.plotting import DECILE_COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BINS = 60
_TICKS_DEG = {45: 15, 90: 45, 180: 90}  # by how far the axis reaches on either side
_NEARLY_ALL = 0.98


def plot_locations_per_lsoa(locations: pd.DataFrame, title: str) -> "Figure":
    """Histogram of the number of matched locations in an LSOA, over the LSOAs that have any.

    Args:
        locations: a frame of the schema `LOCATIONS`, with at least one matched location.
        title: the city's.
    """
    matched = locations.loc[locations["status"] == "matched", "area"]
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


def plot_directions(captures: pd.DataFrame, title: str) -> "Figure | None":
    """How far the directions of captures may be wrong, and how far photographs look past headings.

    Left, by how much the first direction lies to the right of the second, of the captures that have
    both: where all is well, around zero. Right, of the photographs that show a view, how far each
    looks to the right of its heading.

    Args:
        captures: of the schema `CAPTURE_USE`.
        title: the city's.

    Returns:
        None where there is nothing to show.
    """
    difference = differences(captures)
    is_shown = (captures["status"] == USED) & (captures["projection"] == PERSPECTIVE)
    offset = captures.loc[is_shown, "offset_deg"].to_numpy()
    if not len(difference) and not len(offset):
        return None
    figure, (left, right) = new_figure(7.0, 2.8, columns=2, subject=f"{title}: captures")
    _histogram_of_angles(left, difference, "first direction less the second, degrees")
    if len(difference):
        found = agreement(difference)
        left.axvline(found.median_deg, color=DECILE_COLOURS[0], linewidth=1.2)
        left.set_title(f"median {found.median_deg:+.1f}, half within {found.spread_deg:.1f}")
    _histogram_of_angles(right, offset, "photograph less its heading, degrees")
    right.set_title(f"{len(offset):,} photographs used")
    return figure


def _histogram_of_angles(axis: "Axes", degrees: np.ndarray, label: str) -> None:
    """Around zero, as far as nearly all of them reach."""
    axis.set_xlabel(label)
    axis.set_ylabel("captures")
    if not len(degrees):
        axis.text(0.5, 0.5, "none", ha="center", va="center", transform=axis.transAxes)
        axis.set_xticks([])
        axis.set_yticks([])
        return
    reach = next(r for r in _TICKS_DEG if r == 180 or _share_within(degrees, r) >= _NEARLY_ALL)
    axis.hist(degrees, bins=np.linspace(-reach, reach, 37), color=DECILE_COLOURS[7])
    axis.axvline(0, color="0.6", linewidth=0.8, linestyle="dotted")
    axis.set_xticks(np.arange(-reach, reach + 1, _TICKS_DEG[reach]))


def _share_within(degrees: np.ndarray, reach: float) -> float:
    return float(np.mean(np.abs(degrees) <= reach))
