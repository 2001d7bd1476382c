"""The evaluation of a pair: everybody on the same areas, the same draws, the same rule."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.tables import BASELINES, PROBABILITIES
from streetineq_assets.predictions import comparisons
from streetineq_assets.predictions import evaluation as evaluation_module
from streetineq_assets.predictions.aggregation import RULES, area_means, lsoa_table
from streetineq_assets.predictions.compared_areas import baseline_deciles
from streetineq_assets.predictions.comparisons import GAIN
from streetineq_assets.predictions.evaluation import (
    EVALUATION_FILES,
    Evaluation,
    evaluate_pair,
)
from streetineq_assets.predictions.headline import headline
from streetineq_assets.predictions.metrics import scores
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.tables import conform, empty
from streetineq_tests.predictions import simulated


def evaluated(areas: pd.DataFrame, baselines: pd.DataFrame, locations: pd.DataFrame, **changes):
    means = area_means(locations, list(PROBABILITIES))
    probabilities = means[list(PROBABILITIES)].to_numpy()
    settings = {"rule": "mean_score", "scheme": "area", "seed": 1, "draws": 200} | changes
    return evaluate_pair(areas, probabilities, baselines, simulated.centroids(areas), **settings)


@pytest.fixture(scope="module")
def city():
    locations = simulated.locations(areas=120)
    areas = lsoa_table(locations, rule="mean_score")
    return areas, simulated.baselines(areas), locations


@pytest.fixture(scope="module")
def evaluation(city):
    return evaluated(*city)


def test_every_table_has_its_published_columns(evaluation):
    for name, fields in EVALUATION_FILES.items():
        frame = getattr(evaluation, name)
        pd.testing.assert_frame_equal(frame, conform(frame, fields))
        assert len(frame) > 0


def test_network_and_baselines_stand_side_by_side(evaluation):
    shown = set(zip(evaluation.metrics["model"], evaluation.metrics["scheme"], strict=True))
    assert shown == {
        ("network", "area"),
        ("constant", "area"),
        *((name, "area") for name in MAPS),
        ("map_knn", "spatial_block"),
        ("ridge", "area"),
    }
    assert set(evaluation.metrics["n_lsoas"]) == {120}


def test_the_networks_metrics_are_those_of_the_published_table(city, evaluation):
    areas, _, _ = city
    expected = scores(areas["actual_decile"], areas["decile"])
    for metric, value in expected.items():
        assert evaluation.value(metric) == pytest.approx(value, abs=1e-6), metric
    expected = areas["score"].rank().corr(areas["actual_decile"].astype(float).rank())
    assert evaluation.value("spearman_score") == pytest.approx(expected)


def test_metrics_lie_within_their_intervals(evaluation):
    bounded = evaluation.metrics.dropna(subset=["value", "lower", "upper"])
    assert len(bounded) > 40
    assert (bounded["lower"] <= bounded["value"] + 0.05).all()
    assert (bounded["value"] - 0.05 <= bounded["upper"]).all()


def test_the_lead_over_a_baseline_is_the_difference_of_the_two_metrics(evaluation):
    rows = evaluation.comparisons
    lead = rows[(rows["baseline"] == "ridge") & (rows["metric"] == "kappa_quadratic")].iloc[0]
    expected = evaluation.value("kappa_quadratic") - evaluation.value("kappa_quadratic", "ridge")
    assert lead["difference"] == pytest.approx(expected)
    assert lead["lower"] <= lead["difference"] <= lead["upper"]


def test_a_baseline_that_copies_the_network_has_a_lead_of_nothing(city):
    areas, _, locations = city
    copy = areas[["area", "fold", "score"]].assign(baseline="map_knn", scheme="area")
    found = evaluated(areas, copy, locations).comparisons.query("metric != 'rps'")
    defined = found.dropna(subset=["difference"])
    assert len(defined) > 10
    assert (defined[["difference", "lower", "upper"]].abs() < 1e-9).all(axis=None)


def test_a_baseline_that_lacks_areas_is_compared_on_those_it_has(city):
    areas, baselines, locations = city
    known = areas["area"].iloc[::2]
    part = baselines[(baselines["baseline"] == "ridge") & baselines["area"].isin(known)]
    found = evaluated(areas, part, locations)
    row = found.comparisons[found.comparisons["metric"] == "mae"].iloc[0]
    assert row["n_lsoas"] == 60
    half = areas.iloc[::2]
    own = scores(half["actual_decile"], half["decile"])["mae"]
    assert row["difference"] == pytest.approx(own - found.value("mae", "ridge"))


def test_a_baseline_on_other_folds_than_the_networks_is_not_compared(city):
    """As when folds were made again since the areas were predicted; blocks are other folds."""
    areas, baselines, locations = city
    moved = baselines.assign(fold=(baselines["fold"] + 1) % 5)
    found = evaluated(areas, moved, locations)
    assert set(found.metrics.loc[found.metrics["scheme"] == "area", "model"]) == {"network"}
    assert "map_knn" in set(found.metrics.loc[found.metrics["scheme"] != "area", "model"])
    assert found.comparisons.empty


def test_the_confusion_table_counts_every_area_once(city, evaluation):
    areas, _, _ = city
    table = evaluation.confusion
    assert len(table) == 100
    assert table["n"].sum() == 120
    ends = (areas["actual_decile"] == 10) & (areas["decile"] == 10)
    cell = table[(table["actual"] == 10) & (table["predicted"] == 10)]
    assert cell["n"].item() == ends.sum()


def test_areas_without_an_actual_decile_are_left_out(city):
    areas, baselines, locations = city
    areas = areas.assign(actual_decile=areas["actual_decile"].mask(areas.index < 20))
    found = evaluated(areas, baselines, locations)
    assert set(found.metrics["n_lsoas"]) == {100}
    assert found.confusion["n"].sum() == 100


def test_no_area_gives_empty_tables_of_the_right_types():
    areas = empty(LSOA_PREDICTIONS)
    none = pd.DataFrame({"area": [], "easting_m": [], "northing_m": []})
    settings = {"rule": "mean_score", "scheme": "area", "seed": 1}
    found = evaluate_pair(areas, np.empty((0, 10)), empty(BASELINES), none, **settings)
    for name, fields in EVALUATION_FILES.items():
        pd.testing.assert_frame_equal(getattr(found, name), empty(fields))
    assert np.isnan(found.value("mae"))


def test_moran_is_reported_for_all_but_the_constant_whose_errors_do_not_vary(evaluation):
    moran = evaluation.metrics[evaluation.metrics["metric"] == "moran_i_errors"]
    assert len(moran) == 4 + len(MAPS)
    assert set(moran.loc[moran["value"].isna(), "model"]) == {"constant"}


@pytest.mark.parametrize("rule", RULES)
def test_a_baseline_that_never_varies_keeps_its_decile(rule):
    assert baseline_deciles(np.full(20, 5.0), rule).tolist() == [5] * 20


@pytest.mark.parametrize("rule", ["mean_score", "shrunk_score"])
def test_a_baseline_is_ranked_as_the_network_is(rule):
    score = np.linspace(4, 6, 20)
    assert np.bincount(baseline_deciles(score, rule))[1:].tolist() == [2] * 10
    assert set(baseline_deciles(score, "fixed_borders")) == {4, 5, 6}


def test_a_baseline_that_says_one_thing_per_fold_is_a_constant(city):
    """Else its folds' means, which lack the folds' own areas, would be ranked against the truth."""
    areas, _, locations = city
    actual = areas["actual_decile"].astype(float)
    fold_means = actual.groupby(areas["fold"]).transform("mean")
    guess = areas[["area", "fold"]].assign(
        baseline="image_count", scheme="area", score=11 - fold_means
    )
    found = evaluated(areas, guess, locations)
    assert np.isnan(found.value("spearman_score", "image_count"))
    assert found.value("mae", "image_count") == (actual - 5).abs().mean()


def test_the_headline_sets_the_network_beside_coordinates_under_both_schemes(evaluation):
    values, table = headline(evaluation, "area")
    own, beside, blocked = (
        values[f"mae{suffix}"] for suffix in ("", "_nearest_areas", "_nearest_areas_spatial")
    )
    assert (own, beside) == (evaluation.value("mae"), evaluation.value("mae", "map_knn"))
    assert blocked == evaluation.value("mae", "map_knn", "spatial_block")
    assert len({own, beside, blocked}) == 3
    assert f"| MAE in deciles | {own:.3f} | {beside:.3f} | {blocked:.3f} |" in table
    under_blocks, _ = headline(Evaluation.of_nothing(), "spatial_block")
    assert "mae_coordinates_spatial" not in under_blocks


def gain(coordinates: np.ndarray, score: np.ndarray, *, seed: int) -> pd.Series:
    """What a network's score gains over coordinates alone, each a guess of ten equal deciles."""
    n = len(score)
    actual, fold = np.arange(n) * 10 // n + 1, np.arange(n) % 5
    both = np.empty(n)
    for test in range(5):
        known = np.column_stack([np.ones(n), coordinates, score])
        weights = np.linalg.lstsq(known[fold != test], actual[fold != test], rcond=None)[0]
        both[fold == test] = known[fold == test] @ weights
    lsoas = [f"E{number:03d}" for number in range(n)]
    areas = pd.DataFrame({"area": lsoas, "fold": fold, "city": "alpha", "outcome": "crime",
                          "actual_decile": actual, "decile": actual, "score": score,
                          "lower": 1, "upper": 10, "n_locations": 1})  # fmt: skip
    guesses = dict.fromkeys(MAPS, coordinates) | {"map_and_score": both}
    parts = [
        areas[["area", "fold"]].assign(baseline=name, scheme="area", score=guess)
        for name, guess in guesses.items()
    ]
    found = evaluate_pair(
        areas, np.full((n, 10), 0.1), pd.concat(parts), simulated.centroids(areas).head(0),
        rule="mean_score", scheme="area", seed=seed, draws=50,
    ).metrics  # fmt: skip
    return found[found["metric"] == GAIN].iloc[0]


