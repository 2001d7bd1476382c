"""What of earlier work on codes still holds.

What belongs here: which buckets' images changed since they were encoded, which published files may
hold rows of a bucket, and rows that move when a city is cut into another number of buckets. What
does not: the extraction that uses them (`extraction`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from streetineq_assets.codes.bucket_file import Bucket, Contents, write_bucket
from streetineq_assets.images.catalogue import slice_digests
from streetineq_assets.store import DataStore

_ASSET = "image_codes"
_MOST_BUCKETS = 999
_ROWS = 256


def earlier_files(store: DataStore, key: str, buckets: int) -> dict[str, Path]:
    """Published files, by key, in which rows of a bucket may stand: undamaged ones only.

    They are the bucket's own, and those of the city that were cut with another number of buckets.
    """
    city = key.split("/", maxsplit=1)[0]
    found = {}
    for number in range(_MOST_BUCKETS + 1):
        manifest = store.manifest(_ASSET, f"{city}/{number:03d}")
        if manifest is None:
            continue
        own = manifest.partition == key
        other_cut = manifest.summary["values"]["buckets"] != buckets
        if (own or other_cut) and store.intact(_ASSET, manifest.partition):
            found[manifest.partition] = store.folder(_ASSET, manifest.partition) / f"{_ASSET}.h5"
    return found


def hand_over(
    path: Path, *, own: str, key_of: Callable[[str], str], workspace: Callable[[str], Path]
) -> int:
    """Give rows that now belong to other buckets to them, before their file is replaced.

    After a change of the number of buckets a published file holds rows of several. They become part
    files in the workspaces of the buckets that they belong to.

    Args:
        path: the published file of bucket `own`.
        key_of: the bucket of a location id.

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
    encoded = {key: store.manifest("image_codes", key) for key in digests}
    return {
        key: digest
        for key, digest in digests.items()
        if encoded[key] is None or encoded[key].recipe.inputs.get("street_images") != digest
    }
