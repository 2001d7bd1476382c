"""What is said of images whose names are no view's."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.name_hints import hint, nearest_id, proposal
from streetineq_assets.images.naming import Naming
from streetineq_assets.name_patterns import DEFAULT_NAMES, HEADINGS, NamePattern

IDS = ["Loc1", "Loc2", "17", "Café 3"]
WHERE = pd.DataFrame({"location_id": ["17"], "lat": [51.507412], "lon": [-0.127758]})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loc1_b.jpg", "Loc1_b.jpg"),
        ("Loc1_90.jpg", "Loc1_b.jpg"),
        ("loc2-heading270.jpg", "Loc2_d.jpg"),
        ("0017_c.png", "17_c.jpg"),
        ("17.jpg", "17_a.jpg"),
        ("folder/Loc2.heic", "Loc2_a.jpg"),
        ("Loc2/west.png", "Loc2_d.jpg"),
        ("Cafe 3_a.jpg", "Café 3_a.jpg"),
    ],
)
def test_a_hint_names_the_nearest_id_and_its_file(name, expected):
    assert expected in hint(name, Naming(DEFAULT_NAMES, IDS))


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("{id}/{heading}", "loc1/90.jpg", "Loc1/90.jpg"),
        ("{id}/{heading}", "Loc1_b.jpg", "Loc1/90.jpg"),
        ("{id}_{n,e,s,w}", "loc2_s.jpg", "Loc2_s.jpg"),
        ("{lat}_{lng}_{heading}", "17_b.jpg", "51.507412_-0.127758_90.jpg"),
        ("{lat}_{lng}_{heading}", "51.508412_-0.127758_90.jpg", "nearest listed location is 17"),
        ("{lat}_{lng}_{heading}", "51.508412_-0.127758_90.jpg", "111 m away"),
        ("{lat}_{lng}_{heading}", "51.51_-0.13_90.jpg", "at least 3 decimals"),
    ],
)
def test_a_hint_speaks_of_the_studys_own_pattern(pattern, name, expected):
    assert expected in hint(name, Naming([pattern], IDS, WHERE))


def test_a_hint_invents_nothing():
    assert "no listed id" in hint("zzzzzz_a.jpg", Naming(DEFAULT_NAMES, ["17"]))
    by_position = Naming(["{lat}_{lng}_{heading}"], ["17"])
    assert "no listed location has coordinates" in hint("51.508_-0.128_90.jpg", by_position)


def test_a_hint_says_why_a_name_has_two_meanings():
    assert "more than one" in hint("x_1_y_90.jpg", Naming(["{id}_{any}_{heading}"], ["x", "x_1"]))
    both = pd.concat([WHERE, WHERE.assign(location_id="Loc1")])
    naming = Naming(["{lat}_{lng}_{heading}"], IDS, both)
    assert "more than one" in hint("51.507412_-0.127758_90.jpg", naming)


@pytest.mark.parametrize(
    ("made_by", "ids"),
    [
        ("{id}_{heading}", IDS),
        ("{id}-{heading}", IDS),
        ("{id}/{heading}", IDS),
        ("{heading}/{id}", IDS),
        ("{id}-{view}", IDS),
        ("{id}{view}", IDS),
        ("{id}_{n,e,s,w}", IDS),
        ("{id}/{front,right,back,left}", IDS),
        ("{id}_{0,1,2,3}", IDS),
        ("{id}_{1,2,3,4}", IDS),
        ("{id}_{any}_{heading}", IDS),
        ("{lat}_{lng}_{heading}", ["17"]),
    ],
)
def test_a_common_pattern_that_most_images_follow_is_proposed(made_by, ids):
    pattern, naming = NamePattern.parse(made_by), Naming(DEFAULT_NAMES, IDS, WHERE)
    names = [
        f"in/{pattern.example(each, view, naming.positions.written(each))}.jpg"
        for each in ids
        for view in "abcd"
    ]
    text = proposal([*names, "in/other.jpg"], naming, keeping=False)
    assert f'most of them are named {pattern.in_words()}: set names = ["{made_by}"]' in text
    assert ("headings' order" in text) == (pattern.words not in (tuple("abcd"), HEADINGS))
    kept = proposal(names, naming, keeping=True)
    assert f'all of them are named {pattern.in_words()}: set names = ["{{id}}_{{view}}", ' in kept


def test_nothing_is_proposed_that_fits_less_than_half():
    naming = Naming(DEFAULT_NAMES, IDS)
    assert proposal(["17_90.jpg", "y.jpg", "z.jpg"], naming, keeping=False) is None
    assert proposal(["99_90.jpg"], naming, keeping=False) is None
    assert proposal([], naming, keeping=False) is None


@given(st.integers(1, 999_999), st.integers(0, 4))
def test_lost_zeros_are_found(number, zeros):
    listed = f"{'0' * zeros}{number}"
    for spoilt in (f"{number}", f"{number}.0", f"000{number}"):
        assert nearest_id(spoilt, [listed, "9999999"]) == listed
