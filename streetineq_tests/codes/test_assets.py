"""From listing to shards through Dagster: what is recorded, skipped, blocked and accounted for."""

from contextlib import nullcontext

import dagster as dg
import h5py
import numpy as np
import pytest

from streetineq_assets.codes import assets as codes
from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.devices import Device
from streetineq_assets.images.catalogue import bucket_of
from streetineq_assets.resources import GpuResource
from streetineq_tests.codes.fakes import fake_encoder
from streetineq_tests.codes.study import (
    IDS,
    STUDY,
    Platform,
    checks,
    failed,
    failure,
    metadata,
)
from streetineq_tests.codes.test_preprocess import bomb
from streetineq_tests.images.pictures import HTML, picture, views_of, write_files, write_tar


@pytest.fixture
def platform(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, instance)


@pytest.fixture
def fake(monkeypatch):
    """The encoder without TensorFlow; a list of the batches that it encoded."""
    encoder = fake_encoder(batch_size=8)
    monkeypatch.setattr(codes, "load_encoder", lambda *_, **__: encoder)
    return encoder


def test_from_files_to_shards_with_a_real_network(platform):
    """Codes of another backbone, whose width follows from it, from end to end."""
    done = platform.run_all()
    for asset, result in done.items():
        assert not failed(result) - {"locations_matched"}, asset
    shards = platform.store.open("hdf5_shards", "alpha")
    files = [shards.file(name) for name in sorted(shards.manifest.files) if name.endswith(".h5")]
    with ShardReader(files, shards.table("rows.parquet")) as reader:
        assert len(files) == 2
        assert (reader.n_rows, reader.width) == (12, 96)
        assert sorted(reader.location_ids) == IDS
        features = reader.read()
        ids = reader.location_ids.tolist()
        assert reader.attributes["synthetic"]
    for number in range(2):
        file = platform.store.open("image_codes", f"alpha/00{number}").file("image_codes.h5")
        with Bucket(file) as bucket:
            for row, location_id in enumerate(bucket.contents.location_ids):
                mine = features[ids.index(location_id)]
                np.testing.assert_allclose(mine, bucket.read([row])[0], rtol=1e-3, atol=1e-3)


def test_what_the_ui_shows_of_codes(platform, fake, monkeypatch):
    device = Device("cpu", mixed_precision=True)
    monkeypatch.setattr(GpuResource, "lease", lambda *_: nullcontext(device))
    platform.run("street_images", "alpha")
    shown = metadata(platform.run_buckets(), "image_codes")
    assert sorted(shown) == ["alpha/000", "alpha/001"]
    one = shown["alpha/000"]
    assert one["listed"] == one["extracted"] + one["rejected"] + one["missing"]
    for name in ("read", "decode", "device", "write", "total"):
        assert one[f"{name}_seconds"] >= 0
    assert one["images_per_second"] > 0
    assert one["device_kind"] == "cpu"
    assert one["mixed_precision"] is False, "the encoder's, not that of training on this device"
    assert one["dagster/partition_row_count"] == one["extracted"]
    columns = {column.name for column in one["dagster/column_schema"].columns}
    assert columns == {"location_id", "image_sha256", "features"}
    assert "synthetic" in one


def test_the_data_version_is_the_contents(platform, fake):
    platform.run("street_images", "alpha")
    result = platform.run_buckets()
    for event in result.asset_materializations_for_node("image_codes"):
        manifest = platform.store.manifest("image_codes", event.partition)
        assert event.tags["dagster/data_version"] == manifest.digest


def test_unchanged_work_is_skipped_without_a_device(platform, fake, monkeypatch):
    platform.run_all()
    monkeypatch.setattr(codes, "load_encoder", lambda *_, **__: pytest.fail("loaded"))
    again = platform.run_all()
    for asset, result in again.items():
        assert all(shown["skipped"] for shown in metadata(result, asset).values()), asset


def test_a_skipped_bucket_leaves_the_work_of_another_run_alone(platform, fake):
    platform.run_all()
    part = platform.store.workspace("image_codes", "alpha/000") / "part-of-another-run.h5"
    part.write_bytes(b"finished rows")
    platform.run_buckets()
    assert part.exists()


