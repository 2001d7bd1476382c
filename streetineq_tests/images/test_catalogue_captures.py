"""Files of captures, which are called by the capture and not by a location and view."""

import unicodedata

import pandas as pd
import pytest

from streetineq_assets.errors import SourceError
from streetineq_assets.images.checks import listing_findings
from streetineq_assets.images.tables import NAMED_CAPTURES
from streetineq_tests.harness import check_of
from streetineq_tests.images.pictures import write_files, write_tar, write_zip
from streetineq_tests.images.test_catalogue import IDS, failed, listing, names


def test_captures_lie_in_folders_and_archives_of_any_depth(tmp_path):
    write_files(tmp_path, {"p/anoramas/8842.JPG": b"loose", "8843.webp": b"more", "8844.txt": b""})
    write_tar(tmp_path / "walk.tgz", {"day 1/-pano_A.jpeg": b"in it"})
    found = listing(tmp_path, capture_ids=["8842", "8843", "8844", "-pano_A", "absent"]).captures
    assert found.columns.tolist() == NAMED_CAPTURES.names
    rows = found[["capture_id", "path", "member", "size_bytes"]].astype(object)
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [
        ["-pano_A", "walk.tgz", "day 1/-pano_A.jpeg", 5],
        ["8842", "p/anoramas/8842.JPG", None, 5],
        ["8843", "8843.webp", None, 4],
    ]


def test_without_captures_there_are_none_and_their_table_has_its_columns(tmp_path):
    write_files(tmp_path, names(IDS))
    found = listing(tmp_path).captures
    assert found.empty
    assert found.columns.tolist() == NAMED_CAPTURES.names


def test_views_captures_and_others_are_all_files(tmp_path):
    write_files(tmp_path, names(IDS) | {"8842.jpg": b"12", "x.txt": b"", ".trash/8842.jpg": b""})
    found = listing(tmp_path, capture_ids=["8842"])
    assert "8842.jpg" not in set(found.foreign_files["path"])
    findings = listing_findings(found)
    counted = check_of(findings, "files_accounted")
    assert "15 files = 12 views of listed locations + 1 captures + 2 others" in counted.description
    assert counted.passed
    assert (findings.values["n_captures"], findings.values["n_foreign_files"]) == (1, 2)
    assert findings.values["image_bytes"] == 12 * 5 + 2


def test_views_that_share_a_captures_file_are_one_file(tmp_path):
    """As the listing looks when a panorama has become the four views of a location."""
    write_files(tmp_path, {"8842.jpg": b"pano"})
    found = listing(tmp_path, ["17"], capture_ids=["8842"])
    file = found.captures.iloc[0]
    made = {"path": file["path"], "size_bytes": 4, "status": "present", "capture_id": "8842"}
    found.images[[*made]] = pd.DataFrame([made] * 4)
    assert "files_accounted" not in failed(found)
    assert listing_findings(found).values["image_bytes"] == 4


def test_what_is_a_view_and_a_capture_by_its_name_is_a_view(tmp_path):
    write_files(tmp_path, names(["17"]))
    found = listing(tmp_path, capture_ids=["17_a", "17_b"])
    assert found.captures.empty
    assert found.images["status"].eq("present").sum() == 4


def test_a_capture_may_be_called_as_a_view_of_what_is_not_listed(tmp_path):
    write_files(tmp_path, names(["17"]) | {"99_a.jpg": b""})
    found = listing(tmp_path, ["17"], capture_ids=["99_a"])
    assert found.captures["capture_id"].tolist() == ["99_a"]
    assert failed(found) == set()


def test_captures_are_found_in_both_forms_of_their_letters(tmp_path):
    write_files(tmp_path, {unicodedata.normalize("NFD", "Café.jpg"): b""})
    assert listing(tmp_path, capture_ids=["Café"]).captures["capture_id"].tolist() == ["Café"]


def test_two_files_of_one_capture_are_an_error_that_names_both(tmp_path):
    write_files(tmp_path, {"a/8842.png": b"1"})
    write_zip(tmp_path / "b.zip", {"8842.jpg": b"2"})
    with pytest.raises(SourceError, match=r"a/8842\.png and .*b\.zip \(member 8842\.jpg\)"):
        listing(tmp_path, capture_ids=["8842"])


def test_images_of_which_none_is_a_view_are_no_error_where_some_are_captures(tmp_path):
    write_files(tmp_path, {"8842.jpg": b"", "z_a.png": b""})
    found = listing(tmp_path, capture_ids=["8842"])
    assert found.images["status"].eq("missing").all()
    with pytest.raises(SourceError, match="none of the 2 images"):
        listing(tmp_path, capture_ids=["8843"])


def test_captures_alone_need_no_listed_location(tmp_path):
    write_files(tmp_path, {"8842.jpg": b""})
    assert len(listing(tmp_path, [], capture_ids=["8842"]).captures) == 1


def test_a_capture_that_cannot_be_read_says_so(tmp_path):
    (tmp_path / "8842.jpg").symlink_to(tmp_path / "nowhere")
    assert listing(tmp_path, capture_ids=["8842"]).captures["problem"].tolist() == ["unreadable"]
