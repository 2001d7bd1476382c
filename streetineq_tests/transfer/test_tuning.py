"""Tuning on shares of a target: which rows, from which networks, and resuming after a kill."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import StudyError, TrainingError
from streetineq_assets.models.batches import Codes
from streetineq_assets.models.dataset import make_examples, open_codes
from streetineq_assets.models.network import build_network
from streetineq_assets.models.reader import CodeShape
from streetineq_assets.models.trainer import trainer_for
from streetineq_assets.settings import Transfer
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study, load_study
from streetineq_assets.transfer.pair_tuning import Target, plan_tuning
from streetineq_assets.transfer.source import Weights
from streetineq_assets.transfer.tuning import Tuning, attempts, choose_share
from streetineq_tests import studies
from streetineq_tests.models.synthetic import ArrayReader
from streetineq_tests.transfer.conftest import PROFILE, STUDY, K

CPU = Device(kind="cpu")


@pytest.fixture(scope="module")
def target(store: DataStore, study: Study) -> Target:
    target = plan_tuning(store, study, Pair("beta", "crime")).target
    assert isinstance(target, Target)
    return target


@pytest.fixture(scope="module")
def weights(target: Target) -> list[Weights]:
    """Of the source's networks."""
    return target.source.read_weights()


def tuning(target: Target, workspace: Path, **settings: object) -> Tuning:
    """Of all locations, one repeat, no controls, unless said otherwise."""
    examples, _ = make_examples((target.slices,), ("crime",), 2**30)
    transfer = Transfer(**{"shares": (1.0,), "repeats": 1, "controls": False} | settings)
    return Tuning(
        examples=examples, table=target.folds, transfer=transfer,
        profile=PROFILE, scratch=PROFILE, seed=1, device=CPU,
        workspace=workspace, fingerprint={}, log=lambda _: None,
    )  # fmt: skip


def test_a_share_of_zero_is_the_sources_network_as_it_is(
    store: DataStore, tuned: Artefact, weights: list[Weights]
) -> None:
    scores = tuned.table("tuned_locations.parquet")
    reader = open_codes([store.open("hdf5_shards", "beta")], 2**30).reader
    row = {location: n for n, location in enumerate(reader.location_ids)}
    for repeat, fold in ((0, 0), (1, 0), (1, K - 1)):
        network = build_network(PROFILE, studies.WIDTH)
        network.set_weights(weights[(fold + repeat) % K])
        mine = scores.query("share == 0 and repeat == @repeat and fold == @fold")
        features = reader.read()[[row[i] for i in mine["location_id"]]]
        np.testing.assert_allclose(np.asarray(network(features))[:, 0], mine["h"], atol=1e-4)


def test_no_test_location_tunes_its_own_network(target: Target, tmp_path: Path) -> None:
    given = tuning(target, tmp_path)
    areas = given.examples.rows["area"]
    for fold in given.table.folds:
        whole = given.split(fold, 1.0, "either", repeat=0)
        learn = (whole.train | whole.validation).sum()
        for share in (0.1, 0.5, 1.0):
            split = given.split(fold, share, "locations", repeat=0)
            parts = [set(areas[m]) for m in (split.train, split.validation, split.test)]
            assert not parts[0] & parts[1]
            assert not parts[2] & (parts[0] | parts[1])
            assert (split.train | split.validation).sum() == np.ceil(share * learn)


def test_shares_are_rounded_up_and_whole_where_areas_are_the_unit() -> None:
    areas = np.repeat([f"a{n}" for n in range(50)], 7)
    rng = np.random.default_rng(0)
    assert choose_share(areas, 0.01, "locations", rng).sum() == 4
    assert choose_share(areas, 0.0, "locations", rng).sum() == 0
    assert choose_share(areas, 1.0, "locations", rng).all()
    assert choose_share(np.repeat("a", 100), 0.29, "locations", rng).sum() == 29
    chosen = choose_share(areas, 0.1, "areas", rng)
    assert chosen.sum() == 35
    assert all(chosen[areas == a].all() for a in set(areas[chosen]))


def test_a_killed_tuning_resumes(target: Target, weights: list[Weights], tmp_path: Path) -> None:
    given = tuning(target, tmp_path, shares=(0.5,), units="areas", repeats=2, controls=True)
    given.folds = (0,)
    first, _ = given.finish(weights, tmp_path)
    lines: list[str] = []
    given.log = lines.append
    second, _ = given.finish(weights, tmp_path)
    pd.testing.assert_frame_equal(first, second)
    assert sum("finished before" in line for line in lines) == 4, "controls too"


