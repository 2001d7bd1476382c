"""What a training depends on: slices, profile, recipe; for one outcome of a city or several.

A plan is made before anything is opened that is large, since most runs end in a skip.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from streetineq_assets.codes.identity import EncoderIdentity, require_one_encoder
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.devices import Device
from streetineq_assets.errors import StoreError, StudyError, TrainingError
from streetineq_assets.findings import Unavailable
from streetineq_assets.locks import one_process
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.availability import (
    missing_cities,
    missing_cities_note,
    teaching_cities,
)
from streetineq_assets.models.checkpoints import Log
from streetineq_assets.models.dataset import (
    CitySlices,
    Examples,
    LabelledRows,
    fit_in_memory,
    labelled_rows,
    open_codes,
    read_slices,
)
from streetineq_assets.models.fold_table import FoldTable, deal_stem
from streetineq_assets.models.folds import Split, deals_anew, scheme_note, split_rows
from streetineq_assets.models.reader import CodeShape
from streetineq_assets.profiles import Profile, ProfileName, Training
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study
from streetineq_assets.wrong_settings import in_words

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    import pandas as pd

    from streetineq_assets.models.training import Trained

# Part of the fingerprint of unfinished trainings: raise it when the same inputs train differently.
TRAINING_VERSION = "3"  # 2: few validation areas chose the epoch; no scores of further seeds

# The same, for what trains as well but not to the same bits: published networks stay as they are.
STEP_VERSION = "2"  # 1: TensorFlow drew what dropout drops


class RunProfile(NamedTuple):
    """The profile of a run: its name, and all its fields with every override."""

    name: ProfileName
    fields: Profile


class TrainingRun(NamedTuple):
    """What came of training: networks by fold, and the rows that they were trained on.

    Attributes:
        splits: fold to its split of the rows, of the folds that were trained.
        seed_scores: `tables.JOINT_SEED_SCORES`, of the networks of further seeds.
        attributes: of the codes, as their files have them; empty where no codes were read.
        mixed_precision: whether training used float16 arithmetic; None where that is not known.
    """

    trained: "Trained"
    labelled: LabelledRows
    splits: Mapping[int, Split]
    seed_scores: "pd.DataFrame"
    attributes: Mapping[str, Any]
    mixed_precision: bool | None


@dataclass(frozen=True)
class TrainingPlan:
    """A training that is ready to start, or known to be unavailable.

    Attributes:
        artefact: asset and partition that it makes; unfinished work and logs lie there.
        outcomes: what is trained together: a pair's own, or several of the city.
        slices: of the city and, under the scheme `city`, of those that it learns from; empty when
            unavailable.
        settings: what the recipe's configuration says beside profile and seed.
        untrainable: the city's outcomes that joint training does without, and why.
        joint: the city's joint networks, when they are taken from there and not trained.
        other_folds: folds in place of the city's own.
    """

    store: DataStore
    study: Study
    artefact: tuple[str, str]
    city: str
    outcomes: tuple[str, ...]
    profile: RunProfile
    slices: tuple[CitySlices, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    unavailable: Unavailable | None = None
    untrainable: Mapping[str, str] = field(default_factory=dict)
    joint: Artefact | None = None
    other_folds: FoldTable | None = None

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Name to digest of each slice, for the recipe."""
        if self.unavailable:
            return {"unavailable": f"{self.unavailable.wanted}: {self.unavailable.reason}"}
        found = {name: digest for each in self.slices for name, digest in each.digests().items()}
        if self.other_folds:
            found = {name: d for name, d in found.items() if not name.endswith("/area_folds")}
        return found | ({"joint_model": self.joint.digest} if self.joint else {})

    @cached_property
    def config(self) -> dict[str, Any]:
        """Every setting that changes the networks, for the recipe."""
        config = {
            "profile": self.profile.fields.recorded(),
            "seed": self.study.seed,
            "seeds": self.study.training.seeds,
        }
        if self.slices:
            config["in_memory"] = fit_in_memory(self.slices, self.budget_bytes)
        if self.other_folds:
            config["folds_digest"] = self.other_folds.digest
        return config | dict(self.settings)

    @property
    def budget_bytes(self) -> int:
        """Memory for codes held at one time."""
        return self.study.training.memory_budget_mb * 2**20

    @property
    def encoder(self) -> EncoderIdentity:
        """What made the codes."""
        return self.slices[0].encoder

    @property
    def shape(self) -> CodeShape:
        """Of the codes, as the shards' records have it."""
        records = [each.shards.manifest.read_record(ShardsRecord) for each in self.slices]
        views = max(record.n_views if record.n_extracted else 1 for record in records)
        return CodeShape(self.encoder.width, views, any(r.n_absent_views for r in records))

    @property
    def synthetic(self) -> bool:
        """Whether the codes are of synthetic images or random weights."""
        return self.slices[0].shards.manifest.read_record(ShardsRecord).synthetic

    @cached_property
    def table(self) -> FoldTable:
        """The city's folds, or those in their place."""
        table = self.other_folds or self.slices[0].fold_table()
        assert table is not None  # a city without folds is unavailable
        return table

    def table_of(self, number: int) -> FoldTable:
        """The folds of the training of this number: the first's, or in a small city its own.

        Raises:
            StoreError: `area_folds` was made for fewer trainings.
        """
        dealt = deals_anew(self.study.folds, len(self.table.areas))
        if number == 0 or self.other_folds or not dealt:
            return self.table
        if own := self.slices[0].fold_table(deal_stem(number)):
            return own
        raise StoreError(
            f"area_folds[{self.city}] has no folds for training {number + 1} of "
            f"{self.config['seeds']}, which study.toml asks for under [training]: materialise "
            "area_folds first"
        )

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that this city tests: all, or its own where whole cities are held out."""
        if self.table.scheme != "city":
            return self.table.folds
        own = self.table.areas["area"].isin(self.slices[0].labels["area"])
        return tuple(sorted(set(self.table.areas.loc[own, "fold"].tolist())))

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The cities that teach the networks: the city itself, or the others where it is left out.

        In joint training also those that have another of the outcomes: the trunk learns from them.
        """
        others = tuple(each.city for each in self.slices[1:])
        return others if self.table.scheme == "city" else (self.city,)

    @property
    def logs(self) -> Path:
        """TensorBoard's folder."""
        return self.store.logs(*self.artefact)

    @property
    def notes(self) -> dict[str, str]:
        """What is to be said of anything trained by this plan."""
        missing = missing_cities(self.store, self.study, self.city, self.outcomes)
        # A city that was published since the slices were read is not missing.
        read = {each.city for each in self.slices}
        missing = {other: assets for other, assets in missing.items() if other not in read}
        notes = {
            "leak": scheme_note([self.table.scheme]),
            "missing_cities": missing_cities_note(missing),
            "outcomes_left_out": "; ".join(self.untrainable.values()) or None,
            "tensorboard": f"`uvx tensorboard --logdir {self.logs}`",
        }
        if len(self.outcomes) > 1:
            notes["validation"] = (
                f"val_loss and val_mae are of {len(self.outcomes)} outcomes on one trunk together: "
                f"{', '.join(self.outcomes)}"
            )
        return {name: note for name, note in notes.items() if note}

    def split(
        self, rows: "pd.DataFrame", folds: Sequence[int], number: int = 0
    ) -> dict[int, Split]:
        """Fold to its split of these rows; the training's number decides what validates."""
        table, seed = self.table_of(number), self.study.seed_of(number)
        share = self.profile.fields.validation_share
        return {
            fold: split_rows(table, fold, rows, validation_share=share, seed=seed) for fold in folds
        }

    def train(self, device: Device, log: Log) -> TrainingRun:
        """Train one network per fold that tests a location, resuming unfinished work.

        Then train as many again for each further seed, of which only the scores are kept.

        Raises:
            TrainingError: rows, labels or codes that cannot be trained on, or a diverging loss.
            StoreError: another process trains the same.
        """
        from streetineq_assets.models.training import scores_by_seed

        labelled = labelled_rows(self.slices, self.outcomes)
        codes = open_codes([each.shards for each in self.slices], self.budget_bytes)
        examples = Examples(codes, labelled.rows, labelled.classes, self.outcomes)
        further = {}
        with one_process(self.store.workspace(*self.artefact), log):
            trained = self._train_seed(0, examples, device, log)
            for number in range(1, n_seeds := self.config["seeds"]):
                log(f"training {number + 1} of {n_seeds}, to see how results vary by seed")
                further[number] = self._train_seed(number, examples, device, log).all_scores()
        return TrainingRun(
            trained,
            labelled,
            self.split(labelled.rows, list(trained.states)),
            scores_by_seed(further),
            codes.reader.attributes,
            device.mixed_precision,
        )

    def _train_seed(self, number: int, examples: Examples, device: Device, log: Log) -> "Trained":
        from streetineq_assets.models.fold_training import folds_with_rows
        from streetineq_assets.models.training import train_folds

        folds = folds_with_rows(self.folds, self.table_of(number), examples.rows, log)
        workspace = self.store.workspace(*self.artefact)
        fixed = {name: value for name, value in self.config.items() if name != "seeds"}
        return train_folds(
            examples,
            self.split(examples.rows, folds, number),
            self.profile.fields,
            device,
            scheme=self.table.scheme,
            seed=self.study.seed_of(number),
            workspace=workspace / f"seed_{number}" if number else workspace,
            fingerprint=fingerprint(self.inputs, fixed),
            logs=None if number else self.logs,
            log=log,
        )

    def clean(self) -> None:
        """Remove the work in progress, which the published artefact has made useless."""
        self.store.clear_workspace(*self.artefact)


