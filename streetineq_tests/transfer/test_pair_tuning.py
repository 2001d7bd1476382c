"""The artefact of one target: what it holds, what it starts from, and when there is none."""

import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import TrainingError
from streetineq_assets.findings import Unavailable
from streetineq_assets.models.bundles.bundle import export_bundle, open_bundle
from streetineq_assets.models.dataset import city_labels, open_codes
from streetineq_assets.models.network import load_network
from streetineq_assets.partitions import Partitions
from streetineq_assets.profiles import PROFILES
from streetineq_assets.settings import Transfer
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.transfer import source as of_source
from streetineq_assets.transfer.pair_tuning import Target, TuningPlan, plan_tuning, tune_pair
from streetineq_assets.transfer.tables import REPEAT, SHARE
from streetineq_tests import harness, studies
from streetineq_tests.models.bundles import with_description
from streetineq_tests.transfer.conftest import PROFILE, K

CPU = Device(kind="cpu")
NETWORKS = {"fine_tuned", "from_scratch"}
BETA = Pair("beta", "crime")


def test_every_share_and_repeat_scores_every_location_once(tuned: Artefact) -> None:
    scores, runs = tuned.table("tuned_locations.parquet"), tuned.table("tuning_runs.parquet")
    sizes = scores.groupby(REPEAT)["location_id"].agg(["size", "nunique"])
    of = [(network, unit, 0.5) for network in NETWORKS for unit in ("areas", "locations")]
    made = [("fine_tuned", "either", 0.0), ("fine_tuned", "either", 1.0), *of]
    assert sizes.index.tolist() == sorted((*key, repeat) for key in made for repeat in (0, 1))
    assert (sizes == 120).all(axis=None)
    assert (runs.loc[runs["share"] == 0, "epochs"] == 0).all()
    assert (runs.loc[runs["share"] == 0.5, "epochs"] == PROFILE.epochs).all()


def test_a_share_with_fewer_than_ten_areas_is_skipped_with_the_reason(
    tuned: Artefact, tuning_run: dg.ExecuteInProcessResult
) -> None:
    runs = tuned.table("tuning_runs.parquet")
    small = runs[runs["share"] == 0.02]
    areas = {"locations": 2, "areas": 1}
    for unit, rows in small.groupby("share_of"):
        assert (rows["skipped"] == f"only {areas[unit]} areas, fewer than 10").all()
        assert set(rows["network"]) == NETWORKS
    check = harness.checks(tuning_run)["shares_large_enough"]
    assert not check.passed
    assert "0.02 of locations: only 2 areas" in check.description


def test_the_networks_of_each_shares_first_repeat_are_kept(
    store: DataStore, tuned: Artefact
) -> None:
    names = sorted(name for name in tuned.manifest.files if name.endswith(".keras"))
    kept = ("areas_share_0.5", "either_share_1", "locations_share_0.5")
    assert names == [f"{name}_fold_{f}.keras" for name in kept for f in range(K)]
    network = load_network(tuned.file("either_share_1_fold_2.keras"), PROFILE, studies.WIDTH)
    scores = tuned.table("tuned_locations.parquet").query("share == 1 and repeat == 0")
    mine = scores.query("fold == 2").set_index("location_id")["h"]
    reader = open_codes([store.open("hdf5_shards", "beta")], 2**30).reader
    features = pd.Series(list(reader.read()), index=reader.location_ids)
    given = np.stack(features[mine.index])
    np.testing.assert_allclose(np.asarray(network(given))[:, 0], mine, atol=1e-4)


def test_every_repeat_has_areas_and_metrics(tuned: Artefact) -> None:
    areas, metrics = tuned.table("tuned_lsoas.parquet"), tuned.table("tuned_metrics.parquet")
    assert (areas.groupby(REPEAT).size() == 40).all()
    shown = metrics[metrics["metric"] == "spearman_score"]
    assert len(shown) == 12
    assert shown["value"].between(-1, 1).all()
    assert (metrics["model"] == "network").all()


def test_repeats_start_from_other_networks_and_other_locations(tuned: Artefact) -> None:
    scores = tuned.table("tuned_locations.parquet")
    assert len(scores.groupby(SHARE)) == 6
    for _, group in scores.groupby(SHARE):
        h = group.pivot_table("h", "location_id", "repeat")
        assert not np.allclose(h[0], h[1])


