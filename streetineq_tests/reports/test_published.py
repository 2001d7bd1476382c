"""Published figures: each has its source, and stands beside ours of the same place and outcome."""

import pytest

from streetineq_assets.labels.outcomes import DOMAINS, OUTCOMES
from streetineq_assets.predictions.metrics import scores
from streetineq_assets.reports.page.audit import published_rows
from streetineq_assets.reports.published import (
    PLACES,
    figures_of,
    place_of,
    published_figures,
)
from streetineq_assets.settings import City
from streetineq_assets.study import load_study
from streetineq_tests.test_packaging import TEMPLATE

LONDON = [f"E09{n:06d}" for n in range(1, 34)]
SCORE_METRICS = {"spearman_score", "pearson_score"}


def city_of(authorities):
    return City(title="A city", authorities=tuple(authorities), outcomes=("crime",))


@pytest.mark.parametrize("figure", published_figures(), ids=lambda f: f"{f.place}-{f.value}")
def test_every_figure_says_where_it_is_from_and_why_it_does_not_compare(figure):
    assert figure.source
    assert figure.url.startswith("https://")
    assert 2015 <= figure.year <= 2026
    assert figure.place in PLACES
    assert figure.outcome in OUTCOMES | DOMAINS
    assert figure.outcome_title
    assert figure.metric in {*scores([1, 5, 10], [1, 5, 9]), *SCORE_METRICS}
    assert -1 <= figure.value <= 1
    assert figure.split
    assert bool(figure.why) != figure.is_comparable


def test_the_figures_are_those_that_were_printed():
    printed = {(f.place, f.outcome, f.split): f.value for f in published_figures()}
    assert len(printed) == len(published_figures())
    assert printed["Greater London", "living_environment", "a fifth held out"] == 0.86
    assert printed["Greater London", "crime", "a fifth held out"] == 0.57
    index = ("Greater Manchester", "index_of_multiple_deprivation")
    assert printed[*index, "areas at random"] == 0.801
    assert printed[*index, "one district left out"] == 0.778


def test_places_have_the_authorities_of_the_papers_study():
    study = load_study(TEMPLATE / "study.toml")
    places = {key: place_of(city) for key, city in study.cities.items()}
    assert places == {
        "london": "Greater London",
        "birmingham": "West Midlands",
        "manchester": "Greater Manchester",
        "leeds": "West Yorkshire",
    }


@pytest.mark.parametrize("authorities", [LONDON[:-1], [*LONDON, "E08000001"], ["E07000008"]])
def test_a_part_of_a_place_or_more_than_it_is_another(authorities):
    assert place_of(city_of(authorities)) is None
    assert figures_of(city_of(authorities)) == []


def test_ours_stands_beside_a_figure_of_the_same_outcome_alone(crime_in_alpha):
    rows = published_rows(figures_of(city_of(LONDON)), [crime_in_alpha])
    beside = {figure.outcome: ours for figure, ours in rows}
    own = crime_in_alpha.value("pearson", "network")
    assert beside.pop("crime") == f"{own:.2f}, folds by area"
    assert set(beside.values()) == {""}
    assert len(rows) == 4


def test_another_index_has_none_of_ours_beside_it(crime_in_alpha):
    manchester = city_of(sorted(PLACES["Greater Manchester"]))
    rows = published_rows(figures_of(manchester), [crime_in_alpha])
    assert [ours for _, ours in rows] == ["", ""]
