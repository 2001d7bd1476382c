"""The evidence matrix tells pictures from the map, and what is near by from what is seen."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from streetineq_assets.evidence.matrix import build_evidence

N = 400
NETWORK = "joint_network"


def centroids(areas):
    """On a grid of 1 km, in random order: errors of neighbours are not alike."""
    rng = np.random.default_rng(9)
    place = rng.permutation(len(areas))
    return pd.DataFrame({"area": areas, "easting_m": 1000.0 * (place // 20),
                         "northing_m": 1000.0 * (place % 20)})  # fmt: skip


def labels(n=N, seed=0):
    rng = np.random.default_rng(seed)
    codes = [f"E01{k:06d}" for k in range(n)]
    return pd.DataFrame({"area": codes, "outcome": "crime", "decile": rng.integers(1, 11, n)})


def scored(truth, noise, model, scheme, seed=0):
    """Scores that say so much of the truth as their noise leaves."""
    rng = np.random.default_rng([seed, len(model), len(scheme)])
    return pd.DataFrame(
        {
            "city": "london",
            "outcome": truth["outcome"],
            "scheme": scheme,
            "model": model,
            "seed": seed,
            "area": truth["area"],
            "fold": 0,
            "score": truth["decile"] + rng.normal(0, noise, len(truth)),
        }
    )


def evidence(*parts, truth, own="area"):
    places = centroids(truth["area"])
    return build_evidence(pd.concat(parts), truth, places, own_scheme=own, seed=1, draws=200)


def row(table, **where):
    for name, value in where.items():
        table = table[table[name] == value]
    (found,) = table.to_dict("records")
    return found


def test_a_cell_is_the_correlation_of_scores_and_truth():
    truth = labels()
    scores = scored(truth, 3.0, NETWORK, "area")
    found = row(evidence(scores, truth=truth).matrix, model=NETWORK, metric="spearman_score")
    assert found["value"] == pytest.approx(spearmanr(scores["score"], truth["decile"]).statistic)
    assert found["lower"] < found["value"] < found["upper"]
    assert (found["n_lsoas"], found["n_seeds"]) == (N, 1)
    assert np.isnan(found["seed_sd"])


def test_seeds_are_averaged_and_their_spread_is_told():
    truth = labels()
    seeds = [scored(truth, 2.0 + k, NETWORK, "area", seed=k) for k in range(3)]
    each = [spearmanr(s["score"], truth["decile"]).statistic for s in seeds]
    found = row(evidence(*seeds, truth=truth).matrix, model=NETWORK, metric="spearman_score")
    assert found["value"] == pytest.approx(np.mean(each))
    assert found["seed_sd"] == pytest.approx(np.std(each, ddof=1))
    assert found["n_seeds"] == 3


def test_the_gain_is_over_the_best_map_whichever_it_is():
    truth = labels()
    poor, good = (
        scored(truth, 9.0, "map_knn", "area"),
        scored(truth, 2.0, "map_msoa_mean", "area"),
    )
    network = scored(truth, 4.0, NETWORK, "area")
    found = evidence(network, poor, good, truth=truth)
    gain = row(found.gains, model=NETWORK, metric="mae")
    cells = found.matrix[found.matrix["metric"] == "mae"].set_index("model")["value"]
    assert gain["gain"] == pytest.approx(cells["map_msoa_mean"] - cells[NETWORK])
    assert gain["upper"] < 0
    assert set(found.gains["model"]) == {NETWORK}


def test_a_map_that_ranks_nothing_is_not_the_best_and_hides_no_gain():
    truth = labels()
    network, known = scored(truth, 2.0, NETWORK, "area"), scored(truth, 4.0, "map_knn", "area")
    constant = scored(truth, 1.0, "map_msoa_mean", "area").assign(score=5.5)
    alone = evidence(network, known, truth=truth)
    beside = evidence(network, known, constant, truth=truth)
    gains = [row(each.gains, metric="spearman_score")["gain"] for each in (alone, beside)]
    assert gains[0] > 0
    assert gains[1] == gains[0]


def test_all_cells_are_of_the_areas_that_every_model_scored_under_every_scheme():
    truth = labels()
    network = scored(truth, 3.0, NETWORK, "area")
    fewer = scored(truth.iloc[50:], 3.0, "map_knn", "area")
    elsewhere = scored(truth.iloc[:300], 3.0, NETWORK, "district")
    found = evidence(network, fewer, elsewhere, truth=truth)
    assert set(found.matrix["n_lsoas"]) == {250}
    assert set(found.flattery["n_lsoas"]) == {250}


def test_without_maps_there_is_no_gain_and_without_the_own_scheme_no_flattery():
    truth = labels()
    found = evidence(scored(truth, 3.0, NETWORK, "city"), truth=truth)
    assert len(found.matrix)
    assert found.gains.empty
    assert found.flattery.empty


def test_no_area_that_all_scored_is_an_empty_matrix():
    truth = labels(20)
    parts = [
        scored(truth.iloc[:10], 1.0, NETWORK, "area"),
        scored(truth.iloc[10:], 1.0, "ridge", "area"),
    ]
    found = evidence(*parts, truth=truth)
    assert found.matrix.empty


def test_a_model_without_any_score_is_left_out_and_shrinks_nothing():
    truth = labels()
    silent = scored(truth, 1.0, "map_knn", "area").assign(score=np.nan)
    found = evidence(scored(truth, 3.0, NETWORK, "area"), silent, truth=truth)
    assert set(found.matrix["model"]) == {NETWORK}
    assert set(found.matrix["n_lsoas"]) == {N}


@pytest.mark.slow
def test_equal_models_are_said_to_differ_in_one_case_of_twenty():
    """The network and one map, with noise of the same size: a gain above or below 0 is chance."""
    apart, tried = 0, 200
    for k in range(tried):
        truth = labels(200, seed=k)
        found = evidence(
            scored(truth, 4.0, NETWORK, "area", seed=k),
            scored(truth, 4.0, "map_knn", "area", seed=k),
            truth=truth,
        )
        gain = row(found.gains, model=NETWORK, metric="spearman_score")
        apart += gain["lower"] > 0 or gain["upper"] < 0
    assert 0.01 <= apart / tried <= 0.09
