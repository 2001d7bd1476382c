"""Real panoramas of one street ride, openly licensed, cut into the views of four locations.

Looked at by eye, all six: the horizon lies in the middle row, the street ahead lies where the way
to the next capture leads (give or take 8 degrees, which is the compass's), and neither the rider
nor the label under the camera is seen.
"""

import io
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from streetineq_assets.codes.cutting import Cut, cut_view, decode_panorama
from streetineq_assets.codes.extraction import extract_bucket
from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.codes.screening import refuse_empty
from streetineq_assets.image_settings import Images
from streetineq_tests.codes.fakes import contents, fake_encoder
from streetineq_tests.codes.panoramas import FOV, SIZE, cut_rows, listing_of
from streetineq_tests.harness import failed_checks
from streetineq_tests.images.test_panorama import their_view

HEADINGS = (0.0, 90.0, 180.0, 270.0)


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "street_images" / "global_streetscapes"


@pytest.fixture(scope="module")
def captures(folder):
    """The panoramas of one ride, in the order of time, with the bytes of each."""
    listed = pd.read_csv(folder / "metadata.csv").query("projection_type == 'spherical'")
    data = [(folder / f"{each}.jpeg").read_bytes() for each in listed["uuid"]]
    return listed.assign(data=data).sort_values("sequence_index", ignore_index=True)


@pytest.fixture(scope="module")
def cut(captures):
    """Four views (400, 640, 3) of each."""
    found = []
    for capture in captures.itertuples():
        pixels = decode_panorama(capture.data, FOV, SIZE)
        cuts = [Cut(capture.heading, 0.0, 0.0, heading, FOV, SIZE) for heading in HEADINGS]
        found.append([np.asarray(cut_view(pixels, each)) for each in cuts])
    return np.array(found)


def test_all_are_panoramas_and_every_view_of_them_is_a_picture(captures, cut):
    assert len(captures) == 6
    for view in cut.reshape(-1, *cut.shape[2:]):
        refuse_empty(preprocess(Image.fromarray(view)), Images())


def test_another_implementation_sees_the_same(captures, cut):
    for capture, views in zip(captures.itertuples(), cut, strict=True):
        panorama = np.asarray(Image.open(io.BytesIO(capture.data)))
        for heading, view in zip(HEADINGS, views, strict=True):
            theirs = their_view(panorama, heading - capture.heading, FOV, SIZE)
            difference = np.abs(view.astype(int) - theirs)
            assert difference.mean() < 0.5
            assert np.quantile(difference, 0.999) <= 3, "another decoder of JPEG among it"


def test_views_meet_at_their_edges(cut):
    for views in cut.astype(int):
        for one, other in zip(views, np.roll(views, -1, axis=0), strict=True):
            seam = np.abs(one[:, -1] - other[:, 0]).mean()
            steps = [np.abs(one[:, n] - one[:, n - 1]).mean() for n in range(-8, 0)]
            assert seam < 2 * max(steps)


def test_what_is_under_the_camera_is_not_seen(captures, cut):
    """A black label from 60 degrees below the horizon on."""

    def is_black(pixels):
        return (pixels < 12).all(axis=-1).mean()

    for capture, views in zip(captures.itertuples(), cut, strict=True):
        panorama = np.asarray(Image.open(io.BytesIO(capture.data)))
        assert is_black(panorama[-140:]) > 0.4
        assert is_black(views[:, -40:]) < 0.05


def test_the_stated_heading_is_that_of_the_way_that_was_ridden(captures):
    """And the way ridden lies in the middle of the panoramas, so that the heading is that of it."""
    lat, lon = np.radians(captures["lat"]), np.radians(captures["lon"])
    for a, b in pairwise(range(5)):  # the last is 800 m further, round corners
        way = (lon[b] - lon[a]) * np.cos(lat[a]), lat[b] - lat[a]
        turn = np.degrees(np.arctan2(*way)) - captures["heading"][b]
        assert abs((turn + 180) % 360 - 180) < 5


def test_six_locations_are_extracted(captures, folder, tmp_path):
    rows = [
        row
        for capture in captures.itertuples()
        for row in cut_rows(
            str(capture.orig_id), f"{capture.uuid}.jpeg", compass_deg=capture.heading
        )
    ]
    findings = extract_bucket(
        listing_of(*rows),
        locate=folder.joinpath,
        encoder=fake_encoder(),
        target=tmp_path / "codes.h5",
        work=tmp_path,
        n_buckets=1,
    )
    assert findings.values["n_extracted"] == 6
    assert not failed_checks(findings)
    assert len(np.unique(contents(tmp_path / "codes.h5")[0].image_sha256)) == 24
