"""A provider's answers: asked with patience, recorded without secrets, counted by what went wrong.

An acquisition of days meets every fault there is: requests that are refused for their number,
searches that time out, links that expire, connections that are cut, pages where pictures should be.
What may pass is asked again; what was answered is recorded, so that a plan that was killed goes on
where it was; what is no answer ends in one sentence that names the provider.
"""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from streetineq_assets.imagery import exchange, pictures
from streetineq_assets.imagery.exchange import Exchange, FaultError, Reply, by_status
from streetineq_assets.imagery.found import text
from streetineq_assets.imagery.patience import Patience
from streetineq_assets.imagery.pictures import PictureRejectedError
from streetineq_assets.imagery.recording import Recording, link_key, picture_key, request_key
from streetineq_assets.imagery.tokens import Token, scrubbed

LINK_EXPIRED, NO_IMAGERY_PICTURE = "link_expired", "no_imagery_picture"
_MOST_JSON, _MOST_PICTURE = 2**27, 2**26  # bytes
# A busy host sends a page, or half a file, where at the next request it sends the picture.
_MAYBE_NEXT_TIME, _TRIES = (pictures.NOT_AN_IMAGE, pictures.TRUNCATED), 3
_TIMED_OUT = object()

Explain = Callable[[int, Any], str | None]
"""What status and JSON of an answer mean: None where the answer is one, else a kind of fault.

Providers tell of faults in ways of their own; None of a status that is no success leaves it to
`exchange.by_status`. `gone` stands for: there is no such capture.
"""
Ask = Callable[[Sequence[str]], dict[str, str]]


class QueryTimeoutError(Exception):
    """A search that the provider gave up, as often as it was asked."""


class LinkExpiredError(Exception):
    """A link that is no longer valid: a new one is to be asked for."""


class Client(Protocol):
    """What a provider gets its answers from: the network (`Live`), or `replay.Replay`.

    Attributes:
        faults: how often each kind of fault happened.
    """

    faults: Counter[str]

    def json(self, url: str, params: Mapping[str, str], *, most_timeouts: int | None = None) -> Any:
        """The JSON of an answer, which is recorded."""
        ...

    def fresh_json(self, url: str, params: Mapping[str, str]) -> Any:
        """The JSON of an answer that is true for a while only."""
        ...

    def links(self, capture_ids: Sequence[str], ask: Ask) -> dict[str, str]:
        """Capture to the address of its picture; those that are gone are absent."""
        ...

    def picture(self, link: str, capture_id: str, *, with_token: bool = False) -> bytes:
        """A picture that was looked at."""
        ...


