"""Codes that somebody brings: every form gives the same codes, and what is amiss is refused."""

import re

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streetineq_assets.codes.importing.city_codes import find_codes, open_codes
from streetineq_assets.codes.importing.hdf5_vectors import hdf5_vectors
from streetineq_assets.errors import SourceError
from streetineq_assets.store import DataStore
from streetineq_tests.codes.importing.brought import (
    CODE_OF,
    CODES,
    IDS,
    WIDTH,
    by_view,
    in_columns,
    in_lists,
    write_hdf5,
    write_ids,
)

CITY = "leeds"
REMEDY = (
    r"[:;] (keep|bring|write|state|copy|remove|name|fill|save|import) "
    r"|expected are |every row needs|so it is not empty"
)


class Inputs:
    """The folder of a study into which codes are put."""

    def __init__(self, root):
        self.store = DataStore(root)
        self.folder = self.store.inputs("codes")
        self.folder.mkdir(parents=True)
        self.hdf5 = self.folder / f"{CITY}.h5"
        self.parquet = self.folder / f"{CITY}.parquet"
        self.table = self.folder / f"{CITY}.csv"

    def open(self, width=WIDTH):
        return open_codes(find_codes(self.store, CITY), width=width, scratch=self.store.scratch)

    def read(self, ids, width=WIDTH):
        with self.open(width) as codes:
            return np.concatenate(list(codes.blocks(ids))), codes.present(ids)

    def refusal(self, width=WIDTH, ids=IDS):
        with pytest.raises(SourceError) as refused:
            self.read(ids, width)
        text = str(refused.value)
        assert str(self.folder) in text, "the file is named"
        assert re.search(REMEDY, text)
        return text


@pytest.fixture
def inputs(tmp_path):
    return Inputs(tmp_path)


# -- forms -----------------------------------------------------------------------------------------


def as_the_original(inputs):
    write_hdf5(inputs.hdf5)
    write_ids(inputs.table)


def with_the_original_s_heading(inputs):
    write_hdf5(inputs.hdf5)
    pd.DataFrame({"img_id": IDS, "pcd": "LS1 1AA"}).to_csv(inputs.table, index=False)


def under_the_original_s_suffix(inputs):
    write_hdf5(inputs.folder / f"{CITY}.hdf5")
    write_ids(inputs.table)


def with_ids_inside(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS)


def with_ids_inside_and_beside(inputs):
    write_hdf5(inputs.hdf5, location_id=IDS)
    write_ids(inputs.table)


def in_compressed_chunks(inputs):
    write_hdf5(inputs.hdf5, chunks=(3, 1, 2), location_id=IDS)


def in_double_precision(inputs):
    write_hdf5(inputs.hdf5, CODES.astype(np.float64), location_id=IDS)


def hdf5_by_view(inputs):
    names, codes = by_view()
    write_hdf5(inputs.hdf5, codes, **{name: names[name].tolist() for name in names})


def hdf5_by_heading(inputs):
    names, codes = by_view(views=[0, 90, 180, 270])
    write_hdf5(inputs.hdf5, codes, location_id=names["location_id"].tolist(), view=names["view"])


def hdf5_and_a_table_with_views(inputs):
    names, codes = by_view()
    write_hdf5(inputs.hdf5, codes)
    names.to_csv(inputs.table, index=False)


def parquet_of_lists(inputs):
    in_lists(*by_view()).to_parquet(inputs.parquet)


def parquet_of_lists_of_one_length(inputs):
    names, codes = by_view()
    lists = pa.FixedSizeListArray.from_arrays(codes.reshape(-1), WIDTH)
    table = pa.table({"location_id": names["location_id"], "view": names["view"], "code": lists})
    pq.write_table(table, inputs.parquet)


def parquet_of_columns(inputs):
    in_columns(*by_view()).to_parquet(inputs.parquet)


def parquet_in_another_order_and_small_groups(inputs):
    mixed = in_lists(*by_view()).sample(frac=1, random_state=1)  # with its index as a column
    mixed.to_parquet(inputs.parquet, row_group_size=3)


def parquet_of_half_floats_by_heading(inputs):
    names, codes = by_view(views=["0", "90.0", "180", "270"])
    in_columns(names, codes.astype(np.float16)).to_parquet(inputs.parquet)


FORMS = [
    as_the_original,
    with_the_original_s_heading,
    under_the_original_s_suffix,
    with_ids_inside,
    with_ids_inside_and_beside,
    in_compressed_chunks,
    in_double_precision,
    hdf5_by_view,
    hdf5_by_heading,
    hdf5_and_a_table_with_views,
    parquet_of_lists,
    parquet_of_lists_of_one_length,
    parquet_of_columns,
    parquet_in_another_order_and_small_groups,
    parquet_of_half_floats_by_heading,
]


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


# -- refusals --------------------------------------------------------------------------------------


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
