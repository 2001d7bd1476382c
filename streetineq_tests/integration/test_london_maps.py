"""What the map alone says of London's real deciles, and that a score of noise adds nothing to it.

An earlier, independent calculation found on the same labels Spearman of .869, .840, .694, .556 by
the nearest areas, .890, .853, .712, .560 by kriging and .911, .842, .680, .587 by the MSOA.
"""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.labels.deciles import deciles
from streetineq_assets.models.baseline_areas import Areas, FoldAreas
from streetineq_assets.models.baseline_guesses import GUESSES
from streetineq_assets.models.folds import area_folds
from streetineq_assets.models.map_baselines import MAPS
from streetineq_tests.integration.london import areas_on_the_map, write_labels

FOUND = {
    "mean_income": (0.869, 0.890, 0.911),
    "living_environment": (0.840, 0.853, 0.842),
    "crime": (0.694, 0.712, 0.680),
    "self_reported_health": (0.556, 0.560, 0.587),
}
N_SCORES, N_DRAWS = 100, 400


@pytest.fixture(scope="module")
def london(shared_data, tmp_path_factory) -> pd.DataFrame:
    areas = areas_on_the_map(write_labels(tmp_path_factory.mktemp("london"), shared_data))
    stratified = areas[["area"]].assign(decile=areas[list(FOUND)].mean(axis=1))
    return areas.assign(fold=area_folds(stratified, k=5, seed=1))


def folds_of(london: pd.DataFrame, outcome: str) -> list[FoldAreas]:
    tested = [(london["fold"] == fold).to_numpy() for fold in range(5)]
    nobody = np.zeros(len(london), bool)
    return [
        FoldAreas(*(_areas(london[mask], outcome) for mask in (~test, nobody, test)))
        for test in tested
    ]


def _areas(frame: pd.DataFrame, outcome: str) -> Areas:
    n = len(frame)
    return Areas(
        area=frame["area"].to_numpy(), decile=frame[outcome].to_numpy(), n_images=np.ones(n),
        centroids=frame[["easting_m", "northing_m"]].to_numpy(), msoa=frame["msoa"].to_numpy(),
        means=np.zeros((n, 1)), scores=np.full(n, np.nan),
    )  # fmt: skip


def out_of_fold(london: pd.DataFrame, folds: list[FoldAreas], name: str) -> np.ndarray:
    guess = np.empty(len(london))
    for number, fold in enumerate(folds):
        guess[london["fold"] == number] = GUESSES[name](fold)
    return guess


def test_london_has_an_msoa_and_an_authority_for_every_area(london) -> None:
    assert len(london) == 4835
    assert london["msoa"].nunique() == 983
    assert london["authority"].nunique() == 33
    assert london.groupby("msoa")["authority"].nunique().max() == 1


@pytest.mark.parametrize("outcome", FOUND)
@pytest.mark.parametrize(("at", "near"), [(0, 0.025), (2, 0.05)])
def test_the_map_says_of_london_what_it_was_found_to(
    london, outcome: str, at: int, near: float
) -> None:
    guess = pd.Series(out_of_fold(london, folds_of(london, outcome), MAPS[at]))
    found = guess.corr(london[outcome], method="spearman")
    assert found == pytest.approx(FOUND[outcome][at], abs=near)


@pytest.mark.slow  # 40 s a process of London's size, five folds
@pytest.mark.parametrize("outcome", ["mean_income", "crime"])
def test_a_score_of_noise_adds_nothing_to_londons_map(london, outcome: str) -> None:
    """Its gain over the best map in each draw of MSOAs lies above 0 in at most 5 % of runs."""
    folds = folds_of(london, outcome)
    actual, draws = london[outcome].to_numpy(), _draws(london["msoa"])
    alone = [_decile(out_of_fold(london, folds, name)) for name in MAPS]
    process = pd.Series(out_of_fold(london, folds, MAPS[1]))
    assert process.corr(london[outcome], method="spearman") > FOUND[outcome][1] - 0.015
    best = np.max([_kappas(draws, actual, each) for each in alone], axis=0)
    ahead = 0
    for seed in range(N_SCORES):
        noise = np.random.default_rng(seed).normal(size=len(london))
        for number, fold in enumerate(folds):
            test = (london["fold"] == number).to_numpy()
            fold.known.scores[:], fold.test.scores[:] = noise[~test], noise[test]
        both = _decile(out_of_fold(london, folds, "map_and_score"))
        ahead += np.quantile(_kappas(draws, actual, both) - best, 0.025) > 0
    assert ahead <= 0.05 * N_SCORES


def _decile(score: np.ndarray) -> np.ndarray:
    return deciles(score, worst="low").to_numpy(float)


def _draws(groups: pd.Series) -> np.ndarray:
    """(draws, areas) how often each area occurs when groups are resampled."""
    code, names = pd.factorize(groups)
    n = len(names)
    times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), N_DRAWS)
    return times[:, code].astype(float)


def _kappas(weight: np.ndarray, actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Quadratic kappa in every draw, in closed form."""
    total = weight.sum(axis=1)

    def mean(values: np.ndarray) -> np.ndarray:
        return weight @ values / total

    apart = mean(actual**2) + mean(predicted**2) - 2 * mean(actual) * mean(predicted)
    return 1 - mean((actual - predicted) ** 2) / apart
