"""Codes within a memory budget, their statistics, and the batches of an epoch."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.errors import TrainingError
from streetineq_assets.models import dataset
from streetineq_assets.models.batches import (
    class_weights,
    epoch_batches,
    epochs_to_train,
    mean_and_sd,
    require_window,
)
from streetineq_assets.models.dataset import Codes
from streetineq_assets.profiles import PROFILES, Profile
from streetineq_tests.models.synthetic import ArrayReader, city

RECOMMENDED = PROFILES["recommended"]
WIDTH = 16


def made(n_areas: int = 100, per_area: int = 20, dtype: str = "float32"):
    return city(n_areas, per_area, WIDTH, dtype=dtype)


def source(codes: np.ndarray, rows: pd.DataFrame, share: float = 2.0, shard_rows=250) -> Codes:
    """Codes with a budget of `share` of the data."""
    reader = ArrayReader(codes, rows["location_id"].to_numpy(), shard_rows)
    loaded = Codes(reader, int(share * codes.nbytes))
    loaded.load()
    return loaded


def batches_of(
    codes: Codes, rows: np.ndarray, classes: np.ndarray, profile: Profile, epoch: int = 0
):
    weights = class_weights(classes)
    drawn = epoch_batches(codes, rows, classes, weights, profile=profile, key=(1, 0, epoch))
    return list(drawn)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("share", [2.0, 0.3])
def test_moments_are_those_of_the_training_rows_with_views_pooled(share: float, dtype: str) -> None:
    codes, rows = made(dtype=dtype)
    chosen = np.flatnonzero(np.random.default_rng(0).random(len(rows)) < 0.7)
    mean, sd = mean_and_sd(source(codes, rows, share), chosen)
    wide = codes[chosen].reshape(-1, WIDTH).astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(sd, wide.std(axis=0), rtol=1e-5)


def test_moments_ignore_all_other_rows_and_name_a_bad_one() -> None:
    codes, rows = made()
    codes[7, 2, 3] = np.nan
    others = np.delete(np.arange(len(rows)), 7)
    assert np.isfinite(mean_and_sd(source(codes, rows), others)[0]).all()
    with pytest.raises(TrainingError, match=rows["location_id"][7]):
        mean_and_sd(source(codes, rows), np.arange(len(rows)))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("share", [2.0, 0.3])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_codes_that_are_not_finite_are_refused_wherever_they_are_taken(
    bad: float, share: float, dtype: str
) -> None:
    codes, rows = made(dtype=dtype)
    codes[1700, 3, -1] = bad
    loaded = source(codes, rows, share)
    others = np.delete(np.arange(len(rows)), 1700)
    assert len(loaded.take(others)) == len(others)
    for take in (loaded.take, loaded.hold, lambda chosen: list(loaded.chunks(chosen, 64))):
        if take == loaded.hold and loaded.resident:
            continue
        with pytest.raises(TrainingError, match=rf"{rows['location_id'][1700]}.*image_codes"):
            take(np.array([3, 1700]))


def test_each_row_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, rows = made()
    loaded = source(codes, rows)
    loaded.take(np.arange(1000))
    seen: list[int] = []
    monkeypatch.setattr(dataset, "_all_finite", lambda part: not seen.append(len(part)))
    loaded.take(np.arange(200, 300))
    assert seen == []
    loaded.take(np.arange(900, 1100))
    assert seen == [200]


def test_class_weights_are_n_over_ten_n_c_within_each_outcome() -> None:
    classes = np.array([[0, -1], [0, 3], [9, 3], [0, 9]])
    expected = np.array(
        [[4 / 30, 0], [4 / 30, 3 / 20], [4 / 10, 3 / 20], [4 / 30, 3 / 10]], np.float32
    )
    np.testing.assert_allclose(class_weights(classes), expected)


def test_an_epoch_in_memory_draws_each_row_once_in_batches_of_few_sizes() -> None:
    codes, rows = made()
    chosen = np.arange(0, len(rows), 2)  # 1000 rows
    classes = rows["decile"].to_numpy(int)[chosen, None] - 1
    drawn = batches_of(source(codes, rows), chosen, classes, RECOMMENDED)
    assert [len(b.features) for b in drawn] == [256, 256, 256, 192]  # 232 left, cut to 64s
    keys = {row.tobytes() for row in codes[chosen]}
    seen = [row.tobytes() for b in drawn for row in b.features]
    assert len(set(seen)) == len(seen) == 960
    assert set(seen) <= keys


@pytest.mark.parametrize("profile", ["recommended", "suel2019"])
@pytest.mark.parametrize("n_rows", [8, 9, 20, 31, 32, 40, 63, 64, 90, 260])
def test_few_rows_are_not_dropped_as_a_last_batch(n_rows: int, profile: str) -> None:
    codes, rows = made(n_areas=30, per_area=10)
    classes = rows[["decile"]].to_numpy(int)[:n_rows] - 1
    drawn = batches_of(source(codes, rows), np.arange(n_rows), classes, PROFILES[profile])
    assert drawn
    if profile == "recommended":
        assert sum(len(batch.classes) for batch in drawn) >= n_rows / 2


@pytest.mark.parametrize(
    ("n_areas", "per_area", "epochs"), [(100, 2, 100), (400, 3, 40), (400, 20, 7), (3600, 3, 14)]
)
def test_steps_grow_with_the_root_of_the_areas_and_not_with_their_locations(
    n_areas: int, per_area: int, epochs: int
) -> None:
    """100, 200, 200 and 600 steps, of which an epoch has 1, 5, 32 and 43."""
    loaded = source(*made(10))
    assert epochs_to_train(loaded, n_areas * per_area, n_areas, RECOMMENDED) == epochs


def test_every_batch_carries_its_rows_own_classes_and_weights() -> None:
    codes, rows = made()
    label_of = {f.tobytes(): d - 1 for f, d in zip(codes, rows["decile"], strict=True)}
    chosen = np.arange(0, len(rows), 2)
    classes = rows["decile"].to_numpy(int)[chosen, None] - 1
    weight_of = dict(zip(classes[:, 0], class_weights(classes)[:, 0], strict=True))
    for share in (2.0, 0.3):
        for batch in batches_of(source(codes, rows, share), chosen, classes, RECOMMENDED):
            expected = [label_of[f.tobytes()] for f in batch.features]
            assert batch.classes[:, 0].tolist() == expected
            assert batch.weights[:, 0].tolist() == [weight_of[c] for c in expected]


def test_orders_come_from_seed_fold_and_epoch_alone() -> None:
    codes, rows = made()
    chosen = np.arange(len(rows))
    classes = rows["decile"].to_numpy(int)[:, None] - 1
    for share in (2.0, 0.3):
        first = batches_of(source(codes, rows, share), chosen, classes, RECOMMENDED)
        again = batches_of(source(codes, rows, share), chosen, classes, RECOMMENDED)
        later = batches_of(source(codes, rows, share), chosen, classes, RECOMMENDED, epoch=1)
        same = [np.array_equal(a.features, b.features) for a, b in zip(first, again, strict=True)]
        assert all(same)
        assert not np.array_equal(first[0].features, later[0].features)


def test_a_city_beyond_the_budget_is_read_in_windows_of_training_rows() -> None:
    codes, rows = made(100, 100)  # 10,000 rows, 40 shards
    loaded = source(codes, rows, share=1.5 / 4)
    assert not loaded.resident
    chosen = np.flatnonzero(np.arange(len(rows)) % 5 != 0)
    classes = rows["decile"].to_numpy(int)[chosen, None] - 1
    drawn = batches_of(loaded, chosen, classes, RECOMMENDED)
    seen = [f.tobytes() for b in drawn for f in b.features]
    windows = -(-len(chosen) // loaded.window_rows)
    assert len(set(seen)) == len(seen) > len(chosen) - 64 * windows
    assert set(seen) <= {f.tobytes() for f in codes[chosen]}
    held = 2 * loaded.window_rows * loaded.row_bytes
    assert held <= loaded.budget_bytes


def test_one_per_class_draws_ten_classes_floor_n_over_b_times() -> None:
    codes, rows = made(100, 4)
    chosen = np.arange(395)
    classes = rows["decile"].to_numpy(int)[chosen, None] - 1
    drawn = batches_of(source(codes, rows), chosen, classes, PROFILES["suel2019"])
    assert len(drawn) == 39
    assert all(sorted(b.classes[:, 0]) == list(range(10)) for b in drawn)
    several = PROFILES["suel2019"].model_copy(update={"batch_size": 30})
    for batch in batches_of(source(codes, rows), chosen, classes, several):
        assert np.bincount(batch.classes[:, 0]).tolist() == [3] * 10
        assert len({f.tobytes() for f in batch.features}) == 30


def test_a_budget_below_four_batches_is_refused_with_the_number_that_would_do() -> None:
    codes, rows = made()
    starved = source(codes, rows, share=0.3)
    with pytest.raises(TrainingError, match="memory_budget_mb"):
        require_window(starved, RECOMMENDED.model_copy(update={"batch_size": 512}))
    require_window(starved, RECOMMENDED.model_copy(update={"batch_size": 32}))
