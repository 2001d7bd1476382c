"""Who may ask the web server: an ASGI application around Dagster's.

Dagster's server takes a query from whoever sends one, and a browser sends one for any page that its
user visits: an image tag is enough to launch a run. So a request must name this server as its host,
which a page on a foreign name cannot, even where that name leads here; it must come from a page of
this server, or from no page; and GraphQL is asked by a body, which is never in an address. The
pages themselves may not stand in a frame of another page.
"""

import os
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from streetineq_assets.errors import StudyError

HOSTS_VARIABLE = "STREETINEQ_HOSTS"
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?")
_FORBIDDEN, _WRONG_METHOD = 403, 405
_POLICY_VIOLATION = 1008  # why a websocket is closed
_NO_FRAMES = (b"x-frame-options", b"DENY")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """Answers what it refuses, and hands on the rest.

    Args:
        application: that is guarded.
        hosts: by which browsers may name the server, beside its local names and port: `name`, or
            `name:port` where the port is not that of the scheme.
    """

    def __init__(self, application: Application, hosts: Iterable[str] = ()) -> None:
        self._application = application
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """An ASGI call."""
        refused = None if scope["type"] == "lifespan" else self.refusal(scope)
        if refused is None:
            await self._application(scope, receive, _without_frames(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refused[1]})
        else:
            await _answer(send, *refused)

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """Status and reason; None where the request may pass.

        Args:
            scope: of a request by HTTP, or of a websocket's handshake.
        """
        allowed = self._hosts | _local_hosts(scope)
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if len(hosts) != 1 or hosts[0] not in allowed:
            named = ", ".join(hosts) or "no host"
            return _FORBIDDEN, f"{named} is not a host of this server: see {HOSTS_VARIABLE}"
        for origin in origins:
            if _host_of(origin) not in allowed:
                return _FORBIDDEN, f"requests of pages from {origin} are refused"
        if scope["path"].rstrip("/").endswith("/graphql") and _has_query(scope):
            return _WRONG_METHOD, "GraphQL is asked by POST, with the query in the body"
        return None


def allowed_hosts() -> tuple[str, ...]:
    """The hosts that the environment names, by commas, for a server behind a proxy.

    Raises:
        StudyError: one is no `name` or `name:port`.
    """
    named = [host.strip() for host in os.environ.get(HOSTS_VARIABLE, "").split(",")]
    for host in filter(None, named):
        if not _HOST.fullmatch(host):
            raise StudyError(
                f"{HOSTS_VARIABLE} has {host!r}: expected names as browsers show them, with commas "
                "between, such as inequality.example.org,10.0.0.5:3000"
            )
    return tuple(filter(None, named))


def _local_hosts(scope: Message) -> frozenset[str]:
    """This machine's own names, with the port on which the server listens."""
    port = (scope.get("server") or (None, None))[1]
    return frozenset(f"{name}:{port}" for name in LOCAL_NAMES)


def _has_query(scope: Message) -> bool:
    """Whether the address holds a query, by Starlette's reading of it; the UI's own say `op`."""
    text = scope["query_string"].decode("latin-1")
    return any(name == "query" for name, _ in parse_qsl(text, keep_blank_values=True))


def _headers(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key == name]


def _host_of(origin: str) -> str | None:
    """Host and port of an origin; None where it is none, as `null` is."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    whole = parts.scheme in ("http", "https") and origin == f"{parts.scheme}://{parts.netloc}"
    return parts.netloc.lower() if whole and parts.hostname else None


def _without_frames(send: Send) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), _NO_FRAMES]
        await send(message)

    return send_on


async def _answer(send: Send, status: int, reason: str) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind]})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
