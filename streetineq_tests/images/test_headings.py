"""Captures become views: by place, direction and time, as a slow reading of the rules has it."""

import datetime as dt
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.geography import national_grid
from streetineq_assets.image_settings import Views
from streetineq_assets.images.headings import assign_headings, latest_moment, metres_to_nearest
from streetineq_assets.images.tables import ASSIGNED_VIEWS
from streetineq_tests.images.captured import (
    NOON,
    ROUND,
    capture,
    captures_of,
    four,
    place,
    texts,
)


def assigned(captures, *, places=None, now=None, **views):
    places = pd.DataFrame(places or [place("L")])
    return assign_headings(places, captures_of(captures), Views(**views), now=now)


def ids(frame):
    """The captures of the views, None where there is none."""
    return texts(frame["capture_id"])


def reasons(frame):
    return texts(frame["reason"])


class TestPanoramas:
    def test_one_shows_all_four_views(self):
        frame = assigned([capture("p", 123.0, panorama=True, north_m=10)])
        assert ids(frame) == ["p"] * 4
        assert frame["offset_deg"].tolist() == [0.0] * 4
        assert frame["view"].tolist() == list("abcd")
        assert frame["heading"].tolist() == list(ROUND)
        assert frame["metres"].tolist() == pytest.approx([10] * 4, rel=0.01)
        assert reasons(frame) == [None] * 4

    def test_one_is_taken_though_photographs_stand_nearer(self):
        far = capture("p", 0, panorama=True, north_m=24)
        assert ids(assigned([far, *four("f", north_m=1)])) == ["p"] * 4

    @pytest.mark.parametrize(
        ("others", "taken"),
        [
            ([capture("b", 0, panorama=True, north_m=5, day=-900)], "b"),  # nearer
            ([capture("b", 0, panorama=True, north_m=9, day=1)], "b"),  # newer
            ([capture("b", 0, panorama=True, north_m=9)], "a"),  # of a smaller id
            ([capture("b", 0, panorama=True, north_m=9, day=None)], "a"),
        ],
    )
    def test_the_nearest_is_taken_then_the_newest_then_the_smaller_id(self, others, taken):
        first = capture("a", 0, panorama=True, north_m=9)
        assert ids(assigned([*others, first])) == [taken] * 4

    def test_one_without_direction_is_passed_over(self):
        blind = capture("p", None, panorama=True)
        assert ids(assigned([blind, *four("f")])) == ["f0", "f90", "f180", "f270"]


class TestDirections:
    @pytest.mark.parametrize(
        ("compass", "view", "offset"),
        [
            (359, "a", -1),
            (1, "a", 1),
            (360, "a", 0),
            (-1, "a", -1),
            (45, "a", 45),  # midway belongs to the heading to the left
            (45.001, "b", -44.999),
            (315, "d", 45),
            (315.001, "a", -44.999),
            (-90, "d", 0),
        ],
    )
    def test_a_photograph_belongs_to_the_nearest_heading(self, compass, view, offset):
        frame = assigned([capture("f", compass)])
        (row,) = frame[frame["capture_id"].notna()].itertuples()
        assert (row.view, row.capture_id) == (view, "f")
        assert row.offset_deg == pytest.approx(offset, abs=1e-9)
        assert [each for each in reasons(frame) if each] == ["none_faces_it"] * 3

    def test_four_cameras_between_the_headings_show_all_four(self):
        assert None not in ids(assigned(four("f", turned=45.0)))

    @pytest.mark.parametrize(("offset", "is_taken"), [(20, True), (-20, True), (20.001, False)])
    def test_the_tolerance_includes_its_border(self, offset, is_taken):
        frame = assigned([capture("f", 90 + offset)], tolerance_deg=20)
        assert ids(frame)[1] == ("f" if is_taken else None)

    @pytest.mark.parametrize(
        ("compass", "other", "is_other"),
        [
            (101, capture("b", 95, north_m=20), True),  # nearer to the heading by a step of 5
            (98, capture("b", 94, north_m=20), True),
            (99, capture("b", 96, north_m=20), False),  # in the same step, and farther away
            (99, capture("b", 96, north_m=5), True),
            (96, capture("b", 99, north_m=5), True),
            (99, capture("b", 96, north_m=10, day=1), True),  # as far away, and newer
            (99, capture("b", 82, north_m=10), False),  # alike, and of a larger id
            (99, capture("b", 96, north_m=10, day=None), False),
        ],
    )
    def test_the_least_offset_decides_then_place_then_time_then_id(self, compass, other, is_other):
        frame = assigned([capture("a", compass, north_m=10), other])
        assert ids(frame)[1] == ("b" if is_other else "a")

    def test_a_position_that_is_unknown_comes_last(self):
        named = [capture("a", 90, of="L", north_m=None), capture("b", 90, of="L", north_m=70)]
        assert ids(assigned(named))[1] == "b"


