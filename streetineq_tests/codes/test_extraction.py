"""A bucket's extraction: nothing is lost, nothing is done twice, everything is accounted for."""

import hashlib
import tracemalloc
from dataclasses import replace

import h5py
import numpy as np
import pytest

from streetineq_assets.codes.accounting import reasons_by_location
from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.codes.image_loading import complete_locations
from streetineq_assets.codes.perceptual_hash import UNKNOWN, perceptual_hash
from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.image_settings import Views
from streetineq_tests.codes.fakes import LOCATIONS as IDS
from streetineq_tests.codes.fakes import WIDTH, codes_of, contents, fake_encoder, listing
from streetineq_tests.codes.test_preprocess import bomb
from streetineq_tests.harness import check_of, failed_checks
from streetineq_tests.images.pictures import (
    HTML,
    picture,
    views_of,
    write_files,
    write_tar,
)


def test_every_row_is_its_locations_own(extract):
    """Codes of each row, from the bytes whose sha256 stands beside them, by hand."""
    findings = extract()
    found, features = contents(extract.folder / "codes.h5")
    assert found.location_ids == IDS
    assert features.shape == (20, 4, WIDTH)
    assert features.dtype == np.float32
    for row, location_id in enumerate(IDS):
        images = list(views_of(IDS).values())[4 * row : 4 * row + 4]
        expected = codes_of(np.stack([preprocess(image) for image in images]))
        np.testing.assert_array_equal(features[row], expected, err_msg=location_id)
    assert not failed_checks(findings)
    assert findings.values["n_extracted"] == findings.values["n_listed"] == 20


def test_hashes_are_those_of_the_files(extract, root):
    extract()
    found, _ = contents(extract.folder / "codes.h5")
    for name in ("L00_a.png", "L04_d.png"):
        digest = hashlib.sha256((root / "deep" / name).read_bytes()).hexdigest()
        row, view = IDS.index(name[:3]), "abcd".index(name[4])
        assert found.image_sha256[row, view] == digest


def test_the_file_can_be_read_by_any_hdf5_reader(extract):
    extract(attributes={"synthetic": True, "versions": "{}"})
    with h5py.File(extract.folder / "codes.h5") as file:
        assert file["features"].shape == (20, 4, WIDTH)
        assert file["location_id"].asstr()[3] == "L03"
        assert file["image_sha256"].shape == (20, 4)
        assert file.attrs["backbone"] == "fake"
        assert file.attrs["width"] == WIDTH
        assert file.attrs["synthetic"]
        assert len(file["rejected_location_id"]) == 0


BAD = {
    "empty": b"",
    "html": HTML,
    "truncated": picture(900, kind="JPEG")[:600],
    "huge": bomb(30_000, 30_000),
    "thin": picture(901, size=(300, 1)),
}


