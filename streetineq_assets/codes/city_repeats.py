"""A city's repeats: what they are found in, and the file of `image_repeats`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.image_repeats import KINDS, Places, find_repeats, locations_with
from streetineq_assets.codes.perceptual_hash import PLAIN, UNKNOWN
from streetineq_assets.codes.repeat_checks import repeat_checks
from streetineq_assets.codes.repeated_images import read_repeated_images
from streetineq_assets.codes.tables import IMAGE_REPEATS, ShardsRecord
from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import Findings
from streetineq_assets.geography import national_grid
from streetineq_assets.image_settings import Repeats
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.tables import write

ASSET = "image_repeats"
_MOST_SHOWN = 20


@dataclass(frozen=True)
class RepeatSlices:
    """What a city's repeats are found in.

    Attributes:
        positions: `location_id, area, lat, lon` of the matched locations, ascending by location.
        shards: the city's packed codes, which say which pictures are the same.
        buckets: key to its codes, which say what pictures look like.
    """

    positions: pd.DataFrame
    shards: Artefact
    buckets: dict[str, Artefact]

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        whole = {key: artefact.digest for key, artefact in self.buckets.items()}
        positions = {"positions": digest_frame(self.positions)}
        return whole | positions | {"hdf5_shards": self.shards.digest}


def read_repeat_slices(store: DataStore, city: str, keys: list[str]) -> RepeatSlices:
    """Open what a city's repeats are found in.

    Args:
        keys: the city's buckets.

    Raises:
        StoreError: an artefact is absent or damaged; the message names what to materialise.
    """
    return RepeatSlices(
        read_positions(store, city),
        store.open("hdf5_shards", city),
        {key: store.open("image_codes", key) for key in keys},
    )


def read_positions(store: DataStore, city: str) -> pd.DataFrame:
    """`location_id, area, lat, lon` of the city's matched locations, ascending by location.

    Raises:
        StoreError: the city's `locations` are absent or damaged.
    """
    columns = ["location_id", "area", "lat", "lon", "status"]
    table = store.open("locations", city).table(columns=columns)
    matched = table.loc[table["status"] == "matched", columns[:-1]]
    return matched.sort_values("location_id", ignore_index=True)


def write_repeats(
    store: DataStore, slices: RepeatSlices, settings: Repeats, folder: Path
) -> Findings:
    """Find a city's repeats, and write them unless too many are found.

    Raises:
        TooManyRepeatsError: more than can be listed.
    """
    places = read_places(slices)
    repeats = find_repeats(places, read_repeated_images(store, slices.shards), settings)
    write(repeats, IMAGE_REPEATS, folder / f"{ASSET}.parquet")
    encoder = slices.shards.manifest.read_record(ShardsRecord).encoder
    pairs = repeats["kind"].value_counts()
    pictures = repeats[repeats["kind"] != "near"].head(_MOST_SHOWN)
    return Findings(
        values={
            "n_locations": len(places.location_id),
            "n_locations_without_position": places.n_without_position,
            "n_plain_pictures": int((places.phash == PLAIN).sum()),
            **{f"n_{kind}_pairs": int(pairs.get(kind, 0)) for kind in KINDS},
            **{f"n_{kind}_locations": len(locations_with(repeats, (kind,))) for kind in KINDS},
        },
        checks=repeat_checks(repeats, places, settings, are_imported=encoder.is_imported),
        tables={"repeats": pictures.astype(object).to_dict("records")},
        n_rows=len(repeats),
        # Fewer repeats are no loss.
        holdings={"locations compared": len(places.location_id)},
    )


def read_places(slices: RepeatSlices) -> Places:
    """The locations with codes and an area, with positions and hashes of pictures."""
    hashes = {}
    for artefact in slices.buckets.values():
        with Bucket(artefact.file("image_codes.h5")) as bucket:
            contents = bucket.contents
            ids = contents.location_ids
            hashes |= dict(zip(ids, contents.hashes_of_pictures, strict=True))
    placed = slices.positions[slices.positions["location_id"].isin(hashes.keys())]
    phash = [hashes[location_id] for location_id in placed["location_id"]]
    n_views = max(map(len, hashes.values()), default=0)
    return Places(
        location_id=placed["location_id"].to_numpy(object),
        area=placed["area"].to_numpy(object),
        points=national_grid(placed["lat"], placed["lon"]),
        phash=np.array(phash, UNKNOWN.dtype).reshape(len(phash), n_views),
    )
