"""A list of captures made of the pictures of a city, through the command line."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.images.capture_search import captures_of, in_lines
from streetineq_assets.images.captures import read_captures
from streetineq_assets.images.picture_metadata import Metadata
from streetineq_tests.codes.encoded_study import STUDY
from streetineq_tests.harness import run
from streetineq_tests.images.captured import texts
from streetineq_tests.images.noted import BASE, GPS, noted, position, xmp
from streetineq_tests.images.pictures import write_files, write_tar, write_zip
from streetineq_tests.studies import new_study

HERE = position(51.5, -0.1)
PANORAMA = xmp(("ProjectionType", "equirectangular"), ("PoseHeadingDegrees", "200"))
EAST = {GPS.GPSImgDirection: 90.0, GPS.GPSImgDirectionRef: "M"}


@pytest.fixture
def store(tmp_path):
    return new_study(tmp_path, STUDY)


def fill(store):
    """Pictures of all kinds, loose and in archives, beside a view by name and litter."""
    folder = store.inputs("images", "alpha")
    lens = {BASE.FocalLength: 4.0}
    write_files(
        folder,
        {
            "deep/pano.jpg": noted(size=(80, 40), gps=HERE, packet=PANORAMA),
            "east.jpg": noted(gps=HERE | EAST, camera=lens),
            "blind.png": noted(kind="PNG", gps=HERE, camera=lens),
            "lost.jpg": noted(camera=lens),
            "abroad.webp": noted(kind="WEBP", gps=position(55.7, 13.2)),
            "part.jpg": noted(size=(90, 40), gps=HERE, packet=PANORAMA),
            "page.jpg": b"<html>",
            "L01_a.png": noted(kind="PNG", gps=HERE),
            ".Trash-1000/gone.jpg": noted(gps=HERE),
            "notes.txt": b"",
        },
    )
    time = {BASE.DateTimeOriginal: "2024:06:01 13:14:15"}
    write_tar(folder / "a.tar", {"x/packed.jpg": noted(gps=HERE, camera=time)})
    write_zip(folder / "b.zip", {"zipped.jpg": noted(gps=HERE | EAST | {GPS.GPSTrack: 88.0})})
    write_files(store.inputs("locations"), {"alpha.csv": b"location_id,postcode\nL01,AB1 1AA\n"})


def call(store, city="alpha"):
    return CliRunner().invoke(app, ["captures", city, "--root", str(store.root)])


def test_pictures_are_listed_by_what_their_cameras_wrote(store):
    fill(store)
    result = call(store)
    assert result.exit_code == 0, result.output
    rows = read_captures(store.inputs("captures", "alpha.csv")).set_index("capture_id")
    assert list(rows.index) == ["blind", "east", "packed", "pano", "zipped"]
    assert rows["projection"].eq("equirectangular").to_dict() == {
        "blind": False, "east": False, "packed": False, "pano": True, "zipped": False,
    }  # fmt: skip
    assert texts(rows["compass_deg"]) == [None, 90, None, 200, 90]
    assert texts(rows["second_compass_deg"]) == [None, None, None, None, 88]
    assert rows["lat"].tolist() == pytest.approx([51.5] * 5, abs=1e-6)
    assert rows.loc["packed", "captured_at"] == pd.Timestamp("2024-06-01 13:14:15")
    assert rows["location_id"].isna().all()


def test_what_was_found_and_what_is_lacking_is_printed(store):
    fill(store)
    told = call(store).output
    for line in (
        "9 pictures",
        "1 panoramas",
        "2 with a direction from magnetic north",
        "without a direction",
        "1 left out: without a position",
        "1 left out: a position outside the United Kingdom",
        "1 left out: a part of a panorama",
        "1 left out: no JPEG, PNG or WebP",
        "5 captures in",
    ):
        assert line in told, line


def test_a_list_that_is_there_is_never_overwritten(store):
    fill(store)
    path = store.inputs("captures", "alpha.csv")
    write_files(path.parent, {path.name: b"mine"})
    result = call(store)
    assert result.exit_code == 1
    assert "is not overwritten: move it away" in result.output
    assert path.read_bytes() == b"mine"
    assert [each.name for each in path.parent.iterdir()] == ["alpha.csv"]


def test_where_nothing_can_be_listed_nothing_is_written(store):
    write_files(store.inputs("images", "alpha"), {"lost.jpg": noted()})
    result = call(store)
    assert result.exit_code == 1
    assert "1 left out: without a position" in result.output
    assert not store.inputs("captures", "alpha.csv").exists()


def test_an_empty_folder_and_an_unknown_city_are_told(store):
    assert "0 pictures" in call(store).output
    result = call(store, "gamma")
    assert result.exit_code == 1
    assert "gamma" in result.output


def test_two_pictures_of_one_name_are_named(store):
    pictures = {f"{folder}/IMG_1.jpg": noted(gps=HERE) for folder in ("100", "101")}
    write_files(store.inputs("images", "alpha"), pictures)
    result = call(store)
    assert result.exit_code == 1
    assert "100/IMG_1.jpg" in result.output
    assert "101/IMG_1.jpg" in result.output


def test_a_list_of_what_is_left_out_is_empty():
    pictures = {"a": None, "b": Metadata("perspective"), "c": Metadata(None, lat=51.5, lon=0.0)}
    assert captures_of(pictures).empty
    assert in_lines(pictures)[0] == "3 pictures"


def test_the_next_run_makes_views_of_it(tmp_path):
    """From the pictures of a folder to the views of a location, with no list by hand."""
    store = new_study(tmp_path, STUDY)
    fill(store)
    call(store)
    run(store, "street_images", "alpha")
    images = store.open("street_images", "alpha").table()
    assert texts(images["reason"]) == [None, "no_position", "no_position", "no_position"]
    write_files(
        store.inputs("locations"),
        {"alpha.csv": b"location_id,postcode,lat,lon\nL01,AB1 1AA,51.5,-0.1\n"},
    )
    run(store, "street_images", "alpha")
    images = store.open("street_images", "alpha").table()
    assert texts(images["capture_id"]) == [None, "pano", "pano", "pano"]
