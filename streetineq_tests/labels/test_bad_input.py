"""What is wrong with a file is said in one sentence, and the last good output stays as it was."""

import csv
import gzip
import io
import re
import zipfile

import pytest

from streetineq_tests.labels import official
from streetineq_tests.labels.study import contents, failure_of, run

CENSUS = "census_2011/QS302EW.csv"
FILE_7 = "iod_2015/File_7.csv"
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
        r'line 9.*QS302EW "General health".*needs the column "Very bad health".*"Very bad helth"',
    ),
    "the total is missing": (
        CENSUS,
        replace('"All categories: General health"', '"Everyone"'),
        r'needs the column "All categories: General health"',
    ),
    "a domain is missing": (
        FILE_7,
        replace("Crime Rank (where 1 is most deprived)", "Crime Position"),
        r'File 7.*needs the column "Crime Rank \(where 1 is most deprived\)"',
    ),
    "text in a count": (
        CENSUS,
        replace(f",{official.BAD[2]},{official.VERY_BAD[2]}\n", f",n/a,{official.VERY_BAD[2]}\n"),
        r"""QS302EW\.csv, line 13, column "Bad health": 'n/a' is not a count: correct the cell""",
    ),
    "a negative count": (
        CENSUS,
        replace(f",{official.BAD[2]},{official.VERY_BAD[2]}\n", f",-4,{official.VERY_BAD[2]}\n"),
        r"""line 13, column "Bad health": '-4' is negative""",
    ),
    "a share above 1": (
        CENSUS,
        replace(f",{official.BAD[2]},{official.VERY_BAD[2]}\n", ",9000,3\n"),
        r"line 13: 9003 of \d+ is a share above 1",
    ),
    "a rank that is none": (
        FILE_7,
        replace(f",{official.RANKS['Crime'][0]},", ",12.5,"),
        r"""line 2, column "Crime Rank.*'12\.5' is not a rank""",
    ),
    "an income that is none": (
        INCOME,
        replace(f'"?{official.MEAN[0]:,}"', "withheld"),
        r"""line 2, column "Mean 2012/13": 'withheld' is not an amount of money""",
    ),
    "the same LSOA twice": (
        CENSUS,
        repeat_row("E01000003"),
        r"line 14: E01000003 .*twice.*line 13",
    ),
    "a code of the wrong shape": (
        CENSUS,
        replace('"E01000003"', '"E02000003"'),
        r"line 13, column \"mnemonic\": 'E02000003' is not the code of an LSOA",
    ),
    "areas of the wrong level": (
        CENSUS,
        replace("lower layer", "middle layer"),
        r"line 9: the areas are .*middle layer.*on Nomis choose",
    ),
    "areas without their codes": (
        CENSUS,
        lambda text: re.sub(r',"(mnemonic|E01[0-9]{6})"', "", text),
        r'QS302EW\.csv, line 9: there is no column "mnemonic".*tick the area codes',
    ),
    "two tables in one file": (
        CENSUS,
        lambda text: text + text,
        r"QS302EW\.csv, line 65: a second table begins here: .*one table at a time",
    ),
    "one sex alone": (
        CENSUS,
        replace('"Date       :","2011"', '"Sex        :","Males"'),
        r'line 6: the table is of "Sex: Males" alone: on Nomis choose "All persons"',
    ),
    "urban areas alone": (
        CENSUS,
        replace('"Rural Urban:","Total"', '"Rural Urban:","Urban (total)"'),
        r'line 7: the table is of "Rural Urban: Urban \(total\)" alone: on Nomis choose "Total"',
    ),
    "an empty file": (CENSUS, lambda text: "", r"QS302EW\.csv is empty: download it again"),
    "a header without areas": (
        FILE_7,
        lambda text: text.splitlines()[0] + "\n",
        r"File_7\.csv holds a header and no areas",
    ),
    "a web page": (CENSUS, lambda text: HTML, r"is a web page and not a table"),
    "a row that was cut off": (
        FILE_7,
        lambda text: text[: text.rindex(",", 0, len(text) - 40)] + "\n",
        r"line \d+: \d+ columns where the header has \d+: the file was cut off",
    ),
    "an amount whose comma is not in quotation marks": (
        INCOME,
        lambda text: text.replace('"', ""),
        r"income\.csv, line 2: 12 columns where the header has 8: .*comma.*quotation marks",
    ),
    "one cell more in one row": (
        CENSUS,
        replace("Place E01000005", 'Place", "E01000005'),
        r"QS302EW\.csv, line 15: 9 columns where the header has 8",
    ),
    "a stray quotation mark": (
        FILE_7,
        replace("Place E01000005", '"Place" E01000005'),
        r"File_7\.csv, line 6: not valid CSV",
    ),
    "an outcome without any value": (
        INCOME,
        every_value,
        r"income\.csv: median_income is empty in every row",
    ),
    "the files hold no area of any city": (
        INCOME,
        lambda text: text.replace("E0100", "E0199"),
        r"income\.csv has no value of mean_income for any area of alpha",
    ),
    "a damaged workbook": (
        FILE_7,
        lambda text: "PK\x03\x04" + text,
        r"File_7\.csv is a damaged workbook",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_labels(spoilable, case):
    name, change, message = CASES[case]
    before = contents(spoilable)
    path = spoilable / "inputs" / name
    official.write(path, change(path.read_text(encoding="utf-8")))
    result = run(spoilable, "lsoa_labels")
    assert not result.success
    assert_says(failure_of(result), message)
    assert contents(spoilable) == before


DIRECTORY_CASES = {
    "an edition without the areas of 2011": (
        replace('"lsoa11"', '"lsoa12"'),
        r'postcode directory needs the column "lsoa11" or "lsoa11cd".*"lsoa12"',
    ),
    "a renamed column of dates": (
        replace('"doterm"', '"doterms"'),
        r'postcode directory needs the column "doterm"; these look alike: "doterms"',
    ),
    "postcodes under another name": (
        lambda text: re.sub('"pcd2?"|"pcds"', '"post"', text),
        r'the postcode directory needs the column "pcds" or "pcd8"',
    ),
    "text where a date belongs": (
        replace('"198001"', '"long ago"'),
        r"""ONSPD_AUG_2017_UK\.csv, line 2, column introduced: .*long ago""",
    ),
    "a line that was cut off": (
        lambda text: text[: text.rindex(",")] + "\n",
        r"line 172: Expected Number of Columns: 50 Found: 49",
    ),
    "a postcode twice": (
        repeat_row("AB2 1AA"),
        r"postcode AB2 1AA .*twice.*ONSPD_AUG_2017_UK\.csv",
    ),
    "a postcode that is none": (
        replace('"AB3 1AA"', '"AB3 1a-"', count=-1),
        r"row of postcode 'AB3 1a-' with LSOA 'E01000003' is malformed",
    ),
    "an LSOA that is none": (
        replace('"E01000003"', '"E01-3"'),
        r"row of postcode 'AB3 1AA' with LSOA 'E01-3' is malformed",
    ),
    "a web page": (lambda text: HTML, r"is a web page and not a table"),
    "an answer in XML": (
        lambda text: '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        r"is a web page and not a table",
    ),
    "an empty file": (lambda text: " \n", r"is empty"),
    "no city of the study": (
        lambda text: text.replace("E09000001", "E06000001").replace("E08000025", "E06000002"),
        r"ONSPD.*no postcode .*the study's 2 local authorities",
    ),
}


@pytest.mark.parametrize("case", DIRECTORY_CASES, ids=lambda case: case.replace(" ", "-"))
def test_postcodes(spoilable, case):
    change, message = DIRECTORY_CASES[case]
    before = contents(spoilable)
    path = spoilable / "inputs" / DIRECTORY
    official.write(path, change(path.read_text(encoding="utf-8")))
    result = run(spoilable, "postcode_lsoa")
    assert not result.success
    assert_says(failure_of(result), message)
    assert contents(spoilable) == before


@pytest.mark.parametrize("name", [CENSUS, DIRECTORY])
def test_a_truncated_gzip(spoilable, name):
    before = contents(spoilable)
    path = spoilable / "inputs" / name
    whole = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_suffix(".csv.gz").write_bytes(whole[: len(whole) // 2])
    result = run(spoilable)
    assert not result.success
    assert_says(failure_of(result), rf"{path.stem}\.csv\.gz.*gzip.*download it again")
    assert contents(spoilable) == before


def test_an_archive_that_was_not_unpacked(spoilable):
    with zipfile.ZipFile(spoilable / "inputs" / "iod_2015" / "download.zip", "w") as archive:
        archive.writestr("File_7.csv", official.file_7())
    result = run(spoilable, "lsoa_labels")
    assert_says(failure_of(result), r"download\.zip is a ZIP archive: unpack it")


def test_two_editions_of_the_directory_in_one_folder(spoilable):
    official.write(spoilable / "inputs/onspd/2025.csv", official.directory("2025"))
    result = run(spoilable, "postcode_lsoa")
    assert_says(failure_of(result), r"2025\.csv and .*2017_UK\.csv are of two editions")


def test_no_directory_at_all_names_the_file_that_is_wanted(spoilable):
    (spoilable / "inputs" / DIRECTORY).unlink()
    result = run(spoilable, "postcode_lsoa")
    assert_says(failure_of(result), r"inputs/onspd.*ONS Postcode Directory")


def test_a_spoilt_file_that_was_not_there_before_is_not_skipped_over(spoilable):
    official.write(spoilable / "inputs/census_2011/new.csv", HTML)
    result = run(spoilable, "lsoa_labels")
    assert_says(failure_of(result), r"new\.csv is a web page")


def assert_says(message, pattern):
    assert re.search(pattern, message), message
    assert "Traceback" not in message
