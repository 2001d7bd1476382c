"""The synthetic inputs have the layouts that the publishers' files have."""

import csv
import json
from itertools import combinations

import pandas as pd
import pytest
from shapely.geometry import shape
from shapely.ops import unary_union

NOMIS_HEADERS = {
    "qs302ew": [
        "All categories: General health",
        "Very good health",
        "Good health",
        "Fair health",
        "Bad health",
        "Very bad health",
    ],
    "qs408ew": [
        "All categories: Occupancy rating (rooms)",
        "Occupancy rating (rooms) of +2 or more",
        "Occupancy rating (rooms) of +1",
        "Occupancy rating (rooms) of 0",
        "Occupancy rating (rooms) of -1",
        "Occupancy rating (rooms) of -2 or less",
    ],
    "qs601ew": [
        "All categories: Economic activity",
        "Economically active: Employee: Part-time",
        "Economically active: Employee: Full-time",
        "Economically active: Self-employed with employees: Part-time",
        "Economically active: Self-employed with employees: Full-time",
        "Economically active: Self-employed without employees: Part-time",
        "Economically active: Self-employed without employees: Full-time",
        "Economically active: Unemployed",
        "Economically active: Full-time student",
        "Economically inactive: Total",
        "Economically inactive: Retired",
        "Economically inactive: Looking after home or family",
    ],
    "ks501ew": [
        "All categories: Highest level of qualification",
        "No qualifications",
        "Highest level of qualification: Level 1 qualifications",
        "Highest level of qualification: Level 2 qualifications",
        "Highest level of qualification: Apprenticeship",
        "Highest level of qualification: Level 3 qualifications",
        "Highest level of qualification: Level 4 qualifications and above",
        "Highest level of qualification: Other qualifications",
        "Full-time students: Age 18 to 74: Economically active: In employment",
        "Full-time students: Age 18 to 74: Economically active: Unemployed",
        "Full-time students: Age 18 to 74: Economically inactive",
    ],
}
# The columns of a table that split its total.
SPLIT = {
    "qs302ew": slice(1, 6),
    "qs408ew": slice(1, 6),
    "qs601ew": slice(1, 10),
    "ks501ew": slice(1, 8),
}
INDICES = [
    "Index of Multiple Deprivation (IMD) Score",
    "Income Score (rate)",
    "Employment Score (rate)",
    "Education, Skills and Training Score",
    "Health Deprivation and Disability Score",
    "Crime Score",
    "Barriers to Housing and Services Score",
    "Living Environment Score",
    "Income Deprivation Affecting Children Index (IDACI) Score (rate)",
    "Income Deprivation Affecting Older People (IDAOPI) Score (rate)",
    "Children and Young People Sub-domain Score",
    "Adult Skills Sub-domain Score",
    "Geographical Barriers Sub-domain Score",
    "Wider Barriers Sub-domain Score",
    "Indoors Sub-domain Score",
    "Outdoors Sub-domain Score",
]
FILE_7_AREA = [
    "LSOA code (2011)",
    "LSOA name (2011)",
    "Local Authority District code (2013)",
    "Local Authority District name (2013)",
]
FILE_7_PEOPLE = [
    "Total population: mid 2012 (excluding prisoners)",
    "Dependent Children aged 0-15: mid 2012 (excluding prisoners)",
    "Population aged 16-59: mid 2012 (excluding prisoners)",
    "Older population aged 60 and over: mid 2012 (excluding prisoners)",
    (
        "Working age population 18-59/64: for use with Employment Deprivation Domain "
        "(excluding prisoners)"
    ),
]
INCOME_HEADER = (
    "Code,Name,LAD code,Borough,Mean 2001/02,Mean 2002/03,Mean 2003/04,Mean 2004/05,Mean 2005/06,"
    "Mean 2006/07,Mean 2007/08,Mean 2008/09,Mean 2009/10,Mean 2010/11,Mean 2011/12,Mean 2012/13,"
    "Median 2001/02,Median 2002/03,Median 2003/04,Median 2004/05,Median 2005/06,Median 2006/07,"
    "Median 2007/08,Median 2008/09,Median 2009/10,Median 2010/11,Median 2011/12,Median 2012/13"
)
DIRECTORY_HEADER = (
    "pcd,pcd2,pcds,dointr,doterm,oscty,ced,oslaua,osward,parish,usertype,oseast1m,osnrth1m,"
    "osgrdind,oshlthau,nhser,ctry,rgn,streg,pcon,eer,teclec,ttwa,pct,nuts,statsward,oa01,casward,"
    "park,lsoa01,msoa01,ur01ind,oac01,oa11,lsoa11,msoa11,wz11,ccg,bua11,buasd11,ru11ind,oac11,"
    "lat,long,lep1,lep2,pfa,imd,calncv,stp"
)


