"""Codes that somebody brings: what is amiss is refused, in one sentence with a remedy."""

import h5py
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.codes.importing.city_codes import find_codes
from streetineq_assets.errors import SourceError
from streetineq_tests.codes.importing.brought import (
    CODES,
    IDS,
    WIDTH,
    by_view,
    in_columns,
    in_lists,
    write_hdf5,
    write_ids,
)
from streetineq_tests.codes.importing.forms import (
    CITY,
    as_the_original,
    in_compressed_chunks,
    parquet_of_columns,
    parquet_of_lists,
    with_ids_inside,
)


def test_no_file_is_no_error(inputs):
    assert find_codes(inputs.store, CITY) is None
    inputs.folder.rmdir()
    assert find_codes(inputs.store, CITY) is None


@pytest.mark.parametrize("name", ["Leeds.h5", "leeds.npz", "leeds.csv", "leeds.h5.part"])
def test_a_file_under_another_name_is_told(inputs, name):
    (inputs.folder / name).write_bytes(b"x")
    with pytest.raises(SourceError, match=rf"{name} lies there without leeds.h5 or leeds.parquet"):
        find_codes(inputs.store, CITY)


def test_two_files_are_refused(inputs):
    with_ids_inside(inputs)
    parquet_of_lists(inputs)
    assert "leeds.h5 and" in inputs.refusal()


def test_fewer_rows_than_ids(inputs):
    write_hdf5(inputs.hdf5, CODES[:3])
    write_ids(inputs.table)
    text = inputs.refusal()
    assert "leeds.csv has 4 ids" in text
    assert "leeds.h5 3 rows" in text


def test_more_rows_than_ids(inputs):
    write_hdf5(inputs.hdf5)
    write_ids(inputs.table, IDS[:3])
    assert "has 3 ids" in inputs.refusal()


def test_fewer_ids_in_the_file_than_rows(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS[:3])
    assert "location_id is of shape (3,), and there are 4 rows" in inputs.refusal()


def test_no_ids_at_all(inputs):
    write_hdf5(inputs.hdf5)
    text = inputs.refusal()
    assert "no dataset location_id, and there is no leeds.csv beside it" in text
    assert "its 4 rows" in text


def test_repeated_ids(inputs):
    write_hdf5(inputs.hdf5)
    write_ids(inputs.table, ["L00", "L01", "L00", "L00"])
    text = inputs.refusal()
    assert "location 'L00' has two codes, in rows 1 and 3 (2 are repeated)" in text


def test_repeated_views(inputs):
    names, codes = by_view(views="abca")
    in_lists(names, codes).to_parquet(inputs.parquet)
    assert "location 'L03', view a, has two codes, in rows 1 and 4" in inputs.refusal()


def test_a_table_in_another_order(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS)
    write_ids(inputs.table, sorted(IDS))
    text = inputs.refusal()
    assert "leeds.csv is in another order than" in text
    assert "row 1 is 'L00' there and 'L03' in the file itself" in text


def test_a_table_of_other_length_than_the_ids_inside(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS)
    write_ids(inputs.table, IDS[:2])
    assert "has 2 ids, and" in inputs.refusal()


@pytest.mark.parametrize("write", [with_ids_inside, parquet_of_lists, parquet_of_columns])
def test_another_width_than_stated(inputs, write):
    write(inputs)
    text = inputs.refusal(width=512)
    assert "codes of 6 numbers, and encoder.width in study.toml is 512: state 6" in text


def test_more_views_than_there_are_names_for(inputs):
    write_hdf5(inputs.hdf5, np.zeros((4, 5, WIDTH), np.float32), location_id=IDS)
    text = inputs.refusal()
    assert "hold 5 views of a location, and there are names for 4, a, b, c, d" in text


@pytest.mark.parametrize("view", ["e", "45", "front", "360"])
def test_an_unknown_view(inputs, view):
    in_lists(*by_view(views=["a", "b", "c", view])).to_parquet(inputs.parquet)
    text = inputs.refusal()
    assert f"view, row 4: '{view}' is no view" in text
    assert "a, b, c, d or the headings 0, 90, 180, 270" in text
    inputs.parquet.unlink()
    write_hdf5(inputs.hdf5, CODES[:, 0])
    write_ids(inputs.table, view=["a", "a", view, "a"])
    assert "line 4" in inputs.refusal()


def test_views_of_rows_that_hold_several(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS, view=["a"] * 4)
    assert "each row of" in inputs.refusal()


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("write", [as_the_original, in_compressed_chunks, parquet_of_lists])
def test_a_file_that_was_copied_half(inputs, write, share):
    write(inputs)
    path = find_codes(inputs.store, CITY).codes
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "copy it again" in inputs.refusal()


def test_a_damaged_chunk(inputs):
    in_compressed_chunks(inputs)
    with h5py.File(inputs.hdf5) as file:
        at = file["features"].id.get_chunk_info(0).byte_offset
    spoilt = bytearray(inputs.hdf5.read_bytes())
    spoilt[at : at + 4] = b"\0\0\0\0"
    inputs.hdf5.write_bytes(spoilt)
    assert "cannot be read to its end" in inputs.refusal()


