"""Ids of locations: what a program spoilt is refused, what it may have changed is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.location_ids import (
    checked_id,
    plain_form,
    rounded_id,
    same_but_for_form,
)

IDS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)


@pytest.mark.parametrize(
    "text",
    ["1.23457E+14", "1,23457E+14", "1.2e+05", "1E-05", "-1.5e+10", "1-Jan", "01-jan", "Jan-07",
     "12-Mar-16", "2016-03-01 00:00:00", "2016-03-01T00:00:00", "#REF!", "#NAME?", "#N/A", "#####",
     "nan", "NaN", "None", "NULL", "<NA>", "Total", "Grand total", "TOTALS: 12", "subtotal",
     "Sum", "Average", "location_id", "Location ID", "", "a/b", "a\\b"],
)  # fmt: skip
def test_what_a_program_made_is_no_id(text):
    with pytest.raises(ValueError, match=r"\w"):
        checked_id(text)


@pytest.mark.parametrize(
    "text",
    ["7", "0007", "12.0", "loc-1", "1e5", "12E05", "4f1e-7", "2016-03-01", "1-Janet", "Totnes",
     "total-garage-3", "CAoSLEFGMVFpcE", "123456789012001", "é", "Nancy", "#7-b"],
)  # fmt: skip
def test_what_may_be_an_id_is_kept_as_written(text):
    assert checked_id(text) == text


@given(st.integers(10**15, 10**17), st.integers(2, 9))
def test_a_number_that_was_shortened_is_refused_in_any_form(number, digits):
    for form in (f"{number:.{digits}E}", f"{number:.{digits}e}", repr(float(number * 10))):
        with pytest.raises(ValueError, match="shortened"):
            checked_id(form)


@given(st.integers(0, 10**15), st.integers(0, 20))
def test_forms_of_a_number_are_one(number, width):
    plain = str(number)
    for form in (plain.zfill(width), f"{number}.0", f"{number:,}", f"{plain.zfill(width)}.00"):
        assert plain_form(form) == plain


@given(IDS)
def test_the_plain_form_is_its_own_and_hides_case(text):
    assert plain_form(plain_form(text)) == plain_form(text)
    assert plain_form(text.upper().lower()) == plain_form(text.upper())


def test_accents_in_two_unicode_forms_are_one():
    assert plain_form("Caf\u00e9") == plain_form("cafe\u0301")


@given(st.lists(st.integers(0, 10**6), unique=True), st.data())
def test_different_numbers_are_never_taken_for_one(numbers, data):
    forms = [str(n) + data.draw(st.sampled_from(["", ".0"])) for n in numbers]
    assert same_but_for_form(forms) is None


def test_the_first_two_that_differ_in_form_alone_are_found():
    assert same_but_for_form(["7", "0012", "7", "12.0", "12"]) == ("0012", "12.0")


@given(st.lists(st.integers(10**14, 10**15 - 1), min_size=2, max_size=5, unique=True))
def test_rounding_to_fifteen_digits_is_seen(numbers):
    rounded = [f"{number}00" for number in numbers]
    assert rounded_id(rounded) == min(rounded)
    assert rounded_id([*rounded, "98765432109876543"]) is None
    assert rounded_id(map(str, numbers)) is None