class Live:
    """A provider's answers from the network; safe to be used by several threads.

    Args:
        explain: the provider's own way to tell of faults.
        recording: what it holds is not asked again; what is answered is added.
        token: what is taken out of answers.
        most_plain: as `pictures.check_picture`.

    Attributes:
        faults: how often each kind of fault happened.
    """

    def __init__(
        self,
        channel: Exchange,
        patience: Patience,
        recording: Recording,
        *,
        explain: Explain,
        token: Token | None = None,
        most_plain: float = 0.9,
    ) -> None:
        self.faults: Counter[str] = Counter()
        self._channel, self._patience, self._recording = channel, patience, recording
        self._explain, self._token, self._most_plain = explain, token, most_plain
        self._lock = threading.Lock()

    @property
    def n_requests(self) -> int:
        """Requests sent, those that failed included."""
        return self._channel.traffic["requests"]

    @property
    def n_bytes(self) -> int:
        """Bytes received, unpacked, those of answers that were cut included."""
        return self._channel.traffic["bytes"]

    def close(self) -> None:
        """Close all connections; the recording stays open."""
        self._channel.close()

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def json(self, url: str, params: Mapping[str, str], *, most_timeouts: int | None = None) -> Any:
        """The JSON of an answer, without the token; of the recording if it is there.

        Args:
            most_timeouts: after which the provider's own time-outs are its answer; None: never.

        Raises:
            QueryTimeoutError: so many time-outs.
            ImageryError: no answer within the patience, or one that does not change by asking.
        """
        key = request_key(url, params)
        entry = self._recording.get(key)
        if entry is None:
            answer = self._answer(url, params, most_timeouts)
            entry = {"fault": exchange.QUERY_TIMEOUT} if answer is _TIMED_OUT else {"json": answer}
            self._recording.put(key, **entry)
        if "fault" in entry:
            raise QueryTimeoutError
        return entry["json"]

    def fresh_json(self, url: str, params: Mapping[str, str]) -> Any:
        """As `json`, but neither recorded nor taken from there, and signatures stay in links.

        Returns:
            None where the provider says that there is no such thing.
        """
        return self._answer(url, params, None, signed=True)

    def links(self, capture_ids: Sequence[str], ask: Ask) -> dict[str, str]:
        """Capture to its link, which is asked for now; recorded is only which are gone.

        Args:
            ask: asks the provider, by `fresh_json`.
        """
        found = ask(capture_ids)
        for capture_id in capture_ids:
            self._recording.put(link_key(capture_id), gone=capture_id not in found)
        return found

    def picture(self, link: str, capture_id: str, *, with_token: bool = False) -> bytes:
        """A picture that was looked at; recorded is its sha256, or why it is none.

        Args:
            with_token: for providers whose pictures come from the interface itself.

        Raises:
            LinkExpiredError: the link is refused.
            PictureRejectedError: what lies there is no picture of a street, or nothing.
            ImageryError: as `json`.
        """
        key, tries = picture_key(capture_id), iter(range(_TRIES - 1))

        def once() -> bytes:
            try:
                return self._picture(link, with_token)
            except PictureRejectedError as rejected:
                if rejected.reason in _MAYBE_NEXT_TIME and next(tries, None) is not None:
                    raise FaultError(rejected.reason, "no picture", passes=True) from None
                raise

        try:
            data = self._patience.until_it_comes(once)
        except PictureRejectedError as rejected:
            self._recording.put(key, capture_id=capture_id, rejected=rejected.reason)
            raise
        digest = hashlib.sha256(data).hexdigest()
        self._recording.put(key, capture_id=capture_id, sha256=digest, bytes=len(data))
        return data

    def _answer(
        self,
        url: str,
        params: Mapping[str, str],
        most_timeouts: int | None,
        *,
        signed: bool = False,
    ) -> Any:
        timeouts = 0

        def once() -> Any:
            nonlocal timeouts
            try:
                return self._json(url, params, signed)
            except FaultError as fault:
                timeouts += fault.kind == exchange.QUERY_TIMEOUT
                if most_timeouts is not None and timeouts >= most_timeouts:
                    return _TIMED_OUT
                raise

        return self._patience.until_it_comes(once)

    def _json(self, url: str, params: Mapping[str, str], signed: bool) -> Any:
        reply = self._sent(url, params, with_token=True, most_bytes=_MOST_JSON)
        body = _parsed(reply.body)
        kind = self._explain(reply.status, body)
        if kind == exchange.GONE and signed:
            return None
        kind = kind or by_status(reply.status)
        if kind is None and body is None:
            kind = exchange.NOT_JSON
        if kind is not None:
            said = scrubbed(_said(reply.status, body), self._token)
            raise self._counted(FaultError(kind, said, reply.retry_after_s))
        return body if signed else scrubbed(body, self._token)

    def _picture(self, link: str, with_token: bool) -> bytes:
        try:
            reply = self._sent(link, None, with_token=with_token, most_bytes=_MOST_PICTURE)
        except FaultError as fault:
            if fault.kind in (exchange.UNSAFE_LINK, exchange.TOO_LARGE):
                raise PictureRejectedError(fault.kind, fault.detail) from None
            raise
        kind = by_status(reply.status)
        if kind == exchange.GONE:
            raise PictureRejectedError(exchange.GONE, f"HTTP {reply.status}")
        if kind in (exchange.REFUSED, exchange.NOT_UNDERSTOOD) and not with_token:
            self._count(LINK_EXPIRED)
            raise LinkExpiredError
        if kind is not None:
            raise self._counted(FaultError(kind, f"HTTP {reply.status}", reply.retry_after_s))
        try:
            pictures.check_picture(reply.body, most_plain=self._most_plain)
        except PictureRejectedError as rejected:
            card = rejected.reason == pictures.NO_IMAGERY
            self._count(NO_IMAGERY_PICTURE if card else rejected.reason)
            raise
        return reply.body

    def _sent(
        self, url: str, params: Mapping[str, str] | None, *, with_token: bool, most_bytes: int
    ) -> Reply:
        self._patience.wait_for_turn()
        try:
            return self._channel.get(url, params, with_token=with_token, most_bytes=most_bytes)
        except FaultError as fault:
            self._count(fault.kind)
            raise

    def _counted(self, fault: FaultError) -> FaultError:
        self._count(fault.kind)
        return fault

    def _count(self, kind: str) -> None:
        with self._lock:
            self.faults[kind] += 1


def _said(status: int, body: Any) -> str:
    """Status and the provider's own words, if it has some."""
    if body is None:
        return f"HTTP {status}, no JSON"
    error = body.get("error", body) if isinstance(body, Mapping) else None
    stated = error if isinstance(error, Mapping) else {}
    words = stated.get("message") or stated.get("error_message")
    return f"HTTP {status}: {text(words)}" if isinstance(words, str) else f"HTTP {status}"


def _parsed(body: bytes) -> Any:
    """The JSON of a body; None where it has none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
