"""Networks for shares of a city's training locations, out of fold: tuned ones, and their controls.

For each share, repeat and fold of the target, a network starts from its own weights and
standardisation, is tuned on that share of the fold's training locations (validation is cut from
these, by areas), and scores the fold's test locations. Repeat r starts in fold f from network
(f + r) mod k. A share of 0 is the network as it is, and is always there. The control learns from
the same rows, with fresh weights and at the profile's full rate; on a share of 1 it would be the
city's own network. Shares are parts of the locations, of the areas, or of both in turn: where an
area has several locations, few of these have the labels of many areas.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.devices import Device
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.models.batches import FEWEST_ROWS, require_every_view
from streetineq_assets.models.checkpoints import Checkpoints, FoldState
from streetineq_assets.models.dataset import Examples
from streetineq_assets.models.fold_training import (
    FoldTraining,
    Progress,
    epochs_of_fold,
    folds_with_rows,
)
from streetineq_assets.models.folds import FoldTable, Split, split_rows
from streetineq_assets.models.network import build_network
from streetineq_assets.models.trainer import Trainer, trainer_for
from streetineq_assets.models.training import score_frame
from streetineq_assets.profiles import Profile
from streetineq_assets.settings import Transfer
from streetineq_assets.tables import conform
from streetineq_assets.transfer.source import Weights
from streetineq_assets.transfer.tables import EITHER, FROM_SCRATCH, REPEAT, TUNED, TUNING_RUNS

FEWEST_AREAS = 10
_CHECKPOINT_EVERY_S = 60.0


class Attempt(NamedTuple):
    """One network for every fold: which kind, on which share, and the number of its repeat."""

    network: str
    share_of: str
    share: float
    repeat: int

    @property
    def name(self) -> str:
        """Of its files, such as `fine_tuned_areas_0.01_repeat_0`."""
        return f"{self.network}_{self.share_of}_{self.share:g}_repeat_{self.repeat}"

    def __str__(self) -> str:
        of = "" if self.share_of == EITHER else f" of {self.share_of}"
        return f"{self.network}, share {self.share:g}{of}, repeat {self.repeat}"


def attempts(transfer: Transfer, n_networks: int) -> Iterator[Attempt]:
    """Everything that the settings ask for, from the smallest share on.

    Args:
        n_networks: to start from; at a share of 0 repeats differ in that alone.
    """
    for share in sorted({0.0, *transfer.shares}):
        ends = share in (0, 1)
        kinds = (TUNED, FROM_SCRATCH) if transfer.controls and not ends else (TUNED,)
        repeats = transfer.repeats if share else min(transfer.repeats, n_networks)
        for share_of in (EITHER,) if ends else transfer.units:
            for network in kinds:
                for repeat in range(repeats):
                    yield Attempt(network, share_of, share, repeat)


@dataclass
class Tuning:
    """All shares, repeats and folds of one target.

    Attributes:
        examples: the target's rows with one outcome.
        table: the target's folds.
        transfer: shares, units, repeats, frozen layers, controls.
        profile: of the tuned networks, at the rate of tuning.
        scratch: of the controls.
        workspace: a folder that outlives a crash.
        fingerprint: all that the tuning depends on, by name.
        log: receives progress, a sentence at a time.
    """

    examples: Examples
    table: FoldTable
    transfer: Transfer
    profile: Profile
    scratch: Profile
    seed: int
    device: Device
    workspace: Path
    fingerprint: Mapping[str, str]
    log: Callable[[str], None]

    def finish(self, weights: Sequence[Weights], folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tune, train the controls, and score everything.

        Args:
            weights: of the networks to start from.
            folder: takes the tuned networks of each share's first repeat, a file per fold.

        Returns:
            `network, share_of, share, repeat, location_id, fold, h, p_1 .. p_10` out of fold, and a
            row per network (`tables.TUNING_RUNS`).

        Raises:
            TrainingError: codes that are not finite or lack views that the profile needs, or a loss
                that diverges.
        """
        require_every_view(self.examples.codes, self.profile)
        self.examples.codes.load()
        none = score_frame(np.empty(0, str), 0, np.empty(0, np.float32), np.empty((0, N_DECILES)))
        # Every share may be too small.
        scores = [none.assign(network="", share_of="", share=0.0, repeat=0)]
        runs = []
        for attempt in attempts(self.transfer, len(weights)):
            made, rows = self._finish(attempt, weights, folder)
            scores += made
            runs += rows
        return pd.concat(scores, ignore_index=True), conform(pd.DataFrame(runs), TUNING_RUNS)

    @cached_property
    def folds(self) -> tuple[int, ...]:
        """The target's folds that test something; the others are logged, once."""
        return folds_with_rows(self.table.folds, self.table, self.examples.rows, self.log)

    def split(self, fold: int, share: float, share_of: str, repeat: int) -> Split:
        """The fold's split, with training and validation cut down to a random share.

        It is the same for tuned networks and for controls.
        """
        rows, validation = self.examples.rows, self.profile.validation_share
        whole = self._whole(fold)
        rng = np.random.default_rng((self.seed, fold, repeat, round(share * 1e6)))
        learn = np.flatnonzero(whole.train | whole.validation)
        areas = rows["area"].to_numpy()[learn]
        kept = whole.test.copy()
        kept[learn[choose_share(areas, share, share_of, rng)]] = True
        part = split_rows(
            self.table,
            fold,
            rows[kept].reset_index(drop=True),
            validation_share=validation,
            seed=self.seed + repeat,
        )
        train, validation, test = (
            _spread(mask, kept) for mask in (part.train, part.validation, part.test)
        )
        return Split(train, validation, test, whole.dropped)

    def _whole(self, fold: int) -> Split:
        share = self.profile.validation_share
        return split_rows(
            self.table, fold, self.examples.rows, validation_share=share, seed=self.seed
        )

    def _finish(
        self, attempt: Attempt, weights: Sequence[Weights], folder: Path
    ) -> tuple[list[pd.DataFrame], list[dict[str, Any]]]:
        """All folds of one attempt, or none of them when the share is too small in one."""
        share, repeat = attempt.share, attempt.repeat
        splits = {fold: self.split(fold, share, attempt.share_of, repeat) for fold in self.folds}
        reason = self._too_small(splits) if share else ""
        scores, runs = [], []
        for fold, split in splits.items():
            state = FoldState()
            if not reason:
                trainer = self._trainer(attempt.network)
                start = None
                if attempt.network == TUNED:
                    start = weights[(fold + repeat) % len(weights)]
                    trainer.reset(start, seed=self.seed)
                if share:
                    state = self._trained(trainer, start, split, attempt, fold)
                made = self._scores(trainer, split, fold, state)
                scores.append(made.assign(**attempt._asdict()))
                if share and repeat == 0 and attempt.network == TUNED:
                    of = f"{attempt.share_of}_share_{share:g}"
                    self._save(state.best, folder / f"{of}_fold_{fold}.keras")
            runs.append(self._run(split, attempt, fold, state, reason))
        self.log(f"{attempt}: {reason or 'scored out of fold'}")
        return scores, runs

    def _trainer(self, network: str) -> Trainer:
        """The process's trainer; a control has nothing that could stay frozen."""
        shape = self.examples.codes.shape
        if network == FROM_SCRATCH:
            return trainer_for(self.scratch, shape, 1, self.device)
        return trainer_for(self.profile, shape, 1, self.device, self.transfer.frozen_layers)

    def _trained(
        self,
        trainer: Trainer,
        start: Weights | None,
        split: Split,
        attempt: Attempt,
        fold: int,
    ) -> FoldState:
        profile = self.scratch if start is None else self.profile
        epochs = epochs_of_fold(self.examples, split, profile)
        run = FoldTraining(
            trainer=trainer,
            profile=profile,
            examples=self.examples,
            split=split,
            fold=fold,
            seed=self.seed + 1000 * attempt.repeat,
            checkpoints=Checkpoints(self.workspace / attempt.name, self.fingerprint, self.log),
            checkpoint_every_s=_CHECKPOINT_EVERY_S,
            progress=Progress(self.log, fold, folds_left=1, epochs=epochs),
            logs=None,
            start=start,
        )
        return run.finish()

    def _scores(self, trainer: Trainer, split: Split, fold: int, state: FoldState) -> pd.DataFrame:
        """Of the fold's test locations, by the tuned network or by the source's as it is."""
        ids = self.examples.codes.reader.location_ids
        if state.finished:
            rows, h, log_p = state.test_rows, state.test_scores, state.test_log_probabilities
        else:
            rows = self.examples.rows["row"].to_numpy(np.int64)[split.test]
            h, log_p = trainer.score(self.examples.codes, rows)
        return score_frame(np.asarray(ids)[rows], fold, h[:, 0], log_p[:, 0])

    def _run(
        self, split: Split, attempt: Attempt, fold: int, state: FoldState, reason: str
    ) -> dict[str, Any]:
        """One row of `tables.TUNING_RUNS`."""
        whole, lsoas = self._whole(fold), self.examples.rows["area"]
        learn = split.train | split.validation
        losses = {record["epoch"]: record["val_loss"] for record in state.history}
        return {
            **dict(zip(REPEAT, attempt, strict=True)),
            "fold": fold,
            "n_locations": int(learn.sum()),
            "n_lsoas": int(lsoas[learn].nunique()),
            "n_lsoas_of_fold": int(lsoas[whole.train | whole.validation].nunique()),
            "epochs": state.epoch,
            "best_epoch": state.best_epoch,
            "val_loss": losses.get(state.best_epoch, np.nan),
            "skipped": reason,
        }

    def _save(self, weights: Weights, path: Path) -> None:
        network = build_network(self.profile, **self.examples.codes.shape._asdict())
        network.set_weights(weights)
        network.save(path)

    def _too_small(self, splits: Mapping[int, Split]) -> str:
        """Why nothing can be tuned on this share; empty when it can."""
        for split in splits.values():
            learn = split.train | split.validation
            n_lsoas = self.examples.rows["area"][learn].nunique()
            if n_lsoas < FEWEST_AREAS:
                return f"only {n_lsoas} areas, fewer than {FEWEST_AREAS}"
            if split.train.sum() < FEWEST_ROWS or not split.validation.any():
                return f"only {int(split.train.sum())} locations to tune on"
        return ""


def choose_share(
    areas: NDArray, share: float, share_of: str, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A random share of locations, or of areas with all their locations; rounded up.

    Args:
        areas: (n,) the area of each location.
        share: 0 to 1.
        share_of: `areas`; else of the locations.

    Returns:
        (n,) bool, which are in the share.
    """
    if share_of == "areas":
        names = np.unique(areas)
        return np.isin(areas, names[_choose(len(names), share, rng)])
    return _choose(len(areas), share, rng)


def _choose(n: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    chosen = np.zeros(n, bool)
    # Rounding first: 0.29 * 100 is a little more than 29.
    wanted = min(n, int(np.ceil(round(share * n, 9))))
    chosen[rng.permutation(n)[:wanted]] = True
    return chosen


def _spread(mask: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask over the kept rows as a mask over all."""
    whole = np.zeros(len(kept), bool)
    whole[np.flatnonzero(kept)[mask]] = True
    return whole
