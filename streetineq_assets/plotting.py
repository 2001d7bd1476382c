"""The house style of every plot: size, fonts, decile colours, area polygons, and small files.

Each plot stands in the `plots` module of its step. matplotlib is imported where it is used, since
assets load this module.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from matplotlib.figure import Figure

INLINE_LIMIT_BYTES = 100_000
_JPEG_QUALITY = 60  # letters of 6 points can be read, 25 photographs come to 90 kB at 110 dpi

# Ten equal steps of lightness along Matplotlib's viridis, so that deciles stay apart in grey print
# and for the colour-blind: 1 = worst-off, 10 = best-off.
DECILE_COLOURS = (
    "#440154",
    "#482475",
    "#414487",
    "#33628d",
    "#277e8e",
    "#1f998a",
    "#2fb47c",
    "#67cc5c",
    "#b0dd2f",
    "#fde725",
)
MISSING_COLOUR = "#d9d9d9"

_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.titlesize": 10,
    "legend.frameon": False,
    "text.parse_math": False,  # titles are text: `$x_{$` is no formula
}


def new_figure(
    width_in: float = 6.0,
    height_in: float = 4.0,
    *,
    rows: int = 1,
    columns: int = 1,
    subject: str | None = None,
    **subplots: Any,
) -> tuple["Figure", Any]:
    """A figure in the house style with its axes, free of pyplot's state.

    Args:
        subject: what all of it is of, such as a city, or a city and an outcome; stands above.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, **subplots)
        if subject:
            figure.suptitle(subject, x=0.01, ha="left")
    return figure, axes


def area_polygons(boundaries: "gpd.GeoDataFrame") -> tuple["pd.Series", list[np.ndarray]]:
    """The outer rings of areas, to be drawn as one collection of polygons.

    Args:
        boundaries: `area, geometry` in metres, as `geography.read_boundaries` returns them.

    Returns:
        (n,) code of the area of each ring, and n arrays (points, 2) of eastings and northings in
        metres; an area of several parts has several rings.
    """
    parts = boundaries.explode(index_parts=False)
    return parts["area"], [np.asarray(shape.exterior.coords) for shape in parts.geometry]


def decile_legend(figure: "Figure", fontsize: float) -> None:
    """A row of the ten decile colours below the axes, its ends named."""
    from matplotlib.patches import Patch

    ends = {1: "1 worst-off", 10: "10 best-off"}
    patches = [
        Patch(color=colour, label=ends.get(decile, str(decile)))
        for decile, colour in enumerate(DECILE_COLOURS, start=1)
    ]
    figure.legend(handles=patches, ncols=10, loc="outside lower center", fontsize=fontsize)


def save_png(figure: "Figure", path: Path, *, dpi: int = 110) -> None:
    """Save a PNG without a time stamp, under 100 kB: the resolution is lowered until it fits."""
    path.write_bytes(png_bytes(figure, dpi=dpi))


def save_jpeg(figure: "Figure", path: Path, *, dpi: int = 110) -> None:
    """As `save_png`, of what shows photographs: as PNG they take several times the bytes."""

    def drawn(resolution: int) -> bytes:
        return _drawn(figure, resolution, format="jpeg", pil_kwargs={"quality": _JPEG_QUALITY})

    path.write_bytes(_small_enough(drawn, dpi, INLINE_LIMIT_BYTES))


def png_bytes(
    figure: "Figure",
    *,
    dpi: int = 110,
    limit_bytes: int = INLINE_LIMIT_BYTES,
    few_colours: bool = False,
) -> bytes:
    """The figure as `save_png` saves it, for files that hold pictures.

    Args:
        few_colours: keep a palette of 256, which halves the size of what has flat colours.
    """

    def drawn(resolution: int) -> bytes:
        png = _drawn(figure, resolution, format="png", metadata={"Software": None})
        return _with_palette(png) if few_colours else png

    return _small_enough(drawn, dpi, limit_bytes)


def _small_enough(drawn: Callable[[int], bytes], dpi: int, limit_bytes: int) -> bytes:
    """The picture at the finest of three resolutions at which it fits, else at the coarsest."""
    content = b""
    for resolution in (dpi, dpi * 3 // 4, dpi // 2):
        content = drawn(resolution)
        if len(content) <= limit_bytes:
            break
    return content


def _drawn(figure: "Figure", dpi: int, **options: Any) -> bytes:
    import matplotlib as mpl

    _as_plain_text(figure)
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, dpi=dpi, **options)
    return buffer.getvalue()


def _as_plain_text(figure: "Figure") -> None:
    """Take no text for a formula; some of it was made outside of the house style."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)


def _with_palette(png: bytes) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, format="png", optimize=True)
    return buffer.getvalue()
