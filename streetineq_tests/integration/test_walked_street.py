"""Photographs of a street in Lund that somebody walked with a telephone, from notes to views."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.image_settings import Views
from streetineq_assets.images.capture_checks import headings_agree
from streetineq_assets.images.capture_search import read_pictures
from streetineq_assets.images.directions import agreement, wrapped
from streetineq_assets.images.headings import assign_headings
from streetineq_assets.images.tables import CAPTURES


@pytest.fixture(scope="module")
def walk(shared_data):
    """The captures of the street, in the order of the walk, and which way it went."""
    folder = shared_data / "street_images" / "opensfm" / "lund"
    files = sorted(folder.glob("*.jpg"))
    names = pd.DataFrame(
        {"capture_id": [f.stem for f in files], "path": [f.name for f in files], "member": None}
    )
    pictures = read_pictures(folder, names)
    rows = [vars(known) | {"capture_id": each} for each, known in pictures.items()]
    frame = pd.DataFrame(rows).reindex(columns=CAPTURES.names).sort_values("captured_at")
    step = frame[["lat", "lon"]].diff().shift(-1)
    east = step["lon"] * np.cos(np.deg2rad(frame["lat"]))
    is_moved = np.hypot(east, step["lat"]) > 2 / 111_000
    bearing = np.rad2deg(np.arctan2(east, step["lat"])) % 360
    return frame.assign(second_compass_deg=bearing.where(is_moved)).reset_index(drop=True)


def test_all_pictures_of_a_walk_have_position_direction_and_time(walk):
    assert len(walk) == 29
    assert walk[["lat", "lon", "compass_deg", "captured_at"]].notna().all().all()
    assert (walk["projection"] == "perspective").all()
    assert walk["captured_at"].is_monotonic_increasing


def test_its_captures_show_points_along_the_street(walk):
    points = walk.iloc[::4][["lat", "lon"]]
    places = points.assign(location_id=[f"P{n}" for n in range(len(points))])
    shown = assign_headings(places, walk, Views())
    found = shown.dropna(subset=["capture_id"])
    assert found["location_id"].nunique() == len(places)
    assert (found["metres"] <= 25).all()
    assert (found["offset_deg"].abs() <= 45).all()
    rest = shown.loc[shown["capture_id"].isna(), "reason"]
    assert set(rest) == {"none_faces_it"}  # the walker looked along the street


def test_its_compass_was_wrong_for_most_of_the_way_and_the_check_says_so(walk):
    """The first 20 pictures look ahead, as the last ones do, but the compass says backwards."""
    both = walk.dropna(subset=["second_compass_deg"])
    difference = wrapped((both["compass_deg"] - both["second_compass_deg"]).to_numpy())
    check = headings_agree(agreement(difference))
    assert check.result == "does not hold"
    assert "backwards" in check.description
    is_early = both["capture_id"].astype(int) <= 20
    assert np.abs(difference[is_early]).min() > 90
    assert np.abs(difference[~is_early]).max() < 45
