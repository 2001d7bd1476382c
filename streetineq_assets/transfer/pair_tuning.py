"""One target pair: what its tuning depends on, and the files of `fine_tuned_model`."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pandas as pd

from streetineq_assets.codes.identity import require_encoder
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import (
    Check,
    Findings,
    Unavailable,
    blocking_failures,
    unavailable_findings,
)
from streetineq_assets.locks import one_process
from streetineq_assets.models.availability import inputs_unavailable, missing_assets
from streetineq_assets.models.checkpoints import Log
from streetineq_assets.models.dataset import CitySlices, make_examples, read_slices
from streetineq_assets.models.folds import FoldTable, left_out_note
from streetineq_assets.models.training_plan import fingerprint
from streetineq_assets.predictions.checks import (
    first_failures,
    inputs_available,
    leak_notes,
    location_checks,
)
from streetineq_assets.predictions.evaluation import Reference, evaluate_scores
from streetineq_assets.predictions.location_scores import matched_locations
from streetineq_assets.profiles import Profile
from streetineq_assets.settings import Transfer
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty, write
from streetineq_assets.transfer import checks
from streetineq_assets.transfer.source import Source, read_source
from streetineq_assets.transfer.tables import (
    REPEAT,
    SHARE,
    TUNED_LOCATIONS,
    TUNED_LSOAS,
    TUNED_METRICS,
    TUNING_RUNS,
    TunedRecord,
)

ASSET = "fine_tuned_model"
# Settings of what is said of the networks, or of whether there are any.
_NOT_OF_NETWORKS = {"equivalence_margin", "allow_stale"}
FILES = {
    "tuned_locations": TUNED_LOCATIONS,
    "tuned_lsoas": TUNED_LSOAS,
    "tuned_metrics": TUNED_METRICS,
    "tuning_runs": TUNING_RUNS,
}


@dataclass(frozen=True)
class Target:
    """What networks are tuned on, and from which they start.

    Attributes:
        slices: of the target city.
        locations: `location_id, area, weight` of its matched locations.
    """

    source: Source
    slices: CitySlices
    locations: pd.DataFrame

    @cached_property
    def shards(self) -> ShardsRecord:
        """What the target's codes are."""
        return self.slices.shards.manifest.read_record(ShardsRecord)

    @cached_property
    def folds(self) -> FoldTable:
        """The target's folds."""
        table = self.slices.fold_table()
        assert table is not None  # a city without folds is unavailable
        return table


@dataclass(frozen=True)
class TuningPlan:
    """A target pair that is ready to be tuned, or known to be unavailable."""

    store: DataStore
    study: Study
    pair: Pair
    target: Target | Unavailable

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Name to digest of each slice, for the recipe."""
        target = self.target
        if isinstance(target, Unavailable):
            return {"unavailable": f"{target.wanted}: {target.reason}"}
        weights = digest_frame(target.locations)
        return target.slices.digests() | {"source": target.source.digest, "weights": weights}

    @cached_property
    def config(self) -> dict[str, Any]:
        """Every setting that changes the networks, for the recipe."""
        transfer = self.study.transfer
        config: dict[str, Any] = {
            "transfer": transfer.model_dump(mode="json", exclude=_NOT_OF_NETWORKS),
            "seed": self.study.seed,
            "rule": self.study.aggregation,
            "areas": self.study.areas.ranking,
            "level": self.study.intervals.level,
        }
        if isinstance(self.target, Unavailable):
            return config
        profile = self.target.source.profile
        return config | {
            "source": self.target.source.name,
            "profile": tuning_profile(transfer, profile).recorded(),
            "scratch": scratch_profile(profile).recorded(),
            "in_memory": self.target.shards.size_bytes <= self.budget_bytes,
        }

    @property
    def budget_bytes(self) -> int:
        """Memory for codes held at one time."""
        return self.study.training.memory_budget_mb * 2**20

    def reference(self, target: Target) -> Reference:
        """What the tuned networks' scores are evaluated against."""
        return Reference(
            pair=self.pair,
            locations=target.locations,
            labels=target.slices.labels[["area", "decile"]],
            tested=target.folds.tested,
            centroids=target.slices.centroids(),
            rule=self.study.aggregation,
            scheme=target.folds.scheme,
            seed=self.study.seed,
            areas=self.study.areas,
            level=self.study.intervals.level,
        )

    def clean(self) -> None:
        """Remove the work in progress, which the published artefact has made useless."""
        self.store.clear_workspace(ASSET, self.pair.key)


def plan_tuning(store: DataStore, study: Study, pair: Pair) -> TuningPlan:
    """Read what the tuning of a target pair depends on.

    A run on the source city also selects the targets of its networks. A target that is not
    materialised yet is therefore unavailable, and does not fail that run.

    Raises:
        SourceError: the source's file is no bundle, or is damaged.
        StoreError: an artefact is damaged; the message names what to materialise.
    """
    if missing := missing_assets(store, study, pair.city):
        why = Unavailable(", ".join(missing), "it is not materialised yet")
        return TuningPlan(store, study, pair, why)
    if why := inputs_unavailable(store, pair):
        return TuningPlan(store, study, pair, why)
    source = read_source(store, study, pair)
    if isinstance(source, Unavailable):
        return TuningPlan(store, study, pair, source)
    drop = study.repeats.drop
    slices = read_slices(store, pair.city, (pair.outcome,), drop_repeats=drop)
    if why := source.learned_from(pair.city, slices.labels["area"]):
        return TuningPlan(store, study, pair, why)
    locations = matched_locations(store, pair.city)
    return TuningPlan(store, study, pair, Target(source, slices, locations))


