"""What a network that knows nothing reaches, and that networks are compared with it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import binom

from streetineq_assets.devices import Device
from streetineq_assets.models.checks import training_checks
from streetineq_assets.models.folds import make_folds, split_rows
from streetineq_assets.models.learning import best_constant, losses_of_areas
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.profiles import PROFILES
from streetineq_assets.settings import Folds
from streetineq_tests.models.synthetic import areas, city, examples, train

UNIFORM = np.arange(10)


def loss_of_constant(classes: np.ndarray, head: str) -> float:
    return float(-best_constant(classes, head)[classes].mean())


def test_on_ten_equal_classes_the_heads_differ_by_what_a_binomial_cannot_say() -> None:
    assert loss_of_constant(UNIFORM, "corn") == pytest.approx(np.log(10))
    assert loss_of_constant(UNIFORM, "cumulative_link") == pytest.approx(np.log(10))
    expected = -binom.logpmf(UNIFORM, 9, 0.5).mean()
    assert expected == pytest.approx(3.229, abs=5e-4)
    assert loss_of_constant(UNIFORM, "binomial") == pytest.approx(expected)


def test_no_constant_of_the_binomial_is_better() -> None:
    classes = np.random.default_rng(3).integers(2, 10, 40)

    def lost(h: np.ndarray) -> float:
        return float(-binom.logpmf(classes, 9, 1 / (1 + np.exp(-h[0]))).mean())

    found = loss_of_constant(classes, "binomial")
    assert found == pytest.approx(minimize(lost, [0.0]).fun, abs=1e-6)


@pytest.mark.parametrize("head", ["binomial", "corn", "cumulative_link"])
@pytest.mark.parametrize("only", [0, 9])
def test_where_all_are_worst_off_or_all_best_off_a_constant_is_certain(
    head: str, only: int
) -> None:
    assert loss_of_constant(np.full(5, only), head) == pytest.approx(0, abs=1e-12)


def test_losses_are_means_over_an_areas_locations_and_areas_count_alike() -> None:
    rows = pd.DataFrame({"location_id": list("abcde"), "area": list("XXXYZ")})
    rows["decile"] = [1, 1, 1, 10, 10]
    p = np.full((5, 10), 0.1)
    p[:, 0], p[:, 9] = [0.5, 0.25, 0.125, 0.3, 0.0], [0.1, 0.1, 0.1, 0.5, 0.2]
    scores = pd.DataFrame(p, columns=list(PROBABILITIES))
    scores = scores.assign(location_id=list("abcde"), fold=[0, 0, 0, 0, 1])
    found = losses_of_areas(scores, rows, "corn").set_index("area")
    assert found["fold"].to_dict() == {"X": 0, "Y": 0, "Z": 1}
    # log 2, log 4 and log 8 make 2 log 2 on the mean.
    expected = {"X": 2 * np.log(2), "Y": np.log(2), "Z": np.log(5)}
    assert found["loss"].to_dict() == pytest.approx(expected)
    expected = {"X": np.log(3), "Y": np.log(1.5), "Z": np.log(1.5)}
    assert found["constant_loss"].to_dict() == pytest.approx(expected)


def test_a_probability_of_nothing_is_a_large_loss_and_not_an_infinite_one() -> None:
    rows = pd.DataFrame({"location_id": ["a"], "area": ["X"], "decile": [3]})
    scores = pd.DataFrame({"location_id": ["a"], "fold": [0]} | dict.fromkeys(PROBABILITIES, 0.0))
    found = losses_of_areas(scores, rows, "binomial")
    assert 50 < found["loss"].item() < 100


def trained_checks(head: str, seed: int, workspace: Path, *, shuffled: bool) -> dict[str, str]:
    """The results of a training's checks, on codes that carry the labels or on shuffled labels."""
    codes, rows = city(100, 3, 48, signal=1.0, seed=seed)
    if shuffled:
        of_area = areas(rows).set_index("area")["decile"]
        of_area[:] = np.random.default_rng(seed).permutation(of_area.to_numpy())
        rows["decile"] = of_area[rows["area"]].to_numpy()
    table = make_folds(areas(rows), Folds(k=3), seed=seed)
    enough = {"epochs": 20, "learning_rate": 1e-3, "dropout": 0.0}
    profile = PROFILES["recommended"].model_copy(update={"head": head, **enough})
    trained = train(
        examples(codes, rows), table, profile, Device(kind="cpu"), seed=seed, workspace=workspace
    )
    share = profile.validation_share
    scores = trained.scores("crime")
    checks = training_checks(
        scores,
        rows,
        {f: split_rows(table, f, rows, validation_share=share, seed=seed) for f in table.folds},
        losses=losses_of_areas(scores, rows, head),
        scheme="area",
        counts={"n_locations_used": len(rows), "n_locations_without_label": 0},
    )
    return {check.name: check.result for check in checks}


@pytest.mark.slow
@pytest.mark.parametrize("head", ["binomial", "corn", "cumulative_link"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_networks_that_learned_pass_and_those_of_shuffled_labels_do_not(
    head: str, shuffled: bool, tmp_path: Path
) -> None:
    found = [
        trained_checks(head, seed, tmp_path / str(seed), shuffled=shuffled)["learned"]
        for seed in range(4)
    ]
    assert set(found) == {"does not hold" if shuffled else "holds"}
