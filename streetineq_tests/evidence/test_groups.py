"""Groupings that a user brings: what is read, what is left out, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.evidence.groups import MOST_GROUPS, read_groups
from streetineq_assets.store import DataStore

AREAS = pd.Series([f"E01{i:06d}" for i in range(40)], dtype="str")


@pytest.fixture
def store(tmp_path):
    return DataStore(tmp_path)


def write(store, name="mine.csv", codes=AREAS, heading="area", separator=",", **columns):
    path = store.inputs("groups", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({heading: list(codes), **columns})
    frame.to_csv(path, index=False, sep=separator)
    return path


def groups_of(found, grouping):
    rows = found.table[found.table["grouping"] == grouping]
    return rows.set_index("area")["group"]


def test_without_a_folder_there_is_no_group(store):
    found = read_groups(store, AREAS)
    assert found.table.empty
    assert found.notes == ()


def test_every_column_is_a_grouping_of_the_areas_that_it_has(store):
    place = ["north "] * 15 + ["south"] * 20 + [""] * 5
    write(store, heading="LSOA11CD", place=place, flag=[0, 1] * 20)
    found = read_groups(store, AREAS)
    assert groups_of(found, "place").value_counts().to_dict() == {"south": 20, "north": 15}
    assert groups_of(found, "flag").value_counts().to_dict() == {"0": 20, "1": 20}
    assert len(found.notes) == 1
    assert 'mine.csv, column "place": 5 of 40 areas have no group' in found.notes[0]


def test_numbers_are_cut_into_fifths_of_the_city(store):
    """Areas of elsewhere, with far larger numbers, do not move the limits."""
    elsewhere = [f"W01{i:06d}" for i in range(60)]
    share = [f"{i}%" for i in range(40)] + ["1,000"] * 60
    write(store, codes=[*AREAS, *elsewhere], share=share)
    groups = groups_of(read_groups(store, AREAS), "share")
    assert groups.value_counts().tolist() == [8] * 5
    assert groups[AREAS[0]] == "1 of 5 (0 to 7)"
    assert groups[AREAS[39]] == "5 of 5 (32 to 39)"


def test_tied_numbers_stay_in_one_part(store):
    write(store, share=[0] * 30 + [*range(1, 11)])
    groups = groups_of(read_groups(store, AREAS), "share")
    assert set(groups.head(30)) == {"1 of 2 (0 to 2)"}
    assert groups.nunique() == 2


@pytest.mark.parametrize("missing", ["NA", "nan", ""])
def test_a_number_that_is_missing_makes_no_text_of_the_others(store, missing):
    write(store, share=[missing, *(str(i) for i in range(1, 40))])
    found = read_groups(store, AREAS)
    assert AREAS[0] not in groups_of(found, "share").index
    assert groups_of(found, "share").nunique() == 5
    assert "1 of 40 areas" in found.notes[0]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([f"ward {i}" for i in range(40)], f"40 groups, more than {MOST_GROUPS}"),
        (["everywhere"] * 40, "only one value, 'everywhere'"),
        ([np.nan] * 40, "no value"),
    ],
)
def test_a_column_that_cannot_group_is_left_out_with_the_reason(store, values, told):
    write(store, place=values, half=["a", "b"] * 20)
    found = read_groups(store, AREAS)
    assert set(found.table["grouping"]) == {"half"}
    assert told in found.notes[0]


def test_a_file_of_another_city_is_left_alone(store):
    write(store, codes=[f"W01{i:06d}" for i in range(2)], place=["a", "b"])
    found = read_groups(store, AREAS)
    assert found.table.empty
    assert "mine.csv has none of the city's 40 areas" in found.notes


def test_the_digest_tells_groups_and_what_is_said_of_them(store):
    digests = {read_groups(store, AREAS).digest()}
    for place in (["a", "b"] * 20, ["b", "a"] * 20, ["a"] * 40, ["b"] * 40):
        write(store, place=place)
        digests.add(read_groups(store, AREAS).digest())
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ({"codes": ["1.2E+08", *AREAS[1:]]}, r"mine\.csv, line 2.+'1\.2E\+08' is not the code"),
        ({"codes": [AREAS[0], *AREAS[:39]]}, r"line 3: E01000000 occurs twice"),
        ({"codes": ["E02000001", *AREAS[1:]]}, "is not the code of an LSOA"),
        ({"heading": "zone"}, r'needs the column "area"'),
        ({"separator": ";"}, "semicolons"),
        ({"place": None}, "no column beside the codes"),
        ({"Place ": "a"}, 'two columns "place"'),
        ({"actual_decile": "a"}, '"actual_decile" areas are grouped anyway'),
    ],
)
def test_a_spoilt_file_is_refused_by_name(store, spoilt, told):
    given = {"place": ["a", "b"] * 20} | spoilt
    write(store, **{name: value for name, value in given.items() if value is not None})
    with pytest.raises(SourceError, match=told):
        read_groups(store, AREAS)


def test_a_heading_of_two_files_is_refused_with_both_names(store):
    for name in ("a.csv", "b.csv"):
        write(store, name, place=["a", "b"] * 20)
    with pytest.raises(SourceError, match=r"b\.csv and .*a\.csv"):
        read_groups(store, AREAS)


def test_documents_beside_the_files_are_not_read(store):
    write(store, place=["a", "b"] * 20)
    store.inputs("groups", "README.md").write_text("where they come from")
    assert len(read_groups(store, AREAS).table) == 40