def test_a_control_learns_from_the_same_rows_with_fresh_weights(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    given = tuning(target, tmp_path, shares=(0.5,), units="areas", controls=True, frozen_layers=2)
    given.folds = (0,)
    scores, runs = given.finish(weights, tmp_path)
    learned = runs[runs["share"] == 0.5].set_index("network")
    same = ["n_locations", "n_lsoas", "n_lsoas_of_fold"]
    assert (learned.loc["fine_tuned", same] == learned.loc["from_scratch", same]).all()
    h = scores[scores["share"] == 0.5].pivot_table("h", "location_id", "network")
    assert not np.allclose(h["fine_tuned"], h["from_scratch"])
    (tmp_path / "none").mkdir()
    given.workspace = tmp_path / "none"
    again, _ = given.finish(weights[::-1], tmp_path / "none")
    mine = again.query("network == 'from_scratch'").reset_index(drop=True)["h"]
    before = scores.query("network == 'from_scratch'").reset_index(drop=True)["h"]
    np.testing.assert_array_equal(mine, before, err_msg="the source's networks do not matter")


def test_all_that_is_asked_for_is_made_once() -> None:
    """Shares of 0 and 1 are the same of either unit; a share of 0 is there unasked."""
    asked = Transfer(shares=(0.1, 1.0), repeats=3)
    made = list(attempts(asked, n_networks=2))
    assert len(set(made)) == len(made)
    counted = pd.DataFrame(made).groupby(["share", "share_of", "network"])["repeat"].size()
    assert counted.to_dict() == {
        (0.0, "either", "fine_tuned"): 2,
        (0.1, "areas", "fine_tuned"): 3,
        (0.1, "areas", "from_scratch"): 3,
        (0.1, "locations", "fine_tuned"): 3,
        (0.1, "locations", "from_scratch"): 3,
        (1.0, "either", "fine_tuned"): 3,
    }
    without = attempts(asked.model_copy(update={"controls": False}), n_networks=2)
    assert {each.network for each in without} == {"fine_tuned"}


def test_how_many_areas_labels_a_share_of_locations_takes_is_recorded(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    given = tuning(target, tmp_path, shares=(0.5,), units=("locations", "areas"))
    given.folds = (0,)
    _, runs = given.finish(weights, tmp_path)
    runs = runs[runs["share"] == 0.5].set_index("share_of")
    areas = target.folds.areas
    taught = int((areas["fold"] != 0).sum())
    assert 26 <= taught <= 27, "three folds of 40 areas"
    assert (runs["n_lsoas_of_fold"] == taught).all()
    assert runs.loc["areas", "n_lsoas"] == round(taught / 2), "whole areas are taken"
    assert runs.loc["locations", "n_lsoas"] > 20
    assert runs.loc["areas", "n_locations"] == 3 * runs.loc["areas", "n_lsoas"]
    assert abs(runs.loc["locations", "n_locations"] - 3 * taught / 2) <= 1


def test_a_fold_without_images_tunes_and_scores_nothing(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    given = tuning(target, tmp_path, shares=(0.0, 1.0))
    kept = given.table.fold_of(given.examples.rows) != K - 1
    rows = given.examples.rows[kept].reset_index(drop=True)
    given.examples = replace(given.examples, rows=rows, classes=given.examples.classes[kept])
    lines: list[str] = []
    given.log = lines.append
    scores, runs = given.finish(weights, tmp_path)
    assert (scores.groupby("share")["location_id"].size() == kept.sum()).all()
    assert set(runs["fold"]) == set(scores["fold"]) == set(range(K - 1))
    assert sum(f"Fold {K - 1} " in line for line in lines) == 1


def test_codes_that_are_not_finite_name_their_location(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    given = tuning(target, tmp_path)
    features = given.examples.codes.reader.read()
    features[5] = np.nan
    ids = given.examples.codes.reader.location_ids
    given.examples = replace(given.examples, codes=Codes(ArrayReader(features, ids), 2**30))
    with pytest.raises(TrainingError, match=f"{ids[5]} .*finite.*image_codes"):
        given.finish(weights, tmp_path)


def test_a_tuning_that_diverges_names_its_own_rate(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    given = tuning(target, tmp_path)
    given.profile = given.profile.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"learning_rate_share under \[transfer\]"):
        given.finish(weights, tmp_path)


def test_shares_must_ascend(tmp_path: Path) -> None:
    text = STUDY.replace("[0.0, 0.02, 0.5, 1.0]", "[0.5, 0.1]")
    store = studies.new_study(tmp_path, text)
    with pytest.raises(StudyError, match="ascending"):
        load_study(store.study_file)


def test_units_must_differ_and_be_known(tmp_path: Path) -> None:
    for units, message in (('["areas", "areas"]', "different units"), ('["streets"]', "areas")):
        text = STUDY.replace("repeats = 2", f"repeats = 2\nunits = {units}")
        store = studies.new_study(tmp_path / message, text)
        with pytest.raises(StudyError, match=message):
            load_study(store.study_file)


def test_the_settings_names_of_earlier_versions_are_read(tmp_path: Path) -> None:
    text = STUDY.replace("shares = ", "fractions = ").replace("repeats = ", "draws = ")
    text = text.replace("draws = 2", 'draws = 2\nunit = "locations"')
    transfer = load_study(studies.new_study(tmp_path, text).study_file).transfer
    assert (transfer.shares, transfer.repeats) == ((0.0, 0.02, 0.5, 1.0), 2)
    assert transfer.units == ("locations",)


# The next two compile trainers of their own, for which the others' may be given up: they come last.


def test_frozen_blocks_stay_as_they_were(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    given = tuning(target, tmp_path, frozen_layers=2)
    given.folds = (0,)
    given.finish(weights, tmp_path)
    kept = trainer_for(given.profile, CodeShape(studies.WIDTH), 1, CPU, 2)
    now = kept.network.get_weights()
    same = [np.array_equal(a, b) for a, b in zip(weights[0], now, strict=True)]
    names = [w.path for w in kept.network.weights]
    frozen = [
        n for n in names if n.startswith(("standardise", "dense_1", "norm_1", "dense_2", "norm_2"))
    ]
    assert all(s for s, n in zip(same, names, strict=True) if n in frozen)
    assert not any(s for s, n in zip(same, names, strict=True) if n.startswith("head/kernel"))


def test_a_repeated_tuning_with_dropout_is_identical(
    target: Target, weights: list[Weights], tmp_path: Path
) -> None:
    found = []
    for name in ("first", "second"):
        given = tuning(target, tmp_path / name)
        given.folds = (0,)
        given.profile = given.profile.model_copy(update={"dropout": 0.5})
        found.append(given.finish(weights, tmp_path)[0])
    pd.testing.assert_frame_equal(*found, check_exact=True)
