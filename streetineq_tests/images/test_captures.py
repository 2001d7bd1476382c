"""The list of captures: what is wrong with it is named by line or column, what is good is read."""

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import SourceError
from streetineq_assets.images.captures import captures_file, read_captures
from streetineq_assets.images.tables import CAPTURE_LIST, CAPTURES
from streetineq_assets.store import DataStore

PLACED = "capture_id,compass_deg,projection,lat,lon"


def listed(tmp_path, *lines):
    path = tmp_path / "alpha.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_captures(path)


def cell(tmp_path, name, text):
    """How one cell of a further column is read."""
    return listed(tmp_path, f"{PLACED},{name}", f'7,0,photo,51.5,0,"{text}"')[name].iloc[0]


def compass(tmp_path, text):
    row = listed(tmp_path, PLACED, f'7,"{text}",photo,51.5,0').iloc[0]
    return row["compass_deg"], None if pd.isna(row["compass_problem"]) else row["compass_problem"]


def test_a_list_is_of_its_schema(tmp_path):
    for rows in (
        listed(tmp_path, PLACED, "7,0,photo,51.5,0"),
        read_captures(tmp_path / "beta.csv"),
    ):
        assert list(rows.columns) == [*CAPTURES.names, "compass_problem"] == CAPTURE_LIST.names
        assert rows["captured_at"].dtype == "datetime64[ms]"


def test_a_city_without_a_list_has_no_captures(tmp_path):
    assert read_captures(tmp_path / "alpha.csv").empty


def test_every_column_is_read_by_its_usual_headings(tmp_path):
    header = (
        "Image_ID,Heading,Camera_Type,Location ID,Latitude,Longitude,Pitch,Roll,Track,"
        "Captured at,Provider,License,Photographer"
    )
    line = "i1,12.5,spherical,L7,51.5,-0.1,-3,4.5,13,2019-05-01,mapillary,CC-BY-SA-4.0,ann"
    (row,) = listed(tmp_path, header, line).itertuples()
    assert (row.capture_id, row.location_id, row.projection) == ("i1", "L7", "equirectangular")
    assert (row.lat, row.lon, row.compass_deg) == (51.5, -0.1, 12.5)
    assert (row.pitch_deg, row.roll_deg, row.second_compass_deg) == (-3, 4.5, 13)
    assert row.captured_at == pd.Timestamp("2019-05-01")
    assert (row.provider, row.licence, row.creator) == ("mapillary", "CC-BY-SA-4.0", "ann")


@pytest.mark.parametrize(
    ("text", "degrees"),
    [("0", 0), ("359.9", 359.9), ("360", 0), ("-90", 270), ("-360", 0), ("12,5", 12.5),
     ("\u221290", 270), ("90°", 90)],
)  # fmt: skip
def test_a_direction_is_read_as_one_of_a_full_turn(tmp_path, text, degrees):
    assert compass(tmp_path, text) == (pytest.approx(degrees), None)


@pytest.mark.parametrize("text", ["", "NaN", "null", "-"])
def test_a_direction_that_is_not_known_is_no_mistake(tmp_path, text):
    value, problem = compass(tmp_path, text)
    assert math.isnan(value)
    assert problem == "no_compass"


@pytest.mark.parametrize("text", ["720", "-1000", "360.5", "65535"])
def test_nor_is_one_that_a_device_writes_where_it_knows_none(tmp_path, text):
    value, problem = compass(tmp_path, text)
    assert math.isnan(value)
    assert problem == "compass_out_of_range"


def test_a_second_direction_out_of_range_is_none(tmp_path):
    assert math.isnan(cell(tmp_path, "second_compass_deg", "720"))
    assert cell(tmp_path, "second_compass_deg", "-10") == 350