class TestPlaces:
    def test_captures_that_name_a_location_are_believed_and_come_first(self):
        named = four("n", of="L", north_m=900)
        frame = assigned([*four("near", north_m=1), *named])
        assert ids(frame) == ["n0", "n90", "n180", "n270"]
        assert frame["metres"].tolist() == pytest.approx([900] * 4, rel=0.01)

    def test_they_need_no_position_nor_does_the_location(self):
        frame = assigned(four("n", of="L", north_m=None), places=[place("L", None)])
        assert ids(frame) == ["n0", "n90", "n180", "n270"]
        assert frame["metres"].isna().all()

    def test_where_none_of_them_is_usable_those_nearby_are_taken(self):
        blind = capture("n", None, of="L")
        assert ids(assigned([blind, *four("near")])) == ["near0", "near90", "near180", "near270"]

    def test_a_capture_of_another_location_shows_no_other(self):
        places = [place("L"), place("M", 3)]
        frame = assigned(four("m", of="M"), places=places)
        assert reasons(frame) == ["no_capture"] * 4 + [None] * 4

    def test_one_that_names_none_may_show_two_locations(self):
        frame = assigned([capture("p", 0, panorama=True)], places=[place("L"), place("M", 5)])
        assert ids(frame) == ["p"] * 8

    @pytest.mark.parametrize(
        ("north_m", "reason"), [(24, None), (26, "too_far"), (195, "too_far"), (210, "no_capture")]
    )
    def test_the_others_lie_within_so_many_metres(self, north_m, reason):
        frame = assigned([capture("p", 0, panorama=True, north_m=north_m)])
        assert reasons(frame) == [reason] * 4

    def test_near_is_near_in_metres_as_the_settings_say(self):
        frame = assigned([capture("p", 0, panorama=True, north_m=90)], within_m=100)
        assert ids(frame) == ["p"] * 4

    def test_a_location_without_a_position_that_nobody_names(self):
        frame = assigned([capture("p", 0, panorama=True)], places=[place("L", None)])
        assert reasons(frame) == ["no_position"] * 4

    def test_distances_are_those_to_the_nearest_location(self):
        places = pd.DataFrame([place("L"), place("M", 100), place("N", None)])
        captures = captures_of([capture("a", 0, north_m=90), capture("b", 0, north_m=None)])
        metres = metres_to_nearest(places, captures)
        assert metres[0] == pytest.approx(10, rel=0.02)
        assert metres[1] == math.inf
        assert metres_to_nearest(places.iloc[2:], captures).tolist() == [math.inf] * 2


