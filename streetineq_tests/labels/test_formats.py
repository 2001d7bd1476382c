"""Every official layout is recognised by its content and read to the same values."""

import csv
import io
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.census_tables import CENSUS_TABLES
from streetineq_assets.labels.outcomes import DOMAINS, OUTCOMES
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official

OF_TABLE = {table.published.id: table.outcome for table in CENSUS_TABLES}


def values(inputs: Path, outcome: str):
    sources = find_sources(inputs)
    assert sources.problems == ()
    return read_sources(sources)[outcome].frame["value"]


def is_share(inputs: Path, outcome: str) -> bool:
    """Whether the file below `inputs` gives the share that was written into it, for every LSOA."""
    series = values(inputs, outcome)
    return list(series.index) == official.LSOAS and np.array_equal(
        series.to_numpy(), official.SHARES[outcome]
    )


# -- the census ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", official.CENSUS)
def test_a_nomis_query_download(tmp_path, table):
    official.write(tmp_path / "census" / "a.csv", official.nomis_query(table))
    assert is_share(tmp_path, OF_TABLE[table])


@pytest.mark.parametrize("table", official.CENSUS)
def test_a_nomis_bulk_file(tmp_path, table):
    official.write(tmp_path / "census" / "bulk.csv", official.nomis_bulk(table))
    assert is_share(tmp_path, OF_TABLE[table])


def test_a_bulk_file_by_sex_counts_all_persons(tmp_path):
    official.write(tmp_path / "census" / "b.csv", official.nomis_bulk("KS601EW", by_sex=True))
    assert is_share(tmp_path, "unemployment")


@pytest.mark.parametrize("renamed", [True, False])
def test_infuse_holds_all_four_shares(tmp_path, renamed):
    official.write(tmp_path / "census" / "x.csv", official.infuse(renamed=renamed))
    assert set(find_sources(tmp_path).of("education").outcomes) == set(official.SHARES)
    assert all(is_share(tmp_path, outcome) for outcome in official.SHARES)


def test_infuse_with_one_outcome_leaves_the_others_missing(tmp_path):
    only = ("F187", "F188", "F186")
    official.write(tmp_path / "census" / "x.csv", official.infuse(only=only))
    sources = find_sources(tmp_path)
    assert sources.of("education") is not None
    assert sources.of("unemployment") is None
    assert is_share(tmp_path, "education")


def test_the_preamble_may_be_longer_and_the_title_may_be_lost(tmp_path):
    text = official.nomis_query("QS302EW", extra_lines=3)
    official.write(tmp_path / "census" / "a.csv", text)
    assert is_share(tmp_path, "self_reported_health")
    headless = text[text.index('"2011 super') :]
    official.write(tmp_path / "census" / "a.csv", headless)
    assert is_share(tmp_path, "self_reported_health")


def test_a_query_download_of_all_persons_says_so(tmp_path):
    text = official.nomis_query("KS601EW").replace('"Date       :","2011"', '"Sex :","All persons"')
    official.write(tmp_path / "census" / "a.csv", text)
    assert is_share(tmp_path, "unemployment")


def padded_rows(text: str) -> list[list[str]]:
    """The rows of a CSV as a spreadsheet holds them: all as wide as the widest."""
    rows = list(csv.reader(io.StringIO(text)))
    width = max(map(len, rows))
    return [row + [""] * (width - len(row)) for row in rows]


def padded(text: str) -> str:
    """A CSV saved again by a spreadsheet."""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(padded_rows(text))
    return sink.getvalue()


def test_a_query_download_that_a_spreadsheet_saved_again(tmp_path):
    text = official.nomis_query("QS302EW")
    official.write(tmp_path / "census" / "a.csv", padded(text))
    assert is_share(tmp_path, "self_reported_health")
    book = openpyxl.Workbook()
    for row in padded_rows(text):
        book.active.append([int(cell) if cell.isdigit() else cell or None for cell in row])
    (tmp_path / "census" / "a.csv").unlink()
    book.save(tmp_path / "census" / "a.xlsx")
    assert is_share(tmp_path, "self_reported_health")


@pytest.mark.parametrize("name", ["Place E01000001", ""])
def test_an_area_without_its_last_counts_is_no_footnote(tmp_path, name):
    row = f'"Place E01000001","E01000001",{official.RESIDENTS[0]},'
    counts = f"{official.BAD[0]},{official.VERY_BAD[0]}\n"
    text = official.nomis_query("QS302EW")
    assert text.count(row) == text.count(counts) == 1
    text = text.replace(row, row.replace("Place E01000001", name)).replace(counts, ",\n")
    official.write(tmp_path / "census" / "a.csv", padded(text))
    series = values(tmp_path, "self_reported_health")
    assert list(series.index) == official.LSOAS
    assert np.isnan(series.iloc[0])
    assert series.isna().sum() == 1


