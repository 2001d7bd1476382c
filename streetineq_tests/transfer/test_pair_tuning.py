"""The artefact of one target: what it holds, what it starts from, and when there is none."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import TrainingError
from streetineq_assets.findings import Unavailable
from streetineq_assets.models.bundles.bundle import export_bundle, open_bundle
from streetineq_assets.models.dataset import open_codes
from streetineq_assets.models.network import load_network
from streetineq_assets.partitions import Partitions
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import PROFILES, Pair, Study, Transfer
from streetineq_assets.transfer.pair_tuning import Target, TuningPlan, plan_tuning, tune_pair
from streetineq_tests import harness
from streetineq_tests.models.bundles import with_description
from streetineq_tests.transfer.conftest import PROFILE, K

CPU = Device(kind="cpu")
BETA = Pair("beta", "crime")


def test_every_share_and_repeat_scores_every_location_once(tuned: Artefact) -> None:
    scores, runs = tuned.table("tuned_locations.parquet"), tuned.table("tuning_runs.parquet")
    sizes = scores.groupby(["share", "repeat"])["location_id"].agg(["size", "nunique"])
    assert sizes.index.tolist() == [(s, r) for s in (0.0, 0.5, 1.0) for r in (0, 1)]
    assert (sizes == 120).all(axis=None)
    assert (runs.loc[runs["share"] == 0, "epochs"] == 0).all()
    assert (runs.loc[runs["share"] == 0.5, "epochs"] == PROFILE.epochs).all()


def test_a_share_with_fewer_than_ten_areas_is_skipped_with_the_reason(
    tuned: Artefact, tuning_run: dg.ExecuteInProcessResult
) -> None:
    runs = tuned.table("tuning_runs.parquet")
    small = runs[runs["share"] == 0.02]
    assert (small["skipped"] == "only 2 areas, fewer than 10").all()
    assert (small["n_lsoas"] == 2).all()
    check = harness.checks(tuning_run)["shares_large_enough"]
    assert not check.passed
    assert "0.02: only 2 areas" in check.description


def test_the_networks_of_each_shares_first_repeat_are_kept(
    store: DataStore, tuned: Artefact
) -> None:
    names = sorted(name for name in tuned.manifest.files if name.endswith(".keras"))
    assert names == [f"share_{s}_fold_{f}.keras" for s in ("0.5", "1") for f in range(K)]
    network = load_network(tuned.file("share_1_fold_2.keras"))
    scores = tuned.table("tuned_locations.parquet").query("share == 1 and repeat == 0")
    mine = scores.query("fold == 2").set_index("location_id")["h"]
    reader = open_codes([store.open("hdf5_shards", "beta")], 2**30).reader
    features = pd.Series(list(reader.read()), index=reader.location_ids)
    given = np.stack(features[mine.index])
    np.testing.assert_allclose(np.asarray(network(given))[:, 0], mine, atol=1e-4)


def test_every_repeat_has_areas_and_metrics(tuned: Artefact) -> None:
    areas, metrics = tuned.table("tuned_lsoas.parquet"), tuned.table("tuned_metrics.parquet")
    assert (areas.groupby(["share", "repeat"]).size() == 40).all()
    shown = metrics[metrics["metric"] == "spearman_score"]
    assert len(shown) == 6
    assert shown["value"].between(-1, 1).all()
    assert (metrics["model"] == "network").all()


def test_repeats_start_from_other_networks_and_other_locations(tuned: Artefact) -> None:
    scores = tuned.table("tuned_locations.parquet")
    for share in (0.0, 0.5):
        h = scores[scores["share"] == share].pivot_table("h", "location_id", "repeat")
        assert not np.allclose(h[0], h[1])


def test_tuning_moves_a_network_towards_the_target(store: DataStore, tuned: Artefact) -> None:
    scores = tuned.table("tuned_locations.parquet")
    labels = store.open("lsoa_labels").table().query("outcome == 'crime'")
    decile = labels.set_index("lsoa11")["decile"].astype(float)
    area = store.open("locations", "beta").table().set_index("location_id")["lsoa11"]
    actual = decile[area[scores["location_id"]]].to_numpy()
    r = scores.assign(actual=actual).groupby("share")[["h", "actual"]].corr().iloc[0::2, 1]
    assert r[1.0].item() > r[0.0].item()
    assert r[1.0].item() > 0.5


def test_a_bundle_is_a_source_too(
    store: DataStore, study: Study, tuned: Artefact, tmp_path: Path
) -> None:
    file = store.inputs("models", "alpha_crime.streetineq")
    export_bundle(store, Pair("alpha", "crime"), file)
    named = Transfer(source="inputs/models/alpha_{outcome}.streetineq", shares=(0.0,), repeats=2)
    plan = plan_tuning(store, with_transfer(study, named), BETA)
    tune_pair(plan, ready(plan), tmp_path, CPU, print)
    scores = pd.read_parquet(tmp_path / "tuned_locations.parquet")
    before = tuned.table("tuned_locations.parquet").query("share == 0").reset_index(drop=True)
    np.testing.assert_allclose(scores["h"], before["h"], atol=1e-5)
    # What counts is which cities the networks learned from: one that they did not can be a target.
    learned = with_description(open_bundle(file), store.inputs("models", "beta_crime.streetineq"),
                               trained_on={"beta": "Beta"})  # fmt: skip
    others = with_transfer(study, named.model_copy(update={"source": str(learned)}))
    assert isinstance(plan_tuning(store, others, Pair("alpha", "crime")).target, Target)
    assert "beta itself" in reason(plan_tuning(store, others, BETA))
    of_crime = with_transfer(study, named.model_copy(update={"source": str(file)}))
    assert "is of crime" in reason(plan_tuning(store, of_crime, Pair("beta", "education")))
    itself = plan_tuning(store, with_transfer(study, named), Pair("alpha", "crime"))
    assert "alpha itself" in reason(itself)


@pytest.mark.parametrize(
    ("key", "source", "expected"),
    [
        ("beta/crime", None, "no source is named"),
        ("alpha/crime", "alpha", "alpha is the source itself"),
        ("beta/crime", "alfa", "alfa is neither a city of the study nor a file"),
        ("alpha/education", "hamlet", "hamlet is not trained on it"),
    ],
)
def test_pairs_without_a_source_are_unavailable(
    store: DataStore, study: Study, key: str, source: str | None, expected: str
) -> None:
    settings = study.transfer.model_copy(update={"source": source})
    plan = plan_tuning(store, with_transfer(study, settings), Pair.parse(key))
    assert expected in reason(plan)
    assert set(plan.inputs) == {"unavailable"}


def test_codes_of_another_encoder_are_refused(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    plan = plan_tuning(store, study, BETA)
    target = ready(plan)
    for changed in ({"weights_sha256": "1" * 64}, {"mixed_precision": True}):
        encoder = target.source.encoder.model_copy(update=changed)
        other = replace(target, source=replace(target.source, encoder=encoder))
        with pytest.raises(TrainingError, match=next(iter(changed))):
            tune_pair(plan, other, tmp_path, CPU, print)


def test_tuning_balances_by_weights_whatever_the_source_did(store: DataStore, study: Study) -> None:
    """A small share may lack a class; `suel2019` draws one row of each."""
    plan = plan_tuning(store, study, BETA)
    target = ready(plan)
    source = replace(target.source, profile=PROFILES["suel2019"])
    profile = replace(plan, target=replace(target, source=source)).config["profile"]
    own = PROFILES["suel2019"].model_dump()
    assert {name: profile[name] for name in own if profile[name] != own[name]} == {
        "balance": "weights",
        "learning_rate": pytest.approx(1.5e-6),  # three tenths
    }


def test_the_pair_depends_on_its_source_alone(study: Study) -> None:
    (dep,) = Partitions(study).source_to_pairs("trained_model")
    mapping = dep.partition_mapping.downstream_partition_keys_by_upstream_partition_key
    assert {up: sorted(down) for up, down in mapping.items()} == {
        "alpha/crime": ["beta/crime", "hamlet/crime"],
        "alpha/education": ["beta/education"],
    }
    alone = study.model_copy(update={"transfer": Transfer(source="inputs/x.streetineq")})
    assert Partitions(alone).source_to_pairs("trained_model") == []


@pytest.mark.parametrize(
    ("asset", "key"),
    [("trained_model", "alpha/crime"), ("locations", "beta"), ("hdf5_shards", "beta")],
)
def test_what_is_not_materialised_yet_makes_the_target_unavailable(
    store: DataStore, study: Study, monkeypatch: pytest.MonkeyPatch, asset: str, key: str
) -> None:
    manifest = DataStore.manifest
    monkeypatch.setattr(
        DataStore, "manifest",
        lambda self, a, k=None: None if (a, k) == (asset, key) else manifest(self, a, k),
    )  # fmt: skip
    target = plan_tuning(store, study, BETA).target
    assert isinstance(target, Unavailable)
    assert target.wanted == f"{asset}[{key}]"
    assert "not" in target.reason


def test_folds_of_whole_cities_leave_nothing_to_tune_on(store: DataStore, study: Study) -> None:
    whole = study.model_copy(update={"folds": study.folds.model_copy(update={"scheme": "city"})})
    assert "folds of whole cities" in reason(plan_tuning(store, whole, BETA))


def test_codes_that_exceed_the_budget_are_read_from_disk(store: DataStore, study: Study) -> None:
    """The two arrangements differ in the last bits, so the recipe says which it was."""
    plan = plan_tuning(store, study, BETA)
    assert plan.config["in_memory"] is True
    small = study.training.model_copy(update={"memory_budget_mb": 0})
    tight = study.model_copy(update={"training": small})
    assert plan_tuning(store, tight, BETA).config["in_memory"] is False


def with_transfer(study: Study, settings: Transfer) -> Study:
    return study.model_copy(update={"transfer": settings})


def ready(plan: TuningPlan) -> Target:
    assert isinstance(plan.target, Target)
    return plan.target


def reason(plan: TuningPlan) -> str:
    assert isinstance(plan.target, Unavailable)
    return plan.target.reason
