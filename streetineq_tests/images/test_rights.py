"""What terms allow, in which spellings they are known, and what a study may not do."""

import re

import pandas as pd
import pytest

from streetineq_assets.image_settings import ACTS, Rights
from streetineq_assets.images.checks import rights_held
from streetineq_assets.images.rights import find_terms, known_terms, meant, rights_table


def listed(*rows):
    """Provider and licence as a list writes them, a row for each location."""
    return pd.DataFrame(rows, columns=["provider", "licence"], dtype="str")


def asked(*rows, **settings):
    rights = Rights.model_validate(settings)
    return rights_held(rights_table(listed(*rows), rights), rights)


AGREED = {
    "google": {"allows": ["store_images", "derive_codes"], "reason": "letter of 1 March 2026"}
}


@pytest.mark.parametrize(
    ("kind", "written", "name"),
    [
        ("provider", "Google", "google_street_view"),
        ("provider", "google street-view", "google_street_view"),
        ("provider", "Mapillary", "mapillary"),
        ("provider", "OpenStreetCam", "kartaview"),
        ("licence", "CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("licence", "cc_by_sa_4.0", "CC-BY-SA-4.0"),
        ("licence", "https://creativecommons.org/licenses/by-sa/4.0/deed.en", "CC-BY-SA-4.0"),
        ("licence", "http://www.creativecommons.org/licenses/by-nc/4.0/legalcode", "CC-BY-NC-4.0"),
        ("licence", "OGL v3", "OGL-UK-3.0"),
    ],
)
def test_spellings_of_one_name_are_one(kind, written, name):
    assert find_terms(kind, written).name == name


def test_a_licence_is_no_provider_and_a_version_matters():
    assert find_terms("provider", "CC0-1.0") is None
    assert find_terms("licence", "CC BY-SA") is None
    assert find_terms("licence", None) is None


@pytest.mark.parametrize(
    ("kind", "written", "name"),
    [("provider", "Gogle", "google_street_view"), ("licence", "CC BY-SA 4", "CC-BY-SA-4.0")],
)
def test_an_unknown_name_is_told_what_it_looks_like(kind, written, name):
    assert find_terms(kind, written) is None
    assert meant(kind, written) == name
    assert meant(kind, "Somebody Else's Cameras") is None


def test_no_spelling_means_two_things_and_every_answer_is_one_of_three():
    names = {}
    for (kind, _), terms in known_terms().items():
        assert terms.kind == kind
        assert set(terms.permits) == set(ACTS)
        assert set(terms.permits.values()) <= {"yes", "no", "unknown"}
        names.setdefault((kind, terms.name), terms)
        assert names[kind, terms.name] == terms
    assert len(names) > 20


def test_what_terms_forbid_has_its_source_and_the_day_on_which_it_was_read():
    forbidding = [terms for terms in known_terms().values() if "no" in terms.permits.values()]
    assert {terms.name for terms in forbidding} == {"google_street_view", "bing_streetside"}
    for terms in forbidding:
        assert terms.source.startswith("https://")
        assert re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", terms.read_on)


def test_locations_are_counted_by_provider_and_licence_most_first():
    table = rights_table(
        listed(
            ("Mapillary", "CC BY-SA 4.0"),
            ("own", None),
            ("mapillary", "CC-BY-SA-4.0"),
            (None, None),
        ),
        Rights(),
    )
    counts = table[["provider", "licence", "n_locations"]].itertuples(index=False)
    assert [tuple(row) for row in counts] == [
        ("mapillary", "CC-BY-SA-4.0", 2),
        ("own", "unknown", 1),
        ("unknown", "unknown", 1),
    ]
    assert '"Mapillary", "CC BY-SA 4.0"' in table["as_written"].iloc[0]


def test_a_free_licence_does_not_lift_what_the_provider_forbids():
    check = asked(("Google", "CC0-1.0"))
    assert check.blocking
    assert check.result == "does not hold"


def test_a_forbidden_study_is_told_of_what_and_of_three_remedies():
    check = asked(("Google", None), ("Google", None), ("own", None))
    for part in (
        "2 of 3 locations",
        "google_street_view",
        "store images or derive codes",
        "out of the list",
        "state their provider and licence",
        "[rights.agreements.google_street_view]",
    ):
        assert part in check.description
    assert check.values == {"n_locations": 3, "n_forbidden": 2, "n_unknown": 0}


def test_what_is_not_known_blocks_nothing_and_is_not_called_allowed():
    for rows in ([(None, None)], [("Panoramax", "CC BY-SA")], [("own", None), (None, None)]):
        check = asked(*rows)
        assert (check.passed, check.result) == (True, "not tested")


def test_what_is_allowed_holds():
    check = asked(("own", None), ("Panoramax", "etalab-2.0"), ("KartaView", "CC BY-SA 4.0"))
    assert check.result == "holds"


def test_a_city_without_locations_is_not_tested():
    check = asked()
    assert (check.passed, check.result) == (True, "not tested")
    assert "no location is listed" in check.description


def test_an_agreement_comes_first_and_is_recorded():
    rights = Rights.model_validate({"agreements": AGREED})
    table = rights_table(listed(("Google Street View", None)), rights)
    assert table["agreement"].tolist() == ["letter of 1 March 2026"]
    assert rights_held(table, rights).result == "holds"


def test_an_agreement_allows_what_it_names_and_nothing_else():
    check = asked(("GSV", None), agreements=AGREED, publish_codes=True)
    assert check.result == "does not hold"
    assert "may not publish codes (your agreement: letter of 1 March 2026)" in check.description


def test_an_agreement_names_a_provider_that_the_platform_does_not_know():
    agreed = {"Street Cameras Ltd": {"allows": list(ACTS), "reason": "licence 7"}}
    table = rights_table(listed(("street cameras ltd", None)), Rights(agreements=agreed))
    assert table["provider"].tolist() == ["street cameras ltd"]
    assert table["derive_codes"].tolist() == ["yes"]


def test_an_agreement_of_another_provider_changes_nothing():
    agreed = {"own": {"allows": [], "reason": "none"}}
    assert asked(("mapillary", None), agreements=agreed).result == "holds"


@pytest.mark.parametrize(("setting", "done"), [("publish_codes", False), ("show_images", True)])
def test_what_a_study_declares_is_asked_too(setting, done):
    """Of a licence without derivatives: to show is allowed, to publish codes is not settled."""
    row = ("unheard of", "CC BY-ND 4.0")
    assert asked(row).result == "holds"
    assert (asked(row, **{setting: True}).result == "holds") == done
