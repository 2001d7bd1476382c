"""The nearest views by code are those of the definition, each location and picture once."""

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes import neighbours, packing
from streetineq_assets.codes.neighbours import nearest_views
from streetineq_assets.codes.repeated_images import find_repeated_images
from streetineq_assets.codes.shards import ShardReader
from streetineq_tests.codes.buckets import ENCODER, IDS, CityOfBuckets

NOTHING = find_repeated_images([], np.empty((0, 4), "S64"))


@pytest.fixture
def city(tmp_path, monkeypatch):
    for plot in ("plot_code_statistics", "plot_image_quality", "plot_contact_sheet"):
        monkeypatch.setattr(packing, plot, lambda *_, **__: None)
    for save in ("save_png", "save_jpeg"):
        monkeypatch.setattr(packing, save, lambda figure, path: None)
    return CityOfBuckets(tmp_path, IDS)


def found(city, repeated=NOTHING, **options):
    with city.reader() as reader:
        return nearest_views(reader, repeated, **options)


def by_definition(city, location_id, view):
    """Cosine of the standardised codes of every other location's best view, the highest first."""
    codes = np.stack([city.features[i] for i in IDS]).astype(np.float64)
    codes = (codes - codes.mean(axis=(0, 1))) / codes.std(axis=(0, 1))
    codes /= np.linalg.norm(codes, axis=-1, keepdims=True)
    cosines = codes @ codes[IDS.index(location_id), "abcd".index(view)]
    best = {i: row.max() for i, row in zip(IDS, cosines, strict=True) if i != location_id}
    return sorted(best.values(), reverse=True)


def test_they_are_those_of_the_definition(city, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_ROWS", 7)
    city.pack()
    sheet = found(city, n_queries=4, n_nearest=6)
    assert sheet["rank"].tolist() == [*range(7)] * 4
    for _, rows in sheet.groupby("query"):
        query, nearest = rows.iloc[0], rows.iloc[1:]
        expected = by_definition(city, query["location_id"], query["view"])[:6]
        np.testing.assert_allclose(nearest["cosine"], expected, atol=2e-3, err_msg="float16")
        assert query["location_id"] not in set(nearest["location_id"])
        assert nearest["location_id"].is_unique


def test_queries_are_a_view_each_of_the_first_locations_of_the_seed(city):
    city.pack()
    queries = found(city).query("rank == 0")
    with city.reader() as reader:
        assert queries["location_id"].tolist() == reader.location_ids[:5].tolist()
    assert queries["view"].tolist() == list("abcda")
    pd.testing.assert_frame_equal(found(city), found(city))
    city.pack(seed=7)
    assert found(city)["location_id"].tolist()[0] != queries["location_id"].tolist()[0]


def test_a_copy_of_a_picture_is_passed_over(city):
    city.locations["area"] = "E00000001"
    city.pack()
    query = found(city).iloc[0]
    others = [i for i in IDS if i != query["location_id"]]
    for copy in others[:3]:
        city.features[copy][2] = city.features[query["location_id"]]["abcd".index(query["view"])]
    city.pack()
    assert found(city).iloc[1]["cosine"] > 0.999
    repeated = pd.read_parquet(city.folder / "shards" / "repeated_images.parquet")
    assert len(repeated) == 4
    best = found(city, repeated).iloc[1]
    assert best["cosine"] < 0.999
    copies = {(i, "c") for i in others[:3]}
    assert (best["location_id"], best["view"]) not in copies


def test_a_feature_that_never_changes_decides_nothing(city):
    city.pack()
    before = found(city)
    for features in city.features.values():
        features[:, 4] = 3.0
    city.pack()
    others = found(city)
    assert np.isfinite(others["cosine"]).all()
    assert not others.equals(before)


def test_a_sample_is_searched(city):
    city.pack()
    with city.reader() as reader:
        first = set(reader.location_ids[:9])
    sheet = found(city, sample=9, n_nearest=20)
    assert set(sheet["location_id"]) == first
    assert sheet["rank"].max() == 8


def test_absent_views_are_neither_query_nor_neighbour(city):
    city.pack()
    present = np.ones((len(IDS), 4), bool)
    present[:, 3] = False
    present[1, :3] = [True, False, False]  # the second query would be view b
    for path, (start, stop) in zip(city.shards, _bounds(city), strict=True):
        with h5py.File(path, "a") as file:
            file["present"] = present[start:stop]
    sheet = found(city, n_nearest=60)
    assert sheet.query("rank == 0")["view"].tolist() == ["a", "a", "c", "a", "b"]
    assert set(sheet["view"]) == set("abc")
    with city.reader() as reader:
        second = sheet[sheet["location_id"] == reader.location_ids[1]]
    assert set(second["view"]) == {"a"}
    assert np.isfinite(sheet["cosine"]).all()


def _bounds(city):
    with city.reader() as reader:
        return reader.shard_bounds


@pytest.mark.parametrize("n_locations", [1, 2])
def test_few_locations_have_few_neighbours(tmp_path, city, n_locations):
    (tmp_path / "few").mkdir()
    few = CityOfBuckets(tmp_path / "few", IDS[:n_locations])
    few.pack()
    assert len(found(few)) == n_locations**2


def test_of_fewer_views_those_that_are_there_are_shown(tmp_path):
    """Three locations with two views, one of which is absent."""
    ids, path = ["1", "2", "3"], tmp_path / "shard_000.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
        file["present"] = np.array([[True, True], [True, True], [True, False]])
        file["location_id"] = ids
        file.attrs.update(ENCODER.attributes, mean=np.zeros(5), sd=np.ones(5))
    rows = pd.DataFrame({"shard": 0, "row": range(3), "location_id": ids})
    with ShardReader([path], rows) as reader:
        sheet = nearest_views(reader, NOTHING)
    assert ("3", "b") not in set(zip(sheet["location_id"], sheet["view"], strict=True))
    assert sheet.query("rank == 0")["view"].tolist() == ["a", "b", "a"]
