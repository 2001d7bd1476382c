"""Files in a city's folder that are not named, packed or placed as its images are."""

import unicodedata

import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.images.checks import listing_findings
from streetineq_tests.harness import check_of
from streetineq_tests.images.pictures import write_files, write_tar, write_zip
from streetineq_tests.images.test_catalogue import IDS, failed, listing, names, status


def reasons_of(found):
    return found.foreign_files["reason"].value_counts().to_dict()


def test_trash_hidden_and_system_folders_are_not_used_and_are_counted(tmp_path):
    del (files := names(IDS))["17_a.png"]
    litter = [".Trash-1000/files/17_a.png", "@eaDir/17_a.png/SYNOPHOTO.jpg", "._17_a.png"]
    write_files(tmp_path, files | dict.fromkeys(litter, b"old"))
    write_zip(tmp_path / "mac.zip", {"__MACOSX/17_a.png": b"", "__MACOSX/._17_a.png": b""})
    found = listing(tmp_path)
    assert status(found)["17"].tolist() == ["missing"] + ["present"] * 3
    assert reasons_of(found) == {"hidden": 5}
    assert failed(found) == {"locations_complete", "files_known"}


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
            ("17.jpg", r"<location_id>_<a\|b\|c\|d>"),
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


def test_which_views_are_lacking_is_told(tmp_path):
    write_files(tmp_path, {name: b"" for name in names(IDS) if name[-5] in "ac"})
    text = check_of(listing_findings(listing(tmp_path)), "locations_complete").description
    assert "3 of 3" in text
    assert "b of 3, d of 3" in text
