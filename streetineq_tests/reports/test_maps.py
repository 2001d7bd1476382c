"""Maps: one extent, the decile's colour for each area, boundaries or points."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from streetineq_assets.geography import read_boundaries
from streetineq_assets.plotting import DECILE_COLOURS, MISSING_COLOUR
from streetineq_assets.reports.maps import CHANGE_COLOURS, plot_maps
from streetineq_tests.reports.conftest import write_boundaries


@pytest.fixture
def areas(crime_in_alpha) -> pd.DataFrame:
    """The first area has no label."""
    frame = crime_in_alpha.areas
    return frame.assign(actual_decile=frame["actual_decile"].mask(frame.index == 0))


def colours(axis) -> list[str]:
    (collection,) = axis.collections
    return [to_hex(colour) for colour in collection.get_facecolor()]


def expected(deciles: pd.Series) -> list[str]:
    return [MISSING_COLOUR if pd.isna(d) else DECILE_COLOURS[d - 1] for d in deciles]


def test_points_where_there_are_no_boundaries(areas, results):
    figure = plot_maps(areas, None, results.centroids)
    actual, predicted, moved = figure.axes
    assert colours(actual) == expected(areas["actual_decile"])
    assert colours(predicted) == expected(areas["decile"])
    assert colours(moved) == [CHANGE_COLOURS[n] for n in areas["rank_change"]]
    assert actual.get_xlim() == predicted.get_xlim() == moved.get_xlim()
    assert actual.get_title() == "Actual decile, n = 59"


def test_boundaries_where_there_are_some(areas, results, store):
    boundaries = read_boundaries(write_boundaries(store))
    figure = plot_maps(areas, boundaries, results.centroids)
    actual, predicted, _ = figure.axes
    assert colours(actual) == expected(areas["actual_decile"])
    assert colours(predicted) == expected(areas["decile"])
    (collection,) = actual.collections
    first = collection.get_paths()[0].vertices
    shape = boundaries.set_index("lsoa11").geometry[areas["lsoa11"].iloc[0]]
    assert np.allclose(first[:5], np.asarray(shape.exterior.coords))


def test_boundaries_of_another_city_are_not_used(areas, results, store):
    boundaries = read_boundaries(write_boundaries(store))
    elsewhere = boundaries.assign(lsoa11=boundaries["lsoa11"].str.replace("E01", "E09"))
    figure = plot_maps(areas, elsewhere, results.centroids)
    assert len(figure.axes[0].collections[0].get_offsets()) == 60


def test_areas_that_lack_a_boundary_stay_on_the_map_as_points(areas, results, store):
    boundaries = read_boundaries(write_boundaries(store))
    half = boundaries[boundaries["lsoa11"].isin(areas["lsoa11"].iloc[:30])]
    figure = plot_maps(areas, half, results.centroids)
    shapes, points = figure.axes[0].collections
    assert len(shapes.get_paths()) == 30
    assert len(points.get_offsets()) == 30
    assert figure.axes[0].get_title() == "Actual decile, n = 59"


def test_only_what_is_drawn_is_counted(areas, results):
    figure = plot_maps(areas, None, results.centroids.iloc[:10])
    assert figure.axes[1].get_title() == "Predicted decile, n = 10"
    plot_maps(areas, None, results.centroids.head(0))