def test_a_table_spoilt_by_a_spreadsheet(inputs):
    write_hdf5(inputs.hdf5)
    write_ids(inputs.table, ["1.0E+05", "2", "3", "4"])
    text = inputs.refusal()
    assert "'1.0E+05' is a number that a spreadsheet or a column of floats shortened" in text
    write_ids(inputs.table, ["1234567890123450000", "1234567890123460000", "3", "4"])
    assert "was rounded to 15 digits" in inputs.refusal()


def test_a_table_with_another_separator(inputs):
    write_hdf5(inputs.hdf5)
    inputs.table.write_text("location_id;city\n" + "".join(f"{each};x\n" for each in IDS))
    assert "separated by semicolons: save" in inputs.refusal()


def test_ids_in_floating_point(inputs):
    write_hdf5(inputs.hdf5, location_id=np.arange(4.0))
    assert "floating-point numbers, in which long ids lose digits" in inputs.refusal()
    inputs.hdf5.unlink()
    in_lists(pd.DataFrame({"location_id": np.arange(4.0)}), CODES[:, 0]).to_parquet(inputs.parquet)
    assert "floating-point numbers" in inputs.refusal()


def test_a_row_without_an_id(inputs):
    in_lists(pd.DataFrame({"location_id": ["a", None, "b", "c"]}), CODES[:, 0]).to_parquet(
        inputs.parquet
    )
    assert "location_id is empty in 1 rows: fill it" in inputs.refusal()
    inputs.parquet.unlink()
    write_hdf5(inputs.hdf5, location_id=["L00", "", "L02", "nan"])
    assert "location_id, row 2: '' is no id" in inputs.refusal()


def test_the_codes_of_another_city(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS)
    with inputs.open() as codes, pytest.raises(SourceError) as refused:
        codes.unlisted(["M01", "M00"])
    assert "have no id in common: the first are 'L03' and 'M00'" in str(refused.value)


def test_codes_under_another_name(inputs):
    with h5py.File(inputs.hdf5, "w") as file:
        file["embeddings"] = CODES
    assert "has no dataset features, but embeddings: name the codes features" in inputs.refusal()


@pytest.mark.parametrize(
    "codes",
    [np.zeros(4), np.zeros((4, 4, 3, 2)), np.zeros((4, 0)), np.zeros((4, 2), "S3")],
    ids=["a_line", "four_axes", "no_width", "text"],
)
def test_codes_of_another_shape_or_type(inputs, codes):
    write_hdf5(inputs.hdf5, codes, location_id=IDS)
    assert "expected are numbers of shape (n, views, width) or (n, width)" in inputs.refusal()


def test_which_views_are_there_in_another_shape(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS, present=np.ones((4, 3), bool))
    with pytest.raises(SourceError, match=r"present is of shape \(4, 3\), expected is \(4, 4\)"):
        inputs.read(IDS)


def test_a_file_without_rows(inputs):
    write_hdf5(inputs.hdf5, CODES[:0], location_id=np.zeros(0, np.int64))
    assert "holds no code" in inputs.refusal()
    inputs.hdf5.unlink()
    in_lists(*by_view())[:0].to_parquet(inputs.parquet)
    assert "no code" in inputs.refusal()


def test_parquet_without_ids(inputs):
    in_lists(*by_view()).rename(columns={"location_id": "id"}).to_parquet(inputs.parquet)
    text = inputs.refusal()
    assert "has no column location_id, but id, view, code" in text


def test_parquet_with_other_columns(inputs):
    in_columns(*by_view()).assign(postcode="LS1 1AA").to_parquet(inputs.parquet)
    assert "postcode (string) is no code" in inputs.refusal().replace("large_string", "string")
    in_columns(*by_view()).assign(lat=53.8).to_parquet(inputs.parquet)
    assert "codes of 7 numbers, and encoder.width in study.toml is 6" in inputs.refusal()


def test_parquet_columns_that_were_sorted_as_text(inputs):
    names, codes = by_view(codes=np.zeros((4, 4, 12), np.float32))
    frame = in_columns(names, codes)
    frame[sorted(frame)].to_parquet(inputs.parquet)
    assert "column c2 follows c11: write the columns" in inputs.refusal(width=12)


def test_parquet_codes_of_several_lengths(inputs):
    names, codes = by_view()
    for odd in ([0.0] * 3, None):
        lists = codes.tolist()
        lists[5] = odd
        names.assign(code=lists).to_parquet(inputs.parquet)
        text = inputs.refusal()
        assert f"row 6: a code of {len(odd or [])} numbers, and that of the first row has 6" in text


def test_parquet_of_lists_of_lists(inputs):
    frame = pd.DataFrame({"location_id": IDS, "code": [each.tolist() for each in CODES]})
    frame.to_parquet(inputs.parquet)
    assert "expected are lists of numbers, one list in a row" in inputs.refusal()
