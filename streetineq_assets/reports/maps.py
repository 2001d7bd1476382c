"""Maps of a pair side by side, by boundary or by centroid: deciles, and what the rule changes.

No tiles and no network: the shapes alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.geography import national_grid
from streetineq_assets.plotting import (
    DECILE_COLOURS,
    MISSING_COLOUR,
    area_polygons,
    decile_legend,
    new_figure,
)

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_IN = 10.5
_MANY = 500  # so many areas in a few square centimetres take no lines between them
_DECILES = (MISSING_COLOUR, *DECILE_COLOURS)
# 0 to 9 deciles (ColorBrewer's Oranges, lengthened): white where the rule changes nothing.
CHANGE_COLOURS = (
    "#e3edf5",
    "#feedde",
    "#fdd0a2",
    "#fdae6b",
    "#fd8d3c",
    "#f16913",
    "#d94801",
    "#a63603",
    "#7f2704",
    "#4a1702",
)
# Column, title, and the colours of its whole numbers from 0; 0 stands for a missing decile.
_PANELS = (
    ("actual_decile", "Actual decile", _DECILES),
    ("decile", "Predicted decile", _DECILES),
    ("rank_change", "Moved by another rule", CHANGE_COLOURS),
)


def plot_maps(
    areas: pd.DataFrame, boundaries: "gpd.GeoDataFrame | None", centroids: pd.DataFrame
) -> "Figure":
    """Three panels of one extent: actual and predicted decile, and how far another rule moves it.

    1 is worst-off, and areas without a decile are grey.

    Args:
        areas: `lsoa11, actual_decile, decile, rank_change` of one pair.
        boundaries: `lsoa11, geometry` on the British National Grid, or None.
        centroids: `lsoa11, lat, lon` in degrees, of the points that stand for areas without a
            boundary.
    """
    layers = _layers(areas["lsoa11"], boundaries, centroids)
    drawn = areas["lsoa11"].isin(set(pd.concat([layer.codes for layer in layers])))
    height = np.clip(_WIDTH_IN / len(_PANELS) * _height_over_width(layers) + 0.8, 2.5, 7.0)
    figure, axes = new_figure(
        _WIDTH_IN, float(height), columns=len(_PANELS), sharex=True, sharey=True
    )
    for axis, (column, title, palette) in zip(axes, _PANELS, strict=True):
        for layer in layers:
            value = areas.set_index("lsoa11")[column].reindex(layer.codes).fillna(0).astype(int)
            layer.plot(axis, np.array(palette)[value].tolist())
        axis.margins(max(layer.margin for layer in layers))
        axis.set_title(f"{title}, n = {areas.loc[drawn, column].notna().sum():,}", fontsize=9)
        axis.set_aspect("equal")
        axis.set_axis_off()
    decile_legend(figure, fontsize=8)
    return figure


@dataclass(frozen=True)
class _Layer:
    """Shapes or points in metres.

    Attributes:
        codes: the area of each shape; an area of several parts has several.
        extent: (n, 2) metres, of points that bound them; none of nothing.
        plot: puts them on axes, in one colour each.
        margin: around them, as a share of the extent.
    """

    codes: pd.Series
    extent: np.ndarray
    plot: Callable[["Axes", list[str]], None]
    margin: float


def _layers(
    codes: pd.Series, boundaries: "gpd.GeoDataFrame | None", centroids: pd.DataFrame
) -> list[_Layer]:
    """The areas' shapes, and points of those that have none."""
    layers, bounded = [], set()
    if boundaries is not None:
        shapes = boundaries[boundaries["lsoa11"].isin(codes)]
        bounded = set(shapes["lsoa11"])
        layers += [_polygons(shapes)] if bounded else []
    points = centroids[centroids["lsoa11"].isin(set(codes) - bounded)]
    return layers if layers and points.empty else [*layers, _points(points)]


def _height_over_width(layers: Sequence[_Layer]) -> float:
    """Of the extent of all; 1 where it is a single point, or nothing."""
    corners = np.concatenate([layer.extent for layer in layers])
    width, height = np.ptp(corners, axis=0) if len(corners) else (0.0, 0.0)
    return float(height / width) if width > 0 else 1.0


def _polygons(boundaries: "gpd.GeoDataFrame") -> _Layer:
    from matplotlib.collections import PolyCollection

    codes, rings = area_polygons(boundaries)
    few = len(rings) < _MANY

    def plot(axis: "Axes", colours: list[str]) -> None:
        width = 0.4 if few else 0.0
        axis.add_collection(
            PolyCollection(
                rings, facecolors=colours, antialiased=few, edgecolors="white", linewidths=width
            )
        )
        axis.autoscale_view()

    return _Layer(codes, boundaries.total_bounds.reshape(2, 2), plot, margin=0.03)


def _points(centroids: pd.DataFrame) -> _Layer:
    metres = national_grid(centroids["lat"], centroids["lon"])
    size = float(np.clip(20000 / max(len(centroids), 1), 3, 120))

    def plot(axis: "Axes", colours: list[str]) -> None:
        axis.scatter(*metres.T, c=colours, s=size, edgecolors="#888888", linewidths=0.3)

    return _Layer(centroids["lsoa11"], metres, plot, margin=0.1)
