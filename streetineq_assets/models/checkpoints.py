"""The state of a fold's training on disk: one file per fold, saved by epoch, read after a crash.

A state is written beside the old one and moved into its place; the one before it is kept, so that a
file damaged later costs one epoch's work and not the fold. States of other data, another profile or
other code are removed, and the reason is logged.
"""

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Log = Callable[[str], None]

_FINGERPRINT = "fingerprint.json"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass
class FoldState:
    """Where one fold's training is.

    Attributes:
        epoch: epochs done.
        variables: the network's, in its own order; empty once finished.
        optimizer: the optimiser's variables; empty once finished.
        best: the network's weights at the lowest validation loss, or after the last epoch where
            validation areas are too few to choose by.
        best_epoch: when that was; 0 before the first epoch.
        history: one record per epoch.
        finished: the fold is trained; `test_*` are filled.
        test_rows: (t,) rows of the codes that this fold tests.
        test_scores: (t, outcomes) float32.
        test_log_probabilities: (t, outcomes, 10) float32.
    """

    epoch: int = 0
    variables: list[NDArray] = field(default_factory=list)
    optimizer: list[NDArray] = field(default_factory=list)
    best: list[NDArray] = field(default_factory=list)
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False
    test_rows: NDArray = field(default_factory=lambda: np.empty(0, np.int64))
    test_scores: NDArray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    test_log_probabilities: NDArray = field(default_factory=lambda: np.empty((0, 0, 10)))


_LISTS = ("variables", "optimizer", "best")
_ARRAYS = ("test_rows", "test_scores", "test_log_probabilities")


class Checkpoints:
    """The states of one training, in one folder.

    Args:
        folder: outlives a crash; made when absent.
        fingerprint: name to digest or setting of everything that the training depends on.
        log: receives one sentence when states are removed or damaged.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, str], log: Log) -> None:
        self.folder = folder
        self._log = log
        folder.mkdir(parents=True, exist_ok=True)
        self._start_afresh_when_changed(dict(fingerprint))

    def load(self, fold: int) -> FoldState | None:
        """The newest state that can be read; None when there is none."""
        for path in (self._path(fold), self._previous(fold)):
            if not path.is_file():
                continue
            try:
                return load_state(path)
            except _UNREADABLE as error:
                self._log(
                    f"{path} is damaged ({type(error).__name__}: {error}); going back to the state "
                    "before it"
                )
        return None

    def save(self, fold: int, state: FoldState) -> None:
        """Put a state in the place of the last one, which is kept beside it."""
        draft = self._path(fold).with_suffix(".draft")
        save_state(draft, state)
        if self._path(fold).is_file():
            self._path(fold).replace(self._previous(fold))
        draft.replace(self._path(fold))
        if state.finished:
            self._previous(fold).unlink(missing_ok=True)

    def _start_afresh_when_changed(self, fingerprint: dict[str, str]) -> None:
        path = self.folder / _FINGERPRINT
        before = _read_json(path)
        if before == fingerprint:
            return
        states = sorted(self.folder.glob("fold_*"))
        for state in states:
            state.unlink()
        if states:
            names = sorted(fingerprint.keys() | before.keys())
            changed = [n for n in names if fingerprint.get(n) != before.get(n)]
            self._log(f"unfinished training starts again, changed: {', '.join(changed)}")
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(fingerprint, indent=2, sort_keys=True), encoding="utf-8")
        draft.replace(path)

    def _path(self, fold: int) -> Path:
        return self.folder / f"fold_{fold}.npz"

    def _previous(self, fold: int) -> Path:
        return self.folder / f"fold_{fold}.previous.npz"


def save_state(path: Path, state: FoldState) -> None:
    """Write a state to a file, through to the disk."""
    header = {
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "finished": state.finished,
        "history": state.history,
        "lengths": {name: len(getattr(state, name)) for name in _LISTS},
    }
    arrays = {name: getattr(state, name) for name in _ARRAYS}
    for name in _LISTS:
        arrays |= {f"{name}_{n}": array for n, array in enumerate(getattr(state, name))}
    with path.open("wb") as file:
        np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_state(path: Path) -> FoldState:
    """A state; every array is read, so that the archive's checksums are checked."""
    # NumPy leaves a file that it opened itself open when the archive is damaged.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
        lengths = header.pop("lengths")
        lists = {name: [archive[f"{name}_{n}"] for n in range(lengths[name])] for name in _LISTS}
        return FoldState(**header, **lists, **{name: archive[name] for name in _ARRAYS})


def _read_json(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
