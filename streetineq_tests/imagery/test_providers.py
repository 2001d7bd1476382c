"""What all providers have in common, and what study.toml must say before one is asked."""

from collections import Counter
from dataclasses import replace

import pytest
from pydantic import ValidationError

from streetineq_assets.errors import ImageryError, StudyError
from streetineq_assets.image_settings import Imagery
from streetineq_assets.image_settings import Provider as ProviderKey
from streetineq_assets.imagery.found import FOUND
from streetineq_assets.imagery.providers import PROVIDERS, connect
from streetineq_assets.imagery.providers.kartaview import KartaView
from streetineq_assets.imagery.providers.mapillary import Mapillary
from streetineq_assets.imagery.providers.panoramax import Panoramax
from streetineq_assets.imagery.recording import Recording
from streetineq_assets.images.rights import find_terms
from streetineq_tests.imagery.asked_provider import AROUND, ONE, WORLD, Said
from streetineq_tests.imagery.connected import BOX, ENVIRONMENT, connected
from streetineq_tests.imagery.world import World, invented


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
