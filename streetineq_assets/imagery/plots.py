"""The plot of this step: where images are planned, and where there are none."""

from typing import TYPE_CHECKING

import pandas as pd

from streetineq_assets.geography import national_grid
from streetineq_assets.imagery.planning import PLANNED
from streetineq_assets.plotting import DECILE_COLOURS, MISSING_COLOUR, area_polygons, new_figure

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

_MOST_MARKED = 3000  # locations, above which their marks are made smaller


def plot_plan(
    rows: pd.DataFrame, boundaries: "gpd.GeoDataFrame | None", title: str, provider: str
) -> "Figure":
    """A map of the wanted locations: planned, or a gap.

    Args:
        rows: a frame of the schema `tables.IMAGERY_PLAN`, with at least one row.
        boundaries: `area, geometry`; None where the study has none.
        title: the city's.
        provider: its title.
    """
    from matplotlib.collections import PolyCollection

    points = rows.drop_duplicates("location_id")
    grid = national_grid(points["lat"], points["lon"]) / 1000
    planned = (points["status"] == PLANNED).to_numpy()
    figure, axis = new_figure(6.0, 5.0)
    if boundaries is not None:
        here = boundaries[boundaries["area"].isin(points["area"])]
        rings = [ring / 1000 for ring in area_polygons(here)[1]]
        axis.add_collection(
            PolyCollection(rings, facecolors="none", edgecolors=MISSING_COLOUR, linewidths=0.3)
        )
    size = 6.0 if len(points) < _MOST_MARKED else 1.0
    for marked, colour, what in (
        (~planned, "#d95f02", "gap"),
        (planned, DECILE_COLOURS[3], "planned"),
    ):
        n = int(marked.sum())
        axis.scatter(*grid[marked].T, s=size, color=colour, label=f"{what}: {n:,}", linewidths=0)
    axis.set_aspect("equal", adjustable="datalim")
    axis.ticklabel_format(useOffset=False)
    axis.set_xlabel("kilometres east")
    axis.set_ylabel("kilometres north")
    figure.legend(loc="outside lower center", ncols=2, markerscale=3 if size < 6 else 1)
    axis.set_title(f"{title}: locations at which {provider} is asked for images")
    return figure
