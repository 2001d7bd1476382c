"""One target pair's tuning: what it reads, and the files of `fine_tuned_model`.

What belongs here: the recipe of a target, and what is written and said of it. What does not: where
the networks come from (`source`), how they are tuned (`tuning`) and judged (`judging`), Dagster.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity, require_encoder
from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import Check, Findings, Unavailable
from streetineq_assets.models import checks
from streetineq_assets.models.availability import inputs_unavailable
from streetineq_assets.models.dataset import (
    CitySlices,
    make_examples,
    open_codes,
    read_slices,
)
from streetineq_assets.models.folds import scheme_note
from streetineq_assets.models.training_plan import fingerprint
from streetineq_assets.predictions.judging import Ground
from streetineq_assets.predictions.tables import empty
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Profile, Study, Transfer
from streetineq_assets.transfer.judging import judge_draws
from streetineq_assets.transfer.source import Source, read_source
from streetineq_assets.transfer.tables import LOCATIONS, LSOAS, METRICS, RUNS

ASSET = "fine_tuned_model"
CHECKS: dict[str, tuple[str, bool]] = {
    "available": ("Source, labels, codes and folds are there.", False),
    "location_identity": ("Every score belongs to one location.", True),
    "out_of_fold": ("No network scored an area that tuned it.", True),
    "probabilities": ("Ten probabilities that sum to 1 in each row.", True),
    "shares_large_enough": ("Every share has at least ten areas.", False),
}


@dataclass(frozen=True)
class TransferJob:
    """One target pair that is ready to be tuned, or known to be unavailable.

    Attributes:
        inputs, config: what its recipe is made of.
        places: `location_id, lsoa11, weight` of the target's matched locations.
    """

    store: DataStore
    study: Study
    city: str
    outcome: str
    source: Source | Unavailable
    inputs: dict[str, str]
    config: dict[str, Any]
    read: CitySlices | None = None
    places: pd.DataFrame | None = None

    @property
    def partition(self) -> str:
        """The pair's partition key."""
        return f"{self.city}/{self.outcome}"

    def make(self, folder: Path, device: Device, tell: Callable[[str], None]) -> Findings:
        """Tune for every share and draw, judge each, and write the artefact's files.

        Raises:
            TrainingError: the target's codes were made by another encoder than the source's.
        """
        if isinstance(self.source, Unavailable):
            for name, schema in _FILES.items():
                empty(schema).to_parquet(folder / name, index=False)
            return checks.unavailable(self.source, CHECKS)
        scores, runs, counts = self._tune(folder, device, tell)
        found, proofs = judge_draws(scores, self._ground())
        made = (*found.values(), runs)
        for name, frame in zip(_FILES, made, strict=True):
            frame.to_parquet(folder / name, index=False)
        about = {"status": "available", "source": self.source.name}
        table = self.read.fold_table()
        note = scheme_note([table.scheme])
        told = Findings(
            values={**about, **counts, **device.report()},
            checks=[
                Check("available", True, f"networks of {self.source.name}"),
                *proofs,
                _shares_large_enough(runs),
            ],
            tables={"shares": _summary(runs).astype(object).to_dict("records")},
            notes={"leak": note} if note else {},
            digest=hashlib.sha256("".join(map(digest_frame, made)).encode()).hexdigest(),
        )
        return checks.with_left_out(told, set(table.folds) - set(runs["fold"]))

    def clean(self) -> None:
        """Remove the work in progress."""
        self.store.clear_workspace(ASSET, self.partition)

    def _ground(self) -> Ground:
        table = self.read.fold_table()
        return Ground(
            city=self.city,
            outcome=self.outcome,
            places=self.places,
            labels=self.read.labels[["lsoa11", "decile"]],
            tested=table.tested,
            positions=self.read.centroids(),
            rule=self.study.aggregation,
            scheme=table.scheme,
            seed=self.study.seed,
        )

    def _tune(
        self, folder: Path, device: Device, tell: Callable[[str], None]
    ) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
        from streetineq_assets.transfer.tuning import Tuning

        budget = self.study.training.memory_budget_mb * 2**20
        examples, counts = make_examples((self.read,), (self.outcome,), budget)
        found = EncoderIdentity.from_attributes(examples.codes.reader.attributes)
        require_encoder(self.source.encoder, found)
        tuning = Tuning(
            examples=examples,
            table=self.read.fold_table(),
            transfer=self.study.transfer,
            profile=Profile.model_validate(self.config["profile"]),
            seed=self.study.seed,
            device=device,
            workspace=self.store.workspace(ASSET, self.partition),
            fingerprint=fingerprint(self.inputs, self.config),
            tell=tell,
        )
        return *tuning.finish(self.source.weights(), folder), counts


