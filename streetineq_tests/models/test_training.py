"""Training: out of fold, repeatable, resumable, and blind to its test rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import TrainingError
from streetineq_assets.models import fold_training, trainer
from streetineq_assets.models.dataset import Codes, Examples
from streetineq_assets.models.fold_training import learning_rate
from streetineq_assets.models.folds import Split, make_folds, split_rows
from streetineq_assets.models.reader import CodeShape
from streetineq_assets.models.trainer import trainer_for
from streetineq_assets.models.training import Trained
from streetineq_assets.profiles import PROFILES, Profile
from streetineq_assets.settings import Folds
from streetineq_tests.models.synthetic import ArrayReader, areas, city, examples, train

CPU = Device(kind="cpu")
WIDTH = 48
# Short enough for tests; the same layers, optimiser and steps as the profile that ships, but that
# six epochs of dropout would teach little, and that validation chooses the epoch.
QUICK = PROFILES["recommended"].model_copy(
    update={
        "epochs": 6,
        "patience": 0,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "dropout": 0.0,
        "fewest_validation_areas": 0,
    }
)
CODES, ROWS = city(60, 4, WIDTH, signal=1.0, seed=1)


def trained(
    workspace: Path,
    given: Examples | None = None,
    profile: Profile = QUICK,
    **changes: Any,
) -> Trained:
    given = given or examples(CODES, ROWS)
    table = make_folds(areas(ROWS), Folds(k=3), seed=5)
    settings = {"seed": 5, "fingerprint": {"data": "1"}, "checkpoint_every_s": 0.0} | changes
    return train(given, table, profile, CPU, workspace=workspace, **settings)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.mktemp("reference"))


class Stop(Exception):
    """Stands for a kill."""


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `steps` training steps pass, then die in the next one."""
    original, count = trainer.Trainer.train, iter(range(steps))

    def dying(self: trainer.Trainer, *args: Any) -> Any:
        if next(count, None) is None:
            raise Stop
        return original(self, *args)

    monkeypatch.setattr(trainer.Trainer, "train", dying)


