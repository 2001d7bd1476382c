"""Small pictures of views for people, where these may be shown, with their credits.

A picture is shown only where the study says that it shows images, the terms of its provider and
licence allow that, and the file is still the one that was encoded, by its sha256.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.cutting import Cut, cut_view, decode_panorama, image_sha256
from streetineq_assets.codes.image_loading import (
    SOURCE,
    Locate,
    LocationImages,
    read_archives,
    read_images,
    source_of,
)
from streetineq_assets.codes.preprocess import ImageRejectedError
from streetineq_assets.codes.thumbnails import thumbnail
from streetineq_assets.image_settings import Rights, Views
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.images.files import locate
from streetineq_assets.images.rights import NO, YES, rights_of
from streetineq_assets.store import Artefact, DataStore

Image = tuple[str, str]  # location and view
CREDIT = ("provider", "licence", "creator")
_NOT_SHOWN = "the study shows no images: show_images under [rights] in study.toml is false"


@dataclass(frozen=True)
class Pictures:
    """Where a city's images lie, and what they were when they were encoded.

    Attributes:
        locate: the file of a path of `street_images`.
        listed: `location_id, view, status` of the images that are asked for, and `SOURCE`.
        encoded: their `image_sha256` where the codes that were explained were made of them.
        views: `[views]` of study.toml.
    """

    locate: Locate
    listed: pd.DataFrame
    encoded: Mapping[Image, str]
    views: Views


def read_licences(store: DataStore, city: str) -> pd.DataFrame:
    """`location_id, provider, licence, creator` of a city's locations, ascending by location.

    Of locations of an earlier version, which had no creators, these are missing.

    Raises:
        StoreError: the city's `locations` are absent or damaged.
    """
    listed = store.open("locations", city).table()
    table = listed.reindex(columns=["location_id", *CREDIT]).astype(dict.fromkeys(CREDIT, "str"))
    return table.sort_values("location_id", ignore_index=True)


def show_pictures(
    views: pd.DataFrame, licences: pd.DataFrame, rights: Rights, pictures: Pictures | None
) -> pd.DataFrame:
    """Views with their terms, and a thumbnail or why there is none.

    Args:
        views: `location_id, view` and whatever else.
        licences: `location_id, provider, licence, creator` of the city's locations.
        pictures: of the views; None where the study shows no images.

    Returns:
        The views with `provider, licence, creator` as listed, `conditions`, `why_not_shown` and
        `thumbnail` (JPEG, bytes); None where there is nothing to say.
    """
    frame = views.merge(licences, on="location_id", how="left", validate="many_to_one")
    frame = frame.astype(dict.fromkeys(CREDIT, object))
    frame = frame.where(frame.notna(), None)
    terms = [rights_of(row.provider, row.licence, rights) for row in frame.itertuples()]
    whys: list[str | None] = [_why_forbidden(each) for each in terms]
    if pictures is None:
        whys = [_NOT_SHOWN] * len(frame)
    keys = list(zip(frame["location_id"], frame["view"], strict=True))
    allowed = [key for key, why in zip(keys, whys, strict=True) if why is None]
    found = read_thumbnails(allowed, pictures) if pictures else {}
    shown = [found[key] if why is None else why for key, why in zip(keys, whys, strict=True)]
    return frame.assign(
        conditions=pd.Series([each["conditions"] for each in terms], dtype=object),
        why_not_shown=pd.Series([x if isinstance(x, str) else None for x in shown], dtype=object),
        thumbnail=pd.Series([x if isinstance(x, bytes) else None for x in shown], dtype=object),
    )


def _why_forbidden(terms: Mapping[str, str | None]) -> str | None:
    """Why images under these terms are not shown; None where they may be."""
    answer = terms["show_images"]
    images = f"images of the provider {terms['provider']} under the licence {terms['licence']}"
    if answer == YES:
        return None
    if answer == NO:
        by = "the study's agreement does not allow" if terms["agreement"] else "terms do not allow"
        return f"{by} {images} to be shown"
    return f"it is not known whether {images} may be shown"


def read_thumbnails(wanted: Iterable[Image], pictures: Pictures) -> dict[Image, bytes | str]:
    """A thumbnail of each image, or in words why there is none."""
    rows = pictures.listed.astype(object).set_index(["location_id", "view"])
    found: dict[Image, bytes | str] = {}
    sources: dict[LocationImages, Image] = {}
    for image in wanted:
        row = rows.loc[image] if image in rows.index else None
        if row is None or row["status"] != "present":
            found[image] = "the image is no longer there"
            continue
        sources[LocationImages(image[0], (source_of(row, pictures.views),))] = image
    for unpacked in read_archives(sources, pictures.locate):
        (data,) = read_images(unpacked, pictures.locate)
        image, (source,) = sources[unpacked.images], unpacked.images.sources
        found[image] = _thumbnail(data, source.cut, pictures.encoded.get(image))
    return found


def _thumbnail(data: bytes | str, cut: Cut | None, encoded: str | None) -> bytes | str:
    if isinstance(data, str):
        return f"the image cannot be read ({data})"
    if encoded is None:
        return "the codes were made again since, so it is not known of which image they were"
    if image_sha256(data, cut) != encoded:
        return "the image was changed since its codes were made"
    try:
        return thumbnail(cut_view(decode_panorama(data, cut.fov, cut.size), cut) if cut else data)
    except ImageRejectedError as error:
        return f"the image cannot be decoded ({error.reason})"


def find_pictures(
    store: DataStore,
    city: str,
    chosen: pd.DataFrame,
    *,
    listing: Artefact,
    bucket_file: Callable[[str], Path | None],
    views: Views,
) -> Pictures:
    """Where views' images lie, and the hashes of those from which their codes were made.

    Args:
        chosen: `location_id, view`.
        listing: `street_images` of the city.
        bucket_file: the codes of a bucket, by its key; None where others stand there by now.
        views: `[views]` of study.toml.
    """
    columns = ["location_id", "view", "status", "bucket", *SOURCE]
    # Listings of earlier versions knew no captures.
    asked_for = chosen[["location_id", "view"]].drop_duplicates()
    listed = listing.table().reindex(columns=columns).merge(asked_for)
    encoded: dict[Image, str] = {}
    for bucket, rows in listed.groupby("bucket"):
        file = bucket_file(str(bucket))
        hashes = _recorded_hashes(file) if file else {}
        images = zip(rows["location_id"], rows["view"], strict=True)
        encoded |= {image: hashes[image] for image in images if image in hashes}
    return Pictures(partial(locate, store, city), listed, encoded, views)


def _recorded_hashes(file: Path) -> dict[Image, str]:
    """sha256 of a bucket's images."""
    with Bucket(file) as bucket:
        contents = bucket.contents
    return {
        (location_id, view): str(digest)
        for location_id, row in zip(contents.location_ids, contents.image_sha256, strict=True)
        for view, digest in zip(VIEWS, row, strict=False)
        if digest  # of a view that is absent, or of codes from elsewhere, there is none
    }
