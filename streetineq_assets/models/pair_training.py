"""One city and outcome: from published slices to the files of `trained_model`.

What belongs here: what a pair's artefact holds. What does not: what its recipe is made of
(`opening`), training itself (`training`), joint training of a city's outcomes (`joint`), and
anything of Dagster.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.devices import Device
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Manifest, Recipe
from streetineq_assets.models import checks, plots
from streetineq_assets.models.availability import absent, absent_note
from streetineq_assets.models.baselines import baseline_scores
from streetineq_assets.models.batches import Codes
from streetineq_assets.models.dataset import (
    SPATIAL,
    CityInputs,
    Examples,
    Unavailable,
    make_examples,
)
from streetineq_assets.models.deviations import ledger_of
from streetineq_assets.models.folds import FoldTable, Split, scheme_note, split_rows
from streetineq_assets.models.tables import BASELINES, HISTORY, JOINT_SCORES, SCORES, TrainingRecord
from streetineq_assets.store import DataStore
from streetineq_assets.study import Profile, Study
from streetineq_assets.tables import empty, write

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    from streetineq_assets.models.training import Trained

ASSET = "trained_model"
JOINT = "joint_model"
JOINT_CHECKS = {"available": ("Labels, codes and folds are there.", False)}
# Part of the fingerprint of unfinished trainings: raise it when the same inputs train differently.
TRAINING_VERSION = "2"
SCORE_COLUMNS = {
    "location_id": "identifier of the location",
    "fold": "the fold whose network had not seen the location's area",
    "h": "out-of-fold score of the network, logit; higher is better-off",
}
JOINT_COLUMNS = {**SCORE_COLUMNS, "outcome": "key of the outcome whose head gave the score"}
_SPATIAL_BASELINES = ("coordinates", "ridge")


@dataclass(frozen=True)
class PairJob:
    """A pair that is ready to be trained, or known to be unavailable.

    Attributes:
        outcomes: what is trained together: the pair's own, or all of its city (joint training).
        inputs, config: what its recipe is made of.
        reads: the artefacts of the city and, for the scheme `city`, of those that it learns from;
            empty when unavailable.
        why: why the pair is unavailable; None when it is available.
        refused: the city's outcomes that joint training does without, and why.
    """

    store: DataStore
    study: Study
    city: str
    outcome: str
    outcomes: tuple[str, ...]
    profile: Profile
    profile_name: str
    inputs: dict[str, str]
    config: dict[str, Any]
    reads: tuple[CityInputs, ...]
    why: Unavailable | None
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """The pair's partition key."""
        return f"{self.city}/{self.outcome}"

    def make(self, folder: Path, device: Device, tell: Callable[[str], None]) -> Findings:
        """Train, score, compare with the baselines, and write the artefact's files."""
        if self.why:
            for name, columns in {
                "scores": SCORES,
                "history": HISTORY,
                "baselines": BASELINES,
            }.items():
                write(empty(columns), columns, folder / f"{name}.parquet")
            return checks.unavailable(self.why, checks.TRAINING_CHECKS)
        examples, counts = make_examples(self.reads, self.outcomes, self.budget_bytes)
        if self.joint:
            trained = self._joint(examples, counts | device.report(), device, tell)
        else:
            trained = self._train(examples, device, tell)
            save_networks(trained, self.profile, examples.codes.reader.width, folder)
        found = self._write_tables(trained, examples, counts, folder)
        found.values |= {"profile": self.profile_name, "head": self.profile.head}
        found.values["trained_on"] = ", ".join(self.learned_from)
        found.values |= {"joint": self.joint, "seed": self.study.seed, **device.report()}
        if self.joint:
            found.values["joint_digest"] = self.store.manifest(*self.place).digest
        found.values |= checks.codes_figures(examples.codes.reader.attributes, self.profile)
        attributes = examples.codes.reader.attributes
        found.record = TrainingRecord(
            profile_name=self.profile_name,
            scheme=self._table.scheme,
            trained_on=self.learned_from,
            encoder=EncoderIdentity.from_attributes(attributes),
            synthetic=bool(attributes.get("synthetic", False)),
            n_folds=len(trained.states),
            n_locations_trained_on=found.values["n_locations_trained_on"],
            n_lsoas_trained_on=found.values["n_areas_trained_on"],
            joint=self.joint,
        )
        ledger = ledger_of(self.profile_name, self.profile)
        found.tables["departures_from_the_original"] = ledger
        found.notes |= self._notes()
        found.notes["tensorboard"] = f"`uvx tensorboard --logdir {self.logs}`"
        return found

    def make_joint(self, folder: Path, device: Device, tell: Callable[[str], None]) -> Findings:
        """Train the city's outcomes together and write the files of `joint_model`."""
        if self.why:
            write(empty(JOINT_SCORES), JOINT_SCORES, folder / f"{JOINT}.parquet")
            return checks.unavailable(self.why, JOINT_CHECKS)
        examples, counts = make_examples(self.reads, self.outcomes, self.budget_bytes)
        trained = self._train(examples, device, tell)
        return self._write_joint(trained, counts | device.report(), folder)

    def _write_joint(self, trained: "Trained", about: dict[str, Any], folder: Path) -> Findings:
        from streetineq_assets.models.joint_training import write_joint

        found = write_joint(trained, folder, JOINT)
        found.values |= {"profile": self.profile_name, **about}
        found.notes |= self._notes()
        return checks.with_left_out(found, self._left_out(trained))

    def _write_tables(
        self, trained: "Trained", examples: Examples, counts: dict[str, int], folder: Path
    ) -> Findings:
        """Everything of the artefact but the networks, of the rows with this outcome's label."""
        classes = examples.classes[:, self.outcomes.index(self.outcome)]
        labelled = classes >= 0
        rows = examples.rows.assign(decile=classes + 1.0)[labelled].reset_index(drop=True)
        used = rows["city"] == self.city
        scores = trained.scores(self.outcome)
        scores = scores[scores["location_id"].isin(rows.loc[used, "location_id"])]
        scores = scores.reset_index(drop=True)
        baselines, history = self._baselines(examples.codes, rows, scores), trained.history()
        tables = {"scores": scores, "history": history, "baselines": baselines}
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        best = {fold: state.best_epoch for fold, state in trained.states.items()}
        plots.draw_learning_curves(history, best, folder / "learning_curves.png")
        splits = {fold: self._split(examples, fold).only(labelled) for fold in trained.states}
        unlabelled = counts["n_locations_used"] - int(used.sum())
        counts["n_areas_used"] = int(rows.loc[used, "lsoa11"].nunique())
        counts["n_locations_used"] -= unlabelled
        counts["n_locations_without_label"] += unlabelled
        scheme = self._table.scheme
        found = checks.of_training(trained, scores, rows, splits, counts=counts, scheme=scheme)
        found = checks.with_left_out(found, self._left_out(trained))
        if self._blocks is not None:
            there = baselines.loc[baselines["scheme"] == self._blocks.scheme, "fold"].nunique()
            found.values["n_spatial_folds_without_images"] = len(self._blocks.folds) - there
        found.digest = trained.digest(scores, baselines)
        return found

    def _notes(self) -> dict[str, str]:
        """What is to be said of the pair's artefact and of its city's joint networks alike."""
        missing = absent(self.store, self.study, self.city, self.outcomes)
        # One that was published since the reading was read all the same, or will be the next time.
        read = {read.city for read in self.reads}
        missing = {other: what for other, what in missing.items() if other not in read}
        leak = scheme_note([self._table.scheme])
        notes = {"leak": leak, "cities_not_there": absent_note(missing)}
        told = {name: note for name, note in notes.items() if note}
        return told | checks.joint_notes(self.outcomes, self.refused)

    def _left_out(self, trained: "Trained") -> set[int]:
        return set(self.folds) - set(trained.states)

    def _split(self, examples: Examples, fold: int) -> Split:
        return split_rows(
            self._table,
            fold,
            examples.rows,
            validation_share=self.profile.validation_share,
            seed=self.study.seed,
        )

    @cached_property
    def _table(self) -> FoldTable:
        return self.reads[0].fold_table()

    @cached_property
    def _blocks(self) -> FoldTable | None:
        """Spatial blocks for further baselines; None where the study's folds make them idle."""
        idle = self._table.scheme in ("spatial_block", "city")
        return None if idle else self.reads[0].fold_table(SPATIAL)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that this city tests: all, or its own where whole cities are held out."""
        if self._table.scheme != "city":
            return self._table.folds
        own = self._table.areas["lsoa11"].isin(self.reads[0].labels["lsoa11"])
        return tuple(sorted(set(self._table.areas.loc[own, "fold"].tolist())))

    @property
    def learned_from(self) -> tuple[str, ...]:
        """The cities that taught the networks: the pair's own, or the others where it is left out.

        In joint training also those that have another of the outcomes: the trunk learned from them.
        """
        others = tuple(read.city for read in self.reads[1:])
        return others if self._table.scheme == "city" else (self.city,)

    @property
    def joint(self) -> bool:
        """Whether the city's outcomes are trained together."""
        return bool(self.config.get("joint"))

    @property
    def superseded(self) -> bool:
        """Whether the published scores are of joint networks that others have replaced.

        A city has one set of joint networks: a pair that is trained with other settings replaces
        them for all.
        """
        published = self.store.manifest(ASSET, self.partition)
        if not self.joint or published is None:
            return False
        return not are_of(published, self.store.manifest(*self.place))

    @property
    def budget_bytes(self) -> int:
        """Memory for codes held at one time."""
        return self.study.training.memory_budget_mb * 2**20

    @property
    def place(self) -> tuple[str, str]:
        """Asset and partition below which the training is done."""
        return (JOINT, self.city) if self.joint else (ASSET, self.partition)

    @property
    def logs(self) -> Path:
        """TensorBoard's folder."""
        return self.store.logs(*self.place)

    def clean(self) -> None:
        """Remove the work in progress, which the published artefact has made useless."""
        self.store.clear_workspace(*self.place)

    def _train(self, examples: Examples, device: Device, tell: Callable[[str], None]) -> "Trained":
        from streetineq_assets.models.training import train_folds

        return train_folds(
            examples,
            self._table,
            self.profile,
            device,
            seed=self.study.seed,
            workspace=self.store.workspace(*self.place),
            fingerprint=fingerprint(self.inputs, self.config),
            logs=self.logs,
            tell=tell,
            folds=self.folds,
        )

    def _joint(
        self,
        examples: Examples,
        about: dict[str, Any],
        device: Device,
        tell: Callable[[str], None],
    ) -> "Trained":
        from streetineq_assets.models.joint_training import find_or_make

        def make(folder: Path) -> Findings:
            trained = self._train(examples, device, tell)
            return self._write_joint(trained, about, folder)

        recipe = Recipe(code_version=TRAINING_VERSION, inputs=self.inputs, config=self.config)
        return find_or_make(self.store, self.place, recipe, examples, make, tell=tell)

    def _baselines(self, codes: Codes, rows: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
        mine = scores[["location_id", "h"]].assign(city=self.city)
        rows = rows.merge(mine, on=["city", "location_id"], how="left")
        asked = {"validation_share": self.profile.validation_share, "seed": self.study.seed}
        places, table = self.reads[0].centroids(), self._table
        parts = [baseline_scores(codes, rows, table, places, folds=self.folds, **asked)]
        if self._blocks is not None:
            asked |= {"baselines": _SPATIAL_BASELINES}
            parts.append(baseline_scores(codes, rows, self._blocks, places, **asked))
        return pd.concat([part for part in parts if len(part)], ignore_index=True)


def are_of(trained: Manifest, joint: Manifest | None) -> bool:
    """Whether a pair's published scores are of these joint networks."""
    recorded = trained.summary["values"].get("joint_digest")
    return joint is not None and recorded == joint.digest


def fingerprint(inputs: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, str]:
    """All that a training depends on, flat, for its checkpoints."""
    settings = {name: json.dumps(value, sort_keys=True) for name, value in config.items()}
    return {"training_version": TRAINING_VERSION, **inputs, **settings}


def save_networks(trained: "Trained", profile: Profile, width: int, folder: Path) -> None:
    """One `.keras` file per fold, in float32, loadable with `safe_mode=True`."""
    from streetineq_assets.models.network import build_network

    for fold, state in trained.states.items():
        network = build_network(profile, width, outcomes=len(trained.outcomes))
        network.set_weights(state.best)
        network.save(folder / network_file(fold))


def network_file(fold: int) -> str:
    """Name of a fold's network, in the artefact and in a bundle."""
    return f"fold_{fold}.keras"
