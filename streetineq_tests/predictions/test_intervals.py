"""Conformal decile intervals: contiguous, and covering what they promise."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.predictions import intervals
from streetineq_assets.predictions.aggregation import lsoa_table
from streetineq_assets.predictions.calibration import calibrate
from streetineq_assets.predictions.intervals import (
    are_label_conditional,
    calibrated_intervals,
    coverage,
    decile_intervals,
    fewest,
)
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
            locations.groupby("area")[["actual_decile", "fold"]].first().reset_index(),
            locations.groupby("area")[columns].mean().to_numpy(),
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


def test_too_few_areas_for_the_level_give_no_interval():
    # Eight areas calibrate each: (8 + 1) 0.9 = 8.1, so the 9th smallest, which does not exist.
    actual = [1, 2, 3, 4, 5, 6, 7, 8] * 2
    found = ends(np.full((16, 10), 0.1), actual, [0, 1] * 8, [5] * 16)
    assert found.isna().all(axis=None)
    assert found.dtypes.tolist() == ["Int8", "Int8"]
    nine = ends(np.full((18, 10), 0.1), [*actual, 9, 10], [0, 1] * 9, [5] * 18)
    assert nine.notna().all(axis=None)


@pytest.mark.parametrize(("level", "n"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_the_fewest_areas_are_those_of_which_the_quantile_is_one(level, n):
    assert fewest(level) == n


def test_an_area_without_probabilities_gets_no_interval_and_calibrates_none():
    table = lsoa_table(simulated.locations(areas=60), rule="mean_score")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 60)
    probabilities[:4] = np.nan
    about = [table[name] for name in ("actual_decile", "fold", "decile")]
    found = ends(probabilities, *about)
    assert found["lower"].isna().tolist() == [True] * 4 + [False] * 56
    rest = ends(probabilities[4:], *(column[4:].reset_index(drop=True) for column in about))
    pd.testing.assert_frame_equal(found[4:].reset_index(drop=True), rest)


def test_label_conditional_limits_need_nine_areas_of_each_decile_in_the_other_folds():
    folds, actual = pd.Series(np.tile([0, 1], 90)), pd.Series(np.repeat(np.arange(1, 11), 18))
    assert are_label_conditional(actual, folds)
    assert not are_label_conditional(actual[1:], folds[1:])
    assert not are_label_conditional(actual, folds * 0)
    assert not are_label_conditional(actual[:0], folds[:0])
    # Five even folds of an even city: 112 areas have a decile of 11, of which 3 are in one fold.
    city = [pd.Series(np.sort(np.arange(n) % 10) + 1) for n in (112, 120)]
    dealt = [pd.Series(np.arange(len(each)) % 5) for each in city]
    pairs = zip(city, dealt, strict=True)
    assert [are_label_conditional(*pair) for pair in pairs] == [False, True]


def test_a_decile_whose_own_areas_are_hard_is_accepted_at_its_own_limit():
    # Twenty areas of each decile in two folds. All forecasts are flat, but those of four areas of
    # decile 1 in each fold, which are sure of decile 10.
    folds, actual = np.tile([0, 1], 100), np.repeat(np.arange(1, 11), 20)
    sure = np.arange(200) < 8
    probabilities = np.where(sure[:, None], np.eye(10)[9], 0.1)
    own = ends(probabilities, actual, folds, [5] * 200)
    # The limit of decile 1 is the greatest of ten scores: 9, of those that are sure.
    assert (own["lower"][sure] == 1).all()
    # Without four areas of decile 2 there is one limit, the 90th of 98 scores, of which 94 are flat
    # and at most 2.85: for who is sure, that accepts 8, 9 and 10. The ranked decile is held too.
    kept = ~np.isin(np.arange(200), [20, 21, 22, 23])
    one = ends(probabilities[kept], actual[kept], folds[kept], [5] * 196)
    assert (one["lower"][sure[kept]] == 5).all()


def gaussian_city(n: int, r: float, seed: int, k: int = 5):
    """Scores that correlate with latent values, whose deciles are the actual ones; and folds."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=n)
    score = 1.5 * (r * latent + np.sqrt(1 - r**2) * rng.normal(size=n))
    actual = np.empty(n, np.int64)
    actual[np.argsort(latent)] = np.arange(n) * 10 // n + 1
    order = np.lexsort((rng.random(n), actual))
    folds = np.empty(n, np.int64)
    folds[order] = np.arange(n) % k
    return pd.Series(score), pd.Series(actual), pd.Series(folds)