class TestTimes:
    def test_all_views_are_of_one_span_in_which_most_are_faced(self):
        old = [capture(f"old{h}", h, day=h) for h in ROUND]  # within 270 days
        new = [capture(f"new{h}", h, day=2000) for h in ROUND[:3]]
        assert ids(assigned([*old, *new])) == ["old0", "old90", "old180", "old270"]
        frame = assigned([*old[:3], *new])
        assert ids(frame) == ["new0", "new90", "new180", None]
        assert reasons(frame)[3] == "none_faces_it"

    @pytest.mark.parametrize(("days", "is_taken"), [(366, True), (366.001, False)])
    def test_a_span_includes_its_border(self, days, is_taken):
        frame = assigned([capture("a", 0), capture("b", 90, day=-days)])
        assert ids(frame)[:2] == ["a", "b" if is_taken else None]
        assert reasons(frame)[1] == (None if is_taken else "too_far_apart_in_time")

    def test_a_view_faced_at_another_time_says_so(self):
        frame = assigned([*four("f")[:3], capture("f270", 270, day=400)])
        assert reasons(frame) == [None, None, None, "too_far_apart_in_time"]

    def test_a_capture_without_a_time_is_of_any(self):
        frame = assigned([*four("f")[:3], capture("u", 270, day=None)])
        assert ids(frame) == ["f0", "f90", "f180", "u"]
        assert ids(assigned(four("u", day=None))) == ["u0", "u90", "u180", "u270"]

    def test_such_a_capture_counts_in_every_span(self):
        old = [capture("o0", 0, day=-800), capture("o90", 90, day=-800)]
        new = [capture("n90", 90), capture("u", 3, day=None)]
        assert ids(assigned([*old, *new]))[:2] == ["u", "n90"]

    def test_what_was_taken_later_than_now_is_not_believed(self):
        captures = four("f", day=1)
        assert reasons(assigned(captures, now=NOON)) == ["in_the_future"] * 4
        assert reasons(assigned(captures, now=NOON + dt.timedelta(days=1))) == [None] * 4
        assert reasons(assigned(captures)) == [None] * 4

    def test_zero_days_ask_for_one_moment(self):
        assert None not in ids(assigned(four("f"), within_days=0))


@pytest.mark.parametrize("year", [1999, 2031])
def test_a_clock_that_was_set_back_calls_no_capture_future(monkeypatch, year):
    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(year, 5, 1, tzinfo=tz)

    monkeypatch.setattr(dt, "datetime", Clock)
    assert latest_moment().year == max(year, 2026)


def test_a_location_of_which_no_capture_has_a_direction():
    captures = [capture("a", None), capture("b", math.nan, panorama=True)]
    assert reasons(assigned(captures)) == ["no_compass"] * 4


def test_nothing_at_all():
    assert reasons(assigned([])) == ["no_capture"] * 4
    frame = assign_headings(pd.DataFrame([place("L")]).iloc[:0], captures_of([]), Views())
    assert frame.empty
    assert list(frame.columns) == ASSIGNED_VIEWS.names


@pytest.mark.parametrize("twice", ["captures", "locations"])
def test_an_id_that_occurs_twice_is_a_mistake_of_the_program(twice):
    places = [place("L")] * (2 if twice == "locations" else 1)
    captures = [capture("p", 0)] * (2 if twice == "captures" else 1)
    with pytest.raises(ValueError, match="occurs twice"):
        assigned(captures, places=places)


# -- against a slow reading of the rules -----------------------------------------------------------


def slowly(places, captures, views, now):
    """Each location on its own, in loops: location and view to capture and reason."""
    found = {}
    for row in places:
        named = [c for c in captures if c["location_id"] == row["location_id"]]
        free = [c for c in captures if c["location_id"] is None]
        near = [c for c in free if distance(row, c) <= views.within_m]
        usable = [[c for c in some if is_usable(c, now)] for some in (named, near)]
        chosen, faced = choice(row, usable[0] or usable[1], views)
        for number, view in enumerate("abcd"):
            if number in chosen:
                found[row["location_id"], view] = (chosen[number]["capture_id"], None)
                continue
            if usable[0] or usable[1]:
                reason = "too_far_apart_in_time" if number in faced else "none_faces_it"
            elif named or near:
                blind = any(c["compass_deg"] is None for c in [*named, *near])
                reason = "no_compass" if blind else "in_the_future"
            elif row["lat"] is None:
                reason = "no_position" if free else "no_capture"
            else:
                some = [c for c in free if is_usable(c, now) and distance(row, c) <= 200]
                reason = "too_far" if some else "no_capture"
            found[row["location_id"], view] = (None, reason)
    return found


def is_usable(c, now):
    return c["compass_deg"] is not None and (c["captured_at"] is None or c["captured_at"] <= now)


