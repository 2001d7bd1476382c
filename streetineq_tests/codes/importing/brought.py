"""Files of codes as people bring them, for tests to spoil."""

import h5py
import numpy as np
import pandas as pd

WIDTH = 6
IDS = ["L03", "L00", "L02", "L01"]  # nobody's files are sorted
CODES = np.random.default_rng(0).normal(-5, 8, (len(IDS), 4, WIDTH)).astype(np.float32)
CODE_OF = dict(zip(IDS, CODES, strict=True))


def write_hdf5(path, codes=CODES, *, chunks=None, **columns):
    """The original's layout; `columns` are further datasets, such as `location_id`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"chunks": chunks, "compression": "gzip"} if chunks else {}
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=codes, **options)
        for name, values in columns.items():
            file[name] = values
    return path


def write_ids(path, ids=IDS, **columns):
    pd.DataFrame({"location_id": ids, **columns}).to_csv(path, index=False)
    return path


def by_view(ids=IDS, codes=CODES, views="abcd"):
    """A row for each location and view: `location_id, view`, and the codes (n * views, width)."""
    names = pd.DataFrame(
        {"location_id": np.repeat(ids, len(views)), "view": list(views) * len(ids)}
    )
    return names, codes.reshape(-1, codes.shape[-1])


def in_lists(names, codes):
    return names.assign(code=list(codes))


def in_columns(names, codes):
    return names.join(pd.DataFrame(codes, columns=[f"c{n}" for n in range(codes.shape[1])]))
