"""The plots of this step."""

import io
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.feature_statistics import FeatureStatistics
from streetineq_assets.codes.quality import FIGURES, REFERENCE
from streetineq_assets.codes.shown_pictures import CREDIT
from streetineq_assets.plotting import DECILE_COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANGES = ((0, 1), (0, 255), (0, 1))  # of `FIGURES`, the same for every city
_MOST_LETTERS = 16  # of an id above a picture
_LINE = 140  # letters below the pictures


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


def plot_contact_sheet(shown: pd.DataFrame, title: str, *, synthetic: bool) -> "Figure":
    """Views, each followed by its nearest neighbours, with the credits of those that are shown.

    Args:
        shown: by `neighbours.nearest_views`, then `shown_pictures.show_pictures`.
        title: the city's.
        synthetic: whether images or weights are.
    """
    rows, columns = shown["query"].max() + 1, shown["rank"].max() + 1
    credit = _credits(shown)
    subject = f"{title}: views (left) and those nearest by code, with the cosine"
    figure, axes = new_figure(
        1.5 * columns,
        1.2 * rows + 0.4 + 0.12 * credit.count("\n"),
        rows=rows,
        columns=columns,
        subject=f"{subject}; SYNTHETIC" if synthetic else subject,
        squeeze=False,
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for number, view in enumerate(shown.itertuples(), start=1):
        axis = axes[view.query, view.rank]
        cosine = f"  {view.cosine:.2f}" if view.rank else ""
        text = f"{number}. {_short(view.location_id)} {view.view}{cosine}"
        axis.set_title(text, loc="left", fontsize=7)
        _show(axis, view.thumbnail)
    figure.supxlabel(credit, x=0.01, ha="left", fontsize=6)
    return figure


def _show(axis: Any, thumbnail: bytes | None) -> None:
    from PIL import Image

    if thumbnail:
        axis.imshow(np.asarray(Image.open(io.BytesIO(thumbnail))))
    else:
        axis.text(0.5, 0.5, "not shown", ha="center", va="center", fontsize=7)


def _short(location_id: str) -> str:
    return location_id if len(location_id) <= _MOST_LETTERS else f"{location_id[:_MOST_LETTERS]}…"


def _credits(shown: pd.DataFrame) -> str:
    """Who took the pictures by number, under which licence and conditions, or why there is none."""
    texts = shown[[*CREDIT, "conditions", "why_not_shown"]].apply(_credit, axis=1)
    numbers = pd.Series(range(1, len(shown) + 1), dtype="str").groupby(texts.to_numpy(), sort=False)
    lines = [f"{', '.join(of)}: {text}" for text, of in numbers]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, _LINE))


def _credit(view: pd.Series) -> str:
    if view["why_not_shown"]:
        return f"not shown: {view['why_not_shown']}"
    named = [view["creator"] or "creator not listed", view["provider"], view["licence"]]
    return "; ".join(filter(None, [*named, view["conditions"], "made smaller"]))
