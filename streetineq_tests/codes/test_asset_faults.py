"""What fails, is damaged or missing on the way from listing to shards: named, and made up for."""

import shutil

import dagster as dg
import h5py
import numpy as np
import pytest
from filelock import FileLock

from streetineq_assets.codes import assets as codes
from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.images.catalogue import bucket_of
from streetineq_tests.codes.encoded_study import BUCKETS, IDS, STUDY
from streetineq_tests.codes.test_preprocess import bomb
from streetineq_tests.harness import checks, failed, failure, metadata_by_partition
from streetineq_tests.harness import metadata as metadata_of
from streetineq_tests.images.pictures import HTML, picture, views_of, write_files, write_tar


def by_bucket(result):
    return metadata_by_partition(result, "image_codes")


class TestCrashMidway:
    """Two buckets in one run; the second fails."""

    @pytest.fixture(autouse=True)
    def own_instance(self, platform):
        with dg.DagsterInstance.ephemeral() as platform.instance:
            yield

    def crash(self, platform, monkeypatch):
        real = codes.extract_bucket

        def extract(listed, **options):
            if (listed["bucket"] == "alpha/001").all():
                raise RuntimeError("device lost")
            return real(listed, **options)

        with monkeypatch.context() as patched:
            patched.setattr(codes, "extract_bucket", extract)
            return platform.run_buckets(fails=True)

    def test_just_what_is_finished_is_recorded(self, platform, fake, monkeypatch):
        result = self.crash(platform, monkeypatch)
        assert not result.success
        key = dg.AssetKey("image_codes")
        assert platform.instance.get_materialized_partitions(key) == {"alpha/000"}
        assert platform.store.manifest("image_codes", "alpha/001") is None

    def test_the_next_run_does_the_rest(self, platform, fake, monkeypatch):
        self.crash(platform, monkeypatch)
        shown = by_bucket(platform.run_buckets())
        assert [shown[key]["skipped"] for key in sorted(shown)] == [True, False]


def test_a_bucket_that_fails_a_check_is_named_and_the_others_are_published(platform, fake):
    real = fake.encode
    poisoned = bucket_of("alpha", "L05", 2)
    ids = [each for each in IDS if bucket_of("alpha", each, 2) == poisoned]

    class Poisoned:
        def __call__(self, pixels):
            found = real(pixels)
            marked = np.isclose(pixels[:, 0, 0, 0], self.mark).any()
            return found * np.nan if marked else found

    Poisoned.mark = preprocess(platform.images / f"{ids[0]}_a.png")[0, 0, 0]
    object.__setattr__(fake, "encode", Poisoned())
    result = platform.run_buckets(fails=True)
    assert failed(result) == {"finite"}
    assert poisoned in checks(result)["finite"].description
    assert platform.store.manifest("image_codes", poisoned) is None
    assert set(by_bucket(result)) == set(BUCKETS) - {poisoned}


def test_a_bucket_that_cannot_be_written_is_named_and_the_others_are_published(platform, fake):
    """One that another process works on, as the disk would refuse it."""
    work = platform.store.workspace("image_codes", BUCKETS[0])
    with FileLock(work / "lock"):
        result = platform.run_buckets(fails=True)
    assert failure(result).startswith(f"{BUCKETS[0]}: ")
    assert str(work) in failure(result)
    assert set(by_bucket(result)) == {BUCKETS[1]}
    assert platform.run_buckets().success


class TestDamagedArtefacts:
    def test_an_edited_bucket_is_named_by_shards_and_made_again(self, done):
        path = done.store.open("image_codes", "alpha/001").file("image_codes.h5")
        with h5py.File(path, "a") as file:
            file["features"][0, 0, 0] += 1
        result = done.run("hdf5_shards", fails=True)
        assert "image_codes[alpha/001] again" in failure(result)
        shown = by_bucket(done.run_buckets())
        assert [shown[key]["skipped"] for key in sorted(shown)] == [True, False]
        assert done.run("hdf5_shards").success

    def test_a_truncated_shard_is_made_again(self, done):
        before = done.store.open("hdf5_shards", "alpha")
        path = before.file("shard_001.h5")
        path.write_bytes(path.read_bytes()[:500])
        assert not metadata_of(done.run("hdf5_shards"), "hdf5_shards")["skipped"]
        assert done.store.open("hdf5_shards", "alpha").digest == before.digest


