"""Files in a city's folder that are not named, packed or placed as its images are."""

import unicodedata

import pandas as pd
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.images.checks import listing_findings
from streetineq_assets.name_patterns import NamePattern
from streetineq_tests.harness import check_of
from streetineq_tests.images.pictures import write_files, write_tar, write_zip
from streetineq_tests.images.test_catalogue import IDS, failed, listing, names, status


def reasons_of(found):
    return found.foreign_files["reason"].value_counts().to_dict()


def test_what_lies_in_the_trash_is_not_used(tmp_path):
    del (files := names(IDS))["17_a.png"]
    write_files(tmp_path, files | {".Trash-1000/files/17_a.png": b"old", "._17_a.png": b""})
    found = listing(tmp_path)
    assert status(found)["17"].tolist() == ["missing"] + ["present"] * 3
    assert reasons_of(found) == {"trash": 1, "system_file": 1}


def test_a_study_below_a_hidden_folder_is_not_hidden(tmp_path):
    root = tmp_path / ".cache" / "images"
    write_files(root, names(IDS))
    write_tar(root / "more.tar", {f"./{name}": data for name, data in names(["99"]).items()})
    assert listing(root, [*IDS, "99"]).images["status"].eq("present").all()


def test_copies_and_archives_that_are_not_read_are_named_with_what_to_do(tmp_path):
    write_files(tmp_path, names(IDS) | {"17_a - Copy.png": b"", "x.7z": b"", "17_b.png.gz": b""})
    write_zip(tmp_path / "outer.zip", {"inner.zip": b"", "inner/99_a.jpg": b""})
    found = listing(tmp_path)
    assert reasons_of(found) == {
        "copy": 1, "other_archive": 2, "nested_archive": 1, "unlisted_location": 1,
    }  # fmt: skip
    text = check_of(listing_findings(found), "files_known").description
    for named in ("17_a - Copy.png", "17_b.png.gz", "inner.zip", "unpack", "99_a.jpg"):
        assert named in text


def test_a_copied_folder_is_an_error_and_not_one_of_both(tmp_path):
    write_files(tmp_path, {f"leeds/{name}": data for name, data in names(["17"]).items()})
    write_files(tmp_path, {f"leeds - Copy/{name}": b"older" for name in names(["17"])})
    with pytest.raises(SourceError, match=r"leeds - Copy/17_a.png and .* \(3 more .* folder"):
        listing(tmp_path)


def test_names_in_other_letters_and_separators_are_found(tmp_path):
    accented = "Café"
    decomposed = {unicodedata.normalize("NFD", name): d for name, d in names([accented]).items()}
    write_files(tmp_path, decomposed)
    write_zip(tmp_path / "windows.zip", {f"a\\b\\{n}": d for n, d in names(["17"], "jfif").items()})
    found = listing(tmp_path, [accented, "17"])
    assert found.images["status"].eq("present").all()
    assert set(found.images["location_id"]) == {accented, "17"}, "as they are listed"


