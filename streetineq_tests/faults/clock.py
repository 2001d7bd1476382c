"""A clock that is wrong: of Python, in the process that asks for it and in what it forks."""

import datetime as dt
import time

import dagster._time

DAY_S = 24 * 3600.0


def jump(seconds: float) -> None:
    """Let all clocks of the day be wrong by so much from here on."""
    shift, real, now = dt.timedelta(seconds=seconds), time.time, dt.datetime

    class Wrong(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return now.now(tz) + shift

    time.time = lambda: real() + seconds
    dt.datetime = Wrong
    dagster._time.datetime = Wrong
