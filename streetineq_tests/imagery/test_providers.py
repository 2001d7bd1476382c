"""What each provider writes comes into one form; what study.toml must say before it is asked."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from streetineq_assets.errors import ImageryError, StudyError
from streetineq_assets.image_settings import Imagery, Rights
from streetineq_assets.image_settings import Provider as ProviderKey
from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.boxes import TooManyCapturesError, around
from streetineq_assets.imagery.found import FOUND
from streetineq_assets.imagery.providers import PROVIDERS, connect, provider_of
from streetineq_assets.imagery.providers.google_street_view import GoogleStreetView
from streetineq_assets.imagery.providers.kartaview import KartaView
from streetineq_assets.imagery.providers.mapillary import Mapillary
from streetineq_assets.imagery.providers.orientation import pitch_and_roll
from streetineq_assets.imagery.providers.panoramax import Panoramax
from streetineq_assets.imagery.recording import Recording
from streetineq_assets.images.rights import find_terms
from streetineq_tests.imagery.connected import BOX, ENVIRONMENT, MIDDLE, connected
from streetineq_tests.imagery.dialects import rotation_of
from streetineq_tests.imagery.world import Capture, World, invented

WORLD = invented(12, seed=3, spread_deg=0.0012)
AROUND = around(*MIDDLE, 120)
ONE = Capture("42", 51.5, -0.12, 30.0, 1_465_000_000_000)


class Said:
    """A client that answers every request with the same, or as a function says."""

    def __init__(self, answer):
        self.answer, self.asked, self.faults = answer, [], Counter()

    def json(self, url, params, *, most_timeouts=None):
        self.asked.append((url, dict(params)))
        return self.answer(params) if callable(self.answer) else self.answer

    def links(self, capture_ids, ask):
        return ask(capture_ids)

    fresh_json = json


def found(kind, answer, **imagery):
    settings = Imagery(provider=kind.key, **imagery)
    return kind(settings, Said(answer), "https://api.example").search(BOX)


def asked(kind, **imagery):
    client = Said({})
    kind(Imagery(provider=kind.key, **imagery), client, "https://api.example").search(BOX)
    return client.asked[0]


# What all have in common.


@pytest.mark.parametrize("key", PROVIDERS)
def test_provider_lists_and_gives_what_there_is(key, tmp_path):
    with connected(WORLD, tmp_path, key) as at:
        captures = at.found(AROUND).captures
        assert captures.columns.tolist() == FOUND.names
        n = 4 if key == "google_street_view" else 12
        assert len(captures) == n
        assert captures["provider"].unique().tolist() == [key]
        assert captures["compass_deg"].between(0, 360, inclusive="left").all()
        pictures = at.pictures(captures["capture_id"].tolist())
        assert all(isinstance(data, bytes) for data in pictures.values())
        assert at.server.misdirected == 0
        assert at.client.faults == at.server.faults.injected


@pytest.mark.parametrize("key", ["mapillary", "panoramax", "kartaview"])
def test_captures_are_those_of_the_world(key, tmp_path):
    with connected(WORLD, tmp_path, key) as at:
        captures = at.found(AROUND).captures
    true = sorted((c.lat, c.lon, c.compass_deg, c.panorama) for c in WORLD.captures)
    listed = captures.assign(panorama=captures["projection"] == "equirectangular")
    rows = listed[["lat", "lon", "compass_deg", "panorama"]].to_numpy().tolist()
    assert sorted(map(tuple, rows)) == true


def test_providers_are_those_of_the_settings_and_of_the_table_of_terms():
    assert set(PROVIDERS) == set(ProviderKey.__args__)
    for key, provider in PROVIDERS.items():
        assert find_terms("provider", key)
        assert provider.licence is None or find_terms("licence", provider.licence)
        assert provider.box_side_deg >= provider.least_deg
        if provider.most_per_minute:
            assert provider.requests_per_minute == provider.most_per_minute // 2
        assert (provider.token_variable is None) == (not provider.token_page)


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        ((5760, 2880), 250_000, 400_000),
        ((4000, 3000), 350_000, 800_000),
        ((640, 480), 40_000, 70_000),
        ((None, None), 350_000, 800_000),
    ],
)
def test_sizes_are_estimated_of_what_is_served(size, least, most):
    # Real pictures of 2,048 pixels: panoramas of 303 to 393 kB, photographs of 335 to 903 kB.
    provider = Mapillary(Imagery(provider="mapillary"), Said({}), "https://api.example")
    assert least < provider.typical_bytes(*size) < most


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        (Mapillary, lambda items: {"data": items}),
        (Panoramax, lambda items: {"features": items}),
        (KartaView, lambda items: {"result": {"data": items}}),
    ],
)
def test_captures_whose_id_is_no_name_of_a_file_are_counted_and_left(kind, listed):
    ids = ["ok-1", "../../etc/passwd", "a b", "", None, ".hidden", "x" * 101, {"a": 1}, 12]
    client = Said(listed([{"id": each} for each in ids] + ["nothing"]))
    captures = kind(Imagery(provider=kind.key), client, "https://api.example").search(BOX)
    assert captures["capture_id"].tolist() == ["ok-1", "12"]
    assert client.faults == Counter({"no_usable_id": 8})


# Mapillary.


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


# Panoramax.


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


# KartaView.


def test_kartaview_circle_holds_the_box(tmp_path):
    with connected(WORLD, tmp_path, "kartaview") as at:
        assert len(at.found(AROUND).captures) == 12
    radius = int(asked(KartaView)[1]["radius"])
    # Half of the diagonal of 0.008 degrees: 889 m northwards and 555 m eastwards.
    assert 524 <= radius <= 526


def test_kartaview_pages_are_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("streetineq_assets.imagery.providers.kartaview._PER_PAGE", 5)
    with connected(WORLD, tmp_path, "kartaview") as at:
        assert len(at.found(AROUND).captures) == 12
        assert at.server.seen["search"] == 3


def test_kartaview_circle_with_too_much_in_it_is_split(tmp_path):
    with connected(WORLD, tmp_path, "kartaview", limit=9) as at:
        found = at.found(AROUND)
        assert len(found.captures) == 12
        assert found.n_boxes == 4
        assert at.client.faults["query_timeout"] == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, 600, None),
        (200, "601", None),
        (200, 408, "query_timeout"),
        (408, 408, "query_timeout"),
        (404, 404, "gone"),
        (200, 400, "not_understood"),
        (200, 401, "refused"),
        (200, 999, "server_error"),
    ],
)
def test_kartaview_errors_are_told_by_their_codes(status, code, kind):
    assert KartaView.explain(status, {"status": {"apiCode": code}}) == kind
    assert KartaView.explain(408, None) == exchange.QUERY_TIMEOUT
    assert KartaView.explain(200, None) is None


# Google Street View.


def test_street_view_gives_four_headings_of_one_panorama(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view") as at:
        captures = at.found(around(51.5, -0.12, 30)).captures
        assert captures["compass_deg"].tolist() == [0, 90, 180, 270]
        assert captures["capture_id"].tolist() == ["42_000", "42_090", "42_180", "42_270"]
        assert captures["captured_at"].eq(pd.Timestamp("2016-06-01")).all()
        assert captures["creator"].eq("© Google").all()
        assert not at.provider.keeps_pictures


def test_street_view_without_imagery_is_empty_or_gone(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view") as at:
        assert at.found(around(51.6, -0.12, 30)).captures.empty
        assert at.pictures(["77_090"]) == {"77_090": "gone"}


def test_street_view_addresses_hold_no_key_and_ask_for_an_error_instead_of_a_card(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view") as at:
        (link,) = at.provider.links(["42_090"]).values()
        assert "key=" not in link
        assert "heading=90" in link
        assert "return_error_code=true" in link


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("OK", None),
        ("ZERO_RESULTS", None),
        ("OVER_QUERY_LIMIT", "rate_limited"),
        ("REQUEST_DENIED", "refused"),
        ("UNKNOWN_ERROR", "server_error"),
        ("INVALID_REQUEST", "not_understood"),
    ],
)
def test_street_view_errors_are_told_by_their_words(word, kind):
    assert GoogleStreetView.explain(200, {"status": word}) == kind


def test_street_view_key_that_is_refused_is_told_without_it(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view", token="A" * 30) as at:
        with pytest.raises(ImageryError, match="GOOGLE_MAPS_API_KEY") as caught:
            at.found(around(51.5, -0.12, 30))
        assert "The key is invalid" in str(caught.value)
        assert ENVIRONMENT["GOOGLE_MAPS_API_KEY"] not in str(caught.value)


@pytest.mark.parametrize(
    "rights",
    [
        {},
        {"agreements": {"google": {"allows": [], "reason": "none"}}},
        {"agreements": {"mapillary": {"allows": ["derive_codes"], "reason": "another's"}}},
    ],
)
def test_street_view_needs_an_agreement_and_says_which_terms_stand_against_it(rights):
    with pytest.raises(StudyError) as caught:
        provider_of(Imagery(provider="google_street_view"), Rights.model_validate(rights), Said({}))
    message = str(caught.value)
    assert find_terms("provider", "google").conditions in message
    assert "[rights.agreements.google_street_view]" in message
    assert 'allows = ["derive_codes"]' in message


def test_other_providers_need_no_agreement():
    for key in ("mapillary", "panoramax", "kartaview"):
        assert provider_of(Imagery(provider=key), Rights(), Said({})).keeps_pictures


# What study.toml and the environment say.


@pytest.fixture
def recording(tmp_path):
    with Recording(tmp_path / "r") as made:
        yield made


def test_missing_token_is_told(recording):
    with pytest.raises(ImageryError, match="MAPILLARY_TOKEN"):
        connect(Imagery(provider="mapillary"), recording, {})


def test_token_goes_to_no_other_endpoint(recording):
    elsewhere = Imagery(provider="mapillary", endpoint="https://mirror.example")
    with pytest.raises(StudyError, match=r"mirror\.example.*graph\.mapillary\.com"):
        connect(elsewhere, recording, ENVIRONMENT)


def test_other_instances_of_a_provider_without_token_are_welcome(recording):
    settings = Imagery(provider="panoramax", endpoint="https://panoramax.ign.example")
    with connect(settings, recording, {}) as client:
        assert client.n_requests == 0


def test_more_requests_than_allowed_are_refused(recording):
    settings = Imagery(provider="mapillary", requests_per_minute=20_000)
    with pytest.raises(StudyError, match=r"requests_per_minute.*10000"):
        connect(settings, recording, ENVIRONMENT)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://panoramax.ign.example",
        "https://panoramax.ign.example:8443/here",
        "http://127.0.0.1:8000",
        "http://localhost",
    ],
)
def test_endpoints_are_of_https_or_of_this_machine(endpoint):
    assert Imagery(provider="panoramax", endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://panoramax.ign.example",
        "https://panoramax.ign.example/",
        "https://me:secret@panoramax.ign.example",
        "https://panoramax.ign.example?x=1",
        "panoramax.ign.example",
        "http://127.0.0.1.example",
        "",
    ],
)
def test_other_endpoints_are_refused(endpoint):
    with pytest.raises(ValidationError, match="https://"):
        Imagery(provider="panoramax", endpoint=endpoint)


def test_kinds_of_captures_that_are_gone_are_left_out_of_links(tmp_path):
    gone = World([replace(ONE, shows="gone"), replace(ONE, capture_id="43")])
    for key in ("mapillary", "panoramax", "kartaview"):
        with connected(gone, tmp_path / key, key) as at:
            ids = at.found(AROUND).captures["capture_id"].tolist()
            assert len(ids) == 2
            assert len(at.provider.links(ids)) == 1


def test_links_are_asked_for_in_batches(tmp_path):
    with connected(invented(70, spread_deg=0.001), tmp_path) as at:
        ids = at.found(AROUND).captures["capture_id"].tolist()
        assert len(at.provider.links(ids)) == 70
        assert at.server.seen["links"] == 2
