"""The postcode directory: the same table out of every edition, file layout and encoding."""

import datetime as dt
import re

import duckdb
import pandas as pd
import pytest

from streetineq_assets.errors import SourceError, SourceMissingError
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import (
    city_areas,
    summarise,
    write_postcodes,
)
from streetineq_tests.labels import official


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def table_of(connection, folder):
    target = folder.parent / "postcode_lsoa.parquet"
    write_postcodes(connection, find_directory(folder), official.AUTHORITIES, target)
    assert ("directory",) not in connection.execute("SHOW TABLES").fetchall()
    return target


def read(connection, tmp_path, *texts, name="directory"):
    for number, text in enumerate(texts):
        official.write(tmp_path / "onspd" / f"{name}_{number}.csv", text)
    return pd.read_parquet(table_of(connection, tmp_path / "onspd")).set_index("postcode")


@pytest.mark.parametrize("edition", official.EDITIONS)
def test_every_edition_gives_the_same_areas(connection, tmp_path, edition):
    table = read(connection, tmp_path, official.directory(edition))
    expected = {row["postcode"]: row for row in official.postcodes()}
    assert sorted(expected) == list(table.index)
    for postcode in ("AB1 1AA", "AB7 3AC", "AB42 4AD"):
        row, source = table.loc[postcode], expected[postcode]
        assert [row["oa"], row["area"], row["msoa"]] == [
            source["oa"],
            source["area"],
            source["msoa"],
        ]
        assert row["city"] == official.AUTHORITIES[source["authority"]]
        assert row["usertype"] == int(source["usertype"])
        if edition in ("2017", "2025"):
            assert row["lat"] == float(source["lat"])
            assert row["lon"] == float(source["long"])
        else:
            assert pd.isna(row["lat"])


@pytest.mark.parametrize("folder", ["city=alpha/area=E01000009", "[ab]", "a*?b", "it's 100 %"])
def test_the_names_of_folders_are_no_data(connection, tmp_path, folder):
    """`city=alpha` would be the city of every postcode, and `[ab]` another folder's files."""
    text = official.directory("2017")
    plain = read(connection, tmp_path / "plain", text)
    official.write(tmp_path / "a" / "onspd" / "directory_0.csv", "another")
    pd.testing.assert_frame_equal(read(connection, tmp_path / folder, text), plain)
    table = tmp_path / folder / "postcode_lsoa.parquet"
    pd.testing.assert_frame_equal(
        city_areas(connection, table),
        city_areas(connection, tmp_path / "plain" / "postcode_lsoa.parquet"),
    )


def test_life_spans_are_months_and_terminated_postcodes_are_kept(connection, tmp_path):
    table = read(connection, tmp_path, official.directory("2017"))
    assert table.loc["AB1 1AA", "introduced"] == dt.date(1980, 1, 1)
    assert pd.isna(table.loc["AB1 1AA", "terminated"])
    assert table.loc["AB1 4AD", "terminated"] == dt.date(2012, 3, 1)


def test_places_without_areas_or_grid_reference_have_nulls(connection, tmp_path):
    table = read(connection, tmp_path, official.directory("2017"))
    assert table.loc["IM1 1AA", ["oa", "area", "city"]].isna().all()
    assert table.loc["QQ1 1QQ", ["oa", "area", "msoa", "city", "lat", "lon"]].isna().all()
    assert table.loc["ZE1 0AA", "area"] == "S01012375"
    assert table.loc["ZE1 0AA", "lat"] == 60.1


def test_one_file_many_files_and_gzip_are_the_same_bytes(connection, tmp_path):
    rows = official.postcodes()
    whole = official.directory("2017", rows)
    parts = [official.directory("2017", rows[100:]), official.directory("2017", rows[:100])]
    official.write(tmp_path / "a" / "onspd" / "national.csv", whole)
    official.write(tmp_path / "b" / "onspd" / "national.csv.gz", whole, packed=True)
    official.write(tmp_path / "c" / "onspd" / "no suffix of gzip.csv", whole, packed=True)
    official.write(tmp_path / "d" / "onspd" / "mark.csv", whole, encoding="utf-8-sig")
    for number, part in enumerate(parts):
        official.write(tmp_path / "e" / "onspd" / "multi_csv" / f"{number}.csv", part)
        official.write(
            tmp_path / "f" / "onspd" / f"{number}.csv{'.gz' * number}", part, packed=bool(number)
        )
    written = {
        folder.name: table_of(connection, folder / "onspd").read_bytes()
        for folder in sorted(tmp_path.iterdir())
    }
    assert len(written) == 6
    assert set(written.values()) == {written["a"]}


