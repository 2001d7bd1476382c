"""Pictures that several locations of a city have in common.

The same picture under two ids is a download that was repeated, a panorama that serves two places,
or a provider's card for no image. Where its locations lie in two areas, networks are tested on a
picture that they learned from; where they lie in one, it only counts more than once. Whether they
do is asked with the areas of the day: a new directory may move a location.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.checks import few_shared_images
from streetineq_assets.codes.tables import REPEATED_IMAGES, ShardsRecord
from streetineq_assets.findings import Check
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.tables import conform

REPEATED_FILE = "repeated_images.parquet"
_DIGEST_BYTES = 16


def digest_codes(block: np.ndarray) -> np.ndarray:
    """A hexadecimal digest (m, V) of each view's codes (m, V, width).

    One encoder gives pictures of the same pixels the same codes to the last bit, whatever their
    files' bytes are.
    """
    found = [
        hashlib.blake2b(np.ascontiguousarray(codes).data, digest_size=_DIGEST_BYTES).hexdigest()
        for location in block
        for codes in location
    ]
    return np.array(found, dtype=f"S{2 * _DIGEST_BYTES}").reshape(block.shape[:2])


def find_repeated_images(
    location_ids: Sequence[str], image_sha256: np.ndarray, code_digests: np.ndarray | None = None
) -> pd.DataFrame:
    """The images whose picture another location has too.

    Args:
        image_sha256: (n, V), `cutting.image_sha256` of each view; empty where it is not known.
        code_digests: (n, V), see `digest_codes`, empty of absent views; without them, other bytes
            are another picture.

    Returns:
        A frame of `REPEATED_IMAGES`, ascending by picture, location and view.
    """
    views = VIEWS[: image_sha256.shape[1]]
    pictures = _numbered(image_sha256.reshape(-1))
    if code_digests is not None:
        pictures = _joined(pictures, _numbered(code_digests.reshape(-1)))
    images = pd.DataFrame(
        {
            "picture": pictures,
            "location_id": pd.Series(location_ids, dtype="str").repeat(len(views)).to_numpy(),
            "view": pd.Series(views * len(location_ids), dtype="str"),
        }
    )
    n_locations = images.groupby("picture")["location_id"].transform("nunique")
    found = images[n_locations > 1].sort_values(["picture", "location_id", "view"])
    return conform(found.assign(picture=pd.factorize(found["picture"])[0]), REPEATED_IMAGES)


def ask_shared_images(store: DataStore, shards: Artefact, locations: pd.DataFrame) -> Check:
    """The check `few_shared_images` of a city's published shards, with the areas of today.

    Args:
        locations: `location_id, area`.
    """
    n_images = shards.manifest.read_record(ShardsRecord).n_images
    return few_shared_images(read_repeated_images(store, shards), locations, n_images)


def read_repeated_images(store: DataStore, shards: Artefact) -> pd.DataFrame:
    """`REPEATED_IMAGES` of a city's published shards.

    Those of an earlier version do not say: then the published buckets' bytes are compared.
    """
    if REPEATED_FILE in shards.manifest.files:
        return shards.table(REPEATED_FILE)
    ids: list[str] = []
    hashes = []
    for manifest in store.manifests("image_codes", str(shards.manifest.partition)):
        with Bucket(store.path_of(manifest) / "image_codes.h5") as bucket:
            ids += bucket.contents.location_ids
            hashes.append(bucket.contents.image_sha256.astype(object).reshape(-1, len(VIEWS)))
    return find_repeated_images(ids, np.concatenate([np.empty((0, len(VIEWS)), object), *hashes]))


def _numbered(digests: np.ndarray) -> np.ndarray:
    """A number for each of the digests (n,), and for each empty one a number of its own."""
    numbers, distinct = pd.factorize(digests)
    unknown = np.flatnonzero(digests == digests.dtype.type())
    numbers[unknown] = len(distinct) + np.arange(len(unknown))
    return numbers


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Groups that hold together what either of two groupings (n,) does."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_first, n_second = first.max(initial=-1) + 1, second.max(initial=-1) + 1
    n = n_first + n_second
    edges = coo_array((np.ones(len(first), bool), (first, n_first + second)), shape=(n, n))
    return connected_components(edges, directed=False)[1][first]
