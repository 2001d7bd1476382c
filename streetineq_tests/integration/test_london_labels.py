"""London on the real open data: every label against an independent calculation.

The calculation here shares nothing with the package: pandas reads each file by its layout, written
down once more, and `pandas.qcut` cuts the deciles.
"""

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import city_areas, write_postcodes
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests import harness
from streetineq_tests.conftest import REPOSITORY

FILES = {
    "census_2011": ["qs302ew.csv.gz", "qs601ew.csv.gz", "ks501ew.csv.gz", "ks402ew.csv.gz"],
    "iod_2015": ["File_7_ID_2015_All_ranks_deciles_and_scores.csv.gz"],
    "household_income": ["gla-household-income-estimates.xls"],
    "boundaries": ["LSOA_2011_BSC_London.geojson.gz"],
}
SHARES = {
    "self_reported_health": (
        "qs302ew.csv.gz",
        ["Bad health", "Very bad health"],
        "All categories: General health",
    ),
    "unemployment": (
        "qs601ew.csv.gz",
        ["Economically active: Unemployed"],
        "All categories: Economic activity",
    ),
    "education": (
        "ks501ew.csv.gz",
        ["No qualifications", "Highest level of qualification: Level 1 qualifications"],
        "All categories: Highest level of qualification",
    ),
}
DOMAINS = {
    "health_deprivation": "Health Deprivation and Disability",
    "barriers_to_housing": "Barriers to Housing and Services",
    "employment_deprivation": "Employment",
    "education_deprivation": "Education, Skills and Training",
    "income_deprivation": "Income",
    "crime": "Crime",
    "living_environment": "Living Environment",
}
INCOMES = {"mean_income": "Mean 2012/13", "median_income": "Median 2012/13"}


@pytest.fixture(scope="module")
def london(shared_data, tmp_path_factory):
    """The paper's four-city study with London's files only, its labels materialised."""
    root = tmp_path_factory.mktemp("london")
    shutil.copy(REPOSITORY / "data" / "study.toml", root)
    for folder, names in FILES.items():
        (root / "inputs" / folder).mkdir(parents=True)
        for name in names:
            (root / "inputs" / folder / name).symlink_to(shared_data / folder / name)
    (root / "inputs" / "onspd").mkdir()
    directory = "onspd_2017_columns_london.csv.gz"
    (root / "inputs" / "onspd" / directory).symlink_to(shared_data / "postcodes" / directory)
    store = DataStore(root)
    runs = [harness.run(store, asset) for asset in ("postcode_lsoa", "lsoa_labels")]
    return store, {name: check for run in runs for name, check in harness.checks(run).items()}


@pytest.fixture(scope="module")
def labels(london):
    return london[0].open("lsoa_labels").table()


@pytest.fixture(scope="module")
def lsoas(shared_data):
    """London's LSOAs by the income file, which lists them all."""
    path = shared_data / "household_income" / "modelled-household-income-estimates-lsoa.csv"
    return pd.read_csv(path)["Code"]


def independent(shared_data: Path, outcome: str) -> tuple[pd.Series, bool]:
    """Value by LSOA over the whole file, and whether high is worst-off."""
    if outcome in SHARES:
        name, parts, total = SHARES[outcome]
        table = pd.read_csv(
            shared_data / "census_2011" / name, skiprows=8, skipfooter=3, engine="python"
        )
        table = table[table["mnemonic"].str.match(r"[EW]01\d{6}$", na=False)].set_index("mnemonic")
        return sum(table[part].astype(float) for part in parts) / table[total].astype(float), True
    if outcome in DOMAINS:
        path = shared_data / "iod_2015" / FILES["iod_2015"][0]
        table = pd.read_csv(path, index_col="LSOA code (2011)")
        return table[f"{DOMAINS[outcome]} Rank (where 1 is most deprived)"].astype(float), False
    path = shared_data / "household_income" / "modelled-household-income-estimates-lsoa.csv"
    table = pd.read_csv(path, index_col="Code")
    return table[INCOMES[outcome]].str.replace(r"[^\d]", "", regex=True).astype(float), False


