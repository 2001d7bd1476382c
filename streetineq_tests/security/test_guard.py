"""The web server answers its own pages alone, whatever name a foreign page finds it by."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import StudyError
from streetineq_assets.guard import HOSTS_VARIABLE, Guard, allowed_hosts

PORT = 3000
OWN = [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"]
NAMED = "inequality.example.org"
MUTATION = b"query=mutation%7BlaunchRun%7D"
GUARDED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def answer(
    host=f"127.0.0.1:{PORT}", origin=None, *, path="/graphql", query=b"", kind="http", method="POST"
):
    """Status, close code or `passed`, and the headers that were sent."""
    headers = [(b"host", host.encode("latin-1", "replace"))] if host is not None else []
    if origin is not None:
        headers.append((b"origin", origin.encode("latin-1", "replace")))
    scope = {"type": kind, "path": path, "query_string": query, "headers": headers}
    scope |= {"server": ("127.0.0.1", PORT), "method": method}
    sent = []

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": "passed", "headers": []})

    async def send(message):
        sent.append(message)

    async def receive():
        return {}

    asyncio.run(Guard(application, [NAMED])(scope, receive, send))
    return sent[0].get("status", sent[0].get("code")), sent[0].get("headers", [])


def status(*arguments, **options):
    return answer(*arguments, **options)[0]


@pytest.mark.parametrize("host", [*OWN, NAMED])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_its_own_pages_pass(host, kind):
    scheme = "https" if host == NAMED else "http"
    assert status(host, f"{scheme}://{host}", kind=kind) == "passed"
    assert status(host, kind=kind) == "passed", "a command line sends no origin"


@pytest.mark.parametrize("path", ["/", "/assets", "/logs/x", "/_next/a.js", "/assets/graphql-like"])
def test_pages_and_their_addresses_pass(path):
    assert status(path=path, query=b"view=checks", method="GET") == "passed"
    assert status(path="/graphql", method="GET") == "passed", "the page to try queries on"


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/prefix/graphql"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("query", [MUTATION, b"op=x&" + MUTATION, b"%71uery=x", b"query"])
def test_a_query_in_the_address_is_refused(attempt, path, method, query):
    attempt.fails(status(path=path, query=query, method=method) == 405, path)


def test_the_name_of_an_operation_in_the_address_passes():
    """The UI puts it there, and the query in the body."""
    assert status(query=b"op=AssetRecordsQuery") == "passed"


@GUARDED
@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["http", "websocket"]))
@example("evil.example", "http")
@example(f"evil.example:{PORT}", "websocket")  # a name that its owner points here
@example("127.0.0.1", "http")
@example(f"127.0.0.1:{PORT}.evil.example", "http")
@example(f"user@127.0.0.1:{PORT}", "http")
@example("", "http")
def test_any_other_host_is_refused(attempt, host, kind):
    if host.lower() not in {*OWN, NAMED}:
        attempt.fails(status(host, kind=kind) in (403, 1008), host)
        attempt.fails(status(None, kind=kind) in (403, 1008), "no host")


@GUARDED
@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["http", "websocket"]))
@example("null", "http")
@example("http://evil.example", "websocket")
@example("http://localhost:8080", "http")
@example("http://127.0.0.1", "http")
@example(f"http://evil.example/http://127.0.0.1:{PORT}", "http")
@example(f"file://127.0.0.1:{PORT}", "http")
@example(f"http://127.0.0.1:{PORT}@evil.example", "http")
@example("http://[", "http")
def test_any_other_origin_is_refused(attempt, origin, kind):
    own = {f"{scheme}://{host}".lower() for host in (*OWN, NAMED) for scheme in ("http", "https")}
    if origin.lower() not in own:
        attempt.fails(status(origin=origin, kind=kind) in (403, 1008), origin)


def test_no_page_may_frame_another(attempt):
    """Else a foreign page lays the UI under the pointer, and its user clicks there."""
    _, headers = answer(method="GET", path="/")
    attempt.fails((b"x-frame-options", b"DENY") in headers, headers)


def test_hosts_are_named_by_the_environment(monkeypatch):
    monkeypatch.delenv(HOSTS_VARIABLE, raising=False)
    assert allowed_hosts() == ()
    monkeypatch.setenv(HOSTS_VARIABLE, f"{NAMED}, 10.0.0.5:3000,")
    assert allowed_hosts() == (NAMED, "10.0.0.5:3000")


@pytest.mark.parametrize("named", ["*", "*.example.org", "https://a.org", "a.org/x", "a b@c"])
def test_a_pattern_is_no_host(attempt, monkeypatch, named):
    monkeypatch.setenv(HOSTS_VARIABLE, named)
    with attempt.raises(StudyError, match=HOSTS_VARIABLE):
        allowed_hosts()