class TestNoImageHasAListedName:
    @pytest.mark.parametrize(
        ("file", "expected"),
        [
            ("x_1_90.png", r"x_1_90\.png .* x_1_b\.jpg"),
            ("z_a.png", r"nearest listed id is Z,"),
            ("017_c.png", r"17_c\.jpg"),
            ("17.jpg", r"<location_id>_<a\|b\|c\|d>.*names = \[\"\{id\}_\{heading\}\"\]"),
        ],
    )
    def test_an_example_and_the_nearest_listed_id_are_named(self, tmp_path, file, expected):
        write_files(tmp_path, {file: b""})
        with pytest.raises(SourceError, match=expected):
            listing(tmp_path)

    @pytest.mark.parametrize("other", ["Leeds/17_a.png", "leeds.tar.gz", "LEEDS.zip"])
    def test_a_folder_in_other_letters_and_an_archive_beside_it_are_named(self, tmp_path, other):
        write_files(tmp_path, {other: b""})
        with pytest.raises(SourceError, match=f"{other.split('/')[0]} is: rename"):
            listing(tmp_path / "leeds")

    def test_a_member_of_an_archive_is_named_too(self, tmp_path):
        write_tar(tmp_path / "a.tar", {"z_a.png": b""})
        with pytest.raises(SourceError, match=r"a\.tar \(member z_a\.png\)"):
            listing(tmp_path)

    def test_one_that_matches_makes_it_a_warning(self, tmp_path):
        write_files(tmp_path, {"17_a.png": b"", "z_a.png": b""})
        text = check_of(listing_findings(listing(tmp_path)), "files_known").description
        assert "z_a.png" in text
        assert "Z_a.jpg" in text

    def test_other_files_alone_are_none(self, tmp_path):
        write_files(tmp_path, {"readme.txt": b"", ".Trash/17_a.png": b""})
        assert status(listing(tmp_path))["17"].eq("missing").all()

    def test_without_a_list_every_name_is_foreign(self, tmp_path):
        write_files(tmp_path, names(IDS))
        assert len(listing(tmp_path, []).foreign_files) == 12


def made_by(pattern, ids=IDS, positions=None):
    """Files of four views by a pattern."""
    pattern = NamePattern.parse(pattern)
    where = positions.set_index("location_id") if positions is not None else None
    files = {}
    for each in ids:
        at = None if where is None else (f"{where.lat[each]:.6f}", f"{where.lon[each]:.6f}")
        files |= {f"{pattern.example(each, view, at)}.jpg": b"bytes" for view in "abcd"}
    return files


WHERE = pd.DataFrame(
    {"location_id": IDS, "lat": [51.5, 51.51, 51.52], "lon": [-0.1, 0.0, 0.123456]}
)


