"""What systems and programs leave behind is told by its name, of each kind."""

import pytest

from streetineq_assets.images.checks import listing_findings
from streetineq_assets.images.litter import KINDS, litter_kind
from streetineq_tests.harness import check_of
from streetineq_tests.images.pictures import write_files, write_tar, write_zip
from streetineq_tests.images.test_catalogue import IDS, failed, listing, names, status

LITTER = {
    "trash": [
        ".Trash-1000/files/17_a.jpg",
        ".Trashes/501/17_a.jpg",
        "$RECYCLE.BIN/S-1-5-21/$R1.jpg",
        "#recycle/17_a.jpg",
        "RECYCLER/17_a.jpg",
        "Trash/17_a.jpg",
    ],
    "system_file": [
        ".DS_Store",
        "deep/er/.DS_Store",
        "._17_a.jpg",
        "._0.tgz",
        "__MACOSX/17_a.jpg",
        "a.zip/__MACOSX/._17_a.jpg",
        "Icon\r",
        "Thumbs.db",
        "THUMBS.DB",
        "ehthumbs.db",
        "desktop.ini",
        "17/@eaDir/17_a.jpg/SYNOPHOTO.jpg",
        "System Volume Information/x",
        "lost+found/17_a.jpg",
        ".Spotlight-V100/x",
        ".nfs000000001234abcd",
    ],
    "lock_file": ["~$list.xlsx", ".~lock.list.csv#"],
    "unfinished_download": [
        "17_a.jpg.part",
        "0.tgz.crdownload",
        "0.zip.filepart",
        "17_a.jpg.tmp",
        "0.zip.download/0.zip",
        ".17_a.jpg.Xy3ab9",
        ".0.tgz.QdA0Zc",
    ],
    "sync_conflict": [
        "17_a (Jo's conflicted copy 2019-07-21).jpg",
        "17_a (conflicted copy 2019-07-21 101500).jpg",
        "17_a.sync-conflict-20190721-101500-ABCDEF7.jpg",
        "17_a (Case Conflict).jpg",
    ],
    "hidden": ["old/.thumbnails/17_a.jpg", ".17_a.jpg", "dir\\.hidden\\17_a.jpg", ".picasa.ini"],
}


def test_every_kind_is_tried():
    assert set(LITTER) == set(KINDS)


@pytest.mark.parametrize(("kind", "path"), [(k, path) for k in LITTER for path in LITTER[k]])
def test_litter_is_told_by_its_name(kind, path):
    assert litter_kind(path) == kind


@pytest.mark.parametrize(
    "path",
    [
        "17_a.jpg",
        "./17_a.jpg",
        "a.b/17_a.jpg",
        "../x/17_a.jpg",
        "Trash St/1.jpg",
        "Icon.jpg",
        "conflict_a.jpg",
        "leeds.tmp/17_a.jpg",
        "desktop.ini_a.jpg",
        "part_a.jpg",
        "17~_a.jpg",
    ],
)
def test_plain_names_are_none(path):
    assert litter_kind(path) is None


def test_a_folder_copied_from_a_mac_is_fine(tmp_path):
    """Its archives have doubles too, which are none."""
    write_files(tmp_path, names(["17", "Z"]) | {f"._{name}": b"" for name in names(["17"])})
    write_files(tmp_path, {".DS_Store": b"", "._0.tgz": b"\x00\x05\x16\x07", "Icon\r": b""})
    write_tar(tmp_path / "0.tgz", names(["x_1"]) | {"._x_1_a.png": b""})
    found = listing(tmp_path)
    assert failed(found) == set()
    findings = listing_findings(found)
    assert findings.values["n_litter_files"] == findings.values["n_litter_system_file"] == 8
    assert findings.values["n_archives"] == 1
    assert "8 system file" in check_of(findings, "files_known").description


def test_each_kind_is_counted_and_none_is_a_warning(tmp_path):
    paths = [path for kind in LITTER for path in LITTER[kind] if "\\" not in path]
    paths.remove("THUMBS.DB")
    write_files(tmp_path, names(IDS) | dict.fromkeys(paths, b"litter"))
    found = listing(tmp_path)
    assert failed(found) == set()
    values = listing_findings(found).values
    assert {kind: values[f"n_litter_{kind}"] for kind in KINDS} == {
        kind: len(set(LITTER[kind]) & set(paths)) for kind in KINDS
    }
    assert values["n_litter_files"] == values["n_foreign_files"] == len(paths)


def test_kinds_that_are_not_there_have_no_count(tmp_path):
    write_files(tmp_path, names(IDS) | {".DS_Store": b""})
    values = listing_findings(listing(tmp_path)).values
    assert [name for name in values if name.startswith("n_litter_")] == [
        "n_litter_files",
        "n_litter_system_file",
    ]


def test_an_image_that_is_lacking_may_be_in_the_trash(tmp_path):
    """It is not used, and is told where locations are counted without it."""
    write_files(tmp_path, names(IDS))
    (tmp_path / ".Trash-1000").mkdir()
    (tmp_path / "17_a.png").rename(tmp_path / ".Trash-1000" / "17_a.png")
    found = listing(tmp_path)
    assert status(found)["17"].tolist() == ["missing"] + ["present"] * 3
    assert failed(found) == {"locations_complete"}
    text = check_of(listing_findings(found), "locations_complete").description
    assert "1 images are in the trash" in text
    assert ".Trash-1000/17_a.png" in text


def test_litter_beside_other_foreign_files_is_counted_apart(tmp_path):
    write_files(tmp_path, names(IDS) | {"readme.txt": b"", ".DS_Store": b""})
    write_zip(tmp_path / "mac.zip", {"__MACOSX/17_a.png": b"", "__MACOSX/._17_a.png": b""})
    found = listing(tmp_path)
    text = check_of(listing_findings(found), "files_known").description
    assert text.startswith("1 of 16 files")
    assert "3 more are litter" in text
    assert failed(found) == {"files_known"}
