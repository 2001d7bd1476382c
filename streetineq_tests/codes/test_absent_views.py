"""Codes of one to four views, some of them absent: stored, packed, read, and never counted."""

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes import packing
from streetineq_assets.codes.bucket_file import Bucket, Contents, write_bucket
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.errors import StoreError
from streetineq_tests.codes.buckets import ENCODER, IDS, WIDTH, CityOfBuckets, image_hash
from streetineq_tests.harness import check_of


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    monkeypatch.setattr(packing, "plot_code_statistics", lambda *_: None)
    monkeypatch.setattr(packing, "save_png", lambda figure, path: path.write_bytes(b"plot"))


def city_with_absent(folder, *, number=0.0, views="abcd"):
    """Half of the locations lack some view, in whose place stands a number."""
    city, rng = CityOfBuckets(folder, IDS, views=views), np.random.default_rng(5)
    for location_id in IDS[::2]:
        present = rng.random(len(views)) < 0.5
        present[rng.integers(len(views))] = True
        city.present[location_id] = present.tolist()
        city.features[location_id][~present] = number
        hashes = city.hashes[location_id]
        city.hashes[location_id] = [h if p else "" for h, p in zip(hashes, present, strict=True)]
    return city


def there(city, location_id):
    return np.array(city.present.get(location_id, [True] * len(city.views)))


class TestBucket:
    def write(self, path, present, codes=None):
        n, views = np.shape(present)
        ids = [f"L{number}" for number in range(n)]
        hashes = np.array([[image_hash(i, view) for view in range(views)] for i in ids])
        contents = Contents(ids, hashes, ENCODER, present=np.array(present))
        codes = np.ones((n, views, WIDTH), np.float32) if codes is None else codes
        return write_bucket(path, contents, [codes])

    def test_what_is_absent_is_written_as_0_and_read_back(self, tmp_path):
        present = [[True, False], [True, True], [False, True]]
        self.write(tmp_path / "b.h5", present, np.full((3, 2, WIDTH), 7, np.float32))
        with Bucket(tmp_path / "b.h5") as bucket:
            assert bucket.is_intact()
            assert bucket.contents.present.tolist() == present
            np.testing.assert_array_equal(bucket.read(slice(None))[..., 0], 7.0 * np.array(present))

    def test_the_digest_covers_which_views_are_absent(self, tmp_path):
        zeros = np.zeros((1, 2, WIDTH), np.float32)
        first = self.write(tmp_path / "a.h5", [[True, False]], zeros)
        assert self.write(tmp_path / "b.h5", [[False, True]], zeros) != first
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            file["present"][0] = [False, True]
        with Bucket(tmp_path / "a.h5") as bucket:
            assert not bucket.is_intact()

    def test_where_all_are_there_nothing_is_said(self, tmp_path):
        self.write(tmp_path / "b.h5", [[True, True]])
        with Bucket(tmp_path / "b.h5") as bucket:
            assert bucket.contents.present is None
            assert bucket.contents.views_present.all()

    @pytest.mark.parametrize(
        ("present", "told"),
        [([[True], [False]], "no view of location L1"), ([[True] * 5], "5 views.*names for 4")],
        ids=["none", "five"],
    )
    def test_locations_have_one_to_four(self, tmp_path, present, told):
        with pytest.raises(ValueError, match=told):
            self.write(tmp_path / "b.h5", present)
        assert not list(tmp_path.iterdir())


class TestPacking:
    @pytest.mark.parametrize("views", ["a", "ab", "abcd"])
    def test_shards_say_which_views_are_there(self, tmp_path, views):
        city = city_with_absent(tmp_path, views=views)
        findings = city.pack()
        with city.reader() as reader:
            assert (reader.n_rows, reader.views) == (50, len(views))
            expected = np.array([there(city, i) for i in reader.location_ids])
            np.testing.assert_array_equal(reader.present, expected)
            features = np.stack([city.features[i] for i in reader.location_ids])
            np.testing.assert_array_equal(reader.read(), features.astype(np.float16))
        record = findings.record
        assert (record.n_views, record.n_absent_views) == (len(views), (~expected).sum())
        assert (
            record.n_images
            == expected.sum()
            == findings.values["n_listed"] * len(views) - findings.values["n_absent_views"]
        )

    @pytest.mark.parametrize("number", [0.0, 3e4, np.nan], ids=str)
    def test_what_stands_in_place_of_an_absent_view_counts_in_no_statistic(self, tmp_path, number):
        city = city_with_absent(tmp_path, number=number)
        findings = city.pack()
        assert check_of(findings, "finite").passed
        assert findings.values["dtype"] == "float16"
        images = np.concatenate([city.features[i][there(city, i)] for i in IDS])
        with city.reader() as reader:
            np.testing.assert_allclose(reader.attributes["mean"], images.mean(axis=0), rtol=1e-4)
            np.testing.assert_allclose(reader.attributes["sd"], images.std(axis=0), rtol=1e-4)

    def test_absent_views_repeat_nothing_and_have_no_quality(self, tmp_path):
        city = city_with_absent(tmp_path)
        findings = city.pack()
        folder = tmp_path / "shards"
        assert pd.read_parquet(folder / "repeated_images.parquet").empty
        assert len(pd.read_parquet(folder / "image_quality.parquet")) == findings.record.n_images
        assert check_of(findings, "few_shared_images").passed

    def test_a_picture_whose_image_is_not_known_is_told_by_its_codes(self, tmp_path):
        city = CityOfBuckets(tmp_path, IDS, views="a")
        city.hashes = {i: [""] for i in IDS}
        assert check_of(city.pack(), "few_shared_images").passed
        city.features["7"][0] = city.features["30"][0]
        assert not check_of(city.pack(), "few_shared_images").passed

    def test_buckets_of_different_views_are_not_packed(self, tmp_path, monkeypatch):
        city, other = (CityOfBuckets(tmp_path, IDS, views=views) for views in ("abcd", "ab"))
        files = city.write()
        path = tmp_path / "two.h5"
        ids = [i for i in sorted(IDS) if city.bucket[i] == "leeds/001"]
        hashes = np.array([other.hashes[i] for i in ids])
        write_bucket(path, Contents(ids, hashes, ENCODER), [other.features[i][None] for i in ids])
        monkeypatch.setattr(city, "write", lambda: files | {"leeds/001": path})
        check = check_of(city.pack(), "same_views")
        assert (check.blocking, check.passed) == (True, False)
        assert "2 in leeds/001; 4 in leeds/000, leeds/002" in check.description
        assert not city.shards


def test_cities_of_different_views_are_not_read_as_one(tmp_path):
    files, rows = [], []
    for number, views in enumerate((4, 1)):
        files.append(tmp_path / f"{number}.h5")
        with h5py.File(files[-1], "w") as file:
            file["features"] = np.zeros((1, views, WIDTH), np.float16)
            file["location_id"] = np.array([f"L{number}"], dtype=object)
        rows.append({"shard": number, "row": 0, "location_id": f"L{number}"})
    with pytest.raises(StoreError, match=r"1\.h5 holds 1 views of each location, .*0\.h5 4"):
        ShardReader(files, pd.DataFrame(rows))
