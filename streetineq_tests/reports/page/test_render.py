"""The report: it needs nothing else, says what is synthetic and what is missing, and repeats."""

import base64
import dataclasses
import json
import re
import zlib
from collections import Counter

import numpy as np
import pytest

from streetineq_assets import tables
from streetineq_assets.predictions.tables import METRICS
from streetineq_assets.reports.page.environment import shade
from streetineq_assets.reports.page.render import synthetic_reasons
from streetineq_tests import studies
from streetineq_tests.reports.page.rendered import CENSUS, report
from streetineq_tests.reports.pages import Tags


@pytest.fixture(scope="module")
def page(results, study) -> str:
    return report(results, study)


@pytest.fixture
def without_pairs(results):
    """No pair and so no picture: quick to render."""
    return dataclasses.replace(results, pairs=[])


# -- the file --------------------------------------------------------------------------------------


def test_it_is_well_formed(page):
    tags = Tags(page)
    assert tags.open == []
    assert len([tag for tag, _ in tags.found if tag == "h1"]) == 1


def test_it_needs_no_network(page):
    tags = Tags(page).found
    assert not {tag for tag, _ in tags} & {"link", "iframe", "object"}
    for tag, attributes in tags:
        assert attributes.get("src", "data:").startswith("data:"), tag
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page), "a picture or font from elsewhere"
    assert "fetch(" not in page


def test_links_lead_somewhere(page):
    tags = Tags(page).found
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert not [name for name, n in Counter(ids).items() if n > 1]
    pointers = ("href", "for", "aria-controls", "aria-labelledby", "aria-describedby")
    for _, attributes in tags:
        for pointer in pointers:
            if pointer in attributes:
                assert attributes[pointer].removeprefix("#") in ids


def test_every_picture_says_what_it_is_of(page):
    images = [attributes for tag, attributes in Tags(page).found if tag == "img"]
    texts = [image["alt"] for image in images]
    assert len(texts) == (5 + 1) * 2  # five maps and learning curves for each pair
    assert len(set(texts)) == len(texts)
    assert "Map of Alpha: predicted decile, crime deprivation, 60 areas" in texts


def test_every_table_has_a_caption_and_scrolls_by_keyboard(page):
    inner = re.findall(r"<table.*?</table>", page, flags=re.S)
    assert len(inner) > 10
    assert all("<caption>" in table for table in inner)
    before = [page[: match.start()].rstrip()[-200:] for match in re.finditer("<table", page)]
    assert all(re.search(r'class="scroll" tabindex="0" role="region"[^>]*>$', b) for b in before)


def test_it_names_no_place_on_this_machine(evaluated_study, page):
    assert str(evaluated_study) not in page
    assert "/home/" not in page
    assert "/tmp/" not in page


def test_no_number_is_printed_that_is_none(page):
    results = page[: page.index('id="deviations"')]  # whose texts speak of such values
    words = re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]*>", " ", results, flags=re.S)
    assert not re.search(r"\b(nan|NaN|None|NaT|inf|<NA>)\b", words)


def test_what_users_write_is_escaped(without_pairs, study):
    named = study.model_copy(update={"title": """<b>Two</b> & "towns" $x_{$"""})
    text = report(without_pairs, named)
    assert "<b>Two</b>" not in text
    assert "&lt;b&gt;Two&lt;/b&gt; &amp; &#34;towns&#34; $x_{$" in text


# -- what it says ----------------------------------------------------------------------------------


def test_synthetic_input_is_said_on_top(page, without_pairs, study):
    head = page[: page.index('id="summary"')]
    assert "Synthetic:" in head
    assert "invented" in head
    assert "random weights" in head
    imagenet = study.encoder.model_copy(update={"weights": "imagenet"})
    real = study.model_copy(update={"synthetic": False, "encoder": imagenet})
    assert "Synthetic:" not in report(without_pairs, real)


def test_random_weights_alone_make_it_synthetic(results, study):
    real_areas = study.model_copy(update={"synthetic": False})
    assert synthetic_reasons(results, real_areas) == ["the image encoder has random weights"]


def test_unavailable_pairs_are_listed_with_the_file_that_they_want(page):
    rest = page[page.index('id="unavailable"') :]
    assert "Mean income" in rest or "mean income" in rest.lower()
    assert studies.WITHOUT_INCOME.wanted in rest


def test_every_pair_with_results_has_a_section(page):
    assert 'id="alpha-crime"' in page
    assert 'id="beta-crime"' in page
    assert 'id="alpha-mean_income"' not in page
    assert "Only 12 areas" in page


def test_figures_that_mean_nothing_at_their_n_are_not_printed(page):
    """Alpha has 60 areas, six of each decile; Beta has 12."""
    alpha = page[page.index('id="alpha-crime"') : page.index('id="beta"')]
    beta = page[page.index('id="beta-crime"') :]
    assert "Quadratic kappa" in alpha
    assert "Recall" not in re.sub(r"<small>.*?</small>", "", alpha)
    assert "Recalls of fewer than 20 areas" in alpha
    assert ">actual decile 1<" not in alpha
    assert "Quadratic kappa" not in beta[: beta.index('id="unavailable"')]
    assert "Metrics are not printed" in beta


