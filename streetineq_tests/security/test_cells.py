"""No cell of an export is a formula, and every text can be had back."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streetineq_assets.reports.exports import as_written, write_csv

COUNTED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
CELLS = st.one_of(st.text(CHARACTERS), st.text("=+-@'\t\r\n 1.\uff1d\uff20a\"", max_size=6))
FORMULAS = ["=1+1", "@SUM(A1)", "+A1", "-A1", "\t=1", " =1", "\uff1d1+1", '=HYPERLINK("x")', "-1\n"]
# Plain numbers, which a spreadsheet takes for what they are.
NUMBERS = ["-5", "+1.5", "-0.25"]


def cells(texts, *, column="text"):
    """The header and the cells of a file as a program reads them that knows only of CSV."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        write_csv(pd.DataFrame({column: texts}).astype({column: "str"}), path)
        with path.open(encoding="utf-8", newline="") as file:
            (header,), *rows = csv.reader(file)
    return header, [row[0] if row else "" for row in rows]


def is_formula(cell):
    return cell not in NUMBERS and cell.lstrip()[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20")


@COUNTED
@given(st.lists(CELLS, min_size=1))
@example(FORMULAS)
@example(["'" + text for text in FORMULAS])
@example(["a\r=1+1", "a\n=1+1"])
@example(["''=1", "'", "''", "'a", *NUMBERS, "'-5"])
def test_any_text_is_no_formula_and_reads_back(attempt, texts):
    texts = [text for text in texts if not _is_a_number(text)] or ["a"]
    _, written = cells(texts)
    for text, cell in zip(texts, written, strict=True):
        attempt.fails(not is_formula(cell), text)
        assert as_written(cell) == text


def _is_a_number(text):
    """Such as -5e0 is not among what is exported as a number, and so is a text here."""
    return text[:1] in ("+", "-") and text[1:].replace(".", "", 1).isascii() and text[1:].isdigit()


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_stay_numbers(text):
    assert cells([text])[1] == [text]


@pytest.mark.parametrize("name", FORMULAS[:4])
def test_a_columns_name_is_no_formula(attempt, name):
    """Whoever asks the warehouse names columns."""
    header, _ = cells(["a"], column=name)
    attempt.fails(header == f"'{name}", header)