def tuning_profile(transfer: Transfer, profile: Profile) -> Profile:
    """The source's profile at a share of its learning rate, balanced by weights.

    A small share may lack a class, of which `one_per_class` would have nothing to draw.
    """
    rate = transfer.learning_rate_share * profile.learning_rate
    return profile.model_copy(update={"learning_rate": rate, "balance": "weights"})


def scratch_profile(profile: Profile) -> Profile:
    """The source's profile at its full rate, balanced as in tuning."""
    return profile.model_copy(update={"balance": "weights"})


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty tables of a pair to which nothing can be transferred."""
    for name, fields in FILES.items():
        write(empty(fields), fields, folder / f"{name}.parquet")
    return unavailable_findings(why, checks.FINE_TUNED_MODEL)


def tune_pair(plan: TuningPlan, target: Target, folder: Path, device: Device, log: Log) -> Findings:
    """Tune for every share and repeat, evaluate each, and write the artefact's files.

    Raises:
        TrainingError: the target's codes were made by another encoder than the source's, are not
            finite, or the loss diverges.
        StoreError: another process tunes the same.
    """
    from streetineq_assets.transfer.tuning import Tuning

    require_encoder(target.source.encoder, target.shards.encoder)
    outcomes = (plan.pair.outcome,)
    examples, counts = make_examples((target.slices,), outcomes, plan.budget_bytes)
    workspace = plan.store.workspace(ASSET, plan.pair.key)
    tuning = Tuning(
        examples=examples,
        table=target.folds,
        transfer=plan.study.transfer,
        profile=Profile.model_validate(plan.config["profile"]),
        scratch=Profile.model_validate(plan.config["scratch"]),
        seed=plan.study.seed,
        device=device,
        workspace=workspace,
        fingerprint=fingerprint(plan.inputs, plan.config),
        log=log,
    )
    with one_process(workspace, log):
        scores, runs = tuning.finish(target.source.read_weights(), folder)
    findings = _write_tables(scores, runs, plan.reference(target), folder)
    left_out = set(target.folds.folds) - set(runs["fold"])
    if note := left_out_note(left_out):
        findings.notes["folds_without_images"] = note
    findings.values = {
        "source": target.source.name,
        "n_folds_without_images": len(left_out),
        **counts,
        **device.report(),
    }
    findings.record = TunedRecord(source=target.source.name)
    return findings


def evaluate_repeats(
    scores: pd.DataFrame, reference: Reference
) -> tuple[dict[str, pd.DataFrame], list[Check]]:
    """Evaluate every repeat of every network and share as the pair's own networks are.

    Args:
        scores: `network, share_of, share, repeat, location_id, fold, h, p_1 .. p_10`, out of fold.

    Returns:
        `tuned_locations`, `tuned_lsoas` and `tuned_metrics`; and the blocking checks of the first
        repeat that fails them.
    """
    parts = {name: [empty(fields)] for name, fields in FILES.items() if name != "tuning_runs"}
    found: list[Check] = []
    for key, group in scores.groupby(REPEAT, sort=True):
        attempt = dict(zip(REPEAT, cast("tuple[str, str, float, int]", key), strict=True))
        evaluated = evaluate_scores(group.drop(columns=REPEAT).reset_index(drop=True), reference)
        found += location_checks(evaluated.locations, reference.tested)
        tables = (evaluated.locations, evaluated.areas, evaluated.metrics)
        for name, table in zip(parts, tables, strict=True):
            parts[name].append(conform(table.assign(**attempt), FILES[name]))
    evaluations = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    return evaluations, first_failures(found)


def _write_tables(
    scores: pd.DataFrame, runs: pd.DataFrame, reference: Reference, folder: Path
) -> Findings:
    evaluations, found = evaluate_repeats(scores, reference)
    found = [inputs_available(), *found, checks.shares_large_enough(runs)]
    if blocking_failures(found):
        return Findings(checks=found)
    tables = evaluations | {"tuning_runs": runs}
    for name, fields in FILES.items():
        write(tables[name], fields, folder / f"{name}.parquet")
    return Findings(
        checks=found,
        tables={"shares": _by_share(runs).astype(object).to_dict("records")},
        notes=leak_notes([reference.scheme]),
        holdings={"areas": int(tables["tuned_lsoas"]["area"].nunique())},
        # Keras files carry the time of day.
        digest=hashlib.sha256("".join(map(digest_frame, tables.values())).encode()).hexdigest(),
    )


def _by_share(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per network and share, means over its repeats and folds."""
    names = ("n_locations", "n_lsoas", "n_lsoas_of_fold", "epochs", "val_loss")
    grouped = runs.groupby(SHARE, as_index=False, sort=False)
    means = {name: (name, "mean") for name in names}
    table = grouped.agg(n_networks=("fold", "size"), **means, skipped=("skipped", "first"))
    share = table["n_lsoas"] / table["n_lsoas_of_fold"]
    return table.assign(share_lsoas_labelled=share)
