"""Cells as people write them: read where there is one way to read them, else refused."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.location_cells import (
    day_reader,
    degrees,
    postcodes,
    text_or_none,
)

MINUS = ["-", "\u2212", "\u2013", "\u2011"]
NOTHING = ["", "nan", "NaN", "NA", "N/A", "#N/A", "NULL", "None", "-"]


def longitude(text):
    return degrees(text, low=-9, high=2.5)


@given(st.floats(-9, 2.5))
def test_every_longitude_is_read_as_python_and_pandas_write_it(value):
    assert longitude(repr(value)) == value
    assert longitude(f"{value:.9g}") == float(f"{value:.9g}")


@given(st.floats(0.0001, 2.4), st.sampled_from(MINUS), st.sampled_from([".", ","]))
def test_signs_and_decimal_marks_are_read_whatever_they_look_like(value, minus, mark):
    text = f"{value:.6f}".replace(".", mark)
    assert longitude(minus + text) == -float(f"{value:.6f}")
    assert longitude("+" + text) == longitude(text) == float(f"{value:.6f}")


def test_a_longitude_beside_the_meridian_is_read():
    assert longitude("-5e-05") == longitude("-5,0E-05") == -0.00005
    assert longitude("-.01") == -0.01
    assert longitude("1.") == 1


@pytest.mark.parametrize("text", ["51.4", "west", "530000", "0.1.2", "1e3", "1,234,567", "0 1"])
def test_what_is_no_longitude_of_the_kingdom_is_refused(text):
    with pytest.raises(ValueError, match=r"-9 to 2\.5"):
        longitude(text)


@pytest.mark.parametrize("text", ["0", "0.0", "-0", "0e0"])
def test_a_latitude_of_zero_is_that_of_a_device_that_knows_none(text):
    with pytest.raises(ValueError, match="leave lat and lon of such a location empty"):
        degrees(text, low=49, high=61.5)
    assert longitude(text) == 0  # Greenwich


@pytest.mark.parametrize("text", NOTHING)
def test_words_for_nothing_are_nothing(text):
    assert longitude(text) is None
    assert text_or_none(text) is None
    assert day_reader([text])(text) is None


@pytest.mark.parametrize(
    "text",
    ["2016-07-21", "2016/07/21", "2016-7-21", "20160721", "21/07/2016", "07/21/2016", "21.7.2016",
     "21 July 2016", "21-Jul-2016", "2016-07-21T10:30:00Z", "2016-07-21 10:30:00.123+01:00",
     "2016-07-21T00:00:00", "21/07/2016 10:30", "1469097000000"],
)  # fmt: skip
def test_a_day_is_read_in_every_form_that_is_plain(text):
    assert day_reader([text])(text) == dt.date(2016, 7, 21)


@pytest.mark.parametrize("text", ["2016-07", "July 2016", "Jul 2016", "2016/07"])
def test_a_month_is_its_first_day(text):
    assert day_reader([text])(text) == dt.date(2016, 7, 1)


@pytest.mark.parametrize(
    "text",
    ["2016-07 to 2017-03", "2016-07-21 - 2017-03-01", "2016-07-21 2017-03-01", "2016", "summer",
     "04/07/2016", "21/07/16", "Jul-16", "42572", "2016-13", "2016-02-30", "31/02/2016"],
)  # fmt: skip
def test_what_is_no_single_day_is_refused(text):
    with pytest.raises(ValueError, match="2016-07-21"):
        day_reader([text])(text)


@given(st.lists(st.dates(dt.date(2008, 1, 1), dt.date(2024, 12, 31)), min_size=1))
def test_a_column_of_days_first_is_read_right_or_not_at_all(days):
    texts = [f"{day:%d/%m/%Y}" for day in days]
    read = day_reader(texts)
    if any(day.day > 12 for day in days):
        assert [read(text) for text in texts] == days
    else:
        ambiguous = [text for text, day in zip(texts, days, strict=True) if day.day != day.month]
        for text in ambiguous:
            with pytest.raises(ValueError, match="one way"):
                read(text)


def test_days_and_months_first_in_one_column_are_refused():
    read = day_reader(["21/07/2016", "07/22/2016"])
    with pytest.raises(ValueError, match="one way"):
        read("21/07/2016")


@pytest.mark.parametrize(
    "cell",
    ["BR1 1AA; W1A 1AB", "BR1 1AA,W1A 1AB", "br1 1aa / w1a 1ab", "BR11AA W1A1AB",
     "BR1 1AA and W1A 1AB", "BR1\u00a01AA\nW1A\u00a01AB"],
)  # fmt: skip
def test_two_postcodes_in_a_cell_are_two(cell):
    assert [each.replace("\u00a0", "").replace(" ", "") for each in postcodes(cell)] == [
        "BR11AA",
        "W1A1AB",
    ]


@pytest.mark.parametrize("cell", ["", "BR1 1AA", "BR1-1AA", "nonsense", "BR1 1AA, London"])
def test_a_cell_of_anything_else_stays_whole(cell):
    assert postcodes(cell) == [cell]
