"""The artefact of one target: what it holds, what it starts from, and when there is none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import TrainingError
from streetineq_assets.models.bundles.bundle import export_bundle, open_bundle
from streetineq_assets.models.dataset import open_codes
from streetineq_assets.models.network import load_network
from streetineq_assets.partitions import Partitions
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study, Transfer
from streetineq_assets.transfer.pair_tuning import TransferJob, open_transfer
from streetineq_assets.transfer.source import Source
from streetineq_tests.models.bundles import with_description

CPU = Device(kind="cpu")


def test_every_share_and_draw_scores_every_location_once(tuned: Artefact) -> None:
    scores, runs = tuned.table("tuned_locations.parquet"), tuned.table("tuning_runs.parquet")
    summary = tuned.manifest.summary
    sizes = scores.groupby(["fraction", "draw"])["location_id"].agg(["size", "nunique"])
    assert sizes.index.tolist() == [(f, d) for f in (0.0, 0.5, 1.0) for d in (0, 1)]
    assert (sizes == 120).all(axis=None)
    assert all(c["passed"] for c in summary["checks"] if c["name"] != "shares_large_enough")
    assert (runs.loc[runs["fraction"] == 0, "epochs"] == 0).all()
    assert (runs.loc[runs["fraction"] == 0.5, "epochs"] == 3).all()


def test_a_share_with_fewer_than_ten_areas_is_skipped_with_the_reason(tuned: Artefact) -> None:
    runs, summary = tuned.table("tuning_runs.parquet"), tuned.manifest.summary
    small = runs[runs["fraction"] == 0.02]
    assert (small["skipped"] == "only 2 areas, fewer than 10").all()
    (check,) = [c for c in summary["checks"] if c["name"] == "shares_large_enough"]
    assert not check["passed"]
    assert "0.02: only 2 areas" in check["description"]


def test_the_networks_of_each_shares_first_draw_are_kept(store: DataStore, tuned: Artefact) -> None:
    names = sorted(name for name in tuned.manifest.files if name.endswith(".keras"))
    assert names == [f"share_{s}_fold_{f}.keras" for s in ("0.5", "1") for f in range(5)]
    network = load_network(tuned.file("share_1_fold_3.keras"))
    scores = tuned.table("tuned_locations.parquet").query("fraction == 1 and draw == 0")
    mine = scores.query("fold == 3").set_index("location_id")["h"]
    reader = open_codes([store.open("hdf5_shards", "beta")], 2**30).reader
    features = pd.Series(list(reader.read()), index=reader.location_ids)
    given = np.stack(features[mine.index])
    np.testing.assert_allclose(np.asarray(network(given))[:, 0], mine, atol=1e-4)


def test_every_draw_has_areas_and_metrics(tuned: Artefact) -> None:
    areas, metrics = tuned.table("tuned_lsoas.parquet"), tuned.table("tuned_metrics.parquet")
    assert (areas.groupby(["fraction", "draw"]).size() == 40).all()
    shown = metrics[metrics["metric"] == "spearman_score"]
    assert len(shown) == 6
    assert shown["value"].between(-1, 1).all()
    assert (metrics["model"] == "network").all()


def test_draws_start_from_other_networks_and_other_locations(tuned: Artefact) -> None:
    scores = tuned.table("tuned_locations.parquet")
    for fraction in (0.0, 0.5):
        h = scores[scores["fraction"] == fraction].pivot_table("h", "location_id", "draw")
        assert not np.allclose(h[0], h[1])


def test_tuning_moves_a_network_towards_the_target(store: DataStore, tuned: Artefact) -> None:
    scores = tuned.table("tuned_locations.parquet")
    labels = store.open("lsoa_labels").table().query("outcome == 'crime'")
    decile = labels.set_index("lsoa11")["decile"].astype(float)
    area = store.open("locations", "beta").table().set_index("location_id")["lsoa11"]
    actual = decile[area[scores["location_id"]]].to_numpy()
    r = scores.assign(actual=actual).groupby("fraction")[["h", "actual"]].corr().iloc[0::2, 1]
    assert r[1.0].item() > r[0.0].item()
    assert r[1.0].item() > 0.5


def test_a_bundle_is_a_source_too(store: DataStore, study: Study, tuned: Artefact) -> None:
    target = store.inputs("models", "alpha_crime.streetineq")
    export_bundle(store, "alpha", "crime", target)
    named = Transfer(source="inputs/models/alpha_{outcome}.streetineq", fractions=(0.0,), draws=2)
    changed = study.model_copy(update={"transfer": named})
    job = open_transfer(store, changed, "beta/crime")
    folder = store.workspace("scratch", None)
    job.make(folder, CPU, lambda _: None)
    scores = pd.read_parquet(folder / "tuned_locations.parquet")
    before = tuned.table("tuned_locations.parquet").query("fraction == 0").reset_index(drop=True)
    np.testing.assert_allclose(scores["h"], before["h"], atol=1e-5)
    # What counts is whom the networks learned from: left out of them, a city can be a target.
    learned = with_description(open_bundle(target), store.inputs("models", "beta_crime.streetineq"),
                               trained_on={"beta": "Beta"})  # fmt: skip
    others = named.model_copy(update={"source": str(learned)})
    left_out = study.model_copy(update={"transfer": others})
    assert isinstance(open_transfer(store, left_out, "alpha/crime").source, Source)
    seen = open_transfer(store, left_out, "beta/crime")
    assert "was trained on beta itself" in seen.source.reason
    education = named.model_copy(update={"source": str(target)})
    other = open_transfer(store, study.model_copy(update={"transfer": education}), "beta/education")
    assert "is of crime" in other.source.reason
    itself = open_transfer(store, changed, "alpha/crime")
    assert "was trained on alpha itself" in itself.source.reason


@pytest.mark.parametrize(
    ("key", "source", "reason"),
    [
        ("beta/crime", None, "no source is named"),
        ("alpha/crime", "alpha", "alpha is the source itself"),
        ("beta/crime", "alfa", "alfa is neither a city of the study nor a file"),
        ("alpha/education", "hamlet", "hamlet is not trained on it"),
    ],
)
def test_pairs_without_a_source_are_unavailable(
    store: DataStore, study: Study, key: str, source: str | None, reason: str, tmp_path: Path
) -> None:
    settings = study.transfer.model_copy(update={"source": source})
    job = open_transfer(store, study.model_copy(update={"transfer": settings}), key)
    found = job.make(tmp_path, CPU, lambda _: None)
    assert found.values["status"] == "unavailable"
    assert reason in found.values["reason"]
    assert not [c for c in found.checks if c.blocking and not c.passed]
    assert len(pd.read_parquet(tmp_path / "tuned_locations.parquet")) == 0


def test_codes_of_another_encoder_are_refused(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    job = open_transfer(store, study, "beta/crime")
    encoder = dict(job.source.encoder) | {"weights_sha256": "1" * 64}
    other = Source("x", encoder, job.source.profile, "", job.source.weights)
    spoilt = TransferJob(**(vars(job) | {"source": other}))
    with pytest.raises(TrainingError, match="weights_sha256"):
        spoilt.make(tmp_path, CPU, lambda _: None)


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
    job = open_transfer(store, study, "beta/crime")
    assert job.source.wanted == f"{asset} of {key}"
    assert "not" in job.source.reason


def test_folds_of_whole_cities_leave_nothing_to_tune_on(store: DataStore, study: Study) -> None:
    whole = study.model_copy(update={"folds": study.folds.model_copy(update={"scheme": "city"})})
    assert "folds of whole cities" in open_transfer(store, whole, "beta/crime").source.reason
