"""The catalogue: every listed view has a row, every file is accounted for."""

import hashlib
import os

import pandas as pd
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.images import catalogue as module
from streetineq_assets.images.archives import Listing
from streetineq_assets.images.catalogue import bucket_of, list_images, walk_files
from streetineq_assets.images.changes import fingerprint
from streetineq_assets.images.checks import listing_findings
from streetineq_tests.harness import check_of, failed_checks
from streetineq_tests.images.pictures import write_files, write_tar, write_zip

IDS = ["17", "x_1", "Z"]


def names(ids, suffix="png"):
    return {f"{location_id}_{view}.{suffix}": b"bytes" for location_id in ids for view in "abcd"}


def listing(root, ids=IDS, **options):
    return list_images(root, ids, city="leeds", buckets=4, **options)


def status(found):
    return found.images.set_index(["location_id", "view"])["status"]


def failed(found):
    return failed_checks(listing_findings(found))


def test_the_bucket_is_the_ids_sha256_modulo_their_number():
    number = int(hashlib.sha256(b"17").hexdigest(), 16) % 64
    assert bucket_of("london", "17", 64) == f"london/{number:03d}"
    assert bucket_of("london", "17", 1) == "london/000"


def test_buckets_are_even():
    counts = pd.Series([bucket_of("c", str(n), 8) for n in range(8000)]).value_counts()
    assert len(counts) == 8
    assert counts.between(900, 1100).all()


def test_images_lie_in_folders_and_archives_of_any_depth(tmp_path):
    write_files(tmp_path, {f"north/17/{name}": data for name, data in names(["17"], "JPG").items()})
    write_tar(tmp_path / "old" / "0.tgz", {f"0/{n}": d for n, d in names(["x_1"]).items()})
    write_zip(tmp_path / "new.zip", names(["Z"], "webp"))
    images = listing(tmp_path).images
    assert images["status"].eq("present").all()
    assert images["location_id"].tolist() == ["17"] * 4 + ["Z"] * 4 + ["x_1"] * 4
    assert images["view"].tolist() == list("abcd") * 3
    assert images["heading"].tolist() == [0, 90, 180, 270] * 3
    first, last = images.iloc[0], images.iloc[-1]
    assert (first["path"], first["size_bytes"]) == ("north/17/17_a.JPG", 5)
    assert pd.isna(first["member"])
    assert (last["path"], last["member"]) == ("old/0.tgz", "0/x_1_d.png")
    assert images["bucket"].tolist() == [bucket_of("leeds", i, 4) for i in images["location_id"]]


def test_a_missing_view_is_missing_and_not_left_out(tmp_path):
    files = names(["17", "Z"])
    del files["17_c.png"]
    write_files(tmp_path, files)
    found = listing(tmp_path)
    assert status(found)["17"].tolist() == ["present", "present", "missing", "present"]
    assert status(found)["x_1"].eq("missing").all()
    assert found.images.loc[2, "reason"] == "no_file"
    values = listing_findings(found).values
    states = ("complete", "incomplete", "missing")
    assert [values[f"n_locations_{state}"] for state in states] == [1, 1, 1]
    assert failed(found) == {"locations_complete"}


def test_foreign_files_are_counted_by_reason(tmp_path):
    write_files(tmp_path, names(IDS) | {"readme.txt": b"", "17_e.png": b"", "17.png": b""})
    write_files(tmp_path, names(["99"]))
    found = listing(tmp_path)
    reasons = found.foreign_files.set_index("path")["reason"].to_dict()
    assert reasons["readme.txt"] == reasons["17_e.png"] == reasons["17.png"] == "other_name"
    assert reasons["99_a.png"] == "unlisted_location"
    assert len(reasons) == 7
    assert failed(found) == {"files_known"}


def test_unsafe_members_are_foreign_and_oversized_ones_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr("streetineq_assets.images.archives.MAX_MEMBER_BYTES", 100)
    files = names(["17"]) | {"../x_1_a.png": b"evil", "Z_a.png": bytes(101)}
    write_tar(tmp_path / "a.tar", files)
    write_files(tmp_path, {"Z_b.png": bytes(101)})
    found = listing(tmp_path)
    assert found.foreign_files[["path", "member", "reason"]].to_numpy().tolist() == [
        ["a.tar", "../x_1_a.png", "unsafe_path"]
    ]
    assert status(found)["x_1"].eq("missing").all()
    assert status(found)["Z"].tolist() == ["unreadable", "unreadable", "missing", "missing"]
    assert "files_accounted" not in failed(found)


