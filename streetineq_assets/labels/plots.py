"""Plots of the labels of one city: maps of deciles, distributions with edges, correlations."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.plotting import (
    DECILE_COLOURS,
    MISSING_COLOUR,
    area_polygons,
    decile_legend,
    new_figure,
    save_png,
)

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 5


def save_plots(
    labels: pd.DataFrame,
    edges: pd.DataFrame,
    boundaries: "gpd.GeoDataFrame | None",
    titles: dict[str, str],
    folder: Path,
) -> None:
    """Write the plots of every city that has labels, as `<plot>_<city>.png`.

    Args:
        labels, edges: the tables `lsoa_labels` and `decile_edges`.
        boundaries: `area, geometry`; without them, or where they lack a city, there is no map.
        titles: key of a city to its title.
    """
    for city, rows in labels.groupby("city"):
        title = titles[str(city)]
        distributions = plot_value_distributions(rows, edges[edges["city"] == city], title)
        save_png(distributions, folder / f"distributions_{city}.png")
        save_png(plot_correlations(rows, title), folder / f"correlations_{city}.png")
        if boundaries is not None and boundaries["area"].isin(rows["area"]).any():
            save_png(plot_decile_maps(rows, boundaries, title), folder / f"deciles_{city}.png")


def plot_decile_maps(labels: pd.DataFrame, boundaries: "gpd.GeoDataFrame", title: str) -> "Figure":
    """One small map per outcome, areas coloured by decile.

    Args:
        labels: the rows of one city in the labels table.
        boundaries: `area, geometry`, as `geography.read_boundaries` returns them.
    """
    from matplotlib.collections import PolyCollection

    codes, rings = area_polygons(boundaries[boundaries["area"].isin(labels["area"])])
    palette = np.array([MISSING_COLOUR, *DECILE_COLOURS])
    figure, panels = _panels(labels, title)
    for outcome, axes in panels.items():
        decile = labels[labels["outcome"] == outcome].set_index("area")["decile"]
        colours = palette[codes.map(decile).astype("Int8").fillna(0).to_numpy(int)]
        # No lines and no smoothing: thousands of areas in a few square centimetres.
        axes.add_collection(PolyCollection(rings, facecolors=colours, antialiased=False))
        axes.autoscale_view()
        axes.set_aspect("equal")
        axes.set_axis_off()
    decile_legend(figure, fontsize=7)
    return figure


def plot_value_distributions(labels: pd.DataFrame, edges: pd.DataFrame, title: str) -> "Figure":
    """One histogram per outcome with the nine edges between its deciles.

    Args:
        labels, edges: the rows of one city in the two tables of the artefact.
    """
    figure, panels = _panels(labels, title)
    for outcome, axes in panels.items():
        values = labels.loc[labels["outcome"] == outcome, "value"].dropna()
        axes.stairs(*np.histogram(values, bins=40), fill=True, color=MISSING_COLOUR)
        inner = np.sort(edges.loc[edges["outcome"] == outcome, "upper"])[:-1]
        axes.vlines(inner, 0, 1, transform=axes.get_xaxis_transform(), color="black", lw=0.6)
        axes.set_xlabel(OUTCOMES[outcome].unit.split(",")[0].split(" among")[0], fontsize=7)
        axes.set_yticks([])
        axes.locator_params(axis="x", nbins=3)
        axes.tick_params(labelsize=6)
    return figure


def plot_correlations(labels: pd.DataFrame, title: str) -> "Figure":
    """Rank correlations between the outcomes of one city, all turned so that high is better.

    Args:
        labels: the rows of one city in the labels table.
    """
    matrix = rank_correlations(labels)
    names = [OUTCOMES[key].title for key in matrix.index]
    figure, axes = new_figure(8.0, 6.4)
    image = axes.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1)
    for (row, column), r in np.ndenumerate(matrix.to_numpy()):
        shade = "white" if abs(float(r)) > 0.7 else "black"
        axes.text(column, row, f"{r:.2f}", ha="center", va="center", fontsize=6, color=shade)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_title(f"{title}: rank correlations between outcomes, high = better-off in all")
    figure.colorbar(image, ax=axes, shrink=0.8, label="Spearman's correlation")
    return figure


def rank_correlations(labels: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlations between outcomes over areas, in the paper's order of outcomes."""
    wide = labels.pivot_table(index="area", columns="outcome", values="value")
    wide = wide[[key for key in OUTCOMES if key in wide]]
    better = [1 if OUTCOMES[key].worst == "low" else -1 for key in wide]
    return wide.mul(better).corr(method="spearman")


def _panels(labels: pd.DataFrame, title: str) -> tuple["Figure", dict[str, "Axes"]]:
    """A grid with one titled panel per outcome that the city has."""
    present = set(labels["outcome"])
    outcomes = [key for key in OUTCOMES if key in present]
    rows = -(-len(outcomes) // _COLUMNS)
    figure, grid = new_figure(
        10.0,
        2.2 * rows + 0.5,
        rows=rows,
        columns=_COLUMNS,
        subject=f"{title}, {labels['area'].nunique():,} LSOAs",
        squeeze=False,
    )
    axes = list(grid.flat)
    for unused in axes[len(outcomes) :]:
        unused.set_axis_off()
    panels = dict(zip(outcomes, axes, strict=False))
    for outcome, panel in panels.items():
        panel.set_title(OUTCOMES[outcome].title, fontsize=8)
    return figure, panels
