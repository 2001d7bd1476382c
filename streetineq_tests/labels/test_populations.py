"""Of whom a table of the census is: its id, its population, its selections and its totals decide.

The same headings stand over tables by age, by sex, of the workday population and of percentages.
"""

import csv
import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official

SETTINGS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DATE = '"Date       :","2011"'
AGED = '"All usual residents aged 16 and over"'
WHOLE = {"age": "All categories: Age 16 and over", "sex": "All persons", "measures": "Value"}


def census(inputs, text, name="table.csv"):
    official.write(inputs / "census" / name, text)
    return find_sources(inputs)


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


def with_line(table, line, title=None):
    """A query download with one line more above its header, and perhaps another title."""
    text = changed(official.nomis_query(table), DATE, f"{DATE}\n{line}")
    return text.replace(f"{table} - {official.CENSUS[table][0]}", title) if title else text


# -- ids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title", ["LC5102EW - By age", "Table wd501ew: of the workday", "QS501UK - Four nations"]
)
def test_a_table_of_another_id_holds_no_outcome_whatever_its_headings(tmp_path, title):
    sources = census(tmp_path, with_line("QS501EW", '"Age        :","Age 65 and over"', title))
    assert sources.problems == ()
    assert sources.recognised == ()
    assert re.search("LC5102EW|WD501EW|QS501UK", sources.ignored[0][1])
    assert sources.of("education") is None


def test_a_title_over_several_tables_names_the_first(tmp_path):
    title = "KS601EW to KS603EW - Economic activity by sex"
    text = with_line("KS601EW", '"Sex        :","All persons"', title)
    assert census(tmp_path, text).of("unemployment")


def test_a_table_that_lost_its_title_and_date_is_of_unknown_edition(tmp_path):
    text = official.nomis_query("QS302EW")
    sources = census(tmp_path, text[text.index('"2011 super') :])
    assert sources.of("self_reported_health").edition == "unknown"


def test_a_table_of_2011_on_other_areas_says_so(tmp_path):
    text = changed(official.nomis_query("QS302EW"), "2011 super", "2021 super")
    (problem,) = census(tmp_path, text).problems
    assert 'choose "2011 super output area - lower layer"' in problem


def test_a_bulk_file_of_census_2021_is_not_taken_for_one_of_2011(tmp_path):
    text = official.nomis_bulk("QS302EW")
    census(tmp_path, text, "right.csv")
    of_2021 = changed(text, "\n2011,", "\n2021,").replace("; measures: Value", "")
    problems = " ".join(census(tmp_path, of_2021, "ts037.csv").problems)
    assert "ts037.csv (TS037, edition 2021) both hold self_reported_health" in problems
    assert "LSOAs of 2021" in problems


def test_a_bulk_file_of_another_census_is_refused(tmp_path):
    (problem,) = census(
        tmp_path, changed(official.nomis_bulk("QS302EW"), "\n2011,", "\n2001,")
    ).problems
    assert "table of 2001" in problem


# -- populations and selections --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            AGED,
            '"All usual residents aged 16 to 64"',
            "Population: All usual residents aged 16 to 64",
        ),
        (AGED, '"All workday residents aged 16 and over"', "Population: All workday residents"),
        ('"Persons"', '"Percent"', "Units: Percent"),
        ('"2011"', '"2001"', "Date: 2001"),
        ("Population :", "population", None),
    ],
)
def test_the_lines_above_the_header_are_compared(tmp_path, old, new, named):
    sources = census(tmp_path, changed(official.nomis_query("QS501EW"), old, new))
    if named is None:
        assert sources.of("education")
    else:
        (problem,) = sources.problems
        assert named in problem
        assert "table.csv, line" in problem


@SETTINGS
@given(
    name=st.sampled_from(["Age", "Sex", "Ethnic Group", "Measures", "Country of Birth"]),
    value=st.text("ABCabc :0123456789", min_size=1, max_size=12).filter(str.strip),
    lost=st.booleans(),
)
def test_any_selection_but_the_whole_is_refused_by_name(tmp_path, name, value, lost):
    text = with_line("QS501EW", f'"{name} :","{value}"')
    text = text.replace("QS501EW - Highest level of qualification\n", "") if lost else text
    (problem,) = census(tmp_path, text).problems
    assert f'"{name}: {value.strip()}" alone' in problem


@pytest.mark.parametrize("name", WHOLE)
def test_a_selection_of_all_is_the_whole(tmp_path, name):
    assert census(tmp_path, with_line("QS501EW", f'"{name} :","{WHOLE[name]}"')).of("education")


def test_of_two_selections_neither_hides_the_other(tmp_path):
    lines = '"Sex :","Males"\n"Sex :","All persons"'
    (problem,) = census(tmp_path, with_line("KS601EW", lines)).problems
    assert "Sex: Males" in problem


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("measures: Value", "measures: Percent", "measures: Percent"),
        ("Economic Activity:", "Sex: Males; Economic Activity:", "Sex: Males"),
        ("Economic Activity:", "Age: Age 65 to 74; Economic Activity:", "Age: Age 65 to 74"),
    ],
)
def test_a_bulk_file_of_a_part_alone_is_refused_by_name(tmp_path, old, new, named):
    (problem,) = census(tmp_path, changed(official.nomis_bulk("QS601EW"), old, new)).problems
    assert "QS601EW" in problem
    assert named in problem


# -- counts ----------------------------------------------------------------------------------------


def with_percentages(text, decimals):
    """A query download whose counts became shares of their total in hundreds."""
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows:
        if len(row) > 2 and row[1].startswith("E01"):
            row[2:] = [f"{100 * int(cell) / int(row[2]):.{decimals}f}" for cell in row[2:]]
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue()


@pytest.mark.parametrize(("decimals", "says"), [(1, "whole number"), (0, "percentages")])
def test_percentages_in_the_place_of_counts_are_refused(tmp_path, decimals, says):
    sources = census(tmp_path, with_percentages(official.nomis_query("QS302EW"), decimals))
    with pytest.raises(SourceError, match=rf"table\.csv.*{says}"):
        read_sources(sources)


def test_the_row_of_column_totals_is_no_area(tmp_path):
    text = official.nomis_query("QS302EW")
    notes = text.index('\n"","In order')
    total = '"Column Total","",' + ",".join(["9000"] * 6) + "\n"
    values = read_sources(census(tmp_path, text[:notes] + total + text[notes:]))
    assert list(values["self_reported_health"].frame.index) == official.LSOAS


@pytest.mark.parametrize(
    ("heading", "says"),
    [("GEOGRAPHY_CODE,CELL_NAME,OBS_VALUE", "row per cell"), ("GeographyCode,X1", "codes alone")],
)
def test_other_forms_of_official_tables_are_named(tmp_path, heading, says):
    ((_, reason),) = census(tmp_path, f"{heading}\nE01000001,1,2\n").ignored
    assert says in reason