def test_the_national_file_is_taken_where_its_parts_lie_beside_it(connection, tmp_path):
    whole = official.directory("2017")
    official.write(tmp_path / "onspd" / "Data" / "ONSPD_AUG_2017_UK.csv", whole)
    official.write(tmp_path / "onspd" / "Data" / "multi_csv" / "AB.csv", whole)
    official.write(tmp_path / "onspd" / "Documents" / "names and codes.csv", "LAD12CD,LAD12NM\n1,2")
    official.write(tmp_path / "onspd" / "Documents" / "LSOA names.csv", "LSOA11CD,LSOA11NM\n1,2")
    lookup = "OA11CD,LSOA11CD,LSOA11NM,MSOA11CD,MSOA11NM,LAD11CD,LAD11NM\n1,2,3,4,5,6,7"
    official.write(tmp_path / "onspd" / "Documents" / "areas.csv", lookup)
    (tmp_path / "onspd" / "User Guide.pdf").write_bytes(b"%PDF\x00")
    directory = find_directory(tmp_path / "onspd")
    assert [path.name for path in directory.files] == ["ONSPD_AUG_2017_UK.csv"]


def test_names_in_latin_1_are_read_past(connection, tmp_path):
    text = official.directory("lookup").replace('"X9"', '"Ynys Môn"')
    official.write(tmp_path / "onspd" / "lookup.csv", text, encoding="latin-1")
    table = pd.read_parquet(table_of(connection, tmp_path / "onspd"))
    assert len(table) == len(official.postcodes())


def test_postcodes_have_the_authorities_that_were_asked_for(connection, tmp_path):
    """Beta's authority got a new code, and one is written with a space behind it."""
    rows = official.postcodes()
    for row in rows:
        row["authority"] = row["authority"].replace("E08000025", "E08000099")
    rows[0]["authority"] += " "
    official.write(tmp_path / "onspd" / "directory.csv", official.directory("2017", rows))
    directory, target = find_directory(tmp_path / "onspd"), tmp_path / "postcode_lsoa.parquet"
    write_postcodes(connection, directory, official.AUTHORITIES, target)
    counts = pd.read_parquet(target)["authority"].value_counts().to_dict()
    assert counts == {"E09000001": 4 * len(official.CITY_A)}
    assert set(city_areas(connection, target)["city"]) == {"alpha"}


def test_areas_that_do_not_nest_are_refused(connection, tmp_path):
    """The column of MSOAs moved down by a row."""
    rows = official.postcodes()
    above = [row["msoa"] for row in rows]
    for row, moved in zip(rows[1:], above, strict=False):
        row["msoa"] = moved
    with pytest.raises(SourceError, match="lies in the MSOAs E02000000 and E02000001"):
        read(connection, tmp_path, official.directory("2017", rows))


# -- which files are a directory -------------------------------------------------------------------

