"""Intervals by resampling blocks: each draw is what resampling the rows would give."""

import time

import numpy as np
import pytest
from scipy import stats

from streetineq_assets.predictions import bootstrap
from streetineq_assets.predictions.blocks import Blocks
from streetineq_assets.predictions.bootstrap import (
    Forecast,
    draw_blocks,
    evaluate,
    metric_intervals,
    percentile_interval,
)
from streetineq_assets.predictions.metrics import scores


def forecast(n: int, seed: int = 0) -> tuple[np.ndarray, Forecast]:
    rng = np.random.default_rng(seed)
    actual = rng.integers(1, 11, n)
    score = np.round(actual + rng.normal(0, 2, n), 1)  # rounded: scores tie
    decile = np.clip(np.rint(score), 1, 10).astype(int)
    return actual, Forecast(decile, score, rng.dirichlet(np.ones(10), n))


def single(n: int) -> Blocks:
    return Blocks.of("lsoa", np.arange(n))


def test_a_draw_is_the_metric_of_the_rows_that_were_drawn():
    actual, model = forecast(80)
    blocks = Blocks.of("block", np.random.default_rng(5).integers(0, 20, 80))
    counts = draw_blocks(blocks.n_blocks, 5, seed=3)
    found = evaluate(actual, model, blocks, counts)
    for draw in range(5):
        rows = np.repeat(np.arange(80), counts[draw].astype(int)[blocks.label])
        expected = scores(actual[rows], model.decile[rows], model.probabilities[rows])
        expected["spearman_score"] = stats.spearmanr(actual[rows], model.score[rows]).statistic
        expected["pearson_score"] = stats.pearsonr(actual[rows], model.score[rows]).statistic
        assert {name: found[name][draw] for name in found} == pytest.approx(expected, abs=1e-9)


def test_scores_far_from_zero_keep_their_correlation():
    actual, model = forecast(60)
    far = Forecast(model.decile, model.score + 1e7)
    found = evaluate(actual, far, single(60), np.ones((1, 60)))
    expected = stats.pearsonr(actual, model.score).statistic
    assert found["pearson_score"][0] == pytest.approx(expected, abs=1e-6)


def test_draws_have_as_many_blocks_as_there_are_and_repeat_by_seed():
    counts = draw_blocks(50, 200, seed=1)
    assert (counts.sum(axis=1) == 50).all()
    assert (counts == draw_blocks(50, 200, seed=1)).all()
    assert (counts != draw_blocks(50, 200, seed=2)).any()


def test_the_interval_of_a_mean_is_the_one_of_the_central_limit():
    actual, model = forecast(2000)
    found = metric_intervals(actual, model.decile, model.score, blocks=np.arange(2000), seed=1)
    mae = found.set_index("metric").loc["mae"]
    error = np.abs(actual - model.decile)
    half = 1.96 * error.std() / np.sqrt(2000)
    assert mae["value"] == pytest.approx(error.mean())
    assert mae["lower"] == pytest.approx(error.mean() - half, abs=half / 6)
    assert mae["upper"] == pytest.approx(error.mean() + half, abs=half / 6)


def test_the_interval_of_a_mean_over_few_blocks_is_students_of_the_blocks_means():
    """Errors are the same within a block, so that the areas tell no more than their blocks."""
    n_blocks, each = 12, 40
    error = np.random.default_rng(2).permutation(np.arange(n_blocks) % 4)
    actual, predicted = np.ones(n_blocks * each, int), 1 + np.repeat(error, each)
    blocks = np.repeat(np.arange(n_blocks), each)
    found = metric_intervals(actual, predicted, np.arange(len(actual)), blocks=blocks, draws=20000)
    mae = found.set_index("metric").loc["mae"]
    half = stats.t.ppf(0.975, n_blocks - 1) * stats.sem(error)
    assert mae["upper"] - mae["lower"] == pytest.approx(2 * half, rel=0.08)


