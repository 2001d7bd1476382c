"""The answer follows the intervals of leads over the map, and says what was not tested."""

import dataclasses

import numpy as np
import pytest

from streetineq_assets.reports.page import answer


def with_lead(results, lower, upper):
    """The pair whose lead over the nearest areas, its only map, has this interval."""
    rows = results.comparisons.copy()
    is_map = rows["baseline"] == "map_knn"
    rows.loc[is_map, ["difference", "lower", "upper"]] = [(lower + upper) / 2, lower, upper]
    return dataclasses.replace(results, comparisons=rows)


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.01, 0.2), answer.YES),
        ((0.0, 0.2), answer.OPEN),
        ((-0.1, 0.2), answer.OPEN),
        ((-0.2, -0.01), answer.NO),
        ((np.nan, np.nan), answer.NOT_TESTED),
    ],
)
def test_a_verdict_is_that_of_the_interval(crime_in_alpha, interval, verdict):
    assert answer.verdict(with_lead(crime_in_alpha, *interval)) == verdict


def test_too_few_areas_test_nothing(results):
    beta = next(each for each in results.pairs if each.pair.key == "beta/crime")
    assert answer.verdict(with_lead(beta, 0.1, 0.3)) == answer.NOT_TESTED


def test_the_answer_counts_and_names_pairs(results):
    lines, _ = answer.answer_lines(results.current)
    first, off, sure = answer.answer_sentences(lines)
    assert "Of 2 pairs" in first
    assert "than the map alone in 1 (Alpha: crime deprivation)" in first
    assert "not tested in 1 (Beta: crime deprivation)" in first
    errors = [each.value("mae", "network") for each in results.current]
    assert f"{min(errors):.1f} to {max(errors):.1f}" in off
    assert "72 predicted deciles, 72 are sure" in sure


def test_nothing_is_answered_of_nothing():
    lines, axis = answer.answer_lines([])
    assert answer.answer_sentences(lines) == []
    assert axis[0] < 0 < axis[1]


def test_drawings_stay_within_their_cell_and_keep_the_order(results):
    lines, axis = answer.answer_lines(results.current)
    for line in lines:
        ours, of_map = line.dots
        assert 0 < ours["lower"] <= ours["x"] <= ours["upper"] < 240
        assert (ours["x"] > of_map["x"]) == (line.network.value > line.map.value)
    assert 0 < answer.zero_of(axis) < 240
