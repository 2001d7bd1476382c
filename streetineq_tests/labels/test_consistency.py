"""Two files that each read well and cannot both be right are refused, and both are named."""

import csv
import io
import random

import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official

FILES = {
    "query": ("census", official.nomis_query("QS302EW")),
    "bulk": ("census", official.nomis_bulk("QS601EW")),
    "InFuse": ("census", official.infuse(only=("F2375", "F2376"))),
    "File 7": ("iod", official.file_7()),
    "incomes": ("household_income", official.income_csv()),
}


def read(inputs, **texts):
    """The values of these files, named as they are in `FILES`."""
    for name, text in texts.items():
        official.write(inputs / FILES[name][0] / f"{name}.csv", text)
    return read_sources(find_sources(inputs))


def as_csv(rows):
    return "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows) + "\n"


# -- of whom they are ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "factor", "other"),
    [("QS501EW", 3, "QS302EW"), ("QS601EW", 3, "KS501EW"), ("QS408EW", 9, "QS302EW")],
)
def test_a_part_of_the_residents_does_not_outnumber_them(tmp_path, table, factor, other):
    """As in one area of a table of the workday population, whose bulk file does not say so."""
    rows = list(csv.reader(io.StringIO(official.nomis_bulk(table))))
    rows[5][4:] = [str(factor * int(cell)) for cell in rows[5][4:]]
    with pytest.raises(SourceError, match=r"bulk\.csv .* E01000005 .*query\.csv .* 1 of 42"):
        read(tmp_path, bulk=as_csv(rows), query=official.nomis_query(other))


def test_tables_of_the_same_people_are_read_together(sound_inputs):
    assert set(official.SHARES) <= set(read_sources(find_sources(sound_inputs)))


# -- which codes their areas have ------------------------------------------------------------------


def with_codes_moved(text):
    """The column of codes in another order, and all else as it was."""
    rows = list(csv.reader(io.StringIO(text)))
    areas = [row for row in rows if any(cell in official.LSOAS for cell in row)]
    (place,) = {row.index(code) for row in areas for code in row if code in official.LSOAS}
    codes = [row[place] for row in areas]
    random.Random(1).shuffle(codes)
    for row, code in zip(areas, codes, strict=True):
        row[place] = code
    return as_csv(rows)


@pytest.mark.parametrize("name", FILES)
def test_codes_that_were_sorted_without_their_rows(tmp_path, name):
    other = "File 7" if name == "query" else "query"
    texts = {other: FILES[other][1], name: with_codes_moved(FILES[name][1])}
    with pytest.raises(SourceError, match="moved or sorted without their rows") as caught:
        read(tmp_path, **texts)
    assert f"{name}.csv" in str(caught.value)
    assert f"{other}.csv" in str(caught.value)


def test_names_that_several_areas_share_say_nothing(tmp_path):
    text = official.income_csv()
    for code in official.CITY_A:
        text = text.replace(f"Place {code}", "Alpha")
    texts = {"incomes": with_codes_moved(text), "query": FILES["query"][1]}
    assert "mean_income" in read(tmp_path, **texts)


def test_an_area_of_one_file_alone_may_have_the_name_of_another(tmp_path):
    """As the same place on other areas, which is another fault."""
    text = official.income_csv().replace("\nE0100", "\nE0199")
    assert "mean_income" in read(tmp_path, incomes=text, query=FILES["query"][1])
