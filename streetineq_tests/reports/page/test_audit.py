"""What a city's results rest on, in the report: shown as published, and left out once outdated."""

import re

import pandas as pd
import pytest

from streetineq_assets.audit.data_audit import AUDIT_FILES
from streetineq_assets.reports.results import read_results
from streetineq_assets.study import Study
from streetineq_assets.tables import conform, empty
from streetineq_tests import harness
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.page.rendered import report

AUDIT = {
    "is_modelled": True,
    "described_from": "2012-04-01",
    "described_to": "2013-03-31",
    "n_locations": 181,
    "n_dated": 150,
    "years_after": 3.94,
    "years_apart": 4.0,
    "n_lsoas": 60,
    "n_ranked": 57,
    "share_ranked": 0.95,
    "mean_decile_ranked": 5.71,
    "difference": 0.12,
    "lower": -0.03,
    "upper": 0.27,
    "p_value": 0.1,
    "n_msoas": 12,
}
RIGHTS = {
    "provider": "mapillary",
    "licence": "CC-BY-SA-4.0",
    "as_written": '"Mapillary", "CC BY-SA 4.0"',
    "n_locations": 181,
    "store_images": "yes",
    "derive_codes": "yes",
    "publish_codes": "yes",
    "show_images": "yes",
    "conditions": "attribution <and more>",
    "source": "https://example.org",
    "agreement": None,
}


def audit_tables():
    deciles = pd.DataFrame({"actual": range(1, 11), "n_lsoas": 6, "n_ranked": 3})
    frames = {
        "data_audit": pd.DataFrame([AUDIT]),
        "coverage_by_decile": deciles.assign(share_ranked=[0.41, *[0.5] * 8, float("nan")]),
        "capture_years": pd.DataFrame(
            {"year": pd.array([2014, None], dtype="Int16"), "n_locations": [150, 31]}
        ),
        "image_rights": pd.DataFrame([RIGHTS]),
    }
    return {
        name: (conform(frame.assign(city="alpha", outcome="crime"), AUDIT_FILES[name]),
               AUDIT_FILES[name])
        for name, frame in frames.items()
    }  # fmt: skip


def render(store, study):
    return report(read_results(store, study), study)


def words(text):
    """The report's text without tags, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@pytest.fixture
def audited(store):
    made_up_study.publish(store, "data_audit", "alpha", audit_tables(), reads=("locations",))
    return store


def test_rights_dates_and_coverage_are_shown(audited, study):
    text = words(render(audited, study).split('id="alpha-audit"')[1].split("<h3")[0])
    for part in (
        "mapillary &#34;Mapillary&#34;, &#34;CC BY-SA 4.0&#34; CC-BY-SA-4.0 181",
        "attribution &lt;and more&gt;",
        "Year 2014 unknown",
        "Locations 150 31",
        "Crime deprivation modelled, 2012-04-01 to 2013-03-31 +3.9 60 57 95%",
        "95% 5.71 +0.12 -0.03 to +0.27",
        "41% 50%",
    ):
        assert part in text
    assert text.rstrip().endswith("none")  # of an empty decile


def test_a_city_without_an_audit_has_no_section(results, study):
    assert "-audit" not in report(results, study)


def test_an_audit_without_rows_has_no_section(store, study):
    nothing = {name: (empty(fields), fields) for name, fields in AUDIT_FILES.items()}
    made_up_study.publish(store, "data_audit", "alpha", nothing, reads=())
    assert "-audit" not in render(store, study)


def test_an_audit_of_other_locations_is_left_out_and_named(audited, study):
    harness.publish_again(audited, "locations", "alpha", changes={"weight": 9})
    read = read_results(audited, study)
    assert "data_audit[alpha]" in read.history.left_out
    assert not read.cities[0].audit
    text = report(read, study)
    assert "-audit" not in text
    assert "data_audit[alpha]" in text


def test_a_modelled_outcome_says_so_wherever_it_stands(results, study):
    text = words(report(results, study))
    assert "Alpha Crime deprivation (modelled)" in text  # in the summary
    assert re.search(r"Crime deprivation \(modelled\) +Modelled: rates of small areas", text)
    assert "A model predicts a model here" in text


def test_figures_of_a_place_stand_in_a_real_studys_report_alone(results, study):
    cities = {
        key: city.model_copy(update={"authorities": tuple(f"E09{n:06d}" for n in range(1, 34))})
        for key, city in study.cities.items()
    }

    def shown(synthetic: bool) -> str:
        settings: Study = study.model_copy(update={"cities": cities, "synthetic": synthetic})
        return words(report(results, settings))

    assert "Suel, Polak, Bennett and Ezzati" not in shown(synthetic=True)
    text = shown(synthetic=False)
    assert "Crime deprivation 0.57 pearson a fifth held out 0.80, folds by area no:" in text
    assert "Mean income 0.86 pearson a fifth held out no:" in text
