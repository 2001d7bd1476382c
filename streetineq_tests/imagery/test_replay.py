"""An acquisition is done again from its recording and its pictures, without any network."""

import socket
from dataclasses import replace
from hashlib import sha256

import pytest

from streetineq_assets.errors import ImageryError
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.boxes import Box, search_boxes, together
from streetineq_assets.imagery.pictures import PictureRejectedError
from streetineq_assets.imagery.providers import provider_of
from streetineq_assets.imagery.recording import read_recording
from streetineq_assets.imagery.replay import Replay
from streetineq_tests.imagery import faults as kinds
from streetineq_tests.imagery.connected import AGREED, MIDDLE, connected
from streetineq_tests.imagery.faults import Faults
from streetineq_tests.imagery.world import World, invented

BOX = Box(-0.121, 51.499, -0.119, 51.501)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(
    scope="module", params=["mapillary", "panoramax", "kartaview", "google_street_view"]
)
def acquired(request, tmp_path_factory):
    """Settings, captures, pictures, and the recording of an acquisition with some faults."""
    folder = tmp_path_factory.mktemp(request.param)
    world = invented(8, seed=4, middle=MIDDLE, spread_deg=0.0015)
    card = replace(world.captures[0], shows="no_imagery")
    gone = replace(world.captures[1], shows="gone")
    faults = Faults(rates={kinds.SERVER_ERROR: 0.2}, seed=1)
    settings = {"requests_per_minute": 100}
    odd = World([card, gone, *world.captures[2:]])
    with connected(odd, folder, request.param, faults=faults, imagery=settings) as at:
        captures = at.found(BOX).captures
        pictures = at.pictures(captures["capture_id"].tolist())
        at.recording.write(folder / "r.gz")
        imagery = Imagery(provider=request.param, endpoint=at.server.url)
    return imagery, captures, pictures, read_recording(folder / "r.gz")


def replayed(acquired, pictures=None):
    imagery, _, held, entries = acquired
    kept = held.values() if pictures is None else pictures
    by_digest = {sha256(data).hexdigest(): data for data in kept if isinstance(data, bytes)}
    return provider_of(imagery, AGREED, Replay(entries, by_digest.get, name="recording.jsonl.gz"))


def outcome(provider, link):
    try:
        return provider.picture(link)
    except PictureRejectedError as rejected:
        return rejected.reason


def test_replay_gives_the_same_without_network(acquired, no_network):
    _, captures, pictures, _ = acquired
    provider = replayed(acquired)
    found = together(search_boxes(provider.search, BOX, least_deg=provider.least_deg))
    assert found.captures.equals(captures)
    links = provider.links(captures["capture_id"].tolist())
    again = {i: outcome(provider, links[i]) if i in links else "gone" for i in pictures}
    assert again == pictures
    assert any(isinstance(each, bytes) for each in again.values())


def test_request_that_was_not_made_then_is_named(acquired, no_network):
    with pytest.raises(ImageryError, match=r"recording\.jsonl\.gz.*GET http.*(50|bbox)"):
        replayed(acquired).search(Box(0.0, 50.0, 0.001, 50.001))


def test_capture_that_was_not_fetched_then_is_named(acquired, no_network):
    with pytest.raises(ImageryError, match="LINK 4711_090"):
        replayed(acquired).links(["4711_090"])


def a_link(acquired):
    _, _, pictures, _ = acquired
    provider = replayed(acquired, pictures=[])
    capture_id = next(i for i, data in pictures.items() if isinstance(data, bytes))
    return capture_id, provider.links([capture_id])[capture_id], provider


def test_picture_that_is_no_longer_there_is_named(acquired, no_network):
    capture_id, link, provider = a_link(acquired)
    with pytest.raises(ImageryError, match=f"{capture_id}.*not kept"):
        provider.picture(link)


def test_picture_that_is_another_now_is_named(acquired, no_network):
    imagery, _, _, entries = acquired
    capture_id, _, _ = a_link(acquired)
    provider = provider_of(imagery, AGREED, Replay(entries, lambda _: b"another"))
    link = provider.links([capture_id])[capture_id]
    with pytest.raises(ImageryError, match=f"{capture_id}.*another file"):
        provider.picture(link)


def test_replay_asks_nothing_fresh():
    with pytest.raises(ImageryError, match=r"GET https://a\.example/x"):
        Replay({}, {}.get).fresh_json("https://a.example/x", {})
