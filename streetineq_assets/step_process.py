"""The process of a step, which must end when its work has, though its run was killed."""

import multiprocessing
import os
import threading
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize


def let_orphans_end() -> None:
    """See that this process ends even where nobody is left to hear of it.

    A step hands its events to its run through a pipe, of which it holds both ends itself: that the
    run was killed does not close it. At its end it would wait until the run has read what a pipe
    does not hold (64 KiB; plots are larger), for ever, and with its GPU memory.
    """
    if parent := multiprocessing.parent_process():
        # Before the queues, whose priorities are below 0, wait for their readers.
        Finalize(None, _watch, args=(parent,), exitpriority=0)


def _watch(parent: BaseProcess) -> None:
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
