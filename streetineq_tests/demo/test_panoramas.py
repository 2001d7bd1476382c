"""The invented panoramas: views that are cut of them are those that were painted."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.demo.panoramas import HEIGHT, assemble
from streetineq_assets.demo.perspective import FOV_DEG
from streetineq_assets.demo.scene import Texture, paint_location
from streetineq_assets.images.panorama import views
from streetineq_assets.images.tables import CAPTURES
from streetineq_assets.study import load_study
from streetineq_tests.demo.test_city import image_files

GPANO = "{http://ns.google.com/photos/1.0/panorama/}"
COMPASSES = [0.0, 33.69, 45.0, 180.0, 211.3, 359.99]


def cut(panorama, compass, size):
    return views(np.asarray(panorama), compass=compass, fov=FOV_DEG, size=size)


def test_the_painted_views_are_67_degrees_wide():
    assert pytest.approx(67.38, abs=0.005) == FOV_DEG


@pytest.mark.parametrize("compass", COMPASSES)
def test_each_pixel_of_a_view_is_found_again_wherever_the_middle_looks(compass):
    """Of pictures whose colours say which view, column and row a pixel is of."""
    width, height = 320, 200
    ramps = np.zeros((4, height, width, 3), np.uint8)
    ramps[..., 0] = np.linspace(0, 255, width)
    ramps[..., 1] = np.linspace(0, 255, height)[:, None]
    ramps[..., 2] = np.arange(40, 200, 40)[:, None, None]
    panorama = assemble([Image.fromarray(each) for each in ramps], compass, 384)
    assert panorama.size == (768, 384)
    for view, ramp in zip(cut(panorama, compass, (width, height)), ramps, strict=True):
        difference = np.abs(view.astype(int) - ramp)
        assert difference.mean() < 1
        assert difference[2:-2, 2:-2].max() <= 3


def test_what_an_encoder_sees_of_a_panorama_is_what_was_painted():
    """Grey levels of 255 as `preprocess` makes them, at the panoramas' own size and quality."""
    rng = np.random.default_rng(4)
    painted = paint_location(0.4, Texture.invent(rng), rng, (640, 400))
    file = io.BytesIO()
    assemble(painted, 211.3, round(HEIGHT * 640)).save(file, "JPEG", quality=90)
    found = cut(Image.open(file), 211.3, (640, 400))
    wanted = np.stack([preprocess(each) for each in painted])
    seen = np.stack([preprocess(Image.fromarray(each)) for each in found])
    assert np.abs(seen - wanted).mean(axis=(1, 2, 3)).max() < 4
    assert np.abs(np.roll(seen, 1, axis=0) - wanted).mean(axis=(1, 2, 3)).min() > 12


# -- as written ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(written):
    return pd.read_csv(written.root / "inputs/captures/y.csv", dtype={"location_id": str})


@pytest.fixture(scope="module")
def locations(written):
    return written.truth.locations.query("city == 'y'").set_index("location_id")


def test_captures_are_listed_by_the_names_of_the_schema(listed):
    assert set(listed.columns) <= set(CAPTURES.names)
    assert {"capture_id", "location_id", "projection", "compass_deg"} <= set(listed.columns)
    assert set(listed["projection"]) == {"equirectangular"}
    assert listed["capture_id"].is_unique


def test_each_location_has_a_capture_of_another_name(listed, locations):
    own = listed.set_index("location_id")["capture_id"]
    assert own.to_dict() == locations["capture_id"].to_dict()
    assert own.str.fullmatch("pano[0-9]{8}").all()
    assert not set(own) & set(own.index)


def test_the_first_city_has_none(written):
    assert not (written.root / "inputs/captures/x.csv").exists()
    assert set(written.truth.locations.query("city == 'x'")["capture_id"]) == {""}


def test_captures_look_anywhere_and_the_car_goes_almost_there(listed):
    assert listed["compass_deg"].between(0, 360, inclusive="left").all()
    assert listed["compass_deg"].max() - listed["compass_deg"].min() > 180
    apart = (listed["second_compass_deg"] - listed["compass_deg"] + 180) % 360 - 180
    assert 0.5 < apart.std() < 6
    assert apart.abs().max() < 12


def test_every_panorama_has_its_file_but_the_one_that_was_never_downloaded(written, locations):
    files = image_files(written.root, "y")
    there = locations[locations["fault"] != "no_images"]
    assert files.keys() == {f"{capture}.jpg" for capture in there["capture_id"]}
    assert (locations["fault"] == "no_images").sum() == 1
    folder = written.root / "inputs/images/y"
    loose = {path.stem for path in folder.glob("*.jpg")}
    assert loose == set(there.loc[there["packing"] == "jpeg", "capture_id"])
    assert loose < {name.removesuffix(".jpg") for name in files}, "the others are in an archive"


def test_files_say_as_cameras_do_which_way_they_look(written, listed):
    files = image_files(written.root, "y")
    for capture in listed.itertuples():
        data = files.get(f"{capture.capture_id}.jpg")
        if data is None:
            continue
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (230, 115)
            xmp = ET.fromstring(image.info["xmp"])
        said = {k: v for each in xmp.iter() for k, v in each.attrib.items()}
        assert said[f"{GPANO}ProjectionType"] == "equirectangular"
        assert float(said[f"{GPANO}PoseHeadingDegrees"]) == capture.compass_deg
        assert said[f"{GPANO}FullPanoWidthPixels"] == "230"


def test_the_study_cuts_views_as_wide_as_they_were_painted(written):
    assert load_study(written.root / "study.toml").views.fov_deg == round(FOV_DEG, 2)
