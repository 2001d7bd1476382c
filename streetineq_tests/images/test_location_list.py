"""The list of locations: what is wrong with it is named by line or column."""

import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.images.location_list import one_row_each, read_location_list
from streetineq_assets.images.tables import LOCATION_LIST


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("id,postcode", ["7,AA1 1AA"], r'line 1: .*needs the column "location_id"'),
        ("location_id,post_code", ["7,x"], r'needs the column "postcode"; .*"post_code"'),
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
            ["7,A,21/07/2016"],
            r"column \"captured_at\": '21",
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