def test_rows_of_urban_and_rural_parts_are_not_areas_of_their_own(tmp_path):
    text = official.nomis_bulk("QS302EW")
    part = text.splitlines()[1].replace("Total", "Urban (total)")
    official.write(tmp_path / "census" / "a.csv", text + part + "\n")
    assert is_share(tmp_path, "self_reported_health")


@pytest.mark.parametrize(
    ("encoding", "packed", "name"),
    [
        ("utf-8", True, "a.csv.gz"),
        ("utf-8-sig", False, "a.csv"),
        ("latin-1", False, "a.csv"),
        ("utf-8", True, "gzip without its suffix.csv"),
        ("utf-8", False, "text named as a workbook.xls"),
    ],
)
def test_encodings_and_names_do_not_matter(tmp_path, encoding, packed, name):
    text = official.nomis_query("QS302EW").replace("Place E01000001", "Ynys Môn 001A")
    official.write(tmp_path / "census" / name, text, encoding=encoding, packed=packed)
    assert is_share(tmp_path, "self_reported_health")


def test_an_empty_cell_is_a_missing_value(tmp_path):
    bad = f",{official.BAD[0]},{official.VERY_BAD[0]}\n"
    text = official.nomis_query("QS302EW").replace(bad, f",,{official.VERY_BAD[0]}\n", 1)
    official.write(tmp_path / "census" / "a.csv", text)
    series = values(tmp_path, "self_reported_health")
    assert series.isna().sum() == 1
    assert np.isnan(series.iloc[0])


def test_other_census_tables_are_left_alone(tmp_path):
    text = official.nomis_query("QS302EW").replace("QS302EW - General health", "KS402EW - Tenure")
    official.write(tmp_path / "census" / "tenure.csv", text)
    sources = find_sources(tmp_path)
    assert sources.recognised == ()
    assert [path.name for path, _ in sources.ignored] == ["tenure.csv"]


# -- the Indices of Deprivation --------------------------------------------------------------------


@pytest.mark.parametrize("edition", ["2015", "2019"])
@pytest.mark.parametrize("whole", [True, False])
def test_file_7(tmp_path, edition, whole):
    official.write(tmp_path / "iod" / "f.csv", official.file_7(edition, whole=whole))
    sources = find_sources(tmp_path)
    assert sources.of("crime").edition == edition
    read = read_sources(sources)
    for outcome, domain in DOMAINS.items():
        frame = read[outcome].frame
        assert frame["national_rank"].to_list() == official.RANKS[domain].tolist()
        assert frame["value"].to_list() == official.RANKS[domain].tolist()


def test_the_ministrys_workbook(tmp_path):
    (tmp_path / "iod").mkdir()
    official.file_7_workbook(tmp_path / "iod" / "File_2.xlsx")
    expected = official.RANKS["Living Environment"].tolist()
    assert values(tmp_path, "living_environment").to_list() == expected


# -- household income ------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["?", "£", "Â£", "\ufffd", "\x9c", "£ ", ""])
def test_income_csv_whatever_became_of_the_pound_sign(tmp_path, sign):
    official.write(tmp_path / "household_income" / "g.csv", official.income_csv(sign=sign))
    assert values(tmp_path, "mean_income").to_list() == official.MEAN.tolist()
    assert values(tmp_path, "median_income").to_list() == official.MEDIAN.tolist()


def test_income_workbook(tmp_path):
    (tmp_path / "household_income").mkdir()
    official.income_workbook(tmp_path / "household_income" / "gla.xlsx")
    assert values(tmp_path, "mean_income").to_list() == official.MEAN.tolist()
    assert values(tmp_path, "median_income").to_list() == official.MEDIAN.tolist()


# -- what is present and what is missing -----------------------------------------------------------


def test_an_empty_folder_names_an_official_table_for_every_outcome(tmp_path):
    sources = find_sources(tmp_path)
    assert sources.recognised == ()
    crowding = OUTCOMES["occupancy_rating"].wanted(("2011", "2015"))
    assert "QS408EW" in crowding
    assert "Occupancy rating (rooms)" in crowding
    assert "KS403EW" in crowding
    assert "TS053" not in crowding
    assert "File 7" in OUTCOMES["crime"].wanted(("2011", "2015"))
    assert OUTCOMES["occupancy_rating"].wanted(("2021", "2025")).startswith("TS053")


