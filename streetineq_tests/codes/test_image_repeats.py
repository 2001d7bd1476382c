"""Locations of different areas that show the same: by file, by look, by place."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes import image_repeats
from streetineq_assets.codes.image_repeats import Places, find_repeats, locations_with
from streetineq_assets.codes.perceptual_hash import PLAIN, UNKNOWN
from streetineq_assets.codes.repeat_checks import repeat_checks
from streetineq_assets.codes.repeated_images import find_repeated_images
from streetineq_assets.errors import TooManyRepeatsError
from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED
from streetineq_assets.image_settings import Repeats

SETTINGS = Repeats()
IDS = ["p", "q", "r", "s"]
AREAS = ["A", "A", "B", "C"]


def places(**changed):
    """Four locations, 1 km apart, p and q in one area, of random pictures."""
    hashes = np.random.default_rng(0).integers(1, 2**64 - 1, (4, 4), dtype=np.uint64)
    points = np.array([[0.0, 0.0], [1000.0, 0.0], [2000.0, 0.0], [3000.0, 0.0]])
    made = Places(np.array(IDS, object), np.array(AREAS, object), points, hashes)
    return replace(made, **changed)


def no_pictures():
    return find_repeated_images([], np.empty((0, 4), "S1"))


def same_file(*pairs):
    """`REPEATED_IMAGES` of pairs of images such as `pa`."""
    hashes = {(i, v): f"{i}{v}" for i in IDS for v in "abcd"}
    for one, other in pairs:
        hashes[tuple(other)] = hashes[tuple(one)]
    return find_repeated_images(IDS, np.array(list(hashes.values()), "S2").reshape(-1, 4))


def rows(frame):
    return list(frame.itertuples(index=False, name=None))


def with_bits(hashes, source, target, n_bits):
    """Let the image `target` (location, view) look like `source` but for some bits."""
    hashes[target] = hashes[source] ^ np.uint64((1 << n_bits) - 1)


def test_nothing_is_found_where_nothing_is_repeated():
    assert rows(find_repeats(places(), no_pictures(), SETTINGS)) == []


def test_a_file_of_two_areas_is_an_exact_repeat():
    found = find_repeats(places(), same_file(("pa", "rc"), ("pb", "rd")), SETTINGS)
    assert rows(found) == [("p", "r", "exact", 0.0)]


def test_a_file_of_one_area_is_none():
    assert rows(find_repeats(places(), same_file(("pa", "qa")), SETTINGS)) == []


def test_one_view_that_is_almost_the_same_is_a_perceptual_repeat():
    hashes = places().phash
    with_bits(hashes, (0, 1), (3, 2), 2)
    found = find_repeats(places(phash=hashes), no_pictures(), SETTINGS)
    assert rows(found) == [("p", "s", "perceptual", 2.0)]


def test_at_a_larger_distance_it_takes_two_views_of_both():
    """Chance gives single pairs among half a million pictures, and never two of two locations."""
    one, twice, one_of_r = places().phash, places().phash, places().phash
    for hashes in (one, twice, one_of_r):
        with_bits(hashes, (0, 0), (2, 1), 5)
    with_bits(twice, (0, 3), (2, 2), 6)
    one_of_r[0, 1] = one_of_r[0, 0]  # two views of p look like one of r
    found = [find_repeats(places(phash=h), no_pictures(), SETTINGS) for h in (one, twice, one_of_r)]
    assert [rows(each) for each in found] == [[], [("p", "r", "perceptual", 5.0)], []]


def test_what_differs_in_more_bits_is_another_picture():
    hashes = places().phash
    for view in range(4):
        with_bits(hashes, (0, view), (2, view), 7)
    assert rows(find_repeats(places(phash=hashes), no_pictures(), SETTINGS)) == []
    wider = Repeats(max_hamming=7)
    assert len(find_repeats(places(phash=hashes), no_pictures(), wider)) == 1


def test_pictures_of_one_hash_are_found_too():
    hashes = places().phash
    hashes[1, 0] = hashes[2, 2] = hashes[3, 3]
    found = find_repeats(places(phash=hashes), no_pictures(), SETTINGS)
    pairs = [("q", "r"), ("q", "s"), ("r", "s")]
    assert rows(found) == [(*pair, "perceptual", 0.0) for pair in pairs]


def test_an_exact_repeat_is_not_perceptual_too():
    hashes = places().phash
    hashes[2, 0] = hashes[0, 0]
    found = find_repeats(places(phash=hashes), same_file(("pa", "ra")), SETTINGS)
    assert rows(found) == [("p", "r", "exact", 0.0)]


@pytest.mark.parametrize("marker", [PLAIN, UNKNOWN])
def test_pictures_without_a_hash_are_like_no_other(marker):
    found = find_repeats(places(phash=np.full((4, 4), marker)), no_pictures(), SETTINGS)
    assert rows(found) == []


def test_places_within_the_distance_are_near_and_no_others():
    points = np.array([[0.0, 0.0], [30.0, 0.0], [30.0, 40.0], [81.0, 40.0]])
    found = find_repeats(places(points=points), no_pictures(), SETTINGS)
    assert rows(found) == [("p", "r", "near", 50.0), ("q", "r", "near", 40.0)]


def test_a_place_that_is_not_known_is_near_none():
    points = np.full((4, 2), np.nan)
    points[0] = points[1] = 0.0
    assert rows(find_repeats(places(points=points), no_pictures(), SETTINGS)) == []


def test_at_no_distance_no_place_is_near_another():
    heaped = places(points=np.zeros((4, 2)))
    assert rows(find_repeats(heaped, no_pictures(), Repeats(near_m=0))) == []


def test_a_pair_is_listed_once_for_each_kind():
    points = np.zeros((4, 2))
    points[1], points[3] = 900.0, 5000.0
    found = find_repeats(places(points=points), same_file(("pa", "ra")), SETTINGS)
    assert rows(found) == [("p", "r", "exact", 0.0), ("p", "r", "near", 0.0)]
    assert locations_with(found, ("exact", "near")).tolist() == ["p", "r"]


def test_it_finds_planted_copies_among_many_streets_and_nothing_else():
    """3,000 locations of 600 areas, 60 of them copies from another area with some bits changed."""
    rng = np.random.default_rng(5)
    n, copied = 3000, 60
    hashes = rng.integers(1, 2**64 - 1, (n, 4), dtype=np.uint64)
    flips = np.uint64(1) << rng.integers(0, 64, (copied, 4, 6)).astype(np.uint64)
    hashes[-copied:] = hashes[:copied] ^ np.bitwise_or.reduce(flips, axis=2)
    made = Places(
        np.array([f"l{at:05d}" for at in range(n)], object),
        np.array([f"E{at // 5:05d}" for at in range(n)], object),
        rng.uniform(0, 1e6, (n, 2)),
        hashes,
    )
    found = find_repeats(made, no_pictures(), Repeats(near_m=0))
    expected = {(f"l{at:05d}", f"l{n - copied + at:05d}") for at in range(copied)}
    assert set(zip(found["location_id"], found["other_location_id"], strict=True)) == expected


def test_more_pairs_than_can_be_listed_end_in_a_sentence(monkeypatch):
    monkeypatch.setattr(image_repeats, "_MOST_PAIRS", 5)
    alike = places(phash=np.full((4, 4), np.uint64(0b1011)))
    with pytest.raises(TooManyRepeatsError, match=r"pairs of like pictures.*`max_hamming`"):
        find_repeats(alike, no_pictures(), SETTINGS)
    heaped = places(points=np.zeros((4, 2)))
    with pytest.raises(TooManyRepeatsError, match=r"6 pairs of locations within 50 m.*`near_m`"):
        find_repeats(heaped, no_pictures(), SETTINGS)


class TestChecks:
    def results(self, found=None, made=None, **settings):
        made = made or places()
        found = find_repeats(made, no_pictures(), SETTINGS) if found is None else found
        checks = repeat_checks(found, made, Repeats(**settings))
        return {check.name: check for check in checks}

    def test_they_hold_where_nothing_is_repeated(self):
        assert {check.result for check in self.results().values()} == {HOLDS}

    def test_a_share_above_the_limit_blocks_and_names_the_locations(self):
        found = find_repeats(places(), same_file(("pa", "ra")), SETTINGS)
        check = self.results(found)["few_repeats_across_folds"]
        assert (check.result, check.blocking) == (DOES_NOT_HOLD, True)
        assert "2 of 4 locations (50.00%)" in check.description
        assert "p = r" in check.description
        assert self.results(found, max_share=0.5)["few_repeats_across_folds"].result == HOLDS

    def test_pictures_that_were_never_hashed_are_not_tested(self):
        unknown = places(phash=np.full((4, 4), UNKNOWN))
        checks = self.results(made=unknown)
        assert checks["pictures_compared"].result == NOT_TESTED
        assert "hash_pictures" in checks["pictures_compared"].description
        assert "of 4 of them only exact" in checks["few_repeats_across_folds"].description
        some = places().phash
        some[1] = UNKNOWN
        assert self.results(made=places(phash=some))["pictures_compared"].result == DOES_NOT_HOLD

    def test_near_places_warn_above_a_quarter(self):
        points = places().points
        points[2] = points[1]
        made = places(points=points)
        check = self.results(made=made)["few_near_locations"]
        assert (check.result, check.blocking) == (DOES_NOT_HOLD, False)
        assert "2 of 4 locations (50.0%)" in check.description

    def test_no_positions_are_not_tested(self):
        nowhere = places(points=np.full((4, 2), np.nan))
        assert self.results(made=nowhere)["few_near_locations"].result == NOT_TESTED

    def test_a_city_without_codes_is_not_tested_and_blocks_nothing(self):
        nothing = Places(
            np.empty(0, object), np.empty(0, object), np.empty((0, 2)), np.empty((0, 4), np.uint64)
        )
        checks = self.results(pd.DataFrame(find_repeats(nothing, no_pictures(), SETTINGS)), nothing)
        assert {check.result for check in checks.values()} == {NOT_TESTED}
        assert checks["few_repeats_across_folds"].passed
