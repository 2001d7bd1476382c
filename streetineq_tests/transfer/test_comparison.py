"""Claims about tuned networks, where it is known whether they are true."""

import numpy as np
import pandas as pd
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import spearmanr

from streetineq_assets.predictions.blocks import Blocks
from streetineq_assets.transfer import comparison
from streetineq_assets.transfer.comparison import (
    ComparedAreas,
    Difference,
    compare,
    mean_difference,
    paired_draws,
    result,
)

MARGIN = 0.05
NAN = float("nan")


def spearman_of_noise(noise: NDArray) -> NDArray:
    """Spearman of a standard normal's deciles with it plus normal noise, in very many areas."""
    rng = np.random.default_rng(0)
    truth, own = rng.normal(size=(2, 200_000))
    decile = np.searchsorted(np.quantile(truth, np.arange(0.1, 1, 0.1)), truth) + 1
    return np.array([spearmanr(decile, truth + sd * own).statistic for sd in noise])


@pytest.fixture(scope="module")
def noise_for():
    """From a rank correlation to the standard deviation of the noise that leaves it."""
    sds = np.linspace(0.2, 3, 12)
    found = spearman_of_noise(sds)
    return lambda rho: float(np.interp(-rho, -found, sds))


def alone(n: int) -> Blocks:
    """Every area a block of its own."""
    return Blocks.of("lsoa", np.arange(n))


def a_city(n: int, sds: list[float], rng: Generator) -> tuple[NDArray, NDArray]:
    """Deciles of n areas, and a score of each for every network."""
    truth = rng.normal(size=n)
    decile = (np.argsort(np.argsort(truth)) * 10) // n + 1
    return decile, truth + np.array(sds)[:, None] * rng.normal(size=(len(sds), n))


def claim(decile: NDArray, own: NDArray, tuned: NDArray, seed: int, margin: float = MARGIN) -> str:
    """The result of tuned (r, n) against the city's own (n,) networks, areas being the blocks."""
    scores = np.vstack([own, tuned])
    drawn = paired_draws(decile, scores, blocks=alone(len(decile)), draws=200, seed=seed)
    repeated = np.repeat(drawn[:1], len(tuned), axis=0)
    return result(mean_difference(drawn[1:], repeated, n_blocks=len(decile), seed=seed), margin)


def claims(n: int, own: float, tuned: float, noise_for, times: int) -> pd.Series:
    """How often each result came of cities of n areas with these correlations; two repeats."""
    rng = np.random.default_rng(n)
    sds = [noise_for(own), noise_for(tuned), noise_for(tuned)]
    found = []
    for seed in range(times):
        decile, scores = a_city(n, sds, rng)
        found.append(claim(decile, scores[0], scores[1:], seed))
    return pd.Series(found).value_counts(normalize=True)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        ((0.0, -0.04, 0.04), "holds"),
        ((0.0, -0.06, 0.06), "undecided"),
        ((-0.2, -0.3, -0.1), "does not hold"),
        ((-0.03, -0.04, -0.02), "holds"),  # worse, but by less than the margin
        ((0.3, 0.2, 0.4), "holds"),
        ((0.0, NAN, NAN), "not tested"),
    ],
)
def test_a_claim_holds_where_the_whole_interval_lies_above_the_margin(difference, expected):
    assert result(Difference(*difference), MARGIN) == expected


def test_better_means_that_the_interval_lies_above_zero():
    assert result(Difference(0.1, 0.01, 0.2), 0) == "holds"
    assert result(Difference(0.1, -0.01, 0.2), 0) == "undecided"
    assert result(Difference(-0.1, -0.2, -0.01), 0) == "does not hold"


def test_the_correlation_and_those_of_draws_are_scipys():
    rng = np.random.default_rng(1)
    decile, scores = a_city(60, [1.0], rng)
    blocks = np.arange(60) // 3
    drawn = paired_draws(decile, scores, blocks=Blocks.of("three", blocks), draws=2, seed=5)
    assert drawn[0, 0] == pytest.approx(spearmanr(decile, scores[0]).statistic)
    picked = np.random.default_rng(5).integers(0, 20, size=(2, 20))
    areas = np.concatenate([np.flatnonzero(blocks == block) for block in picked[1]])
    assert drawn[0, 2] == pytest.approx(spearmanr(decile[areas], scores[0, areas]).statistic)


def test_equal_networks_of_few_areas_are_not_called_equivalent(noise_for):
    """That no difference was found is no proof that there is none."""
    found = claims(40, 0.6, 0.6, noise_for, 20)
    assert found.get("holds", 0) <= 0.05
    assert found.get("undecided", 0) >= 0.9


def test_equal_networks_of_many_areas_are_equivalent(noise_for):
    assert claims(1500, 0.85, 0.85, noise_for, 5)["holds"] == 1


def test_worse_networks_of_many_areas_are_not(noise_for):
    assert claims(1500, 0.85, 0.7, noise_for, 5)["does not hold"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 400])
def test_at_the_margin_at_most_one_claim_in_twenty_is_false(noise_for, n):
    """Worse by exactly the margin: nominally 2.5 % hold; the limit allows for chance in 600."""
    found = claims(n, 0.8, 0.8 - MARGIN, noise_for, 600)
    assert found.get("holds", 0) <= 0.05
    assert found.get("does not hold", 0) <= 0.05


