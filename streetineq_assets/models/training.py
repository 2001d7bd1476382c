"""Training the networks of all folds, and the scores of what each fold tests."""

import contextlib
import ctypes
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import TrainingError
from streetineq_assets.models.availability import nothing_to_learn
from streetineq_assets.models.batches import require_every_view, require_window
from streetineq_assets.models.checkpoints import Checkpoints, FoldState, Log
from streetineq_assets.models.dataset import Examples
from streetineq_assets.models.fold_training import (
    FoldTraining,
    Progress,
    epochs_of_fold,
    require_rows,
)
from streetineq_assets.models.folds import Split
from streetineq_assets.models.tables import HISTORY, JOINT_SEED_SCORES, PROBABILITIES
from streetineq_assets.models.trainer import trainer_for
from streetineq_assets.profiles import Profile
from streetineq_assets.tables import conform, empty

CHECKPOINT_EVERY_S = 15.0


@dataclass(frozen=True)
class Trained:
    """The networks of all folds and what they say of the locations that they did not see."""

    outcomes: tuple[str, ...]
    location_ids: NDArray
    states: dict[int, FoldState]

    def history(self) -> pd.DataFrame:
        """`fold, epoch, loss, val_loss, val_mae, learning_rate, seconds, wait_seconds`."""
        records = [{"fold": f, **r} for f, state in self.states.items() for r in state.history]
        return conform(pd.DataFrame(records, columns=HISTORY.names), HISTORY)

    def scores(self, outcome: str) -> pd.DataFrame:
        """`location_id, fold, h, p_1 .. p_10`, out of fold, sorted by location."""
        at = self.outcomes.index(outcome)
        ids = np.asarray(self.location_ids)
        parts = [
            score_frame(ids[s.test_rows], f, s.test_scores[:, at], s.test_log_probabilities[:, at])
            for f, s in self.states.items()
        ]
        return pd.concat(parts).sort_values("location_id", ignore_index=True)

    def all_scores(self) -> pd.DataFrame:
        """The scores of all outcomes, with `outcome`, as `tables.JOINT_SCORES`."""
        of_each = [self.scores(outcome).assign(outcome=outcome) for outcome in self.outcomes]
        return pd.concat(of_each, ignore_index=True)

    def digest(self, *tables: pd.DataFrame) -> str:
        """sha256 of the weights and scores of all folds, and of further tables."""
        digest = hashlib.sha256("".join(digest_frame(table) for table in tables).encode())
        for fold, state in sorted(self.states.items()):
            digest.update(str(fold).encode())
            for array in (*state.best, state.test_rows, state.test_scores):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def train_folds(
    examples: Examples,
    splits: Mapping[int, Split],
    profile: Profile,
    device: Device,
    *,
    scheme: str,
    seed: int,
    workspace: Path,
    fingerprint: Mapping[str, str],
    logs: Path | None = None,
    log: Log = lambda _: None,
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
) -> Trained:
    """Train one network per fold and score the locations that each did not see.

    Args:
        splits: fold to its split of the examples' rows.
        scheme: of the folds, for the remedy when one has too few rows.
        workspace: outlives a crash; a training in it with the same fingerprint is resumed.
        fingerprint: all that the training depends on, by name.
        logs: where TensorBoard's event files go, one folder per fold; None for none.
        log: receives progress and anything unusual, a sentence at a time.
        checkpoint_every_s: between saved states, at ends of epochs; 0 saves each.

    Raises:
        TrainingError: rows, labels or codes that cannot be trained on, or a diverging loss.
    """
    _require_trainable(examples, profile)
    trainer = trainer_for(profile, examples.codes.shape, len(examples.outcomes), device)
    examples.codes.load()
    checkpoints, states = Checkpoints(workspace, fingerprint, log), {}
    for done, (fold, split) in enumerate(splits.items()):
        require_rows(split, fold, profile, scheme)
        epochs = epochs_of_fold(examples, split, profile)
        states[fold] = FoldTraining(
            trainer=trainer,
            profile=profile,
            examples=examples,
            split=split,
            fold=fold,
            seed=seed,
            checkpoints=checkpoints,
            checkpoint_every_s=checkpoint_every_s,
            progress=Progress(log, fold, folds_left=len(splits) - done, epochs=epochs),
            logs=logs / f"fold_{fold}" if logs else None,
        ).finish()
        _return_memory()
    return Trained(examples.outcomes, examples.codes.reader.location_ids, states)


def _return_memory() -> None:
    """Hand freed memory back: glibc keeps it, and it would add up from fold to fold."""
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


def _require_trainable(examples: Examples, profile: Profile) -> None:
    require_window(examples.codes, profile)
    require_every_view(examples.codes, profile)
    if profile.balance == "one_per_class" and len(examples.outcomes) > 1:
        raise TrainingError(
            "joint training cannot draw one row per class of every outcome at once: set balance = "
            '"weights" under [training.overrides], or joint = false'
        )
    for outcome, column in zip(examples.outcomes, examples.classes.T, strict=True):
        refusal = nothing_to_learn(outcome, len(np.unique(column[column >= 0])))
        if refusal:
            raise TrainingError(refusal)


def scores_by_seed(further: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """`tables.JOINT_SEED_SCORES`, of `Trained.all_scores` by the number of the further seed."""
    parts = [frame.assign(seed=number) for number, frame in further.items()]
    return conform(pd.concat(parts), JOINT_SEED_SCORES) if parts else empty(JOINT_SEED_SCORES)


def score_frame(location_ids: NDArray, fold: int, h: NDArray, log_p: NDArray) -> pd.DataFrame:
    """`location_id, fold, h, p_1 .. p_10` of the locations that a fold's network scored.

    Args:
        location_ids: (n,).
        h: (n,) float32, logits.
        log_p: (n, 10) float, log-probabilities of the deciles.
    """
    p = np.exp(log_p)
    columns = dict(zip(PROBABILITIES, p.T.astype(np.float32), strict=True))
    return pd.DataFrame(
        {
            "location_id": np.asarray(location_ids).astype(str),
            "fold": np.int64(fold),
            "h": h,
            **columns,
        }
    )