def covered(n: int, r: float, seed: int) -> pd.DataFrame:
    """Actual decile, whether its interval holds it, and its width, by calibrated probabilities."""
    score, actual, folds = gaussian_city(n, r, seed)
    probabilities, links = calibrate(score, actual, folds)
    median = pd.Series((np.cumsum(probabilities, axis=1) < 0.5).sum(axis=1) + 1)
    found = calibrated_intervals(score, links, actual=actual, folds=folds, predicted=median)
    holds = actual.between(found["lower"].astype(int), found["upper"].astype(int))
    width = (found["upper"] - found["lower"] + 1).astype(float)
    return pd.DataFrame({"actual": actual, "holds": holds, "width": width})


@pytest.mark.parametrize(
    "cities",
    [pytest.param(4, id="few"), pytest.param(30, id="many", marks=pytest.mark.slow)],
)
def test_every_decile_is_covered_where_areas_are_many(cities):
    """At r = .5, where one limit for all deciles covers .75 of deciles 1 and 10."""
    found = pd.concat([covered(1500, 0.5, seed) for seed in range(cities)])
    tolerance = 0.02 if cities > 10 else 0.04  # 3 standard errors of 600 areas
    shares = found.groupby("actual")["holds"].mean()
    assert (shares - 0.9).abs().max() < tolerance
    assert found["width"].mean() == pytest.approx(7.6, abs=0.15)


@pytest.mark.slow
def test_all_areas_together_are_covered_where_they_are_few():
    found = pd.concat([covered(50, 0.5, seed) for seed in range(200)])
    assert found["holds"].mean() == pytest.approx(0.9, abs=0.02)


def test_calibrated_intervals_are_those_of_the_folds_own_link():
    score, actual, folds = gaussian_city(60, 0.7, seed=3)
    folds[0] = pd.NA
    _, links = calibrate(score, actual, folds.astype("Int16"))
    del links[4]
    about = {"actual": actual, "folds": folds.astype("Int16"), "predicted": actual}
    found = calibrated_intervals(score, links, **about)
    without = [0, *np.flatnonzero(folds == 4)]
    assert np.flatnonzero(found["lower"].isna()).tolist() == sorted(without)
    by_one = decile_intervals(links[2].probabilities(score.to_numpy()), **about)
    pd.testing.assert_frame_equal(found[folds == 2], by_one[folds == 2])


@pytest.mark.slow
def test_pure_noise_is_covered_too_by_nearly_the_whole_scale():
    found = pd.concat([covered(1500, 0.0, seed) for seed in range(10)])
    assert found["holds"].mean() > 0.88  # the hull of nearly everything may hold more
    assert found["width"].mean() > 8.5


def test_an_area_without_a_label_gets_an_interval_and_calibrates_none():
    table = lsoa_table(simulated.locations(areas=200), rule="mean_score")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 200)
    actual = table["actual_decile"].copy()
    actual[:5] = pd.NA
    found = ends(probabilities, actual, table["fold"], table["decile"])
    assert found.notna().all(axis=None)


def test_no_area_gives_no_interval():
    assert ends(np.empty((0, 10)), [], [], []).empty


def test_coverage_is_counted_of_all_by_actual_decile_and_by_number_of_locations():
    areas = pd.DataFrame(
        {
            "actual_decile": [1, 1, 2, 3, None],
            "lower": [1, 2, 1, None, 1],
            "upper": [3, 4, 2, None, 10],
            "n_locations": [1, 10, 19, 1, 1],
        },
        dtype="Int8",
    )
    found = coverage(areas)
    by = [found[found["grouped_by"] == name] for name in ("all", "actual_decile", "n_locations")]
    assert [part["value"].tolist() for part in by] == [["all"], ["1", "2"], ["1", "10-19"]]
    assert [part["n_lsoas"].tolist() for part in by] == [[3], [2, 1], [1, 2]]
    assert [part["coverage"].tolist() for part in by] == [[2 / 3], [0.5, 1.0], [1.0, 0.5]]
    assert by[1]["mean_width"].tolist() == [3.0, 2.0]
    assert by[1]["actual"].tolist() == [1, 2]
    assert found.loc[found["grouped_by"] != "actual_decile", "actual"].isna().all()


def test_coverage_of_no_interval_has_no_row():
    areas = pd.DataFrame(
        {"actual_decile": [1], "lower": [None], "upper": [None], "n_locations": [1]}
    )
    assert coverage(areas.astype("Int8")).empty
