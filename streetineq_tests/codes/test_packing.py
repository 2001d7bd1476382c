"""Shards: every row where the hash puts it, nothing packed that does not add up."""

import hashlib
import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.codes.bucket_file import Bucket, Contents, Rejection, write_bucket
from streetineq_assets.codes.feature_statistics import FeatureStatistics, storage_type
from streetineq_assets.images.catalogue import bucket_of
from streetineq_tests.codes.buckets import (
    ATTRIBUTES,
    IDS,
    N_BUCKETS,
    WIDTH,
    CityOfBuckets,
    image_hash,
)


@pytest.fixture
def city(tmp_path):
    return CityOfBuckets(tmp_path, IDS)


def failed(findings):
    return {check.name for check in findings.checks if check.blocking and not check.passed}


def text_of(findings, name):
    return next(check.description for check in findings.checks if check.name == name)


def test_rows_ascend_by_the_hash_of_seed_and_id(city):
    findings = city.pack()
    assert not failed(findings)
    expected = sorted(IDS, key=lambda i: hashlib.sha256(f"2019:{i}".encode()).hexdigest())
    with city.reader() as reader:
        assert reader.location_ids.tolist() == expected
        assert reader.shard_bounds == [(0, 16), (16, 32), (32, 48), (48, 50)]
        features = reader.read()
    stored = np.stack([city.features[i] for i in expected]).astype(np.float16)
    np.testing.assert_array_equal(features, stored)