def test_noise_is_said_to_add_to_the_map_in_at_most_one_case_in_twenty():
    """By the sign of the difference alone it would be said in every fifth to tenth case."""
    rng, deciles = np.random.default_rng(0), np.arange(40) * 10 // 40 + 1
    rows = pd.DataFrame(
        gain(deciles + rng.normal(0, 6, 40), rng.normal(size=40), seed=seed) for seed in range(40)
    )
    assert (rows["lower"] > 0).mean() <= 0.05
    assert (rows["value"] > 0).mean() > 0.05


def test_what_a_network_knows_beyond_the_map_is_shown():
    rng, deciles = np.random.default_rng(1), np.arange(100) * 10 // 100 + 1
    row = gain(deciles + rng.normal(0, 3, 100), deciles + rng.normal(0, 2, 100), seed=1)
    assert 0 < row["lower"] < row["value"] < row["upper"]
    assert (row["model"], row["n_lsoas"]) == ("map_and_score", 100)


def maps(areas: pd.DataFrame, noise: dict[str, float]) -> pd.DataFrame:
    """Scores of maps on the networks' folds, each with an error of its own."""
    rng = np.random.default_rng(3)
    parts = [
        areas[["area", "fold"]].assign(
            baseline=name,
            scheme="area",
            score=areas["actual_decile"].astype(float) + rng.normal(0, sd, len(areas)),
        )
        for name, sd in noise.items()
    ]
    return pd.concat(parts, ignore_index=True)


