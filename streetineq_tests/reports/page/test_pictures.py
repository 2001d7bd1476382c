"""Maps as pictures: each area in the colour of its class, and nothing said of what is not known."""

import io

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from streetineq_assets.plotting import DECILE_COLOURS
from streetineq_assets.reports.page import layers
from streetineq_assets.reports.page.pictures import draw_map, rasterise
from streetineq_assets.reports.page.shapes import city_shapes

CODES = [f"E0{n:07d}" for n in range(4)]
NOWHERE = pd.DataFrame({"area": [], "lat": [], "lon": []})


@pytest.fixture(scope="module")
def shapes():
    """Four squares in a row, from west to east."""
    boxes = [shapely.box(530000 + x, 180000, 531000 + x, 181000) for x in range(0, 4000, 1000)]
    frame = gpd.GeoDataFrame({"area": CODES}, geometry=boxes, crs="EPSG:27700")
    return city_shapes(CODES, frame, NOWHERE)


def areas(**columns) -> pd.DataFrame:
    frame = {"decile": [1, 5, 10], "actual_decile": [2, 5, None], "lower": [1, None, 8]}
    frame |= {"upper": [3, None, 10], "rank_change": [0, 1, 2]} | columns
    return pd.DataFrame(frame).astype("Int8")


def middles(picture: bytes) -> list[tuple[int, ...]]:
    """The colours in the middle of the four squares."""
    image = Image.open(io.BytesIO(picture)).convert("RGBA")
    return [
        image.getpixel((round(image.width * share), image.height // 2))
        for share in (0.14, 0.38, 0.62, 0.86)
    ]


def rgb(colour: str) -> tuple[int, ...]:
    return (*bytes.fromhex(colour[1:]), 255)


def test_each_area_has_the_colour_of_its_decile(shapes):
    picture = draw_map(rasterise(shapes), np.array([0, 1, 3]), areas(), layers.PREDICTED)
    west, second, third, east = middles(picture)
    assert (west, second, east) == tuple(rgb(DECILE_COLOURS[d - 1]) for d in (1, 5, 10))
    assert third[:3] in ((255, 255, 255), (150, 150, 150)), "not predicted: hatched"


def test_a_missing_value_is_hatched_and_outside_is_transparent(shapes):
    picture = draw_map(rasterise(shapes), np.array([0, 1, 3]), areas(), layers.ACTUAL)
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))
    east = image[image.shape[0] // 2 - 5 : image.shape[0] // 2 + 5, -60:-30].reshape(-1, 4)
    assert {tuple(pixel) for pixel in east} == {(255, 255, 255, 255), (150, 150, 150, 255)}
    assert image[0, 0, 3] == 0


def test_the_same_map_is_the_same_bytes(shapes):
    drawn = [
        draw_map(rasterise(shapes), np.array([0, 1, 3]), areas(), layers.RESIDUAL) for _ in range(2)
    ]
    assert drawn[0] == drawn[1]


def test_an_area_on_no_map_is_not_drawn(shapes):
    picture = draw_map(rasterise(shapes), np.array([0, -1, 3]), areas(), layers.PREDICTED)
    assert rgb(DECILE_COLOURS[4]) not in middles(picture)


def test_points_stand_for_areas_without_a_boundary():
    where = pd.DataFrame({"area": CODES[:2], "lat": [51.5, 51.5], "lon": [-0.2, 0.0]})
    raster = rasterise(city_shapes(CODES[:2], None, where))
    counts = np.bincount(raster.index[raster.index >= 0])
    assert len(counts) == 2
    assert counts.min() > 20


def test_a_city_on_no_map_can_be_drawn_too():
    raster = rasterise(city_shapes(CODES[:3], None, NOWHERE))
    assert draw_map(raster, np.array([0, 1, 2]), areas(), layers.WIDTH)


# -- scales ----------------------------------------------------------------------------------------


def lightness(colour: str) -> float:
    """CIE L* of an sRGB colour, calculated here."""
    parts = np.array(list(bytes.fromhex(colour[1:]))) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    y = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * y ** (1 / 3) - 16


@pytest.mark.parametrize("layer", layers.LAYERS, ids=lambda layer: layer.key)
def test_a_scale_survives_grey_print(layer):
    steps = np.diff([lightness(colour) for colour in layer.colours])
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).min() > 4.5


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.PREDICTED, [0, 4, 9]),
        (layers.ACTUAL, [1, 4, -1]),
        (layers.WIDTH, [1, -1, 1]),
        (layers.RESIDUAL, [3, 3, -1]),
        (layers.MOVED, [0, 1, 2]),
    ],
    ids=lambda value: getattr(value, "key", ""),
)
def test_values_fall_into_their_classes(layer, expected):
    assert layer.classes(areas()).tolist() == expected
    assert len(layer.uppers) == len(layer.labels) == len(layer.colours)


def test_every_residual_has_a_class_whose_words_fit():
    n = np.arange(-9, 10)
    frame = pd.DataFrame({"decile": n, "actual_decile": 0})
    labels = [layers.RESIDUAL.labels[k] for k in layers.RESIDUAL.classes(frame)]
    assert labels[:5] == ["5 or more too low"] * 5
    assert labels[8:11] == ["within 1"] * 3
    assert labels[11:14] == ["2 too high", "3 to 4 too high", "3 to 4 too high"]
