"""Packing a city's buckets into shards, without holding the city in memory."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from streetineq_assets import tables
from streetineq_assets.codes import checks
from streetineq_assets.codes.accounting import MOST_NAMED
from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.feature_statistics import FeatureStatistics, Storage, storage_type
from streetineq_assets.codes.hdf5 import new_hdf5
from streetineq_assets.codes.inventory import Inventory, take_inventory
from streetineq_assets.codes.neighbours import nearest_views
from streetineq_assets.codes.plots import (
    plot_code_statistics,
    plot_contact_sheet,
    plot_image_quality,
)
from streetineq_assets.codes.quality import FIGURES, quality_counts
from streetineq_assets.codes.quality_checks import IMAGES_USABLE, images_usable
from streetineq_assets.codes.repeated_images import (
    REPEATED_FILE,
    digest_codes,
    find_repeated_images,
)
from streetineq_assets.codes.shards import ShardReader, shard_order
from streetineq_assets.codes.tables import (
    IMAGE_QUALITY,
    REPEATED_IMAGES,
    SHARD_ROWS,
    ShardsRecord,
)
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import clear_disk_errors
from streetineq_assets.findings import Check, Findings, Scalar, blocking_failures
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.plotting import save_jpeg, save_png

if TYPE_CHECKING:
    import h5py
    from matplotlib.figure import Figure

Show = Callable[[pd.DataFrame], pd.DataFrame]


def pack_city(
    buckets: Mapping[str, Path],
    folder: Path,
    *,
    title: str,
    listed: Sequence[str],
    locations: pd.DataFrame,
    stale: Sequence[str],
    seed: int,
    rows_per_shard: int,
    show: Show,
) -> Findings:
    """Check a city's buckets, and write its shards.

    Files: `shard_000.h5` and on, `rows.parquet`, `repeated_images.parquet`,
    `image_quality.parquet`, `codes.png`, `quality.png` and, of two locations or more,
    `contact_sheet.jpg`.

    Args:
        buckets: key to file, checked against their manifests.
        title: the city's, for the plot.
        listed: ids of `street_images`.
        locations: `location_id, area`.
        stale: keys of buckets whose listed images are not those that were encoded.
        seed: decides the order of the rows.
        rows_per_shard: at most.
        show: views with their terms and pictures, as `shown_pictures.show_pictures` gives them.

    Returns:
        Checks of `checks.HDF5_SHARDS` and a `ShardsRecord`; no file after one that blocks.

    Raises:
        StoreError: the disk is full.
    """
    city = take_inventory(buckets, listed)
    results = checks.inventory_checks(city, locations, stale)
    if blocking_failures(results):
        return Findings(checks=results)
    statistics, code_digests = _first_reading(buckets, city)
    repeated = find_repeated_images(city.codes["location_id"], city.image_sha256, code_digests)
    results += _code_checks(city, statistics, repeated, locations)
    if blocking_failures(results):
        return Findings(checks=results)
    rows = place_rows(city.codes["location_id"].tolist(), seed, rows_per_shard)
    tables.write(repeated, REPEATED_IMAGES, folder / REPEATED_FILE)
    save_png(plot_code_statistics(statistics, title, _published(city)), folder / "codes.png")
    tables.write(_quality_of_views(city), IMAGE_QUALITY, folder / "image_quality.parquet")
    save_png(plot_image_quality(city.quality, title), folder / "quality.png")
    written = _write_codes(city, buckets, statistics, rows, folder)
    if len(rows) > 1:
        figure = _contact_sheet(folder, rows, repeated, show, title)
        save_jpeg(figure, folder / "contact_sheet.jpg")
    return replace(written, checks=results, tables=_shown(city, repeated))


def _write_codes(
    city: Inventory,
    buckets: Mapping[str, Path],
    statistics: FeatureStatistics,
    rows: pd.DataFrame,
    folder: Path,
) -> Findings:
    """Write the shards, and say what they hold."""
    storage = storage_type(statistics)
    attributes = _attributes(city, statistics, storage.reason)
    places = pd.Index(city.codes["location_id"]).get_indexer(rows["location_id"])
    present = city.present[places]
    write_shards(buckets, folder, rows, present, dtype=storage.dtype, attributes=attributes)
    return Findings(
        values=_values(city, statistics, storage, rows),
        record=_record(city, storage.dtype),
        n_rows=len(rows),
        holdings={"locations with codes": len(rows)},
        digest=_digest(city, rows, storage.dtype),
    )


def _contact_sheet(
    folder: Path, rows: pd.DataFrame, repeated: pd.DataFrame, show: Show, title: str
) -> "Figure":
    with ShardReader(sorted(folder.glob("shard_*.h5")), rows) as reader:
        found = nearest_views(reader, repeated)
        synthetic = bool(reader.attributes.get("synthetic", False))
    return plot_contact_sheet(show(found), title, synthetic=synthetic)


def _shown(city: Inventory, repeated: pd.DataFrame) -> dict[str, list[dict[str, Scalar]]]:
    named = repeated.head(MOST_NAMED).astype(object).to_dict("records")
    return {"without_codes": city.account.table(), "repeated_images": named}


def _code_checks(
    city: Inventory, statistics: FeatureStatistics, repeated: pd.DataFrame, locations: pd.DataFrame
) -> list[Check]:
    return [
        checks.few_shared_images(repeated, locations, city.n_images),
        *checks.feature_checks(statistics, city.encoder),
        checks.complete(city.account),
        _images_usable(city),
    ]


def _images_usable(city: Inventory) -> Check:
    if city.encoder.is_imported:
        return IMAGES_USABLE.not_tested("codes were brought, and no image was read", passed=True)
    return images_usable(city.codes["location_id"].tolist(), city.quality)


def _quality_of_views(city: Inventory) -> pd.DataFrame:
    """A frame of `IMAGE_QUALITY`, ascending by location."""
    ids, views = city.codes["location_id"], VIEWS[: city.present.shape[1]]
    figures = dict(zip(FIGURES, city.quality.reshape(-1, len(FIGURES)).T, strict=True))
    frame = pd.DataFrame(
        {
            "location_id": ids.repeat(len(views)).to_numpy(),
            "view": list(views) * len(ids),
            **figures,
        }
    )[city.present.reshape(-1)]
    return tables.conform(frame.sort_values(["location_id", "view"]), IMAGE_QUALITY)


def place_rows(location_ids: Sequence[str], seed: int, rows_per_shard: int) -> pd.DataFrame:
    """A frame of `SHARD_ROWS` in the order of the hash, shards filled one after another."""
    order = shard_order(location_ids, seed)
    position = np.arange(len(order))
    rows = pd.DataFrame(
        {
            "shard": position // rows_per_shard,
            "row": position % rows_per_shard,
            "location_id": pd.Series(location_ids, dtype="str").iloc[order].to_numpy(),
        }
    )
    return tables.conform(rows, SHARD_ROWS)


def write_shards(
    buckets: Mapping[str, Path],
    folder: Path,
    rows: pd.DataFrame,
    present: np.ndarray,
    *,
    dtype: np.dtype,
    attributes: Mapping[str, Any],
) -> None:
    """Read bucket after bucket and put each row into its place; one block is in memory.

    Args:
        rows: as `place_rows` gives them.
        present: (n, V) bool, aligned with these.
        dtype: of the features in the shards.
        attributes: of each shard; `width` is the features'.

    Raises:
        StoreError: the disk is full.
    """
    with clear_disk_errors(folder), ExitStack() as files:
        datasets = []
        for shard, part in rows.groupby("shard") if len(rows) else [(0, rows)]:
            path = folder / f"shard_{shard:03d}.h5"
            file = _create_shard(path, part, present[part.index], dtype, attributes)
            datasets.append(files.enter_context(file)["features"])
        places = zip(rows["shard"].tolist(), rows["row"].tolist(), strict=True)
        place = dict(zip(rows["location_id"], places, strict=True))
        for ids, block in _blocks(buckets):
            for location_id, features in zip(ids, block.astype(dtype), strict=True):
                shard, row = place[location_id]
                datasets[shard][row] = features
        tables.write(rows, SHARD_ROWS, folder / "rows.parquet")


@contextmanager
def _create_shard(
    path: Path,
    rows: pd.DataFrame,
    present: np.ndarray,
    dtype: np.dtype,
    attributes: Mapping[str, Any],
) -> Generator["h5py.File"]:
    """A shard whose features are still to be filled in."""
    import h5py

    ids = rows["location_id"].tolist()
    shape = (*present.shape, attributes["width"])
    # The layout of 2018 takes attributes above 64 kB, as the means of a very wide code are.
    with new_hdf5(path, shape, dtype, libver=("v110", "v110")) as file:
        text = h5py.string_dtype("utf-8")
        file.create_dataset("location_id", data=ids, dtype=text, shape=(len(ids),))
        file.attrs.update(attributes)
        if not present.all():
            file.create_dataset("present", data=present)
        file.create_dataset("features", shape, dtype)
        yield file


def _first_reading(
    buckets: Mapping[str, Path], city: Inventory
) -> tuple[FeatureStatistics, np.ndarray]:
    """Statistics of the codes that are there, and a digest (n, V) of each view's, else empty.

    Rows are in the order of the buckets.
    """
    statistics, start = FeatureStatistics(city.encoder.width), 0
    digests = [digest_codes(np.empty((0, city.present.shape[1], 1), np.float32))]
    for _, block in _blocks(buckets):
        present = city.present[start : start + len(block)]
        statistics.add(block if present.all() else block[present])
        found = digest_codes(block)
        found[~present] = b""
        digests.append(found)
        start += len(block)
    return statistics, np.concatenate(digests)


def _blocks(buckets: Mapping[str, Path]) -> Iterator[tuple[Sequence[str], np.ndarray]]:
    for path in buckets.values():
        with Bucket(path) as bucket:
            ids = bucket.contents.location_ids
            for start, block in bucket.blocks():
                yield ids[start : start + len(block)], block


def _attributes(
    city: Inventory, statistics: FeatureStatistics, reason: str | None
) -> dict[str, Any]:
    return {
        **city.encoder.attributes,
        **city.attributes,
        "mean": statistics.moments.mean.astype(np.float32),
        "sd": statistics.moments.sd.astype(np.float32),
        "float32_because": reason or "",
    }


def _published(city: Inventory) -> tuple[float, float] | None:
    """Mean and standard deviation to compare with, where the codes are comparable."""
    if not checks.is_paper(city.encoder):
        return None
    return checks.PUBLISHED_MEAN, checks.PUBLISHED_SD


def _digest(city: Inventory, rows: pd.DataFrame, dtype: np.dtype) -> str:
    """Of all that decides the shards' content; their bytes also carry the time of day."""
    decisive = [city.digests, digest_frame(rows), dtype.name]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _values(
    city: Inventory, statistics: FeatureStatistics, storage: Storage, rows: pd.DataFrame
) -> dict[str, Scalar]:
    mean, sd = statistics.overall
    values: dict[str, Scalar] = {
        **city.account.values(),
        **city.encoder.attributes,
        "n_shards": int(rows["shard"].max()) + 1 if len(rows) else 1,
        "dtype": storage.dtype.name,
        "float16_error_sd": statistics.float16_error,
        "largest_magnitude": statistics.largest,
        "codes_mean": mean,
        "codes_sd": sd,
        "n_dead_units": statistics.n_dead_units,
        "n_views": city.present.shape[1],
        "n_absent_views": city.n_absent_views,
        **quality_counts(city.quality),
    }
    return values | ({"float32_because": storage.reason} if storage.reason else {})


def _record(city: Inventory, dtype: np.dtype) -> ShardsRecord:
    return ShardsRecord(
        **city.account.values(),
        without_codes=city.account.without_codes,
        encoder=city.encoder,
        synthetic=bool(city.attributes.get("synthetic", False)),
        dtype=dtype.name,
        n_views=city.present.shape[1],
        n_absent_views=city.n_absent_views,
    )