def test_every_location_is_scored_once_by_the_network_that_did_not_see_its_area(
    reference: Trained,
) -> None:
    scores = reference.scores("crime")
    assert scores["location_id"].tolist() == sorted(ROWS["location_id"])
    fold_of = make_folds(areas(ROWS), Folds(k=3), seed=5).areas.set_index("area")["fold"]
    area_of = ROWS.set_index("location_id")["area"]
    assert scores["fold"].tolist() == fold_of[area_of[scores["location_id"]]].tolist()
    p = scores[[f"p_{d}" for d in range(1, 11)]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    expected = 9 / (1 + np.exp(-scores["h"].to_numpy(np.float64)))
    np.testing.assert_allclose(p @ np.arange(10), expected, atol=1e-4)


def test_it_finds_the_signal(reference: Trained) -> None:
    merged = reference.scores("crime").merge(ROWS, on="location_id")
    assert merged["h"].corr(merged["decile"]) > 0.7


def test_history_has_every_epoch_of_every_fold(reference: Trained) -> None:
    history = reference.history()
    assert history.groupby("fold")["epoch"].apply(list).tolist() == [[1, 2, 3, 4, 5, 6]] * 3
    assert history.drop(columns="fold").notna().all(axis=None)
    assert (history["wait_seconds"] <= history["seconds"]).all()


def test_a_repeat_is_identical_bit_for_bit(reference: Trained, tmp_path: Path) -> None:
    assert trained(tmp_path).digest() == reference.digest()


def test_the_seed_changes_the_networks(reference: Trained, tmp_path: Path) -> None:
    assert trained(tmp_path, seed=6).digest() != reference.digest()


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_a_killed_training_goes_on_to_the_same_networks(
    steps: int, reference: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_after(steps, patched)
        with pytest.raises(Stop):
            trained(tmp_path)
    logged: list[str] = []
    assert trained(tmp_path, log=logged.append).digest() == reference.digest()
    assert steps < 3 or any("resumes after epoch" in line for line in logged)
    assert steps < 18 or any("was finished before" in line for line in logged)


@pytest.mark.slow
def test_a_killed_training_with_dropout_goes_on_to_the_same_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drops = QUICK.model_copy(update={"dropout": 0.5, "epochs": 3})
    asked: dict[str, Any] = {"profile": drops, "folds": [1]}
    whole = trained(tmp_path / "whole", **asked)
    with monkeypatch.context() as patched:
        stop_after(3, patched)
        with pytest.raises(Stop):
            trained(tmp_path / "killed", **asked)
    logged: list[str] = []
    assert trained(tmp_path / "killed", **asked, log=logged.append).digest() == whole.digest()
    assert any("resumes after epoch" in line for line in logged)
    assert trained(tmp_path / "other", **asked | {"seed": 6}).digest() != whole.digest()


def test_a_finished_training_is_not_trained_again(
    reference: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path)
    stop_after(0, monkeypatch)
    assert trained(tmp_path).digest() == reference.digest()


def test_other_data_or_settings_start_afresh_and_say_why(
    reference: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_after(7, patched)
        with pytest.raises(Stop):
            trained(tmp_path, fingerprint={"data": "0", "profile": "x"})
    logged: list[str] = []
    again = trained(tmp_path, fingerprint={"data": "1", "profile": "x"}, log=logged.append)
    assert again.digest() == reference.digest()
    assert logged == ["unfinished training starts again, changed: data"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_falls_back_to_the_epoch_before(
    damage: str, reference: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_after(8, patched)
        with pytest.raises(Stop):
            trained(tmp_path)
    state = tmp_path / "fold_0.npz"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 0xFF
    ruined = {"cut": content[: len(content) // 3], "flipped": content, "empty": b""}
    state.write_bytes(ruined[damage])
    logged: list[str] = []
    assert trained(tmp_path, log=logged.append).digest() == reference.digest()
    assert "damaged" in logged[0]
    assert "resumes after epoch" in logged[1]


def test_poisoned_test_rows_change_no_network(reference: Trained, tmp_path: Path) -> None:
    table = make_folds(areas(ROWS), Folds(k=3), seed=5)
    tested = set(table.areas.loc[table.areas["fold"] == 0, "area"])
    poison = ROWS["area"].isin(tested).to_numpy()
    codes = CODES.copy()
    codes[poison] = 1e5
    rows = ROWS.assign(decile=ROWS["decile"].where(~poison, 1.0))
    given = examples(codes, rows)
    poisoned = train(
        given, table, QUICK, CPU, seed=5, workspace=tmp_path, fingerprint={}, folds=[0]
    )
    clean = reference.states[0].best
    assert all(np.array_equal(a, b) for a, b in zip(clean, poisoned.states[0].best, strict=True))
    assert not np.allclose(poisoned.states[0].test_scores, reference.states[0].test_scores)


def test_codes_beyond_the_budget_train_from_disk_repeatably(tmp_path: Path) -> None:
    budget = CODES.nbytes * 3 // 4
    quick = QUICK.model_copy(update={"batch_size": 16})
    first = trained(tmp_path / "a", examples(CODES, ROWS, budget_bytes=budget), quick, folds=[0])
    second = trained(tmp_path / "b", examples(CODES, ROWS, budget_bytes=budget), quick, folds=[0])
    assert first.digest() == second.digest()
    merged = first.scores("crime").merge(ROWS, on="location_id")
    assert merged["h"].corr(merged["decile"]) > 0.6


@pytest.mark.parametrize("head", ["cumulative_link", "corn"])
@pytest.mark.slow
def test_the_other_heads_learn_too(head: str, tmp_path: Path) -> None:
    result = trained(tmp_path, profile=QUICK.model_copy(update={"head": head}))
    merged = result.scores("crime").merge(ROWS, on="location_id")
    assert merged["h"].corr(merged["decile"]) > 0.6


@pytest.mark.slow
def test_suel2019_runs_to_its_end(tmp_path: Path) -> None:
    result = trained(tmp_path, profile=PROFILES["suel2019"], folds=[1])
    history = result.history()
    assert history["epoch"].tolist() == list(range(1, 11))
    assert (history["learning_rate"] == 5e-6).all()
    assert len(result.scores("crime")) == len(ROWS) // 3


@pytest.mark.usefixtures("plain_step")
def test_several_outcomes_train_on_one_trunk_with_missing_labels_masked(tmp_path: Path) -> None:
    given = examples(CODES, ROWS)
    second = 9 - given.classes
    second[ROWS["area"].isin(sorted(set(ROWS["area"]))[:10]).to_numpy()] = -1
    joint = Examples(given.codes, ROWS, np.hstack([given.classes, second]), ("crime", "education"))
    result = trained(tmp_path, joint)
    merged = result.scores("crime").merge(ROWS, on="location_id")
    assert merged["h"].corr(merged["decile"]) > 0.6
    mirrored = result.scores("education").merge(ROWS, on="location_id")
    assert mirrored["h"].corr(mirrored["decile"]) < -0.5


@pytest.mark.slow
def test_compiled_steps_are_reused_over_folds_and_trainings(
    tmp_path: Path,
) -> None:
    trained(tmp_path / "first", folds=[0])
    kept = trainer_for(QUICK, CodeShape(WIDTH), 1, CPU)
    before = kept._train.experimental_get_tracing_count()
    trained(tmp_path / "second")
    assert trainer_for(QUICK, CodeShape(WIDTH), 1, CPU) is kept
    assert kept._train.experimental_get_tracing_count() == before


def test_the_best_epoch_is_restored_and_patience_ends_a_fold(tmp_path: Path) -> None:
    eager = QUICK.model_copy(update={"epochs": 60, "patience": 3, "learning_rate": 5e-3})
    result = trained(tmp_path, profile=eager)
    for state in result.states.values():
        losses = [record["val_loss"] for record in state.history]
        assert state.best_epoch == int(np.argmin(losses)) + 1
        assert len(losses) == min(60, state.best_epoch + 3)


@pytest.mark.usefixtures("plain_step")
def test_where_validation_areas_are_few_the_last_epoch_is_kept(tmp_path: Path) -> None:
    """Each fold has five of them."""
    eager = QUICK.model_copy(update={"epochs": 12, "patience": 3, "learning_rate": 5e-3})
    few = trained(tmp_path / "few", profile=eager.model_copy(update={"fewest_validation_areas": 6}))
    assert {state.best_epoch for state in few.states.values()} == {12}
    enough = trained(
        tmp_path / "enough", profile=eager.model_copy(update={"fewest_validation_areas": 5})
    )
    assert min(state.best_epoch for state in enough.states.values()) < 12


@pytest.mark.parametrize(("per_root_area", "epochs"), [(0, 6), (0.6, 2), (100, 6)])
def test_whole_epochs_are_trained_up_to_the_steps_and_the_schedule_ends_there(
    per_root_area: float, epochs: int, tmp_path: Path
) -> None:
    """A fold trains 36 areas on about 140 rows: three batches of 64, the last of them small."""
    limited = QUICK.model_copy(update={"steps_per_root_area": per_root_area})
    history = trained(tmp_path, profile=limited, folds=[0]).history()
    assert history["epoch"].tolist() == list(range(1, epochs + 1))
    assert history["learning_rate"].iloc[-1] < limited.learning_rate / 2


def test_tensorboard_gets_a_folder_per_fold(tmp_path: Path) -> None:
    trained(tmp_path / "work", logs=tmp_path / "logs", folds=[0, 2])
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["fold_0", "fold_2"]
    assert all(list(path.glob("events*")) for path in (tmp_path / "logs").iterdir())


def test_divergence_stops_with_epoch_and_learning_rate_and_keeps_finished_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = fold_training.FoldTraining._begin

    def spoiled(self: fold_training.FoldTraining, state: Any) -> Any:
        begun = original(self, state)
        if self.fold == 1:
            values = [np.full(v.shape, np.nan) for v in self.trainer.network.get_weights()]
            self.trainer.network.set_weights(values)
        return begun

    with monkeypatch.context() as patched:
        patched.setattr(fold_training.FoldTraining, "_begin", spoiled)
        with pytest.raises(TrainingError, match=r"fold 1.*epoch 1.*learning rate of 0\.00"):
            trained(tmp_path)
    logged: list[str] = []
    trained(tmp_path, log=logged.append)
    assert logged == ["fold 0 was finished before"]


def with_labels(change: Callable[[np.ndarray], np.ndarray]) -> Examples:
    given = examples(CODES, ROWS)
    return Examples(given.codes, given.rows, change(given.classes), given.outcomes)


def test_an_outcome_with_one_decile_or_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="crime has one decile only"):
        trained(tmp_path, with_labels(lambda c: np.full_like(c, 4)))
    with pytest.raises(TrainingError, match="crime has no labelled location"):
        trained(tmp_path, with_labels(lambda c: np.full_like(c, -1)))


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"k": 4}, r"fold 0 has 5 locations.*add images, or set a larger k under"),
        ({"scheme": "holdout"}, r"add images, or raise the first two of holdout_shares under"),
    ],
)
def test_too_few_locations_are_refused_with_the_remedy(
    settings: dict[str, Any], remedy: str, tmp_path: Path
) -> None:
    codes, rows = city(8, 1, WIDTH)
    table = make_folds(areas(rows), Folds(**settings), seed=0)
    with pytest.raises(TrainingError, match=remedy):
        train(examples(codes, rows), table, QUICK, CPU, seed=0, workspace=tmp_path, fingerprint={})


def test_where_large_blocks_leave_too_few_locations_the_size_of_blocks_is_the_remedy() -> None:
    none = np.zeros(3, bool)
    with pytest.raises(TrainingError, match="set a smaller block_km or buffer_km under"):
        fold_training.require_rows(Split(none, none, ~none), 1, QUICK, "spatial_block")


@pytest.mark.usefixtures("plain_step")
def test_a_fold_that_tests_no_row_is_left_out_and_logged(tmp_path: Path) -> None:
    table = make_folds(areas(ROWS), Folds(k=3), seed=5)
    mine = ROWS["area"].isin(table.areas.loc[table.areas["fold"] != 1, "area"])
    given = Examples(
        examples(CODES, ROWS).codes, ROWS[mine].reset_index(drop=True),
        ROWS.loc[mine, ["decile"]].to_numpy(int) - 1, ("crime",),
    )  # fmt: skip
    logged: list[str] = []
    once = QUICK.model_copy(update={"epochs": 1})
    result = trained(tmp_path, given, once, log=logged.append)
    assert list(result.states) == [0, 2]
    (sentence,) = [line for line in logged if line.startswith("Fold")]
    assert sentence.startswith("Fold 1 tests no location that has codes and a label: left out")
    with pytest.raises(
        TrainingError, match="no fold tests a location that has codes and a label: add images"
    ):
        trained(tmp_path, given, once, folds=[1])


@pytest.mark.usefixtures("plain_step")
@pytest.mark.parametrize("profile", ["recommended", "suel2019"])
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_codes_that_are_not_finite_name_their_location(
    part: str, profile: str, tmp_path: Path
) -> None:
    table = make_folds(areas(ROWS), Folds(scheme="holdout"), seed=5)
    split = split_rows(table, 0, ROWS, validation_share=0.1, seed=5)
    row = np.flatnonzero(getattr(split, part))[3]
    codes = CODES.copy()
    codes[row, 0, 0] = np.nan
    once = PROFILES[profile].model_copy(update={"epochs": 1})
    with pytest.raises(TrainingError, match=rf"{ROWS['location_id'][row]} are not finite.*again"):
        train(examples(codes, ROWS), table, once, CPU, seed=5, workspace=tmp_path, fingerprint={})


def test_joint_training_refuses_one_row_per_class(tmp_path: Path) -> None:
    given = examples(CODES, ROWS)
    joint = Examples(given.codes, ROWS, np.hstack([given.classes] * 2), ("crime", "education"))
    with pytest.raises(TrainingError, match='balance = "weights"'):
        trained(tmp_path, joint, PROFILES["suel2019"])


def test_the_cosine_ends_at_zero_and_the_constant_stays() -> None:
    rate = PROFILES["recommended"].learning_rate
    assert learning_rate(PROFILES["recommended"], 0) == pytest.approx(rate)
    assert learning_rate(PROFILES["recommended"], 0.5) == pytest.approx(rate / 2)
    assert learning_rate(PROFILES["recommended"], 1) == pytest.approx(0)
    assert learning_rate(PROFILES["suel2019"], 0.7) == 5e-6


@pytest.mark.slow
def test_mixed_precision_trains_and_saves_float32_weights(tmp_path: Path) -> None:
    table = make_folds(areas(ROWS), Folds(k=3), seed=5)
    half = Device(kind="cpu", mixed_precision=True)
    result = train(
        examples(CODES, ROWS), table, QUICK, half, seed=5, workspace=tmp_path, fingerprint={},
        folds=[0],
    )  # fmt: skip
    assert {w.dtype for w in result.states[0].best} == {np.dtype("float32")}
    merged = result.scores("crime").merge(ROWS, on="location_id")
    assert merged["h"].corr(merged["decile"]) > 0.5


@pytest.mark.usefixtures("plain_step")
def test_a_reader_of_another_width_gets_a_network_of_that_width(tmp_path: Path) -> None:
    codes, rows = city(60, 4, 24, signal=1.0, seed=1)
    table = make_folds(areas(rows), Folds(k=3), seed=5)
    reader = ArrayReader(codes, rows["location_id"].to_numpy())
    given = Examples(
        Codes(reader, 2**30), rows, rows["decile"].to_numpy(int)[:, None] - 1, ("crime",)
    )
    result = train(given, table, QUICK, CPU, seed=5, workspace=tmp_path, fingerprint={}, folds=[0])
    assert result.states[0].best[2].shape == (24, 512)


def test_scores_are_a_plain_table(reference: Trained) -> None:
    kinds = reference.scores("crime").dtypes
    assert kinds["fold"] == "int64"
    assert kinds["h"] == kinds["p_10"] == "float32"
    assert pd.api.types.is_string_dtype(kinds["location_id"])
