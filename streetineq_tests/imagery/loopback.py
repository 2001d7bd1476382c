"""A server on this machine that plays the providers of street imagery, from a small invented world.

    python -m streetineq_tests.imagery.loopback --provider mapillary --port 8123 --seed 1

It answers in a provider's words, with the right captures for a box, links that expire, and faults
as they are asked for; it counts what it did, also at `/_counts`. `Loopback` serves in a thread.
"""

import argparse
import hashlib
import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from streetineq_tests.imagery import faults as kinds
from streetineq_tests.imagery.dialects import (
    GoogleStreetView,
    KartaView,
    Mapillary,
    Panoramax,
    Reply,
)
from streetineq_tests.imagery.faults import Faults
from streetineq_tests.imagery.world import HTML, World, invented

TOKEN = "MLY|1234567890|c0ffee0123456789abcdef"
DIALECTS = {
    "mapillary": Mapillary,
    "panoramax": Panoramax,
    "kartaview": KartaView,
    "google_street_view": GoogleStreetView,
}
_PICTURES = "/pictures/"


class Loopback:
    """A provider on this machine, as a context manager.

    Args:
        limit: captures that a box lists at most.
        links_valid_for: requests after which a link is refused; None: never.
        strays: captures from elsewhere that each search lists too.
        page_size: of dialects that have pages.

    Attributes:
        url: to be used as `endpoint`.
        seen: requests by purpose: `search`, `links`, `picture`.
        too_many: searches of which not everything was listed.
        misdirected: requests with a token that must not have it, such as those of pictures.
    """

    def __init__(
        self,
        world: World,
        provider: str = "mapillary",
        *,
        faults: Faults | None = None,
        limit: int = 2000,
        links_valid_for: int | None = None,
        strays: int = 0,
        page_size: int | None = None,
        token: str = TOKEN,
        port: int = 0,
    ) -> None:
        self.world, self.faults, self.limit = world, faults or Faults(), limit
        self.links_valid_for, self.strays, self.page_size = links_valid_for, strays, page_size
        self.token, self.seen = token, Counter[str]()
        self.too_many, self.misdirected, self.n_requests = 0, 0, 0
        self.dialect: Any = DIALECTS[provider]()
        self.stopped, self.lock = threading.Event(), threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.loopback = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Loopback":
        # It looks whether it is to end every 20 ms, so that a test ends at once.
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def counts(self) -> dict[str, Any]:
        """What happened, as `/_counts` tells it."""
        return {
            "injected": dict(self.faults.injected),
            "seen": dict(self.seen),
            "too_many": self.too_many,
            "misdirected": self.misdirected,
        }

    def link(self, capture_id: str) -> str:
        """An address of a picture, signed, and valid for a while."""
        last = self.n_requests + self.links_valid_for if self.links_valid_for else 10**12
        return self.address(
            f"{_PICTURES}{capture_id}.jpg",
            {"oe": str(last), "oh": self._signature(capture_id, str(last))},
        )

    def paging_link(self, path: str) -> str:
        """An address that holds the token, as real answers have them."""
        return self.address(path, {"access_token": self.token, "after": "QVFIU"})

    def address(self, path: str, query: dict[str, str]) -> str:
        return f"{self.url}{path}?{urlencode(query)}"

    def is_valid(self, capture_id: str, query: dict[str, str]) -> bool:
        """Whether a link was given by this server and has not expired."""
        last = query.get("oe", "")
        signed = query.get("oh") == self._signature(capture_id, last)
        return signed and self.n_requests <= int(last)

    def _signature(self, capture_id: str, last: str) -> str:
        return hashlib.sha256(f"{self.token} {capture_id} {last}".encode()).hexdigest()[:24]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    loopback: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no error; others fail the test by what it gets."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else head and body of an answer come 40 ms apart
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of the base class
        """Requests are counted, not printed."""

    def do_GET(self) -> None:
        loopback = self.server.loopback
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        if address.path == "/_counts":
            self._send(200, json.dumps(loopback.counts).encode(), "application/json")
            return
        with loopback.lock:
            loopback.n_requests += 1
            number = loopback.n_requests
        if loopback.faults.is_down(number):
            self.close_connection = True
            return
        if address.path.startswith(_PICTURES):
            self._picture(loopback, number, address.path, query)
            return
        purpose = loopback.dialect.purpose(address.path, query)
        if purpose is None:
            self._send(404, b"{}", "application/json")
        elif self._is_refused(loopback, query):
            self._json(loopback.dialect.refusal())
        elif purpose == kinds.PICTURE:
            self._by_heading(loopback, number, query)
        else:
            self._answer(loopback, number, purpose, address.path, query)

    def _is_refused(self, loopback: Loopback, query: dict[str, str]) -> bool:
        if getattr(loopback.dialect, "key_in_query", False):
            return query.get("key") != loopback.token
        if not loopback.dialect.needs_header:
            loopback.misdirected += "Authorization" in self.headers
            return False
        return self.headers.get("Authorization") != f"OAuth {loopback.token}"

    def _answer(
        self, loopback: Loopback, number: int, purpose: str, path: str, query: dict[str, str]
    ) -> None:
        loopback.seen[purpose] += 1
        if purpose == kinds.LINKS:
            reply = loopback.dialect.links(
                loopback.world, {"id": path.rsplit("/", 1)[-1], **query}, loopback
            )
        else:
            reply = loopback.dialect.search(loopback.world, query, loopback)
        body = json.dumps(reply.body).encode()
        fault = loopback.faults.of(number, purpose)
        if fault == kinds.QUERY_TIMEOUT:
            loopback.faults.count(loopback.dialect.timeout_is)
            self._json(loopback.dialect.query_timeout())
        elif fault == kinds.NOT_JSON:
            loopback.faults.count(fault)
            self._send(200, HTML, "text/html")
        elif not self._goes_wrong(loopback, fault, body, "application/json"):
            loopback.too_many += reply.too_many
            self._send(reply.status, body, "application/json")

    def _picture(self, loopback: Loopback, number: int, path: str, query: dict[str, str]) -> None:
        loopback.seen[kinds.PICTURE] += 1
        loopback.misdirected += "Authorization" in self.headers or "key" in query
        capture_id = path.removeprefix(_PICTURES).removesuffix(".jpg")
        fault = loopback.faults.of(number, kinds.PICTURE)
        if fault == kinds.LINK_EXPIRED or not loopback.is_valid(capture_id, query):
            loopback.faults.count(kinds.LINK_EXPIRED)
            self._send(403, b"URL signature expired", "text/plain")
            return
        self._show(loopback, capture_id, fault)

    def _by_heading(self, loopback: Loopback, number: int, query: dict[str, str]) -> None:
        loopback.seen[kinds.PICTURE] += 1
        if query["pano"] not in loopback.world.by_id:
            self._send(404, b"", "text/plain")
            return
        self._show(loopback, query["pano"], loopback.faults.of(number, kinds.PICTURE))

    def _show(self, loopback: Loopback, capture_id: str, fault: str | None) -> None:
        capture = loopback.world.by_id[capture_id]
        data = loopback.world.picture(capture_id)
        if fault == kinds.NOT_AN_IMAGE or capture.shows == "not_an_image":
            loopback.faults.count(kinds.NOT_AN_IMAGE)
            self._send(200, HTML, "text/html")
        elif not self._goes_wrong(loopback, fault, data, "image/jpeg"):
            if capture.shows == "no_imagery":
                loopback.faults.count(kinds.NO_IMAGERY)
            self._send(200, data, "image/jpeg")

    def _goes_wrong(self, loopback: Loopback, fault: str | None, body: bytes, kind: str) -> bool:
        """Make one of the faults that any answer can have; whether there was one."""
        if fault is None:
            return False
        loopback.faults.count(fault)
        if fault == kinds.RATE_LIMITED:
            wait = {"Retry-After": str(loopback.faults.retry_after_s)}
            self._send(429, b"{}", "application/json", wait)
        elif fault == kinds.SERVER_ERROR:
            self._send(503, b"<html>Service Unavailable</html>", "text/html")
        elif fault == kinds.TIMED_OUT:
            loopback.stopped.wait(loopback.faults.slow_s)
            self.close_connection = True
        else:
            self._send(200, body, kind, cut=True)
        return True

    def _json(self, reply: Reply) -> None:
        self._send(reply.status, json.dumps(reply.body).encode(), "application/json")

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection |= cut


def main() -> None:
    """Serve until the process is ended; the first line of output is the address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", choices=DIALECTS, default="mapillary")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--captures", type=int, default=500)
    parser.add_argument("--middle", type=float, nargs=2, default=(51.5, -0.12))
    parser.add_argument("--spread-deg", type=float, default=0.02)
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--links-valid-for", type=int, default=None)
    parser.add_argument("--fault-rate", type=float, default=0.0, help="of each kind of fault")
    chosen = parser.parse_args()
    rates = dict.fromkeys(kinds.TRANSIENT, chosen.fault_rate) if chosen.fault_rate else {}
    world = invented(
        chosen.captures,
        seed=chosen.seed,
        middle=tuple(chosen.middle),
        spread_deg=chosen.spread_deg,
    )
    with Loopback(
        world,
        chosen.provider,
        faults=Faults(rates=rates, seed=chosen.seed),
        limit=chosen.limit,
        links_valid_for=chosen.links_valid_for,
        port=chosen.port,
    ) as loopback:
        sys.stdout.write(loopback.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
