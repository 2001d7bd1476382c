"""How long and how often a provider is asked: evenly spaced, and again when a fault may pass.

What is not to be had within the patience, or never, ends in one sentence.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter

from streetineq_assets.errors import ImageryError
from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.exchange import FaultError

Result = TypeVar("Result")

_BACK_OFF = wait_exponential_jitter(multiplier=1, max=60, jitter=1)  # seconds
_KEPT = "what was fetched is kept"


class Asked(NamedTuple):
    """Whom the sentences are about.

    Attributes:
        title: the provider, as people write it.
        host: where it is asked.
        token_variable, token_page: where its token stands, and where one is made.
    """

    title: str
    host: str
    token_variable: str | None
    token_page: str


class Patience:
    """Calls that are spaced evenly and repeated; safe to be used by several threads.

    Args:
        seconds: for which one thing is asked again and again.
        per_minute: calls of `wait_for_turn` at most.
        pause, clock: wait for some seconds; seconds since anything that does not change.
    """

    def __init__(
        self,
        asked: Asked,
        *,
        seconds: float,
        per_minute: float,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._seconds = asked, seconds
        self._pause, self._clock = pause, clock
        self._interval, self._next = 60.0 / per_minute, clock()
        self._lock = threading.Lock()

    def wait_for_turn(self) -> None:
        """Wait until the next request may be sent."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._interval
        if turn > now:
            self._pause(turn - now)

    def hold(self, seconds: float) -> None:
        """Let nobody send a request for a while, as a provider asks for."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def until_it_comes(self, attempt: Callable[[], Result]) -> Result:
        """What an attempt gives, made again while its faults are of those that pass.

        Raises:
            ImageryError: they did not pass in time, or are not of those.
            Exception: what else the attempt raises.
        """
        first: list[float] = []

        def wait(state: RetryCallState) -> float:
            fault = _fault_of(state)
            first.append(self._clock())
            if fault.retry_after_s and self._clock() + fault.retry_after_s <= self._end(first):
                self.hold(fault.retry_after_s)
            return max(_BACK_OFF(state), fault.retry_after_s)

        def stop(state: RetryCallState) -> bool:
            return self._clock() + state.upcoming_sleep > self._end(first)

        retrying = Retrying(
            retry=retry_if_exception(_passes),
            wait=wait,
            stop=stop,
            sleep=self._pause,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except FaultError as error:
            fault, tries = error, len(first)
        elapsed = self._clock() - first[0] if first else 0.0
        raise complaint(self._asked, fault, tries=tries, elapsed_s=elapsed)

    def _end(self, first: list[float]) -> float:
        return first[0] + self._seconds


def complaint(asked: Asked, fault: FaultError, *, tries: int, elapsed_s: float) -> ImageryError:
    """One sentence of why a provider gives nothing.

    Args:
        tries: that failed, for a fault that might have passed.
        elapsed_s: since the first of them.
    """
    began = datetime.now(UTC) - timedelta(seconds=elapsed_s)
    since = f"since {began:%Y-%m-%d %H:%M} UTC ({tries} tries; the last: {fault.detail})"
    who = f"{asked.title} ({asked.host})"
    again = f"{_KEPT}: run it again"
    if fault.kind == exchange.RATE_LIMITED:
        return ImageryError(
            f"{who} refuses requests for their number {since}: its quota seems to be used up; "
            f"{again} when it is renewed, or with fewer requests_per_minute in [imagery]"
        )
    if fault.kind in exchange.PASSING:
        return ImageryError(f"{who} gives no usable answer {since}; {again} when it does")
    if fault.kind == exchange.REFUSED and asked.token_variable:
        return ImageryError(
            f"{who} refuses the token in {asked.token_variable} ({fault.detail}): make a new one "
            f"at {asked.token_page}, put it into this environment variable, and start the platform "
            f"again; {_KEPT}"
        )
    advice = {
        exchange.REFUSED: "it may be closed to the public: see its pages",
        exchange.GONE: "check `endpoint` in [imagery]: nothing lies at this address",
        exchange.UNKNOWN_CERTIFICATE: "who lies between may be another: ask who runs your network, "
        "and name its certificates in REQUESTS_CA_BUNDLE",
        exchange.UNSAFE_LINK: "check `endpoint` in [imagery], which is https://... as a rule",
    }.get(fault.kind, "its interface may have changed: report it, with this message")
    return ImageryError(f"{who} cannot be used ({fault.detail}): {advice}; {_KEPT}")


def _passes(error: BaseException) -> bool:
    return isinstance(error, FaultError) and error.passes


def _fault_of(state: RetryCallState) -> FaultError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, FaultError)
    return error
