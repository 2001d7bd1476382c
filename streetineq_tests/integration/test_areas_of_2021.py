"""London and Greater Manchester on the real LSOAs of 2021, with the Indices of 2025.

Every area is compared with an independent calculation: pandas reads File 7 by its headings.
"""

import pandas as pd
import pytest

from streetineq_assets.area_vintages import LSOA11, VINTAGES
from streetineq_assets.errors import SourceError
from streetineq_assets.geography import read_boundaries
from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.study import Study

LSOA21 = VINTAGES["lsoa21"]
FILE_7 = "iod_2025/File_7_IoD2025_All_Ranks_Scores_Deciles.csv.gz"
BOUNDARIES = "boundaries_2021/LSOA_2021_BSC_{}.geojson.gz"
DOMAINS = {
    "health_deprivation": "Health Deprivation and Disability",
    "barriers_to_housing": "Barriers to Housing and Services",
    "employment_deprivation": "Employment",
    "education_deprivation": "Education, Skills and Training",
    "income_deprivation": "Income",
    "crime": "Crime",
    "living_environment": "Living Environment",
    "index_of_multiple_deprivation": "Index of Multiple Deprivation (IMD)",
}
CITIES = {
    "london": ([f"E090000{n:02d}" for n in range(1, 34)], 4994),
    "manchester": ([f"E080000{n:02d}" for n in range(1, 11)], 1702),
}


@pytest.fixture(scope="module")
def published(shared_data) -> pd.DataFrame:
    return pd.read_csv(shared_data / FILE_7, index_col="LSOA code (2021)")


@pytest.fixture(scope="module")
def inputs(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("today") / "inputs"
    (folder / "iod").mkdir(parents=True)
    (folder / "iod" / "File_7.csv.gz").symlink_to(shared_data / FILE_7)
    return folder


@pytest.fixture(scope="module")
def areas(published) -> pd.DataFrame:
    """`city, area` by the local authorities that File 7 names."""
    city_of = {code: city for city, (codes, _) in CITIES.items() for code in codes}
    city = published["Local Authority District code (2024)"].map(city_of).dropna()
    frame = city.rename("city").rename_axis("area").reset_index()[["city", "area"]]
    return frame.sort_values(["city", "area"], ignore_index=True)


@pytest.fixture(scope="module")
def labels(inputs, areas) -> pd.DataFrame:
    cities = {
        city: {"title": city, "authorities": codes, "outcomes": ["crime"]}
        for city, (codes, _) in CITIES.items()
    }
    study = Study.model_validate(
        {
            "title": "Today",
            "date": "2025-11-01",
            "census_edition": "2021",
            "iod_edition": "2025",
            "areas": {"vintage": "lsoa21"},
            "cities": cities,
        }
    )
    return build_tables(read_sources(find_sources(inputs, LSOA21)), areas, study).labels


def test_every_area_of_england_has_its_published_rank(inputs, published):
    values = read_sources(find_sources(inputs, LSOA21))
    for outcome, domain in DOMAINS.items():
        expected = published[f"{domain} Rank (where 1 is most deprived)"]
        found = values[outcome].frame["national_rank"].astype(int)
        assert len(found) == 33_755
        assert (found.sort_index() == expected.sort_index()).all(), outcome


@pytest.mark.parametrize("city", CITIES)
@pytest.mark.parametrize("outcome", [name for name in DOMAINS if "multiple" not in name])
def test_deciles_equal_qcut_on_every_area(labels, published, areas, city, outcome):
    codes = areas.loc[areas["city"] == city, "area"]
    rank = published.loc[codes, f"{DOMAINS[outcome]} Rank (where 1 is most deprived)"]
    expected = pd.qcut(rank.astype(float), 10, labels=False) + 1
    ours = labels[(labels["city"] == city) & (labels["outcome"] == outcome)].set_index("area")
    assert len(ours) == CITIES[city][1]
    assert (ours["decile"].astype(int).loc[codes] == expected).all()
    assert (ours["value"].loc[codes] == rank).all()


@pytest.mark.parametrize(
    ("name", "city"), [("London", "london"), ("Greater_Manchester", "manchester")]
)
def test_every_area_has_its_boundary(shared_data, areas, name, city):
    shapes = read_boundaries(shared_data / BOUNDARIES.format(name), LSOA21)
    assert set(shapes["area"]) == set(areas.loc[areas["city"] == city, "area"])
    with pytest.raises(SourceError, match=r"LSOA21CD\) than the study, .*LSOAs of 2011"):
        read_boundaries(shared_data / BOUNDARIES.format(name), LSOA11)


def test_a_census_of_2011_goes_to_london_s_areas_of_2021(shared_data, tmp_path, areas):
    """The share of an area that was split is that of its whole, of joined ones that of both."""
    for folder, file in (
        ("census", "census_2011/qs302ew.csv.gz"),
        ("boundaries", "lookups/LSOA11_LSOA21_LAD22_EW_LU.csv.gz"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file.split("/")[1]).symlink_to(shared_data / file)
    health = "self_reported_health"
    values = read_sources(find_sources(tmp_path, LSOA21))[health].frame["value"]
    table = pd.read_csv(
        shared_data / "census_2011/qs302ew.csv.gz", skiprows=8, skipfooter=3, engine="python"
    )
    table = table[table["mnemonic"].str.match(r"[EW]01\d{6}$", na=False)].set_index("mnemonic")
    bad = table["Bad health"].astype(float) + table["Very bad health"].astype(float)
    total = table["All categories: General health"].astype(float)
    links = pd.read_csv(shared_data / "lookups/LSOA11_LSOA21_LAD22_EW_LU.csv.gz")
    london = areas.loc[areas["city"] == "london", "area"]
    links = links[links["LSOA21CD"].isin(london) & (links["CHGIND"] != "X")]
    sums = pd.DataFrame({"bad": bad, "total": total}).reindex(links["LSOA11CD"])
    joined = sums.groupby(links["LSOA21CD"].to_numpy()).sum()
    expected = joined["bad"] / joined["total"]
    assert {"U", "S", "M"} == set(links["CHGIND"])
    assert len(expected) > 4980
    pd.testing.assert_series_equal(
        values.reindex(expected.index), expected, check_names=False, rtol=1e-12
    )
