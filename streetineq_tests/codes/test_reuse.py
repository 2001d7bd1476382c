"""What of earlier work still holds: changed buckets, and a city cut into another number of them."""

import numpy as np
import pytest

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.extraction import extract_bucket
from streetineq_assets.codes.reuse import changed_buckets, earlier_files, hand_over
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import bucket_of, list_images
from streetineq_assets.images.changes import slice_digest
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_tests.codes.fakes import fake_encoder
from streetineq_tests.images.pictures import picture, views_of, write_files

IDS = [f"L{number:02d}" for number in range(24)]


class Study:
    """The two assets' work without Dagster."""

    def __init__(self, root):
        self.store = DataStore(root)
        self.images_root = self.store.inputs("images", "leeds")
        write_files(self.images_root, views_of(IDS))

    def keys(self, buckets):
        return [f"leeds/{number:03d}" for number in range(buckets)]

    def list(self, buckets):
        catalogue = list_images(self.images_root, IDS, city="leeds", buckets=buckets)

        def write(folder):
            catalogue.write(folder)
            return Findings()

        self.store.publish("street_images", "leeds", Recipe(code_version="1"), write)
        return catalogue.images

    def extract(self, key, buckets, encoder):
        images = self.store.open("street_images", "leeds").table()
        images = images[images["bucket"] == key]

        def write(folder):
            published = self.store.manifests("image_codes", "leeds")
            previous = earlier_files(self.store, published, key, buckets)
            if key in previous:
                hand_over(
                    previous[key],
                    own=key,
                    key_of=lambda each: bucket_of("leeds", each, buckets),
                    workspace=lambda other: self.store.workspace("image_codes", other),
                )
            return extract_bucket(
                images,
                locate=self.images_root.joinpath,
                encoder=encoder,
                target=folder / "image_codes.h5",
                work=self.store.workspace("image_codes", key),
                n_buckets=buckets,
                previous=list(previous.values()),
            )

        recipe = Recipe(code_version="1", inputs={"street_images": slice_digest(images)})
        self.store.publish("image_codes", key, recipe, write)
        self.store.clear_workspace("image_codes", key)

    def extract_all(self, buckets):
        """Number of locations that were encoded."""
        encoder = fake_encoder(batch_size=4)
        self.list(buckets)
        for key in self.keys(buckets):
            self.extract(key, buckets, encoder)
        return len(encoder.encode.calls)

    def codes(self, buckets):
        found = {}
        for key in self.keys(buckets):
            with Bucket(self.store.open("image_codes", key).file("image_codes.h5")) as bucket:
                ids = bucket.contents.location_ids
                assert {bucket_of("leeds", each, buckets) for each in ids} <= {key}
                found |= dict(zip(ids, bucket.read(slice(None)), strict=True))
        return found


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2), (3, 5), (5, 3), (1, 6), (6, 1)])
def test_another_number_of_buckets_encodes_nothing_again(study, before, after):
    assert study.extract_all(before) == len(IDS)
    first = study.codes(before)
    assert study.extract_all(after) == 0
    second = study.codes(after)
    assert sorted(second) == IDS
    for location_id in IDS:
        np.testing.assert_array_equal(first[location_id], second[location_id])


def test_a_damaged_earlier_file_is_not_reused(study):
    study.extract_all(2)
    path = study.store.open("image_codes", "leeds/001").file("image_codes.h5")
    with Bucket(path) as bucket:
        rows = len(bucket.contents.location_ids)
    path.write_bytes(path.read_bytes()[:-1])
    published = study.store.manifests("image_codes", "leeds")
    assert list(earlier_files(study.store, published, "leeds/001", 2)) == []
    assert study.extract_all(2) == rows


class TestChangedBuckets:
    def test_all_before_the_first_extraction_none_after_it(self, study):
        study.list(4)
        assert list(changed_buckets(study.store, "leeds", study.keys(4))) == study.keys(4)
        study.extract_all(4)
        assert changed_buckets(study.store, "leeds", study.keys(4)) == {}

    def test_exactly_the_one_with_the_new_image(self, study):
        study.extract_all(4)
        (study.images_root / "L05_b.png").write_bytes(picture(500))
        study.list(4)
        changed = changed_buckets(study.store, "leeds", study.keys(4))
        assert list(changed) == [bucket_of("leeds", "L05", 4)]
        assert changed == changed_buckets(study.store, "leeds", study.keys(4)), "idempotent"

    def test_without_a_listing_it_says_what_to_run(self, study):
        with pytest.raises(StoreError, match=r"materialise street_images\[leeds\]"):
            changed_buckets(study.store, "leeds", study.keys(4))
