"""Tuning networks on shares of a city's training locations, out of fold.

What belongs here: which locations tune a network, and the scores of every share and draw. What does
not: where the networks come from (`source`), and the epochs (`models.fold_run`).

For each share, draw and fold of the target, a network starts from its own weights and
standardisation, is tuned on that share of the fold's training locations (validation is cut from
these, by areas), and scores the fold's test locations. Draw d starts in fold f from network
(f + d) mod k. A share of 0 is the network as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.devices import Device
from streetineq_assets.models.batches import FEWEST_ROWS
from streetineq_assets.models.binomial import DECILES
from streetineq_assets.models.checkpoints import Checkpoints, FoldState
from streetineq_assets.models.dataset import Examples
from streetineq_assets.models.fold_training import FoldTraining, Progress, folds_with_rows
from streetineq_assets.models.folds import FoldTable, Split, split_rows
from streetineq_assets.models.network import build_network
from streetineq_assets.models.trainer import Trainer, trainer_for
from streetineq_assets.models.training import score_frame
from streetineq_assets.predictions.tables import conform
from streetineq_assets.study import Profile, Transfer
from streetineq_assets.transfer.tables import RUNS

FEWEST_AREAS = 10
_CHECKPOINT_EVERY_S = 60.0


@dataclass
class Tuning:
    """All shares, draws and folds of one target.

    Attributes:
        examples: the target's rows with one outcome.
        table: the target's folds.
        transfer: shares, unit, draws, frozen layers.
        profile: of the networks, at the rate of tuning.
        workspace: a folder that outlives a crash.
        fingerprint: all that the tuning depends on, by name.
        tell: receives progress, a sentence at a time.
    """

    examples: Examples
    table: FoldTable
    transfer: Transfer
    profile: Profile
    seed: int
    device: Device
    workspace: Path
    fingerprint: Mapping[str, str]
    tell: Callable[[str], None]

    def finish(
        self, weights: list[list[NDArray]], folder: Path
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tune and score everything.

        Args:
            weights: of the networks to start from.
            folder: takes the tuned networks of each share's first draw, a file per fold.

        Returns:
            `fraction, draw, location_id, fold, h, p_1 .. p_10` out of fold, and a row per network
            (`tables.RUNS`).
        """
        codes, frozen = self.examples.codes, self.transfer.frozen_layers
        trainer = trainer_for(self.profile, codes.reader.width, 1, self.device, frozen)
        codes.load()
        nobody = score_frame(np.empty(0, str), 0, np.empty(0, np.float32), np.empty((0, DECILES)))
        scores, runs = [nobody.assign(fraction=0.0, draw=0)], []  # every share may be too small
        for fraction in self.transfer.fractions:
            # At a share of 0 draws differ in the starting network alone.
            most = len(weights) if fraction == 0 else self.transfer.draws
            for draw in range(min(self.transfer.draws, most)):
                made, rows = self._draw(trainer, weights, (fraction, draw), folder)
                scores += made
                runs += rows
        return pd.concat(scores, ignore_index=True), conform(pd.DataFrame(runs), RUNS)

    @cached_property
    def folds(self) -> tuple[int, ...]:
        """The target's folds that test something; the others are told, once."""
        return folds_with_rows(self.table.folds, self.table, self.examples.rows, self.tell)

    def _draw(
        self,
        trainer: Trainer,
        weights: list[list[NDArray]],
        key: tuple[float, int],
        folder: Path,
    ) -> tuple[list[pd.DataFrame], list[dict[str, Any]]]:
        """All folds of one draw, or none of them when the share is too small in one."""
        fraction, draw = key
        splits = {fold: self.split(fold, fraction, draw) for fold in self.folds}
        reason = self._too_small(splits) if fraction else ""
        scores, runs = [], []
        for fold, split in splits.items():
            state = FoldState()
            if not reason:
                start = weights[(fold + draw) % len(weights)]
                trainer.reset(start, seed=self.seed)
                if fraction:
                    state = self._tuned(trainer, start, split, key, fold)
                made = self._scores(trainer, split, fold, state)
                scores.append(made.assign(fraction=fraction, draw=draw))
                if fraction and draw == 0:
                    self._save(state.best, folder / f"share_{fraction:g}_fold_{fold}.keras")
            runs.append(self._run(split, key, fold, state, reason))
        self.tell(f"share {fraction:g}, draw {draw}: {reason or 'scored out of fold'}")
        return scores, runs

    def _tuned(
        self,
        trainer: Trainer,
        start: list[NDArray],
        split: Split,
        key: tuple[float, int],
        fold: int,
    ) -> FoldState:
        fraction, draw = key
        folder = self.workspace / f"share_{fraction:g}_draw_{draw}"
        run = FoldTraining(
            trainer=trainer,
            profile=self.profile,
            examples=self.examples,
            split=split,
            fold=fold,
            seed=self.seed + 1000 * draw,
            checkpoints=Checkpoints(folder, self.fingerprint, self.tell),
            checkpoint_every_s=_CHECKPOINT_EVERY_S,
            progress=Progress(self.tell, fold, folds_left=1, epochs=self.profile.epochs),
            logs=None,
            start=start,
        )
        return run.finish()

    def _scores(self, trainer: Trainer, split: Split, fold: int, state: FoldState) -> pd.DataFrame:
        """Of the fold's test locations, by the tuned network or by the one as it came."""
        ids = self.examples.codes.reader.location_ids
        if state.finished:
            rows, h, log_p = state.test_rows, state.test_scores, state.test_log_probabilities
        else:
            rows = self.examples.rows["row"].to_numpy(np.int64)[split.test]
            h, log_p = trainer.score(self.examples.codes, rows)
        return score_frame(np.asarray(ids)[rows], fold, h[:, 0], log_p[:, 0])

    def _run(
        self, split: Split, key: tuple[float, int], fold: int, state: FoldState, reason: str
    ) -> dict[str, Any]:
        """One row of `tables.RUNS`."""
        learn = split.train | split.validation
        losses = {record["epoch"]: record["val_loss"] for record in state.history}
        return {
            "fraction": key[0],
            "draw": key[1],
            "fold": fold,
            "n_locations": int(learn.sum()),
            "n_areas": int(self.examples.rows["lsoa11"][learn].nunique()),
            "epochs": state.epoch,
            "best_epoch": state.best_epoch,
            "val_loss": losses.get(state.best_epoch, np.nan),
            "skipped": reason,
        }

    def _save(self, weights: list[NDArray], path: Path) -> None:
        network = build_network(self.profile, self.examples.codes.reader.width)
        network.set_weights(weights)
        network.save(path)

    def split(self, fold: int, fraction: float, draw: int) -> Split:
        """The fold's split, with training and validation cut down to a random share."""
        rows, share = self.examples.rows, self.profile.validation_share
        whole = split_rows(self.table, fold, rows, validation_share=share, seed=self.seed)
        rng = np.random.default_rng((self.seed, fold, draw, round(fraction * 1e6)))
        learn = np.flatnonzero(whole.train | whole.validation)
        areas = rows["lsoa11"].to_numpy()[learn]
        kept = whole.test.copy()
        kept[learn[draw_share(areas, fraction, self.transfer.unit, rng)]] = True
        part = split_rows(
            self.table,
            fold,
            rows[kept].reset_index(drop=True),
            validation_share=share,
            seed=self.seed + draw,
        )
        return Split(*(_spread(mask, kept) for mask in (part.train, part.validation, part.test)))

    def _too_small(self, splits: Mapping[int, Split]) -> str:
        """Why nothing can be tuned on this share; empty when it can."""
        for split in splits.values():
            learn = split.train | split.validation
            n_areas = self.examples.rows["lsoa11"][learn].nunique()
            if n_areas < FEWEST_AREAS:
                return f"only {n_areas} areas, fewer than {FEWEST_AREAS}"
            if split.train.sum() < FEWEST_ROWS or not split.validation.any():
                return f"only {int(split.train.sum())} locations to tune on"
        return ""


def draw_share(
    areas: NDArray, fraction: float, unit: str, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A random share of locations, or of areas with all their locations; rounded up.

    Args:
        areas: (n,) the area of each location.
        unit: `locations` or `areas`.

    Returns:
        (n,) which are in the share.
    """
    if unit == "areas":
        names = np.unique(areas)
        return np.isin(areas, names[_some(len(names), fraction, rng)])
    return _some(len(areas), fraction, rng)


def _some(n: int, fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    chosen = np.zeros(n, bool)
    # Rounding first: 0.29 * 100 is a little more than 29.
    wanted = min(n, int(np.ceil(round(fraction * n, 9))))
    chosen[rng.permutation(n)[:wanted]] = True
    return chosen


def _spread(mask: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask over the kept rows as a mask over all."""
    whole = np.zeros(len(kept), bool)
    whole[np.flatnonzero(kept)[mask]] = True
    return whole
