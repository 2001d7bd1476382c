"""Tuning on shares of a target: which rows, from which networks, and going on after a kill."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import StudyError, TrainingError
from streetineq_assets.models import opening
from streetineq_assets.models.batches import Codes
from streetineq_assets.models.dataset import make_examples, open_codes
from streetineq_assets.models.network import build_network
from streetineq_assets.models.trainer import trainer_for
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.transfer.pair_tuning import open_transfer
from streetineq_assets.transfer.source import read_source
from streetineq_assets.transfer.tuning import Tuning, draw_share
from streetineq_tests.models import published
from streetineq_tests.models.synthetic import ArrayReader
from streetineq_tests.transfer.conftest import STUDY

CPU = Device(kind="cpu")


def test_a_share_of_zero_is_the_sources_network_as_it_is(
    store: DataStore, study: Study, tuned: Artefact
) -> None:
    scores = tuned.table("tuned_locations.parquet")
    networks = read_source(store, study, "beta", "crime").weights()
    profile = opening.open_pair(store, study, "alpha/crime").profile
    reader = open_codes([store.open("hdf5_shards", "beta")], 2**30).reader
    row = {location: n for n, location in enumerate(reader.location_ids)}
    for draw, fold in ((0, 0), (1, 0), (1, 4)):
        network = build_network(profile, published.WIDTH)
        network.set_weights(networks[(fold + draw) % 5])
        mine = scores.query("fraction == 0 and draw == @draw and fold == @fold")
        features = reader.read()[[row[i] for i in mine["location_id"]]]
        np.testing.assert_allclose(np.asarray(network(features))[:, 0], mine["h"], atol=1e-4)


def tuning(store: DataStore, study: Study, tmp_path: Path, **changes) -> Tuning:
    job = open_transfer(store, study, "beta/crime")
    examples, _ = make_examples((job.read,), ("crime",), 2**30)
    settings = study.transfer.model_copy(update=changes)
    return Tuning(
        examples=examples, table=job.read.fold_table(), transfer=settings,
        profile=opening.open_pair(store, study, "alpha/crime").profile, seed=1, device=CPU,
        workspace=tmp_path, fingerprint={}, tell=lambda _: None,
    )  # fmt: skip


def test_no_test_location_tunes_its_own_network(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    given = tuning(store, study, tmp_path)
    areas = given.examples.rows["lsoa11"]
    for fold in given.table.folds:
        for fraction in (0.1, 0.5, 1.0):
            split = given.split(fold, fraction, draw=0)
            parts = [set(areas[m]) for m in (split.train, split.validation, split.test)]
            assert not parts[0] & parts[1]
            assert not parts[2] & (parts[0] | parts[1])
            whole = given.split(fold, 1.0, draw=0)
            learn = (whole.train | whole.validation).sum()
            assert (split.train | split.validation).sum() == np.ceil(fraction * learn)


def test_shares_are_rounded_up_and_whole_where_areas_are_the_unit() -> None:
    areas = np.repeat([f"a{n}" for n in range(50)], 7)
    rng = np.random.default_rng(0)
    assert draw_share(areas, 0.01, "locations", rng).sum() == 4
    assert draw_share(areas, 0.0, "locations", rng).sum() == 0
    assert draw_share(areas, 1.0, "locations", rng).all()
    assert draw_share(np.repeat("a", 100), 0.29, "locations", rng).sum() == 29
    chosen = draw_share(areas, 0.1, "areas", rng)
    assert chosen.sum() == 35
    assert all(chosen[areas == a].all() for a in set(areas[chosen]))


def test_frozen_blocks_stay_as_they_were(store: DataStore, study: Study, tmp_path: Path) -> None:
    given = tuning(store, study, tmp_path, fractions=(1.0,), draws=1, frozen_layers=2)
    source = read_source(store, study, "beta", "crime").weights()
    given.finish(source, tmp_path)
    kept = trainer_for(given.profile, published.WIDTH, 1, CPU, 2)
    last = source[given.table.folds[-1] % 5]
    now = kept.network.get_weights()
    same = [np.array_equal(a, b) for a, b in zip(last, now, strict=True)]
    names = [w.path for w in kept.network.weights]
    frozen = [
        n for n in names if n.startswith(("standardise", "dense_1", "norm_1", "dense_2", "norm_2"))
    ]
    assert all(s for s, n in zip(same, names, strict=True) if n in frozen)
    assert not any(s for s, n in zip(same, names, strict=True) if n.startswith("head/kernel"))


def test_a_repeated_tuning_with_dropout_is_identical(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    source = read_source(store, study, "beta", "crime").weights()
    found = []
    for name in ("first", "second"):
        given = tuning(store, study, tmp_path / name, fractions=(1.0,), draws=1)
        given.profile = given.profile.model_copy(update={"dropout": 0.5})
        found.append(given.finish(source, tmp_path)[0])
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_a_killed_tuning_goes_on(store: DataStore, study: Study, tmp_path: Path) -> None:
    source = read_source(store, study, "beta", "crime").weights()
    given = tuning(store, study, tmp_path, fractions=(0.5,))
    first, _ = given.finish(source, tmp_path)
    told: list[str] = []
    given.tell = told.append
    second, _ = given.finish(source, tmp_path)
    pd.testing.assert_frame_equal(first, second)
    assert sum("was finished before" in line for line in told) == 10


def test_a_fold_without_images_tunes_and_scores_nothing(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    given = tuning(store, study, tmp_path, fractions=(0.0, 1.0), draws=1)
    fold = given.table.fold_of(given.examples.rows)
    rows = given.examples.rows[fold != 2].reset_index(drop=True)
    given.examples = replace(given.examples, rows=rows, classes=given.examples.classes[fold != 2])
    told: list[str] = []
    given.tell = told.append
    scores, runs = given.finish(read_source(store, study, "beta", "crime").weights(), tmp_path)
    assert (scores.groupby("fraction")["location_id"].size() == (fold != 2).sum()).all()
    assert set(runs["fold"]) == set(scores["fold"]) == {0, 1, 3, 4}
    assert sum("Fold 2 tests no location that has codes" in line for line in told) == 1


def test_codes_that_are_not_finite_name_their_location(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    given = tuning(store, study, tmp_path, fractions=(1.0,), draws=1)
    features = given.examples.codes.reader.read()
    features[5] = np.nan
    ids = given.examples.codes.reader.location_ids
    given.examples = replace(given.examples, codes=Codes(ArrayReader(features, ids), 2**30))
    source = read_source(store, study, "beta", "crime").weights()
    with pytest.raises(TrainingError, match=f"{ids[5]} are not finite.*image_codes"):
        given.finish(source, tmp_path)


def test_a_tuning_that_diverges_names_its_own_rate(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    given = tuning(store, study, tmp_path, fractions=(1.0,), draws=1)
    given.profile = given.profile.model_copy(update={"learning_rate": 1e30})
    source = read_source(store, study, "beta", "crime").weights()
    with pytest.raises(TrainingError, match=r"smaller learning_rate_share under \[transfer\]"):
        given.finish(source, tmp_path)


def test_shares_must_ascend(store: DataStore, tmp_path: Path) -> None:
    text = STUDY.replace("[0.0, 0.02, 0.5, 1.0]", "[0.5, 0.1]")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match="ascending"):
        load_study(tmp_path / "study.toml")
