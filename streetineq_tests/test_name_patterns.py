"""Patterns of names: what each stands for, what is read by it, and which cannot work."""

import re
import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streetineq_assets.name_patterns import VIEWS, NamePattern, refuse_same


def read(pattern, path):
    """Id or coordinates, and view, of each reading."""
    readings = NamePattern.parse(pattern).readings(path)
    return [(each.location_id or each.position, each.view) for each in readings]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("{id}_{view}", "17_a.png", ("17", "a")),
        ("{id}_{view}", "deep/er/17_D.JPEG", ("17", "d")),
        ("{id}_{view}", "deep\\er\\x_1_b.jfif", ("x_1", "b")),
        ("{id}{view}", "17a.png", ("17", "a")),
        ("{id}_{heading}", "17_0.jpg", ("17", "a")),
        ("{id}_{heading}", "17_000.jpg", ("17", "a")),
        ("{id}_{heading}", "17_090.jpg", ("17", "b")),
        ("{id}_{heading}", "17_180.0.jpg", ("17", "c")),
        ("{id}_{heading}", "17_270.jpg", ("17", "d")),
        ("{id}_{heading}", "17_360.jpg", ("17", "a")),
        ("{id}-{heading}", "1-7-90.webp", ("1-7", "b")),
        ("gsv {id} {heading}", "GSV 17 90.jpg", ("17", "b")),
        ("{id}/{heading}", "leeds/17/270.jpg", ("17", "d")),
        ("{id}/{heading}", "leeds\\17\\270.jpg", ("17", "d")),
        ("{heading}/{id}", "90/x_1.jpg", ("x_1", "b")),
        ("{id}/{any}/{heading}", "17/2019-07/90.jpg", ("17", "b")),
        ("{id}/{any}_{heading}", "17/a_b_90.jpg", ("17", "b")),
        ("{id}_{n,e,s,w}", "17_W.jpg", ("17", "d")),
        ("{id}_{ north , east , south , west }", "17_east.jpg", ("17", "b")),
        ("{id}/{front,right,back,left}", "17/Back.jpg", ("17", "c")),
        ("{id}-{0,90,180,270}", "17-180.jpg", ("17", "c")),
        ("{id}_{süd,west,nord,ost}", unicodedata.normalize("NFD", "17_Süd.jpg"), ("17", "a")),
        ("{lat}_{lng}_{heading}", "51.5074_-0.1278_90.jpg", (("51.5074", "-0.1278"), "b")),
        ("{lat},{lon}-{heading}", "51.5074,0.1278-90.jpg", (("51.5074", "0.1278"), "b")),
        ("{any}_{lat}_{lng}_{heading}", "a_1.5_51.5_-0.1_0.jpg", (("51.5", "-0.1"), "a")),
        ("{lng}{view}", None, None),
    ],
)
def test_what_a_name_says(pattern, path, expected):
    if path is None:
        with pytest.raises(ValueError, match="lng"):
            NamePattern.parse(pattern)
    else:
        assert read(pattern, path) == [expected]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{id}_{view}", "17.png"),
        ("{id}_{view}", "17_e.png"),
        ("{id}_{view}", "17_90.png"),
        ("{id}_{view}", "17_a.gif"),
        ("{id}_{view}", "17_a"),
        ("{id}_{view}", "_a.png"),
        ("{id}_{heading}", "17_45.jpg"),
        ("{id}_{heading}", "17_0000.jpg"),
        ("{id}_{heading}", "17_90.5.jpg"),
        ("{id}_{heading}", "17_\u0669\u0660.jpg"),  # 90 in Arabic digits
        ("{id}_{0,90,180,270}", "17_360.jpg"),
        ("{id}_{n,e,s,w}", "17_\u017f.jpg"),  # an old s, which `re` takes for one
        ("{id}/{heading}", "90.jpg"),
        ("{id}/{heading}", "17/90/x.jpg"),
        ("{id}.x_{view}", "17yx_a.jpg"),
        ("{lat}_{lng}_{heading}", "51.5_90.jpg"),
    ],
)
def test_what_says_nothing(pattern, path):
    assert read(pattern, path) == []


def test_an_id_beside_text_that_does_not_matter_has_all_its_readings():
    assert read("{id}_{any}_{heading}", "x_1_2019_90.jpg") == [("x", "b"), ("x_1", "b")]
    assert read("{id}_{heading}_{any}", "1_90_0_x.jpg") == [("1", "b"), ("1_90", "a")]
    assert read("{any}_{id}_{view}", "a_b_c_d.jpg") == [("b_c", "d"), ("c", "d")]
    assert read("{id}_{any}_{heading}", "17_pano_90.jpg") == [("17", "b")]


IDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\"), min_size=1, max_size=12
)
PATTERNS = st.sampled_from(
    [
        *("{id}_{view}", "{id}{view}", "{view}{id}", "{id}_{heading}", "{heading} {id}"),
        *("{id}/{heading}", "{heading}/{id}", "p.+({id}[)_{view}"),
        *("{id}_{n,e,s,w}", "{id}-{0,90,180,270}", "{id}/x/{front,right,back,left}"),
        *("{id}_{any}_{heading}", "{any}-{id}-{view}", "{id}_{heading}_{any}", "é{id}ü_{view}"),
    ]
)


@given(PATTERNS, IDS, st.sampled_from(VIEWS), st.sampled_from(["png", "JPG", "jpeg", "webp"]))
def test_a_name_made_by_a_pattern_is_read_by_it(text, location_id, view, suffix):
    pattern = NamePattern.parse(text)
    name = f"{pattern.example(location_id, view)}.{suffix}"
    assert (location_id, view) in read(text, f"in/a/folder/{name}")
    if not pattern.is_ambiguous:
        assert read(text, name) == [(location_id, view)]
        assert list(pattern.ids_and_views([name, "x.txt"])) == [(location_id, view), None]


@given(st.floats(-90, 90), st.floats(-180, 180), st.integers(0, 7), st.sampled_from(VIEWS))
def test_coordinates_are_read_as_they_are_written(lat, lng, decimals, view):
    written = (f"{lat:.{decimals}f}", f"{lng:.{decimals}f}")
    pattern = NamePattern.parse("{lat}_{lng}_{heading}")
    assert read(pattern.text, f"{pattern.example('', view, written)}.jpg") == [(written, view)]


@pytest.mark.parametrize("pattern", ["{id}_{view}", "{id}_{heading}", "{id}_{any}_{heading}"])
@pytest.mark.parametrize("piece", ["_", "_0", "_90", "_a", "0.", "é_"])
def test_no_name_takes_long(pattern, piece):
    for length in (250, 200_000):
        started = time.perf_counter()
        read(pattern, f"{piece * (length // len(piece))}x.jpg")
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("", "no name"),
        ("{id}", "no view"),
        ("{id}_{view}_{heading}", "two views"),
        ("{view}", "no location"),
        ("{any}_{view}", "no location"),
        ("{lat}_{heading}", "{lat} and {lng}"),
        ("{id}_{lat}_{lng}_{view}", "location once"),
        ("{id}/{id}_{view}", "{id} twice"),
        ("{id}_{hdg}", "{hdg} is no placeholder"),
        ("{id}_{haeding}", "did you mean {heading}"),
        ("{id}_{}", "{} is no placeholder"),
        ("{id}_{n,e,s}", "four different words"),
        ("{id}_{n,e,s,n}", "four different words"),
        ("{id}_{n,e,s,}", "four different words"),
        ("{id}_{N,n,s,w}", "four different words"),
        ("{id}_{view", "brace"),
        ("{id}}_{view}", "brace"),
        ("{id_{view}}", "brace"),
        ("{id}_{view}.jpg", "ending"),
        ("*_{id}_{view}", "{any}"),
        ("{id}\\{view}", "/ for folders"),
        ("/{id}_{view}", "no name"),
        ("../{id}_{view}", "dot"),
        (".{id}_{view}", "dot"),
        ("{id}{heading}", "nothing stands between"),
        ("{id}{any}_{view}", "nothing stands between"),
        ("{id}{0,90,180,270}", "nothing stands between"),
        ("{lng}{1,2,3,4}{lat}", "nothing stands between"),
        ("{id}1{heading}", "'1' may be part of {heading}"),
        ("{id}.{heading}", "'.' may be part of {heading}"),
        ("{lat}-{lng}_{view}", "'-' may be part of {lng}"),
        ("{id}_{right,front_right,back,left}", "'_' may be part of"),
        ("{id}_{any}_{any}_{view}", "{any} twice"),
    ],
)
def test_what_cannot_work_is_refused_and_told_with_what_can(pattern, told):
    with pytest.raises(ValueError, match=re.escape(told)) as raised:
        NamePattern.parse(pattern)
    text = str(raised.value)
    (right, *_) = re.findall(r'right (?:is|are) "([^"]+)"', text)
    assert NamePattern.parse(right)
    assert "\n" not in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{id}_{view}", "{id}_{view}"),
        ("{lat}_{lng}_{view}", "{lat}_{lon}_{view}"),
        ("{id}_{n,e,s,w}", "{id}_{N, E, S, W}"),
        ("P{id}_{view}", "p{id}_{view}"),
    ],
)
def test_two_that_mean_the_same_are_refused(one, other):
    with pytest.raises(ValueError, match="means the same"):
        refuse_same([one, "{id}-{view}", other])


@given(st.text("{}idvewhangly_,/.-0*", max_size=24))
def test_any_text_is_a_pattern_or_is_refused(text):
    try:
        pattern = NamePattern.parse(text)
    except ValueError:
        return
    assert NamePattern.parse(pattern.text) == pattern
    assume(not pattern.by_position)
    assert ("17", "b") in read(text, f"{pattern.example('17', 'b')}.jpg")
