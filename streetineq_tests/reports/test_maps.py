"""Maps: one extent, the decile's colour for each area, outlines or points."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from streetineq_assets.geography import read_boundaries
from streetineq_assets.plotting import DECILE_COLOURS, MISSING_COLOUR
from streetineq_assets.reports.maps import draw_maps
from streetineq_tests.reports.conftest import write_boundaries


@pytest.fixture
def areas(gathered) -> pd.DataFrame:
    pair = next(pair for pair in gathered.pairs if pair.key == "alpha/crime")
    unknown = pair.areas.index == 0
    return pair.areas.assign(actual_decile=pair.areas["actual_decile"].mask(unknown))


def colours(axis) -> list[str]:
    (collection,) = axis.collections
    return [to_hex(colour) for colour in collection.get_facecolor()]


def expected(deciles: pd.Series) -> list[str]:
    return [MISSING_COLOUR if pd.isna(d) else DECILE_COLOURS[d - 1] for d in deciles]


def test_points_where_there_are_no_outlines(areas, gathered):
    figure = draw_maps(areas, None, gathered.positions)
    actual, predicted = figure.axes
    assert colours(actual) == expected(areas["actual_decile"])
    assert colours(predicted) == expected(areas["decile"])
    assert actual.get_xlim() == predicted.get_xlim()
    assert actual.get_title() == "Actual decile, n = 59"


def test_outlines_where_there_are_some(areas, gathered, store):
    outlines = read_boundaries(write_boundaries(store))
    figure = draw_maps(areas, outlines, gathered.positions)
    actual, predicted = figure.axes
    assert colours(actual) == expected(areas["actual_decile"])
    assert colours(predicted) == expected(areas["decile"])
    (collection,) = actual.collections
    first = collection.get_paths()[0].vertices
    shape = outlines.set_index("lsoa11").geometry[areas["lsoa11"].iloc[0]]
    assert np.allclose(first[:5], np.asarray(shape.exterior.coords))


def test_outlines_of_another_place_are_not_used(areas, gathered, store):
    outlines = read_boundaries(write_boundaries(store))
    elsewhere = outlines.assign(lsoa11=outlines["lsoa11"].str.replace("E01", "E09"))
    figure = draw_maps(areas, elsewhere, gathered.positions)
    assert len(figure.axes[0].collections[0].get_offsets()) == 60
