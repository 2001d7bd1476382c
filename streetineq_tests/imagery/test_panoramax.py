"""Panoramax: what it is asked, what its answers become, and how it tells of faults."""

import pandas as pd
import pytest

from streetineq_assets.imagery.providers.panoramax import Panoramax
from streetineq_tests.imagery.asked_provider import AROUND, WORLD, asked, found
from streetineq_tests.imagery.connected import BOX, connected


def of_panoramax(properties=None, **item):
    stated = {"view:azimuth": 30, "datetime": "2016-06-04T00:26:40Z", "license": "etalab-2.0"}
    feature = {
        "id": "1",
        "geometry": {"type": "Point", "coordinates": [-0.12, 51.5]},
        "properties": stated | (properties or {}),
    }
    return found(Panoramax, {"features": [feature | item]}).iloc[0]


def test_panoramax_is_asked_for_what_is_wanted():
    url, wanted = asked(Panoramax, since="2015-01-01")
    assert url == "https://api.example/api/search"
    assert wanted["datetime"] == "2015-01-01T00:00:00Z/.."
    assert wanted["bbox"] == str(BOX)
    assert "datetime" not in asked(Panoramax)[1]


def test_panoramax_items_have_a_licence_each_and_a_producer():
    row = of_panoramax({"geovisio:producer": "ada", "license": "CC-BY-SA-4.0"})
    assert (row["licence"], row["creator"]) == ("CC-BY-SA-4.0", "ada")
    other = of_panoramax(
        providers=[{"name": "x", "roles": ["host"]}, {"name": "b", "roles": ["producer"]}]
    )
    assert (other["licence"], other["creator"]) == ("etalab-2.0", "b")
    assert other["captured_at"] == pd.Timestamp("2016-06-04 00:26:40")


@pytest.mark.parametrize(
    ("properties", "projection", "reason"),
    [
        ({"pers:interior_orientation": {"field_of_view": 360}}, "equirectangular", None),
        ({"tiles:tile_matrix_sets": {}}, "equirectangular", None),
        ({"pers:interior_orientation": {"field_of_view": 70}}, "perspective", None),
        ({}, "perspective", None),
        (
            {"pers:interior_orientation": {"field_of_view": 360, "visible_area": [0, 9, 0, 9]}},
            "",
            "unusable_projection",
        ),
    ],
)
def test_panoramax_panoramas_are_told_and_cropped_ones_refused(properties, projection, reason):
    row = of_panoramax(properties)
    assert row["projection"] == projection
    assert (None if pd.isna(row["reason"]) else row["reason"]) == reason


def test_panoramax_tilts_and_sizes_are_taken_over():
    camera = {"field_of_view": 360, "sensor_array_dimensions": [5760, 2880]}
    row = of_panoramax({"pers:interior_orientation": camera, "pers:pitch": 350, "pers:roll": -2.5})
    assert (row["pitch_deg"], row["roll_deg"]) == (-10.0, -2.5)
    assert (row["width_px"], row["height_px"]) == (5760, 2880)


def test_panoramax_pages_are_followed_where_there_are_some(tmp_path):
    with connected(WORLD, tmp_path, "panoramax", page_size=5) as at:
        assert len(at.found(AROUND).captures) == 12
        assert at.server.seen["search"] == 3


def test_panoramax_list_that_is_full_is_split(tmp_path, monkeypatch):
    monkeypatch.setattr(Panoramax, "most_hits", 5)
    with connected(WORLD, tmp_path, "panoramax") as at:
        whole = at.found(AROUND)
        assert len(whole.captures) == 12
        assert whole.n_boxes > 1


@pytest.mark.parametrize("answer", [{}, {"features": None}, {"features": [{}, 3]}, []])
def test_panoramax_answers_without_items_are_empty(answer):
    assert found(Panoramax, answer).empty
