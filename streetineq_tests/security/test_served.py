"""`streetineq serve` as a browser meets it: its own pages work, and those of others do nothing."""

import contextlib
import functools
import http.server
import json
import os
import signal
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from streetineq_assets.demo.city import write_study
from streetineq_assets.store import DataStore
from streetineq_tests.served import ask, served, wait_for
from streetineq_tests.test_serving import descendants

pytestmark = pytest.mark.slow

LAUNCH = """
    mutation($config: RunConfigData!) { launchRun(executionParams: {
        selector: { repositoryLocationName: "streetineq",
                    repositoryName: "__repository__", jobName: "refresh_labels" }
        runConfigData: $config }) {
        __typename
        ... on LaunchRunSuccess { run { runId } }
        ... on RunConfigValidationInvalid { errors { message } }
        ... on PythonError { message }
        ... on UnauthorizedError { message }
    } }
"""
LAUNCH_PLAIN = LAUNCH.replace("($config: RunConfigData!)", "").replace("$config", "{}")
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
RELOAD = """
    mutation { reloadRepositoryLocation(repositoryLocationName: "streetineq") { __typename } }
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("served") / "study"
    write_study(root, sizes={"northmere": 20, "saltbridge": 15}, locations_per_lsoa=1)
    return DataStore(root)


@pytest.fixture(scope="module")
def serve(store):
    with served("serve", store.root) as server:
        yield server


@pytest.fixture(scope="module")
def ui(serve):
    return serve.url


@pytest.fixture(scope="module")
def read_only(store, ui):
    with served("webserver", store.root, "--read-only") as server:
        yield server


def status(url, path, *, headers=(), body=None):
    request = urllib.request.Request(url + path, body, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def runs(url):
    return ask(url, RUNS)["runsOrError"]["results"]


JSON = {"Content-Type": "application/json"}
BODY = json.dumps({"query": LAUNCH_PLAIN}).encode()
ADDRESS = f"/graphql?query={urllib.parse.quote(LAUNCH_PLAIN)}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REQUESTS = {
    "mutation by GET": (ADDRESS, {}, None),
    "mutation by a form": (ADDRESS, FORM, b"a=b"),
    "foreign host": ("/graphql", JSON | {"Host": "evil.example"}, BODY),
    "foreign host with the port": ("/", {"Host": "evil.example:3000"}, None),
    "foreign origin": ("/graphql", JSON | {"Origin": "http://evil.example"}, BODY),
    "origin of a file": ("/graphql", JSON | {"Origin": "null"}, BODY),
    "another port's origin": ("/graphql", JSON | {"Origin": "http://localhost:1"}, BODY),
    "an asset reported": (
        "/report_asset_materialization/lsoa_labels",
        JSON | {"Origin": "http://evil.example"},
        b"{}",
    ),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_a_cross_site_request_gets_a_4xx_and_launches_nothing(attempt, ui, what):
    path, headers, body = REQUESTS[what]
    before = runs(ui)
    attempt.fails(400 <= status(ui, path, headers=headers, body=body) < 500, what)
    assert runs(ui) == before


@pytest.mark.parametrize(
    ("resource", "field"), [("study", "root"), ("duckdb", "database"), ("io_manager", "base_dir")]
)
def test_the_launchpad_sets_no_folder(attempt, ui, tmp_path, resource, field):
    config = {"resources": {resource: {"config": {field: str(tmp_path / "other")}}}}
    answer = ask(ui, LAUNCH, config=json.dumps(config))["launchRun"]
    attempt.fails(answer["__typename"] == "RunConfigValidationInvalid", answer)
    assert field in answer["errors"][0]["message"]
    assert not (tmp_path / "other").exists()


def test_a_run_launched_as_the_ui_does_succeeds_also_after_the_code_server_was_killed(serve, ui):
    def finished(run_id):
        (mine,) = [run for run in runs(ui) if run["runId"] == run_id]
        return mine["status"] if mine["status"] in ("SUCCESS", "FAILURE") else None

    def launch():
        answer = ask(ui, LAUNCH, config="{}")["launchRun"]
        return answer.get("run", {}).get("runId")

    first = launch()
    assert wait_for(lambda: finished(first), 240) == "SUCCESS"
    (code_server,) = [pid for pid in descendants(serve.pid) if "code-server" in command_of(pid)]
    os.kill(code_server, signal.SIGKILL)
    again = wait_for(launch, 120)
    assert wait_for(lambda: finished(again), 240) == "SUCCESS"
    loaded = ask(ui, RELOAD)["reloadRepositoryLocation"]
    assert loaded["__typename"] == "WorkspaceLocationEntry"


def command_of(pid):
    """Its command line; empty where it has ended since."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_a_read_only_server_shows_everything_and_launches_nothing(attempt, read_only):
    assert ask(read_only.url, "{ version }")["version"]
    answer = ask(read_only.url, LAUNCH, config="{}")["launchRun"]
    attempt.fails(answer["__typename"] == "UnauthorizedError", answer)


# -- in a browser --------------------------------------------------------------------------------

# What a page of somebody else tries on whoever visits it.
PAGE = """
<img src="URL{address}">
<iframe src="URL/" id="framed"></iframe>
<iframe name="form"></iframe>
<form id="f" method="post" target="form" enctype="text/plain" action="URL{address}"></form>
<script>
document.getElementById("f").submit();
const tried = [
  fetch("URL/graphql", {{method: "POST", mode: "no-cors", body: {body}}}),
  fetch("URL/graphql", {{method: "POST", body: {body},
        headers: {{"Content-Type": "application/json"}}}}),
  new Promise((done, failed) => {{
    const socket = new WebSocket("URL/graphql".replace("http", "ws"), "graphql-ws");
    socket.onopen = done; socket.onerror = failed;
  }}),
];
Promise.allSettled(tried).then(all => {{
  document.title = "tried " + all.slice(1).map(one => one.status).join(" ");
}});
</script>
"""


def test_the_ui_works_in_a_browser_and_its_subscriptions_are_open(ui, browser):
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    sockets, refused = [], []

    def note(frame):  # Playwright marks what it calls, which a method of a list does not bear
        sockets.append(frame)

    page.on("websocket", lambda opened: opened.on("framereceived", note))
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"{ui.replace('127.0.0.1', host)}/asset-groups")
        page.get_by_text("Materialize all").wait_for(timeout=60_000)
        wait_for(lambda: page.wait_for_timeout(200) or any("_ack" in str(f) for f in sockets), 30)
        sockets.clear()
    assert [url for url in refused if "/graphql" in url] == []


def test_a_page_of_a_stranger_launches_nothing(attempt, ui, browser, tmp_path):
    text = PAGE.format(address=ADDRESS, body=json.dumps(BODY.decode())).replace("URL", ui)
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    before = runs(ui)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://localhost:{stranger.server_address[1]}/index.html")
        page.wait_for_function("() => document.title.startsWith('tried')", timeout=60_000)
        attempt.fails(page.title() == "tried rejected rejected", page.title())
        framed = page.frames[1].locator("body").inner_text()
        attempt.fails("Dagster" not in framed, framed)
        stranger.shutdown()
    attempt.fails(runs(ui) == before, "a run was launched")