SEPARATED = "pcd;pcds;dointr;doterm;oslaua;usertype;oa11;lsoa11;msoa11\n1;2;3;4;5;6;7;8;9\n"
OF_2021 = "pcd,pcds,dointr,doterm,usertype,oa21,laua,lsoa21,msoa21,lat,long\n" + ",".join("x" * 11)
OTHERS = {
    "gazetteer.csv": (
        "Postcode,In Use?,Latitude,District Code,LSOA Code\nAB1 1AA,Yes,51,E09000001,E01000001\n",
        "another publisher or product: it lacks .*usertype.*lsoa11",
    ),
    "names.csv": ("LAD11CD,LAD11NM\nE09000001,A\n", "no column of postcodes"),
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(SEPARATED, "separated by semicolons", id="semicolons"),
        pytest.param(SEPARATED.replace(";", "\t"), "separated by tabs", id="tabs"),
        pytest.param(
            ";".join(f'"{name}"' for name in SEPARATED.partition("\n")[0].split(";")) + "\n",
            "separated by semicolons",
            id="semicolons and quotation marks",
        ),
        pytest.param(OF_2021, "LSOAs of 2021 and not the LSOAs of 2011", id="areas of 2021"),
        pytest.param(
            official.directory("2017").partition("\n")[2], "lost its header", id="no header"
        ),
    ],
)
def test_what_would_be_a_directory_but_for_a_fault_is_refused(tmp_path, text, message):
    official.write(tmp_path / "onspd" / "directory.csv", text)
    with pytest.raises(SourceError, match=rf"directory\.csv.* {message}"):
        find_directory(tmp_path / "onspd")


def test_a_workbook_is_no_directory(tmp_path):
    (tmp_path / "onspd").mkdir()
    table = pd.DataFrame([[""] * 9], columns=SEPARATED.partition("\n")[0].split(";"))
    table.to_excel(tmp_path / "onspd" / "ONSPD.xlsx", index=False)
    with pytest.raises(SourceError, match="save the postcode directory as CSV"):
        find_directory(tmp_path / "onspd")


def test_files_that_are_none_are_named_with_the_reason(tmp_path):
    for name, (text, _) in OTHERS.items():
        official.write(tmp_path / "onspd" / name, text)
    with pytest.raises(SourceMissingError) as caught:
        find_directory(tmp_path / "onspd")
    for name, (_, reason) in OTHERS.items():
        assert re.search(f"{name}: .*{reason}", str(caught.value))


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_none_is_harmless_beside_one_and_refused_among_parts(tmp_path, name):
    rows, folder = official.postcodes(), tmp_path / "onspd"
    official.write(folder / name, OTHERS[name][0])
    official.write(folder / "a.csv", official.directory("2017", rows[:50]))
    assert [path.name for path in find_directory(folder).files] == ["a.csv"]
    official.write(folder / "b.csv", official.directory("2017", rows[50:]))
    with pytest.raises(SourceError, match=f"{name} lies among the files"):
        find_directory(folder)


def test_no_directory_is_missing_and_not_an_error_of_a_file(tmp_path):
    (tmp_path / "onspd").mkdir()
    with pytest.raises(SourceMissingError, match="ONS Postcode Directory"):
        find_directory(tmp_path / "onspd")


def test_an_area_belongs_to_the_city_of_most_of_its_postcodes(connection, tmp_path):
    rows = official.postcodes()
    for row in rows[:1]:
        row["authority"] = "E08000025"  # one of four of the first area: beta's
    for row in rows[4:6]:
        row["authority"] = "E08000025"  # two of four of the second: a tie, alpha is first
    for row in rows[8:11]:
        row["authority"] = "E06000001"  # three of four of the third: of no city
    read(connection, tmp_path, official.directory("2017", rows))
    areas = city_areas(connection, tmp_path / "postcode_lsoa.parquet").set_index("area")
    first, second, third = official.CITY_A[:3]
    assert areas.loc[first].to_list() == ["alpha", 3, 1]
    assert areas.loc[second].to_list() == ["alpha", 2, 2]
    assert third not in areas.index
    assert len(areas) == len(official.LSOAS) - 1


def test_values_count_what_is_live_at_the_studys_date(connection, tmp_path):
    read(connection, tmp_path, official.directory("2017"))
    table = tmp_path / "postcode_lsoa.parquet"
    areas = len(official.LSOAS)
    assert summarise(connection, table, dt.date(2017, 8, 1)) == {
        "n_postcodes": 4 * areas + 3,
        "n_postcodes_in_cities": 4 * areas,
        "n_live_in_cities": 3 * areas,
        "n_live_small_user": 2 * areas,
        "n_lsoas": areas,
        "newest_postcode": "1980-01",
    }
    before = summarise(connection, table, dt.date(2012, 2, 29))
    assert before["n_live_in_cities"] == 4 * areas
