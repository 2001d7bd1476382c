"""What changed among a city's images: a bucket, a file, the list of locations."""

import os

import pandas as pd

from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import bucket_of, list_images, walk_files
from streetineq_assets.images.changes import (
    changed_listing,
    fingerprint,
    listing_inputs,
    slice_digest,
    slice_digests,
)
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_tests.images.captured import capture, place
from streetineq_tests.images.captured import listing as list_captured
from streetineq_tests.images.pictures import write_files, write_tar
from streetineq_tests.images.test_catalogue import IDS, listing, names

KEYS = [f"leeds/{number:03d}" for number in range(4)]


def test_a_new_image_changes_one_bucket(tmp_path):
    files = names(IDS)
    del files["17_c.png"]
    write_files(tmp_path, files)
    before = slice_digests(listing(tmp_path).images, KEYS)
    (tmp_path / "17_c.png").write_bytes(b"new")
    after = slice_digests(listing(tmp_path).images, KEYS)
    assert [key for key in KEYS if before[key] != after[key]] == [bucket_of("leeds", "17", 4)]
    assert len(before) == 4


def test_slices_have_the_digests_of_earlier_versions(tmp_path):
    """Else every bucket of an existing study would be encoded again."""
    files = names(["17", "x_1"])
    del files["17_c.png"]
    write_files(tmp_path / "images", files)
    write_tar(tmp_path / "images" / "a.tar", names(["Z"]) | {"../Q_a.png": b"", "readme": b""})
    for path in (tmp_path / "images").iterdir():
        os.utime(path, ns=(1_500_000_000_000_000_001,) * 2)
    ids = ["17", "x_1", "Z", "nothing"]
    found = list_images(tmp_path / "images", ids, city="leeds", buckets=1)
    found.write(tmp_path)
    written = pd.read_parquet(tmp_path / "street_images.parquet")
    earlier = written[written.columns[:10]]  # without captures
    assert "bucket" in earlier
    for images in (found.images, written, earlier):
        assert slice_digest(images) == (
            "f22d846079e3534255db7dce818250b1c1f22d215a533dcdb3074a138d5a8347"
        )
    assert slice_digest(written.iloc[:0]) == (
        "8140c5bca8e0cfff6b127a3a400e6fd9ebb11373cbf6e1f1b343c7c91dcba088"
    )


def test_an_image_added_to_an_archive_changes_one_bucket(tmp_path):
    files = names(IDS)
    last = files.pop("Z_d.png")
    write_tar(tmp_path / "a.tar", files)
    before = slice_digests(listing(tmp_path).images, KEYS)
    write_tar(tmp_path / "a.tar", {"Z_d.png": last} | files)
    after = slice_digests(listing(tmp_path).images, KEYS)
    assert [key for key in KEYS if before[key] != after[key]] == [bucket_of("leeds", "Z", 4)]


def test_the_fingerprint_sees_new_changed_and_removed_files(tmp_path):
    write_files(tmp_path, names(IDS))
    prints = [fingerprint(walk_files(tmp_path))]
    (tmp_path / "17_a.png").write_bytes(b"other")
    os.utime(tmp_path / "17_a.png", ns=(1, 1))
    prints.append(fingerprint(walk_files(tmp_path)))
    (tmp_path / "more.zip").write_bytes(b"")
    prints.append(fingerprint(walk_files(tmp_path)))
    (tmp_path / "Z_a.png").unlink()
    prints.append(fingerprint(walk_files(tmp_path)))
    assert len(set(prints)) == 4
    assert fingerprint(walk_files(tmp_path)) == prints[-1]


def test_a_city_is_listed_again_only_when_its_files_changed(tmp_path):
    store = DataStore(tmp_path)
    write_files(store.inputs("images", "leeds"), names(IDS))
    write_files(store.inputs("locations"), {"leeds.csv": b"location_id,postcode\n17,LS1 1AA\n"})
    first = changed_listing(store, "leeds")
    assert first
    files = walk_files(store.inputs("images", "leeds"))
    recipe = Recipe(code_version="1", inputs=listing_inputs(store, "leeds", files))

    def write(folder):
        (folder / "street_images.parquet").write_bytes(b"as listed")
        return Findings()

    store.publish("street_images", "leeds", recipe, write)
    assert changed_listing(store, "leeds") is None
    (store.inputs("images", "leeds") / "17_e.png").write_bytes(b"")
    assert changed_listing(store, "leeds") not in (None, first)


def test_a_city_without_a_list_of_locations_differs_from_one_with_an_empty_one(tmp_path):
    store = DataStore(tmp_path)
    assert listing_inputs(store, "leeds", [])["locations"] == "missing"
    first = changed_listing(store, "leeds")
    store.inputs("locations").mkdir(parents=True)
    store.inputs("locations", "leeds.csv").write_text("location_id,postcode\n")
    assert changed_listing(store, "leeds") not in (None, first)


def test_a_list_of_captures_is_news_and_its_absence_is_none(tmp_path):
    store = DataStore(tmp_path)
    write_files(store.inputs("locations"), {"leeds.csv": b"location_id,postcode\n17,LS1 1AA\n"})
    assert set(listing_inputs(store, "leeds", [])) == {"street_image_files", "locations"}
    states = [changed_listing(store, "leeds")]
    for text in (b"capture_id\n", b"capture_id,compass_deg\n"):
        write_files(store.inputs("captures"), {"leeds.csv": text})
        states.append(changed_listing(store, "leeds"))
    assert len(set(states)) == 3
    store.inputs("captures", "leeds.csv").unlink()
    assert changed_listing(store, "leeds") == states[0]


def test_how_a_view_is_cut_is_part_of_its_slice(tmp_path):
    """And an image by name has the same slice beside views that are cut as beside others."""
    captures = [capture("p", 12, panorama=True)]
    write_files(tmp_path, {"p.jpg": b"", "M_a.png": b""})
    digests = []
    for compass in (12, 13):
        captures[0]["compass_deg"] = compass
        images = list_captured(tmp_path, [place("L"), place("M", 500)], captures).catalogue.images
        digests.append([slice_digest(images[images["location_id"] == each]) for each in "LM"])
    (cut, by_name), (cut_otherwise, by_name_again) = digests
    assert cut != cut_otherwise
    assert by_name == by_name_again
