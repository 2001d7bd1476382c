"""Ranks of the Indices of Deprivation are those among all of England, or the file is refused."""

import csv
import io

import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official

CRIME = "Crime Rank (where 1 is most deprived)"
DECILE = "Crime Decile (where 1 is most deprived 10% of LSOAs)"


def message(inputs, change, *, whole=True, rows=None):
    """What reading File 7 says once `change(table)` was made; `table` maps headings to cells."""
    header, *body = official.file_7_rows(whole=whole)[: None if rows is None else rows + 1]
    table = {name: [row[i] for row in body] for i, name in enumerate(header)}
    change(table)
    sink = io.StringIO()
    csv.writer(sink).writerows([table, *zip(*table.values(), strict=True)])
    official.write(inputs / "iod" / "f.csv", sink.getvalue())
    with pytest.raises(SourceError, match=r"f\.csv") as caught:
        read_sources(find_sources(inputs))
    return str(caught.value)


def ranked_anew(table):
    order = sorted(table[CRIME])
    table[CRIME] = [1 + order.index(rank) for rank in table[CRIME]]


def with_deciles_as_ranks(table):
    table[CRIME] = table[DECILE]


def with_ranks_sorted_alone(table):
    table[CRIME] = sorted(table[CRIME])


def with_the_ranks_of_another_domain(table):
    table[CRIME] = table["Income Rank (where 1 is most deprived)"]


def beyond_england(table):
    table[CRIME][3] = 32_845


@pytest.mark.parametrize("whole", [True, False])
def test_ranks_made_anew_within_a_city(tmp_path, whole):
    assert "42 areas end at 42" in message(tmp_path, ranked_anew, whole=whole)


def test_deciles_in_the_place_of_ranks(tmp_path):
    assert "42 areas end at 10" in message(tmp_path, with_deciles_as_ranks)


def test_deciles_in_the_place_of_ranks_of_a_few_areas(tmp_path):
    assert "does not lie in decile" in message(tmp_path, with_deciles_as_ranks, rows=6)


@pytest.mark.parametrize("change", [with_ranks_sorted_alone, with_the_ranks_of_another_domain])
def test_ranks_that_contradict_the_deciles_beside_them(tmp_path, change):
    said = message(tmp_path, change)
    assert CRIME in said
    assert "does not lie in decile" in said


def test_a_rank_beyond_the_last(tmp_path):
    assert "32,845 where England has 32,844" in message(tmp_path, beyond_england)


def test_an_area_of_another_nation(tmp_path):
    def welsh(table):
        table["LSOA code (2011)"][7] = "W01000008"

    assert "W01000008 is not in England" in message(tmp_path, welsh)
