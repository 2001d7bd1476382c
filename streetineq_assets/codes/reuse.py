"""What of earlier work on codes still holds.

Which buckets' images changed since they were encoded, which published files may hold rows of a
bucket, and the rows that move when a city is cut into another number of buckets.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from streetineq_assets.codes.bucket_file import Bucket, Contents, write_bucket
from streetineq_assets.codes.tables import BucketRecord
from streetineq_assets.images.changes import slice_digests
from streetineq_assets.manifests import Manifest
from streetineq_assets.store import DataStore

_ASSET = "image_codes"
_FILE = "image_codes.h5"
_ROWS = 256


def earlier_files(
    store: DataStore, published: Iterable[Manifest], key: str, n_buckets: int
) -> dict[str, Path]:
    """Published files, by key, in which rows of a bucket may stand: undamaged ones only.

    They are the bucket's own, and those of the city that were cut with another number of buckets.

    Args:
        published: what is published of the city's `image_codes`, `store.manifests`.
        key: the bucket.
        n_buckets: of the city, today.

    Raises:
        StoreError: the version that made one of them did not record its number of buckets.
    """
    return {
        manifest.partition: store.path_of(manifest) / _FILE
        for manifest in published
        if manifest.partition
        and (manifest.partition == key or _of_another_cut(manifest, n_buckets))
        and store.intact(_ASSET, manifest.partition)
    }


def hand_over(
    path: Path, *, own: str, key_of: Callable[[str], str], workspace: Callable[[str], Path]
) -> int:
    """Give rows that now belong to other buckets to them, before their file is replaced.

    After a change of the number of buckets a published file holds rows of several. They become part
    files in the workspaces of the buckets that they belong to.

    Args:
        path: the published file of bucket `own`.
        key_of: the bucket of a location id.
        workspace: the workspace of a bucket.

    Returns:
        The number of rows handed over.
    """
    with Bucket(path) as bucket:
        contents = bucket.contents
        rows = defaultdict(list)
        for row, location_id in enumerate(contents.location_ids):
            rows[key_of(location_id)].append(row)
        rows.pop(own, None)
        for key, chosen in rows.items():
            blocks = (
                bucket.read(chosen[start : start + _ROWS]) for start in range(0, len(chosen), _ROWS)
            )
            part = Contents(
                [contents.location_ids[row] for row in chosen],
                contents.image_sha256[chosen],
                contents.identity,
                image_phash=contents.hashes_of_pictures[chosen],
                image_quality=contents.quality_of_pictures[chosen],
                present=contents.views_present[chosen],
            )
            name = f"part-from-{own.replace('/', '-')}.h5"
            write_bucket(workspace(key) / name, part, blocks)
    return sum(map(len, rows.values()))


def changed_buckets(store: DataStore, city: str, keys: Iterable[str]) -> dict[str, str]:
    """The buckets whose listed images are not those that were encoded, with their slices' digests.

    Raises:
        StoreError: the city's `street_images` are not there.
    """
    images = store.open("street_images", city).table()
    digests = slice_digests(images, keys)
    encoded = {manifest.partition: manifest for manifest in store.manifests(_ASSET, city)}
    return {k: digest for k, digest in digests.items() if is_changed(encoded.get(k), digest)}


def is_changed(encoded: Manifest | None, listed: str) -> bool:
    """Whether a bucket was never encoded, or from other images than are listed now.

    Args:
        listed: digest of what is listed of the bucket, `changes.slice_digests`.
    """
    return encoded is None or encoded.recipe.inputs.get("street_images") != listed


def is_wanted_again(encoded: Manifest | None, *, retry_failed: bool, hash_pictures: bool) -> bool:
    """Whether a bucket is to be made though nothing changed.

    Args:
        encoded: as it is published.
        retry_failed: where locations were rejected.
        hash_pictures: where not all is noted of its pictures; codes that were brought have none.
    """
    if encoded is None:
        return False
    record = encoded.read_record(BucketRecord)
    unhashed = record.n_without_phash != 0 or record.n_without_quality != 0
    has_pictures = record.encoder is None or not record.encoder.is_imported
    return bool(
        (retry_failed and record.n_rejected) or (hash_pictures and unhashed and has_pictures)
    )


def _of_another_cut(manifest: Manifest, n_buckets: int) -> bool:
    return manifest.read_record(BucketRecord).n_buckets != n_buckets
