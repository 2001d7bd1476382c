"""Mapillary: what it is asked, what its answers become, and how it tells of faults."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.boxes import TooManyCapturesError
from streetineq_assets.imagery.providers.mapillary import Mapillary
from streetineq_assets.imagery.providers.orientation import pitch_and_roll
from streetineq_tests.imagery.asked_provider import Said, asked, found
from streetineq_tests.imagery.dialects import rotation_of


def of_mapillary(**values):
    item = {"id": "1", "geometry": {"coordinates": [-0.12, 51.5]}, "camera_type": "spherical"}
    return found(Mapillary, {"data": [item | values]}).iloc[0]


def test_mapillary_is_asked_for_what_is_wanted():
    url, wanted = asked(Mapillary, panoramas_only=True, since="2015-01-01", until="2020-01-01")
    assert url == "https://api.example/images"
    assert wanted["bbox"] == "-0.124,51.496,-0.116,51.504"
    assert wanted["is_pano"] == "true"
    assert wanted["start_captured_at"] == "2015-01-01T00:00:00Z"
    assert wanted["end_captured_at"] == "2020-01-01T00:00:00Z"
    assert "thumb" not in wanted["fields"]
    assert Mapillary.box_side_deg < 0.01


def test_mapillary_computed_values_come_before_measured_ones():
    computed = {"computed_geometry": {"coordinates": [-0.1201, 51.5001]}}
    both = of_mapillary(**computed, compass_angle=10.0, computed_compass_angle=-170.0)
    assert (both["lat"], both["lon"]) == (51.5001, -0.1201)
    assert (both["raw_lat"], both["raw_lon"]) == (51.5, -0.12)
    assert (both["compass_deg"], both["second_compass_deg"]) == (190.0, 10.0)
    measured = of_mapillary(compass_angle=10.0)
    assert (measured["lat"], measured["compass_deg"]) == (51.5, 10.0)
    assert measured[["raw_lat", "raw_lon", "second_compass_deg"]].isna().all()


@pytest.mark.parametrize(
    ("values", "projection"),
    [
        ({"camera_type": "spherical"}, "equirectangular"),
        ({"camera_type": "equirectangular"}, "equirectangular"),
        ({"camera_type": None, "is_pano": True}, "equirectangular"),
        ({"camera_type": "perspective"}, "perspective"),
        ({"camera_type": None}, "perspective"),
    ],
)
def test_mapillary_cameras_have_a_projection(values, projection):
    assert of_mapillary(**values)["projection"] == projection


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"camera_type": "fisheye"}, "unusable_projection"),
        ({"camera_type": "dual"}, "unusable_projection"),
        ({"geometry": None}, "no_position"),
        ({"geometry": {"coordinates": [float("nan"), 51.5]}}, "no_position"),
        ({"geometry": {"coordinates": [-0.12, 95]}}, "no_position"),
    ],
)
def test_mapillary_captures_of_no_use_say_why(values, reason):
    assert of_mapillary(**values)["reason"] == reason


def test_mapillary_says_who_took_it_and_when():
    row = of_mapillary(captured_at=1_465_000_000_000, creator={"username": "ada\n"}, width=5760)
    assert row["creator"] == "ada"
    assert row["captured_at"] == pd.Timestamp("2016-06-04 00:26:40")
    assert (row["licence"], row["width_px"]) == ("CC-BY-SA-4.0", 5760)
    assert pd.isna(row["height_px"])


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": [1, None, {}, {"id": ""}]}, []])
def test_mapillary_answers_without_captures_are_empty(answer):
    assert found(Mapillary, answer).empty


def test_mapillary_full_answer_counts_as_cut():
    item = {"id": "1", "geometry": {"coordinates": [-0.12, 51.5]}}
    with pytest.raises(TooManyCapturesError) as caught:
        found(Mapillary, {"data": [{**item, "id": str(k)} for k in range(2000)]})
    assert len(caught.value.captures) == 2000


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": -2, "error_subcode": 3404014, "is_transient": False}, "query_timeout"),
        (400, {"code": 1, "message": "Please reduce the amount of data"}, "server_error"),
        (400, {"code": 190}, "refused"),
        (403, {"code": 4}, "rate_limited"),
        (400, {"code": 100, "message": "no such field"}, "not_understood"),
        (400, {"code": 100, "error_subcode": 33}, "gone"),
        (400, {"code": [], "error_subcode": None}, "not_understood"),
        (200, {"message": "?"}, "not_understood"),
        (500, {}, "server_error"),
    ],
)
def test_mapillary_errors_are_told_by_their_codes(status, error, kind):
    assert Mapillary.explain(status, {"error": error}) == kind
    assert Mapillary.explain(200, {"data": []}) is None
    assert Mapillary.explain(502, None) is None  # left to the status


def test_mapillary_capture_that_spoils_a_batch_is_the_only_one_that_is_gone():
    def answer(params):
        ids = params["image_ids"].split(",")
        data = [{"id": i, "thumb_2048_url": f"https://a.example/{i}.jpg"} for i in ids]
        return None if "13" in ids else {"data": data}

    provider = Mapillary(Imagery(provider="mapillary"), Said(answer), "https://api.example")
    links = provider.links([str(k) for k in range(20)])
    assert sorted(links, key=int) == [str(k) for k in range(20) if k != 13]


TILTS = [(0, 0, 0), (350, 12, 0), (90, -20, 0), (200, 0, 15), (123, 7, -31), (45, 60, 170)]


@pytest.mark.parametrize(("azimuth", "pitch", "roll"), TILTS)
def test_rotation_of_a_reconstruction_gives_pitch_and_roll(azimuth, pitch, roll):
    vector = rotation_of(azimuth, pitch, roll).tolist()
    assert pitch_and_roll([vector], [azimuth])[0] == pytest.approx([pitch, roll], abs=1e-6)


def test_rotation_of_a_level_camera_to_the_north_is_a_quarter_turn():
    # East, north, up to right, down, forward: about the x axis, by 90 degrees.
    assert pitch_and_roll([[np.pi / 2, 0.0, 0.0]], [0.0])[0] == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("vector", "azimuth"),
    [
        (rotation_of(90).tolist(), 180.0),
        (rotation_of(90).tolist(), None),
        (None, 90.0),
        ([1.0, 2.0], 90.0),
        ("abc", 90.0),
        ([float("nan")] * 3, 90.0),
    ],
)
def test_rotation_that_contradicts_the_compass_says_nothing(vector, azimuth):
    good = rotation_of(90, 3, 4).tolist()
    tilts = pitch_and_roll([good, vector, good], [90.0, azimuth, 92.0])
    assert np.isnan(tilts[1]).all()
    assert tilts[[0, 2]] == pytest.approx(np.array([[3, 4], [3, 4]]), abs=1e-6)