@pytest.mark.parametrize(
    ("text", "kind"),
    [(t, "equirectangular") for t in ("equirectangular", "Spherical", "panorama", "PANO")]
    + [(t, "perspective") for t in ("perspective", "flat", "Photo", "photograph")],
)
def test_a_projection_has_several_words(tmp_path, text, kind):
    (row,) = listed(tmp_path, PLACED, f"7,0,{text},51.5,0").itertuples()
    assert row.projection == kind


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2016-07-21", "2016-07-21"),
        ("2016-07", "2016-07-01"),
        ("21/07/2016", "2016-07-21"),
        ("2016-07-21T10:11:12Z", "2016-07-21 10:11:12"),
        ("2016-07-21 10:11:12.250", "2016-07-21 10:11:12.250"),
        ("2016:07:21 10:11:12", "2016-07-21 10:11:12"),
        ("2016-07-21T00:30:00+01:00", "2016-07-20 23:30"),
        ("2016-07-21 10:11+0530", "2016-07-21 04:41"),
        ("1469095872000", "2016-07-21 10:11:12"),
        ("", None),
    ],
)
def test_a_time_is_read_to_the_second_where_it_is_written_so(tmp_path, text, time):
    found = cell(tmp_path, "captured_at", text)
    assert pd.isna(found) if time is None else found == pd.Timestamp(time)


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("capture,compass_deg,projection", ["7,0,photo"], 'needs the column "capture_id"'),
        ("capture_id,projection,lat,lon", ["7,photo,51.5,0"], 'needs the column "compass_deg"'),
        ("capture_id,compass_deg,lat,lon", ["7,0,51.5,0"], 'needs the column "projection"'),
        (
            "capture_id,compass_angle,computed_compass_angle,projection",
            ["7,0,0,photo"],
            "line 1: 2 columns are called",
        ),
        (PLACED.replace(",", ";"), ["7;0;photo;51,5;0"], "line 1: .*semicolons"),
        (PLACED, ["7,north,photo,51.5,0"], r"line 2, column \"compass_deg\": 'north' is not .*360"),
        (PLACED, ["7,0,fisheye,51.5,0"], r"line 2, column \"projection\": 'fisheye' is no proj"),
        (PLACED, ["7,0,,51.5,0"], r"line 2, column \"projection\": '' is no proj"),
        (PLACED, ["7,0,photo,-0.1,51.5"], r"column \"lat\": '-0\.1' is not a number"),
        (PLACED, ["7,0,photo,51.5,0", "8,0,photo,51.5,"], "line 3: lat without lon"),
        (PLACED, ["7,0,photo,,"], "line 2: neither location_id nor lat and lon"),
        (f"{PLACED},pitch_deg", ["7,0,photo,51.5,0,91"], r"\"pitch_deg\": '91' is not from -90"),
        (f"{PLACED},roll_deg", ["7,0,photo,51.5,0,flat"], r"\"roll_deg\": 'flat' is not a numb"),
        (f"{PLACED},second_compass_deg", ["7,0,photo,51.5,0,W"], "second_compass_deg.: 'W' is"),
        (f"{PLACED},captured_at", ["7,0,photo,51.5,0,2016-13-01T10:00"], "captured_at.*2016-07-21"),
        (f"{PLACED},captured_at", ["7,0,photo,51.5,0,04/07/2016"], "captured_at.*2016-07-21"),
        (PLACED, ["7,0,photo,51.5,0", "8,0,photo,51.5,0", "7,0,photo,51.5,0"],
         "lines 2 and 4: capture 7 is listed twice"),
        (PLACED, ["Img1,0,photo,51.5,0", "img1,0,photo,51.5,0"], "lines 2 and 3: 'Img1' and 'img1"),
        (PLACED, ["1.23E+14,0,photo,51.5,0"], r"column \"capture_id\": .*spreadsheet"),
        (PLACED, ["a/b,0,photo,51.5,0"], r"column \"capture_id\": 'a/b' .*slash"),
        (PLACED, ["12345678901234500,0,photo,51.5,0", "12345678901234600,0,photo,51.5,0"],
         "line 2: '12345678901234500' was rounded"),
        (f"{PLACED},location_id", ["7,0,photo,51.5,0,1-Jan"], r"column \"location_id\": .*date"),
        (PLACED, ["7,0,photo"], "line 2: 3 columns where the header has 5"),
    ],
)  # fmt: skip
def test_a_malformed_list_is_refused_at_its_line_or_column(tmp_path, header, lines, message):
    with pytest.raises(SourceError, match=message):
        listed(tmp_path, header, *lines)


def test_a_location_is_enough_and_so_is_a_position(tmp_path):
    rows = listed(tmp_path, f"{PLACED},location_id", "7,0,photo,,,L1", "8,0,photo,51.5,0,")
    assert rows["location_id"].isna().tolist() == [False, True]
    assert rows["lat"].isna().tolist() == [True, False]


def test_a_file_that_seems_to_be_meant_is_named(tmp_path):
    store = DataStore(tmp_path)
    folder = store.inputs("captures")
    assert captures_file(store, "alpha") == folder / "alpha.csv"
    folder.mkdir(parents=True)
    (folder / "Alpha.xlsx").write_bytes(b"")
    with pytest.raises(SourceError, match=r"Alpha\.xlsx .*alpha\.csv"):
        captures_file(store, "alpha")
    assert not captures_file(store, "gamma").exists()


CELLS = st.one_of(
    st.sampled_from(
        ["", "7", "photo", "pano", "0", "-90", "720", "51.5", "nan", "2016-07-21", "x"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=4))
def test_whatever_the_cells_hold_a_list_is_read_or_refused_in_a_sentence(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("any") / "alpha.csv"
    header = [*PLACED.split(","), "captured_at"]
    pd.DataFrame(rows, columns=header).to_csv(path, index=False)
    told = ""
    try:
        known = read_captures(path)["compass_deg"].dropna()
    except SourceError as error:
        told, known = str(error), pd.Series(dtype="float64")
    assert not told or str(path) in told
    assert ((known >= 0) & (known < 360)).all()
