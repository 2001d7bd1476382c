"""What all plots share: polygons of areas and the legend of deciles."""

import io

import geopandas as gpd
import numpy as np
from PIL import Image
from shapely import MultiPolygon, box

from streetineq_assets.plotting import (
    DECILE_COLOURS,
    area_polygons,
    decile_legend,
    new_figure,
    png_bytes,
)


def test_an_area_of_two_parts_has_two_rings():
    whole, left, right = box(0, 0, 1, 1), box(5, 0, 6, 1), box(7, 0, 9, 2)
    boundaries = gpd.GeoDataFrame(
        {"area": ["E01000001", "E01000002"]},
        geometry=[whole, MultiPolygon([left, right])],
        crs="EPSG:27700",
    )
    codes, rings = area_polygons(boundaries)
    assert codes.to_list() == ["E01000001", "E01000002", "E01000002"]
    assert [ring.shape for ring in rings] == [(5, 2)] * 3
    assert np.array_equal(rings[2].max(axis=0), [9, 2])


def test_a_palette_keeps_flat_colours_and_makes_a_smaller_file():
    figure, axis = new_figure()
    rng = np.random.default_rng(0)
    colours = [DECILE_COLOURS[i] for i in rng.integers(0, 10, 2000)]
    axis.scatter(*rng.random((2, 2000)), c=colours, s=20, marker="s", antialiased=False)
    full, few = png_bytes(figure, limit_bytes=10**6), png_bytes(figure, few_colours=True)
    assert len(few) < 0.6 * len(full)
    pixels = np.asarray(Image.open(io.BytesIO(few)).convert("RGB"))
    expected = np.asarray(Image.open(io.BytesIO(full)).convert("RGB"))
    wrong = np.abs(pixels.astype(int) - expected).max(axis=2) > 8
    assert wrong.mean() < 0.001
    assert few == png_bytes(figure, few_colours=True)


def test_the_legend_names_both_ends_of_the_deciles():
    figure, _ = new_figure()
    decile_legend(figure, fontsize=7)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(texts) == len(DECILE_COLOURS)
    assert "worst-off" in texts[0]
    assert "best-off" in texts[-1]
