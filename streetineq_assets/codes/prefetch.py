"""Work done ahead of the one who needs it, in threads, in order, within bounds.

What belongs here: this one function. What does not: what the work is.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, Queue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """`map(function, items)`, computed in threads while the caller does something else.

    `items` is iterated in a thread of its own, so it may block. At most about `ahead` results
    wait. An error in `items` or `function` is raised at its place; all threads end with the
    iterator.
    """
    waiting: Queue[Future[Result] | None] = Queue(maxsize=ahead)
    stopped = threading.Event()

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for item in items:
                if stopped.is_set():
                    return
                waiting.put(pool.submit(function, item))
        finally:
            waiting.put(None)

    with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as feeder:
        feeding = feeder.submit(feed, pool)
        try:
            while (future := waiting.get()) is not None:
                yield future.result()
            feeding.result()
        finally:
            stopped.set()
            _unblock(feeding, waiting)


def _unblock(feeding: Future, waiting: Queue) -> None:
    """Take from the queue until its feeder has noticed that it is to stop."""
    while not feeding.done():
        try:
            future = waiting.get(timeout=0.05)
        except Empty:
            continue
        if future is not None:
            future.cancel()
