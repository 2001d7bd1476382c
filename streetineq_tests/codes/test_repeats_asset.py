"""`image_repeats` through Dagster, and studies of versions that hashed no pictures."""

import io
import shutil

import dagster as dg
import h5py
import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes import assets as codes
from streetineq_assets.codes.tables import IMAGE_REPEATS, BucketRecord
from streetineq_assets.findings import Findings
from streetineq_tests.codes.encoded_study import BUCKETS, Platform
from streetineq_tests.codes.fakes import fake_encoder
from streetineq_tests.harness import (
    assert_schema,
    checks,
    failed,
    failure,
    metadata,
    metadata_by_partition,
)

ASSET = "image_repeats"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Twelve locations, of which ten have an area each, all at one position."""
    with dg.DagsterInstance.ephemeral() as instance:
        platform = Platform(tmp_path_factory.mktemp("packed"), instance)
        platform.write()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(codes, "kept_encoder", lambda *_, **__: fake_encoder())
            platform.run_all()
        yield platform


@pytest.fixture
def done(tmp_path, packed, monkeypatch):
    encoder = fake_encoder()
    monkeypatch.setattr(codes, "kept_encoder", lambda *_, **__: encoder)
    shutil.copytree(packed.root, tmp_path / "study")
    platform = Platform(tmp_path / "study", packed.instance)
    platform.encoded = encoder.encode.calls
    return platform


def brighter(data):
    """A copy in other bytes, of other codes, that looks the same."""
    pixels = np.asarray(Image.open(io.BytesIO(data))).clip(0, 254) + 1
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def set_repeats(platform, settings):
    file = platform.store.study_file
    file.write_text(file.read_text() + f"\n[repeats]\n{settings}\n")


def as_of_an_earlier_version(store):
    """Publish the buckets again as they were before pictures were hashed."""
    for key in BUCKETS:
        artefact = store.open("image_codes", key)
        before = artefact.manifest

        def write(folder, artefact=artefact, before=before):
            path = folder / "image_codes.h5"
            shutil.copy(artefact.file("image_codes.h5"), path)
            with h5py.File(path, "a") as file:
                del file["image_phash"], file.attrs["phash_sha256"]
                digest = str(file.attrs["content_sha256"])
            found = Findings.from_summary(before.summary)
            found.record = before.read_record(BucketRecord).model_copy(
                update={"n_without_phash": None}
            )
            found.holdings, found.digest = before.holdings, digest
            return found

        store.publish("image_codes", key, before.recipe, write)


def test_places_are_compared_and_shown(done):
    result = done.run(ASSET)
    shown = metadata(result, ASSET)
    assert (shown["n_locations"], shown["n_exact_pairs"], shown["n_perceptual_pairs"]) == (10, 0, 0)
    assert shown["n_near_pairs"] == 45
    assert failed(result) == {"few_near_locations"}
    assert_schema(done.store.open(ASSET, "alpha").file(f"{ASSET}.parquet"), IMAGE_REPEATS)
    assert metadata(done.run(ASSET), ASSET)["skipped"]


def test_copies_from_another_area_block_and_are_named_until_the_study_takes_them(done):
    for view in "abcd":
        copy = brighter((done.images / f"L02_{view}.png").read_bytes())
        (done.images / f"L05_{view}.png").write_bytes(copy)
    for asset in ("street_images", "locations"):
        done.run(asset)
    done.run_buckets()
    done.run("hdf5_shards")
    result = done.run(ASSET, fails=True)
    assert "few_repeats_across_folds" in failed(result)
    assert "2 of 10 locations (20.00%)" in failure(result)
    assert "L02 = L05" in failure(result)
    assert done.store.manifest(ASSET, "alpha") is None

    set_repeats(done, "max_share = 0.2\nnear_m = 0")
    assert done.run(ASSET).success
    found = done.store.open(ASSET, "alpha").table()
    assert found[["location_id", "other_location_id", "kind"]].to_numpy().tolist() == [
        ["L02", "L05", "perceptual"]
    ]


def test_whether_they_are_dropped_is_no_part_of_finding_them(done):
    done.run(ASSET)
    set_repeats(done, "drop = false")
    assert metadata(done.run(ASSET), ASSET)["skipped"]


class TestEarlierVersions:
    def test_their_buckets_are_skipped_and_said_not_to_be_compared(self, done):
        as_of_an_earlier_version(done.store)
        shown = metadata_by_partition(done.run_buckets(), "image_codes")
        assert all(each["skipped"] for each in shown.values())
        result = checks(done.run(ASSET))["pictures_compared"]
        assert not result.passed
        assert "hash_pictures" in result.description

    def test_their_pictures_are_hashed_on_demand_and_nothing_is_encoded(self, done):
        whole = {key: done.store.manifest("image_codes", key).digest for key in BUCKETS}
        shards = done.store.manifest("hdf5_shards", "alpha").digest
        as_of_an_earlier_version(done.store)
        again = {"hash_pictures": True}
        shown = metadata_by_partition(done.run_buckets(config=again), "image_codes")
        assert not any(each["skipped"] for each in shown.values())
        assert done.encoded == []
        assert {k: done.store.manifest("image_codes", k).digest for k in BUCKETS} == whole
        done.run("hdf5_shards")
        assert done.store.manifest("hdf5_shards", "alpha").digest == shards
        assert checks(done.run(ASSET))["pictures_compared"].passed
        shown = metadata_by_partition(done.run_buckets(config=again), "image_codes")
        assert all(each["skipped"] for each in shown.values())