def nomis_rows(written, table):
    path = written.root / "inputs" / "census" / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("table", NOMIS_HEADERS)
def test_a_census_table_has_preamble_header_rows_and_footnotes(written, table):
    rows = nomis_rows(written, table)
    n = 12 + 10 + 6  # two cities and the district outside
    assert rows[0] == []
    assert rows[1][0].startswith(table.upper() + " - ")
    assert [row[0] for row in rows[3:7]] == [
        "Population :",
        "Units      :",
        "Date       :",
        "Rural Urban:",
    ]
    assert rows[7] == []
    assert rows[8] == ["2011 super output area - lower layer", "mnemonic", *NOMIS_HEADERS[table]]
    assert rows[9] == []
    assert [row[1] for row in rows[10 : 10 + n]] == [f"E0190{k:04d}" for k in range(1, n + 1)]
    assert rows[10 + n : 14 + n] == [[]] * 4
    assert [row[0] for row in rows[14 + n : -1]] == ["", ""]


@pytest.mark.parametrize("table", NOMIS_HEADERS)
def test_texts_of_a_census_table_are_quoted_and_counts_are_not(written, table):
    line = (written.root / f"inputs/census/{table}.csv").read_text().splitlines()[10]
    assert line.startswith('"X East 001A","E01900001",')
    assert all(cell.isdigit() for cell in line.split(",")[2:])


@pytest.mark.parametrize("table", NOMIS_HEADERS)
def test_the_categories_of_a_census_table_sum_to_its_total(written, table):
    for row in nomis_rows(written, table)[10:38]:
        total, *parts = (int(cell) for cell in row[2:])
        assert sum([total, *parts][SPLIT[table]]) == total
        assert min(parts) >= 0


def test_file_7_has_the_official_columns(written):
    def block(score):
        name = score.split(" Score")[0]
        return [
            score,
            f"{name} Rank (where 1 is most deprived)",
            f"{name} Decile (where 1 is most deprived 10% of LSOAs)",
        ]

    expected = FILE_7_AREA + [c for score in INDICES for c in block(score)] + FILE_7_PEOPLE
    path = written.input("iod")
    assert list(pd.read_csv(path).columns) == expected
    assert len(expected) == 57
    assert b"\r\n" in path.read_bytes()


