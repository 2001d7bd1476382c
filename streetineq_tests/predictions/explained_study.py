"""The study with codes, with images of its locations and networks that were trained on them.

Codes are not of the images; what is asked is which image a code is said to be of.
"""

import hashlib
from pathlib import Path

import numpy as np

from streetineq_assets.codes.bucket_file import Contents, write_bucket
from streetineq_assets.codes.tables import BucketRecord
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import VIEWS, bucket_of, list_images
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_tests import harness, studies
from streetineq_tests.images.pictures import picture, write_files, write_tar

CITY, PAIR, N_BUCKETS = "alpha", "alpha/crime", 2
ARCHIVED = "old/1.tgz"  # holds views a and b of every third location
SHOWS = studies.WITH_CODES.replace("[folds]", "[rights]\nshow_images = true\n\n[folds]")
OF_PAIR = ("trained_model", "location_predictions")


def write(root: Path, *, toml: str = SHOWS) -> DataStore:
    """The study up to codes and folds, with alpha's images where the listing says."""
    store = studies.write_with_codes(root, toml=toml)
    _, rows = studies.codes_of(CITY)
    ids = sorted(rows["location_id"])
    license_all(store, "Synthetic", "CC0 1.0")
    images = {f"{i}_{v}.png": image(i, v) for i in ids for v in VIEWS}
    archived = {f"{i}_{v}.png" for i in ids[::3] for v in "ab"}
    folder = store.inputs("images", CITY)
    write_files(folder, {name: images[name] for name in images if name not in archived})
    write_tar(folder / ARCHIVED, {name: images[name] for name in sorted(archived)})
    list_again(store)
    publish_buckets(store, {i: [image(i, v) for v in VIEWS] for i in ids})
    for city in ("alpha", "hamlet"):
        harness.run(store, "area_folds", city)
    return store


def image(location_id: str, view: str) -> bytes:
    """A small picture of its own."""
    number = int(location_id.removeprefix("Aloc")) * len(VIEWS) + VIEWS.index(view)
    return picture(number, size=(64, 40))


def license_all(store: DataStore, provider: str | None, licence: str | None) -> None:
    """List all of alpha's locations under these terms, as some lists write them."""
    table = store.open("locations", CITY).table()
    number = np.arange(len(table))
    table = table.assign(provider=provider, licence=licence, weight=number % 3)
    harness.publish(store, "locations", CITY, locations=table)


def list_again(store: DataStore) -> None:
    """Publish `street_images` of what lies there now."""
    _, rows = studies.codes_of(CITY)
    found = list_images(
        store.inputs("images", CITY), sorted(rows["location_id"]), city=CITY, buckets=N_BUCKETS
    )
    harness.publish(store, "street_images", CITY, street_images=found.images)


def publish_buckets(store: DataStore, images: dict[str, list[bytes]]) -> None:
    """Publish `image_codes` of these images, and say that alpha's shards were made of them."""
    inputs = {}
    for number in range(N_BUCKETS):
        key = f"{CITY}/{number:03d}"
        own = {i: images[i] for i in sorted(images) if bucket_of(CITY, i, N_BUCKETS) == key}
        inputs[key] = _publish_bucket(store, key, own)
    harness.publish_again(store, "hdf5_shards", CITY, inputs=inputs)


def _publish_bucket(store: DataStore, key: str, images: dict[str, list[bytes]]) -> str:
    hashes = np.array([[hashlib.sha256(data).hexdigest() for data in v] for v in images.values()])
    blocks = [np.zeros((len(images), len(VIEWS), studies.WIDTH), np.float32)]

    def make(folder: Path) -> Findings:
        contents = Contents(list(images), hashes, studies.ENCODER)
        digest = write_bucket(folder / "image_codes.h5", contents, blocks)
        record = BucketRecord(n_buckets=N_BUCKETS, n_rejected=0, encoder=studies.ENCODER)
        return Findings(record=record, digest=digest)

    return store.publish("image_codes", key, Recipe(code_version="1"), make).digest