def test_two_files_of_one_view_are_an_error_that_names_both(tmp_path):
    write_files(tmp_path, {"a/17_a.png": b"1", "a/17_b.png": b"1"})
    write_tar(tmp_path / "b.tar", {"in/17_a.png": b"2", "in/17_b.png": b"2"})
    with pytest.raises(SourceError) as raised:
        listing(tmp_path)
    text = str(raised.value)
    assert str(tmp_path / "a/17_a.png") in text
    assert f"{tmp_path / 'b.tar'} (member in/17_a.png)" in text
    assert "1 more" in text


def test_the_same_view_as_png_and_jpeg_is_an_error(tmp_path):
    write_files(tmp_path, {"17_a.png": b"1", "17_A.jpeg": b"1"})
    with pytest.raises(SourceError, match="same view"):
        listing(tmp_path)


def test_twice_the_same_foreign_name_is_no_error(tmp_path):
    write_files(tmp_path, names(IDS) | {"a/99_a.png": b"", "b/99_a.png": b""})
    assert len(listing(tmp_path).foreign_files) == 2


def test_a_damaged_archive_is_named_and_its_other_members_stay(tmp_path):
    # The cut falls into the bytes of the sixth member: 1 kB each, header and data.
    write_tar(tmp_path / "a.tar", {f"{n}": os.urandom(512) for n in names(["17", "Z"])})
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: 5 * 1024 + 600])
    found = listing(tmp_path)
    assert status(found)["17"].eq("present").all()
    assert status(found)["Z"].tolist() == ["present", "unreadable", "missing", "missing"]
    assert found.images.loc[5, "reason"] == "cut_off"
    assert found.foreign_files["reason"].tolist() == ["damaged_archive"]
    assert "archives_intact" in failed(found)
    assert "files_accounted" not in failed(found)
    assert "a.tar" in check_of(listing_findings(found), "archives_intact").description


@pytest.fixture
def as_nobody(tmp_path_factory):
    """Root may read everything, so these tests give up their rights for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(tmp_path, tmp_path_factory):
    """A folder that others may enter, unlike pytest's, which lie one in another."""
    base = tmp_path_factory.getbasetemp()
    for folder in (tmp_path, *tmp_path.parents):
        if folder == base or base in folder.parents or folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    return tmp_path


def test_a_file_without_read_permission_is_unreadable(open_folder, request):
    write_files(open_folder, names(IDS))
    (open_folder / "17_b.png").chmod(0)
    request.getfixturevalue("as_nobody")
    assert status(listing(open_folder))["17"].tolist() == [
        "present",
        "unreadable",
        "present",
        "present",
    ]


def test_a_folder_without_read_permission_is_an_error_that_names_it(open_folder, request):
    write_files(open_folder, {"locked/17_a.png": b""})
    (open_folder / "locked").chmod(0)
    request.getfixturevalue("as_nobody")
    try:
        with pytest.raises(SourceError, match="locked"):
            listing(open_folder)
    finally:
        os.seteuid(os.getuid())
        (open_folder / "locked").chmod(0o755)


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path):
    write_files(tmp_path / "disk", names(IDS))
    root = tmp_path / "images"
    root.mkdir()
    (root / "other_disk").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(tmp_path / "disk")
    assert listing(root).images["status"].eq("present").all()


def test_a_link_to_nowhere_is_unreadable(tmp_path):
    (tmp_path / "17_a.png").symlink_to(tmp_path / "nowhere")
    assert status(listing(tmp_path))["17"].tolist() == ["unreadable"] + ["missing"] * 3


def test_a_link_to_itself_is_unreadable(tmp_path):
    (tmp_path / "17_a.png").symlink_to(tmp_path / "17_a.png")
    assert status(listing(tmp_path))["17"].tolist() == ["unreadable"] + ["missing"] * 3


