"""From listing to shards through Dagster: what is recorded, skipped, blocked and accounted for."""

import hashlib
import json
from contextlib import nullcontext

import numpy as np
import pyarrow.parquet as pq
import pytest

from streetineq_assets.codes import assets as codes
from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.repeated_images import REPEATED_FILE, ask_shared_images
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.codes.tables import SHARD_ROWS, BucketRecord, ShardsRecord
from streetineq_assets.devices import Device
from streetineq_assets.images.catalogue import bucket_of
from streetineq_assets.resources import GpuResource
from streetineq_assets.store import Artefact
from streetineq_tests.codes.encoded_study import BLURRED, BUCKETS, IDS, STUDY
from streetineq_tests.codes.fakes import IDENTITY
from streetineq_tests.harness import failed, failure, manifest_content, metadata_by_partition
from streetineq_tests.harness import metadata as metadata_of
from streetineq_tests.images.pictures import HTML, picture, views_of, write_files


def by_bucket(result):
    return metadata_by_partition(result, "image_codes")


def test_from_files_to_shards_with_a_real_network(platform):
    """Codes of another backbone, whose width follows from it, from end to end."""
    assert not failed(platform.run_buckets())
    assert failed(platform.run("hdf5_shards")) == BLURRED
    shards = platform.store.open("hdf5_shards", "alpha")
    files = [shards.file(name) for name in sorted(shards.manifest.files) if name.endswith(".h5")]
    with ShardReader(files, shards.table("rows.parquet")) as reader:
        assert len(files) == 2
        assert (reader.n_rows, reader.width) == (12, 96)
        assert sorted(reader.location_ids) == IDS
        features = reader.read()
        ids = reader.location_ids.tolist()
        assert reader.attributes["synthetic"]
        assert reader.encoder.backbone == "mobilenet_v2"
    for number in range(2):
        file = platform.store.open("image_codes", f"alpha/00{number}").file("image_codes.h5")
        with Bucket(file) as bucket:
            for row, location_id in enumerate(bucket.contents.location_ids):
                mine = features[ids.index(location_id)]
                np.testing.assert_allclose(mine, bucket.read([row])[0], rtol=1e-3, atol=1e-3)


def test_what_the_ui_shows_of_codes(platform, fake, monkeypatch):
    device = Device("cpu", mixed_precision=True)
    monkeypatch.setattr(GpuResource, "lease", lambda *_: nullcontext(device))
    shown = by_bucket(platform.run_buckets())
    assert sorted(shown) == list(BUCKETS)
    one = shown["alpha/000"]
    assert one["n_listed"] == one["n_extracted"] + one["n_rejected"] + one["n_missing"]
    for phase in ("reading", "decoding", "device", "writing", "total"):
        assert one[f"seconds_{phase}"] >= 0
    assert one["n_buckets"] == 2
    assert one["images_per_second"] > 0
    assert one["device_kind"] == "cpu"
    assert one["mixed_precision"] is False, "the encoder's, not that of training on this device"
    assert one["dagster/partition_row_count"] == one["n_extracted"]
    columns = {column.name for column in one["dagster/column_schema"].columns}
    assert columns == {"location_id", "image_sha256", "features"}
    assert "synthetic" in one


def test_the_data_version_is_the_contents(platform, fake):
    result = platform.run_buckets()
    for event in result.asset_materializations_for_node("image_codes"):
        manifest = platform.store.manifest("image_codes", event.partition)
        assert event.tags["dagster/data_version"] == manifest.digest


def test_what_the_ui_shows_of_shards(done):
    (done.store.folder("hdf5_shards", "alpha") / "manifest.json").unlink()
    shown = metadata_of(done.run("hdf5_shards"), "hdf5_shards")
    assert (shown["n_listed"], shown["n_extracted"], shown["n_shards"]) == (12, 12, 2)
    assert shown["dagster/partition_row_count"] == 12
    columns = {column.name for column in shown["dagster/column_schema"].columns}
    assert columns == {"location_id", "features"}
    assert shown["mixed_precision"] is False
    assert shown["codes_plot"].startswith("![")
    assert shown["quality_plot"].startswith("![")
    assert (shown["n_blurred"], shown["n_dark"], shown["n_without_quality"]) == (48, 0, 0)


