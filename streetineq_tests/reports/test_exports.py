"""CSV files that read back, and that no spreadsheet calculates."""

import csv
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports import exports


def test_the_csv_reads_back(results, tmp_path):
    exports.write_csv(results.areas, tmp_path / "a.csv")
    back = pd.read_csv(tmp_path / "a.csv", dtype={"area": "str"})
    assert back.columns.tolist() == LSOA_PREDICTIONS.names
    assert back["decile"].tolist() == results.areas["decile"].tolist()
    assert back["score"].to_numpy() == pytest.approx(results.areas["score"].to_numpy(), rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))))
@example(["=1+1", " =1+1", "+44 20", "-x", "@SUM(A1)", "\t=1", "-5", "-0.5", "-", "E01", "", "''="])
def test_no_text_of_a_csv_is_a_formula_and_all_of_it_is_there(cells):
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        frame = pd.DataFrame({"text": cells, "number": -1.5}).astype({"text": "str"})
        exports.write_csv(frame, path)
        with path.open(encoding="utf-8", newline="") as file:
            _, *rows = csv.reader(file)
    for cell, (text, number) in zip(cells, rows, strict=True):
        assert number == "-1.5"
        assert text in (cell, "'" + cell)
        assert not text.lstrip().startswith(("=", "+", "-", "@")) or is_number(text)


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) is not None
