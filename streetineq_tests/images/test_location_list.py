"""The list of locations: what is wrong with it is named by line or column."""

import datetime as dt

import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.images.location_list import (
    columns_not_read,
    location_list_file,
    one_row_each,
    read_location_list,
)
from streetineq_assets.images.tables import LOCATION_LIST
from streetineq_assets.store import DataStore


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("id,postcode", ["7,AA1 1AA"], r'line 1: .*needs the column "location_id"'),
        ("location_id,post_code", ["7,x"], r'needs the column "postcode"; .*"post_code"'),
        (
            "location_id,easting_m,northing_m",
            ["7,530000,180000"],
            r'line 1: .*without lat and lon \(WGS84 .*not eastings .* the column "postcode"',
        ),
        ("location_id,lat", ["7,51.5"], r'line 1: .*without postcodes needs the column "lon"'),
        ("location_id,lon", ["7,0"], r'line 1: .*without postcodes needs the column "lat"'),
        (
            "location_id,lat,lon",
            ["7,51.5,-0.1", "8,530000,180000"],
            r'line 3, column "lat": .530000. .* eastings and northings',
        ),
        ("location_id,lat,lon", ["7,0,0"], r'line 2, column "lat": .0. .*leave lat and lon'),
        ("location_id,lat,lon", ["7,51.5,0", "8,51.5,", "9,,"], "line 3: lat without lon"),
        (
            "location_id,lat,lon,creator",
            ["7,51.5,0,Ann", "7,51.5,0,Bob"],
            "lines 2 and 3: location 7 has two values of creator",
        ),
        ("location_id,postcode", [",AA1 1AA"], r"line 2, column \"location_id\": '' is no id"),
        ("location_id,postcode", ["../7,AA1 1AA"], r"column \"location_id\": '\.\./7' .*slash"),
        ("location_id,postcode", ["7"], r"line 2: 1 columns where the header has 2"),
        (
            "location_id,postcode,lat",
            ["7,AA1 1AA,north"],
            r"line 2, column \"lat\": 'north' is not",
        ),
        (
            "location_id,postcode,lat,lon",
            ["7,AA1 1AA,-0.1,51.5"],
            r"column \"lat\": '-0\.1' is not a number .* 49 to 61\.5: .*each other's place",
        ),
        (
            "location_id,postcode,lat,lon",
            ["7,AA1 1AA,51.5,0", "8,AA1 1AA,51.5,"],
            "line 3: lat without lon",
        ),
        (
            "location_id,postcode,captured_at",
            ["7,A,04/07/2016"],
            r"line 2, column \"captured_at\": '04/07/2016' .* 2016-07-21",
        ),
        (
            "location_id,postcode,captured_at",
            ["7,A,2016-13"],
            r"column \"captured_at\": '2016-13' is",
        ),
        (
            "location_id,postcode,lat,lon,provider",
            ["7,AA1 1AA,51.5,0,a", "8,AA1 1AA,51.5,0,a", "7,AA1 1AB,51.6,0,a"],
            r"lines 2 and 4: location 7 has two values of lat:",
        ),
        ("location_id;postcode", ["7;AA1 1AA"], "line 1: .*semicolons"),
        ("location_id,postcode,Postcode_2", ["7,AA1 1AA,AA1 1AB"], "line 1: 'Postcode_2' is a sec"),
        ("location_id;postcode;lat;lon", ["7;AA1 1AA;51,4;0,01"], "line 1: .*semicolons"),
        ("location_id\tpostcode", ["7\tAA1 1AA"], "line 1: .*tabs"),
        ("location_id,postcode", ["7,AA1 1AA", "1.23457E+14,AA1 1AB"], "line 3, .*spreadsheet"),
        ("location_id,postcode", ["7,AA1 1AA", "Total,1"], "line 3, .*'Total' .*totals"),
        (
            "location_id,postcode",
            ["7,AA1 1AA", "location_id,postcode"],
            "line 3, .*repeats the header",
        ),
        (
            "location_id,postcode",
            ["Loc1,AA1 1AA", "8,AA1 1AB", "loc1,AA1 1AC"],
            "lines 2 and 4: 'Loc1' and 'loc1' are one id",
        ),
        ("location_id,postcode", ["0001,AA1 1AA", "1,AA1 1AB"], "lines 2 and 3: '0001' and '1'"),
        (
            "location_id,postcode",
            ["12345678901234500,AA1 1AA", "12345678901234600,AA1 1AB"],
            "line 2: '12345678901234500' was rounded",
        ),
    ],
)
def test_a_malformed_list_is_refused_at_its_line_or_column(tmp_path, header, rows, message):
    path = tmp_path / "alpha.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        one_row_each(read_location_list(path), path)


