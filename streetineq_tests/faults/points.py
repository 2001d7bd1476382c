"""Where a process dies: named moments of making and publishing an artefact.

A moment is installed in the process that is to die, or in the one that it is forked from. When it
comes, `strike` is called, which by default kills the process as `kill -9` does.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from streetineq_assets import publishing, store
from streetineq_assets.codes.finished_rows import FinishedRows
from streetineq_assets.models.checkpoints import Checkpoints
from streetineq_assets.resources import StudyResource

Strike = Callable[[], None]
_EVERY_S = 0.0005


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_the_run_worker() -> None:
    """The step that is told of it goes on, an orphan."""
    os.kill(os.getppid(), signal.SIGKILL)


def install(point: str, strike: Strike) -> None:
    """Let `strike` be called at a moment of `POINTS`, once."""
    POINTS[point](_once(strike))


def _once(strike: Strike) -> Strike:
    struck = threading.Event()

    def once() -> None:
        if not struck.is_set():
            struck.set()
            strike()

    return once


def _before(owner: Any, name: str, *, after: bool = False) -> Callable[[Strike], None]:
    """The moment before a function runs, or after it did."""

    def put(strike: Strike) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not after:
                strike()
            result = original(*args, **kwargs)
            if after:
                strike()
            return result

        setattr(owner, name, wrapped)

    return put


def _while_writing(strike: Strike) -> None:
    """As soon as a file is seen in the staging folder, however far it is written."""
    original = store.publisher_of

    def watched(folder: Path, *published: Any) -> Any:
        def watch() -> None:
            while not any(folder.glob(f"{publishing.STAGING}*/*")):
                time.sleep(_EVERY_S)
            strike()

        threading.Thread(target=watch, daemon=True).start()
        return original(folder, *published)

    store.publisher_of = watched


def _before_move(number: int) -> Callable[[Strike], None]:
    """Before the files (1) or the manifest (2) are moved to where readers look."""

    def put(strike: Strike) -> None:
        original = store.move_into_place

        def moving(*args: Any) -> None:
            moves = iter(range(1, 100))

            def counted(move: Callable[..., Any]) -> Callable[..., Any]:
                def wrapped(self: Path, target: Path) -> Any:
                    if next(moves) == number:
                        strike()
                    return move(self, target)

                return wrapped

            Path.rename, Path.replace = counted(Path.rename), counted(Path.replace)
            original(*args)

        store.move_into_place = moving

    return put


POINTS: dict[str, Callable[[Strike], None]] = {
    "before staging": _before(store, "publisher_of"),
    "in the middle of writing": _while_writing,
    "before the draft": _before(store, "move_into_place"),
    "before the files' move": _before_move(1),
    "between the moves": _before_move(2),
    "before the sweep": _before(store, "sweep_superseded"),
    "before the event": _before(StudyResource, "metadata"),
    "after a part": _before(FinishedRows, "write_part", after=True),
    "after a checkpoint": _before(Checkpoints, "save", after=True),
}