def test_later_steps_read_records_and_tables_of_one_schema(packed):
    shards = packed.store.open("hdf5_shards", "alpha")
    record = shards.manifest.read_record(ShardsRecord)
    assert (record.n_listed, record.n_extracted, record.without_codes) == (12, 12, {})
    assert (record.encoder, record.dtype, record.synthetic) == (IDENTITY, "float32", True)
    stored = pq.read_schema(shards.file("rows.parquet"))
    assert stored.remove_metadata().equals(SHARD_ROWS.remove_metadata())
    for key in BUCKETS:
        record = packed.store.manifest("image_codes", key).read_record(BucketRecord)
        assert (record.n_buckets, record.n_rejected) == (2, 0)


def test_unchanged_work_is_skipped_without_a_device(packed, monkeypatch):
    monkeypatch.setattr(codes, "kept_encoder", lambda *_, **__: pytest.fail("loaded"))
    for asset, result in packed.run_all().items():
        assert all(shown["skipped"] for shown in metadata_by_partition(result, asset).values())


def test_the_buckets_of_a_run_read_their_city_s_listing_once(packed, monkeypatch):
    table, read = Artefact.table, []
    monkeypatch.setattr(
        Artefact, "table", lambda self, *a: read.append(self.manifest.label) or table(self, *a)
    )
    packed.run_buckets()
    assert read == ["street_images[alpha]"]


def test_a_study_of_manifest_version_1_is_skipped(done, monkeypatch):
    """Its values had other names, its checks too, and it had no records."""
    monkeypatch.setattr(codes, "kept_encoder", lambda *_, **__: pytest.fail("loaded"))
    old_names = {"n_buckets": "buckets", "n_rejected": "rejected", "n_extracted": "extracted"}
    old_checks = {"images_present": "images_there", "few_dead_units": "dead_units"}
    for asset, partition in [*(("image_codes", key) for key in BUCKETS), ("hdf5_shards", "alpha")]:
        path = done.store.folder(asset, partition) / "manifest.json"
        content = manifest_content(path)
        summary = content["summary"]
        values = summary.pop("values")
        summary["figures"] = {old_names.get(name, name): v for name, v in values.items()}
        for check in summary["checks"]:
            check["name"] = old_checks.get(check["name"], check["name"])
        del content["record"], content["unavailable"]
        path.write_text(json.dumps(content | {"schema_version": 1}))
    again = [done.run_buckets(config={"retry_failed": True}), done.run("hdf5_shards")]
    for result, asset in zip(again, ("image_codes", "hdf5_shards"), strict=True):
        assert failed(result) <= BLURRED
        assert all(shown["skipped"] for shown in metadata_by_partition(result, asset).values())


def test_a_skipped_bucket_leaves_the_work_of_another_run_alone(done):
    part = done.store.workspace("image_codes", "alpha/000") / "part-of-another-run.h5"
    part.write_bytes(b"finished rows")
    done.run_buckets()
    assert part.exists()


def test_a_new_image_touches_one_bucket(done, fake):
    done.list_locations([*IDS, "new"])
    write_files(done.images, views_of(["new"], first_seed=900))
    done.run("street_images")
    shown = by_bucket(done.run_buckets())
    bucket = bucket_of("alpha", "new", 2)
    assert [key for key in shown if not shown[key]["skipped"]] == [bucket]
    assert shown[bucket]["n_encoded_now"] == 1
    assert len(fake.encode.calls) == 1


def test_a_disk_that_is_not_mounted_costs_no_codes(done):
    away = done.root / "away"
    done.images.rename(away)
    assert "disk away" in failure(done.run("street_images", fails=True))
    assert all(shown["skipped"] for shown in by_bucket(done.run_buckets()).values())
    away.rename(done.images)
    # It goes after the listing, and one image had changed.
    write_files(done.images, {"L00_a.png": picture(900)})
    done.run("street_images")
    done.images.rename(away)
    assert "disk mounted" in failure(done.run_buckets(fails=True))
    away.rename(done.images)
    shown = by_bucket(done.run_buckets())
    assert [each["n_encoded_now"] for each in shown.values() if not each["skipped"]] == [1]


def test_shards_refuse_buckets_of_other_images(done):
    before = done.store.manifest("hdf5_shards", "alpha").digest
    (done.images / "L03_b.png").write_bytes(picture(901))
    done.run("street_images")
    result = done.run("hdf5_shards", fails=True)
    assert failed(result) == {"up_to_date"}
    assert bucket_of("alpha", "L03", 2) in failure(result)
    assert done.store.open("hdf5_shards", "alpha").digest == before