class TestRejections:
    """Every kind of bad image, one location each, and a good one beside them."""

    @pytest.fixture
    def faulty(self, root):
        files = views_of([*BAD, "good", "wrong_extension", "no_view", "nothing"])
        for location_id, data in BAD.items():
            files[f"{location_id}_b.png"] = data
        files["wrong_extension_a.png"] = picture(902, kind="JPEG")
        del files["no_view_c.png"]
        files = {name: data for name, data in files.items() if not name.startswith("nothing")}
        write_files(root, files)
        write_tar(root / "cut.tar", views_of(["cut"]))
        data = (root / "cut.tar").read_bytes()
        (root / "cut.tar").write_bytes(data[: len(data) // 3])
        return [*BAD, "good", "wrong_extension", "no_view", "nothing", "cut"]

    def test_accounting_by_reason(self, extract, faulty):
        findings = extract(faulty)
        assert findings.tables["without_codes"] == [
            {"reason": "cut_off", "n_locations": 1},
            {"reason": "empty_file", "n_locations": 1},
            {"reason": "missing", "n_locations": 1},
            {"reason": "missing_view", "n_locations": 1},
            {"reason": "not_an_image", "n_locations": 1},
            {"reason": "too_large", "n_locations": 1},
            {"reason": "too_small", "n_locations": 1},
            {"reason": "truncated", "n_locations": 1},
        ]
        values = findings.values
        assert (values["n_listed"], values["n_extracted"]) == (10, 2)
        assert (values["n_rejected"], values["n_missing"]) == (7, 1)
        assert findings.record.n_rejected == 7
        assert failed_checks(findings) == {"complete"}

    def test_rejected_views_are_named_in_the_file(self, extract, faulty):
        extract(faulty)
        found, _ = contents(extract.folder / "codes.h5")
        assert found.location_ids == ["good", "wrong_extension"]
        rejected = {tuple(entry) for entry in found.rejections}
        assert ("html", "b", "not_an_image") in rejected
        assert ("no_view", "c", "missing_view") in rejected
        assert {("nothing", view, "missing") for view in "abcd"} <= rejected

    def test_a_mended_image_is_encoded_and_the_others_are_not(self, extract, faulty, root):
        extract(faulty)
        (root / "html_b.png").write_bytes(picture(7))
        encoder = fake_encoder()
        findings = extract(faulty, encoder, name="again.h5", previous=[extract.folder / "codes.h5"])
        assert findings.values["n_encoded_now"] == 1
        assert findings.values["n_extracted"] == 3

    def test_files_that_vanish_after_listing(self, extract, root):
        images = listing(root, IDS)
        (root / "deep" / "L00_a.png").unlink()
        (root / "1.tar").unlink()
        findings = extract_bucket(
            images,
            locate=root.joinpath,
            encoder=fake_encoder(),
            target=extract.folder / "codes.h5",
            work=extract.work,
            n_buckets=1,
        )
        assert findings.tables["without_codes"] == [
            {"reason": "gone", "n_locations": 6},
        ]

    def test_identical_views_are_a_warning(self, extract, root):
        (root / "deep" / "L00_a.png").write_bytes((root / "deep" / "L00_b.png").read_bytes())
        findings = extract()
        assert failed_checks(findings) == {"distinct_views"}
        assert findings.values["n_identical_views"] == 1
        assert "such as L00," in check_of(findings, "distinct_views").description


def test_identical_views_in_other_bytes_are_a_warning_too(extract, root):
    (root / "deep" / "L00_a.png").write_bytes((root / "deep" / "L00_b.png").read_bytes() + b"more")
    assert extract().values["n_identical_views"] == 1


def test_an_empty_bucket_is_an_empty_file(extract):
    findings = extract([])
    found, features = contents(extract.folder / "codes.h5")
    assert found.location_ids == []
    assert features.shape == (0, 4, WIDTH)
    assert not failed_checks(findings)


def test_codes_that_are_not_finite_block(extract):
    encoder = fake_encoder()
    broken = replace(encoder, encode=lambda pixels: codes_of(pixels) * np.inf)
    assert "finite" in failed_checks(extract(encoder=broken))
    again = extract()
    assert again.values["n_encoded_now"] == 20, "they are not reused"
    assert not failed_checks(again)


class TestReuse:
    def test_unchanged_images_are_not_encoded_again(self, extract):
        first = extract()
        encoder = fake_encoder()
        second = extract(encoder=encoder, name="b.h5", previous=[extract.folder / "codes.h5"])
        assert encoder.encode.calls == []
        assert second.values["n_reused"] == 20
        assert second.digest == first.digest

    def test_only_what_is_new_or_changed_is_encoded_and_the_removed_is_dropped(self, extract, root):
        extract(IDS[:10])
        (root / "deep" / "L03_c.png").write_bytes(picture(77))
        encoder = fake_encoder()
        findings = extract(IDS[2:12], encoder, name="b.h5", previous=[extract.folder / "codes.h5"])
        assert findings.values["n_encoded_now"] == 3
        assert findings.values["n_reused"] == 7
        found, _ = contents(extract.folder / "b.h5")
        assert found.location_ids == IDS[2:12]
        for part in extract.work.glob("part-*"):
            part.unlink()
        fresh = extract(IDS[2:12], name="c.h5")
        assert fresh.values["n_encoded_now"] == 10
        assert findings.digest == fresh.digest

    @pytest.mark.parametrize(
        "change",
        [
            {"weights_sha256": "1" * 64},
            {"preprocessing": "suel2019"},
            {"layer": "fc7"},
            {"mixed_precision": True},
        ],
    )
    def test_another_encoder_reuses_nothing(self, extract, change):
        extract()
        encoder = fake_encoder(**change)
        findings = extract(encoder=encoder, name="b.h5", previous=[extract.folder / "codes.h5"])
        assert findings.values["n_encoded_now"] == 20

    def test_another_name_of_the_same_weights_is_the_same_encoder(self, extract):
        extract()
        encoder = fake_encoder(weights="file")
        findings = extract(encoder=encoder, name="b.h5", previous=[extract.folder / "codes.h5"])
        assert findings.values["n_reused"] == 20

    def test_a_file_that_only_moved_is_not_encoded_again(self, extract, root):
        extract(IDS[:5])
        (root / "deep").rename(root / "elsewhere")
        findings = extract(IDS[:5], name="b.h5", previous=[extract.folder / "codes.h5"])
        assert findings.values["n_reused"] == 5


def test_a_location_counts_once_with_its_first_reason(root):
    (root / "deep" / "L00_b.png").unlink()
    (root / "deep" / "L00_d.png").unlink()
    locations, rejections, _ = complete_locations(listing(root, [*IDS, "new"]), Views(), 4)
    assert len(locations) == 19
    assert reasons_by_location(rejections) == {"L00": "missing_view", "new": "missing"}


def test_memory_does_not_grow_with_the_bucket(extract, root):
    """144 MB of decoded pixels pass through; what waits is bounded by two batches."""
    ids = [f"M{number:03d}" for number in range(60)]
    write_files(root, views_of(ids))
    tracemalloc.start()
    extract(ids, fake_encoder(batch_size=4), pace=Pace(workers=2))
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert peak_mb < 60


class TestPerceptualHashes:
    """They stand beside the codes, and codes of earlier files go on without them."""

    def without(self, path):
        """Make it a file of a version that hashed no pictures."""
        with h5py.File(path, "a") as file:
            del file["image_phash"], file.attrs["phash_sha256"]

    def test_each_row_has_those_of_its_own_images(self, extract):
        extract()
        found, _ = contents(extract.folder / "codes.h5")
        images = list(views_of(IDS).values())[12:16]
        expected = [perceptual_hash(preprocess(image)) for image in images]
        assert found.image_phash[3].tolist() == expected

    def test_rows_of_earlier_files_are_hashed_without_being_encoded(self, extract):
        extract()
        first, codes = contents(extract.folder / "codes.h5")
        (extract.folder / "codes.h5").rename(extract.folder / "old.h5")
        self.without(extract.folder / "old.h5")
        clear(extract.work)
        encoder = fake_encoder()
        findings = extract(encoder=encoder, previous=[extract.folder / "old.h5"])
        again, same = contents(extract.folder / "codes.h5")
        assert encoder.encode.calls == []
        assert findings.record.n_without_phash == 0
        np.testing.assert_array_equal(again.image_phash, first.image_phash)
        np.testing.assert_array_equal(same, codes)

    def test_they_change_nothing_that_codes_are_known_by(self, extract):
        extract()
        with Bucket(extract.folder / "codes.h5") as bucket:
            digest = bucket.digest
        self.without(extract.folder / "codes.h5")
        with Bucket(extract.folder / "codes.h5") as bucket:
            assert bucket.is_intact()
            assert bucket.digest == digest
            assert bucket.contents.image_phash is None
            assert (bucket.contents.hashes_of_pictures == UNKNOWN).all()

    def test_those_of_a_killed_run_are_kept_in_its_parts(self, extract):
        """The work of the parts is not done again, and no hash is missing."""
        extract()
        first, _ = contents(extract.folder / "codes.h5")
        (extract.folder / "codes.h5").unlink()
        encoder = fake_encoder()
        extract(encoder=encoder)
        again, _ = contents(extract.folder / "codes.h5")
        assert encoder.encode.calls == []
        np.testing.assert_array_equal(again.image_phash, first.image_phash)

    def test_a_part_with_a_flipped_hash_is_damaged(self, extract):
        extract()
        with h5py.File(extract.folder / "codes.h5", "a") as file:
            file["image_phash"][0, 0] ^= np.uint64(1)
        with Bucket(extract.folder / "codes.h5") as bucket:
            assert not bucket.is_intact()


def clear(folder):
    for part in folder.glob("part-*.h5"):
        part.unlink()
