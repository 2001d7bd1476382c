"""Of whatever study there is a report that is sound, and that names what is missing in it.

The studies are those of `bad_studies`. Asked are facts, by `pages` of all of them and here of each.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pytest

from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.reports import bad_studies
from streetineq_tests.reports.bad_studies import BAD_STUDIES, ODD_TITLE
from streetineq_tests.reports.pages import Tags, assert_sound

pytestmark = pytest.mark.slow

REPORT = "inequality_report"
# What a reader must find on the page.
TOLD = {
    "one_area": [r"Only 1 area, fewer than 30", "not tested in 2", r"^(?!.*\b1 areas( were|,))"],
    "no_boundaries": ["inputs/boundaries"],
    "boundaries_of_2021": [r"\b10 of \d+ areas\b.*boundar"],
    "some_deciles_missing": [r"\b20\b[^.]* no official decile"],
    "all_deciles_missing": ["Alpha Crime deprivation evaluated without any metric"],
    "baselines_alone": ["no metrics of the network"],
    "no_postcodes": ["postcode_lsoa"],
    "nothing_predicted": ["Alpha Crime deprivation not made yet"],
    "chain_disagrees": [r"location_predictions\[beta/crime\] was not made of the trained_model"],
    "odd_titles": [re.escape(ODD_TITLE)],
    "nothing_made": ["No pair of city and outcome has results yet"],
    "equal_scores": ["[Aa]ll 60 areas have the same score"],
    "one_city_without_results": ["Beta Crime deprivation not made yet"],
}
# Name of a check that does not hold, and a fact of its description.
NOT_HELD = {
    "one_area": ("ahead_of_baselines", "the lead has no interval in alpha/crime"),
    "no_boundaries": ("areas_placed", "inputs/boundaries holds no file"),
    "boundaries_of_2021": ("areas_placed", "10 of 72 predicted areas have no boundary"),
    "nothing_predicted": ("pairs_available", "alpha/crime (not made yet)"),
    "all_deciles_missing": ("pairs_available", "alpha/crime"),
    "chain_disagrees": ("chains_agree", "lsoa_evaluation[beta/crime]"),
    "nothing_made": ("pairs_available", "3 of 3 pairs"),
    "equal_scores": ("ahead_of_baselines", "alpha/crime by map_best"),
    "one_city_without_results": ("pairs_available", "beta/crime (not made yet)"),
}


class Report(NamedTuple):
    """The report of a study.

    Attributes:
        file: with its other files beside it.
        checks: those of the asset.
    """

    file: Path
    checks: dict

    @property
    def page(self) -> Tags:
        return Tags(self.file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report_of(tmp_path_factory):
    """Makes the report of a study by its name, once."""

    @cache
    def make(name: str) -> Report:
        store = getattr(bad_studies, name)(tmp_path_factory.mktemp(name) / "study")
        made = harness.run(store, REPORT)
        return Report(store.open(REPORT).file("report.html"), harness.checks(made))

    return make


def facts(table):
    return [(name, fact) for name, found in table.items() for fact in found]


@pytest.mark.parametrize("name", [each.__name__ for each in BAD_STUDIES])
def test_the_report_of_any_study_is_sound(report_of, name):
    assert_sound(report_of(name).file)


@pytest.mark.parametrize(("name", "fact"), facts(TOLD))
def test_the_page_tells_what_is_missing(report_of, name, fact):
    assert re.search(fact, report_of(name).page.text)


@pytest.mark.parametrize(("name", "check"), NOT_HELD.items())
def test_a_check_names_it(report_of, name, check):
    found = report_of(name).checks[check[0]]
    assert not found.passed
    assert check[1] in found.description


@pytest.mark.parametrize(
    ("odd", "plain"), [("odd_titles", "no_boundaries"), ("odd_names", "no_postcodes")]
)
def test_what_users_write_is_text_and_no_markup(report_of, odd, plain):
    of_odd, of_plain = report_of(odd).page, report_of(plain).page
    assert [tag for tag, _ in of_odd.found] == [tag for tag, _ in of_plain.found]


def test_boundaries_are_the_same_in_any_system_that_their_file_names(report_of):
    degrees, mercator = (
        gpd.read_parquet(_packed_map(report_of(name)))
        for name in ("boundaries_in_degrees", "boundaries_in_web_mercator")
    )
    assert len(degrees) == 72
    assert degrees.geometry.geom_equals_exact(mercator.geometry, tolerance=1e-5).all()
    assert report_of("boundaries_in_web_mercator").checks["areas_placed"].passed


def _packed_map(report: Report) -> Path:
    store = DataStore(report.file.parents[2])
    harness.run(store, "evidence_pack")
    return store.open("evidence_pack").file("lsoa_map.parquet")