def test_a_complete_set_misses_nothing(tmp_path):
    sources = find_sources(official.write_inputs(tmp_path))
    assert {key for file in sources.recognised for key in file.outcomes} == set(OUTCOMES)
    assert sources.ignored == ()
    assert {file.path.name for file in sources.recognised} >= {"File_7.csv", "income.csv"}


def book_of(path, **texts):
    """A workbook with each of the texts as a sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, text in texts.items():
        sheet = book.create_sheet(name)
        for row in csv.reader(io.StringIO(text)):
            sheet.append([int(cell) if cell.isdigit() else cell for cell in row])
    path.parent.mkdir()
    book.save(path)


def test_every_sheet_of_a_workbook_that_holds_an_outcome_is_read(tmp_path):
    health, work = official.nomis_query("QS302EW"), official.nomis_bulk("QS601EW")
    book_of(tmp_path / "census" / "both.xlsx", health=health, work=work)
    assert is_share(tmp_path, "self_reported_health")
    assert is_share(tmp_path, "unemployment")


def test_two_sheets_for_one_outcome_are_refused_and_both_are_named(tmp_path):
    editions = {f"of {edition}": official.file_7(edition) for edition in ("2015", "2019")}
    book_of(tmp_path / "iod" / "both.xlsx", **editions)
    (problem,) = find_sources(tmp_path).problems
    assert "sheet of 2015" in problem
    assert "sheet of 2019" in problem


def test_documents_and_hidden_files_are_not_looked_at(tmp_path):
    official.write_inputs(tmp_path)
    (tmp_path / "census" / "guide.pdf").write_bytes(b"%PDF-1.4\x00\x01")
    (tmp_path / "census" / ".gitkeep").write_bytes(b"")
    assert find_sources(tmp_path).problems == ()


def test_what_is_no_boundaries_and_no_lookup_is_named(tmp_path):
    for name in ("areas.shp", "areas.dbf", "areas.prj", "outline.kml"):
        official.write(tmp_path / "boundaries" / name, "x")
    official.write(tmp_path / "boundaries" / "links.csv", "LSOA11CD,LSOA21CD,CHGIND\n")
    official.write(tmp_path / "boundaries" / "wards.csv", "LSOA11CD,WD11CD\n")
    assert [path.name for path, _ in find_sources(tmp_path).ignored] == ["outline.kml", "wards.csv"]


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (official.nomis_query("QS302EW"), official.nomis_bulk("QS302EW"), "self_reported_health"),
        (official.nomis_query("QS601EW"), official.nomis_query("KS601EW"), "unemployment"),
        (official.nomis_query("KS501EW"), official.infuse(), "education"),
        (official.file_7("2015"), official.file_7("2019"), "health_deprivation"),
    ],
)
def test_two_files_for_one_outcome_are_refused_and_both_are_named(tmp_path, first, second, outcome):
    official.write(tmp_path / "census" / "one.csv", first)
    official.write(tmp_path / "iod" / "two.csv", second)
    sources = find_sources(tmp_path)
    assert len(sources.problems) == 1
    with pytest.raises(SourceError, match=rf"one\.csv .*two\.csv .*{outcome}"):
        read_sources(sources)


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_than_commas_are_named(tmp_path, mark, name):
    text = official.nomis_query("QS302EW").replace(",", mark)
    official.write(tmp_path / "census" / "health.csv", text)
    ((path, reason),) = find_sources(tmp_path).ignored
    assert path.name == "health.csv"
    assert name in reason


@pytest.mark.parametrize("flag", [b"\x01\x00", b"\x00\x00"])
def test_a_damaged_workbook_is_a_problem(tmp_path, flag):
    """Its parts marked as encrypted, or packed by a method that does not exist."""
    path = tmp_path / "census" / "health.xlsx"
    path.parent.mkdir()
    book = openpyxl.Workbook()
    book.save(path)
    data = path.read_bytes()
    method = b"\x08\x00" if flag[0] else b"\x63\x00"
    for start, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = data.split(start)
        tail = at - len(start)
        parts[1:] = [p[:tail] + flag + method + p[tail + 4 :] for p in parts[1:]]
        data = start.join(parts)
    path.write_bytes(data)
    (problem,) = find_sources(tmp_path).problems
    assert "health.xlsx is a damaged workbook" in problem


def test_folders_of_earlier_studies_are_read_too(tmp_path):
    official.write(tmp_path / "census_2011" / "a.csv", official.nomis_query("QS302EW"))
    official.write(tmp_path / "iod_2015" / "f.csv", official.file_7())
    sources = find_sources(tmp_path)
    assert {sources.folder_of(file.path) for file in sources.recognised} == {"census", "iod"}
    assert ("census", "Bad health") in sources.columns(["self_reported_health"])
