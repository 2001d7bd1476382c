"""One request and its answer: what is sent, what is accepted, and what can go wrong on the way.

Only GET over https; plain http is for a server on this machine, as tests have one. The platform
says who it is (`streetineq/VERSION`), goes through no proxies but those of the machine's settings,
and pretends nothing. A token goes to the provider's own host, never with a picture nor to where a
redirection leads; passwords of a `.netrc` file are not sent. An answer is read to the length that
it announces: what is shorter is no answer.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, ReadTimeoutError

from streetineq_assets.imagery.tokens import LogFilter, Token

# Kinds of faults, as they are counted. Those of the first two lines pass.
RATE_LIMITED, QUERY_TIMEOUT, SERVER_ERROR = "rate_limited", "query_timeout", "server_error"
CONNECTION_CUT, TIMED_OUT, NOT_JSON = "connection_cut", "timed_out", "not_json"
REFUSED, GONE, NOT_UNDERSTOOD = "refused", "gone", "not_understood"
UNKNOWN_CERTIFICATE, UNSAFE_LINK, TOO_LARGE = "unknown_certificate", "unsafe_link", "too_large"
PASSING = (RATE_LIMITED, QUERY_TIMEOUT, SERVER_ERROR, CONNECTION_CUT, TIMED_OUT, NOT_JSON)

TIMEOUTS_S = 20.0, 60.0  # to connect, and between two pieces of an answer
_MOST_SECONDS = 600.0  # for an answer as a whole
_MOST_REDIRECTIONS = 5
_REDIRECTIONS = (301, 302, 303, 307, 308)
_PIECE = 2**16
_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"

Authorise = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class FaultError(Exception):
    """An exchange that went wrong.

    Attributes:
        kind: one of the words above.
        detail: in words, free of tokens and addresses' queries.
        retry_after_s: how long the provider asks to wait; 0 where it does not say.
        passes: whether it is worth while to ask again; by default by its kind.
    """

    def __init__(
        self, kind: str, detail: str, retry_after_s: float = 0.0, *, passes: bool | None = None
    ) -> None:
        self.kind, self.detail, self.retry_after_s = kind, detail, retry_after_s
        self.passes = kind in PASSING if passes is None else passes
        super().__init__(f"{kind}: {detail}")


class Reply(NamedTuple):
    """An answer, read to its end."""

    status: int
    body: bytes
    retry_after_s: float


class Exchange:
    """Requests to one provider; safe to be used by several threads.

    Args:
        api_url: the provider's address, or that of a server on this machine.
        authorise: puts a token into a request; None where the provider needs none.
        timeouts_s: to connect, and between two pieces of an answer.

    Attributes:
        traffic: `requests` sent and `bytes` received.
    """

    def __init__(
        self,
        api_url: str,
        authorise: Authorise | None = None,
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
    ) -> None:
        self.traffic: Counter[str] = Counter(requests=0, bytes=0)
        self._api_url, self._authorise, self._timeouts_s = api_url, authorise, timeouts_s
        self._on_this_machine = is_loopback(api_url)
        self._sessions: list[requests.Session] = []
        self._lock, self._own = threading.Lock(), threading.local()

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        with_token: bool,
        most_bytes: int,
    ) -> Reply:
        """Ask once, and follow redirections.

        Raises:
            FaultError: there is no answer, it is cut off or too long, or an address is not safe.
        """
        for _ in range(_MOST_REDIRECTIONS + 1):
            self.refuse_unsafe(url)
            with_token = with_token and self.is_own(url)
            reply, target = self._once(url, params, with_token, most_bytes)
            if target is None:
                return reply
            url, params = urljoin(url, target), None
        raise FaultError(SERVER_ERROR, "it redirects without end")

    def refuse_unsafe(self, url: str) -> None:
        """Refuse an address that is not of https, nor of this machine as the provider's own.

        Raises:
            FaultError: of the kind `unsafe_link`.
        """
        try:
            parts = urlsplit(url)
            safe = parts.scheme == "https" and bool(parts.hostname) and not is_loopback(url)
        except ValueError:
            safe = False
        if not safe and not (self._on_this_machine and is_loopback(url)):
            raise FaultError(UNSAFE_LINK, "an address is not of https")

    def is_own(self, url: str) -> bool:
        """Whether an address is of the provider's own host."""
        own, other = urlsplit(self._api_url), urlsplit(url)
        return (own.scheme, own.netloc) == (other.scheme, other.netloc)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
            self._own = threading.local()

    def _once(
        self, url: str, params: Mapping[str, str] | None, with_token: bool, most_bytes: int
    ) -> tuple[Reply, str | None]:
        with self._lock:
            self.traffic["requests"] += 1
        # What the library raises holds addresses and requests: it ends here, and is not chained.
        try:
            with self._session().get(
                url,
                params=params,
                auth=self._authorise if with_token else None,
                proxies=get_environ_proxies(url),
                timeout=self._timeouts_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read(response, most_bytes)
                headers, status = response.headers, response.status_code
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            fault = _told(error)
        else:
            target = headers.get("Location") if status in _REDIRECTIONS else None
            return Reply(status, body, _retry_after(headers.get("Retry-After"))), target
        raise fault

    def _read(self, response: requests.Response, most_bytes: int) -> bytes:
        """The body, piece by piece; urllib3 notices one that is shorter than announced."""
        pieces, length, end = [], 0, time.monotonic() + _MOST_SECONDS
        for piece in response.iter_content(_PIECE):
            pieces.append(piece)
            length += len(piece)
            with self._lock:
                self.traffic["bytes"] += len(piece)
            if length > most_bytes:
                raise FaultError(TOO_LARGE, f"an answer is longer than {most_bytes / 1e6:.0f} MB")
            if time.monotonic() > end:
                raise FaultError(TIMED_OUT, f"no whole answer within {_MOST_SECONDS:.0f} s")
        return b"".join(pieces)

    def _session(self) -> requests.Session:
        """This thread's connections."""
        session = getattr(self._own, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # no .netrc; proxies and certificates are set here
            own = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
            session.verify = own or True
            session.headers["User-Agent"] = user_agent()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
            with self._lock:
                self._sessions.append(session)
                self._own.session = session
        return session


def user_agent() -> str:
    """Who asks: the platform and its version."""
    try:
        return f"streetineq/{version('streetineq')}"
    except PackageNotFoundError:
        return "streetineq"


def by_status(status: int) -> str | None:
    """The kind of fault that an HTTP status tells of; None where it tells of none."""
    if 200 <= status < 300:
        return None
    if status >= 500:
        return SERVER_ERROR
    kinds = {429: RATE_LIMITED, 408: TIMED_OUT, 401: REFUSED, 403: REFUSED, 404: GONE, 410: GONE}
    return kinds.get(status, NOT_UNDERSTOOD)


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine itself."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def in_header(token: Token, scheme: str) -> Authorise:
    """Put a token into the header `Authorization`, as `OAuth TOKEN`."""

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{scheme} {token.reveal()}"
        return request

    return authorise


def in_query(token: Token, name: str) -> Authorise:
    """Put a token into the address, for providers that take it nowhere else.

    The library writes addresses into its log, from which the token is taken out.
    """
    logging.getLogger("urllib3.connectionpool").addFilter(LogFilter(token))

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.prepare_url(request.url or "", {name: token.reveal()})
        return request

    return authorise


def _told(error: Exception) -> FaultError:
    """What a library's exception says, without its text."""
    inner = error.args[0] if error.args else None
    if isinstance(error, requests.Timeout) or isinstance(inner, ReadTimeoutError):
        return FaultError(TIMED_OUT, "no answer in time")
    if isinstance(error, requests.exceptions.SSLError) and _CERTIFICATE in str(error):
        return FaultError(UNKNOWN_CERTIFICATE, "its certificate is not known to this machine")
    if isinstance(error, ValueError) and not isinstance(error, requests.ConnectionError):
        return FaultError(UNSAFE_LINK, "an address is not valid")
    return FaultError(CONNECTION_CUT, "the connection failed or was cut")


def _retry_after(written: str | None) -> float:
    """Seconds that a header asks to wait, given as such or as a date; 0 without one."""
    if not written:
        return 0.0
    try:
        return max(0.0, float(written)) if written.strip().isdigit() else _until(written)
    except (ValueError, TypeError):
        return 0.0


def _until(written: str) -> float:
    date = parsedate_to_datetime(written)
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