class TestNamesOfTheStudysOwn:
    @pytest.mark.parametrize(
        "pattern",
        [
            "{id}_{heading}",
            "{id}-{0,90,180,270}",
            "{id}_{n,e,s,w}",
            "{id}/{front,right,back,left}",
            "{heading}/{id}",
            "{id}_{heading}_{any}",
            "{lat}_{lng}_{heading}",
        ],
    )
    def test_they_are_found_in_folders_and_archives(self, tmp_path, pattern):
        write_files(tmp_path / "north", made_by(pattern, ["17"], WHERE))
        write_tar(tmp_path / "more.tgz", made_by(pattern, ["x_1"], WHERE))
        write_zip(tmp_path / "more.zip", made_by(pattern, ["Z"], WHERE))
        found = listing(tmp_path, names=[pattern], positions=WHERE)
        assert found.images["status"].eq("present").all()
        assert found.images["location_id"].tolist() == ["17"] * 4 + ["Z"] * 4 + ["x_1"] * 4
        assert failed(found) == set()

    def test_an_archive_of_each_location_is_a_folder_of_its_id(self, tmp_path):
        headings = {f"{heading}.jpg": b"bytes" for heading in (0, 90, 180, 270)}
        write_zip(tmp_path / "17.zip", headings)
        write_tar(tmp_path / "deep" / "x_1.tar.zst", headings)
        write_files(tmp_path / "Z", headings)
        found = listing(tmp_path, names=["{id}/{heading}"])
        assert found.images["status"].eq("present").all()
        assert found.images.loc[0, ["path", "member"]].tolist() == ["17.zip", "0.jpg"]

    def test_several_patterns_are_tried_in_order(self, tmp_path):
        write_files(tmp_path, names(["17"]) | made_by("{id}_{heading}", ["x_1"]))
        write_files(tmp_path, made_by("{id}-{n,e,s,w}", ["Z"]))
        patterns = ["{id}_{view}", "{id}_{heading}", "{id}-{n,e,s,w}"]
        assert listing(tmp_path, names=patterns).images["status"].eq("present").all()

    def test_two_files_of_one_view_by_two_patterns_are_an_error(self, tmp_path):
        write_files(tmp_path, {"17_a.png": b"", "17_0.png": b""})
        with pytest.raises(SourceError, match=r"17_0\.png and .*17_a\.png are the same view"):
            listing(tmp_path, names=["{id}_{view}", "{id}_{heading}"])

    def test_what_is_of_no_location_is_counted_by_reason(self, tmp_path):
        where = pd.concat([WHERE, WHERE.tail(1).assign(location_id="Z2")])
        write_files(tmp_path, made_by("{lat}_{lng}_{heading}", ["17"], WHERE))
        others = ["51.520000_0.123456_0.jpg", "51.5_-0.1_90.jpg", "52.000_0.000_0.jpg", "17_0.jpg"]
        write_files(tmp_path, dict.fromkeys(others, b""))
        found = listing(tmp_path, [*IDS, "Z2"], names=["{lat}_{lng}_{heading}"], positions=where)
        assert reasons_of(found) == {
            "ambiguous_position": 1, "coarse_position": 1, "unlisted_location": 1, "other_name": 1,
        }  # fmt: skip
        text = check_of(listing_findings(found), "files_known").description
        for told in ("more than one listed location", "3 decimals", "m away", "17_0.jpg"):
            assert told in text
        assert "files_accounted" not in failed(found)

    def test_a_name_of_two_listed_locations_is_neithers(self, tmp_path):
        write_files(tmp_path, {"x_1_2019_90.jpg": b"", "x_1_0.jpg": b""})
        found = listing(tmp_path, ["x", "x_1"], names=["{id}_{heading}", "{id}_{any}_{heading}"])
        assert reasons_of(found) == {"ambiguous_name": 1}
        assert status(found)["x_1"].tolist() == ["present"] + ["missing"] * 3

    def test_errors_speak_of_them(self, tmp_path):
        write_files(tmp_path, names(IDS))
        with pytest.raises(SourceError) as raised:
            listing(tmp_path, names=["{id}/{heading}"])
        text = str(raised.value)
        assert "<location_id>/<0|90|180|270>" in text
        assert "whose file is 17/0.jpg" in text
        assert 'names = ["{id}_{view}"]' in text

    def test_coordinates_that_the_list_does_not_have_are_told(self, tmp_path):
        write_files(tmp_path, made_by("{lat}_{lng}_{heading}", ["17"], WHERE))
        with pytest.raises(SourceError, match="no listed location has coordinates"):
            listing(tmp_path, names=["{lat}_{lng}_{heading}"])


class TestNamesThatFollowACommonPattern:
    def test_the_error_proposes_it(self, tmp_path):
        write_files(tmp_path, made_by("{id}_{heading}"))
        with pytest.raises(SourceError, match=r"all of them .* names = \[\"\{id\}_\{heading\}\"\]"):
            listing(tmp_path)

    def test_members_of_archives_count_too(self, tmp_path):
        write_zip(tmp_path / "17.zip", {f"{heading}.jpg": b"" for heading in (0, 90, 180, 270)})
        with pytest.raises(SourceError, match=r"names = \[\"\{id\}/\{heading\}\"\]"):
            listing(tmp_path)

    def test_where_others_are_found_both_are_proposed(self, tmp_path):
        write_files(tmp_path, names(["17"]) | made_by("{id}_{heading}", ["x_1", "Z"]))
        text = check_of(listing_findings(listing(tmp_path)), "files_known").description
        assert 'names = ["{id}_{view}", "{id}_{heading}"] under [images]' in text


def test_which_views_are_lacking_is_told(tmp_path):
    write_files(tmp_path, {name: b"" for name in names(IDS) if name[-5] in "ac"})
    text = check_of(listing_findings(listing(tmp_path)), "locations_complete").description
    assert "3 of 3" in text
    assert "b of 3, d of 3" in text
