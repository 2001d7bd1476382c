"""Conformal decile intervals: contiguous, honest about coverage, blind to their own fold."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.predictions import intervals
from streetineq_assets.predictions.aggregation import lsoa_table
from streetineq_assets.predictions.intervals import coverage, decile_intervals
from streetineq_tests.predictions import simulated


def ends(probabilities, actual, folds, predicted, **settings) -> pd.DataFrame:
    return decile_intervals(
        np.asarray(probabilities, dtype=float),
        actual=pd.Series(actual, dtype="Int8"),
        folds=pd.Series(folds, dtype="Int16"),
        predicted=pd.Series(predicted, dtype="Int8"),
        **settings,
    )


def test_the_nonconformity_score_is_the_unnormalised_ranked_probability_score():
    probabilities = np.array([[0.5, 0.3, 0.2, 0, 0, 0, 0, 0, 0, 0]])
    # F = .5 .8 1 ...; decile 2: border 1 not reached, the others are: .5^2 + .2^2 + 0
    assert intervals.nonconformity_scores(probabilities)[0, 1] == pytest.approx(0.25 + 0.04)


def test_nonconformity_is_least_at_the_median_and_rises_on_both_sides():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(10, 0.4), 200)
    scores = intervals.nonconformity_scores(probabilities)
    median = (np.cumsum(probabilities, axis=1) < 0.5).sum(axis=1)
    assert (scores.argmin(axis=1) == median).all()
    steps = np.diff(scores, axis=1)
    assert (np.diff(steps > 0, axis=1).sum(axis=1) <= 1).all()  # down, then up: one turn


@pytest.fixture(scope="module")
def cities() -> list[tuple[pd.DataFrame, np.ndarray]]:
    """Areas of twenty simulated cities, and the mean probabilities of their locations."""
    simulations = [simulated.locations(areas=300, seed=seed) for seed in range(20)]
    columns = [f"p_{i}" for i in range(1, 11)]
    return [
        (
            lsoa_table(locations, rule="mean_score"),
            locations.groupby("lsoa11")[columns].mean().to_numpy(),
        )
        for locations in simulations
    ]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_coverage_on_simulated_cities(cities, level):
    """Over many cities, the share of held areas is at least the level, and not far above it."""
    shares = []
    for table, mean in cities:
        median = (np.cumsum(mean, axis=1) < 0.5).sum(axis=1) + 1
        found = ends(mean, table["actual_decile"], table["fold"], median, level=level)
        shares.append(table["actual_decile"].between(found["lower"], found["upper"]).mean())
    assert np.mean(shares) >= level - 0.01
    assert np.mean(shares) <= level + 0.12  # deciles are whole: an interval holds a bit too much


def test_an_areas_own_fold_does_not_shape_its_interval():
    table = lsoa_table(simulated.locations(areas=200), rule="mean_score")
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), 200)
    before = ends(probabilities, table["actual_decile"], table["fold"], table["decile"])
    inside = (table["fold"] == 2).to_numpy()
    shuffled = table["actual_decile"].to_numpy(int)
    shuffled[inside] = rng.permutation(shuffled[inside])
    shuffled[inside] = 11 - shuffled[inside]
    after = ends(probabilities, shuffled, table["fold"], table["decile"])
    pd.testing.assert_frame_equal(before[inside], after[inside])
    assert not before[~inside].equals(after[~inside])


def test_too_few_areas_for_the_level_give_the_whole_scale():
    # Four areas calibrate each: the (4 + 1) * 0.9 = 4.5, so 5th smallest of four does not exist.
    found = ends(np.full((8, 10), 0.1), [1, 2, 3, 4, 5, 6, 7, 8], [0, 1] * 4, [5] * 8)
    assert found["lower"].tolist() == [1] * 8
    assert found["upper"].tolist() == [10] * 8


def test_an_area_without_a_label_gets_an_interval_and_calibrates_none():
    table = lsoa_table(simulated.locations(areas=200), rule="mean_score")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 200)
    actual = table["actual_decile"].copy()
    actual[:5] = pd.NA
    found = ends(probabilities, actual, table["fold"], table["decile"])
    assert found.notna().all(axis=None)


def test_no_area_gives_no_interval():
    assert ends(np.empty((0, 10)), [], [], []).empty


def test_coverage_is_counted_by_actual_decile():
    areas = pd.DataFrame(
        {
            "actual_decile": [1, 1, 2, 3, None],
            "lower": [1, 2, 1, None, 1],
            "upper": [3, 4, 2, None, 10],
        },
        dtype="Int8",
    )
    found = coverage(areas)
    assert found["actual"].tolist() == [1, 2]
    assert found["n_lsoas"].tolist() == [2, 1]
    assert found["coverage"].tolist() == [0.5, 1.0]
    assert found["mean_width"].tolist() == [3.0, 2.0]
