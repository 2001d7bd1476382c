"""Work done in threads ahead of its use, in order and within bounds: decoding, reading codes."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """`map(function, items)`, computed in threads while the caller does something else.

    Args:
        items: iterated in a thread of its own, so it may block.
        workers: threads that call `function`.
        ahead: results that exist at a time, the one in use included. Work on item n + ahead starts
            when the caller asks for the result after item n, so `ahead` buffers can take turns.

    Raises:
        Exception: what `items` or `function` raises, at its place. All threads end with the
            iterator.
    """
    slots = threading.Semaphore(ahead)
    stopped = threading.Event()
    futures: SimpleQueue[Future[Result] | None] = SimpleQueue()

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for item in items:
                slots.acquire()
                if stopped.is_set():
                    return
                futures.put(pool.submit(function, item))
        except Exception as error:  # noqa: BLE001 - raised where its result would be used
            futures.put(_failed(error))
        finally:
            futures.put(None)

    with ThreadPoolExecutor(workers) as pool:
        # A daemon: an iterator that is never closed, since an interrupt's traceback holds it, must
        # not keep the process from ending.
        feeder = threading.Thread(target=feed, args=(pool,), daemon=True)
        feeder.start()
        try:
            while (future := futures.get()) is not None:
                yield future.result()
                slots.release()
        finally:
            stopped.set()
            slots.release()
            while not futures.empty():
                if (left := futures.get()) is not None:
                    left.cancel()
            feeder.join()


def _failed(error: Exception) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