def other_inputs(trained: Manifest, plan: TrainingPlan) -> str:
    """What networks were trained on that is another by now, as "labels of leeds"; empty if nothing.

    Args:
        trained: manifest of networks.
        plan: of the same networks, by what stands now.
    """
    was, now = trained.recipe.inputs, plan.inputs
    changed = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    parts = [name.partition("/") for name in changed]
    return ", ".join(f"{what} of {city}" if what else city for city, _, what in parts)


def read_cities(
    store: DataStore, study: Study, city: str, outcomes: Sequence[str]
) -> tuple[CitySlices, ...]:
    """The city's slices, and under the scheme `city` those of the cities that it learns from.

    Raises:
        StoreError: an artefact is absent or damaged.
        TrainingError: the cities' codes were made by different encoders, or are of different
            views.
    """
    learned = {city: tuple(outcomes)} | teaching_cities(store, study, city, outcomes)
    drop = study.repeats.drop
    slices = tuple(
        read_slices(store, each, known, drop_repeats=drop) for each, known in learned.items()
    )
    with_codes = [each for each in slices if each.encoder.width]
    require_one_encoder({each.city: each.encoder for each in with_codes})
    _require_same_views(with_codes)
    return slices


def _require_same_views(slices: Sequence[CitySlices]) -> None:
    views = {each.city: each.shards.manifest.read_record(ShardsRecord).n_views for each in slices}
    if len(set(views.values())) > 1:
        told = ", ".join(f"{n} of {city}" for city, n in views.items())
        raise TrainingError(
            f"locations have different numbers of views ({told}): networks that learn from all of "
            "these cities need the same; leave the city that differs out of study.toml"
        )


def resolve_profile(
    study: Study, name: str | None = None, overrides: Mapping[str, Any] | None = None
) -> RunProfile:
    """The profile of a run, by default the study's, with the study's overrides and then the run's.

    Raises:
        StudyError: no such profile, or a field or value that it does not take.
    """
    chosen: Any = name or study.training.profile
    merged = study.training.overrides | dict(overrides or {})
    try:
        return RunProfile(chosen, Training(profile=chosen, overrides=merged).resolve())
    except ValidationError as error:
        told = in_words(error, Training)
        raise StudyError(f"the training settings of this run are wrong: {told}") from error


def fingerprint(inputs: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, str]:
    """All that a training depends on, flat, for its checkpoints."""
    settings = {name: json.dumps(value, sort_keys=True) for name, value in config.items()}
    versions = {"training_version": TRAINING_VERSION, "step_version": STEP_VERSION}
    return versions | {**inputs, **settings}
