"""Training and baselines where views are absent: what stands in their place teaches nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.devices import Device
from streetineq_assets.errors import TrainingError
from streetineq_assets.models.baseline_areas import fold_areas, sum_codes
from streetineq_assets.models.batches import mean_and_sd
from streetineq_assets.models.folds import Split, make_folds
from streetineq_assets.models.network import build_network
from streetineq_assets.models.training import Trained
from streetineq_assets.profiles import PROFILES
from streetineq_assets.settings import Folds
from streetineq_tests.models.synthetic import areas, city, examples, train

CPU, WIDTH = Device(kind="cpu"), 16
CODES, ROWS = city(30, 3, WIDTH)
TABLE = make_folds(areas(ROWS), Folds(k=3), seed=1)
PROFILE = PROFILES["recommended"].model_copy(
    update={"epochs": 2, "batch_size": 32, "fewest_validation_areas": 0}
)


def some_absent() -> np.ndarray:
    present = np.random.default_rng(3).random((len(CODES), 4)) < 0.6
    present[np.arange(len(CODES)), np.arange(len(CODES)) % 4] = True
    return present


PRESENT = some_absent()


def trained(workspace: Path, number: float, *, pooling: str, budget_bytes: int = 2**30) -> Trained:
    codes = np.where(PRESENT[..., None], CODES, np.float32(number))
    given = examples(codes, ROWS, present=PRESENT, budget_bytes=budget_bytes)
    profile = PROFILE.model_copy(update={"pooling": pooling})
    return train(given, TABLE, profile, CPU, seed=4, workspace=workspace, folds=[0])


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_training_learns_the_same_whatever_stands_there(tmp_path: Path, pooling: str) -> None:
    """To the last bit: weights, statistics, scores."""
    one, other = (trained(tmp_path / str(n), n, pooling=pooling) for n in (0.0, 1e4))
    assert one.digest() == other.digest()


def test_scores_are_those_of_the_network_with_its_mask(tmp_path: Path) -> None:
    state = trained(tmp_path, 0.0, pooling="attention").states[0]
    profile = PROFILE.model_copy(update={"pooling": "attention"})
    network = build_network(profile, WIDTH, masked=True)
    network.set_weights(state.best)
    rows = state.test_rows
    expected = np.asarray(network([CODES[rows], PRESENT[rows]]))
    np.testing.assert_allclose(state.test_scores, expected, rtol=1e-4, atol=1e-5)


def test_features_are_standardised_by_the_views_that_are_there() -> None:
    codes = examples(np.where(PRESENT[..., None], CODES, 1e4), ROWS, present=PRESENT).codes
    rows = np.arange(0, len(CODES), 2)
    mean, sd = mean_and_sd(codes, rows)
    there = CODES[rows][PRESENT[rows]]
    np.testing.assert_allclose(mean, there.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(sd, there.std(axis=0), rtol=1e-4)


def test_baselines_take_the_mean_of_the_views_that_are_there_and_count_them() -> None:
    codes = examples(np.where(PRESENT[..., None], CODES, 0), ROWS, present=PRESENT).codes
    everything = np.ones(len(ROWS), bool)
    split = Split(everything, ~everything, ~everything, {})
    centroids = pd.DataFrame(columns=["area", "easting_m", "northing_m"])
    found = fold_areas(ROWS, split, sum_codes(codes, ROWS, TABLE), centroids).train
    means = np.stack(
        [views[there].mean(axis=0) for views, there in zip(CODES, PRESENT, strict=True)]
    )
    for number, area in enumerate(found.area):
        mine = (ROWS["area"] == area).to_numpy()
        np.testing.assert_allclose(found.means[number], means[mine].mean(axis=0), rtol=1e-4)
        assert found.n_images[number] == PRESENT[mine].sum()


def test_statistics_of_each_view_alone_need_them_all(tmp_path: Path) -> None:
    given = examples(CODES, ROWS, present=PRESENT)
    profile = PROFILE.model_copy(update={"batch_norm": "per_view"})
    with pytest.raises(TrainingError, match=r'set batch_norm = "pooled"'):
        train(given, TABLE, profile, CPU, seed=4, workspace=tmp_path, folds=[0])
