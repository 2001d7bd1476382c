"""A city's maps as pictures: its areas are rasterised once, each map colours them anew.

A picture has a pixel of one colour for each point and no text, so that a page holds hundreds.
"""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streetineq_assets.reports.page.layers import Layer
from streetineq_assets.reports.page.shapes import CityShapes

if TYPE_CHECKING:
    import pandas as pd

_LONG_SIDE = 480  # pixels, of a picture that is shown at half of it
_FEW = 500  # so many areas leave room for lines between them
_OUTSIDE = -1
_MISSING = ((255, 255, 255), (150, 150, 150))  # ground and hatching of areas without a value
_EDGE = (255, 255, 255)
_HATCH = 6  # pixels from line to line


@dataclass(frozen=True)
class CityRaster:
    """Which area each pixel shows.

    Attributes:
        index: (height, width) int32, position of the area in `CityShapes.codes`, -1 outside.
        edges: (height, width) bool, pixels between two areas; none in a city of many areas.
    """

    index: np.ndarray
    edges: np.ndarray


def rasterise(shapes: CityShapes) -> CityRaster:
    """Draw a city's areas, the large ones first, so that one that lies in another is seen."""
    from PIL import Image, ImageDraw

    west, south, east, north = shapes.bounds
    scale = _LONG_SIDE / max(east - west, north - south, 1.0)
    size = (round((east - west) * scale) + 1, round((north - south) * scale) + 1)
    picture = Image.new("I", size, _OUTSIDE)
    draw = ImageDraw.Draw(picture)
    for position, ring, is_hole in shapes.rings_by_size():
        pixels = (ring - (west, north)) * (scale, -scale)
        draw.polygon(pixels.ravel().tolist(), fill=_OUTSIDE if is_hole else position)
    radius = float(np.clip(_LONG_SIDE / (3 * max(len(shapes.points), 9) ** 0.5), 1.5, 12))
    for position, point in shapes.points.items():
        x, y = (np.asarray(point) - (west, north)) * (scale, -scale)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=position)
    index = np.asarray(picture, dtype=np.int32)
    return CityRaster(index, _edges(index) if len(shapes.codes) < _FEW else index < _OUTSIDE)


def _edges(index: np.ndarray) -> np.ndarray:
    edges = np.zeros(index.shape, bool)
    edges[:, 1:] |= index[:, 1:] != index[:, :-1]
    edges[1:] |= index[1:] != index[:-1]
    return edges & (index != _OUTSIDE)


def draw_map(
    raster: CityRaster, positions: np.ndarray, areas: "pd.DataFrame", layer: Layer
) -> bytes:
    """One layer of one pair as a lossless WebP picture, hatched where there is no value.

    Args:
        positions: (n,) of the pair's areas in the city's, -1 for areas on no map.
        areas: (n,) rows of `LSOA_PREDICTIONS`.
    """
    from PIL import Image

    n_places = (
        max(int(raster.index.max(initial=_OUTSIDE)), int(positions.max(initial=_OUTSIDE))) + 1
    )
    classes = np.full(n_places + 1, -1)  # the last one: outside
    classes[positions[positions >= 0]] = layer.classes(areas)[positions >= 0]
    shown = classes[raster.index]
    down, across = np.indices(raster.index.shape, sparse=True)
    hatched = (down + across) % _HATCH == 0
    missing = np.where(hatched, 1, 0)
    colour = np.where(shown < 0, missing, shown + len(_MISSING) + 1)
    colour[raster.edges] = len(_MISSING)
    palette = np.array([*_MISSING, _EDGE, *map(_rgb, layer.colours)], np.uint8)
    pixels = np.dstack(
        [palette[colour], np.where(raster.index == _OUTSIDE, 0, 255).astype(np.uint8)]
    )
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(
        buffer, format="webp", lossless=True, method=3, exact=False
    )
    return buffer.getvalue()


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
