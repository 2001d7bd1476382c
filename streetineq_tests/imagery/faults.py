"""Faults that the loopback server injects, by request number or by chance, and counts by kind.

The kinds are called as `imagery.client` counts them, so that a test compares both counters.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping

import numpy as np

RATE_LIMITED = "rate_limited"  # 429 with Retry-After
SERVER_ERROR = "server_error"  # 503
CONNECTION_CUT = "connection_cut"  # half a body, then the end
TIMED_OUT = "timed_out"  # no answer for longer than the client waits
QUERY_TIMEOUT = "query_timeout"  # of Mapillary: 400, and it says that it is not transient
NOT_JSON = "not_json"  # a page for people, with status 200
LINK_EXPIRED = "link_expired"  # 403 for a picture
NOT_AN_IMAGE = "not_an_image"  # HTML with status 200
NO_IMAGERY = "no_imagery_picture"  # a grey card with status 200

SEARCH, LINKS, PICTURE = "search", "links", "picture"
_ANYWHERE = (RATE_LIMITED, SERVER_ERROR, CONNECTION_CUT, TIMED_OUT)
_POSSIBLE = {
    SEARCH: (*_ANYWHERE, QUERY_TIMEOUT, NOT_JSON),
    LINKS: (*_ANYWHERE, QUERY_TIMEOUT, NOT_JSON),
    PICTURE: (*_ANYWHERE, LINK_EXPIRED, NOT_AN_IMAGE),
}
TRANSIENT = tuple(dict.fromkeys(kind for kinds in _POSSIBLE.values() for kind in kinds))


class Faults:
    """Which request goes wrong, and how.

    Args:
        at: request number, counted from 1, to the kind of fault; where that request cannot have it,
            the next one that can has it.
        rates: kind to the probability with which a request that can have it has it.
        down: numbers of requests to which nothing is answered: the connection is closed.
        retry_after_s: that a 429 asks for.
        slow_s: that a slow answer takes.

    Attributes:
        injected: how often each kind happened.
    """

    def __init__(
        self,
        *,
        at: Mapping[int, str] | None = None,
        rates: Mapping[str, float] | None = None,
        down: Iterable[int] = (),
        seed: int = 0,
        retry_after_s: int = 1,
        slow_s: float = 0.4,
    ) -> None:
        self.retry_after_s, self.slow_s = retry_after_s, slow_s
        self.injected: Counter[str] = Counter()
        self._at = deque(sorted((at or {}).items()))
        self._rates, self._down = dict(rates or {}), frozenset(down)
        self._generator = np.random.default_rng(seed)
        self._lock = threading.Lock()

    def is_down(self, number: int) -> bool:
        """Whether a request gets no answer at all."""
        if number in self._down:
            self.count(CONNECTION_CUT)
        return number in self._down

    def of(self, number: int, purpose: str) -> str | None:
        """The fault of a request, if it has one; who makes it counts it."""
        with self._lock:
            for planned in self._at:
                if planned[0] <= number and planned[1] in _POSSIBLE[purpose]:
                    self._at.remove(planned)
                    return planned[1]
            for kind in _POSSIBLE[purpose]:
                if kind in self._rates and self._generator.random() < self._rates[kind]:
                    return kind
        return None

    def count(self, kind: str) -> None:
        with self._lock:
            self.injected[kind] += 1