@pytest.mark.parametrize("outcome", [*SHARES, *DOMAINS, *INCOMES])
def test_deciles_equal_qcut_on_every_lsoa(shared_data, labels, lsoas, outcome):
    values, high_is_worst = independent(shared_data, outcome)
    values = values.loc[sorted(lsoas)]
    bins = pd.qcut(values, 10, labels=False) + 1
    expected = 11 - bins if high_is_worst else bins
    ours = labels[labels["outcome"] == outcome].set_index("area")
    assert len(ours) == 4835
    assert list(ours.index) == list(expected.index)
    assert (ours["value"] == values).all()
    assert (ours["decile"] == expected).all()
    assert ours["city"].eq("london").all()


def test_occupancy_rating_is_unavailable_and_wants_its_table(london):
    rows = london[0].open("lsoa_labels").table("availability.parquet")
    rows = rows.set_index(["city", "outcome"])
    crowding = rows.loc[("london", "occupancy_rating")]
    assert crowding["status"] == "unavailable"
    assert 'QS408EW "Occupancy rating (rooms)"' in crowding["wanted"]
    assert len(rows) == 4 * len(OUTCOMES)
    available = rows[rows["status"] == "available"]
    assert set(available.index.get_level_values("city")) == {"london"}
    assert len(available) == len(OUTCOMES) - 1


def test_the_directory_has_all_its_postcodes_and_all_of_londons_areas(london):
    table = london[0].open("postcode_lsoa").table()
    assert len(table) == 178_127
    assert table["postcode"].is_unique
    assert table["city"].eq("london").all()
    assert table["area"].nunique() == 4835
    assert table.loc[table["postcode"] == "BR1 1AA", "area"].to_list() == ["E01000675"]


def test_the_checks_that_should_fail_do_and_no_others(london):
    failed = {name for name, check in london[1].items() if not check.passed}
    assert failed == {
        "cities_present",
        "authorities_present",
        "areas_as_published",
        "outcomes_available",
    }
    assert "london" not in london[1]["areas_as_published"].description


def test_outcomes_point_the_way_that_deprivation_does(london):
    correlations = london[1]["directions_as_expected"].metadata
    assert correlations["london/self_reported_health"].value < -0.5
    assert correlations["london/mean_income"].value > 0.5


def test_there_is_a_map_a_distribution_and_a_correlation_matrix(london):
    files = london[0].manifest("lsoa_labels").files
    for name in ("deciles_london.png", "distributions_london.png", "correlations_london.png"):
        assert 5_000 < files[name].bytes < 100_000


def test_workbook_and_csv_of_the_incomes_are_the_same_labels(shared_data, london, tmp_path):
    store = london[0]
    inputs = shutil.copytree(store.inputs(), tmp_path / "inputs", symlinks=True)
    (inputs / "household_income" / FILES["household_income"][0]).unlink()
    name = "modelled-household-income-estimates-lsoa.csv"
    (inputs / "household_income" / name).symlink_to(shared_data / "household_income" / name)
    with duckdb.connect() as connection:
        postcodes = store.open("postcode_lsoa").file("postcode_lsoa.parquet")
        areas = city_areas(connection, postcodes)
    tables = build_tables(read_sources(find_sources(inputs)), areas, load_study(store.study_file))
    tables.write(tmp_path)
    published = store.open("lsoa_labels")
    for file in ("lsoa_labels.parquet", "decile_edges.parquet", "availability.parquet"):
        assert (tmp_path / file).read_bytes() == published.file(file).read_bytes()


@pytest.mark.parametrize(
    ("name", "rows", "placed"),
    [
        ("PCD_OA_LSOA_MSOA_LAD_MAY22_London.csv.gz", 326_610, 326_610),
        ("ONSPD_NOV_2025_UK_WC.csv.gz", 7_523, 7_510),
        ("ONSPD_2018_header_and_rows.csv", 39, 39),
    ],
)
def test_other_editions_of_the_directory(shared_data, tmp_path, name, rows, placed):
    (tmp_path / name).symlink_to(shared_data / "postcodes" / name)
    target = tmp_path / "postcode_lsoa.parquet"
    with duckdb.connect() as connection:
        write_postcodes(connection, find_directory(tmp_path), {"E09000007": "camden"}, target)
    table = pd.read_parquet(target)
    assert len(table) == rows
    assert table["area"].notna().sum() == placed