def test_each_shard_carries_its_own_ids_and_how_they_were_made(city):
    city.pack()
    with h5py.File(city.shards[1]) as file:
        rows = pd.read_parquet(city.shards[1].parent / "rows.parquet")
        assert (
            file["location_id"].asstr()[:].tolist()
            == rows.loc[rows["shard"] == 1, "location_id"].tolist()
        )
        for name in ("backbone", "layer", "preprocessing", "weights_sha256", "width"):
            assert file.attrs[name] == ATTRIBUTES[name]
        everything = np.stack(list(city.features.values())).reshape(-1, WIDTH).astype(np.float64)
        np.testing.assert_allclose(file.attrs["mean"], everything.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(file.attrs["sd"], everything.std(axis=0), rtol=1e-5)


def test_adding_a_location_moves_no_other_against_its_neighbours(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    fewer, more = CityOfBuckets(tmp_path / "a", IDS[:-1]), CityOfBuckets(tmp_path / "b", IDS)
    orders = []
    for city in (fewer, more):
        city.pack()
        with city.reader() as reader:
            orders.append([i for i in reader.location_ids if i != IDS[-1]])
    assert orders[0] == orders[1]


def test_a_city_without_codes_is_one_empty_shard(tmp_path):
    city = CityOfBuckets(tmp_path, [])
    city.listed = ["x"]
    city.locations = pd.DataFrame({"location_id": ["x"], "lsoa11": ["E00000001"]})
    city.rejections = [Rejection("x", view, "missing") for view in "abcd"]
    city.bucket = {"x": bucket_of("leeds", "x", N_BUCKETS)}
    findings = city.pack()
    assert not failed(findings)
    assert findings.values["missing"] == 1
    with city.reader() as reader:
        assert reader.n_rows == 0
        assert reader.read().shape == (0, 4, WIDTH)


class TestStorage:
    def statistics(self, rows):
        found = FeatureStatistics(rows.shape[-1])
        for block in np.array_split(rows.astype(np.float32), 3):
            found.add(block)
        return found

    def rows(self, count=300, width=8):
        return np.random.default_rng(0).normal(-5.24, 8.17, (count, 4, width))

    def test_mean_and_sd_are_those_of_all_images(self):
        rows = self.rows() * np.arange(1, 9) + 1000
        found = self.statistics(rows)
        flat = rows.astype(np.float32).astype(np.float64).reshape(-1, 8)
        np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(found.sd, flat.std(axis=0), rtol=1e-5)
        mean, sd = found.overall
        assert mean == pytest.approx(flat.mean(), rel=1e-9)
        assert sd == pytest.approx(flat.std(), rel=1e-5)

    @given(cuts=st.lists(st.integers(0, 300), max_size=6), shift=st.floats(-1e3, 1e3))
    @settings(max_examples=30, deadline=None)
    def test_blocks_of_any_size_give_the_same(self, cuts, shift):
        rows = (self.rows() + shift).astype(np.float32)
        whole, parts = FeatureStatistics(8), FeatureStatistics(8)
        whole.add(rows)
        for block in np.split(rows, sorted(cuts)):
            parts.add(block)
        assert parts.count == whole.count
        np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-9)
        np.testing.assert_allclose(parts.sd, whole.sd, rtol=1e-5)
        assert parts.float16_error == pytest.approx(whole.float16_error, rel=1e-6)

    def test_rounding_error_is_measured_in_the_features_own_deviations(self):
        rows = self.rows().astype(np.float32)
        flat = rows.reshape(-1, 8).astype(np.float64)
        error = flat - flat.astype(np.float16).astype(np.float64)
        expected = (np.sqrt((error**2).mean(axis=0)) / flat.std(axis=0)).max()
        assert self.statistics(rows).float16_error == pytest.approx(expected, rel=1e-4)

    def test_codes_as_published_fit_into_float16(self):
        found = self.statistics(self.rows(3000))
        assert storage_type(found) == (np.float16, None)
        assert found.float16_error == pytest.approx(2.5e-4, rel=0.2)  # as the issue measured

    def test_a_magnitude_beyond_the_limit_stays_float32(self):
        rows = self.rows()
        rows[0, 0, 0] = 32_752
        assert storage_type(self.statistics(rows))[0] == np.float16
        rows[0, 0, 0] = -32_768
        dtype, reason = storage_type(self.statistics(rows))
        assert dtype == np.float32
        assert "32768" in reason

    def test_a_small_spread_on_a_large_mean_stays_float32(self):
        rows = self.rows()
        rows[:, :, 3] = 1000 + 0.5 * rows[:, :, 3] / 8.17
        dtype, reason = storage_type(self.statistics(rows))
        assert dtype == np.float32
        assert "rounding error" in reason

    def test_constant_features_are_exempt(self):
        rows = self.rows()
        rows[:, :, 3] = 1000.3
        found = self.statistics(rows)
        assert storage_type(found)[0] == np.float16
        assert found.dead_units == 1

    def test_values_are_never_clipped(self, tmp_path):
        city = CityOfBuckets(tmp_path, IDS, scale=40_000)
        findings = city.pack()
        assert findings.values["dtype"] == "float32"
        assert "magnitude" in findings.values["float32_because"]
        with city.reader() as reader:
            expected = np.stack([city.features[i] for i in reader.location_ids])
            np.testing.assert_array_equal(reader.read(), expected)


class TestBlockingChecks:
    def nothing_was_written(self, city):
        return not city.shards

    def test_accounting_by_location(self, city):
        city.reject("7")
        city.reject("8", "missing")
        findings = city.pack()
        assert not failed(findings)
        assert text_of(findings, "accounting") == (
            "50 listed = 48 extracted + 1 rejected + 1 missing"
        )
        assert findings.tables["without_codes"] == [
            {"reason": "missing", "locations": 1},
            {"reason": "truncated", "locations": 1},
        ]

    def test_a_location_that_is_lost(self, city):
        del city.features["7"]
        assert failed(city.pack()) == {"accounting"}
        assert self.nothing_was_written(city)

    def test_an_id_that_is_not_listed(self, city):
        city.listed.remove("7")
        findings = city.pack()
        assert failed(findings) == {"accounting", "identity"}
        assert "1 ids are not in street_images" in text_of(findings, "identity")

    def test_an_id_without_a_location(self, city):
        city.locations = city.locations[city.locations["location_id"] != "7"]
        assert "are not in locations" in text_of(city.pack(), "identity")

    def test_an_id_in_another_bucket(self, city):
        other = "leeds/000" if city.bucket["7"] != "leeds/000" else "leeds/001"
        city.bucket["7"] = other
        findings = city.pack()
        assert failed(findings) == {"identity"}
        assert "1 ids lie in another's bucket" in text_of(findings, "identity")

    def test_a_bucket_of_another_encoder_is_named(self, city):
        city.attributes["leeds/001"] = ATTRIBUTES | {"weights_sha256": "f" * 64}
        findings = city.pack()
        assert failed(findings) == {"one_encoder"}
        assert "leeds/001" in text_of(findings, "one_encoder")
        assert "the whole city" in text_of(findings, "one_encoder"), "the fewer may be the newer"

    def test_buckets_whose_images_changed_are_named(self, city):
        findings = city.pack(stale=["leeds/002"])
        assert failed(findings) == {"up_to_date"}
        assert "image_codes of leeds/002" in text_of(findings, "up_to_date")

    def test_codes_that_are_not_finite(self, city):
        city.features["7"][1, 2] = np.nan
        findings = city.pack()
        assert failed(findings) == {"finite"}
        assert self.nothing_was_written(city)

    def test_dead_units(self, city):
        for features in city.features.values():
            features[:, 3] = 1.5
        assert not failed(city.pack()), "behind a ReLU a fifth may be"
        city.attributes = dict.fromkeys(city.attributes, ATTRIBUTES | {"layer": "fc6"})
        findings = city.pack()
        assert failed(findings) == {"dead_units"}
        assert "1 of 5 features have one value" in text_of(findings, "dead_units")

    def test_the_same_image_in_two_areas(self, city):
        city.hashes["7"][0] = city.hashes["30"][2]
        findings = city.pack()
        assert failed(findings) == {"shared_images"}
        assert "2 of 200 images occur in two LSOAs" in text_of(findings, "shared_images")

    def test_the_same_image_within_one_area_or_below_a_thousandth_is_allowed(self, tmp_path):
        ids = [f"{number:04d}" for number in range(600)]
        city = CityOfBuckets(tmp_path, ids)
        city.hashes["0000"][0] = city.hashes["0001"][0]  # two locations of one LSOA
        assert not failed(city.pack())
        city.hashes["0000"][1] = city.hashes["0500"][1]
        assert not failed(city.pack())  # 2 of 2,400
        city.hashes["0000"][2] = city.hashes["0500"][2]
        assert failed(city.pack()) == {"shared_images"}  # 4 of 2,400

    def test_locations_without_an_area_share_with_nobody(self, city):
        city.hashes["7"][0] = city.hashes["30"][2]
        city.locations.loc[city.locations["location_id"] == "7", "lsoa11"] = None
        assert not failed(city.pack())


def test_statistics_far_from_the_published_ones_are_a_warning(tmp_path):
    for scale, passed in [(8.17, True), (80.0, False)]:
        city = CityOfBuckets(tmp_path, [str(n) for n in range(200)], scale=scale)
        paper = {"backbone": "vgg16", "layer": "fc6", "weights": "imagenet"}
        city.attributes = dict.fromkeys(city.attributes, ATTRIBUTES | paper)
        findings = city.pack()
        check = next(check for check in findings.checks if check.name == "like_published")
        assert check.passed is passed
        assert not check.blocking
        assert "-5.24" in check.description
        assert (tmp_path / "shards" / "codes.png").stat().st_size < 100_000


def test_a_very_wide_code_has_attributes_too(tmp_path):
    """25,088 features, as VGG16's flattened last layer: their means exceed HDF5's old 64 kB."""
    city = CityOfBuckets(tmp_path, IDS[:4], width=25_088)
    city.pack()
    with city.reader() as reader:
        assert reader.attributes["mean"].shape == (25_088,)


def test_packing_does_not_hold_the_city(tmp_path, monkeypatch):
    """98 MB of codes; a block of 256 rows is 16 MB, and a few copies of it are in use."""
    width = 4096
    city = CityOfBuckets(tmp_path, [], width=width)
    ids = [f"{number:05d}" for number in range(1500)]
    city.listed = ids
    city.locations = pd.DataFrame({"location_id": ids, "lsoa11": ids})
    block = np.random.default_rng(0).normal(-5, 8, (1, 4, width)).astype(np.float32)
    files = {}
    for key, attributes in city.attributes.items():
        here = [i for i in ids if bucket_of("leeds", i, N_BUCKETS) == key]
        hashes = np.array([[image_hash(i, view) for view in "abcd"] for i in here])
        blocks = (block + float(i) / 100 for i in here)
        files[key] = tmp_path / f"{key[-3:]}.h5"
        write_bucket(files[key], Contents(here, hashes, attributes), blocks)
    monkeypatch.setattr(city, "write", lambda: files)
    tracemalloc.start()
    assert not failed(city.pack(rows_per_shard=1000))
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert peak_mb < 80
    with city.reader() as reader, Bucket(files["leeds/000"]) as bucket:
        row = reader.location_ids.tolist().index(bucket.contents.location_ids[3])
        np.testing.assert_array_equal(
            reader.read(np.array([row]))[0], bucket.read([3])[0].astype(np.float16)
        )
