"""Further seeds: networks trained again, of which only the out-of-fold scores are kept."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import StoreError
from streetineq_assets.models import fold_training
from streetineq_assets.models.checkpoints import FoldState
from streetineq_assets.models.pair_training import plan_pair, train_pair
from streetineq_assets.models.tables import SEED_SCORES
from streetineq_assets.models.training_plan import TrainingPlan, resolve_profile
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_tests import studies
from streetineq_tests.harness import metadata, run
from streetineq_tests.models.running import JOINT

CPU = Device(kind="cpu")
ONCE = ("epochs = 3", "epochs = 1")
SCORES, SEEDS = "scores.parquet", "seed_scores.parquet"


def study_of(root: Path, seeds: int, toml: str = studies.WITH_CODES) -> DataStore:
    """The study with codes and alpha's folds, trained for one epoch by each seed."""
    toml = toml.replace(*ONCE).replace("seeds = 1", f"seeds = {seeds}")
    store = studies.write_with_codes(root, toml=toml)
    run(store, "area_folds", "alpha")
    return store


def planned(store: DataStore) -> TrainingPlan:
    study = load_study(store.study_file)
    return plan_pair(store, study, Pair("alpha", "crime"), resolve_profile(study))


def trained(store: DataStore, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores of the first seed and of the others."""
    folder.mkdir(exist_ok=True)
    train_pair(planned(store), folder, CPU, lambda _: None)
    return pd.read_parquet(folder / SCORES), pd.read_parquet(folder / SEEDS)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    return study_of(tmp_path_factory.mktemp("three"), 3)


@pytest.fixture(scope="module")
def scores(
    three: DataStore, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pd.DataFrame, pd.DataFrame]:
    return trained(three, tmp_path_factory.mktemp("made"))


def test_each_further_seed_of_a_small_city_tests_every_location_once_in_its_own_fold(
    three: DataStore, scores: tuple
) -> None:
    first, further = scores
    assert further.columns.tolist() == SEED_SCORES.names
    assert further["seed"].unique().tolist() == [1, 2]
    areas = pd.read_parquet(three.open("locations", "alpha").file("locations.parquet"))
    area = areas.set_index("location_id")["area"]
    for seed, of_seed in further.groupby("seed"):
        assert set(of_seed["location_id"]) == set(first["location_id"])
        assert not of_seed["location_id"].duplicated().any()
        dealt = three.open("area_folds", "alpha").table(f"deal_{seed}_area_folds.parquet")
        expected = dealt.set_index("area")["fold"][area[of_seed["location_id"]]]
        assert of_seed["fold"].tolist() == expected.tolist()


def test_deals_of_a_small_city_keep_what_folds_promise(three: DataStore) -> None:
    artefact, deals = three.open("area_folds", "alpha"), []
    for stem in ("", "deal_1_", "deal_2_"):
        deal = artefact.table(f"{stem}area_folds.parquet").set_index("area")["fold"]
        assert deal.value_counts().tolist() == [10] * 5
        deals.append(deal)
    for one, other in itertools.combinations(deals, 2):
        together = (pd.crosstab(one, other[one.index]) / 10).to_numpy().max(axis=1)
        assert (together < 0.8).all(), "another number for the same areas is no other deal"


def test_what_folds_were_made_of_can_be_compared_with_what_stands(three: DataStore) -> None:
    assert three.manifest("area_folds", "alpha").recipe.config["further_deals"] == 2
    lineage = Lineage(three, load_study(three.study_file))
    assert lineage.disagreements("area_folds", "alpha") == ()


def test_a_larger_city_trains_all_seeds_on_the_same_folds(tmp_path: Path) -> None:
    larger = studies.WITH_CODES.replace("[folds]", "[folds]\nrepeated_below = 50")
    store = study_of(tmp_path / "study", 2, larger)
    assert not [file for file in store.open("area_folds", "alpha").manifest.files if "deal" in file]
    first, further = trained(store, tmp_path / "made")
    pd.testing.assert_frame_equal(further[["location_id", "fold"]], first[["location_id", "fold"]])


def test_folds_that_were_dealt_for_fewer_seeds_are_asked_for_before_training(
    tmp_path: Path,
) -> None:
    store = study_of(tmp_path, 2)
    text = store.study_file.read_text(encoding="utf-8").replace("seeds = 2", "seeds = 4")
    store.study_file.write_text(text, encoding="utf-8")
    plan = planned(store)
    assert plan.table_of(1).digest != plan.table.digest
    with pytest.raises(StoreError, match=r"area_folds\[alpha\] has no folds for training 3 of 4"):
        plan.table_of(2)
    run(store, "area_folds", "alpha")
    assert len({planned(store).table_of(number).digest for number in range(4)}) == 4


def test_seeds_give_other_networks(scores: tuple) -> None:
    first, further = scores
    h = further.pivot_table(index="location_id", columns="seed", values="h").assign(first=0)
    h["first"] = first.set_index("location_id")["h"]
    assert (h.corr().to_numpy()[~np.eye(3, dtype=bool)] < 0.999).all()


def test_the_first_seed_is_what_one_seed_alone_gives(scores: tuple, tmp_path: Path) -> None:
    alone, none = trained(study_of(tmp_path / "study", 1), tmp_path / "made")
    pd.testing.assert_frame_equal(alone, scores[0])
    assert none.empty
    assert none.columns.tolist() == SEED_SCORES.names


class Stop(Exception):
    """Stands for a kill."""


def test_a_killed_training_does_not_train_a_finished_seed_again(
    three: DataStore, scores: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(three).clean()
    original = fold_training.FoldTraining._epoch
    trained_folds: list[tuple[int, int]] = []

    def counted(self: fold_training.FoldTraining, state: FoldState, *rest: Any) -> Any:
        trained_folds.append((self.seed, self.fold))
        if len(trained_folds) == 8:
            raise Stop
        return original(self, state, *rest)

    monkeypatch.setattr(fold_training.FoldTraining, "_epoch", counted)
    with pytest.raises(Stop):
        trained(three, tmp_path)
    assert trained_folds == [(7, fold) for fold in range(5)] + [(1007, fold) for fold in range(3)]
    first, further = trained(three, tmp_path)
    assert trained_folds[8:10] == [(1007, 2), (1007, 3)]
    assert {seed for seed, _ in trained_folds[11:]} == {2007}
    pd.testing.assert_frame_equal(first, scores[0])
    pd.testing.assert_frame_equal(further, scores[1])


@pytest.mark.slow
def test_joint_training_cuts_the_scores_of_its_seeds_out_for_each_pair(tmp_path: Path) -> None:
    store = study_of(tmp_path, 2, JOINT)
    run(store, "joint_model", "alpha")
    together = store.open("joint_model", "alpha").table(SEEDS)
    assert together.groupby(["outcome", "seed"]).size().to_dict() == {
        ("crime", 1): 150, ("education", 1): 150,
    }  # fmt: skip
    for outcome in ("crime", "education"):
        result = run(store, "trained_model", f"alpha/{outcome}")
        assert metadata(result, "trained_model")["n_seeds"] == 2
        own = store.open("trained_model", f"alpha/{outcome}").table(SEEDS)
        cut = together[together["outcome"] == outcome].drop(columns="outcome")
        pd.testing.assert_frame_equal(own, cut.reset_index(drop=True))
    text = store.study_file.read_text(encoding="utf-8").replace("seeds = 2", "seeds = 3")
    store.study_file.write_text(text, encoding="utf-8")
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert (shown["skipped"], shown["n_seeds"]) == (True, 2), "as many as the joint networks have"


def test_other_seeds_make_the_networks_again(three: DataStore) -> None:
    study = load_study(three.study_file)
    four = study.training.model_copy(update={"seeds": 4})
    changed = study.model_copy(update={"training": four})
    plan = plan_pair(three, changed, Pair("alpha", "crime"), resolve_profile(changed))
    assert (planned(three).config["seeds"], plan.config["seeds"]) == (3, 4)