_FILES = {
    "tuned_locations.parquet": LOCATIONS,
    "tuned_lsoas.parquet": LSOAS,
    "tuned_metrics.parquet": METRICS,
    "tuning_runs.parquet": RUNS,
}


def open_transfer(store: DataStore, study: Study, key: str) -> TransferJob:
    """Read what the tuning of a target pair depends on.

    A launch of the source city asks for the targets of its networks too. A target that is not
    materialised yet is therefore unavailable, and does not fail that launch.

    Raises:
        SourceError: the source's file is no bundle, or is damaged.
    """
    city, outcome = key.split("/")
    config: dict[str, Any] = {
        "transfer": study.transfer.model_dump(mode="json"),
        "seed": study.seed,
        "rule": study.aggregation,
    }
    source = (
        _not_there_yet(store, city)
        or inputs_unavailable(store, Pair(city, outcome))
        or read_source(store, study, city, outcome)
    )
    if isinstance(source, Unavailable):
        inputs = {"unavailable": f"{source.wanted}: {source.reason}"}
        return TransferJob(store, study, city, outcome, source, inputs, config)
    read = read_slices(store, city, (outcome,))
    columns = ["location_id", "lsoa11", "weight"]
    places = store.open("locations", city).table(columns=columns)
    places = places[places["location_id"].isin(read.location_areas["location_id"])].reset_index(
        drop=True
    )
    budget = study.training.memory_budget_mb * 2**20
    config |= {
        "source": source.name,
        "profile": tuning_profile(study.transfer, source.profile).model_dump(),
        "in_memory": open_codes([read.shards], budget).resident,
    }
    inputs = read.digests() | {"source": source.digest, "weights": digest_frame(places)}
    return TransferJob(store, study, city, outcome, source, inputs, config, read, places)


def _not_there_yet(store: DataStore, city: str) -> Unavailable | None:
    for asset in ("locations", "area_folds", "hdf5_shards"):
        if store.manifest(asset, city) is None:
            return Unavailable(f"{asset} of {city}", "it is not materialised yet")
    return None


def tuning_profile(transfer: Transfer, profile: Profile) -> Profile:
    """The source's profile at a share of its learning rate, balanced by weights.

    A small share may lack a class, of which `one_per_class` would have nothing to draw.
    """
    rate = transfer.learning_rate_share * profile.learning_rate
    return profile.model_copy(update={"learning_rate": rate, "balance": "weights"})


def _shares_large_enough(runs: pd.DataFrame) -> Check:
    skipped = runs[runs["skipped"] != ""].drop_duplicates("fraction")
    reasons = "; ".join(f"{r.fraction:g}: {r.skipped}" for r in skipped.itertuples())
    return Check(
        "shares_large_enough",
        skipped.empty,
        f"shares that were skipped: {reasons}" if reasons else "every share was tuned",
    )


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per share, means over its draws and folds."""
    means: Mapping[str, tuple[str, str]] = {
        name: (name, "mean") for name in ("n_locations", "n_areas", "epochs", "val_loss")
    }
    grouped = runs.groupby("fraction", as_index=False)
    return grouped.agg(networks=("fold", "size"), **means, skipped=("skipped", "first"))
