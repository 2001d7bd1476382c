"""Maps of a pair: actual and predicted decile side by side.

What belongs here: placing areas on paper, by outline or by point. What does not: which areas there
are, and the file of outlines (`labels.boundaries`). No tiles, no network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.geography import national_grid
from streetineq_assets.plotting import DECILE_COLOURS, MISSING_COLOUR, new_figure

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_IN = 9.0
_MANY = 500  # so many areas in a few square centimetres take no lines between them
_PANELS = (("actual_decile", "Actual decile"), ("decile", "Predicted decile"))


def draw_maps(
    areas: pd.DataFrame, outlines: "gpd.GeoDataFrame | None", positions: pd.DataFrame
) -> "Figure":
    """Two panels of one extent, 1 = worst-off in both.

    Args:
        areas: `lsoa11, actual_decile, decile` of one pair.
        outlines: `lsoa11, geometry` on the British National Grid, or None.
        positions: `lsoa11, lat, lon`, for areas without an outline.
    """
    known = outlines is not None and bool(areas["lsoa11"].isin(outlines["lsoa11"]).any())
    if known:
        layer = _outlines(outlines[outlines["lsoa11"].isin(areas["lsoa11"])])
    else:
        layer = _points(positions[positions["lsoa11"].isin(areas["lsoa11"])])
    height = np.clip(_WIDTH_IN / 2 * layer.height_over_width + 0.8, 2.5, 7.0)
    figure, axes = new_figure(_WIDTH_IN, float(height), columns=2, sharex=True, sharey=True)
    for axis, (column, title) in zip(axes, _PANELS, strict=True):
        palette = np.array([MISSING_COLOUR, *DECILE_COLOURS])
        decile = areas.set_index("lsoa11")[column].reindex(layer.codes).fillna(0).astype(int)
        layer.draw(axis, palette[decile].tolist())
        axis.margins(0.03 if known else 0.1)
        axis.set_title(f"{title}, n = {areas[column].notna().sum():,}")
        axis.set_aspect("equal")
        axis.set_axis_off()
    _legend(figure)
    return figure


@dataclass(frozen=True)
class _Layer:
    """Shapes or points in metres.

    Attributes:
        codes: the area of each shape; an area of several parts has several.
        extent: (2, 2) lower left and upper right corner.
        draw: puts them on axes, one colour for each.
    """

    codes: pd.Series
    extent: np.ndarray
    draw: Callable[["Axes", list[str]], None]

    @property
    def height_over_width(self) -> float:
        """Of the extent; 1 where it is a single place."""
        width, height = self.extent[1] - self.extent[0]
        return float(height / width) if width > 0 else 1.0


def _outlines(outlines: "gpd.GeoDataFrame") -> _Layer:
    from matplotlib.collections import PolyCollection

    parts = outlines.explode(index_parts=False)
    shapes = [np.asarray(shape.exterior.coords) for shape in parts.geometry]
    few = len(shapes) < _MANY

    def draw(axis: "Axes", colours: list[str]) -> None:
        line = {"edgecolors": "white", "linewidths": 0.4} if few else {"linewidths": 0.0}
        axis.add_collection(PolyCollection(shapes, facecolors=colours, antialiased=few, **line))
        axis.autoscale_view()

    return _Layer(parts["lsoa11"], parts.total_bounds.reshape(2, 2), draw)


def _points(positions: pd.DataFrame) -> _Layer:
    metres = national_grid(positions["lat"], positions["lon"])
    size = float(np.clip(20000 / max(len(positions), 1), 3, 120))

    def draw(axis: "Axes", colours: list[str]) -> None:
        axis.scatter(*metres.T, c=colours, s=size, edgecolors="#888888", linewidths=0.3)

    return _Layer(positions["lsoa11"], np.array([metres.min(axis=0), metres.max(axis=0)]), draw)


def _legend(figure: "Figure") -> None:
    from matplotlib.patches import Patch

    ends = {1: "1 worst-off", 10: "10 best-off"}
    patches = [
        Patch(color=colour, label=ends.get(decile, str(decile)))
        for decile, colour in enumerate(DECILE_COLOURS, start=1)
    ]
    figure.legend(handles=patches, ncols=10, loc="outside lower center", fontsize=8)