def distance(row, c):
    if row["lat"] is None or c["lat"] is None:
        return math.inf
    one, other = (national_grid([each["lat"]], [each["lon"]])[0] for each in (row, c))
    return float(np.hypot(*(one - other)))


def days_of(c):
    return (c["captured_at"] - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)


def choice(row, usable, views):
    """View to capture; and which views a photograph faces."""

    def place_order(c):
        newest = -math.inf if c["captured_at"] is None else days_of(c)
        return distance(row, c), -newest, c["capture_id"]

    panoramas = [c for c in usable if c["projection"] == "equirectangular"]
    if panoramas:
        return dict.fromkeys(range(4), min(panoramas, key=place_order)), set()
    of_view = {n: [] for n in range(4)}
    for c in usable:
        turned = [(c["compass_deg"] - h + 180) % 360 - 180 for h in ROUND]
        number = min(range(4), key=lambda n: (abs(turned[n]), -turned[n]))
        if abs(turned[number]) <= views.tolerance_deg:
            of_view[number].append((c, abs(turned[number])))
    faced = {n for n in of_view if of_view[n]}
    ends = {days_of(c) for each in of_view.values() for c, _ in each if c["captured_at"]}
    spans = []
    for end in sorted(ends) or [0]:
        inside = {
            n: [
                (c, angle)
                for c, angle in of_view[n]
                if c["captured_at"] is None or 0 <= end - days_of(c) <= views.within_days
            ]
            for n in faced
        }
        spans.append((sum(map(bool, inside.values())), end, inside))
    best = max(spans, key=lambda span: span[:2])[2] if faced else {}
    chosen = {
        n: min(some, key=lambda pair: (pair[1] // 5, *place_order(pair[0])))[0]
        for n, some in best.items()
        if some
    }
    most = most_at_once(of_view, views.within_days)
    assert len(chosen) == most, "the slow reading itself does not fill as many views as it could"
    return chosen, faced


def most_at_once(of_view, within_days):
    """How many views photographs of one span can show, by trying all combinations."""
    most = 0
    for combination in itertools.product(*([None, *some] for some in of_view.values())):
        days = [days_of(pair[0]) for pair in combination if pair and pair[0]["captured_at"]]
        if not days or max(days) - min(days) <= within_days:
            most = max(most, sum(pair is not None for pair in combination))
    return most


WORLDS = st.lists(
    st.builds(
        capture,
        st.just(""),
        st.sampled_from([None, *range(0, 360, 15), 3, 87, 183, 359]),
        of=st.sampled_from([None, None, None, "L0", "L1", "elsewhere"]),
        north_m=st.sampled_from([None, 0, 10, 20, 26, 60, 190, 400]),
        day=st.sampled_from([None, -400, -366, -30, 0, 0, 1, 40]),
        panorama=st.sampled_from([False, False, False, False, False, True]),
    ),
    max_size=9,
)
PLACES = [place("L0"), place("L1", 15), place("L2", 40), place("L3", None)]


@settings(max_examples=150, deadline=None)
@given(
    WORLDS,
    st.sampled_from([10.0, 30.0, 45.0]),
    st.sampled_from([0.0, 31.0, 366.0]),
    st.randoms(use_true_random=False),
)
def test_as_a_slow_reading_of_the_rules_in_any_order_of_rows(world, tolerance, days, random):
    numbered = [each | {"capture_id": f"c{number}"} for number, each in enumerate(world)]
    views = Views(tolerance_deg=tolerance, within_days=days)
    now = NOON + dt.timedelta(days=2)
    expected = slowly(PLACES, numbered, views, now.replace(tzinfo=None))
    places = random.sample(PLACES, len(PLACES))
    shuffled = random.sample(numbered, len(numbered))
    frame = assign_headings(pd.DataFrame(places), captures_of(shuffled), views, now=now)
    found = {
        (row.location_id, row.view): (
            None if pd.isna(row.capture_id) else row.capture_id,
            None if pd.isna(row.reason) else row.reason,
        )
        for row in frame.itertuples()
    }
    assert found == expected
    assert list(zip(frame["location_id"], frame["view"], strict=True)) == sorted(found)
