"""How much metrics differ between networks of the same pair that another seed trained."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from streetineq_assets.models import binomial
from streetineq_assets.models.tables import BASELINES, PROBABILITIES, SCORES
from streetineq_assets.predictions.aggregation import lsoa_table, mean_probabilities
from streetineq_assets.predictions.evaluation import evaluate_pair
from streetineq_assets.predictions.further_seeds import areas_by_seed, spread
from streetineq_assets.predictions.headline import headline
from streetineq_assets.tables import conform, empty
from streetineq_tests.predictions import simulated

RANK = partial(lsoa_table, rule="mean_score")


def seed_scores(locations: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Scores of further seeds: those of the first with noise of their own, in another order."""
    parts = []
    for seed in range(1, seeds + 1):
        rng = np.random.default_rng(seed)
        h = (locations["h"] + rng.normal(0, 1, len(locations))).astype(np.float32)
        p = np.exp(binomial.log_probabilities(h))
        named = locations.assign(h=h, **dict(zip(PROBABILITIES, p.T, strict=True)))
        parts.append(conform(named, SCORES).assign(seed=seed).sample(frac=1, random_state=seed))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def locations() -> pd.DataFrame:
    return simulated.locations(areas=60)


def evaluated(locations: pd.DataFrame, further: pd.DataFrame):
    areas = lsoa_table(locations, rule="mean_score")
    return evaluate_pair(
        areas,
        mean_probabilities(locations, areas["area"]),
        empty(BASELINES),
        simulated.centroids(areas),
        rule="mean_score",
        scheme="area",
        seed=1,
        draws=50,
        further_seeds=areas_by_seed(further, locations, RANK),
    )


def test_the_spread_is_that_of_the_metrics_of_each_seed(locations):
    further = seed_scores(locations, 2)
    rows = evaluated(locations, further).metrics.set_index("metric")
    actual = locations.groupby("area")["actual_decile"].first()
    each = [locations, *(group for _, group in further.groupby("seed"))]
    weights = locations.set_index("location_id")[["area", "weight"]]
    expected = []
    for scored in each:
        joined = scored[["location_id", "h"]].join(weights, on="location_id")
        joined["weight"] = joined["weight"].where(
            joined.groupby("area")["weight"].transform("sum") > 0, 1
        )
        joined["product"] = joined["h"] * joined["weight"]
        sums = joined.groupby("area")[["product", "weight"]].sum()
        expected.append(spearmanr(sums["product"] / sums["weight"], actual).statistic)
    row = rows.loc["spearman_score"]
    assert row["n_seeds"] == 3
    assert row["value"] == pytest.approx(expected[0])
    assert row["seed_mean"] == pytest.approx(np.mean(expected))
    assert row["seed_sd"] == pytest.approx(np.std(expected, ddof=1))


def test_every_metric_of_the_network_has_a_spread_but_the_p_value(locations):
    rows = evaluated(locations, seed_scores(locations, 2)).metrics
    without = rows.loc[rows["seed_mean"].isna(), "metric"]
    assert set(without) == {"moran_p_errors"}


def test_the_headline_tells_mean_and_sd_over_the_seeds(locations):
    found = evaluated(locations, seed_scores(locations, 2))
    row = found.metrics.set_index("metric").loc["spearman_score"]
    _, text = headline(found, "area")
    expected = f"Spearman of the score {row['seed_mean']:.3f} (sd {row['seed_sd']:.3f})"
    assert f"Over 3 seeds, mean and sd: {expected}" in text


def test_one_seed_has_no_spread_and_the_headline_says_so(locations):
    found = evaluated(locations, seed_scores(locations, 1).head(0))
    row = found.metrics.set_index("metric").loc["mae"]
    assert (row["n_seeds"], row["seed_mean"]) == (1, row["value"])
    assert np.isnan(row["seed_sd"])
    assert "One seed: how much training itself varies is not known." in headline(found, "area")[1]


def test_a_seed_that_lacks_locations_is_left_out(locations):
    further = seed_scores(locations, 3)
    short = further.drop(further.index[further["seed"] == 2][0])
    assert len(areas_by_seed(short, locations, RANK)) == 2


def test_the_headline_tells_whether_each_seed_had_folds_of_its_own(locations):
    further = seed_scores(locations, 2)
    own = further.assign(fold=further["fold"].where(further["seed"] != 1, 4 - further["fold"]))
    for scores, n_deals in ((further, 1), (own, 2)):
        found = evaluated(locations, scores)
        rows = found.metrics[found.metrics["metric"] == "mae"]
        assert rows["n_deals"].tolist() == [n_deals]
        told = "each with folds of its own" in headline(found, "area")[1]
        assert told is (n_deals > 1)


def test_the_spread_of_one_seed_is_unknown():
    found = spread([{"mae": 1.5}])
    assert found.loc[0, ["seed_mean", "n_seeds"]].tolist() == [1.5, 1]
    assert np.isnan(found.loc[0, "seed_sd"])


def test_a_seed_that_ranks_nothing_is_not_left_out_of_the_mean():
    found = spread([{"mae": 1.5, "spearman": 0.5}, {"mae": 2.5, "spearman": np.nan}])
    told = found.set_index("metric")
    assert told.loc["mae", "seed_mean"] == 2.0
    assert told.loc["spearman", ["seed_mean", "seed_sd"]].isna().all()


def test_a_seed_with_a_score_that_is_no_number_is_left_out(locations):
    further = seed_scores(locations, 2)
    spoilt = further.assign(h=further["h"].mask(further.index == further.index[0]))
    assert len(areas_by_seed(spoilt, locations, RANK)) == 1
