"""A city's codes that were brought, through Dagster: what is made, counted, skipped and refused."""

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.tables import BucketRecord, ShardsRecord
from streetineq_assets.errors import StudyError
from streetineq_assets.study import load_study
from streetineq_tests.codes.conftest import copy_of
from streetineq_tests.codes.encoded_study import BUCKETS, IDS
from streetineq_tests.codes.fakes import WIDTH
from streetineq_tests.codes.importing.study_with_codes import (
    codes_of_buckets,
    state_encoder,
    without_images,
    write_codes,
)
from streetineq_tests.harness import checks, failed, failure, metadata_by_partition
from streetineq_tests.harness import metadata as metadata_of

UNNAMED = {"weights_known"}  # nobody stated the sha256 of the weights


@pytest.fixture(scope="module")
def listed_codes(tmp_path_factory, packed):
    """A study without images that brings the codes of another, listed and not imported yet."""
    study = copy_of(packed, tmp_path_factory.mktemp("brought") / "study")
    codes = codes_of_buckets(study.store, "alpha")
    without_images(study.store)
    state_encoder(study.store, WIDTH)
    write_codes(study.store, "alpha", codes)
    assert not failed(study.run("street_images"))
    return study


@pytest.fixture
def brought(tmp_path, listed_codes):
    """A copy of it, to be changed."""
    return copy_of(listed_codes, tmp_path / "study")


def rewrite(study, change):
    """Change the codes that were brought, by location."""
    with h5py.File(study.store.inputs("codes", "alpha.h5")) as file:
        ids = pd.read_csv(study.store.inputs("codes", "alpha.csv"))["location_id"]
        codes = dict(zip(ids, file["features"][:], strict=True))
    write_codes(study.store, "alpha", change(codes))


def test_no_image_is_needed(brought):
    assert not brought.images.exists()
    result = brought.run("street_images")
    assert "no image is needed" in checks(result)["locations_complete"].description


def test_the_codes_of_each_location_are_in_its_bucket(brought, packed):
    assert failed(brought.run_buckets()) == UNNAMED
    expected = codes_of_buckets(packed.store, "alpha")
    found = codes_of_buckets(brought.store, "alpha")
    assert found.keys() == expected.keys()
    for location_id, codes in expected.items():
        np.testing.assert_array_equal(found[location_id], codes)


def test_a_bucket_says_what_was_stated_of_the_encoder(brought):
    brought.run_buckets()
    for key in BUCKETS:
        artefact = brought.store.open("image_codes", key)
        with Bucket(artefact.file("image_codes.h5")) as bucket:
            contents = bucket.contents
            assert bucket.is_intact()
        assert set(contents.image_sha256.reshape(-1)) == {""}
        identity = contents.identity
        assert (identity.family, identity.backbone, identity.layer, identity.width) == (
            "imported",
            "CLIP ViT-B/32",
            "pooled",
            WIDTH,
        )
        assert artefact.manifest.read_record(BucketRecord).encoder == identity


def test_shards_and_repeats_are_made_as_of_images(brought):
    brought.run_buckets()
    shards = brought.run("hdf5_shards")
    assert not failed(shards)
    assert metadata_of(shards, "hdf5_shards")["n_extracted"] == len(IDS)
    found = checks(shards)["images_usable"]
    assert "codes were brought" in found.description
    repeats = brought.run("image_repeats")
    assert failed(repeats) == {"few_near_locations"}, "all postcodes have one position"
    assert "equal codes are found" in checks(repeats)["pictures_compared"].description
    found = brought.store.open("hdf5_shards", "alpha").table("repeated_images.parquet")
    named = sorted(f"{row.location_id}_{row.view}" for row in found.itertuples())
    assert named == ["L10_a", "L11_c"], "the one picture of two locations, by its codes"


def test_a_stated_sha256_is_taken_for_the_weights(brought):
    state_encoder(brought.store, WIDTH, f'weights_sha256 = "{"a" * 64}"\n')
    assert not failed(brought.run_buckets())


def test_what_was_imported_is_skipped(brought):
    brought.run_buckets()
    for options in ({}, {"config": {"hash_pictures": True, "retry_failed": True}}):
        shown = metadata_by_partition(brought.run_buckets(**options), "image_codes")
        assert all(each["skipped"] for each in shown.values())


def test_another_file_is_imported_anew_and_unchanged_rows_keep_their_digest(brought):
    brought.run_buckets()
    before = {key: brought.store.manifest("image_codes", key).digest for key in BUCKETS}
    rewrite(brought, lambda codes: codes | {"L00": codes["L00"] + 1})
    shown = metadata_by_partition(brought.run_buckets(), "image_codes")
    assert not any(each.get("skipped") for each in shown.values())
    after = {key: brought.store.manifest("image_codes", key).digest for key in BUCKETS}
    assert sum(before[key] != after[key] for key in BUCKETS) == 1


@pytest.mark.parametrize("setting", ['"CLIP ViT-B/32"', '"pooled"', '"its own"'])
def test_another_statement_is_another_encoder(brought, setting):
    brought.run_buckets()
    text = brought.store.study_file.read_text()
    brought.store.study_file.write_text(text.replace(setting, '"another"'))
    brought.run("image_codes", BUCKETS[0])
    result = brought.run("hdf5_shards", fails=True)
    assert "one_encoder" in failed(result)


def test_listed_locations_without_codes_are_missing(brought):
    rewrite(brought, lambda codes: {i: c for i, c in codes.items() if i not in ("L03", "L04")})
    result = brought.run_buckets()
    assert failed(result) == UNNAMED | {"complete"}
    shown = metadata_by_partition(result, "image_codes").values()
    assert sum(each["n_missing"] for each in shown) == 2
    brought.run("hdf5_shards")
    record = brought.store.manifest("hdf5_shards", "alpha").read_record(ShardsRecord)
    assert record.without_codes == {"missing": 2}