TWO_MAPS = {"map_knn": 3.0, "map_gaussian_process": 1.0}


@pytest.fixture
def two_maps(monkeypatch):
    for module in (comparisons, evaluation_module):
        monkeypatch.setattr(module, "MAPS", tuple(TWO_MAPS))


def lead_over(found: Evaluation, baseline: str, metric: str) -> pd.Series:
    rows = found.comparisons
    return rows[(rows["baseline"] == baseline) & (rows["metric"] == metric)].iloc[0]


@pytest.mark.parametrize(("metric", "best"), [("kappa_quadratic", max), ("mae", min)])
def test_the_best_map_is_the_best_by_each_metric(city, two_maps, metric, best):
    areas, _, locations = city
    found = evaluated(areas, maps(areas, TWO_MAPS), locations)
    lead = lead_over(found, "map_best", metric)
    expected = found.value(metric) - best(found.value(metric, name) for name in TWO_MAPS)
    assert lead["difference"] == pytest.approx(expected)
    assert lead["lower"] <= lead["difference"] <= lead["upper"]
    assert lead["unit"] == "spatial_block"


def test_of_equal_maps_the_best_in_each_draw_is_harder_to_beat_than_either(city, two_maps):
    areas, _, locations = city
    found = evaluated(areas, maps(areas, dict.fromkeys(TWO_MAPS, 2.0)), locations)
    best = lead_over(found, "map_best", "kappa_quadratic")
    for name in TWO_MAPS:
        assert best["lower"] <= lead_over(found, name, "kappa_quadratic")["lower"]
        assert best["upper"] <= lead_over(found, name, "kappa_quadratic")["upper"]