def test_names_that_are_no_utf_8_are_listed_and_not_read(tmp_path):
    write_files(tmp_path / os.fsdecode(b"caf\xe9"), {"17_a.png": b"bytes"})
    found = listing(tmp_path)
    assert status(found)["17"].tolist() == ["unreadable"] + ["missing"] * 3
    assert found.images.loc[0, "path"] == r"caf\xe9/17_a.png"
    assert fingerprint(walk_files(tmp_path))
    found.write(tmp_path)


def test_files_that_were_walked_are_not_walked_again(tmp_path, monkeypatch):
    write_files(tmp_path, names(IDS))
    files = walk_files(tmp_path)
    expected = listing(tmp_path).images
    monkeypatch.setattr(module, "walk_files", lambda _: pytest.fail("walked"))
    pd.testing.assert_frame_equal(listing(tmp_path, files=files).images, expected)


def test_an_absent_folder_is_an_empty_one(tmp_path):
    found = listing(tmp_path / "nothing")
    assert found.images["status"].eq("missing").all()
    assert "accounting" not in failed(found)


def test_the_order_does_not_depend_on_the_folder_or_the_list(tmp_path):
    write_files(tmp_path, dict(reversed(names(IDS).items())))
    first = listing(tmp_path)
    second = listing(tmp_path, list(reversed(IDS)) + IDS)
    pd.testing.assert_frame_equal(first.images, second.images)


class TestUnchangedArchives:
    @pytest.fixture
    def opened(self, monkeypatch):
        opened = []
        real = module.list_members
        monkeypatch.setattr(module, "list_members", lambda p: opened.append(p.name) or real(p))
        return opened

    def test_they_are_not_read_again(self, tmp_path, opened):
        write_tar(tmp_path / "a.tar", names(["17"]))
        write_tar(tmp_path / "b.tar", names(["Z"]) | {"x": b""})
        first = listing(tmp_path)
        write_tar(tmp_path / "b.tar", names(["Z", "x_1"]))
        opened.clear()
        second = listing(tmp_path, known_archives=first.archive_members)
        assert opened == ["b.tar"]
        assert second.images["status"].eq("present").all()

    def test_they_survive_parquet(self, tmp_path, opened):
        write_tar(tmp_path / "images" / "a.tar", names(["17"]))
        (tmp_path / "images" / "other.txt").write_bytes(b"")
        first = listing(tmp_path / "images")
        first.write(tmp_path)
        opened.clear()
        known = pd.read_parquet(tmp_path / "archive_members.parquet")
        second = listing(tmp_path / "images", known_archives=known)
        assert opened == []
        pd.testing.assert_frame_equal(first.images, second.images)
        pd.testing.assert_frame_equal(first.foreign_files, second.foreign_files)

    def test_one_that_was_damaged_is_read_again(self, tmp_path, opened, monkeypatch):
        write_tar(tmp_path / "a.tar", names(["17"]))
        with monkeypatch.context() as fault:
            fault.setattr(module, "list_members", lambda _: Listing(damage="Input/output error"))
            first = listing(tmp_path)
        second = listing(tmp_path, known_archives=first.archive_members)
        assert opened == ["a.tar"]
        assert status(second)["17"].eq("present").all()

    def test_one_with_links_is_read_again(self, tmp_path, opened):
        """An earlier version did not read hard links, and its listing says so."""
        write_tar(tmp_path / "a.tar", names(["17"]))
        known = listing(tmp_path).archive_members
        known.loc[known["member"] == "17_c.png", "refused"] = "link"
        opened.clear()
        assert status(listing(tmp_path, known_archives=known))["17"].eq("present").all()
        assert opened == ["a.tar"]

    def test_newly_listed_ids_are_looked_up_in_them(self, tmp_path, opened):
        write_tar(tmp_path / "a.tar", names(["17", "Z"]))
        first = listing(tmp_path, ["17"])
        second = listing(tmp_path, ["17", "Z"], known_archives=first.archive_members)
        assert opened == ["a.tar"]
        assert second.images["status"].eq("present").all()

    def test_a_member_without_a_time_gets_the_archives(self, tmp_path):
        write_tar(tmp_path / "a.tar", names(["17"]), modified=0)
        time_ns = (tmp_path / "a.tar").stat().st_mtime_ns
        assert listing(tmp_path, ["17"]).images["modified_ns"].eq(time_ns).all()