class TestMissingInput:
    def test_weights(self, platform):
        text = STUDY.replace('weights = "random"', 'weights = "inputs/weights/w.h5"')
        platform.store.study_file.write_text(text, encoding="utf-8")
        message = failure(platform.run_buckets(fails=True))
        assert str(platform.store.inputs("weights", "w.h5")) in message
        assert "553 MB" in message

    def test_a_city_without_a_list_of_locations_is_unavailable_down_to_its_shards(self, platform):
        for asset in ("street_images", "locations"):
            platform.run(asset, "beta")
        platform.run("image_codes", None, keys=("beta/000", "beta/000"))
        shown = metadata_of(platform.run("hdf5_shards", "beta"), "hdf5_shards")
        assert shown["status"] == "unavailable"
        assert shown["wanted"].endswith("locations/beta.csv")
        record = platform.store.manifest("hdf5_shards", "beta").read_record(ShardsRecord)
        assert (record.n_listed, record.n_extracted, record.size_bytes) == (0, 0, 0)
        assert record.encoder.width == 0

    def test_a_listing_that_was_not_made(self, platform):
        shutil.rmtree(platform.store.folder("street_images"))
        message = failure(platform.run_buckets(fails=True))
        assert "materialise street_images[alpha] first" in message


def test_accounting_holds_on_a_study_with_every_fault(platform, fake):
    """Listed = extracted + rejected + missing at every step, by reason."""
    bad = {
        "empty": b"",
        "html": HTML,
        "cut_jpeg": picture(903, kind="JPEG")[:500],
        "huge": bomb(30_000, 30_000),
        "thin": picture(904, size=(300, 1)),
        "twin": views_of(["twin"])["twin_b.png"],
    }
    files = views_of([*bad, "no_view"], first_seed=950)
    files |= {f"{name}_a.png": data for name, data in bad.items()}
    files["twin_b.png"] = files["twin_a.png"]
    del files["no_view_d.png"]
    files |= {"readme.txt": b"", "stranger_a.png": b""}
    write_files(platform.images / "more", files)
    write_tar(platform.images / "cut.tar", views_of(["archived"], first_seed=990))
    data = (platform.images / "cut.tar").read_bytes()
    (platform.images / "cut.tar").write_bytes(data[: len(data) // 3])
    listed = [*IDS, *bad, "no_view", "nothing", "archived"]
    platform.list_locations(listed)
    done = platform.run_all()
    for asset in ("street_images", "image_codes", "hdf5_shards"):
        assert checks(done[asset])["accounting"].passed, asset
    listing = metadata_of(done["street_images"], "street_images")
    assert listing["n_listed"] == len(listed)
    assert listing["n_locations_missing"] == 1
    assert listing["n_locations_incomplete"] == 2
    assert listing["n_foreign_files"] == 2
    assert failed(done["street_images"]) == {"locations_complete", "archives_intact", "files_known"}
    assert failed(done["image_codes"]) == {"complete", "distinct_views"}
    record = platform.store.manifest("hdf5_shards", "alpha").read_record(ShardsRecord)
    assert (record.n_listed, record.n_extracted) == (len(listed), len(IDS) + 1)
    assert (record.n_rejected, record.n_missing) == (7, 1)
    assert record.without_codes == {
        "cut_off": 1,
        "empty_file": 1,
        "missing": 1,
        "missing_view": 1,
        "not_an_image": 1,
        "too_large": 1,
        "too_small": 1,
        "truncated": 1,
    }