def test_ranks_are_distinct_national_ones_and_deciles_follow_from_them(written):
    table = pd.read_csv(written.input("iod"))
    for score in INDICES:
        name = score.split(" Score")[0]
        rank = table[f"{name} Rank (where 1 is most deprived)"]
        decile = table[f"{name} Decile (where 1 is most deprived 10% of LSOAs)"]
        assert rank.is_unique
        assert rank.between(1, 32_844).all()
        assert (decile == [-(-10 * r // 32_844) for r in rank]).all()
        assert table[score].corr(rank, method="spearman") < -0.99


def test_the_income_file_has_the_official_header_and_mangled_pounds(written):
    lines = written.input("household_income").read_text(encoding="ascii").splitlines()
    assert lines[0] == INCOME_HEADER
    assert len(lines) == 1 + 12  # the first city only, as the real file covers London only
    cells = next(csv.reader([lines[1]]))
    assert len(cells) == 28
    assert all(cell.startswith("?") and cell[-4] == "," for cell in cells[4:])
    assert ',"?' in lines[1]


def test_the_postcode_directory_has_the_fifty_columns_of_2018(written):
    text = written.input("onspd").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == DIRECTORY_HEADER
    assert len(lines[0].split(",")) == 50
    rows = pd.read_csv(written.input("onspd"), dtype=str, keep_default_na=False)
    assert (rows["pcd"].str.len() == 7).all()
    assert (rows["pcd2"].str.len() == 8).all()
    assert rows["pcds"].is_unique
    assert (rows["pcd"].str.replace(" ", "") == rows["pcds"].str.replace(" ", "")).all()
    for column in ("oa11", "lsoa11", "msoa11"):
        assert rows[column].str.fullmatch(r"E0[012]9\d{5}").all()
    assert rows["dointr"].str.fullmatch(r"\d{6}").all()
    assert rows["doterm"].str.fullmatch(r"\d{6}|").all()
    assert {"0", "1"} == set(rows["usertype"])
    assert (
        rows.loc[rows["doterm"] != "", "doterm"].gt(rows.loc[rows["doterm"] != "", "dointr"]).all()
    )


def test_every_area_has_live_and_terminated_postcodes_in_one_authority(written):
    rows = pd.read_csv(written.input("onspd"), dtype=str, keep_default_na=False)
    assert len(rows.drop_duplicates(["lsoa11", "oslaua"])) == 28
    assert len(rows.drop_duplicates(["lsoa11", "oa11"])) == 4 * 28
    live = rows[(rows["doterm"] == "") & (rows["usertype"] == "0")]
    assert (live.groupby("lsoa11").size() >= 6).all()
    assert len(live) < len(rows)


def test_boundaries_tile_each_city_without_overlap(written):
    collection = json.loads(written.input("boundaries").read_text())
    assert collection["type"] == "FeatureCollection"
    shapes = {f["properties"]["LSOA11CD"]: shape(f["geometry"]) for f in collection["features"]}
    names = {f["properties"]["LSOA11NM"] for f in collection["features"]}
    assert len(shapes) == len(names) == 28
    for city in ("x", "y"):
        codes = written.truth.areas.loc[written.truth.areas["city"] == city, "area"]
        tiles = [shapes[code] for code in codes]
        assert all(tile.is_valid and tile.geom_type == "Polygon" for tile in tiles)
        whole = unary_union(tiles)
        assert whole.geom_type == "Polygon"
        assert sum(tile.area for tile in tiles) == pytest.approx(whole.area, rel=1e-3)
        assert max(a.intersection(b).area for a, b in combinations(tiles, 2)) < 1e-3 * whole.area


def test_the_places_lie_in_the_north_sea(written):
    assert written.truth.areas["lon"].between(0.5, 2.0).all()
    assert written.truth.areas["lat"].between(53.5, 55.0).all()


def test_locations_lie_in_their_areas_and_serve_their_postcodes(written):
    collection = json.loads(written.input("boundaries").read_text())
    shapes = {f["properties"]["LSOA11CD"]: shape(f["geometry"]) for f in collection["features"]}
    directory = pd.read_csv(written.input("onspd"), dtype=str, keep_default_na=False)
    area_of = dict(zip(directory["pcds"], directory["lsoa11"], strict=True))
    home = dict(
        zip(written.truth.locations["location_id"], written.truth.locations["area"], strict=True)
    )
    fault = dict(
        zip(written.truth.locations["location_id"], written.truth.locations["fault"], strict=True)
    )
    rows = pd.read_csv(written.root / "inputs/locations/x.csv", dtype={"location_id": str})
    assert list(rows.columns) == [
        "location_id", "postcode", "lat", "lon", "captured_at", "provider", "licence",
    ]  # fmt: skip
    for row in rows.itertuples():
        point = shape({"type": "Point", "coordinates": (row.lon, row.lat)})
        assert shapes[home[row.location_id]].distance(point) < 1e-5
        if fault[row.location_id] not in ("unknown_postcode", "outside_city"):
            assert area_of[row.postcode] == home[row.location_id]
    assert rows["location_id"].duplicated().any()
    live = directory[(directory["doterm"] == "") & (directory["usertype"] == "0")]
    assert not rows.loc[rows["postcode"].isin(live["pcds"]), "postcode"].duplicated().any()
