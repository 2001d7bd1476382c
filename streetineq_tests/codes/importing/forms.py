"""The forms in which codes may be brought, each written into the folder of a study."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streetineq_assets.codes.importing.city_codes import find_codes, open_codes
from streetineq_assets.errors import SourceError
from streetineq_assets.store import DataStore
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
