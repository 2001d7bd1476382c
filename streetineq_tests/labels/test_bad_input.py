"""What is wrong with a file is said in one sentence that names the file, the line and the remedy.

That a fault leaves the published files alone is in `test_assets`.
"""

import csv
import gzip
import io
import re
import zipfile

import duckdb
import pytest

from streetineq_assets.errors import StreetineqError
from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import (
    city_areas,
    refuse_no_area,
    write_postcodes,
)
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import AREAS, STUDIED

CENSUS = "census/QS302EW.csv"
FILE_7 = "iod/File_7.csv"
INCOME = "household_income/income.csv"
DIRECTORY = "onspd/ONSPD_AUG_2017_UK.csv"
HTML = "<!DOCTYPE html>\n<html><head><title>Download</title></head><body>Sign in</body></html>"


def replace(old, new, count=1):
    """A change of the file's text that must hit something."""

    def change(text):
        assert old in text
        return text.replace(old, new, count)

    return change


def repeat_row(code):
    def change(text):
        (row,) = [line for line in text.splitlines() if code in line]
        return text.replace(row, f"{row}\n{row}")

    return change


def without_column(name):
    """The CSV without one column."""

    def change(text):
        lines = [line.split(",") for line in text.splitlines()]
        place = lines[0].index(name)
        return "\n".join(",".join(c for i, c in enumerate(line) if i != place) for line in lines)

    return change


def every_value(text, place=-1):
    """All cells of one column of File 7 or the incomes emptied."""
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows[1:]:
        row[place] = ""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue()


CASES = {
    "a heading is missing, and those that look alike are listed": (
        CENSUS,
        replace('"Very bad health"', '"Very bad helth"'),
        r'line 9: QS302EW.*"Very bad health".*"Very bad helth"',
    ),
    "the total is missing": (
        CENSUS,
        replace('"All categories: General health"', '"Everyone"'),
        r'line 9: QS302EW.*"All categories: General health"',
    ),
    "a domain is missing": (
        FILE_7,
        replace("Crime Rank (where 1 is most deprived)", "Crime Position"),
        r'line 1: File 7.*"Crime Rank \(where 1 is most deprived\)"',
    ),
    "text in a count": (
        CENSUS,
        replace(f",{official.BAD[2]},{official.VERY_BAD[2]}\n", f",n/a,{official.VERY_BAD[2]}\n"),
        r"""QS302EW\.csv, line 13, column "Bad health": 'n/a' .* count.*correct the cell""",
    ),
    "a negative count": (
        CENSUS,
        replace(f",{official.BAD[2]},{official.VERY_BAD[2]}\n", f",-4,{official.VERY_BAD[2]}\n"),
        r"""line 13, column "Bad health": '-4' is negative""",
    ),
    "a share above 1": (
        CENSUS,
        replace(f",{official.BAD[2]},{official.VERY_BAD[2]}\n", ",9000,3\n"),
        r"line 13: 9003 of \d+ .* above 1",
    ),
    "a rank that is none": (
        FILE_7,
        replace(f",{official.RANKS['Crime'][0]},", ",12.5,"),
        r"""line 2, column "Crime Rank.*'12\.5' .* rank""",
    ),
    "an income that is none": (
        INCOME,
        replace(f'"?{official.MEAN[0]:,}"', "withheld"),
        r"""line 2, column "Mean 2012/13": 'withheld' .* money""",
    ),
    "the same LSOA twice": (
        CENSUS,
        repeat_row("E01000003"),
        r"line 14: E01000003 .*twice.*line 13",
    ),
    "a code of the wrong shape": (
        CENSUS,
        replace('"E01000003"', '"E02000003"'),
        r"line 13, column \"mnemonic\": 'E02000003' .*LSOA",
    ),
    "areas of the wrong level": (
        CENSUS,
        replace("lower layer", "middle layer"),
        r"line 9: .*middle layer.*choose .*lower layer",
    ),
    "areas without their codes": (
        CENSUS,
        lambda text: re.sub(r',"(mnemonic|E01[0-9]{6})"', "", text),
        r'QS302EW\.csv, line 9: .*"mnemonic".*area codes',
    ),
    "two tables in one file": (
        CENSUS,
        lambda text: text + text,
        r"QS302EW\.csv, line 65: .*second table",
    ),
    "one sex alone": (
        CENSUS,
        replace('"Date       :","2011"', '"Sex        :","Males"'),
        r'line 6: .*"Sex: Males".*choose "All persons"',
    ),
    "urban areas alone": (
        CENSUS,
        replace('"Rural Urban:","Total"', '"Rural Urban:","Urban (total)"'),
        r'line 7: .*"Rural Urban: Urban \(total\)".*choose "Total"',
    ),
    "an empty file": (CENSUS, lambda text: "", r"QS302EW\.csv is empty"),
    "a header without areas": (
        FILE_7,
        lambda text: text.splitlines()[0] + "\n",
        r"File_7\.csv .*no areas",
    ),
    "a web page": (CENSUS, lambda text: HTML, r"QS302EW\.csv is a web page"),
    "a row that was cut off": (
        FILE_7,
        lambda text: text[: text.rindex(",", 0, len(text) - 40)] + "\n",
        r"File_7\.csv, line \d+: \d+ columns .*\d+.*cut off",
    ),
    "an amount whose comma is not in quotation marks": (
        INCOME,
        lambda text: text.replace('"', ""),
        r"income\.csv, line 2: 12 columns .*8: .*comma.*quotation marks",
    ),
    "one cell more in one row": (
        CENSUS,
        replace("Place E01000005", 'Place", "E01000005'),
        r"QS302EW\.csv, line 15: 9 columns .*8",
    ),
    "a stray quotation mark": (
        FILE_7,
        replace("Place E01000005", '"Place" E01000005'),
        r"File_7\.csv, line 6: not valid CSV",
    ),
    "an outcome without any value": (
        INCOME,
        every_value,
        r"income\.csv: median_income is empty",
    ),
    "the files hold no area of any city": (
        INCOME,
        lambda text: text.replace("E0100", "E0199"),
        r"income\.csv .*mean_income.*alpha",
    ),
    "a damaged workbook": (
        FILE_7,
        lambda text: "PK\x03\x04" + text,
        r"File_7\.csv is a damaged workbook",
    ),
}


