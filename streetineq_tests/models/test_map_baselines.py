"""Guesses from the map against calculations by hand, and where there is little to go by."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from streetineq_assets.models import map_baselines
from streetineq_assets.models.map_baselines import (
    MAP_MODELS,
    MAPS,
    guess_from_map,
)


def city(n: int, seed: int = 0, *, msoas: int = 4) -> pd.DataFrame:
    """Areas within 10 km; the decile rises to the east, with noise."""
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(0, 10_000, (2, n))
    decile = np.clip(np.rint(1 + east / 1100 + rng.normal(0, 1.5, n)), 1, 10)
    msoa = [f"E02{number:06d}" for number in rng.integers(0, msoas, n)]
    return pd.DataFrame({"easting_m": east, "northing_m": north, "msoa": msoa, "decile": decile})


def apart(areas: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """(n, m) km."""
    columns = ["easting_m", "northing_m"]
    return cdist(areas[columns], others[columns]) / 1000


def guessed(train: pd.DataFrame, test: pd.DataFrame, *, model: str) -> np.ndarray:
    """Of the test areas alone."""
    return guess_from_map(train, test, model=model)[1]


def without_decile(areas: pd.DataFrame) -> pd.DataFrame:
    return areas.drop(columns="decile")


TRAIN, TEST = city(60), without_decile(city(20, seed=1))


def test_a_baseline_is_named_for_each_model() -> None:
    assert MAPS == ("map_knn", "map_gaussian_process", "map_msoa_mean")
    with pytest.raises(ValueError, match="no map model 'kriging': choose one of knn, gaussian"):
        guessed(TRAIN, TEST, model="kriging")


def test_knn_is_the_mean_of_the_eight_nearest() -> None:
    nearest = np.argsort(apart(TEST, TRAIN), axis=1)[:, :8]
    expected = TRAIN["decile"].to_numpy()[nearest].mean(axis=1)
    np.testing.assert_allclose(guessed(TRAIN, TEST, model="knn"), expected)


def test_msoa_mean_is_that_of_the_msoas_areas_or_else_of_the_nearest() -> None:
    test = TEST.assign(msoa=["E02000001", None, "E02999999", np.nan] * 5)
    got = guessed(TRAIN, test, model="msoa_mean")
    of_one = TRAIN.loc[TRAIN["msoa"] == "E02000001", "decile"].mean()
    np.testing.assert_allclose(got[::4], of_one)
    elsewhere = np.arange(20) % 4 > 0
    nearest = guessed(TRAIN, TEST, model="knn")
    np.testing.assert_allclose(got[elsewhere], nearest[elsewhere])


@pytest.mark.parametrize(
    "change", [lambda f: f.drop(columns="msoa"), lambda f: f.assign(msoa=None)]
)
def test_without_msoas_the_nearest_areas_stand_in(change) -> None:
    got = guess_from_map(change(TRAIN), change(TEST), model="msoa_mean")
    expected = guess_from_map(TRAIN, TEST, model="knn")
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], expected[1])


def test_the_process_is_kriging_with_an_exponential_covariance() -> None:
    """By the formulas of simple kriging, the covariance's numbers by a search over a grid."""
    rng = np.random.default_rng(3)
    frame = city(80, seed=3)
    covariance = np.exp(-apart(frame, frame) / 3) + 0.3 * np.eye(80)
    frame["decile"] = 5.5 + 2 * np.linalg.cholesky(covariance) @ rng.normal(size=80)
    train, test = frame[:60], frame[60:]
    y = train["decile"].to_numpy()
    mean, sd = y.mean(), y.std()
    y = (y - mean) / sd

    def parts(numbers: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
        sill, length, noise = numbers
        inverse = np.linalg.inv(
            sill * np.exp(-apart(train, train) / length) + noise * np.eye(len(y))
        )
        return inverse, sill * np.exp(-apart(test, train) / length)

    def likelihood(numbers: tuple[float, float, float]) -> float:
        inverse, _ = parts(numbers)
        return np.linalg.slogdet(inverse)[1] - y @ inverse @ y

    grid = np.geomspace(0.1, 10, 11)
    numbers = [(s, length, n) for s in grid for length in 3 * grid for n in grid]
    inverse, across = parts(max(numbers, key=likelihood))
    expected = mean + sd * across @ inverse @ y
    got = guessed(train, without_decile(test), model="gaussian_process")
    assert np.corrcoef(got, expected)[0, 1] > 0.995
    assert np.abs(got - expected).max() < 0.3


@pytest.mark.parametrize("model", ["knn", "msoa_mean"])
def test_a_known_area_is_guessed_from_the_others_alone(model: str) -> None:
    own, _ = guess_from_map(TRAIN, TEST, model=model)
    for at in range(len(TRAIN)):
        alone = without_decile(TRAIN.iloc[[at]])
        expected = guessed(TRAIN.drop(index=at), alone, model=model)
        assert own[at] == pytest.approx(expected[0])


def test_the_process_guesses_a_known_area_as_if_it_had_been_left_out() -> None:
    """Its covariance is of all areas: with that held, the closed form is leaving out."""
    from sklearn.gaussian_process import GaussianProcessRegressor

    from streetineq_assets.models.map_baselines import _kriging

    points = TRAIN[["easting_m", "northing_m"]].to_numpy() / 1000
    decile = TRAIN["decile"].to_numpy()
    mean, sd = decile.mean(), decile.std()
    y = (decile - mean) / sd
    kernel = _kriging(points, y).kernel_
    own, _ = guess_from_map(TRAIN, TEST, model="gaussian_process")
    for at in range(0, 60, 6):
        others = np.arange(60) != at
        left = GaussianProcessRegressor(kernel, optimizer=None).fit(points[others], y[others])
        assert own[at] == pytest.approx(mean + sd * left.predict(points[[at]])[0], abs=1e-6)


@pytest.mark.parametrize("model", MAP_MODELS)
def test_no_known_area_hears_its_own_decile(model: str) -> None:
    """Of deciles without a pattern the others say nothing; an area's own would."""
    told = []
    for seed in range(8):
        decile = np.random.default_rng(seed).permutation(np.repeat(np.arange(1.0, 11.0), 6))
        own, _ = guess_from_map(TRAIN.assign(decile=decile), TEST, model=model)
        told.append(np.mean(own * (decile - 5.5)) / decile.var())
    assert np.mean(told) < 0.05


@pytest.mark.parametrize("model", MAP_MODELS)
def test_areas_without_coordinates_teach_nothing_and_are_not_guessed(model: str) -> None:
    lost = pd.DataFrame({"easting_m": np.nan, "northing_m": np.nan, "msoa": "E02000001"}, index=[0])
    train = pd.concat([lost.assign(decile=1.0), TRAIN], ignore_index=True)
    test = pd.concat([TEST, lost], ignore_index=True)
    own, others = guess_from_map(train, test, model=model)
    assert np.isnan(own[0]) and np.isnan(others[-1])  # noqa: PT018
    np.testing.assert_allclose(others[:-1], guessed(TRAIN, TEST, model=model))
    nobody = guessed(train.iloc[[0]], test, model=model)
    assert np.isnan(nobody).all()


@pytest.mark.parametrize("model", MAP_MODELS)
def test_one_known_area_is_what_all_are_guessed_to_be(model: str) -> None:
    own, others = guess_from_map(TRAIN.iloc[[5]], TEST, model=model)
    assert np.isnan(own).all(), "there are no others"
    assert (others == TRAIN["decile"].iloc[5]).all()


@pytest.mark.parametrize("model", MAP_MODELS)
def test_equal_deciles_are_guessed_to_go_on(model: str) -> None:
    own, others = guess_from_map(TRAIN.assign(decile=7.0), TEST, model=model)
    np.testing.assert_allclose([*own, *others], 7.0)


@pytest.mark.parametrize("model", MAP_MODELS)
@pytest.mark.parametrize("places", [1, 3])
def test_areas_at_one_point_are_guessed_from_each_other(model: str, places: int) -> None:
    at = np.arange(60) % places
    train = TRAIN.assign(easting_m=1000.0 * at, northing_m=0.0, decile=4.0 + at)
    train.loc[0, "decile"] = 10.0
    own, others = guess_from_map(train, TEST, model=model)
    assert np.isfinite([*own, *others]).all()
    assert own[0] < 7, "its own decile is no part of what the others say"


@pytest.mark.parametrize("model", MAP_MODELS)
def test_nobody_to_guess_is_no_guess(model: str) -> None:
    assert guessed(TRAIN, TEST.head(0), model=model).shape == (0,)
    assert np.isnan(guessed(TRAIN.head(0), TEST, model=model)).all()


def test_the_likelihood_takes_some_of_many_areas_and_all_are_known_then(monkeypatch) -> None:
    """Which some is always the same, so that a second run is too."""
    train = city(300, seed=4)
    of_all = guessed(train, TEST, model="gaussian_process")
    monkeypatch.setattr(map_baselines, "_LIKELIHOOD_AREAS", 100)
    first, second = (guessed(train, TEST, model="gaussian_process") for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert 0.99 < np.corrcoef(first, of_all)[0, 1] < 1
    one_less = guessed(train.iloc[:-1], TEST, model="gaussian_process")
    assert (one_less != first).all()
