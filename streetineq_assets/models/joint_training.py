"""Joint training: one trunk with a head per outcome, trained and stored once per city.

It trains the city's available outcomes, less those in which there is nothing to learn. With
`joint = true` in study.toml every pair's networks are cut out of the joint ones.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets import tables
from streetineq_assets.devices import Device
from streetineq_assets.errors import StoreError, TrainingError
from streetineq_assets.findings import Findings, Unavailable, unavailable_findings
from streetineq_assets.models import checks
from streetineq_assets.models.availability import nothing_to_learn, pair_unavailable
from streetineq_assets.models.checkpoints import Log, load_state, save_state
from streetineq_assets.models.dataset import CitySlices, labelled_rows
from streetineq_assets.models.folds import left_out_note
from streetineq_assets.models.tables import JOINT_SCORES, JOINT_SEED_SCORES, JointRecord
from streetineq_assets.models.training_plan import (
    RunProfile,
    TrainingPlan,
    TrainingRun,
    other_inputs,
    read_cities,
    resolve_profile,
)
from streetineq_assets.profiles import Profile
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study

ASSET = "joint_model"
SEED_SCORES_FILE = "seed_scores.parquet"
_STATE_FILE = re.compile(r"fold_(\d+)\.npz")


def plan_joint(store: DataStore, study: Study, city: str, profile: RunProfile) -> TrainingPlan:
    """What the joint training of a city's available outcomes depends on.

    It does not ask whether the study trains jointly: one that does not can so compare.

    Raises:
        StoreError: an artefact is to be materialised first.
        TrainingError: in none of the outcomes is there anything to learn.
    """
    named = study.cities[city].outcomes
    why = {outcome: pair_unavailable(store, study, Pair(city, outcome)) for outcome in named}
    available = tuple(outcome for outcome in named if why[outcome] is None)
    plan = TrainingPlan(store, study, (ASSET, city), city, named[:1], profile)
    reason = _cannot_balance(profile.fields) or (None if available else why[named[0]])
    if reason:
        return replace(plan, unavailable=reason, settings={"joint": True})
    slices = read_cities(store, study, city, available)
    untrainable = _untrainable(slices, available)
    outcomes = tuple(outcome for outcome in available if outcome not in untrainable)
    if not outcomes:
        raise TrainingError(next(iter(untrainable.values())))
    if untrainable:
        slices = read_cities(store, study, city, outcomes)
    settings = {"joint": True, "outcomes": list(outcomes)}
    return replace(
        plan, outcomes=outcomes, slices=slices, untrainable=untrainable, settings=settings
    )


def train_jointly(plan: TrainingPlan, folder: Path, device: Device, log: Log) -> Findings:
    """Train the city's outcomes together; write the state of each fold, and all scores.

    The networks of further seeds leave their scores alone.

    Raises:
        TrainingError: as `TrainingPlan.train`.
    """
    run = plan.train(device, log)
    trained = run.trained
    for fold, state in trained.states.items():
        save_state(folder / f"fold_{fold}.npz", state)
    scores = trained.all_scores()
    tables.write(scores, JOINT_SCORES, folder / f"{ASSET}.parquet")
    tables.write(run.seed_scores, JOINT_SEED_SCORES, folder / SEED_SCORES_FILE)
    history = trained.history()
    left_out = set(plan.folds) - set(trained.states)
    note = left_out_note(left_out)
    return Findings(
        values={
            "profile": plan.profile.name,
            "n_outcomes": len(trained.outcomes),
            "n_folds": len(trained.states),
            "n_folds_without_images": len(left_out),
            "n_seeds": plan.config["seeds"],
            "epochs": float(history.groupby("fold")["epoch"].max().mean()),
            "seconds_training": float(history["seconds"].sum()),
            **run.labelled.counts,
            **device.report(),
        },
        checks=[checks.AVAILABLE.result(True, f"{', '.join(trained.outcomes)} share one trunk")],
        notes=plan.notes | ({"folds_without_images": note} if note else {}),
        record=JointRecord(
            profile_name=plan.profile.name,
            outcomes=trained.outcomes,
            untrainable=dict(plan.untrainable),
            mixed_precision=device.mixed_precision,
        ),
        holdings=_holdings(scores, plan.study.cities[plan.city].outcomes),
        digest=trained.digest(run.seed_scores),
    )


def _holdings(scores: pd.DataFrame, outcomes: Iterable[str]) -> dict[str, int]:
    """How many locations have a score of each outcome that the study names for the city."""
    counts = scores["outcome"].value_counts()
    return {f"scored locations of {each}": int(counts.get(each, 0)) for each in outcomes}


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty table of a city that cannot be trained jointly."""
    tables.write(tables.empty(JOINT_SCORES), JOINT_SCORES, folder / f"{ASSET}.parquet")
    tables.write(tables.empty(JOINT_SEED_SCORES), JOINT_SEED_SCORES, folder / SEED_SCORES_FILE)
    return unavailable_findings(why, checks.JOINT_MODEL)


