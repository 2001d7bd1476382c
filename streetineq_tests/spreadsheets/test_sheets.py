"""Sheets are read lazily: heads at once, all rows when asked, alike from text and workbook."""

import datetime as dt
import gzip
import zipfile

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import SourceError
from streetineq_assets.spreadsheets import sheets
from streetineq_assets.spreadsheets.columns import read_columns
from streetineq_assets.spreadsheets.sheets import HEAD_ROWS, read_sheets

N_ROWS = 3 * HEAD_ROWS
ROWS = [["code", "count"], *([f"E{n}", str(n)] for n in range(2, N_ROWS + 1))]


def as_csv(path, rows=ROWS):
    path.write_text("\n".join(",".join(row) for row in rows))


def as_gzip(path):
    path.write_bytes(gzip.compress("\n".join(",".join(row) for row in ROWS).encode()))


def as_workbook(path, rows=ROWS):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([float(cell) if cell.isdigit() else cell for cell in row])
    book.save(path)


@pytest.mark.parametrize("write", [as_csv, as_gzip, as_workbook])
def test_rows_below_the_head_are_read_each_time_that_they_are_asked_for(tmp_path, write):
    write(tmp_path / "file")
    (sheet,) = read_sheets(tmp_path / "file")
    numbered = list(enumerate(ROWS, 1))
    assert sheet.head == numbered[:HEAD_ROWS]
    assert list(sheet.rows()) == numbered
    assert list(sheet.rows()) == numbered
    columns = read_columns(sheet, sheet.head[0], [1])
    assert columns.texts[1].to_pylist() == [row[1] for row in ROWS[1:]]


def test_a_text_is_not_read_below_its_head_until_it_is_asked_for(tmp_path, monkeypatch):
    asked = []
    read_bytes = sheets.read_bytes
    monkeypatch.setattr(
        sheets,
        "read_bytes",
        lambda path, limit=None: asked.append(limit) or read_bytes(path, limit),
    )
    as_csv(tmp_path / "file")
    (sheet,) = read_sheets(tmp_path / "file")
    assert None not in asked
    assert len(list(sheet.rows())) == N_ROWS
    assert asked[-1] is None


@pytest.mark.parametrize("row", [5, N_ROWS])
def test_a_fault_is_reported_by_the_rows_with_its_line(tmp_path, row):
    as_csv(tmp_path / "file", [*ROWS[: row - 1], ['a "quotation" mark', '"open"x'], *ROWS[row:]])
    (sheet,) = read_sheets(tmp_path / "file")
    with pytest.raises(SourceError, match=f"file, line {row}:"):
        list(sheet.rows())


@pytest.mark.parametrize("row", [5, N_ROWS])
def test_a_remark_beside_the_table_of_a_workbook_is_no_column(tmp_path, row):
    remark = [*ROWS[row - 1], "", "", "checked"]
    as_workbook(tmp_path / "file", [*ROWS[: row - 1], remark, *ROWS[row:]])
    (sheet,) = read_sheets(tmp_path / "file")
    columns = read_columns(sheet, sheet.head[0], [0])
    assert columns.texts[0].to_pylist() == [row[0] for row in ROWS[1:]]


def test_the_cells_of_a_workbook_read_as_those_of_a_text(tmp_path):
    book = openpyxl.Workbook()
    book.active.append([70480.0, 0.5, None, dt.datetime(2017, 8, 1), True])
    book.save(tmp_path / "file")
    (sheet,) = read_sheets(tmp_path / "file")
    assert sheet.head == [(1, ["70480", "0.5", "", "2017-08-01T00:00:00", "True"])]


# A byte order mark, and what it looks like where it was read as Latin-1, as cp437, as Windows'
# Cyrillic or on an old Mac, each saved as UTF-8.
MARKS = [
    "\ufeff",
    "\u00ef\u00bb\u00bf",
    "\u2229\u2557\u2510",
    "\u043f\u00bb\u0457",
    "\u00d4\u00aa\u00f8",
]


@given(st.lists(st.sampled_from(MARKS), max_size=4))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_byte_order_marks_are_left_out_however_many_and_however_misread(tmp_path, marks):
    text = "\n".join(",".join(row) for row in ROWS)
    (tmp_path / "file").write_text("".join(marks) + text, encoding="utf-8")
    (sheet,) = read_sheets(tmp_path / "file")
    assert list(sheet.rows()) == list(enumerate(ROWS, 1))


def test_a_web_page_behind_two_marks_is_one(tmp_path):
    (tmp_path / "file").write_text("\ufeff\ufeff<html>", encoding="utf-8")
    with pytest.raises(SourceError, match="web page"):
        read_sheets(tmp_path / "file")


@pytest.mark.parametrize(
    ("member", "content", "says"),
    [
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet", "OpenDocument.*XLSX"),
        ("xl/workbook.bin", "", "XLSB.*XLSX"),
        ("table.csv", "a,b", "ZIP archive: unpack"),
    ],
)
def test_other_kinds_of_workbooks_are_named(tmp_path, member, content, says):
    with zipfile.ZipFile(tmp_path / "file", "w") as archive:
        archive.writestr(member, content)
    with pytest.raises(SourceError, match=f"file is .*{says}"):
        read_sheets(tmp_path / "file")