def test_a_new_image_touches_one_bucket(platform, fake):
    platform.list_locations([*IDS, "new"])
    platform.run_all()
    fake.encode.calls.clear()
    write_files(platform.images, views_of(["new"], first_seed=900))
    platform.run("street_images", "alpha")
    shown = metadata(platform.run_buckets(), "image_codes")
    bucket = bucket_of("alpha", "new", 2)
    assert [key for key in shown if not shown[key]["skipped"]] == [bucket]
    assert shown[bucket]["encoded_now"] == 1
    assert len(fake.encode.calls) == 1


def test_a_disk_that_is_not_mounted_costs_no_codes(platform, fake):
    platform.run_all()
    platform.images.rename(platform.root / "away")
    result = platform.run("street_images", "alpha")
    assert not result.success
    assert "disk mounted" in failure(result)
    assert platform.run_buckets().success
    (platform.root / "away").rename(platform.images)
    again = platform.run_all()["image_codes"]
    assert all(shown["skipped"] for shown in metadata(again, "image_codes").values())
    # It goes after the listing, and one image had changed.
    write_files(platform.images, {"L00_a.png": picture(900)})
    platform.run("street_images", "alpha")
    platform.images.rename(platform.root / "away")
    assert "disk mounted" in failure(platform.run_buckets())
    (platform.root / "away").rename(platform.images)
    shown = metadata(platform.run_buckets(), "image_codes")
    assert [each["encoded_now"] for each in shown.values() if not each["skipped"]] == [1]


def test_shards_refuse_buckets_of_other_images(platform, fake):
    platform.run_all()
    before = platform.store.manifest("hdf5_shards", "alpha").digest
    (platform.images / "L03_b.png").write_bytes(picture(901))
    platform.run("street_images", "alpha")
    result = platform.run("hdf5_shards", "alpha")
    assert not result.success
    assert failed(result) == {"up_to_date"}
    assert bucket_of("alpha", "L03", 2) in failure(result)
    assert platform.store.open("hdf5_shards", "alpha").digest == before


class TestCrashMidway:
    """Two buckets in one run; the second fails."""

    def crash(self, platform, monkeypatch):
        real = codes.extract_bucket

        def extract(listed, **options):
            if (listed["bucket"] == "alpha/001").all():
                raise RuntimeError("device lost")
            return real(listed, **options)

        platform.run("street_images", "alpha")
        with monkeypatch.context() as patched:
            patched.setattr(codes, "extract_bucket", extract)
            return platform.run_buckets()

    def test_just_what_is_finished_is_recorded(self, platform, fake, monkeypatch):
        result = self.crash(platform, monkeypatch)
        assert not result.success
        key = dg.AssetKey("image_codes")
        assert platform.instance.get_materialized_partitions(key) == {"alpha/000"}
        assert platform.store.manifest("image_codes", "alpha/001") is None

    def test_the_next_run_does_the_rest(self, platform, fake, monkeypatch):
        self.crash(platform, monkeypatch)
        result = platform.run_buckets()
        assert result.success
        shown = metadata(result, "image_codes")
        assert [shown[key]["skipped"] for key in sorted(shown)] == [True, False]


def test_a_bucket_that_fails_a_check_is_named_and_the_others_are_published(platform, fake):
    platform.run("street_images", "alpha")
    real = fake.encode
    poisoned = bucket_of("alpha", "L05", 2)
    ids = [each for each in IDS if bucket_of("alpha", each, 2) == poisoned]

    class Poisoned:
        def __call__(self, pixels):
            found = real(pixels)
            marked = np.isclose(pixels[:, 0, 0, 0], self.mark).any()
            return found * np.nan if marked else found

    from streetineq_assets.codes.preprocess import preprocess

    Poisoned.mark = preprocess(platform.images / f"{ids[0]}_a.png")[0, 0, 0]
    object.__setattr__(fake, "encode", Poisoned())
    result = platform.run_buckets()
    assert not result.success
    assert failed(result) == {"finite"}
    assert poisoned in checks(result)["finite"].description
    assert platform.store.manifest("image_codes", poisoned) is None
    others = {"alpha/000", "alpha/001"} - {poisoned}
    materialized = platform.instance.get_materialized_partitions(dg.AssetKey("image_codes"))
    assert materialized == others