def test_tuning_moves_a_network_towards_the_target(store: DataStore, tuned: Artefact) -> None:
    scores = tuned.table("tuned_locations.parquet")
    labels = store.open("lsoa_labels").table().query("outcome == 'crime'")
    decile = labels.set_index("area")["decile"].astype(float)
    area = store.open("locations", "beta").table().set_index("location_id")["area"]
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
    of_crime = with_transfer(
        study, named.model_copy(update={"source": "inputs/models/alpha_crime.streetineq"})
    )
    assert "is of crime" in reason(plan_tuning(store, of_crime, Pair("beta", "education")))


def test_a_bundle_that_learned_from_the_targets_areas_is_refused_whatever_it_calls_them(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    file = export_bundle(store, Pair("alpha", "crime"), tmp_path / "crime.streetineq")
    other = store.root / "other.streetineq"
    with_description(open_bundle(file), other, trained_on={"beta": "Beta"})
    named = study.transfer.model_copy(update={"source": other.name})
    refused = plan_tuning(store, with_transfer(study, named), Pair("alpha", "crime"))
    assert "other.streetineq learned from 50 areas of alpha, such as AE01000000" in reason(refused)
    assert isinstance(plan_tuning(store, with_transfer(study, named), BETA).target, Target)


def test_a_source_city_that_learned_from_the_targets_areas_is_refused(
    store: DataStore, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = store.open("lsoa_labels").table().query("city == 'beta'")["area"].iloc[0]
    monkeypatch.setattr(of_source, "read_taught_areas", lambda _: frozenset({area, "elsewhere"}))
    assert "alpha learned from 1 areas of beta" in reason(plan_tuning(store, study, BETA))


def test_a_bundle_that_does_not_list_its_areas_is_judged_by_its_cities(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    file = export_bundle(store, Pair("alpha", "crime"), tmp_path / "crime.streetineq")
    earlier = store.root / "e.streetineq"
    with_description(open_bundle(file), earlier, trained_on={"beta": "Beta"}, n_areas=None)
    named = study.transfer.model_copy(update={"source": earlier.name})
    assert "beta itself" in reason(plan_tuning(store, with_transfer(study, named), BETA))
    alpha = plan_tuning(store, with_transfer(study, named), Pair("alpha", "crime"))
    assert isinstance(alpha.target, Target)


def test_networks_of_other_labels_than_stand_now_are_no_source_unless_allowed(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    """Both as a city of the study and as a bundle."""
    shutil.copytree(store.root, tmp_path / "study")
    copy = DataStore(tmp_path / "study")
    labels = digest_frame(city_labels(copy.open("lsoa_labels"), "alpha", ("crime",)))
    harness.publish_again(copy, "trained_model", "alpha/crime", inputs={"alpha/labels": labels})
    export_bundle(copy, Pair("alpha", "crime"), copy.root / "x.streetineq")
    bundled = with_transfer(study, study.transfer.model_copy(update={"source": "x.streetineq"}))
    for settings in (study, bundled):
        assert isinstance(plan_tuning(copy, settings, BETA).target, Target)
    harness.publish_again(copy, "lsoa_labels", None, changes={"decile": lambda t: 11 - t["decile"]})
    for settings, name in ((study, "trained_model[alpha/crime]"), (bundled, "x.streetineq")):
        why = plan_tuning(copy, settings, BETA).target
        assert isinstance(why, Unavailable)
        assert f"{name} was trained on other labels of alpha than the lsoa_labels" in why.reason
        assert "allow_stale = true" in why.wanted
        allowed = settings.transfer.model_copy(update={"allow_stale": True})
        assert isinstance(plan_tuning(copy, with_transfer(settings, allowed), BETA).target, Target)


def test_what_is_only_said_of_networks_does_not_remake_them(store: DataStore, study: Study) -> None:
    said = {"equivalence_margin": 0.1, "allow_stale": True}
    other = with_transfer(study, study.transfer.model_copy(update=said))
    assert plan_tuning(store, other, BETA).config == plan_tuning(store, study, BETA).config


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
    own = PROFILES["suel2019"].recorded()
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