def test_codes_of_locations_that_are_not_listed_are_counted(brought):
    rewrite(brought, lambda codes: codes | {f"X{n}": codes["L00"] for n in range(5)})
    shown = metadata_by_partition(brought.run_buckets(), "image_codes").values()
    assert sum(each["n_codes_not_listed"] for each in shown) == 5
    assert sum(each["n_extracted"] for each in shown) == len(IDS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused_with_their_location(brought, value):
    brought.run_buckets()
    before = codes_of_buckets(brought.store, "alpha")
    rewrite(brought, lambda codes: codes | {"L07": np.full_like(codes["L07"], value)})
    result = brought.run_buckets(fails=True)
    assert "1 locations have codes that are not finite numbers, such as L07" in failure(result)
    assert "take these locations out of the file, or encode them again" in failure(result)
    np.testing.assert_array_equal(codes_of_buckets(brought.store, "alpha")["L07"], before["L07"])


def test_the_codes_of_another_city_are_refused(brought):
    rewrite(brought, lambda codes: {f"B{i}": each for i, each in codes.items()})
    assert "have no id in common" in failure(brought.run_buckets(fails=True))


def test_a_file_that_is_not_as_it_should_be_leaves_what_was_imported(brought):
    brought.run_buckets()
    before = codes_of_buckets(brought.store, "alpha")
    path = brought.store.inputs("codes", "alpha.h5")
    path.write_bytes(path.read_bytes()[:1000])
    assert f"{path} is not readable as HDF5: copy it again" in failure(
        brought.run_buckets(fails=True)
    )
    assert codes_of_buckets(brought.store, "alpha").keys() == before.keys()


def test_a_bad_file_of_one_city_is_no_reason_to_leave_out_another(brought):
    assert failed(brought.run("street_images", "beta")) == {"city_listed"}  # it has no list
    brought.store.inputs("codes", "alpha.h5").write_bytes(b"spoilt")
    result = brought.run("image_codes", None, keys=("alpha/000", "beta/000"), fails=True)
    assert f"{', '.join(BUCKETS)}: " in failure(result)
    assert brought.store.manifests("image_codes", "beta")
    assert not brought.store.manifests("image_codes", "alpha")


def test_a_city_without_a_file_is_unavailable_and_says_what_it_wants(brought):
    wanted = brought.store.inputs("codes", "alpha.h5")
    wanted.unlink()
    brought.store.inputs("codes", "alpha.csv").unlink()
    assert failed(brought.run_buckets()) == UNNAMED | {"complete"}
    assert not failed(brought.run("hdf5_shards")) - {"complete"}
    why = brought.store.manifest("hdf5_shards", "alpha").unavailable
    assert (why.wanted, why.reason) == (f"{wanted} (or .parquet)", "the city has no file of codes")


def test_a_file_that_is_gone_takes_no_codes_with_it(brought):
    brought.run_buckets()
    for path in brought.store.inputs("codes").iterdir():
        path.unlink()
    text = failure(brought.run_buckets(fails=True))
    assert "alpha/000" in text
    assert len(codes_of_buckets(brought.store, "alpha")) == len(IDS)


def test_a_licence_that_forbids_what_the_study_does_imports_nothing(brought):
    state_encoder(brought.store, WIDTH, 'licence = "CC-BY-NC-4.0"\n')
    with brought.store.study_file.open("a") as file:
        file.write("\n[rights]\ncommercial = true\n")
    assert "forbids to use them commercially" in failure(brought.run_buckets(fails=True))
    assert not codes_of_buckets(brought.store, "alpha")


def test_images_are_not_acquired_beside_codes(brought):
    text = brought.store.study_file.read_text() + '\n[imagery]\nprovider = "panoramax"\n'
    brought.store.study_file.write_text(text)
    with pytest.raises(StudyError, match="none is encoded: delete one of them"):
        load_study(brought.store.study_file)


@pytest.mark.parametrize("n_views", [1, 3])
def test_fewer_views_are_packed_as_they_are(brought, n_views):
    rewrite(brought, lambda codes: {i: each[:n_views] for i, each in codes.items()})
    assert failed(brought.run_buckets()) == UNNAMED
    assert not failed(brought.run("hdf5_shards"))
    record = brought.store.manifest("hdf5_shards", "alpha").read_record(ShardsRecord)
    assert record.n_images == n_views * len(IDS)


def test_absent_views_are_known_as_such(brought):
    with h5py.File(brought.store.inputs("codes", "alpha.h5"), "a") as file:
        present = np.ones((len(IDS), 4), bool)
        present[0, 1:3] = present[1] = False
        file["present"] = present
        file["features"][...] = np.where(present[..., None], file["features"][:], np.nan)
    ids = pd.read_csv(brought.store.inputs("codes", "alpha.csv"))["location_id"]
    result = brought.run_buckets()
    assert failed(result) == UNNAMED | {"complete"}, "one location has no view"
    shown = metadata_by_partition(result, "image_codes").values()
    assert [sum(each[n] for each in shown) for n in ("n_absent_views", "n_missing")] == [2, 1]
    for manifest in brought.store.manifests("image_codes", "alpha"):
        with Bucket(brought.store.path_of(manifest) / "image_codes.h5") as bucket:
            contents = bucket.contents
            assert ids[1] not in contents.location_ids
            if ids[0] in contents.location_ids:
                row = contents.location_ids.index(ids[0])
                assert contents.views_present[row].tolist() == [True, False, False, True]
    brought.run("hdf5_shards")
    record = brought.store.manifest("hdf5_shards", "alpha").read_record(ShardsRecord)
    assert record.n_images == 4 * (len(IDS) - 1) - 2
