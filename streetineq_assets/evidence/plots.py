"""The plots of this step: errors by group."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from streetineq_assets.evidence.equity import ACTUAL, MEAN_ERROR, SAME_DECILE
from streetineq_assets.plotting import DECILE_COLOURS, new_figure, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIFFERS, _ALIKE, _LINE = "#d95f02", "#bbbbbb", "#555555"
_MOST_ROWS = 60


def plot_equity(table: pd.DataFrame, path: Path) -> None:
    """Mean error by actual decile, and each group's error beyond that of the same deciles.

    Args:
        table: `tables.EQUITY` of one pair, at least one row.
    """
    by_decile = table[(table["grouping"] == ACTUAL) & (table["measure"] == MEAN_ERROR)]
    groups = table[table["measure"] == SAME_DECILE].dropna(subset=["value"])
    left_out, groups = max(0, len(groups) - _MOST_ROWS), groups.head(_MOST_ROWS)
    height = max(3.2, 1.2 + 0.2 * len(groups))
    figure, (left, right) = new_figure(9.0, height, columns=2)
    _plot_deciles(left, by_decile.dropna(subset=["value"]))
    colours = [_DIFFERS if each else _ALIKE for each in groups["differs"].fillna(False)]
    labels = (groups["grouping"] + ": " + groups["group"]).str.slice(0, 45)
    _plot_rows(right, groups, colours)
    right.set_yticks(range(len(groups)), labels, fontsize=7)
    right.invert_yaxis()
    more = f"; {left_out} more in the table" if left_out else ""
    right.set(
        title=f"beyond others of the same decile{more}",
        xlabel="predicted minus actual decile; > 0: need is missed",
    )
    save_png(figure, path)


def _plot_deciles(axis: "Axes", rows: pd.DataFrame) -> None:
    deciles = rows["group"].astype(int).tolist()
    _plot_rows(axis, rows, [DECILE_COLOURS[decile - 1] for decile in deciles])
    axis.set_yticks(range(len(rows)), deciles)
    axis.set(
        title="Mean error: every prediction leans to the middle",
        xlabel="predicted minus actual decile",
        ylabel="actual decile (1 = worst-off)",
    )


def _plot_rows(axis: "Axes", rows: pd.DataFrame, colours: list[str]) -> None:
    for height, (row, colour) in enumerate(zip(rows.itertuples(), colours, strict=True)):
        axis.plot([row.lower, row.upper], [height, height], color=_LINE, linewidth=1.2)
        axis.plot(row.value, height, "o", color=colour, markersize=4, markeredgecolor="#333333")
    axis.axvline(0, color="#999999", linewidth=0.8)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
