"""What all plots share: polygons of areas and the legend of deciles."""

import geopandas as gpd
import numpy as np
from shapely import MultiPolygon, box

from streetineq_assets.plotting import DECILE_COLOURS, area_polygons, decile_legend, new_figure


def test_an_area_of_two_parts_has_two_rings():
    whole, left, right = box(0, 0, 1, 1), box(5, 0, 6, 1), box(7, 0, 9, 2)
    boundaries = gpd.GeoDataFrame(
        {"lsoa11": ["E01000001", "E01000002"]},
        geometry=[whole, MultiPolygon([left, right])],
        crs="EPSG:27700",
    )
    codes, rings = area_polygons(boundaries)
    assert codes.to_list() == ["E01000001", "E01000002", "E01000002"]
    assert [ring.shape for ring in rings] == [(5, 2)] * 3
    assert np.array_equal(rings[2].max(axis=0), [9, 2])


def test_the_legend_names_both_ends_of_the_deciles():
    figure, _ = new_figure()
    decile_legend(figure, fontsize=7)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(texts) == len(DECILE_COLOURS)
    assert "worst-off" in texts[0]
    assert "best-off" in texts[-1]