def faults_of_labels(inputs):
    """What making labels of these files says."""
    with pytest.raises(StreetineqError) as caught:
        build_tables(read_sources(find_sources(inputs)), AREAS, STUDIED)
    return str(caught.value)


def faults_of_directory(inputs):
    """What making the table of postcodes says."""
    with pytest.raises(StreetineqError) as caught:
        write_table(inputs)
    return str(caught.value)


def write_table(inputs):
    table = inputs / "postcode_lsoa.parquet"
    with duckdb.connect() as connection:
        directory = find_directory(inputs / "onspd")
        write_postcodes(connection, directory, official.AUTHORITIES, table)
        refuse_no_area(city_areas(connection, table), directory, official.AUTHORITIES)


def assert_says(message, pattern):
    assert re.search(pattern, message), message
    assert "\n" not in message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_labels(inputs, case):
    name, change, pattern = CASES[case]
    path = inputs / name
    official.write(path, change(path.read_text(encoding="utf-8")))
    assert_says(faults_of_labels(inputs), pattern)


DIRECTORY_CASES = {
    "an edition without the areas of 2011": (
        replace('"lsoa11"', '"lsoa12"'),
        r'ONSPD_AUG_2017_UK\.csv.*"lsoa11" or "lsoa11cd".*"lsoa12"',
    ),
    "a renamed column of dates": (
        replace('"doterm"', '"doterms"'),
        r'ONSPD_AUG_2017_UK\.csv.*"doterm".*"doterms"',
    ),
    "postcodes under another name": (
        lambda text: re.sub('"pcd2?"|"pcds"', '"post"', text),
        r'ONSPD_AUG_2017_UK\.csv.*"pcds" or "pcd8"',
    ),
    "text where a date belongs": (
        replace('"198001"', '"long ago"'),
        r"""ONSPD_AUG_2017_UK\.csv, line 2, column introduced: .*long ago""",
    ),
    "a line that was cut off": (
        lambda text: text[: text.rindex(",")] + "\n",
        r"ONSPD_AUG_2017_UK\.csv, line 172: .*50.*49",
    ),
    "a postcode twice": (
        repeat_row("AB2 1AA"),
        r"postcode AB2 1AA .*twice.*ONSPD_AUG_2017_UK\.csv",
    ),
    "a postcode that is none": (
        replace('"AB3 1AA"', '"AB3 1a-"', count=-1),
        r"ONSPD.*'AB3 1a-'.*'E01000003'",
    ),
    "an LSOA that is none": (
        replace('"E01000003"', '"E01-3"'),
        r"ONSPD.*'AB3 1AA'.*'E01-3'",
    ),
    "a web page": (lambda text: HTML, r"ONSPD.*web page"),
    "an answer in XML": (
        lambda text: '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        r"ONSPD.*web page",
    ),
    "an empty file": (lambda text: " \n", r"is empty"),
    "no city of the study": (
        lambda text: text.replace("E09000001", "E06000001").replace("E08000025", "E06000002"),
        r"ONSPD.*no postcode .*the study's 2 local authorities",
    ),
}


@pytest.mark.parametrize("case", DIRECTORY_CASES, ids=lambda case: case.replace(" ", "-"))
def test_postcodes(inputs, case):
    change, pattern = DIRECTORY_CASES[case]
    path = inputs / DIRECTORY
    official.write(path, change(path.read_text(encoding="utf-8")))
    assert_says(faults_of_directory(inputs), pattern)


@pytest.mark.parametrize(
    ("name", "faults"), [(CENSUS, faults_of_labels), (DIRECTORY, faults_of_directory)]
)
def test_a_truncated_gzip(inputs, name, faults):
    path = inputs / name
    whole = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_suffix(".csv.gz").write_bytes(whole[: len(whole) // 2])
    assert_says(faults(inputs), rf"{path.stem}\.csv\.gz.*gzip.*download it again")


def test_a_gzip_that_is_damaged_below_the_head(inputs):
    path = inputs / CENSUS
    filler = "".join(f'"","{i} {i * i}"\n' for i in range(30_000))
    whole = gzip.compress((path.read_text() + filler).encode())
    path.write_bytes(whole[: len(whole) - 1000])
    assert find_sources(inputs).problems == ()
    assert_says(faults_of_labels(inputs), r"QS302EW\.csv.*gzip.*download it again")


def test_an_archive_that_was_not_unpacked(inputs):
    with zipfile.ZipFile(inputs / "iod" / "download.zip", "w") as archive:
        archive.writestr("File_7.csv", official.file_7())
    assert_says(faults_of_labels(inputs), r"download\.zip is a ZIP archive: unpack it")


def test_two_editions_of_the_directory_in_one_folder(inputs):
    official.write(inputs / "onspd/2025.csv", official.directory("2025"))
    assert_says(faults_of_directory(inputs), r"2025\.csv and .*2017_UK\.csv .*two editions")


def test_no_directory_at_all_names_the_file_that_is_wanted(inputs):
    (inputs / DIRECTORY).unlink()
    assert_says(faults_of_directory(inputs), r"inputs/onspd.*ONS Postcode Directory")