def plan_from_joint(store: DataStore, study: Study, pair: Pair) -> TrainingPlan:
    """What a pair depends on whose networks are cut out of its city's joint ones.

    Raises:
        StoreError: the joint networks are not there, or are of other inputs than there are now.
        TrainingError: they have no head for the outcome.
    """
    artefact = ("trained_model", pair.key)
    if why := pair_unavailable(store, study, pair):
        plan = TrainingPlan(store, study, artefact, pair.city, pair[1:], resolve_profile(study))
        return replace(plan, unavailable=why, settings={"joint": True})
    joint = store.open(ASSET, pair.city)
    fields = Profile.model_validate(joint.manifest.recipe.config["profile"])
    if why := joint.manifest.unavailable:
        profile = RunProfile(study.training.profile, fields)
        plan = TrainingPlan(store, study, artefact, pair.city, pair[1:], profile)
        return replace(plan, unavailable=why, settings={"joint": True})
    record = joint.manifest.read_record(JointRecord)
    plan = plan_joint(store, study, pair.city, RunProfile(record.profile_name, fields))
    seeds = joint.manifest.recipe.config.get("seeds", 1)  # one before there were several
    plan = replace(plan, artefact=artefact, settings={**plan.settings, "seeds": seeds})
    if pair.outcome in plan.untrainable:
        raise TrainingError(plan.untrainable[pair.outcome])
    others = other_inputs(joint.manifest, plan)
    if others or pair.outcome not in record.outcomes:
        raise StoreError(
            f"{joint.manifest.label} was trained on other {others or 'outcomes'} than there are "
            f"now: materialise {joint.manifest.label} first, then trained_model[{pair}]"
        )
    return replace(plan, joint=joint)


def read_run(plan: TrainingPlan) -> TrainingRun:
    """The joint networks of a plan by `plan_from_joint`, as if they had just been trained."""
    from streetineq_assets.models.training import Trained

    joint = plan.joint
    assert joint is not None
    labelled = labelled_rows(plan.slices, plan.outcomes)
    states = {fold: load_state(path) for fold, path in _state_files(joint).items()}
    ids = np.concatenate([each.location_ids() for each in plan.slices])
    trained = Trained(plan.outcomes, ids, states)
    splits = plan.split(labelled.rows, list(states))
    mixed = joint.manifest.read_record(JointRecord).mixed_precision
    return TrainingRun(trained, labelled, splits, _seed_scores(joint), {}, mixed)


def _seed_scores(joint: Artefact) -> pd.DataFrame:
    """Of the further seeds; empty where the joint networks were trained before there were any."""
    if SEED_SCORES_FILE not in joint.manifest.files:
        return tables.empty(JOINT_SEED_SCORES)
    return joint.table(SEED_SCORES_FILE)


def _cannot_balance(profile: Profile) -> Unavailable | None:
    """Why this profile cannot train a city's outcomes jointly; None when it can."""
    if profile.balance == "weights":
        return None
    return Unavailable(
        'balance = "weights" under [training.overrides]',
        "one row per class of every outcome at once cannot be drawn",
    )


def _untrainable(slices: Sequence[CitySlices], outcomes: Sequence[str]) -> Mapping[str, str]:
    """Those of the outcomes that training would refuse, and why.

    Joint training does without them: one poor outcome must not take its city's others with it.
    """
    deciles: dict[str, set[float]] = {outcome: set() for outcome in outcomes}
    for each in slices:
        ids = each.location_ids().astype(str)
        with_codes = each.location_areas["location_id"].isin(ids)
        areas = each.location_areas.loc[with_codes, "area"]
        known = each.labels[each.labels["area"].isin(areas)]
        for outcome, values in known.groupby("outcome")["decile"]:
            deciles[str(outcome)] |= set(values)
    why = {outcome: nothing_to_learn(outcome, len(values)) for outcome, values in deciles.items()}
    return {outcome: reason for outcome, reason in why.items() if reason}


def _state_files(joint: Artefact) -> dict[int, Path]:
    numbered = {name: _STATE_FILE.fullmatch(name) for name in sorted(joint.manifest.files)}
    return {int(match[1]): joint.file(name) for name, match in numbered.items() if match}
