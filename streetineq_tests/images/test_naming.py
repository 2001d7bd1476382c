"""Names of images: which listed location they say, by the study's patterns."""

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.images.naming import (
    Identity,
    Naming,
    is_image,
    is_other_archive,
    stem,
)
from streetineq_assets.name_patterns import DEFAULT_NAMES

IDS = ["Loc1", "Loc2", "17", "Café 3"]


def identify(path, *names, listed=(*IDS, "x", "x_1"), positions=None):
    naming = Naming(names or DEFAULT_NAMES, listed, positions)
    said = naming.identify(path)
    assert naming.identify_all([path, "17_a.png"])[0] == said
    return said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("17_a.png", Identity("17", "a")),
        ("deep/er/17_D.JPEG", Identity("17", "d")),
        ("x_1_d.webp", Identity("x_1", "d")),
        (unicodedata.normalize("NFD", "Café 3_a.jpg"), Identity("Café 3", "a")),
        ("99_a.png", Identity(why="unlisted_location")),
        ("loc1_a.png", Identity(why="unlisted_location")),
        ("17.png", Identity()),
        ("17_90.png", Identity()),
    ],
)
def test_by_default_a_name_is_id_and_view(name, said):
    assert identify(name) == said


class TestSeveralPatterns:
    def test_the_first_that_gives_a_listed_location_wins(self):
        names = ("{id}_{n,e,s,w}", "{id}{view}", "{id}_{1,2,3,4}")
        assert identify("17_e.jpg", *names) == Identity("17", "b")
        assert identify("17b.jpg", *names) == Identity("17", "b")
        assert identify("x_1.jpg", *names) == Identity("x", "a")

    def test_one_that_gives_an_unlisted_location_leaves_it_to_the_next(self):
        assert identify("x_1_2.jpg", "{id}_{0,1,2,3}") == Identity("x_1", "c")
        assert identify("y/x_0.jpg", "{id}/x_{0,1,2,3}", "{id}_{0,1,2,3}") == Identity("x", "a")
        assert identify("y/z_0.jpg", "{id}/z_{0,1,2,3}", "{id}_{0,1,2,3}") == Identity(
            why="unlisted_location"
        )


class TestTextThatDoesNotMatter:
    def test_the_list_says_where_the_id_ends(self):
        for listed, location_id in ((["x"], "x"), (["x_1"], "x_1")):
            said = identify("x_1_2019_90.jpg", "{id}_{any}_{heading}", listed=listed)
            assert said == Identity(location_id, "b")

    def test_what_may_be_two_listed_locations_is_neither(self):
        said = identify("x_1_2019_90.jpg", "{id}_{any}_{heading}", "{any}_{heading}/{id}")
        assert said == Identity(why="ambiguous_name")


class TestCoordinates:
    @pytest.fixture
    def positions(self):
        return pd.DataFrame(
            {
                "location_id": ["17", "x", "x_1"],
                "lat": [51.507412, 51.600001, 51.600002],
                "lon": [-0.127758, 0.1, 0.1],
            }
        )

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("51.507412_-0.127758_180.jpg", Identity("17", "c")),
            ("51.5074_-0.1278_180.jpg", Identity("17", "c")),
            ("51.60000_0.10000_0.jpg", Identity(why="ambiguous_position")),
            ("51.600002_0.100000_0.jpg", Identity("x_1", "a")),
            ("51.51_-0.13_0.jpg", Identity(why="coarse_position")),
            ("52.507412_-0.127758_180.jpg", Identity(why="unlisted_location")),
        ],
    )
    def test_they_are_a_listed_locations(self, positions, name, said):
        assert identify(name, "{lat}_{lng}_{heading}", positions=positions) == said

    def test_without_any_in_the_list_none_is_found(self):
        said = identify("51.507412_-0.127758_180.jpg", "{lat}_{lng}_{heading}")
        assert said == Identity(why="unlisted_location")


@pytest.mark.parametrize(
    "name",
    [
        "Copy of 17_a.jpg",
        "17_a - Copy.jpg",
        "17_a - Copy (2).jpg",
        "17_a copy.jpg",
        "17_a copy 3.jpg",
        "17_a (1).jpg",
        "old/17_a 2.jpg",
    ],
)
def test_copies_of_a_file_manager(name):
    assert Naming(DEFAULT_NAMES, IDS).is_copy(name)
    assert not Naming(DEFAULT_NAMES, ["18"]).is_copy(name), "of nothing that is listed"


def test_copies_by_a_pattern_with_a_folder():
    naming = Naming(["{id}/{heading}"], IDS)
    assert naming.is_copy("17/90 (1).jpg")
    assert not naming.is_copy("18/90 (1).jpg")


def test_names_are_told_and_made():
    naming = Naming(["{id}/{heading}", "{id}_{n,e,s,w}"], IDS)
    assert naming.in_words() == (
        "<location_id>/<0|90|180|270>.<png|jpg|jpeg|webp> or "
        "<location_id>_<n|e|s|w>.<png|jpg|jpeg|webp>"
    )
    assert naming.example("17", "d") == "17/270"


def test_the_stem_is_the_name_without_folders_and_ending():
    assert stem("a/b/8842.panorama.JPG") == "8842.panorama"
    assert stem("a\\8842.jfif") == "8842"
    assert stem(unicodedata.normalize("NFD", "Café.webp")) == "Café"
    assert stem("8842.tif") is None


def test_endings_of_images_and_archives():
    assert all(map(is_image, ["a.HEIC", "a/b.tiff", "a.jpe", "17.gif"]))
    assert not any(map(is_image, ["a.txt", "jpg", "a.jpg/b"]))
    packed = ["a.7z", "a.RAR", "a.png.gz", "a.zst", "a.zip.001", "a.z01", "a.r00", "a.tgz.02"]
    assert all(map(is_other_archive, packed))
    assert not any(map(is_other_archive, ["a.zip", "a.txt", "7z", "a.001"]))


@given(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12),
    st.sampled_from("abcd"),
    st.sampled_from(["png", "JPG", "jpeg", "jpe", "jfif", "webp"]),
)
def test_every_id_is_found_in_both_forms_of_its_letters(location_id, view, suffix):
    listed = unicodedata.normalize("NFC", location_id)
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, f"{location_id}_{view}.{suffix}")
        assert Naming(DEFAULT_NAMES, [listed]).identify(name) == (listed, view, None)