@pytest.mark.slow
def test_where_neighbours_err_alike_blocks_keep_false_claims_rare():
    """Both networks' errors are one value per square: areas on their own call chance a proof."""
    rng = np.random.default_rng(3)
    squares = np.repeat(np.arange(40), 25)
    holds = {"blocks": 0, "areas": 0}
    for seed in range(200):
        truth = rng.normal(size=1000)
        decile = (np.argsort(np.argsort(truth)) * 10) // 1000 + 1
        errors = rng.normal(size=(2, 40))[:, squares] + 0.3 * rng.normal(size=(2, 1000))
        for name, blocks in (("blocks", Blocks.of("square", squares)), ("areas", alone(1000))):
            drawn = paired_draws(decile, truth + errors, blocks=blocks, draws=200, seed=seed)
            lead = mean_difference(drawn[:1], drawn[1:], n_blocks=blocks.n_blocks, seed=seed)
            holds[name] += result(lead, 0.0) == "holds"
    assert holds["areas"] > 20, "one in forty is nominal"
    assert holds["blocks"] <= 12


def test_repeats_that_differ_widen_the_interval():
    rng = np.random.default_rng(2)
    decile, scores = a_city(500, [0.7, 0.7, 0.7, 2.0], rng)
    drawn = paired_draws(decile, scores, blocks=alone(500), draws=300, seed=1)
    like, unlike = drawn[[1, 2]], drawn[[1, 3]]
    own = np.repeat(drawn[:1], 2, axis=0)
    widths = [
        (found := mean_difference(each, own, n_blocks=500, seed=1)).upper - found.lower
        for each in (like, unlike)
    ]
    assert widths[1] > 2 * widths[0]


def areas_of(
    scores: dict[tuple[str, str, float, int], NDArray], decile: NDArray, own: NDArray | None
) -> ComparedAreas:
    """A target whose networks scored the same areas, two kilometres apart on a line."""
    n = len(decile)
    area = [f"E{number:04d}" for number in range(n)]
    names = ["network", "share_of", "share", "repeat"]
    tuned = pd.concat(
        [
            pd.DataFrame({"area": area, "actual_decile": decile, "score": score}).assign(
                **dict(zip(names, key, strict=True))
            )
            for key, score in scores.items()
        ],
        ignore_index=True,
    )
    return ComparedAreas(
        tuned=tuned.astype({"actual_decile": "Int8"}),
        own=None if own is None else pd.DataFrame({"area": area, "score": own}),
        centroids=pd.DataFrame(
            {"area": area, "easting_m": np.arange(n) * 2000.0, "northing_m": 0.0}
        ),
        margin=MARGIN,
        seed=1,
    )


@pytest.fixture(scope="module")
def target() -> ComparedAreas:
    """Tuned networks as good as the city's own; untuned and from scratch without information."""
    rng = np.random.default_rng(7)
    decile, (own, *tuned) = a_city(600, [0.1, 0.1, 0.1, 50.0, 50.0, 50.0], rng)
    keys = [
        ("fine_tuned", "areas", 0.01, 0),
        ("fine_tuned", "areas", 0.01, 1),
        ("fine_tuned", "either", 0.0, 0),
        ("from_scratch", "areas", 0.01, 0),
        ("from_scratch", "areas", 0.01, 1),
    ]
    return areas_of(dict(zip(keys, tuned, strict=True)), decile, own)


def test_every_share_is_held_against_all_that_is_there(target):
    rows = compare(target, draws=200)
    assert [(row["share_of"], row["share"], row["against"]) for row in rows] == [
        ("areas", 0.01, "trained_here"),
        ("areas", 0.01, "untuned"),
        ("areas", 0.01, "from_scratch"),
    ]
    assert [row["margin"] for row in rows] == [MARGIN, 0, 0]
    assert {row["result"] for row in rows} == {"holds"}
    assert {(row["n_lsoas"], row["n_repeats"]) for row in rows} == {(600, 2)}
    assert {row["n_blocks"] for row in rows} == {120}  # of five areas


def test_without_networks_of_its_own_nothing_is_said_of_them(target):
    rows = compare(target._replace(own=None), draws=50)
    assert [row["against"] for row in rows] == ["untuned", "from_scratch"]


def test_areas_that_one_of_the_networks_did_not_score_are_left_out(target):
    some = target._replace(own=target.own.head(200))
    assert {row["n_lsoas"] for row in compare(some, draws=50)} == {200}


def test_too_few_areas_are_not_tested(target):
    few = target._replace(own=target.own.head(comparison.MIN_AREAS - 1))
    assert {row["result"] for row in compare(few, draws=50)} == {"not tested"}


def test_a_network_that_scores_all_areas_alike_is_not_tested(target):
    flat = target.own.assign(score=1.0)
    rows = {row["against"]: row["result"] for row in compare(target._replace(own=flat), draws=50)}
    assert rows == {"trained_here": "not tested", "untuned": "holds", "from_scratch": "holds"}


def test_no_area_in_common_gives_no_row(target):
    other = target.own.assign(area=target.own["area"] + "x")
    assert compare(target._replace(own=other), draws=50) == []