def test_retry_failed_redoes_only_buckets_with_rejections(platform, fake):
    (platform.images / "L03_b.png").write_bytes(HTML)
    platform.run("street_images", "alpha")
    platform.run_buckets()
    assert metadata(platform.run_buckets(), "image_codes")["alpha/000"]["skipped"]
    shown = metadata(platform.run_buckets(config={"retry_failed": True}), "image_codes")
    redone = [key for key in shown if not shown[key]["skipped"]]
    assert redone == [bucket_of("alpha", "L03", 2)]
    assert shown[redone[0]]["encoded_now"] == 0


class TestDamagedArtefacts:
    def test_an_edited_bucket_is_named_by_shards_and_made_again(self, platform, fake):
        platform.run_all()
        path = platform.store.open("image_codes", "alpha/001").file("image_codes.h5")
        with h5py.File(path, "a") as file:
            file["features"][0, 0, 0] += 1
        result = platform.run("hdf5_shards", "alpha")
        assert not result.success
        assert "image_codes[alpha/001] again" in failure(result)
        shown = metadata(platform.run_buckets(), "image_codes")
        assert [shown[key]["skipped"] for key in sorted(shown)] == [True, False]
        assert platform.run("hdf5_shards", "alpha").success

    def test_a_truncated_shard_is_made_again(self, platform, fake):
        platform.run_all()
        before = platform.store.open("hdf5_shards", "alpha")
        path = before.file("shard_001.h5")
        path.write_bytes(path.read_bytes()[:500])
        result = platform.run("hdf5_shards", "alpha")
        assert not metadata(result, "hdf5_shards")["alpha"]["skipped"]
        assert platform.store.open("hdf5_shards", "alpha").digest == before.digest


class TestMissingInput:
    def test_weights(self, platform):
        text = STUDY.replace('weights = "random"', 'weights = "inputs/weights/w.h5"')
        (platform.root / "study.toml").write_text(text, encoding="utf-8")
        platform.run("street_images", "alpha")
        result = platform.run_buckets()
        assert not result.success
        assert str(platform.store.inputs("weights", "w.h5")) in failure(result)
        assert "553 MB" in failure(result)

    def test_a_city_without_a_list_of_locations_is_unavailable(self, platform):
        result = platform.run("street_images", "beta")
        assert result.success
        shown = result.asset_materializations_for_node("street_images")[0].metadata
        assert shown["status"].value == "unavailable"
        assert shown["wanted"].value.endswith("locations/beta.csv")

    def test_a_listing_that_was_not_made(self, platform, fake):
        assert "materialise street_images[alpha] first" in failure(platform.run_buckets())


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
    listing = metadata(done["street_images"], "street_images")["alpha"]
    assert listing["listed"] == len(listed)
    assert listing["locations_missing"] == 1
    assert listing["locations_incomplete"] == 2
    assert listing["foreign_files"] == 2
    assert failed(done["street_images"]) == {"locations_complete", "archives_intact", "files_known"}
    assert failed(done["image_codes"]) == {"complete", "distinct_views"}
    packed = metadata(done["hdf5_shards"], "hdf5_shards")["alpha"]
    assert (packed["listed"], packed["extracted"]) == (len(listed), len(IDS) + 1)
    assert (packed["rejected"], packed["missing"]) == (7, 1)
    reasons = {row.data["reason"]: row.data["locations"] for row in packed["without_codes"].records}
    assert reasons == {
        "cut_off": 1,
        "empty_file": 1,
        "missing": 1,
        "missing_view": 1,
        "not_an_image": 1,
        "too_large": 1,
        "too_small": 1,
        "truncated": 1,
    }
