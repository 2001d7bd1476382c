"""Images that were acquired from a provider, as a city's listing has them.

What is published as `imagery_plan` and `imagery` is read here, by whose tables the schema is known;
how it was acquired is another step's. The plan's own list of locations stands in for the one that
people write, where they wrote none.
"""

from dataclasses import replace

import pandas as pd
from pydantic import BaseModel

from streetineq_assets import tables
from streetineq_assets.errors import StoreError
from streetineq_assets.images.capture_listing import Listing, terms_of_images
from streetineq_assets.images.catalogue import Catalogue
from streetineq_assets.images.files import IMAGERY, imagery_path
from streetineq_assets.images.tables import (
    CAPTURE_USE,
    CAPTURES,
    MISSING,
    REJECTED,
    STREET_IMAGES,
    USED,
)
from streetineq_assets.manifests import Manifest
from streetineq_assets.store import DataStore

NOT_ACQUIRED = "not_acquired"
_ARCHIVE = "captures.tar"
_STATUS = {"fetched": USED, "rejected": REJECTED, "missing": MISSING}
_KEY = ["location_id", "view"]
_CAMERA = ["capture_id", "projection", "compass_deg", "pitch_deg", "roll_deg"]


def imagery_digests(store: DataStore, city: str) -> dict[str, str]:
    """Digest of every part of a city's acquired images; empty where its own list is used."""
    return {f"{IMAGERY}/{part.partition}": part.digest for part in _parts(store, city)}


def _parts(store: DataStore, city: str) -> list[Manifest]:
    if store.inputs("locations", f"{city}.csv").is_file():
        return []
    return [part for part in store.manifests(IMAGERY, city) if not part.unavailable]


class ImageryRecord(BaseModel):
    """What later steps need to know of a bucket's acquired images.

    Attributes:
        keeps_pictures: whether their terms, or an agreement, let them be kept; else they are
            deleted once codes were made of them.
    """

    keeps_pictures: bool


def keeps_pictures(store: DataStore, city: str) -> bool:
    """Whether a city's images are kept: all but those whose terms forbid it."""
    parts = _parts(store, city)
    return all(part.read_record(ImageryRecord).keeps_pictures for part in parts)


def read_imagery(store: DataStore, city: str) -> pd.DataFrame:
    """All that was acquired of a city: a row for each planned view, and the `part` it lies in.

    The archives of pictures, gigabytes, are not read here: extraction hashes each picture.

    Raises:
        StoreError: a part is damaged.
    """
    tables_of_parts = []
    for manifest in _parts(store, city):
        if damage := store.damage(manifest, by_size=True):
            raise StoreError(f"{damage}: materialise {manifest.label} again")
        table = tables.read(store.path_of(manifest) / f"{IMAGERY}.parquet")
        part = str(manifest.partition).partition("/")[2]
        tables_of_parts.append(table.assign(part=part))
    # Where the number of buckets was changed, a view may be planned in two parts.
    rows = pd.concat(tables_of_parts, ignore_index=True).sort_values([*_KEY, "status", "part"])
    return rows.drop_duplicates(_KEY, ignore_index=True)


def list_acquired(catalogue: Catalogue, locations: pd.DataFrame, imagery: pd.DataFrame) -> Listing:
    """List a city's acquired images, beside those that lie in its folder by name.

    Args:
        catalogue: of the city's folder.
        locations: of the schema `LOCATION_LIST`.
        imagery: of `read_imagery`.
    """
    images = catalogue.images.merge(
        imagery[[*_KEY, "status", "reason", "member", "size_bytes", "part", *_CAMERA]],
        on=_KEY,
        how="left",
        suffixes=("", "_acquired"),
    )
    lacking = images["status"] == "missing"
    shown = lacking & (images["status_acquired"] == "fetched")
    paths = [imagery_path(part, _ARCHIVE) for part in images["part"].fillna("")]
    filled = {name: images[f"{name}_acquired"] for name in ("member", "size_bytes", *_CAMERA)}
    filled |= {"path": pd.Series(paths, index=images.index), "modified_ns": 0, "status": "present"}
    for name, values in filled.items():
        images[name] = images[name].mask(shown, values)
    reason = images["reason_acquired"].fillna(NOT_ACQUIRED)
    images["reason"] = images["reason"].mask(lacking, reason).mask(shown)
    conformed = tables.conform(images, STREET_IMAGES)
    use = _use(imagery, conformed)
    return Listing(
        replace(catalogue, images=conformed), use, terms_of_images(locations, conformed, use)
    )


def _use(imagery: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """`CAPTURE_USE`: what became of every capture that was planned."""
    of_capture = imagery.sort_values(["capture_id", "metres", *_KEY]).groupby("capture_id")
    use = of_capture.first().reset_index()
    shown = images.dropna(subset=["capture_id"]).groupby("capture_id")["location_id"]
    use["n_locations"] = use["capture_id"].map(shown.nunique()).fillna(0)
    use["n_views"] = use["capture_id"].map(shown.size()).fillna(0)
    use["status"] = use["status"].map(_STATUS)
    known = [name for name in CAPTURES.names if name in use]
    return tables.conform(
        use[[*known, "status", "reason", "n_locations", "n_views", "metres", "offset_deg"]],
        CAPTURE_USE,
    )
