"""Labels per city: deciles among the city's own areas, and what is unavailable and why."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Check
from streetineq_assets.labels.checks import label_checks
from streetineq_assets.labels.labelling import LabelTables, build_tables
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import AREAS, STUDIED


@dataclass(frozen=True)
class Labelled:
    """What the official files give."""

    tables: LabelTables
    checks: dict[str, Check]


def label(inputs, *, study=STUDIED, areas=AREAS):
    sources = find_sources(inputs)
    values = read_sources(sources)
    tables = build_tables(values, areas, study)
    results = label_checks(tables, values, sources.recognised, areas, study)
    return Labelled(tables, {check.name: check for check in results})


@pytest.fixture(scope="module")
def sound(sound_inputs):
    """Labels of the complete files."""
    return label(sound_inputs)


def available(tables, city, outcome):
    rows = tables.availability.set_index(["city", "outcome"])
    return rows.loc[(city, outcome)]


def test_deciles_are_cut_within_each_city(sound):
    labels = sound.tables.labels
    for outcome, worst in (("self_reported_health", "high"), ("crime", "low")):
        for city, lsoas in (("alpha", official.CITY_A), ("beta", official.CITY_B)):
            rows = labels[(labels["city"] == city) & (labels["outcome"] == outcome)]
            assert rows["area"].to_list() == lsoas
            bins = pd.qcut(rows["value"], 10, labels=False) + 1
            expected = bins if worst == "low" else 11 - bins
            assert rows["decile"].to_list() == expected.to_list()


def test_values_and_ranks_are_those_of_the_files(sound):
    labels = sound.tables.labels
    alpha = labels[labels["city"] == "alpha"].set_index(["outcome", "area"])
    assert alpha.loc["crime", "national_rank"].to_list() == official.RANKS["Crime"][:30].tolist()
    assert alpha.loc["mean_income", "value"].to_list() == official.MEAN.tolist()
    assert alpha.loc["mean_income", "national_rank"].isna().all()
    shares = official.SHARES["unemployment"][:30]
    assert np.array_equal(alpha.loc["unemployment", "value"], shares)


def test_rows_come_by_city_then_in_the_papers_order_of_outcomes_then_by_area(sound):
    labels = sound.tables.labels
    alpha = labels[labels["city"] == "alpha"]
    assert alpha["outcome"].drop_duplicates().to_list() == list(OUTCOMES)
    assert labels["city"].is_monotonic_increasing
    assert labels.dtypes.astype(str).to_dict() == {
        "city": "str",
        "outcome": "str",
        "area": "str",
        "value": "float64",
        "national_rank": "Int32",
        "decile": "Int8",
    }


def test_the_edges_enclose_each_decile(sound):
    tables = sound.tables
    merged = tables.labels.merge(tables.edges, on=["city", "outcome", "decile"])
    assert len(merged) == len(tables.labels)
    assert merged["value"].between(merged["lower"], merged["upper"]).all()
    sizes = tables.labels.groupby(["city", "outcome", "decile"]).size()
    edges = tables.edges.set_index(["city", "outcome", "decile"])["n_lsoas"]
    assert edges[edges > 0].to_dict() == sizes.to_dict()


def test_availability_names_all_thirteen_outcomes_of_both_cities(inputs):
    (inputs / "census" / "QS408EW.csv").unlink()
    tables = label(inputs).tables
    assert len(tables.availability) == 26
    crowding = available(tables, "alpha", "occupancy_rating")
    assert crowding["status"] == "unavailable"
    assert crowding["wanted"].startswith('QS408EW "Occupancy rating (rooms)"')
    assert "inputs/census" in crowding["reason"]
    assert available(tables, "alpha", "crime")["status"] == "available"
    assert pd.isna(available(tables, "alpha", "crime")["wanted"])
    assert "occupancy_rating" not in set(tables.labels["outcome"])


def test_a_city_outside_the_coverage_of_a_source_is_unavailable(sound):
    beta = available(sound.tables, "beta", "mean_income")
    assert beta["status"] == "unavailable"
    assert "Greater London" in beta["reason"]


def test_a_city_without_postcodes_wants_the_directory(sound_inputs):
    labelled = label(sound_inputs, areas=AREAS[AREAS["city"] == "alpha"])
    beta = available(labelled.tables, "beta", "crime")
    assert beta["status"] == "unavailable"
    assert "ONS Postcode Directory" in beta["wanted"]


def test_one_city_without_any_area_in_a_file_is_unavailable_and_the_other_is_labelled(inputs):
    path = inputs / "census" / "QS302EW.csv"
    kept = [line for line in path.read_text().splitlines() if "E0102" not in line]
    official.write(path, "\n".join(kept))
    tables = label(inputs).tables
    assert available(tables, "alpha", "self_reported_health")["status"] == "available"
    beta = available(tables, "beta", "self_reported_health")
    assert "QS302EW.csv" in beta["reason"]
    assert "QS302EW" in beta["wanted"]
    assert (tables.labels["city"] == "beta").sum() == 10 * len(official.CITY_B)


def test_no_city_with_any_area_in_a_file_is_an_error(inputs):
    path = inputs / "census" / "QS302EW.csv"
    official.write(path, path.read_text().replace('"E01', '"W01'))
    with pytest.raises(SourceError, match=r"QS302EW\.csv .*alpha, beta"):
        label(inputs)


def test_an_area_whose_cells_are_empty_keeps_its_row_without_a_decile(inputs):
    path = inputs / "census" / "QS302EW.csv"
    text = path.read_text()
    (row,) = [line for line in text.splitlines() if "E01000004" in line]
    official.write(path, text.replace(row, '"Place E01000004","E01000004",,,,,,'))
    labelled = label(inputs)
    labels = labelled.tables.labels.set_index(["outcome", "area"])
    row = labels.loc[("self_reported_health", "E01000004")]
    assert pd.isna(row["value"])
    assert pd.isna(row["decile"])
    assert labels.loc["self_reported_health", "decile"].notna().sum() == 41
    check = labelled.checks["areas_matched"]
    assert not check.passed
    assert "self_reported_health in alpha: 1 of 30" in check.description


def test_ties_over_a_whole_decile_are_no_error_and_are_counted(inputs):
    path = inputs / "household_income" / "income.csv"
    text = path.read_text(encoding="utf-8")
    for code, income in zip(official.CITY_A[:20], official.MEAN, strict=False):
        (row,) = [line for line in text.splitlines() if line.startswith(code)]
        text = text.replace(row, row.replace(f'"?{income:,}"', '"?55,555"'))
    official.write(path, text)
    labelled = label(inputs)
    labels, edges = labelled.tables.labels, labelled.tables.edges
    tied = labels[(labels["outcome"] == "mean_income") & (labels["value"] == 55_555)]
    assert len(tied) == 20
    assert set(tied["decile"]) == {tied["decile"].iloc[0]}
    rows = edges[edges["outcome"] == "mean_income"].set_index("decile")
    assert rows.loc[tied["decile"].iloc[0], "n_ties"] == 20
    assert rows["n_lsoas"].sum() == 30
    assert not labelled.checks["deciles_even"].passed


# -- checks ----------------------------------------------------------------------------------------


def test_all_checks_hold_on_sound_files_but_the_direction_of_random_ranks(sound):
    failed = {name for name, check in sound.checks.items() if not check.passed}
    assert failed <= {"directions_as_expected"}


def test_a_sign_error_in_a_source_shows(inputs):
    # Crime ordered as the overall index in one file, and the other way round in the next.
    overall = official.RANKS["Index of Multiple Deprivation (IMD)"]
    crime = "Crime Rank (where 1 is most deprived)"
    for ranks, expected in ((overall, True), (32_845 - overall, False)):
        rows = official.file_7_rows(whole=False)
        place = rows[0].index(crime)
        for row, rank in zip(rows[1:], ranks, strict=True):
            row[place] = int(rank)
        text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
        official.write(inputs / "iod" / "File_7.csv", text)
        check = label(inputs).checks["directions_as_expected"]
        assert ("crime in alpha" not in check.description) == expected
        assert check.values["alpha/crime"] == (1.0 if expected else -1.0)


def test_living_environment_and_housing_are_exempt_from_the_direction(inputs):
    rows = official.file_7_rows(whole=False)
    for domain in ("Living Environment", "Barriers to Housing and Services"):
        place = rows[0].index(f"{domain} Rank (where 1 is most deprived)")
        overall = official.RANKS["Index of Multiple Deprivation (IMD)"]
        for row, rank in zip(rows[1:], 32_845 - overall, strict=True):
            row[place] = int(rank)
    text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
    official.write(inputs / "iod" / "File_7.csv", text)
    check = label(inputs).checks["directions_as_expected"]
    assert check.values["alpha/living_environment"] == -1.0
    assert "living_environment" not in check.description
    assert "barriers_to_housing" not in check.description


def test_a_share_of_nobody_is_missing_and_blocks(inputs):
    path = inputs / "census" / "QS302EW.csv"
    counts = [official.CENSUS["QS302EW"][2][name][0] for name in official.CENSUS["QS302EW"][2]]
    row = ",".join(str(int(n)) for n in counts)
    official.write(path, path.read_text().replace(row, "0,0,0,0,0,0", 1))
    check = label(inputs).checks["denominators_positive"]
    assert check.blocking
    assert not check.passed
    assert "self_reported_health of E01000001" in check.description


def test_another_edition_than_the_studys_is_a_warning(inputs):
    official.write(inputs / "iod" / "File_7.csv", official.file_7("2019"))
    check = label(inputs).checks["editions_as_studied"]
    assert not check.passed
    assert not check.blocking
    assert re.search(r"File_7\.csv .*2019.*2015", check.description)
    of_2019 = STUDIED.model_copy(update={"iod_edition": "2019"})
    assert label(inputs, study=of_2019).checks["editions_as_studied"].passed


def test_a_table_that_does_not_say_of_whom_and_when_it_is_is_a_warning(inputs):
    text = official.nomis_query("QS302EW")
    official.write(inputs / "census" / "QS302EW.csv", text[text.index('"2011 super') :])
    check = label(inputs).checks["editions_as_studied"]
    assert not check.passed
    assert "QS302EW.csv is of no edition that it states" in check.description


def test_a_city_with_another_number_of_areas_than_published_is_a_warning(sound_inputs):
    check = label(sound_inputs, areas=AREAS.drop(index=3)).checks["areas_as_published"]
    assert not check.passed
    assert re.search("alpha .*29.*30", check.description)


def test_an_unavailable_pair_of_the_study_is_a_warning(inputs):
    (inputs / "household_income" / "income.csv").unlink()
    check = label(inputs).checks["outcomes_available"]
    assert not check.passed
    assert "alpha/mean_income" in check.description
    assert check.values == {"n_available": 4, "n_asked": 5}
