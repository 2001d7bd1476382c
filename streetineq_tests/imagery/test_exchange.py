"""One request and its answer: where a token goes, what is accepted, what is told of a fault."""

import gzip
import threading
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.exchange import (
    Exchange,
    FaultError,
    by_status,
    in_header,
    in_query,
    user_agent,
)
from streetineq_assets.imagery.tokens import Token
from streetineq_tests.imagery.scripted import chunked, cut, says, scripted

TOKEN = Token("MLY|1234567890|c0ffee")
BODY = b'{"a": 1}'


@pytest.fixture
def at():
    """Make an exchange with a server, which is closed in the end."""
    made = []

    def make(url, **more):
        made.append(Exchange(url, in_header(TOKEN, "OAuth"), **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def get(channel, url, *, with_token=True, most_bytes=10**6, params=None):
    return channel.get(url, params, with_token=with_token, most_bytes=most_bytes)


def fault_of(channel, url, **more):
    with pytest.raises(FaultError) as caught:
        get(channel, url, **more)
    shown = "".join(traceback.format_exception(caught.value))
    assert "c0ffee" not in shown
    assert caught.value.__context__ is None
    return caught.value


def test_request_says_who_asks_and_carries_the_token(at):
    with scripted({"/x": says(BODY)}) as server:
        channel = at(server.url)
        assert get(channel, f"{server.url}/x", params={"b": "1 2"}).body == BODY
        path, headers = server.asked[0]
        assert path == "/x?b=1+2"
        assert headers["User-Agent"] == user_agent()
        assert user_agent().startswith("streetineq")
        assert headers["Authorization"] == f"OAuth {TOKEN.reveal()}"
        assert channel.traffic == {"requests": 1, "bytes": len(BODY)}


def test_picture_is_asked_for_without_token(at):
    with scripted({"/x": says(BODY)}) as server:
        get(at(server.url), f"{server.url}/x", with_token=False)
        assert "Authorization" not in server.asked[0][1]


def test_token_stays_at_the_providers_own_address(at):
    with scripted({"/x": says(BODY)}) as own, scripted({"/x": says(BODY)}) as other:
        get(at(own.url), f"{other.url}/x")
        assert "Authorization" not in other.asked[0][1]


def test_token_does_not_follow_a_redirection_to_another_host(at):
    with (
        scripted({"/x": says(BODY)}, "127.0.0.1") as other,
        scripted({"/x": says(b"", 302, Location=f"{other.url}/x")}) as own,
    ):
        assert get(at(own.url), f"{own.url}/x").body == BODY
        assert "Authorization" in own.asked[0][1]
        assert "Authorization" not in other.asked[0][1]


def test_token_does_not_come_back_after_a_redirection_elsewhere(at):
    with scripted({}) as other, scripted({"/y": says(BODY)}) as own:
        own.answers["/x"] = says(b"", 302, Location=f"{other.url}/x")
        other.answers["/x"] = says(b"", 302, Location=f"{own.url}/y")
        get(at(own.url), f"{own.url}/x")
        assert own.asked[1][0] == "/y"
        assert "Authorization" not in own.asked[1][1]


def test_key_in_the_address_does_not_follow_either(at):
    with scripted({"/x": says(BODY)}) as other:
        with scripted({"/x": says(b"", 307, Location=f"{other.url}/x?a=1")}) as own:
            channel = Exchange(own.url, in_query(TOKEN, "key"))
            get(channel, f"{own.url}/x", params={"b": "1"})
            channel.close()
            assert own.asked[0][0] == "/x?b=1&key=MLY%7C1234567890%7Cc0ffee"
        assert other.asked[0][0] == "/x?a=1"


def test_redirections_end(at):
    with scripted({"/x": says(b"", 302, Location="/x")}) as server:
        assert fault_of(at(server.url), f"{server.url}/x").kind == exchange.SERVER_ERROR
        assert len(server.asked) == 6


def test_passwords_of_netrc_are_not_sent(at, tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login me password s3cret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with scripted({"/x": says(b"", 302, Location="/y"), "/y": says(BODY)}) as server:
        get(at(server.url), f"{server.url}/x", with_token=False)
        assert all("Authorization" not in headers for _, headers in server.asked)
        # The library by itself would have sent them.
        requests.get(f"{server.url}/y", timeout=5)
        assert server.asked[-1][1]["Authorization"].startswith("Basic ")


def test_cookies_are_not_kept(at):
    with scripted({"/x": says(BODY, Set_Cookie="a=1")}) as server:
        channel = at(server.url)
        get(channel, f"{server.url}/x")
        get(channel, f"{server.url}/x")
        assert "Cookie" not in server.asked[1][1]


@pytest.mark.parametrize(
    "url",
    [
        "http://images.example/1.jpg",
        "ftp://images.example/1.jpg",
        "file:///etc/passwd",
        "https://127.0.0.1/1.jpg",
        "https:///1.jpg",
        "//images.example/1.jpg",
        "https://[::1/1.jpg",
        "",
    ],
)
def test_addresses_are_of_https_and_not_of_this_machine(at, url):
    assert fault_of(at("https://graph.example"), url).kind == exchange.UNSAFE_LINK


def test_redirection_to_plain_http_is_not_followed(at):
    with scripted({"/x": says(b"", 302, Location="http://images.example/1.jpg")}) as server:
        assert fault_of(at(server.url), f"{server.url}/x").kind == exchange.UNSAFE_LINK


@pytest.mark.parametrize(
    "answer",
    [
        cut(b"x" * 5000),
        cut(gzip.compress(BODY), Content_Encoding="gzip"),
        chunked(b"x" * 50, whole=False),
    ],
    ids=["length", "packed", "chunks"],
)
def test_answer_that_is_cut_is_no_answer(at, answer):
    with scripted({"/x": answer}) as server:
        fault = fault_of(at(server.url), f"{server.url}/x")
        assert (fault.kind, fault.passes) == (exchange.CONNECTION_CUT, True)


def test_answers_in_chunks_and_packed_ones_are_whole(at):
    packed = gzip.compress(BODY)
    answers = {
        "/chunks": chunked(b'{"a"', b": 1}", whole=True),
        "/packed": says(packed, Content_Encoding="gzip"),
    }
    with scripted(answers) as server:
        channel = at(server.url)
        for path in answers:
            assert get(channel, f"{server.url}{path}").body == BODY


def test_answer_that_is_too_long_is_not_read_to_its_end(at):
    with scripted({"/x": says(b"x" * 300_000)}) as server:
        channel = at(server.url)
        fault = fault_of(channel, f"{server.url}/x", most_bytes=1000)
        assert (fault.kind, fault.passes) == (exchange.TOO_LARGE, False)
        assert channel.traffic["bytes"] < 300_000


def test_server_that_does_not_answer_is_left(at):
    ended = threading.Event()
    with scripted({"/x": lambda handler: ended.wait(5)}) as server:
        channel = at(server.url, timeouts_s=(1.0, 0.05))
        assert fault_of(channel, f"{server.url}/x").kind == exchange.TIMED_OUT
        ended.set()


def test_server_that_stops_in_the_middle_is_left(at):
    ended = threading.Event()

    def half(handler):
        cut(b"x" * 100)(handler)
        ended.wait(5)

    with scripted({"/x": half}) as server:
        channel = at(server.url, timeouts_s=(1.0, 0.05))
        assert fault_of(channel, f"{server.url}/x").kind == exchange.TIMED_OUT
        ended.set()


def test_nobody_there_is_told(at):
    with scripted({}) as server:
        url = server.url
    assert fault_of(at(url), f"{url}/x").kind == exchange.CONNECTION_CUT


def test_provider_says_how_long_to_wait_in_seconds_or_by_a_date(at):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    answers = {
        "/seconds": says(b"", 429, Retry_After="7"),
        "/date": says(b"", 429, Retry_After=soon),
        "/past": says(b"", 429, Retry_After="Fri, 01 Jan 2016 00:00:00 GMT"),
        "/nonsense": says(b"", 429, Retry_After="later"),
        "/none": says(b"", 429),
    }
    with scripted(answers) as server:
        channel = at(server.url)
        waits = [get(channel, f"{server.url}{path}").retry_after_s for path in answers]
    assert waits[0] == 7
    assert 80 < waits[1] <= 90
    assert waits[2:] == [0, 0, 0]


def test_statuses_have_kinds():
    kinds = {status: by_status(status) for status in (200, 204, 304, 400, 403, 404, 408, 429, 503)}
    assert kinds == {
        200: None,
        204: None,
        304: exchange.NOT_UNDERSTOOD,
        400: exchange.NOT_UNDERSTOOD,
        403: exchange.REFUSED,
        404: exchange.GONE,
        408: exchange.TIMED_OUT,
        429: exchange.RATE_LIMITED,
        503: exchange.SERVER_ERROR,
    }


def test_threads_have_connections_of_their_own(at):
    with scripted({"/x": says(BODY)}) as server:
        channel = at(server.url)
        threads = [
            threading.Thread(target=get, args=(channel, f"{server.url}/x")) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert channel.traffic["requests"] == 4
