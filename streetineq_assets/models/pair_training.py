"""One city and outcome: from its networks, trained or joint, to the files of `trained_model`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets import tables
from streetineq_assets.devices import Device
from streetineq_assets.findings import Findings, Scalar, Unavailable, unavailable_findings
from streetineq_assets.models import checks, plots
from streetineq_assets.models.availability import pair_unavailable
from streetineq_assets.models.checkpoints import Log
from streetineq_assets.models.deviations import deviations_of
from streetineq_assets.models.folds import Split, left_out_note
from streetineq_assets.models.joint_training import (
    SEED_SCORES_FILE,
    plan_from_joint,
    read_run,
)
from streetineq_assets.models.learning import losses_of_areas
from streetineq_assets.models.tables import (
    HISTORY,
    SCORES,
    SEED_SCORES,
    TAUGHT_AREAS,
    TrainingRecord,
)
from streetineq_assets.models.training_plan import (
    RunProfile,
    TrainingPlan,
    TrainingRun,
    read_cities,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study

ASSET = "trained_model"
HISTORY_FILE, SCORES_FILE = "history.parquet", "scores.parquet"
TAUGHT_FILE = "taught_areas.parquet"


def plan_pair(store: DataStore, study: Study, pair: Pair, profile: RunProfile) -> TrainingPlan:
    """What a pair's networks depend on: its own training, or its city's joint networks.

    Args:
        profile: of a training of its own; joint networks have one for the city.

    Raises:
        StoreError: an artefact is to be materialised first.
        TrainingError: there is nothing to learn, or the cities' codes do not match.
    """
    if study.training.joint:
        return plan_from_joint(store, study, pair)
    city, outcomes = pair.city, (pair.outcome,)
    why = pair_unavailable(store, study, pair)
    slices = () if why else read_cities(store, study, city, outcomes)
    artefact = (ASSET, pair.key)
    return TrainingPlan(
        store, study, artefact, city, outcomes, profile, slices=slices, unavailable=why
    )


def train_pair(plan: TrainingPlan, folder: Path, device: Device, log: Log) -> Findings:
    """Train a pair's networks and write the artefact's files.

    Raises:
        TrainingError: as `TrainingPlan.train`.
    """
    found = _write_pair(plan, plan.train(device, log), folder)
    found.values |= device.report()
    return found


def take_joint(plan: TrainingPlan, folder: Path) -> Findings:
    """Cut a pair's networks out of its city's joint ones, and write the artefact's files."""
    return _write_pair(plan, read_run(plan), folder)


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty tables of a pair that cannot be trained."""
    tables.write(tables.empty(SCORES), SCORES, folder / SCORES_FILE)
    tables.write(tables.empty(HISTORY), HISTORY, folder / HISTORY_FILE)
    tables.write(tables.empty(TAUGHT_AREAS), TAUGHT_AREAS, folder / TAUGHT_FILE)
    tables.write(tables.empty(SEED_SCORES), SEED_SCORES, folder / SEED_SCORES_FILE)
    return unavailable_findings(why, checks.TRAINED_MODEL)


def network_file(fold: int) -> str:
    """Name of a fold's network, in the artefact and in a bundle."""
    return f"fold_{fold}.keras"


def network_fold(name: str) -> int:
    """The fold of a file that `network_file` names."""
    return int(name.removeprefix("fold_").removesuffix(".keras"))


def _write_pair(plan: TrainingPlan, run: TrainingRun, folder: Path) -> Findings:
    outcome = Pair.parse(plan.artefact[1]).outcome
    trained, position = run.trained, plan.outcomes.index(outcome)
    rows, labelled = run.labelled.of_outcome(position)
    own = rows.loc[rows["city"] == plan.city]
    scores = _of_locations(trained.scores(outcome), own)
    by_seed = _of_locations(run.seed_scores[run.seed_scores["outcome"] == outcome], own)
    history = trained.history()
    _save_networks(plan, run, position, folder)
    tables.write(scores, SCORES, folder / SCORES_FILE)
    tables.write(by_seed, SEED_SCORES, folder / SEED_SCORES_FILE)
    tables.write(history, HISTORY, folder / HISTORY_FILE)
    tables.write(_taught_areas(run), TAUGHT_AREAS, folder / TAUGHT_FILE)
    best = {fold: state.best_epoch for fold, state in trained.states.items()}
    curves, pair = folder / "learning_curves.png", plan.artefact[1]
    plots.plot_learning_curves(history, best, curves, subject=pair)
    splits = {fold: split.only(labelled) for fold, split in run.splits.items()}
    found = _findings(plan, run, rows, splits, scores)
    found.digest = trained.digest(scores, by_seed)
    return found


def _taught_areas(run: TrainingRun) -> pd.DataFrame:
    """Areas that trained or selected a network of any fold, by any outcome of a joint training."""
    learned = np.logical_or.reduce([each.train | each.validation for each in run.splits.values()])
    areas = run.labelled.rows.loc[learned, ["city", "area"]].drop_duplicates()
    return areas.sort_values(["city", "area"], ignore_index=True)


def _of_locations(scores: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["location_id"].isin(rows["location_id"])].reset_index(drop=True)