def test_shared_images_are_asked_again_when_locations_move_to_other_areas(done):
    """Areas are no part of the shards: nothing is packed again, and no old answer stands."""
    shards = done.store.open("hdf5_shards", "alpha")
    done.publish_directory(12)
    done.run("locations")
    result = done.run("hdf5_shards", fails=True)
    assert failed(result) == {"few_shared_images", *BLURRED}
    assert "L10_a in E01000010 = L11_c in E01000011" in failure(result)
    assert done.store.manifest("hdf5_shards", "alpha") == shards.manifest

    areas = done.store.open("locations", "alpha").table()
    check = ask_shared_images(done.store, shards, areas)
    forget_repeated_images(done.store)
    earlier_version = done.store.open("hdf5_shards", "alpha")
    assert ask_shared_images(done.store, earlier_version, areas) == check
    assert not check.passed


def test_other_limits_have_images_judged_again_and_none_encoded(done):
    before = done.store.manifest("image_codes", BUCKETS[0])
    assert "images" not in before.recipe.config, "as in versions that had no limits"
    toml = done.store.study_file.read_text()
    done.store.study_file.write_text(f"{toml}\n[images]\nleast_contrast = 0.5\n")
    shown = by_bucket(done.run_buckets()).values()
    assert [(each["skipped"], each["n_encoded_now"]) for each in shown] == [(False, 0)] * 2
    again = done.store.manifest("image_codes", BUCKETS[0])
    assert again.recipe.difference(before.recipe) == ["config.images"]
    assert again.digest == before.digest


def forget_repeated_images(store):
    """Make the shards those of a version that did not look for repeated pictures."""
    folder = store.folder("hdf5_shards", "alpha")
    manifest = manifest_content(folder / "manifest.json")
    del manifest["files"][REPEATED_FILE]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_naming_the_sha256_of_the_weights_ends_the_warning_and_encodes_nothing(platform, fake):
    weights = platform.store.inputs("weights", "w.h5")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    identity = IDENTITY.model_copy(update={"weights": "file", "weights_sha256": sha256})
    object.__setattr__(fake, "identity", identity)
    named = 'weights = "inputs/weights/w.h5"'
    platform.store.study_file.write_text(STUDY.replace('weights = "random"', named))
    assert "weights_known" in failed(platform.run_buckets())
    named += f'\nweights_sha256 = "{sha256}"'
    platform.store.study_file.write_text(STUDY.replace('weights = "random"', named))
    result = platform.run_buckets()
    assert "weights_known" not in failed(result)
    assert all(shown["skipped"] for shown in by_bucket(result).values())


def test_an_encoder_whose_licence_forbids_what_the_study_does_encodes_nothing(platform, fake):
    identity = IDENTITY.model_copy(update={"weights": "file", "licence": "CC-BY-NC-4.0"})
    object.__setattr__(fake, "identity", identity)
    study = platform.store.study_file
    study.write_text(f"{STUDY}\n[rights]\ncommercial = true\n")
    assert "encoder_allowed" in failed(platform.run_buckets(fails=True))
    assert fake.encode.calls == []
    study.write_text(STUDY)
    made = platform.run_buckets()
    assert "encoder_allowed" not in failed(made)
    encoded = list(fake.encode.calls)
    study.write_text(f"{STUDY}\n[rights]\ncommercial = true\n")
    assert "encoder_allowed" in failed(platform.run_buckets(fails=True))
    assert fake.encode.calls == encoded, "asked again of codes that are there"


def test_buckets_of_before_pictures_had_figures_are_skipped_and_read_again_on_demand(done, fake):
    """Codes and hashes are as they were; what is read once more is not encoded."""
    for key in BUCKETS:
        path = done.store.folder("image_codes", key) / "manifest.json"
        manifest = manifest_content(path)
        del manifest["record"]["n_without_quality"]
        path.write_text(json.dumps(manifest))
    assert all(shown["skipped"] for shown in by_bucket(done.run_buckets()).values())
    shown = by_bucket(done.run_buckets(config={"hash_pictures": True})).values()
    assert [(each["skipped"], each["n_without_quality"]) for each in shown] == [(False, 0)] * 2
    assert fake.encode.calls == []
    shown = by_bucket(done.run_buckets(config={"hash_pictures": True})).values()
    assert all(each["skipped"] for each in shown)


def test_retry_failed_redoes_only_buckets_with_rejections(done):
    (done.images / "L03_b.png").write_bytes(HTML)
    done.run("street_images")
    done.run_buckets()
    assert all(shown["skipped"] for shown in by_bucket(done.run_buckets()).values())
    shown = by_bucket(done.run_buckets(config={"retry_failed": True}))
    redone = [key for key in shown if not shown[key]["skipped"]]
    assert redone == [bucket_of("alpha", "L03", 2)]
    assert shown[redone[0]]["n_encoded_now"] == 0
