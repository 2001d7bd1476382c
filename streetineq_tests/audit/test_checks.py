"""The checks of an audit: each has three results, and each is reached."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.audit import checks
from streetineq_assets.image_settings import Rights
from streetineq_assets.images.rights import rights_table

SOUND = {
    "outcome": "crime",
    "described_from": "2012-04-01",
    "n_locations": 100,
    "n_dated": 90,
    "years_apart": 3.0,
    "n_lsoas": 50,
    "n_msoas": 10,
    "n_ranked": 40,
    "difference": 0.02,
    "lower": -0.1,
    "upper": 0.14,
    "p_value": 0.7,
}
NAN = float("nan")


def audit(*changes):
    """Rows of a sound audit, each with some cells changed."""
    return pd.DataFrame([SOUND | change for change in changes or ({},)])


def years(*found):
    return pd.DataFrame({"year": pd.array(found, dtype="Int16"), "n_locations": 1})


# -- rights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("providers", "result"),
    [
        (["own", "mapillary"], "holds"),
        (["own", None], "does not hold"),
        ([None, "Mapilary"], "not tested"),
        ([], "not tested"),
    ],
)
def test_rights_are_known_of_all_of_some_or_of_none(providers, result):
    listed = pd.DataFrame({"provider": providers, "licence": None}, dtype="str")
    check = checks.rights_known(rights_table(listed, Rights()), Rights())
    assert check.result == result
    assert check.passed == (result == "holds")


# -- dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ([{}], "holds"),
        ([{"years_apart": 5.0}], "holds"),
        ([{}, {"years_apart": 5.1, "outcome": "education"}], "does not hold"),
        ([{}, {"years_apart": NAN, "described_from": None}], "holds"),
        ([{"years_apart": NAN, "described_from": None}], "not tested"),
        ([{"n_dated": 49}], "not tested"),
        ([{"n_dated": 0, "years_apart": NAN}], "not tested"),
        ([{"n_dated": 0, "n_locations": 0, "years_apart": NAN}], "not tested"),
    ],
)
def test_images_are_near_their_labels(changes, result):
    check = checks.captured_near_labels(audit(*changes))
    assert check.result == result
    assert check.passed == (result == "holds")


def test_the_outcome_that_is_farthest_is_named_with_its_years():
    check = checks.captured_near_labels(audit({}, {"years_apart": 7.26, "outcome": "education"}))
    assert "education" in check.description
    assert "7.3 years" in check.description
    assert "90 of 100" in check.description


@pytest.mark.parametrize(
    ("found", "result"),
    [((2008, 2018), "holds"), ((2008, 2019, None), "does not hold"), ((2016,), "holds")],
)
def test_images_are_of_one_time(found, result):
    assert checks.captured_together(audit(), years(*found)).result == result


def test_without_dates_images_are_of_no_known_time():
    check = checks.captured_together(audit({"n_dated": 0}), years(None))
    assert (check.passed, check.result) == (False, "not tested")


# -- coverage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ([{}], "holds"),
        # All areas are ranked.
        ([{"difference": 0.0, "lower": 0.0, "upper": 0.0, "p_value": 1.0}], "holds"),
        # Certain, and too small to matter.
        ([{"difference": 0.1, "lower": 0.05, "upper": 0.15, "p_value": 1e-4}], "holds"),
        ([{"difference": 0.3, "lower": 0.2, "upper": 0.4, "p_value": 1e-6}], "does not hold"),
        ([{"difference": -0.3, "lower": -0.4, "upper": -0.2, "p_value": 1e-6}], "does not hold"),
        # Chance may do it, and so it may not.
        ([{"difference": 0.2, "lower": -0.1, "upper": 0.5, "p_value": 0.2}], "not tested"),
        # One of two at the level of one alone.
        ([{}, {"difference": 0.3, "lower": 0.01, "upper": 0.6, "p_value": 0.04}], "not tested"),
        ([{"difference": 0.4, "lower": NAN, "upper": NAN, "p_value": NAN}], "not tested"),
        ([{"n_ranked": 0, "difference": NAN, "lower": NAN, "upper": NAN}], "not tested"),
        # An outcome without labels does not hide another.
        ([{"n_ranked": 0, "difference": NAN, "lower": NAN, "upper": NAN}, {}], "holds"),
    ],
)
def test_coverage_is_even(changes, result):
    check = checks.coverage_even(audit(*changes))
    assert check.result == result
    assert check.passed == (result == "holds")


def test_uneven_coverage_names_the_outcome_its_difference_and_the_remedy():
    wrong = {"outcome": "education", "difference": 0.31, "lower": 0.2, "upper": 0.42}
    check = checks.coverage_even(audit({}, wrong | {"p_value": 1e-6}))
    for part in ("1 of 2", "education", "+0.31", "+0.20 to +0.42", "40 of 50", "add images"):
        assert part in check.description


def test_an_interval_without_msoas_is_said_to_be_too_short():
    said = checks.coverage_even(audit({"n_msoas": 0})).description
    assert "too short" in said
    assert "too short" not in checks.coverage_even(audit({})).description


def test_the_limit_is_a_quarter_of_a_decile():
    """Areas of ten equal deciles, three quarters ranked, with the largest difference allowed."""
    decile = np.arange(1, 11)
    share = 0.75 + checks.MOST_DIFFERENCE * (decile - 5.5) / 9
    assert (share * decile).sum() / share.sum() - 5.5 == pytest.approx(0.25, abs=0.01)