def _findings(
    plan: TrainingPlan,
    run: TrainingRun,
    rows: pd.DataFrame,
    splits: Mapping[int, Split],
    scores: pd.DataFrame,
) -> Findings:
    counts = _counts(plan, run, rows)
    folds = pd.DataFrame([_fold_row(run, fold, split, rows) for fold, split in splits.items()])
    learned = np.logical_or.reduce([split.train | split.validation for split in splits.values()])
    record = TrainingRecord(
        profile_name=plan.profile.name,
        scheme=plan.table.scheme,
        trained_on=plan.trained_on,
        encoder=plan.encoder,
        n_views=plan.shape.views,
        synthetic=plan.synthetic,
        n_folds=len(folds),
        n_locations_trained_on=int(learned.sum()),
        n_lsoas_trained_on=int(rows.loc[learned, "area"].nunique()),
        joint=plan.joint is not None,
        mixed_precision=run.mixed_precision,
    )
    shown: dict[str, Any] = {
        "folds": folds.astype(object).to_dict("records"),
        "deviations_from_the_original": deviations_of(*plan.profile),
    }
    left_out = set(plan.folds) - set(splits)
    note = left_out_note(left_out)
    return Findings(
        values=_values(plan, run, record, folds)
        | counts
        | {"n_folds_without_images": len(left_out)},
        checks=checks.training_checks(
            scores,
            rows,
            splits,
            counts=counts,
            losses=losses_of_areas(scores, rows, plan.profile.fields.head),
            scheme=plan.table.scheme,
        ),
        tables=shown,
        notes=plan.notes | ({"folds_without_images": note} if note else {}),
        record=record,
        holdings={"scored locations": len(scores)},
    )


def _values(
    plan: TrainingPlan, run: TrainingRun, record: TrainingRecord, folds: pd.DataFrame
) -> dict[str, Scalar]:
    history, profile = run.trained.history(), plan.profile
    seconds = float(history["seconds"].sum())
    seen = float((folds["n_train"] * folds["epochs"]).sum())
    values: dict[str, Scalar] = {
        "val_loss": float(folds["val_loss"].mean()),
        "val_mae": float(folds["val_mae"].mean()),
        "epochs": float(folds["epochs"].mean()),
        "profile": profile.name,
        "head": profile.fields.head,
        "scheme": record.scheme,
        "joint": record.joint,
        "seed": plan.study.seed,
        "n_seeds": plan.config["seeds"],
        "trained_on": ", ".join(record.trained_on),
        "n_folds": record.n_folds,
        "n_locations_trained_on": record.n_locations_trained_on,
        "n_lsoas_trained_on": record.n_lsoas_trained_on,
        "n_dropped_as_repeats": int(folds["n_dropped_as_repeats"].sum()),
        "seconds_training": seconds,
        "locations_per_second": seen / max(seconds, 1e-9),
        "share_of_time_waiting": float(history["wait_seconds"].sum()) / max(seconds, 1e-9),
        **{f"codes_{name}": value for name, value in record.encoder.model_dump().items()},
    }
    if profile.fields.noise_sd and "sd" in run.attributes:
        sd = float(np.mean(run.attributes["sd"]))
        values["share_of_noise_in_codes_sd"] = profile.fields.noise_sd / sd
    return values


def _counts(plan: TrainingPlan, run: TrainingRun, rows: pd.DataFrame) -> dict[str, int]:
    """The accounting of the city's own locations, with this outcome's label."""
    own = rows[rows["city"] == plan.city]
    counts = dict(run.labelled.counts)
    unlabelled = counts["n_locations_used"] - len(own)
    counts["n_lsoas_used"] = int(own["area"].nunique())
    counts["n_locations_used"] -= unlabelled
    counts["n_locations_without_label"] += unlabelled
    return counts


def _fold_row(run: TrainingRun, fold: int, split: Split, rows: pd.DataFrame) -> dict[str, Scalar]:
    state = run.trained.states[fold]
    best = next((r for r in state.history if r["epoch"] == state.best_epoch), {})
    return {
        "fold": fold,
        "n_train": int(split.train.sum()),
        "n_validation": int(split.validation.sum()),
        "n_test": int(split.test.sum()),
        **split.n_dropped(),
        "n_test_lsoas": int(rows["area"][split.test].nunique()),
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "val_loss": float(best.get("val_loss", np.nan)),
        "val_mae": float(best.get("val_mae", np.nan)),
        "seconds": float(sum(r["seconds"] for r in state.history)),
    }


def _save_networks(plan: TrainingPlan, run: TrainingRun, position: int, folder: Path) -> None:
    """One `.keras` file per fold, in float32, loadable with `safe_mode=True`."""
    from streetineq_assets.models.network import build_network, copy_head

    profile, outcomes = plan.profile.fields, len(plan.outcomes)
    network = build_network(profile, **plan.shape._asdict(), outcomes=outcomes)
    for fold, state in run.trained.states.items():
        network.set_weights(state.best)
        alone = network if outcomes == 1 else copy_head(network, profile, position)
        alone.save(folder / network_file(fold))