def test_the_networks_metrics_stand_beside_the_map_everywhere(page):
    with_network = [
        table
        for table in re.findall(r"<table>.*?</table>", page, flags=re.S)
        if '<th scope="row">Network<' in table
    ]
    assert len(with_network) >= 3
    for table in with_network:
        rows = re.findall(r'<th scope="row">([^<]*)<small>([^<]*)', table)
        assert ("Nearest areas (map)", "area") in rows
        assert ("Nearest areas (map)", "spatial block") in rows


def test_metrics_are_the_published_ones(page, crime_in_alpha):
    rows = crime_in_alpha.metrics.set_index(["model", "scheme", "metric"])
    value = rows.loc[("network", "area", "kappa_quadratic")]
    cell = f"{value['value']:.2f}<small>{value['lower']:.2f} to {value['upper']:.2f}</small>"
    assert cell in page


def test_the_ten_worst_off_are_those_of_the_lowest_scores(page, crime_in_alpha):
    section = page[page.index('id="alpha-crime"') : page.index('id="beta"')]
    table = section[section.index("Predicted worst-off") :]
    shown = re.findall(r'<th scope="row">(E0\d+)', table[: table.index("</table>")])
    scores = crime_in_alpha.areas.set_index("area")["score"]
    assert len(shown) == 10
    assert scores[shown].max() <= scores.drop(shown).min()


def test_settings_are_told_in_words(page):
    made = page[page.index('id="made"') :]
    assert '<th scope="row">Seed</th><td>7</td>' in made
    rate = '<th scope="row">Training: learning rate</th><td>0.001</td><td>step size of'
    assert rate in made
    assert "{" not in made[: made.index("</table>")]
    assert "log-probabilities in closed form" in made
    assert "ecological fallacy" in page


def test_inputs_are_listed_with_edition_and_hash(page):
    inputs = page[page.index('id="inputs"') : page.index('id="made"')]
    assert CENSUS.title in inputs
    assert "2011" in inputs
    assert CENSUS.sha256 in inputs


def test_words_that_are_used_are_explained(page):
    terms = re.findall(r"<dt>([^<]*)</dt>", page[page.index('id="glossary"') :])
    assert {"LSOA", "decile", "quadratic kappa", "out of fold"} <= set(terms)
    assert "bundle" not in terms, "a word that the page does not use"


def test_what_an_earlier_version_made_is_named(without_pairs, study):
    assert "earlier version" not in report(without_pairs, study)
    text = report(dataclasses.replace(without_pairs, outdated=["transfer_report"]), study)
    assert "transfer_report" in text[text.index('id="unavailable"') :]


def test_accounting_adds_up_to_what_is_listed(page):
    assert "unknown postcode" in page
    assert "matched to an LSOA" in page


def test_a_study_without_any_result_has_a_report_too(results, study):
    bare = [
        dataclasses.replace(each, is_evaluated=False, metrics=tables.empty(METRICS))
        for each in results.pairs
    ]
    text = report(dataclasses.replace(results, pairs=bare), study)
    assert "No pair of city and outcome has results yet" in text
    assert text.count("not made yet") == 3
    assert 'id="find"' not in text
    assert Tags(text).open == []


def test_intervals_are_told_with_their_level_and_for_whom_they_hold(results, study):
    pairs = [
        dataclasses.replace(each, made_with={**each.made_with, "Level of intervals": "0.8"})
        for each in results.pairs
    ]
    page = report(dataclasses.replace(results, pairs=tuple(pairs)), study)
    assert page.count("Decile intervals, 80% promised") == 2
    # Sixty areas in five folds are enough for four of each decile, twelve are not.
    assert page.count("The promise holds for the areas of each decile.") == 1
    assert page.count("all areas together, not for each decile") == 1
    assert '<th scope="row">3-4 locations</th>' in page


# -- colours, and what the script reads ------------------------------------------------------------


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """By WCAG's formula, calculated here."""

    def luminance(rgb):
        parts = np.array(rgb) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_in_shaded_cells_can_be_read():
    inks = {"#000": (0, 0, 0), "#fff": (255, 255, 255)}
    for share in np.linspace(0, 1, 101):
        ground, ink = re.fullmatch(r"background:rgb\((.*)\);color:(.*)", shade(share)).groups()
        assert contrast(tuple(map(int, ground.split(","))), inks[ink]) >= 4.5
    assert shade(0.0).startswith("background:rgb(255,255,255)")
    assert shade(1.0).startswith("background:rgb(8,48,107)")


def test_the_script_reads_what_is_published(page, crime_in_alpha):
    text = re.search(r'<script type="text/plain" id="data">(.*?)</script>', page, re.S)[1]
    data = json.loads(zlib.decompress(base64.b64decode(text)))
    alpha = data["cities"][0]
    (crime,) = alpha["outcomes"]
    areas = crime_in_alpha.areas
    assert [alpha["codes"][n] for n in crime["areas"]] == areas["area"].tolist()
    assert crime["predicted"] == areas["decile"].tolist()
    assert crime["upper"] == areas["upper"].tolist()
    assert crime["n"] == areas["n_locations"].tolist()
