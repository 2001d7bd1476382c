"""Shards: every row where the hash puts it, nothing packed that does not add up."""

import hashlib
import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes import packing
from streetineq_assets.codes.bucket_file import Bucket, Contents, Rejection, write_bucket
from streetineq_assets.images.catalogue import bucket_of
from streetineq_tests.codes.buckets import (
    ENCODER,
    IDS,
    N_BUCKETS,
    WIDTH,
    CityOfBuckets,
    image_hash,
)
from streetineq_tests.harness import check_of


@pytest.fixture
def no_plots(monkeypatch):
    """Plots take longer than the packing of so few rows; another test looks at one."""
    monkeypatch.setattr(packing, "plot_code_statistics", lambda *_: None)
    monkeypatch.setattr(packing, "plot_contact_sheet", lambda *_, **__: None)
    for save in ("save_png", "save_jpeg"):
        monkeypatch.setattr(packing, save, lambda figure, path: path.write_bytes(b"plot"))


@pytest.fixture
def city(tmp_path, no_plots):
    return CityOfBuckets(tmp_path, IDS)


def failed(findings):
    return {check.name for check in findings.checks if check.blocking and not check.passed}


def text_of(findings, name):
    return check_of(findings, name).description


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
        for name, value in ENCODER.attributes.items():
            assert file.attrs[name] == value
        everything = np.stack(list(city.features.values())).reshape(-1, WIDTH).astype(np.float64)
        np.testing.assert_allclose(file.attrs["mean"], everything.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(file.attrs["sd"], everything.std(axis=0), rtol=1e-5)


def test_the_content_has_the_digest_of_earlier_versions(city):
    """So unfinished parts of an existing study stay valid, and packing is skipped."""
    city.reject("7")
    findings = city.pack()
    digests = []
    for path in city.write().values():
        with Bucket(path) as bucket:
            assert bucket.is_intact()
            digests.append(bucket.digest)
    assert digests == [
        "e86b3a7783aab11cf679ae8b5f62f30102ea2edb415e7547cc881cb0830a37ac",
        "2cb7b86beffd85f804de2a823ed4d5546602e6898b5d64924f579062ae535872",
        "c937c46a55646c03f36ff078a14eab84541fb69ee214171401406ca753b17700",
    ]
    assert findings.digest == "ea2aee6b05b7aa890281d566c51a6f7150377508968a6a74bee970b0db5f6c6b"


def test_adding_a_location_moves_no_other_against_its_neighbours(tmp_path, no_plots):
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
    city.locations = pd.DataFrame({"location_id": ["x"], "area": ["E00000001"]})
    city.rejections = [Rejection("x", view, "missing") for view in "abcd"]
    city.bucket = {"x": bucket_of("leeds", "x", N_BUCKETS)}
    findings = city.pack()
    assert not failed(findings)
    assert findings.values["n_missing"] == 1
    assert findings.record.n_missing == 1
    with city.reader() as reader:
        assert reader.n_rows == 0
        assert reader.read().shape == (0, 4, WIDTH)


def test_values_are_never_clipped(tmp_path, no_plots):
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
        assert findings.record.without_codes == {"missing": 1, "truncated": 1}
        assert findings.tables["without_codes"] == [
            {"reason": "missing", "n_locations": 1},
            {"reason": "truncated", "n_locations": 1},
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

    @pytest.mark.parametrize(
        "changed",
        [{"weights_sha256": "f" * 64}, {"mixed_precision": True}, {"preprocessing": "suel2019"}],
    )
    def test_a_bucket_of_another_encoder_is_named(self, city, changed):
        city.encoders["leeds/001"] = ENCODER.model_copy(update=changed)
        findings = city.pack()
        assert failed(findings) == {"one_encoder"}
        text = text_of(findings, "one_encoder")
        assert "leeds/001" in text
        assert next(iter(changed)) in text
        assert "the whole city" in text, "the fewer may be the newer"
        assert self.nothing_was_written(city)

    def test_another_name_of_the_same_weights_is_the_same_encoder(self, city):
        city.encoders["leeds/001"] = ENCODER.model_copy(update={"weights": "file"})
        assert not failed(city.pack())

    @pytest.mark.parametrize(
        ("changed", "expected"), [({}, set()), ({"preprocessing": "suel2019"}, {"one_encoder"})]
    )
    def test_a_bucket_without_images_fits_every_encoder(
        self, tmp_path, no_plots, changed, expected
    ):
        empty, *others = (f"leeds/{number:03d}" for number in range(N_BUCKETS))
        ids = [i for i in IDS if bucket_of("leeds", i, N_BUCKETS) != empty]
        city = CityOfBuckets(tmp_path, ids)
        nothing = {"weights": "none", "weights_sha256": "", "width": 0}
        city.encoders[empty] = ENCODER.model_copy(update=nothing)
        city.encoders[others[0]] = ENCODER.model_copy(update=changed)
        assert failed(city.pack()) == expected

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
        city.made_by(layer="fc6")
        findings = city.pack()
        assert failed(findings) == {"few_dead_units"}
        assert "1 of 5 features" in text_of(findings, "few_dead_units")

    def test_the_same_image_in_two_areas(self, city):
        city.hashes["7"][0] = city.hashes["30"][2]
        findings = city.pack()
        assert failed(findings) == {"few_shared_images"}
        text = text_of(findings, "few_shared_images")
        assert "2 of 200 images" in text
        assert "30_c in E00000012 = 7_a in E00000023" in text
        assert self.nothing_was_written(city)

    def test_the_same_picture_in_other_bytes_in_two_areas(self, city):
        for location_id in ("7", "30", "41"):
            city.features[location_id][1] = city.features["3"][2]
        check = check_of(city.pack(), "few_shared_images")
        assert not check.passed
        assert (check.values["n_repeated_images"], check.values["n_shared_images"]) == (4, 4)
        named = check.values["images_in_two_lsoas"]
        assert all(image in named for image in ("3_c", "7_b", "30_b", "41_b"))

    def test_repeated_images_of_one_area_are_named_in_a_table(self, city):
        city.hashes["0"][0] = city.hashes["1"][3]
        findings = city.pack()
        assert not failed(findings)
        expected = [
            {"picture": 0, "location_id": "0", "view": "a"},
            {"picture": 0, "location_id": "1", "view": "d"},
        ]
        table = pd.read_parquet(city.folder / "shards" / "repeated_images.parquet")
        assert table.to_dict("records") == findings.tables["repeated_images"] == expected

    def test_the_same_image_within_one_area_or_below_a_thousandth_is_allowed(
        self, tmp_path, no_plots
    ):
        ids = [f"{number:04d}" for number in range(600)]
        city = CityOfBuckets(tmp_path, ids)
        city.hashes["0000"][0] = city.hashes["0001"][0]  # two locations of one LSOA
        assert not failed(city.pack())
        city.hashes["0000"][1] = city.hashes["0500"][1]
        assert not failed(city.pack())  # 2 of 2,400
        city.hashes["0000"][2] = city.hashes["0500"][2]
        assert failed(city.pack()) == {"few_shared_images"}  # 4 of 2,400

    def test_locations_without_an_area_share_with_nobody(self, city):
        city.hashes["7"][0] = city.hashes["30"][2]
        city.locations.loc[city.locations["location_id"] == "7", "area"] = None
        assert not failed(city.pack())


class TestQuality:
    """What is known of pictures is listed by view; the rest is null, and said to be unknown."""

    def table(self, city):
        return pd.read_parquet(city.folder / "shards" / "image_quality.parquet")

    def test_figures_are_listed_by_location_and_view(self, city):
        generator = np.random.default_rng(3)
        city.quality = {i: generator.uniform(0.2, 1, (4, 3)) * [1, 255, 1] for i in IDS}
        city.quality["8"][2] = [0.1, 200, 0.4]
        city.quality["9"][0] = [0.1, 20, 0]
        findings = city.pack()
        listed = self.table(city)
        assert listed["location_id"].is_monotonic_increasing
        found = listed.set_index(["location_id", "view"]).loc["8"].to_numpy()
        np.testing.assert_allclose(found, city.quality["8"], rtol=1e-6)
        counts = {name: findings.values[f"n_{name}"] for name in ("blurred", "dark", "without_sky")}
        assert counts == {"blurred": 2, "dark": 1, "without_sky": 1}
        assert check_of(findings, "images_usable").result == "holds"

    def test_codes_of_earlier_versions_have_none(self, city):
        findings = city.pack()
        assert len(self.table(city)) == 200
        assert self.table(city)[["sharpness", "brightness", "sky"]].isna().all(axis=None)
        assert findings.values["n_without_quality"] == 50
        assert check_of(findings, "images_usable").result == "not tested"

    def test_they_are_no_part_of_what_networks_learn_from(self, city):
        without = city.pack().digest
        city.quality = {"8": np.full((4, 3), 0.5)}
        findings = city.pack()
        assert findings.digest == without
        assert findings.values["n_without_quality"] == 49

    def test_their_plot_is_small(self, tmp_path):
        city = CityOfBuckets(tmp_path, IDS)
        city.quality = {"8": np.full((4, 3), 0.5)}
        city.pack()
        assert (tmp_path / "shards" / "quality.png").stat().st_size < 100_000


def test_statistics_far_from_the_published_ones_are_a_warning(tmp_path):
    for scale, passed in [(8.17, True), (80.0, False)]:
        city = CityOfBuckets(tmp_path, [str(n) for n in range(200)], scale=scale)
        city.made_by(backbone="vgg16", layer="fc6", weights="imagenet")
        check = check_of(city.pack(), "like_published")
        assert check.passed is passed
        assert not check.blocking
        assert "-5.24" in check.description
        assert (tmp_path / "shards" / "codes.png").stat().st_size < 100_000


def test_codes_of_other_weights_are_not_held_against_the_published_ones(tmp_path, no_plots):
    city = CityOfBuckets(tmp_path, IDS[:4])
    city.made_by(backbone="vgg16", layer="fc6", weights="random")
    check = check_of(city.pack(), "like_published")
    assert (check.result, check.passed) == ("not tested", True)


def test_a_very_wide_code_has_attributes_too(tmp_path, no_plots):
    """25,088 features, as VGG16's flattened last layer: their means exceed HDF5's old 64 kB."""
    city = CityOfBuckets(tmp_path, IDS[:4], width=25_088)
    city.pack()
    with city.reader() as reader:
        assert reader.attributes["mean"].shape == (25_088,)


def test_packing_does_not_hold_the_city(tmp_path, monkeypatch, no_plots):
    """25 MB of codes; a block of 256 rows is 4 MB, and a few copies of it are in use."""
    width = 1024
    city = CityOfBuckets(tmp_path, [], width=width)
    ids = [f"{number:05d}" for number in range(1500)]
    city.listed = ids
    city.locations = pd.DataFrame({"location_id": ids, "area": ids})
    block = np.random.default_rng(0).normal(-5, 8, (1, 4, width)).astype(np.float32)
    files = {}
    for key, encoder in city.encoders.items():
        here = [i for i in ids if bucket_of("leeds", i, N_BUCKETS) == key]
        hashes = np.array([[image_hash(i, view) for view in "abcd"] for i in here])
        blocks = (block + float(i) / 100 for i in here)
        files[key] = tmp_path / f"{key[-3:]}.h5"
        write_bucket(files[key], Contents(here, hashes, encoder), blocks)
    monkeypatch.setattr(city, "write", lambda: files)
    tracemalloc.start()
    assert not failed(city.pack(rows_per_shard=1000))
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert peak_mb < 20
    with city.reader() as reader, Bucket(files["leeds/000"]) as bucket:
        row = reader.location_ids.tolist().index(bucket.contents.location_ids[3])
        np.testing.assert_array_equal(
            reader.read(np.array([row]))[0], bucket.read([3])[0].astype(np.float16)
        )
