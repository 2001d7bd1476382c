"""Years of capture, and their distance from the time that labels describe."""

import datetime as dt

import pandas as pd
import pytest

from streetineq_assets.audit.dates import capture_years, years_after
from streetineq_assets.labels.outcomes import OUTCOMES

CAPTURED = pd.Series(pd.to_datetime(["2011-03-27", None, "2016-03-27", "2016-07-01", "2009-03-27"]))


def test_years_are_counted_and_what_is_unknown_comes_last():
    table = capture_years(CAPTURED)
    assert table["year"].tolist()[:3] == [2009, 2011, 2016]
    assert table["year"].isna().tolist() == [False, False, False, True]
    assert table["n_locations"].tolist() == [1, 1, 2, 1]


def test_no_location_has_no_year():
    assert capture_years(CAPTURED.head(0)).empty


def test_a_capture_before_the_label_has_a_negative_distance():
    years = years_after(CAPTURED, dt.date(2011, 3, 27))
    assert years.tolist() == pytest.approx([0, 5.0, 5.26, -2.0], abs=0.01)


@pytest.mark.parametrize(
    ("outcome", "edition", "first", "last"),
    [
        ("self_reported_health", "2015", "2011-03-27", "2011-03-27"),
        ("education", "2025", "2011-03-27", "2011-03-27"),
        ("crime", "2015", "2012-04-01", "2013-03-31"),
        ("crime", "2019", "2015-04-01", "2016-03-31"),
        ("mean_income", "2019", "2012-04-01", "2013-03-31"),
    ],
)
def test_labels_are_of_the_time_that_their_publisher_states(outcome, edition, first, last):
    period = OUTCOMES[outcome].period(("2011", edition))
    assert (str(period.first), str(period.last)) == (first, last)
    assert period.source


def test_an_edition_without_a_single_time_has_none():
    assert OUTCOMES["crime"].period(("2011", "2025")) is None


def test_the_middle_of_a_year_is_its_middle():
    assert OUTCOMES["crime"].period(("2011", "2015")).middle == dt.date(2012, 9, 30)
    assert str(OUTCOMES["crime"].period(("2011", "2015"))) == "1 April 2012 to 31 March 2013"
    assert str(OUTCOMES["education"].period(("2011", "2015"))) == "27 March 2011"
    assert str(OUTCOMES["education"].period(("2021", "2025"))) == "21 March 2021"


def test_counts_are_counted_and_all_else_is_modelled():
    """The Indices' domains by shrinkage estimation, the incomes by their publisher's model."""
    counted = {key for key, outcome in OUTCOMES.items() if not outcome.modelled}
    assert counted == {"self_reported_health", "occupancy_rating", "unemployment", "education"}
    for key in OUTCOMES.keys() - counted:
        assert "A model predicts a model" in OUTCOMES[key].caution
    assert not OUTCOMES["education"].caution
