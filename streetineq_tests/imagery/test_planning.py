"""Which captures are planned: whole locations, each capture once, every gap with its reason."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.geography import from_national_grid
from streetineq_assets.image_settings import Imagery, Views
from streetineq_assets.imagery.found import found_frame
from streetineq_assets.imagery.planning import (
    OTHER_VIEW_LACKING,
    TAKEN_BY_ANOTHER,
    cost_of,
    exclusions,
    list_captures,
    location_list,
    plan_captures,
)

NOW = dt.datetime(2026, 11, 1)
EAST, NORTH = 530_000, 180_000


def at(east_m, north_m):
    return from_national_grid([EAST + east_m], [NORTH + north_m])[0]


def wanted(*places):
    rows = []
    for number, place in enumerate(places):
        lat, lon = at(*place)
        rows.append((f"L{number}", f"E0100000{number}", f"AA1 {number}AA", lat, lon))
    return pd.DataFrame(rows, columns=["location_id", "area", "postcode", "lat", "lon"])


def capture(name, east_m, north_m, **other):
    lat, lon = at(east_m, north_m)
    known = {
        "capture_id": name,
        "lat": lat,
        "lon": lon,
        "projection": "equirectangular",
        "compass_deg": 30.0,
        "captured_at": pd.Timestamp("2024-05-01"),
        "provider": "mapillary",
        "licence": "CC-BY-SA-4.0",
        "creator": "someone",
        "width_px": 5760,
        "height_px": 2880,
    }
    return known | other


def plan(locations, captures, **settings):
    imagery = Imagery(provider="mapillary", **settings)
    found = found_frame(captures)
    rows = plan_captures(
        locations, found, views=Views(), settings=imagery, city="london", buckets=4, now=NOW
    )
    return rows, list_captures(rows, found, imagery)


def status_of(rows):
    return rows.groupby("location_id")["status"].unique().map(list).to_dict()


def test_a_panorama_nearby_plans_a_location_and_no_capture_is_a_gap():
    rows, found = plan(wanted((0, 0), (500, 0)), [capture("pano", 5, 0)])
    assert status_of(rows) == {"L0": ["planned"], "L1": ["gap"]}
    assert rows.loc[rows["location_id"] == "L0", "capture_id"].unique() == ["pano"]
    assert rows.loc[rows["location_id"] == "L1", "reason"].notna().all()
    assert rows.groupby("location_id").size().tolist() == [4, 4]
    assert found["planned"].tolist() == [True]


def test_a_location_that_lacks_one_view_is_not_fetched_at_all():
    photographs = [
        capture(f"p{heading}", 3, 3, projection="perspective", compass_deg=float(heading))
        for heading in (0, 90, 180)
    ]
    rows, found = plan(wanted((0, 0)), photographs)
    assert status_of(rows) == {"L0": ["gap"]}
    reasons = rows.set_index("view")["reason"]
    assert (reasons[["a", "b", "c"]] == OTHER_VIEW_LACKING).all()
    assert reasons["d"] == "none_faces_it"
    assert not found["planned"].any()


def test_a_capture_serves_the_nearest_location_alone():
    rows, _ = plan(wanted((0, 0), (12, 0)), [capture("pano", 4, 0)])
    assert status_of(rows) == {"L0": ["planned"], "L1": ["gap"]}
    assert set(rows.loc[rows["location_id"] == "L1", "reason"]) == {TAKEN_BY_ANOTHER}


@pytest.mark.parametrize(
    ("other", "settings", "reason"),
    [
        (
            {"captured_at": pd.Timestamp("2015-01-01")},
            {"since": dt.date(2016, 1, 1)},
            "before_since",
        ),
        (
            {"captured_at": pd.Timestamp("2024-05-01")},
            {"until": dt.date(2024, 5, 1)},
            "after_until",
        ),
        ({"licence": "Strange-1.0"}, {}, "licence_unknown"),
        ({"licence": None}, {}, "licence_unknown"),
        ({"captured_at": pd.Timestamp("2027-01-01")}, {}, "in_the_future"),
        ({"compass_deg": None}, {}, "no_compass"),
    ],
)
def test_every_gap_says_why(other, settings, reason):
    rows, _ = plan(wanted((0, 0)), [capture("pano", 5, 0, **other)], **settings)
    assert set(rows["reason"]) == {reason}
    assert set(rows["status"]) == {"gap"}


def test_photographs_are_left_out_where_panoramas_alone_are_wanted():
    photographs = [
        capture(f"p{heading}", 3, 3, projection="perspective", compass_deg=float(heading))
        for heading in (0, 90, 180, 270)
    ]
    rows, _ = plan(wanted((0, 0)), photographs, panoramas_only=True)
    assert set(rows["reason"]) == {"no_panorama"}
    rows, _ = plan(wanted((0, 0)), photographs)
    assert set(rows["status"]) == {"planned"}


def test_an_excluded_capture_gives_way_to_one_that_is_farther():
    captures = [
        capture("near", 2, 0, licence="Strange-1.0"),
        capture("far", 20, 0),
    ]
    rows, found = plan(wanted((0, 0)), captures)
    assert set(rows["capture_id"]) == {"far"}
    reasons = found.set_index("capture_id")["reason"]
    assert reasons["near"] == "licence_unknown"
    assert pd.isna(reasons["far"])


def test_nothing_depends_on_the_order_of_rows():
    rng = np.random.default_rng(4)
    places = wanted(*rng.uniform(0, 400, (30, 2)))
    captures = [
        capture(f"c{i}", *rng.uniform(0, 400, 2), compass_deg=float(rng.uniform(0, 360)))
        for i in range(60)
    ]
    rows, found = plan(places, captures)
    shuffled = [captures[i] for i in rng.permutation(len(captures))]
    again, found_again = plan(places.sample(frac=1, random_state=1), shuffled)
    pd.testing.assert_frame_equal(rows, again)
    pd.testing.assert_frame_equal(found, found_again)


def test_no_captures_leave_gaps_only():
    rows, found = plan(wanted((0, 0)), [])
    assert set(rows["status"]) == {"gap"}
    assert found.empty


def test_a_capture_without_a_time_is_taken_unless_the_study_names_one():
    captures = found_frame([capture("pano", 5, 0, captured_at=None)])
    settings = Imagery(provider="mapillary", since=dt.date(2016, 1, 1))
    assert exclusions(captures, settings).tolist() == ["undated"]
    assert exclusions(captures, Imagery(provider="mapillary")).isna().all()


def test_the_cost_counts_each_picture_once_and_a_request_for_each_batch_of_links():
    class Provider:
        ids_per_request = 2

        @staticmethod
        def typical_bytes(width_px, height_px):
            return width_px * height_px // 10

    rows, found = plan(
        wanted((0, 0), (100, 0), (200, 0)),
        [capture(f"c{i}", 100 * i, 3, width_px=1000, height_px=500) for i in range(3)],
    )
    cost = cost_of(found, Provider(), requests_per_minute=10)
    assert cost.n_images == 3
    assert cost.gigabytes == pytest.approx(3 * 1000 * 500 / 10 / 1e9)
    assert cost.n_requests == 3 + 2
    assert cost.hours == pytest.approx(5 / 10 / 60)
    assert rows["status"].eq("planned").all()


def test_the_list_of_locations_has_what_is_planned_with_its_terms():
    rows, found = plan(wanted((0, 0), (500, 0)), [capture("pano", 5, 0)])
    listed = location_list(rows, found)
    assert listed.to_dict("records") == [
        {
            "location_id": "L0",
            "postcode": "AA1 0AA",
            "lat": pytest.approx(at(5, 0)[0]),
            "lon": pytest.approx(at(5, 0)[1]),
            "captured_at": "2024-05-01",
            "provider": "mapillary",
            "licence": "CC-BY-SA-4.0",
            "creator": "someone",
        }
    ]


def test_captures_of_several_licences_at_one_location_are_not_given_one(tmp_path):
    photographs = [
        capture(
            f"p{heading}",
            3,
            3,
            projection="perspective",
            compass_deg=float(heading),
            licence=licence,
            creator=f"owner of {licence}",
        )
        for heading, licence in zip(
            (0, 90, 180, 270), ["etalab-2.0", "CC-BY-SA-4.0"] * 2, strict=True
        )
    ]
    rows, found = plan(wanted((0, 0)), photographs)
    (listed,) = location_list(rows, found).to_dict("records")
    assert listed["licence"] is None
    assert listed["creator"] == "owner of CC-BY-SA-4.0; owner of etalab-2.0"