def test_where_a_map_is_missing_none_is_said_to_be_the_best(city, two_maps):
    areas, _, locations = city
    found = evaluated(areas, maps(areas, {"map_knn": 3.0}), locations)
    assert set(found.comparisons["baseline"]) == {"map_knn"}


def test_the_best_map_is_sought_on_the_areas_that_all_maps_know(city, two_maps):
    areas, _, locations = city
    given = maps(areas, TWO_MAPS)
    lacking = (given["baseline"] == "map_knn") & given["area"].isin(areas["area"].iloc[:30])
    found = evaluated(areas, given[~lacking], locations)
    assert lead_over(found, "map_best", "mae")["n_lsoas"] == 90


def test_intervals_by_every_unit_stand_beside_each_other(evaluation):
    rows = evaluation.intervals
    assert set(rows["model"]) == {"network", *MAPS}
    assert set(rows["unit"]) == {"spatial_block", "lsoa"}
    of_kappa = rows[(rows["model"] == "network") & (rows["metric"] == "kappa_quadratic")]
    by_unit = of_kappa.set_index("unit")
    assert by_unit.loc["lsoa", "n_units"] == 120
    assert 8 <= by_unit.loc["spatial_block", "n_units"] <= 24
    assert 1500 < by_unit.loc["spatial_block", "block_m"] < 5000  # the grid has areas of 1 km
    shown = evaluation.metrics.query("model == 'network' and metric == 'kappa_quadratic'").iloc[0]
    assert shown["unit"] == "spatial_block"
    assert shown["lower"] == by_unit.loc["spatial_block", "lower"]


def test_a_lead_is_resampled_by_blocks_as_wide_as_the_errors_of_the_maps(city):
    """The network's errors are independent of each other, a map's are not: the lead holds both."""
    areas, _, locations = city
    placed = simulated.centroids(areas)
    wave = 4 * np.sin(placed["easting_m"] / 1500) * np.cos(placed["northing_m"] / 1500)
    guess = areas[["area", "fold"]].assign(scheme="area", score=areas["actual_decile"] + wave)
    given = pd.concat([guess.assign(baseline=name) for name in MAPS])
    rows = evaluated(areas, given, locations).intervals.query("unit == 'spatial_block'")
    blocks = rows.groupby("model")["n_units"].first()
    assert blocks[MAPS[0]] < blocks["network"]


def test_msoas_are_resampled_where_they_are_known(city):
    areas, baselines, locations = city
    placed = simulated.centroids(areas)
    named = placed.assign(msoa=[f"E02{i // 6:06d}" for i in range(len(placed))])
    found = evaluate_with(areas, baselines, locations, named)
    by_unit = found.intervals.query("model == 'network' and metric == 'mae'").set_index("unit")
    assert by_unit.loc["msoa", "n_units"] == 20
    partly = named.assign(msoa=named["msoa"].where(named.index > 0))
    assert "msoa" not in set(evaluate_with(areas, baselines, locations, partly).intervals["unit"])
    nowhere = evaluate_with(areas, baselines, locations, placed.head(0))
    assert set(nowhere.intervals["unit"]) == {"lsoa"}
    assert "Not resampled" in headline(nowhere, "area")[1]


def evaluate_with(areas, baselines, locations, centroids) -> Evaluation:
    means = area_means(locations, list(PROBABILITIES))[list(PROBABILITIES)].to_numpy()
    settings = {"rule": "mean_score", "scheme": "area", "seed": 1, "draws": 50}
    return evaluate_pair(areas, means, baselines, centroids, **settings)


def test_one_area_has_metrics_without_intervals(city):
    areas, baselines, locations = city
    one = areas.head(1)
    found = evaluated(one, baselines, locations[locations["area"].isin(one["area"])])
    assert found.value("mae") >= 0
    assert found.metrics[["lower", "upper"]].isna().all(axis=None)
    assert len(found.by_n_locations) == 1


@pytest.mark.parametrize("same", ["actual_decile", "score"])
def test_without_variation_there_are_errors_and_no_correlations(city, same):
    areas, baselines, locations = city
    flat = areas.assign(**{same: 5})
    flat = flat.assign(decile=5) if same == "score" else flat
    found = evaluated(flat, baselines, locations)
    assert np.isnan(found.value("spearman_score"))
    assert np.isfinite(found.value("mae"))


def test_leads_are_over_baselines_on_the_networks_own_folds_alone(evaluation):
    assert "spatial_block" in set(evaluation.metrics["scheme"])
    assert set(evaluation.comparisons["scheme"]) == {"area"}
