"""A file that was cut off between two rows gives no city a part of its labels."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import OutcomeValues
from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import AREAS, STUDIED

SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CODE = re.compile(r"E0[0-9]{7}")
NEIGHBOURS = [f"E0198{i:04d}" for i in range(1, 6)]


def nationwide(text):
    """File 7 with areas of no city of the study below those of its cities."""
    last = text.splitlines()[-1]
    rows = [last.replace(official.LSOAS[-1], code) for code in NEIGHBOURS]
    return "\n".join([text.rstrip("\n"), *rows, ""])


FILES = {
    "query": ("census", official.nomis_query("QS302EW")),
    "bulk": ("census", official.nomis_bulk("QS601EW")),
    "InFuse": ("census", official.infuse()),
    "File 7": ("iod", official.file_7()),
    "File 7 and more": ("iod", nationwide(official.file_7())),
    "incomes": ("household_income", official.income_csv()),
}


def kept_rows(text, keep):
    """The lines of a table but for the rows of areas whose place is not to be kept."""
    lines, n = [], 0
    for line in text.splitlines():
        if CODE.search(line):
            n += 1
            if not keep(n - 1):
                continue
        lines.append(line)
    return "\n".join(lines) + "\n"


def fault(inputs, folder, text):
    """What making labels says; None where they are made, all of them with a value."""
    try:
        labels = labelled(inputs, folder, text)
    except SourceError as error:
        return str(error)
    assert labels["value"].notna().all()
    return None


def labelled(inputs, folder, text):
    official.write(inputs / folder / "file.csv", text)
    return build_tables(read_sources(find_sources(inputs)), AREAS, STUDIED).labels


@SETTINGS
@given(
    name=st.sampled_from(list(FILES)),
    lost=st.integers(1, 45) | st.sets(st.integers(0, 45), min_size=1, max_size=6),
)
def test_a_city_has_all_its_labels_or_the_file_is_refused(tmp_path, name, lost):
    """Rows are lost from the end, or here and there."""
    folder, text = FILES[name]
    n = len([line for line in text.splitlines() if CODE.search(line)])
    gone = set(range(max(1, n - lost), n)) if isinstance(lost, int) else lost
    said = fault(tmp_path, folder, kept_rows(text, lambda row: row not in gone))
    assert said is None or "file.csv" in said


@pytest.mark.parametrize("name", ["query", "File 7", "File 7 and more"])
def test_a_file_that_ends_within_a_city_is_refused_with_both_numbers(tmp_path, name):
    folder, text = FILES[name]
    with pytest.raises(
        SourceError, match=r"file\.csv holds 10 of the 12 areas of beta; E01020011 "
    ):
        labelled(tmp_path, folder, kept_rows(text, lambda row: row < 40))


def test_an_extract_of_one_city_labels_that_city(tmp_path):
    folder, text = FILES["File 7"]
    labels = labelled(tmp_path, folder, kept_rows(text, lambda row: row < 30))
    assert set(labels["city"]) == {"alpha"}
    assert labels["value"].notna().all()


def test_ranks_of_the_country_without_a_city_are_no_extract(tmp_path):
    folder, text = FILES["File 7 and more"]
    with pytest.raises(SourceError, match=r"file\.csv holds 35 areas .* none of beta"):
        labelled(tmp_path, folder, kept_rows(text, lambda row: row < 30 or row >= 42))


@pytest.mark.parametrize(("n", "refused"), [(13_800, False), (20_000, True)])
def test_a_table_of_most_of_the_country_without_a_city_is_no_region(n, refused):
    """London and two regions around it are 13,831 areas of 34,753."""
    lsoas = [*official.CITY_A, *(f"E0105{i:05d}" for i in range(n))]
    frame = pd.DataFrame(
        {
            "value": 0.5,
            "national_rank": pd.array([pd.NA] * len(lsoas), "Int32"),
            "denominator": 9.0,
        },
        index=pd.Index(lsoas, name="area"),
    )
    frame["value"] = np.linspace(0, 1, len(frame))
    values = {"unemployment": OutcomeValues("unemployment", Path("census.csv"), frame)}
    if refused:
        with pytest.raises(SourceError, match=r"census\.csv .* none of beta"):
            build_tables(values, AREAS, STUDIED)
    else:
        assert set(build_tables(values, AREAS, STUDIED).labels["city"]) == {"alpha"}


def test_a_city_beyond_the_region_of_a_source_in_part_has_no_outcome_of_it(sound_inputs):
    """Deciles of the part that is covered would be those of another city."""
    alpha = STUDIED.cities["alpha"].model_copy(update={"authorities": ("E09000001", "E07000001")})
    study = STUDIED.model_copy(update={"cities": STUDIED.cities | {"alpha": alpha}})
    tables = build_tables(read_sources(find_sources(sound_inputs)), AREAS, study)
    rows = tables.availability.set_index(["city", "outcome"])
    assert rows.loc[("alpha", "mean_income"), "status"] == "unavailable"
    assert rows.loc[("alpha", "crime"), "status"] == "available"
