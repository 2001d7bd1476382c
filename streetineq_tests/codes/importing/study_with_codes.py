"""A study that brings the very codes that another made of its images, in the original's layout."""

import shutil

import h5py
import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.store import DataStore

MADE = ("street_images", "image_codes", "hdf5_shards", "image_repeats")  # and what is made of them
ENCODER = """[encoder]
family = "imported"
name = "CLIP ViT-B/32"
layer = "pooled"
preprocessing = "its own"
width = {width}
"""


def codes_of_buckets(store: DataStore, city: str) -> dict[str, np.ndarray]:
    """Location to codes (4, width), of all buckets of a city."""
    found = {}
    for manifest in store.manifests("image_codes", city):
        with Bucket(store.path_of(manifest) / "image_codes.h5") as bucket:
            codes = bucket.read(slice(None))
            found |= dict(zip(bucket.contents.location_ids, codes, strict=True))
    return found


def write_codes(store: DataStore, city: str, codes: dict[str, np.ndarray], seed: int = 0) -> None:
    """`features (n, 4, width)` in a random order, and a table of ids beside it."""
    ids = np.random.default_rng(seed).permutation(sorted(codes)).tolist()
    folder = store.inputs("codes")
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / f"{city}.h5", "w") as file:
        file["features"] = np.stack([codes[each] for each in ids])
    pd.DataFrame({"location_id": ids}).to_csv(folder / f"{city}.csv", index=False)


def without_images(store: DataStore, made=MADE) -> None:
    """Take a study's images away, and what was made of them."""
    shutil.rmtree(store.inputs("images"))
    for asset in made:
        shutil.rmtree(store.assets / asset, ignore_errors=True)


def state_encoder(store: DataStore, width: int, further: str = "") -> None:
    """Put the section on the codes in the place of the study's own encoder."""
    before, rest = store.study_file.read_text().split("[encoder]")
    after = rest.partition("\n[")[2]
    text = f"{before}{ENCODER.format(width=width)}{further}\n[{after}"
    store.study_file.write_text(text)
