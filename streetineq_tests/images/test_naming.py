"""Names of images: what is recognised, and what is said of the rest."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.naming import hint, is_copy, is_litter, nearest_id, parse

IDS = ["Loc1", "Loc2", "17", "Café 3"]


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("17_a.png", ("17", "a")),
        ("deep/er/17_D.JPEG", ("17", "d")),
        ("deep\\er\\17_b.jpg", ("17", "b")),
        ("17_c.jfif", ("17", "c")),
        ("17_c.jpe", ("17", "c")),
        ("x_1_d.webp", ("x_1", "d")),
        (unicodedata.normalize("NFD", "Café 3_a.jpg"), ("Café 3", "a")),
        ("17.png", None),
        ("17_e.png", None),
        ("17_90.jpg", None),
        ("17_a.gif", None),
        ("_a.png", None),
    ],
)
def test_names_of_views(name, view):
    assert parse(name) == view


@pytest.mark.parametrize(
    "path",
    [
        ".Trash-1000/files/17_a.jpg",
        "old/.thumbnails/17_a.jpg",
        "__MACOSX/17_a.jpg",
        "a.zip/__MACOSX/._17_a.jpg",
        "17/@eaDir/17_a.jpg",
        "$Recycle.Bin/17_a.jpg",
        "#recycle/17_a.jpg",
        "Trash/17_a.jpg",
        "._17_a.jpg",
        "dir\\.hidden\\17_a.jpg",
    ],
)
def test_what_systems_leave_is_litter(path):
    assert is_litter(path)


@pytest.mark.parametrize(
    "path", ["17_a.jpg", "./17_a.jpg", "a.b/17_a.jpg", "../x/17_a.jpg", "Trash St/1.jpg"]
)
def test_plain_folders_are_none(path):
    assert not is_litter(path)


@pytest.mark.parametrize(
    "name",
    [
        "Copy of 17_a.jpg",
        "17_a - Copy.jpg",
        "17_a - Copy (2).jpg",
        "17_a copy.jpg",
        "17_a copy 3.jpg",
        "17_a (1).jpg",
        "17_a 2.jpg",
    ],
)
def test_copies_of_a_file_manager(name):
    assert is_copy(name, IDS)
    assert not is_copy(name, ["18"]), "of nothing that is listed"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loc1_b.jpg", "Loc1_b.jpg"),
        ("Loc1_90.jpg", "Loc1_b.jpg"),
        ("loc2-heading270.jpg", "Loc2_d.jpg"),
        ("0017_c.png", "17_c.jpg"),
        ("17.jpg", "17_a.jpg"),
        ("folder/Loc2.heic", "Loc2_a.jpg"),
        ("Cafe 3_a.jpg", "Café 3_a.jpg"),
    ],
)
def test_a_hint_names_the_nearest_id_and_its_file(name, expected):
    assert expected in hint(name, IDS)


def test_a_hint_invents_nothing():
    assert "no listed id" in hint("zzzzzz_a.jpg", ["17"])


@given(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12),
    st.sampled_from("abcd"),
    st.sampled_from(["png", "JPG", "jpeg", "jpe", "jfif", "webp"]),
)
def test_every_id_is_found_in_both_forms_of_its_letters(location_id, view, suffix):
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, f"{location_id}_{view}.{suffix}")
        assert parse(name) == (unicodedata.normalize("NFC", location_id), view)


@given(st.integers(1, 999_999), st.integers(0, 4))
def test_lost_zeros_are_found(number, zeros):
    listed = f"{'0' * zeros}{number}"
    for spoilt in (f"{number}", f"{number}.0", f"000{number}"):
        assert nearest_id(spoilt, [listed, "9999999"]) == listed