def test_a_lower_level_gives_a_shorter_interval_within():
    actual, model = forecast(200)
    wide, narrow = (
        metric_intervals(actual, model.decile, model.score, blocks=np.arange(200), level=level)
        for level in (0.95, 0.8)
    )
    assert (wide["lower"] < narrow["lower"]).all()
    assert (narrow["upper"] < wide["upper"]).all()


def test_metrics_have_the_names_of_scores_and_the_order_of_blocks_is_of_no_matter():
    actual, model = forecast(90)
    blocks = np.array([f"E02{i // 6:06d}" for i in range(90)])
    found = metric_intervals(actual, model.decile, model.score, blocks=blocks)
    names = [*scores(actual, model.decile), "spearman_score", "pearson_score"]
    assert found["metric"].tolist() == names
    assert list(found.columns) == ["metric", "value", "lower", "upper"]
    assert (found["lower"] <= found["upper"]).all()


@pytest.mark.parametrize(
    "n", [pytest.param(0, id="no area"), pytest.param(1, id="one area"), pytest.param(5, id="five")]
)
def test_too_few_blocks_have_values_and_no_interval(n):
    actual, model = forecast(n)
    found = metric_intervals(actual, model.decile, model.score, blocks=np.arange(n))
    assert found[["lower", "upper"]].isna().all(axis=None)
    value = found.set_index("metric").loc["mae", "value"]
    assert value == pytest.approx(np.abs(actual - model.decile).mean()) if n else np.isnan(value)


@pytest.mark.parametrize("same", ["actual", "predicted"])
def test_without_variation_there_is_no_correlation_and_still_an_error(same):
    actual, model = forecast(60)
    actual = np.full(60, 4) if same == "actual" else actual
    predicted, score = model.decile, model.score
    if same == "predicted":
        predicted, score = np.full(60, 5), np.full(60, 0.1)
    found = metric_intervals(actual, predicted, score, blocks=np.arange(60)).set_index("metric")
    for metric in ("pearson", "spearman", "kendall", "spearman_score", "pearson_score"):
        assert found.loc[metric].isna().all(), metric
    assert found.loc["mae"].notna().all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"score": [0.1, np.nan, 0.2]}, "1 of 3 scores are not finite"),
        ({"actual": [1, 2, 11]}, "whole deciles 1 to 10"),
        ({"blocks": ["a", None, "b"]}, "1 of 3 areas have no block"),
        ({"blocks": [1, 2]}, "3, 3, 3, 2 entries"),
        ({"level": 1.0}, "level is 1.0"),
        ({"draws": 0}, "draws 0"),
    ],
)
def test_bad_input_is_refused_with_the_number_of_what_is_wrong(changes, said):
    given = {"actual": [1, 2, 3], "predicted": [1, 2, 3], "score": [1.0, 2.0, 3.0]}
    given |= {"blocks": [1, 2, 3]} | changes
    with pytest.raises(ValueError, match=said):
        metric_intervals(given.pop("actual"), given.pop("predicted"), given.pop("score"), **given)


def test_without_probabilities_the_rps_is_that_of_a_sure_forecast():
    actual, model = forecast(30)
    sure = Forecast(model.decile, model.score)
    found = evaluate(actual, sure, single(30), np.ones((1, 30)))
    assert found["rps"][0] == pytest.approx(found["mae"][0] / 9)


def test_a_metric_that_is_undefined_in_half_of_the_draws_has_no_interval():
    assert np.isnan(percentile_interval(np.array([np.nan, np.nan, 1.0, 2.0]), 40)).all()
    assert percentile_interval(np.array([np.nan, 1.0, 1.0, 1.0]), 40) == (1.0, 1.0)


def test_a_draw_without_areas_is_undefined_in_silence():
    actual, model = forecast(5)
    found = evaluate(actual, model, single(5), np.zeros((1, 5)))
    assert all(np.isnan(value).all() for value in found.values())


def test_london_takes_seconds():
    actual, model = forecast(4835)
    started = time.process_time()
    metric_intervals(actual, model.decile, model.score, blocks=np.arange(4835))
    assert bootstrap.DRAWS == 2000
    assert time.process_time() - started < 5
