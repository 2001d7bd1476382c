"""Codes that somebody brings: every form gives the same codes, of the locations asked for."""

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes.importing.city_codes import find_codes
from streetineq_assets.codes.importing.hdf5_vectors import hdf5_vectors
from streetineq_assets.errors import SourceError
from streetineq_tests.codes.importing.brought import (
    CODE_OF,
    CODES,
    IDS,
    WIDTH,
    by_view,
    in_lists,
    write_hdf5,
    write_ids,
)
from streetineq_tests.codes.importing.forms import (
    CITY,
    FORMS,
    in_compressed_chunks,
    parquet_of_lists,
)


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_every_form_gives_the_codes_of_the_locations_that_are_asked_for(inputs, write):
    write(inputs)
    wanted = ["L01", "L03", "L00"]
    codes, present = inputs.read(wanted)
    expected = np.stack([CODE_OF[each] for each in wanted])
    if "half" in write.__name__:
        expected = expected.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(codes, expected)
    assert codes.dtype == np.float32
    assert present.all()


@pytest.mark.parametrize("n_views", [1, 2, 3])
def test_a_location_may_have_fewer_views(inputs, n_views):
    write_hdf5(inputs.hdf5, CODES[:, :n_views], location_id=IDS)
    codes, present = inputs.read(IDS)
    np.testing.assert_array_equal(codes, CODES[:, :n_views])
    assert present.shape == (4, n_views)


def test_one_code_of_a_location_is_one_view(inputs):
    write_hdf5(inputs.hdf5, CODES[:, 0], location_id=IDS)
    in_files, _ = inputs.read(IDS)
    inputs.hdf5.unlink()
    in_lists(pd.DataFrame({"location_id": IDS}), CODES[:, 0]).to_parquet(inputs.parquet)
    in_rows, _ = inputs.read(IDS)
    np.testing.assert_array_equal(in_files, CODES[:, :1])
    np.testing.assert_array_equal(in_rows, CODES[:, :1])


def test_a_view_without_a_row_has_no_code(inputs):
    names, codes = by_view()
    kept = ~((names["location_id"] == "L02") & (names["view"] == "b"))
    in_lists(names[kept], codes[kept]).to_parquet(inputs.parquet)
    codes, present = inputs.read(["L02", "L01"])
    assert present.tolist() == [[True, False, True, True], [True] * 4]
    np.testing.assert_array_equal(codes[0, 1], np.zeros(WIDTH))
    np.testing.assert_array_equal(codes[0, 2], CODE_OF["L02"][2])


def test_an_hdf5_file_may_say_which_views_are_there(inputs):
    present = np.array([[True, True, True, True]] * 3 + [[True, False, True, True]])
    codes = np.where(present[..., None], CODES, np.nan)
    write_hdf5(inputs.hdf5, codes, location_id=IDS, present=present)
    found, stated = inputs.read(IDS)
    np.testing.assert_array_equal(stated, present)
    assert np.isfinite(found).all()


def test_ids_may_be_whole_numbers(inputs):
    write_hdf5(inputs.hdf5, location_id=np.arange(4, dtype=np.int64) + 10**17)
    codes, _ = inputs.read([str(10**17 + 3)])
    np.testing.assert_array_equal(codes[0], CODES[3])


def test_a_large_file_is_read_by_blocks(inputs, monkeypatch):
    write_hdf5(inputs.hdf5, location_id=IDS)
    monkeypatch.setattr("streetineq_assets.codes.importing.city_codes._BLOCK_BYTES", 200)
    with inputs.open() as codes:
        sizes = [len(block) for block in codes.blocks(IDS)]
    assert sizes == [2, 2]


def test_of_a_file_in_chunks_each_is_unpacked_once(tmp_path):
    codes = np.arange(400, dtype=np.float32).reshape(100, 4, 1)
    path = write_hdf5(tmp_path / "x.h5", codes, chunks=(10, 1, 1))
    rows = np.array([3, 5, 9, 10, 57, 58, 99])
    with hdf5_vectors(path) as vectors:
        np.testing.assert_array_equal(vectors.read(rows), codes[rows])


@pytest.mark.parametrize("write", [in_compressed_chunks, parquet_of_lists])
def test_a_packed_file_is_unpacked_when_it_is_read_again(inputs, write):
    write(inputs)
    with inputs.open() as codes:
        once = next(codes.blocks(IDS[:2]))
        path = find_codes(inputs.store, CITY).codes
        again = [next(codes.blocks(IDS[n:])) for n in range(4)]
    np.testing.assert_array_equal(once, CODES[:2])
    for n, block in enumerate(again):
        np.testing.assert_array_equal(block, CODES[n:])
    assert list(inputs.store.scratch.iterdir()) == [], "nothing stays behind"
    assert path.is_file()


def test_a_damaged_file_is_told_when_it_is_unpacked(inputs, monkeypatch):
    in_compressed_chunks(inputs)
    with h5py.File(inputs.hdf5) as file:
        at = file["features"].id.get_chunk_info(20).byte_offset  # of the last row
    spoilt = bytearray(inputs.hdf5.read_bytes())
    spoilt[at : at + 4] = b"\0\0\0\0"
    inputs.hdf5.write_bytes(spoilt)
    with inputs.open() as codes:
        next(codes.blocks(IDS[:1]))
        with pytest.raises(SourceError, match="cannot be read to its end"):
            next(codes.blocks(IDS[:1]))


def test_locations_that_no_list_names_are_told(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS)
    with inputs.open() as codes:
        assert codes.unlisted(["L00", "L01", "L09"]) == ["L03", "L02"]
        assert codes.unlisted([]) == IDS


def test_the_digest_is_of_the_codes_and_of_the_table_beside_them(inputs):
    write_hdf5(inputs.hdf5)
    alone = find_codes(inputs.store, CITY).digest()
    write_ids(inputs.table)
    both = find_codes(inputs.store, CITY).digest()
    write_ids(inputs.table, IDS[::-1])
    assert len({alone, both, find_codes(inputs.store, CITY).digest()}) == 3
