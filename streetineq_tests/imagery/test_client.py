"""Every fault is met, counted and got over, and what is got is the same as without it."""

import json
import logging
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import pytest
import requests

from streetineq_assets.errors import ImageryError
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.pictures import PictureRejectedError
from streetineq_assets.imagery.providers import connect
from streetineq_assets.imagery.recording import Recording, read_recording
from streetineq_tests.imagery import faults as kinds
from streetineq_tests.imagery.connected import BOX, Clock, connected
from streetineq_tests.imagery.faults import Faults
from streetineq_tests.imagery.loopback import TOKEN
from streetineq_tests.imagery.scripted import says, scripted
from streetineq_tests.imagery.world import World, invented

WORLD = invented(12, seed=3, spread_deg=0.007)
SLOW, WAITS = 1.4, 0.9  # seconds that a slow answer takes, and that the client waits


def everything(at):
    found = at.found()
    return found.captures, at.pictures(found.captures["capture_id"].tolist())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Captures and pictures of an acquisition without faults."""
    with connected(WORLD, tmp_path_factory.mktemp("undisturbed")) as at:
        captures, pictures = everything(at)
        assert at.client.faults == Counter()
    assert len(pictures) == 12
    assert all(isinstance(each, bytes) for each in pictures.values())
    return captures, pictures


def assert_same(at, undisturbed):
    captures, pictures = everything(at)
    assert captures.equals(undisturbed[0])
    assert pictures == undisturbed[1]
    assert len(at.recording) == 1 + 2 * 12  # a search, and link and picture of each


# Request 1 is the search, then come links, then pictures; a fault moves the others by one.
ANSWERS, PICTURES = [1, 2, 4], [3, 6, 9, 12]
WHERE = {
    **dict.fromkeys(kinds.TRANSIENT, ANSWERS + PICTURES[1:]),
    **dict.fromkeys([kinds.QUERY_TIMEOUT, kinds.NOT_JSON], ANSWERS),
    **dict.fromkeys([kinds.LINK_EXPIRED, kinds.NOT_AN_IMAGE], PICTURES),
    kinds.TIMED_OUT: [1, 5],
}


@pytest.mark.parametrize("kind", kinds.TRANSIENT)
def test_each_fault_is_counted_and_changes_nothing(kind, undisturbed, tmp_path):
    faults = Faults(at=dict.fromkeys(WHERE[kind], kind), slow_s=SLOW)
    waits = (5.0, WAITS) if kind == kinds.TIMED_OUT else (5.0, 5.0)
    with connected(WORLD, tmp_path, faults=faults, timeouts_s=waits) as at:
        assert_same(at, undisturbed)
        assert at.client.faults == faults.injected == Counter({kind: len(WHERE[kind])})
        assert at.client.n_requests == at.server.n_requests


def test_all_faults_together_are_counted_and_change_nothing(undisturbed, tmp_path):
    rates = dict.fromkeys(set(kinds.TRANSIENT) - {kinds.TIMED_OUT}, 0.15)
    faults = Faults(rates=rates, seed=5, down=[3, 4, 20])
    with connected(WORLD, tmp_path, faults=faults) as at:
        assert_same(at, undisturbed)
        assert at.client.faults == faults.injected
        assert len(faults.injected) >= 6
        assert at.server.misdirected == 0


def test_server_that_is_down_for_a_while_is_waited_for(undisturbed, tmp_path):
    faults = Faults(down=range(5, 12))
    with connected(WORLD, tmp_path, faults=faults) as at:
        assert_same(at, undisturbed)
        assert at.client.faults == Counter({kinds.CONNECTION_CUT: 7})
        longest = [each for each in at.clock.pauses if each >= 1]
        # Later and later: 1, 2, 4, ... seconds and up to one more.
        assert all(2**k <= wait <= 2**k + 1 for k, wait in enumerate(longest[:6]))


def test_links_that_expire_are_asked_for_again(undisturbed, tmp_path):
    with connected(WORLD, tmp_path, links_valid_for=5) as at:
        assert_same(at, undisturbed)
        assert at.client.faults[kinds.LINK_EXPIRED] == at.server.faults.injected["link_expired"] > 0
        assert at.server.seen["links"] > 1


def test_requests_wait_as_long_as_the_provider_asks(tmp_path):
    faults = Faults(at={1: kinds.RATE_LIMITED}, retry_after_s=30)
    with connected(WORLD, tmp_path, faults=faults) as at:
        at.found()
        assert max(at.clock.pauses) == 30
        # Thirty seconds once, and not again for the turn after it.
        assert sum(at.clock.pauses) < 31


def test_requests_are_evenly_spaced(tmp_path):
    with connected(WORLD, tmp_path, imagery={"requests_per_minute": 60}) as at:
        began = at.clock.now
        everything(at)
        assert at.clock.now - began == pytest.approx(at.client.n_requests - 1)


def test_what_was_answered_is_not_asked_again(tmp_path):
    with connected(WORLD, tmp_path) as at:
        found = at.found()
        asked = at.client.n_requests
        assert at.found().captures.equals(found.captures)
        assert at.client.n_requests == asked


def test_killed_acquisition_goes_on_and_its_recording_is_the_same_file(tmp_path):
    server = {"port": 0}
    (tmp_path / "whole").mkdir()
    with connected(WORLD, tmp_path / "whole", **server) as at:
        everything(at)
        at.recording.write(tmp_path / "whole.gz")
        port = int(at.server.url.rpartition(":")[2])
    lines = (tmp_path / "whole" / "recording.jsonl").read_bytes()
    (tmp_path / "cut").mkdir()
    # Killed in the middle of writing its seventh line.
    seventh = lines.splitlines(keepends=True)
    (tmp_path / "cut" / "recording.jsonl").write_bytes(b"".join(seventh[:6]) + seventh[6][:9])
    faults = Faults(rates={kinds.SERVER_ERROR: 0.2, kinds.CONNECTION_CUT: 0.2}, seed=1)
    with connected(WORLD, tmp_path / "cut", port=port, faults=faults) as at:
        everything(at)
        assert at.server.seen["search"] == 0
        at.recording.write(tmp_path / "cut.gz")
    assert (tmp_path / "cut.gz").read_bytes() == (tmp_path / "whole.gz").read_bytes()


def test_pictures_that_are_none_are_rejected_by_reason(tmp_path):
    shows = ["no_imagery", "not_an_image", "gone"]
    odd = [replace(c, shows=s) for c, s in zip(WORLD.captures[:3], shows, strict=True)]
    world = World([*odd, *WORLD.captures[3:]])
    with connected(world, tmp_path) as at:
        _, pictures = everything(at)
        reasons = {i: each for i, each in pictures.items() if isinstance(each, str)}
        assert reasons == {c.capture_id: c.shows for c in odd}
        # A page is asked for three times, since it may be a busy host's.
        expected = Counter({"no_imagery_picture": 1, "not_an_image": 3})
        assert at.client.faults == at.server.faults.injected == expected
        assert at.recording.get(f"PICTURE {odd[0].capture_id}")["rejected"] == "no_imagery"
        assert at.recording.get(f"LINK {odd[2].capture_id}")["gone"] is True


def test_link_that_is_refused_again_and_again_rejects_the_picture(tmp_path):
    faults = Faults(rates={kinds.LINK_EXPIRED: 1.0})
    with connected(World(WORLD.captures[:1]), tmp_path, faults=faults) as at:
        _, pictures = everything(at)
        assert list(pictures.values()) == ["link_expired"]
        assert at.client.faults == faults.injected == Counter({"link_expired": 3})


def test_capture_that_is_withdrawn_while_its_link_expires_is_gone(tmp_path):
    world = World([WORLD.captures[0]])
    with connected(world, tmp_path, faults=Faults(at={3: kinds.LINK_EXPIRED})) as at:
        found = at.found()
        links = at.provider.links(found.captures["capture_id"].tolist())
        at.server.world = World([replace(WORLD.captures[0], shows="gone")])
        (link,) = links.values()
        assert at._one(link) == "gone"


# What is not to be had ends in one sentence.


def failure(at, act=None):
    with pytest.raises(ImageryError) as caught:
        (act or at.found)()
    shown = "".join(traceback.format_exception(caught.value))
    for secret in (TOKEN, quote(TOKEN), quote(TOKEN, safe="")):
        assert secret not in shown
    error = caught.value
    while error is not None:
        assert TOKEN not in f"{error!r}{error.args}"
        error = error.__cause__ or error.__context__
    message = str(caught.value)
    assert "\n" not in message
    assert "kept" in message
    return message


@pytest.mark.parametrize("kind", [kinds.SERVER_ERROR, kinds.CONNECTION_CUT, kinds.NOT_JSON])
def test_provider_that_never_answers_is_told_since_when(kind, tmp_path):
    faults = Faults(rates={kind: 1.0})
    with connected(WORLD, tmp_path, faults=faults, patience_s=600) as at:
        message = failure(at)
        assert message.startswith("Mapillary (127.0.0.1:")
        assert "since 20" in message
        assert f"{faults.injected[kind]} tries" in message
        assert 300 < sum(at.clock.pauses) <= 600


def test_quota_that_is_used_up_is_told_as_such(tmp_path):
    faults = Faults(rates={kinds.RATE_LIMITED: 1.0})
    with connected(WORLD, tmp_path, faults=faults, patience_s=300) as at:
        message = failure(at)
        assert "quota" in message
        assert "requests_per_minute" in message


def test_provider_that_asks_for_more_patience_than_there_is_is_left_at_once(tmp_path):
    faults = Faults(rates={kinds.RATE_LIMITED: 1.0}, retry_after_s=86_400)
    with connected(WORLD, tmp_path, faults=faults) as at:
        assert "quota" in failure(at)
        assert sum(at.clock.pauses) == 0


def test_refused_token_is_told_with_its_variable_and_page(tmp_path):
    with connected(WORLD, tmp_path, token="MLY|another|token") as at:
        message = failure(at)
        assert "MAPILLARY_TOKEN" in message
        assert "https://www.mapillary.com/dashboard/developers" in message
        assert at.client.faults == Counter({"refused": 1})


def test_request_that_is_not_understood_is_not_made_again(tmp_path):
    with connected(WORLD, tmp_path) as at:
        large = BOX._replace(west=-0.2)
        message = failure(at, lambda: at.found(large))
        assert "bbox is too large" in message
        assert at.client.n_requests == 1


def test_failed_acquisition_keeps_what_it_has_and_goes_on_later(undisturbed, tmp_path):
    with connected(WORLD, tmp_path, faults=Faults(down=range(6, 999)), patience_s=60) as at:
        failure(at, lambda: everything(at))
        assert len(at.recording) == 1 + 12 + 3
        port = int(at.server.url.rpartition(":")[2])
    with connected(WORLD, tmp_path, port=port) as at:
        assert_same(at, undisturbed)


# Answers of other servers than the providers'.


@contextmanager
def asking(answers, folder):
    """A client of a server that says what a test wants."""
    clock = Clock()
    with scripted(answers) as server, Recording(folder / "r.jsonl") as recording:
        settings = Imagery(provider="panoramax", endpoint=server.url)
        with connect(settings, recording, {}, pause=clock.pause, clock=clock) as client:
            client.url = server.url
            yield client


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "endpoint"), (403, "closed to the public"), (400, "report it")]
)
def test_answers_that_do_not_change_are_told_with_advice(status, advice, tmp_path):
    with asking({"/x": says(b"{}", status)}, tmp_path) as client:
        with pytest.raises(ImageryError, match=rf"HTTP {status}.*{advice}"):
            client.json(f"{client.url}/x", {})
        assert client.n_requests == 1


def test_certificate_that_nobody_knows_is_told(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] secret")

    monkeypatch.setattr(requests.Session, "get", refuse)
    with asking({}, tmp_path) as client, pytest.raises(ImageryError, match="certificate") as caught:
        client.json(f"{client.url}/x", {})
    assert "secret" not in str(caught.value)


def test_answer_nested_without_end_is_no_answer(tmp_path):
    with asking({"/x": says(b"[" * 200_000)}, tmp_path) as client:
        with pytest.raises(ImageryError, match="no JSON"):
            client.json(f"{client.url}/x", {})
        assert client.faults["not_json"] > 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(b"", 404), "gone"),
        (says(b"", 410), "gone"),
        (says(b"", 302, Location="http://images.example/1.jpg"), "unsafe_link"),
        (says(b"x" * 3000), "too_large"),
        (says(b"\xff\xd8\xff" + bytes(100)), "not_an_image"),
    ],
    ids=["404", "410", "redirection", "large", "damaged"],
)
def test_pictures_that_cannot_be_had_say_why(answer, reason, tmp_path, monkeypatch):
    monkeypatch.setattr("streetineq_assets.imagery.client._MOST_PICTURE", 2000)
    with asking({"/1.jpg": answer}, tmp_path) as client:
        with pytest.raises(PictureRejectedError) as caught:
            client.picture(f"{client.url}/1.jpg", "1")
        assert caught.value.reason == reason


def test_picture_whose_address_is_not_safe_is_not_asked_for(tmp_path):
    with asking({}, tmp_path) as client:
        with pytest.raises(PictureRejectedError, match="unsafe_link"):
            client.picture("http://images.example/1.jpg", "1")
        assert client.n_requests == 0


# Crowds.


def test_crowded_boxes_are_split_until_every_capture_is_found(monkeypatch, tmp_path):
    world = invented(120, seed=7, spread_deg=0.007)
    with connected(world, tmp_path) as at:
        whole = at.found()
        assert whole.n_boxes == 1
    (tmp_path / "split").mkdir()
    with connected(world, tmp_path / "split") as at:
        monkeypatch.setattr(type(at.provider), "most_hits", 15)
        split = at.found()
        assert split.captures.equals(whole.captures)
        assert len(split.captures) == 120
        assert split.not_exhausted == ()
        assert at.server.too_many > 4
        assert split.n_boxes == at.server.seen["search"] - (at.server.seen["search"] - 1) // 4


def test_box_that_times_out_for_ever_is_split_too(tmp_path):
    faults = Faults(at=dict.fromkeys(range(1, 7), kinds.QUERY_TIMEOUT))
    with connected(WORLD, tmp_path, faults=faults) as at:
        found = at.found()
        assert len(found.captures) == 12
        assert found.n_boxes == 4
        assert at.client.faults == faults.injected == Counter({kinds.QUERY_TIMEOUT: 6})
    with connected(WORLD, tmp_path, port=int(at.server.url.rpartition(":")[2])) as again:
        # What was given up is recorded as given up.
        assert again.found().captures.equals(found.captures)
        assert again.client.n_requests == 0


def test_crowd_that_cannot_be_split_is_reported(monkeypatch, tmp_path):
    spot = [replace(c, lat=51.5, lon=-0.12, raw_lat=None, raw_lon=None) for c in WORLD.captures]
    with connected(World(spot), tmp_path) as at:
        monkeypatch.setattr(type(at.provider), "most_hits", 5)
        found = at.found()
        assert len(found.captures) == 5
        assert found.not_exhausted


def test_captures_from_elsewhere_are_dropped(tmp_path):
    far = [replace(WORLD.captures[0], capture_id="77", lat=10.0, lon=10.0, raw_lat=None)]
    with connected(World([*WORLD.captures, *far]), tmp_path, strays=1) as at:
        found = at.found()
        assert len(found.captures) == 12
        assert found.n_outside == 1


# Nothing shows the token.


def test_token_is_nowhere_in_what_is_written_or_logged(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        faults = Faults(rates={kinds.SERVER_ERROR: 0.2, kinds.LINK_EXPIRED: 0.2}, seed=2)
        with connected(WORLD, tmp_path, faults=faults) as at:
            everything(at)
            at.recording.write(tmp_path / "r.gz")
            shown = repr(vars(at.client)) + repr(vars(at.provider)) + repr(at.client)
    files = [(tmp_path / "recording.jsonl").read_text(encoding="utf-8")]
    files.append(json.dumps(read_recording(tmp_path / "r.gz")))
    for written in (*files, caplog.text, shown):
        for secret in (TOKEN, quote(TOKEN), quote(TOKEN, safe=""), "c0ffee0123456789"):
            assert secret not in written
    # Nor are the signatures of links.
    assert "oh=" not in files[0]
    assert "paging" in files[0]
    assert at.server.misdirected == 0
