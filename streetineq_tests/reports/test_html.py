"""The report: it needs nothing else, says what is synthetic and what is missing, and repeats."""

import dataclasses
import re

import pytest

from streetineq_assets import tables
from streetineq_assets.predictions.tables import METRICS
from streetineq_assets.reports import html
from streetineq_tests import studies
from streetineq_tests.reports.pages import Tags


@pytest.fixture(scope="module")
def report(results, study) -> str:
    return html.render(results, study, boundaries=None)


def test_it_is_well_formed(report):
    tags = Tags(report)
    assert tags.open == []
    assert len([tag for tag, _ in tags.found if tag == "h1"]) == 1


def test_it_needs_no_network_and_runs_nothing(report):
    tags = Tags(report).found
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object"}
    for _, attributes in tags:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in report
    assert "url(" not in report


def test_links_lead_somewhere(report):
    tags = Tags(report).found
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for _, a in tags if "href" in a} <= set(ids)


def test_pictures_are_described(report):
    images = [attributes for tag, attributes in Tags(report).found if tag == "img"]
    assert len(images) == 1 + 2 * 2  # the overview, and a map and learning curves for each pair
    assert all(image["alt"] for image in images)


def test_it_names_no_place_on_this_machine(evaluated_study, report):
    assert str(evaluated_study) not in report
    assert "/home/" not in report
    assert "/tmp/" not in report


def test_synthetic_input_is_said_on_top(report, without_pairs, study):
    head = report[: report.index('id="summary"')]
    assert "Synthetic:" in head
    assert "invented" in head
    assert "random weights" in head
    imagenet = study.encoder.model_copy(update={"weights": "imagenet"})
    real = study.model_copy(update={"synthetic": False, "encoder": imagenet})
    assert "Synthetic:" not in html.render(without_pairs, real, boundaries=None)


def test_random_weights_alone_make_it_synthetic(results, study):
    real_areas = study.model_copy(update={"synthetic": False})
    assert html.synthetic_reasons(results, real_areas) == ["the image encoder has random weights"]


def test_unavailable_pairs_are_listed_with_the_file_that_they_want(report):
    rest = report[report.index('id="unavailable"') :]
    assert "Mean income" in rest or "mean income" in rest.lower()
    assert studies.WITHOUT_INCOME.wanted in rest


def test_every_pair_with_results_has_a_section(report):
    assert 'id="alpha-crime"' in report
    assert 'id="beta-crime"' in report
    assert 'id="alpha-mean_income"' not in report
    assert "Only 12 areas" in report


def test_the_networks_metrics_stand_beside_coordinates_everywhere(report):
    heads = re.findall(r"<thead>.*?</thead>", report, flags=re.S)
    with_network = [head for head in heads if ">Network<" in head]
    assert len(with_network) == 3 + 2
    for head in with_network:
        assert head.count(">Nearest areas (map)<") == 2
        assert "spatial block" in head


def test_metrics_are_the_published_ones(report, crime_in_alpha):
    rows = crime_in_alpha.metrics.set_index(["model", "scheme", "metric"])
    value = rows.loc[("network", "area", "kappa_quadratic")]
    cell = f"{value['value']:.2f}<small>{value['lower']:.2f} to {value['upper']:.2f}</small>"
    assert cell in report


def test_pairs_in_which_a_baseline_matches_the_network_are_named(report):
    summary = report[report.index('id="summary"') : report.index('id="alpha"')]
    assert "In 1 of them" in summary
    assert "Beta, crime" in summary


def test_the_settings_and_the_deviations_are_listed(report):
    assert "<dt>Seed</dt><dd><code>7</code>" in report
    assert "mean_score" in report
    assert "log-probabilities in closed form" in report
    assert "ecological fallacy" in report


def test_what_an_earlier_version_made_is_named(without_pairs, study):
    assert "earlier version" not in html.render(without_pairs, study, boundaries=None)
    old = dataclasses.replace(without_pairs, outdated=["transfer_report"])
    text = html.render(old, study, boundaries=None)
    assert "transfer_report" in text[text.index('id="unavailable"') :]


def test_accounting_adds_up_to_what_is_listed(report):
    assert "unknown postcode" in report
    assert "matched to an LSOA" in report


def test_what_users_write_is_escaped(without_pairs, study):
    named = study.model_copy(update={"title": "<b>Two</b> & towns"})
    assert "<b>Two</b>" not in html.render(without_pairs, named, boundaries=None)


def test_a_study_without_any_result_has_a_report_too(results, study):
    bare = [
        dataclasses.replace(each, is_evaluated=False, metrics=tables.empty(METRICS))
        for each in results.pairs
    ]
    text = html.render(dataclasses.replace(results, pairs=bare), study, boundaries=None)
    assert "No pair of city and outcome has results yet" in text
    assert text.count("not made yet") == 3
    assert Tags(text).open == []


@pytest.mark.parametrize(
    ("share", "style"),
    [(0.0, "background:rgb(255,255,255);color:#222"), (1.0, "background:rgb(8,48,107);color:#fff")],
)
def test_shades_run_from_white_to_dark_blue(share, style):
    assert html.shade(share) == style


def test_intervals_are_told_with_their_level_and_for_whom_they_hold(results, study):
    pairs = [
        dataclasses.replace(each, made_with={**each.made_with, "Level of intervals": "0.8"})
        for each in results.pairs
    ]
    page = html.render(dataclasses.replace(results, pairs=tuple(pairs)), study, boundaries=None)
    assert page.count("Decile intervals: 80% promised") == 2
    # Sixty areas in five folds are enough for four of each decile, twelve are not.
    assert page.count("The promise holds for the areas of each decile.") == 1
    assert page.count("all areas together, not for each decile") == 1
    assert '<th scope="row">3-4 locations</th>' in page