def test_a_city_without_a_list_has_no_locations(tmp_path):
    assert read_location_list(tmp_path / "alpha.csv").empty


def test_a_list_is_of_its_schema(tmp_path):
    path = tmp_path / "alpha.csv"
    path.write_text("postcode,location_id\nAA1 1AA,7\n", encoding="utf-8")
    for rows in (read_location_list(path), read_location_list(tmp_path / "beta.csv")):
        assert list(rows.columns) == LOCATION_LIST.names
        assert rows["captured_at"].dtype == "datetime64[ms]"


def rows_of(tmp_path, *lines):
    path = tmp_path / "alpha.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_location_list(path)


def test_postcodes_in_one_cell_are_rows_of_their_own(tmp_path):
    rows = rows_of(tmp_path, "location_id,postcode", '7,"AA1 1AA; aa1 1ab"', "8,AA1 1AC")
    pairs = list(zip(rows["line"], rows["location_id"], rows["postcode"], strict=True))
    assert pairs == [(2, "7", "AA1 1AA"), (2, "7", "AA1 1AB"), (3, "8", "AA1 1AC")]


def test_headings_may_be_the_usual_others(tmp_path):
    header = "Location ID,Postcode,Latitude,Longitude,License,LSOA11CD"
    (row,) = rows_of(tmp_path, header, "7,AA1 1AA,51.5,-0.1,CC0,E01000001").itertuples()
    assert (row.location_id, row.lat, row.lon) == ("7", 51.5, -0.1)
    assert (row.licence, row.stated_lsoa) == ("CC0", "E01000001")


@pytest.mark.parametrize("nothing", ["", "NA", "-"])
def test_a_location_may_have_coordinates_in_the_place_of_a_postcode(tmp_path, nothing):
    header = "location_id,postcode,lat,lon"
    rows = rows_of(tmp_path, header, f"7,{nothing},51.5,-0.1", "8,AA1 1AA,,")
    assert rows["postcode"].isna().to_list() == [True, False]
    assert rows["lat"].isna().to_list() == [False, True]


def test_a_list_may_have_no_column_of_postcodes(tmp_path):
    rows = rows_of(tmp_path, "location_id,Latitude,lng,photographer", "7,51.5,-0.1,Ann", "8,52,0,")
    assert rows["postcode"].isna().all()
    assert (rows["lat"].to_list(), rows["lon"].to_list()) == ([51.5, 52], [-0.1, 0])
    assert rows["creator"].fillna("").to_list() == ["Ann", ""]


def test_columns_that_mean_nothing_here_are_named(tmp_path):
    path = tmp_path / "alpha.csv"
    path.write_text("location_id,postcode,Easting,lat,lon,\n", encoding="utf-8")
    assert columns_not_read(path) == ["Easting"]
    assert columns_not_read(tmp_path / "beta.csv") == []


def test_days_are_read_by_what_the_whole_column_shows(tmp_path):
    header = "location_id,postcode,captured_at"
    rows = rows_of(tmp_path, header, "7,AA1 1AA,04/07/2016", "8,AA1 1AB,21/07/2016")
    assert rows["captured_at"].dt.date.to_list() == [dt.date(2016, 7, 4), dt.date(2016, 7, 21)]


@pytest.mark.parametrize("name", ["alpha.xlsx", "Alpha.csv", "alpha.csv.gz", "alpha.ods"])
def test_a_file_in_the_place_of_the_list_is_named(tmp_path, name):
    folder = tmp_path / "inputs" / "locations"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"PK")
    (folder / "beta.csv").write_bytes(b"")
    store = DataStore(tmp_path)
    with pytest.raises(SourceError, match=f"{name} lies in the place of alpha.csv"):
        location_list_file(store, "alpha")
    assert location_list_file(store, "beta") == folder / "beta.csv"
    assert not location_list_file(store, "gamma").exists()
