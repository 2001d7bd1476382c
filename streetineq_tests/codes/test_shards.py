"""The reader of shards: one array of rows, whatever the files."""

import os
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.errors import StoreError
from streetineq_tests.codes.buckets import ENCODER, IDS, WIDTH, CityOfBuckets


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A city whose shards are only read."""
    city = CityOfBuckets(tmp_path_factory.mktemp("city"), IDS)
    city.pack()
    return city


@pytest.fixture
def city(tmp_path, packed):
    """The same city's shards, to be spoiled."""
    shutil.copytree(packed.folder / "shards", tmp_path / "shards")
    copied = CityOfBuckets(tmp_path, IDS)
    copied.shards = sorted((tmp_path / "shards").glob("*.h5"))
    return copied


@pytest.fixture(scope="module")
def reader(packed):
    with packed.reader() as reader:
        yield reader


@pytest.fixture(scope="module")
def whole(reader, packed):
    ids = reader.location_ids
    return np.stack([packed.features[i] for i in ids]).astype(np.float16)


def test_shape(reader):
    assert (reader.n_rows, reader.views, reader.width) == (50, 4, WIDTH)
    assert reader.dtype == np.float16
    assert reader.nbytes == 50 * 4 * WIDTH * 2
    assert reader.attributes["backbone"] == "fake"
    assert reader.encoder == reader.encoder_of(3) == ENCODER


@pytest.mark.parametrize(
    "rows", [[0], [49], [0, 49], [15, 16, 17], [3, 5, 7, 31, 32, 48, 49], list(range(50)), []]
)
def test_chosen_rows(reader, whole, rows):
    np.testing.assert_array_equal(reader.read(np.array(rows, dtype=int)), whole[rows])


def test_memory_that_is_there_is_filled(reader, whole):
    rows = np.array([3, 5, 7, 31, 32, 48, 49])
    room = np.zeros((7, *whole.shape[1:]), whole.dtype)
    assert reader.read(rows, room) is room
    np.testing.assert_array_equal(room, whole[rows])


def test_a_system_that_gives_little_at_a_time_is_asked_again(reader, whole, monkeypatch):
    """As Linux does beyond 2 GB, and network file systems whenever they like."""
    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, rooms, at: preadv(file, [rooms[0][:7]], at))
    np.testing.assert_array_equal(reader.read(), whole)


def test_a_file_that_was_cut_off_meanwhile_is_named(city):
    with city.reader() as reader:
        with city.shards[1].open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(StoreError, match=r"shard_001\.h5 ends too early.*hdf5_shards"):
            reader.read()


@pytest.mark.parametrize("rows", [[5, 3], [1, 1], [-1], [50]])
def test_rows_must_ascend_within_the_file(reader, rows):
    with pytest.raises(ValueError, match="ascend"):
        reader.read(np.array(rows))


@pytest.mark.parametrize("chunk_rows", [1, 7, 16, 1000])
def test_a_stream_gives_the_masks_rows_once_in_order(reader, whole, chunk_rows):
    mask = np.random.default_rng(0).random(50) < 0.4
    chunks = list(reader.stream(mask, chunk_rows=chunk_rows))
    rows = np.concatenate([rows for rows, _ in chunks])
    features = np.concatenate([features for _, features in chunks])
    np.testing.assert_array_equal(rows, np.flatnonzero(mask))
    np.testing.assert_array_equal(features, whole[mask])
    assert max(len(rows) for rows, _ in chunks) <= chunk_rows


def test_a_stream_without_a_mask_is_everything(reader, whole):
    assert np.array_equal(np.concatenate([f for _, f in reader.stream()]), whole)


def test_a_mask_of_another_length(reader):
    with pytest.raises(ValueError, match=r"mask.*49.*50"):
        next(reader.stream(np.ones(49, bool)))


def test_a_shard_that_was_swapped_is_noticed(city):
    first, second = city.shards[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(StoreError, match=r"shard_000\.h5.*other locations"):
        city.reader()


def test_a_truncated_shard_is_named(city):
    city.shards[2].write_bytes(city.shards[2].read_bytes()[:200])
    with pytest.raises(StoreError, match=r"shard_002\.h5.*not readable"):
        city.reader()


def test_a_missing_shard_is_noticed(city):
    city.shards = city.shards[:-1]
    with pytest.raises(StoreError, match=r"rows\.parquet.*50.*48"):
        city.reader()


def test_files_of_unlike_precision_are_read_in_the_widest(tmp_path):
    files, parts = [], [("half", np.float16, 0.1), ("single", np.float32, 1e5)]
    for name, dtype, value in parts:
        files.append(tmp_path / f"{name}.h5")
        with h5py.File(files[-1], "w") as file:
            file["features"] = np.full((3, 4, WIDTH), value, dtype)
            file["location_id"] = np.array([f"{name}{n}" for n in range(3)], dtype=object)
    ids = [f"{name}{n}" for name, *_ in parts for n in range(3)]
    rows = pd.DataFrame({"shard": [0] * 3 + [1] * 3, "row": [*range(3)] * 2, "location_id": ids})
    for order in (1, -1):
        rows["shard"] = rows["shard"] if order == 1 else 1 - rows["shard"]
        with ShardReader(files[::order], rows) as reader:
            assert reader.dtype == np.float32
            for chosen in ([0, 2, 3, 5], list(range(6))):
                values = reader.read(np.array(chosen))[:, 0, 0]
                half = np.array([n < 3 for n in chosen]) == (order == 1)
                assert (values[half] == np.float16(0.1)).all()
                assert (values[~half] == 1e5).all()
