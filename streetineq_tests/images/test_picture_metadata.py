"""What cameras wrote into pictures is read, and what is broken is as if it were not there."""

import datetime as dt
import io
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from streetineq_assets.images.picture_metadata import Metadata, read_metadata
from streetineq_tests.images.noted import BASE, GPS, noted, position, xmp

PANORAMA = (("ProjectionType", "equirectangular"), ("PoseHeadingDegrees", "123.5"))


def read(**notes):
    return read_metadata(io.BytesIO(noted(**notes)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_says_where_when_and_which_way(kind):
    gps = position(51.5074, -0.1278) | {
        GPS.GPSImgDirection: 87.25,
        GPS.GPSImgDirectionRef: "T",
        GPS.GPSTrack: 90.5,
    }
    camera = {
        BASE.DateTimeOriginal: "2024:06:01 13:14:15",
        BASE.OffsetTimeOriginal: "+01:00",
        BASE.FocalLength: 4.25,
    }
    found = read(kind=kind, gps=gps, camera=camera, main={BASE.Artist: "Ann Example"})
    assert found.projection == "perspective"
    assert (found.lat, found.lon) == pytest.approx((51.5074, -0.1278), abs=1e-6)
    assert (found.compass_deg, found.second_compass_deg) == (87.25, 90.5)
    assert not found.is_magnetic
    assert found.captured_at == dt.datetime(2024, 6, 1, 12, 14, 15)
    assert (found.creator, found.licence) == ("Ann Example", None)


def test_a_picture_without_notes_is_a_photograph():
    assert read() == Metadata("perspective")


@pytest.mark.parametrize("as_elements", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_panorama_says_so_with_its_pose(kind, as_elements):
    notes = (*PANORAMA, ("PosePitchDegrees", "-2.5"), ("PoseRollDegrees", "1"))
    packet = xmp(elements=notes) if as_elements else xmp(*notes)
    found = read(kind=kind, size=(80, 40), packet=packet)
    assert (found.projection, found.compass_deg) == ("equirectangular", 123.5)
    assert (found.pitch_deg, found.roll_deg) == (-2.5, 1)


def test_the_pose_comes_before_the_direction_of_exif():
    gps = {GPS.GPSImgDirection: 120.0, GPS.GPSImgDirectionRef: "M"}
    found = read(size=(80, 40), packet=xmp(*PANORAMA), gps=gps)
    assert (found.compass_deg, found.second_compass_deg) == (123.5, 120)
    assert not found.is_magnetic


@pytest.mark.parametrize(
    ("size", "camera", "packet", "projection"),
    [
        ((80, 40), {}, None, "equirectangular"),  # twice as wide as high, and of no lens
        ((80, 40), {BASE.FocalLength: 4.2}, None, "perspective"),
        ((80, 40), {BASE.FocalLengthIn35mmFilm: 28}, None, "perspective"),
        ((81, 40), {}, None, "perspective"),
        ((81, 40), {BASE.FocalLength: 1.3}, xmp(*PANORAMA), "equirectangular"),
        ((90, 40), {}, xmp(*PANORAMA), None),  # a part of one
        (
            (80, 40),
            {},
            xmp(*PANORAMA, ("FullPanoWidthPixels", 160), ("CroppedAreaImageWidthPixels", 80)),
            None,
        ),
        ((80, 40), {}, xmp(("ProjectionType", "cylindrical")), "equirectangular"),
    ],
)
def test_which_pictures_are_panoramas(size, camera, packet, projection):
    assert read(size=size, camera=camera, packet=packet).projection == projection


def test_a_magnetic_direction_is_kept_and_marked():
    found = read(gps={GPS.GPSImgDirection: 12.0, GPS.GPSImgDirectionRef: "M"})
    assert (found.compass_deg, found.is_magnetic) == (12, True)


@pytest.mark.parametrize("written", [65535.0, 720.0, IFDRational(1, 0)])
def test_a_direction_out_of_range_is_none(written):
    assert read(gps={GPS.GPSImgDirection: written}).compass_deg is None


def test_zero_degrees_twice_is_where_devices_are_that_do_not_know():
    found = read(gps=position(0, 0))
    assert (found.lat, found.lon) == (None, None)
    assert read(gps=position(51.5, 0)).lon == 0


@pytest.mark.parametrize(
    "broken",
    [
        {GPS.GPSLatitude: (95.0, 0.0, 0.0)},
        {GPS.GPSLongitude: (200.0, 0.0, 0.0)},
        {GPS.GPSLatitude: (51.0, IFDRational(1, 0), 0.0)},
        {GPS.GPSLongitude: None},
    ],
)
def test_half_a_position_is_none(broken):
    tags = {tag: v for tag, v in (position(51.5, -0.1) | broken).items() if v is not None}
    found = read(gps=tags)
    assert (found.lat, found.lon) == (None, None)


@pytest.mark.parametrize(
    ("camera", "gps", "time"),
    [
        ({BASE.DateTimeOriginal: "2024:06:01 13:14:15"}, {}, "2024-06-01 13:14:15"),
        (
            {BASE.DateTimeOriginal: "2024:06:01 13:14:15"},
            {GPS.GPSDateStamp: "2024:06:01", GPS.GPSTimeStamp: (12.0, 14.0, 9.0)},
            "2024-06-01 12:14:09",
        ),
        ({}, {GPS.GPSDateStamp: "2024:06:01"}, "2024-06-01"),
        ({BASE.DateTimeOriginal: "0000:00:00 00:00:00"}, {}, None),
        ({BASE.DateTimeOriginal: "    :  :     :  :  "}, {}, None),
        ({BASE.DateTimeOriginal: "2024:13:01 13:14:15"}, {}, None),
    ],
)
def test_times_are_those_of_the_satellites_where_the_clock_names_no_offset(camera, gps, time):
    found = read(camera=camera, gps=gps).captured_at
    assert found == (None if time is None else pd.Timestamp(time))


@pytest.mark.parametrize(
    ("main", "creator", "licence"),
    [
        ({BASE.Copyright: "(c) 2024 Ann"}, "(c) 2024 Ann", None),
        ({BASE.Copyright: "CC BY-SA 4.0", BASE.Artist: "Ann"}, "Ann", "CC-BY-SA-4.0"),
        ({BASE.Artist: "=cmd|' /C calc'!A0"}, "cmd|' /C calc'!A0", None),
        ({BASE.Artist: "  "}, None, None),
    ],
)
def test_who_took_it_and_under_which_licence(main, creator, licence):
    found = read(main=main)
    assert (found.creator, found.licence) == (creator, licence)


def test_notes_of_mapillary_fill_what_exif_lacks():
    description = {
        "MAPCompassHeading": {"TrueHeading": 54.7, "MagneticHeading": 50},
        "MAPLatitude": "51.5",
        "MAPLongitude": -0.1,
        "MAPCaptureTime": "2014_06_07_10_24_05_656",
    }
    found = read(main={BASE.ImageDescription: json.dumps(description)})
    assert (found.lat, found.lon, found.compass_deg) == (51.5, -0.1, 54.7)
    assert found.captured_at == dt.datetime(2014, 6, 7, 10, 24, 5)
    both = read(main={BASE.ImageDescription: json.dumps(description)}, gps={GPS.GPSImgDirection: 9})
    assert (both.compass_deg, both.second_compass_deg) == (9, 54.7)


@pytest.mark.parametrize(
    "description",
    ["a street", "[1]", "{", '{"MAPCompassHeading": 3, "MAPLatitude": {}}', "[" * 20_000],
)
def test_other_descriptions_are_nobodys_notes(description):
    assert read(main={BASE.ImageDescription: description}) == Metadata("perspective")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<x",
        b"\xff\xfe<",
        xmp(*PANORAMA)[:-400],
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + xmp(*PANORAMA),
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    ],
)
def test_packets_that_are_broken_or_define_entities_are_not_read(packet):
    assert read(size=(90, 40), packet=packet) == Metadata("perspective")


def test_a_packet_beyond_all_measure_is_not_read():
    packet = xmp(*PANORAMA) + b" " * 2**18
    found = read(size=(90, 40), kind="WEBP", packet=packet)
    assert found.projection == "perspective"


@pytest.mark.parametrize("data", [b"", b"<html>", b"\xff\xd8\xff", b"GIF89a", noted()[:10]])
def test_what_is_no_picture_has_none(data):
    assert read_metadata(io.BytesIO(data)) is None


def test_nothing_is_decoded(monkeypatch):
    """A file that is cut off behind its head is read as well as a whole one."""
    whole = noted(gps=position(51.5, -0.1), size=(400, 300))
    monkeypatch.setattr(Image.Image, "load", None)
    found = read_metadata(io.BytesIO(whole[:-300]))
    assert found.lat == pytest.approx(51.5)


WHOLE = noted(
    gps=position(51.5, -0.1) | {GPS.GPSImgDirection: 12.0, GPS.GPSTimeStamp: (1.0, 2.0, 3.0)},
    camera={BASE.DateTimeOriginal: "2024:06:01 13:14:15", BASE.FocalLength: 4.2},
    main={BASE.Artist: "Ann", BASE.ImageDescription: "{}"},
    packet=xmp(*PANORAMA),
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 1500), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(20, len(WHOLE)),
)
def test_no_damage_makes_it_fail(changes, length):
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at % len(data)] = value
    found = read_metadata(io.BytesIO(bytes(data[:length])))
    assert found is None or found.compass_deg is None or 0 <= found.compass_deg < 360
