"""Working ahead in threads: in order, within bounds, and with errors where they belong."""

import subprocess
import sys
import threading
import time

import pytest

from streetineq_assets.prefetch import prefetch


def test_results_come_in_order():
    def slow_first(number):
        time.sleep(0.05 if number == 0 else 0)
        return number * number

    found = list(prefetch(slow_first, range(20), workers=4, ahead=5))
    assert found == [number * number for number in range(20)]


def test_it_works_ahead_but_not_far():
    started = []
    results = prefetch(started.append, range(1000), workers=2, ahead=3)
    next(results)
    time.sleep(0.2)
    assert 3 <= len(started) <= 8
    results.close()


@pytest.mark.parametrize("where", ["items", "function"])
def test_errors_come_at_their_place(where):
    def items():
        yield from range(3)
        if where == "items":
            raise OSError("no more")

    def function(number):
        if where == "function" and number == 2:
            raise OSError("no more")
        return number

    results = prefetch(function, items(), workers=2, ahead=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="no more"):
        list(results)


def test_threads_end_when_the_caller_stops():
    before = threading.active_count()
    results = prefetch(lambda n: n, iter(int, 1), workers=3, ahead=2)
    next(results)
    results.close()
    assert threading.active_count() == before


def test_a_process_ends_though_an_iterator_was_never_closed():
    """The traceback of an interrupt holds it; `feed` would wait for its slots for ever."""
    script = (
        "import sys; from streetineq_assets.prefetch import prefetch; "
        "results = prefetch(str, iter(int, 1), workers=2, ahead=2); next(results); "
        "sys.held = results; sys.exit(3)"
    )
    ended = subprocess.run([sys.executable, "-c", script], timeout=30, check=False)
    assert ended.returncode == 3
