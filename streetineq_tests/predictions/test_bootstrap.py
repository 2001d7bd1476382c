"""Intervals by resampling areas: each draw is what resampling the rows would give."""

import time

import numpy as np
import pytest
from scipy import stats

from streetineq_assets.predictions import bootstrap
from streetineq_assets.predictions.bootstrap import Forecast, draw_areas, evaluate
from streetineq_assets.predictions.metrics import scores


def forecast(n: int, seed: int = 0) -> tuple[np.ndarray, Forecast]:
    rng = np.random.default_rng(seed)
    actual = rng.integers(1, 11, n)
    score = np.round(actual + rng.normal(0, 2, n), 1)  # rounded: scores tie
    decile = np.clip(np.rint(score), 1, 10).astype(int)
    return actual, Forecast(decile, score, rng.dirichlet(np.ones(10), n))


def test_a_draw_is_the_metric_of_the_rows_that_were_drawn():
    actual, model = forecast(80)
    counts = draw_areas(80, 5, seed=3)
    found = evaluate(actual, model, counts)
    for draw in range(5):
        rows = np.repeat(np.arange(80), counts[draw].astype(int))
        expected = scores(actual[rows], model.decile[rows], model.probabilities[rows])
        expected["spearman_score"] = stats.spearmanr(actual[rows], model.score[rows]).statistic
        expected["pearson_score"] = stats.pearsonr(actual[rows], model.score[rows]).statistic
        assert {name: found[name][draw] for name in found} == pytest.approx(expected, abs=1e-9)


def test_draws_have_the_size_of_the_sample_and_repeat_by_seed():
    counts = draw_areas(50, 200, seed=1)
    assert (counts.sum(axis=1) == 50).all()
    assert (counts == draw_areas(50, 200, seed=1)).all()
    assert (counts != draw_areas(50, 200, seed=2)).any()


def test_the_interval_of_a_mean_is_the_one_of_the_central_limit():
    actual, model = forecast(2000)
    draws = evaluate(actual, model, draw_areas(2000, 1000, seed=1))["mae"]
    error = np.abs(actual - model.decile)
    half = 1.96 * error.std() / np.sqrt(2000)
    lower, upper = bootstrap.percentile_interval(draws)
    assert lower == pytest.approx(error.mean() - half, abs=half / 6)
    assert upper == pytest.approx(error.mean() + half, abs=half / 6)


def test_a_constant_score_has_no_correlation():
    actual = np.arange(1, 11)
    constant = Forecast(np.full(10, 5), np.full(10, 0.1))
    found = evaluate(actual, constant, draw_areas(10, 50, seed=0))
    assert np.isnan(found["spearman_score"]).all()
    assert np.isnan(found["pearson_score"]).all()
    assert np.isnan(found["pearson"]).all()
    assert np.isfinite(found["mae"]).all()


def test_without_probabilities_the_rps_is_that_of_a_sure_forecast():
    actual, model = forecast(30)
    sure = Forecast(model.decile, model.score)
    found = evaluate(actual, sure, np.ones((1, 30), np.float32))
    assert found["rps"][0] == pytest.approx(found["mae"][0] / 9)


def test_a_metric_that_is_undefined_in_half_of_the_draws_has_no_interval():
    assert np.isnan(bootstrap.percentile_interval(np.array([np.nan, np.nan, 1.0, 2.0]))).all()
    assert bootstrap.percentile_interval(np.array([np.nan, 1.0, 1.0, 1.0])) == (1.0, 1.0)


def test_a_draw_without_areas_is_undefined_in_silence():
    actual, model = forecast(5)
    counts = np.zeros((1, 5), np.float32)
    assert all(np.isnan(value).all() for value in evaluate(actual, model, counts).values())


def test_london_takes_seconds():
    actual, model = forecast(4835)
    started = time.process_time()
    evaluate(actual, model, draw_areas(4835, 1000, seed=0))
    assert time.process_time() - started < 3
