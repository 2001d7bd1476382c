"""Packing a city's buckets into shards.

What belongs here: the checks that a city's codes must pass, and writing rows into their places
without holding the city in memory. What does not: reading shards (`shards`), the choice between
float16 and float32 (`statistics`), and any label.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.feature_statistics import FeatureStatistics, storage_type
from streetineq_assets.codes.image_loading import MISSING, reasons_by_location
from streetineq_assets.codes.plots import code_statistics
from streetineq_assets.codes.shards import shard_order
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import clear_disk_errors
from streetineq_assets.findings import Check, Findings, Scalar
from streetineq_assets.images.catalogue import VIEWS, bucket_of
from streetineq_assets.plotting import save_png

MAX_SHARED_IMAGES = 0.001
# fc6 before its ReLU varies with every image; behind a ReLU many features may be 0 for a city.
MAX_DEAD_UNITS_IN_FC6 = 0.01
MAX_DEAD_UNITS = 0.5
# Mean and standard deviation of VGG16's fc6 over London with ImageNet weights, as published.
PUBLISHED_MEAN, PUBLISHED_SD = -5.24, 8.17


@dataclass(frozen=True)
class City:
    """What the buckets of a city hold, beside the features.

    Attributes:
        listed: the location ids of `street_images`.
        codes: one row per extracted location: `location_id, bucket`.
        image_sha256: (n, 4) bytes, aligned with `codes`.
        reasons: location id to reason, of those without codes.
        identities: encoder of each bucket.
        digests: content of each bucket.
        attributes: of the first bucket.
    """

    listed: Sequence[str]
    codes: pd.DataFrame
    image_sha256: np.ndarray
    reasons: dict[str, str]
    identities: dict[str, dict[str, Any]]
    digests: list[str]
    attributes: dict[str, Any]

    @property
    def account(self) -> dict[str, int]:
        """Listed, extracted, rejected and missing locations."""
        missing = sum(reason == MISSING for reason in self.reasons.values())
        return {
            "listed": len(self.listed),
            "extracted": len(self.codes),
            "rejected": len(self.reasons) - missing,
            "missing": missing,
        }


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
) -> Findings:
    """Check a city's buckets, and write `shard_000.h5` and on, and `rows.parquet`.

    Args:
        buckets: key to file, checked against their manifests.
        title: the city's, for the plot.
        listed: the location ids of `street_images`.
        locations: `location_id, lsoa11` of the city's `locations`.
        stale: keys of buckets whose listed images are not those that were encoded.

    Returns:
        The checks; when a blocking one failed, no file is written.

    Raises:
        StoreError: the disk is full.
    """
    city = survey(buckets, listed)
    checks = [
        _one_encoder(city),
        _up_to_date(stale),
        _identity(city, locations),
        _accounting(city),
        _shared_images(city, locations),
    ]
    if not all(check.passed for check in checks):
        return Findings(checks=checks)
    statistics = FeatureStatistics(city.attributes["width"])
    for _, block in _blocks(buckets):
        statistics.add(block)
    checks += _feature_checks(statistics, city.attributes)
    dtype, reason = storage_type(statistics)
    figures = _figures(city, statistics, dtype, reason)
    checks.append(_complete(city))
    findings = Findings(figures, checks, {"without_codes": _reasons_table(city)})
    if all(check.passed for check in checks if check.blocking):
        rows = place_rows(city.codes["location_id"].tolist(), seed, rows_per_shard)
        attributes = _attributes(city, statistics, reason)
        write_shards(buckets, folder, rows, dtype=dtype, attributes=attributes)
        published = (PUBLISHED_MEAN, PUBLISHED_SD) if _is_paper(city.attributes) else None
        save_png(code_statistics(statistics, title, published), folder / "codes.png")
        findings.digest = _digest(city, rows, dtype)
        figures["shards"] = int(rows["shard"].max()) + 1 if len(rows) else 1
    return findings


def _attributes(city: City, statistics: FeatureStatistics, reason: str | None) -> dict[str, Any]:
    return city.attributes | {
        "mean": statistics.mean.astype(np.float32),
        "sd": statistics.sd.astype(np.float32),
        "float32_because": reason or "",
    }


def _digest(city: City, rows: pd.DataFrame, dtype: np.dtype) -> str:
    """Of all that decides the shards' content; their bytes also carry the time of day."""
    told = [city.digests, digest_frame(rows), dtype.name]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def survey(buckets: Mapping[str, Path], listed: Sequence[str]) -> City:
    """Read everything but the features."""
    ids, keys, hashes, digests, reasons, identities = [], [], [], [], {}, {}
    attributes: dict[str, Any] = {}
    for key, path in buckets.items():
        with Bucket(path) as bucket:
            contents = bucket.contents
        ids += contents.location_ids
        keys += [key] * len(contents.location_ids)
        hashes.append(np.asarray(contents.image_sha256, dtype="S64").reshape(-1, len(VIEWS)))
        reasons |= reasons_by_location(contents.rejections)
        if not attributes or not attributes["width"]:  # a bucket without images has no encoder
            attributes = dict(contents.attributes)
        identities[key] = contents.identity
        digests.append(contents.attributes["content_sha256"])
    attributes.pop("content_sha256", None)
    codes = pd.DataFrame({"location_id": pd.Series(ids, dtype="str"), "bucket": keys})
    return City(listed, codes, np.concatenate(hashes), reasons, identities, digests, attributes)


def place_rows(location_ids: Sequence[str], seed: int, rows_per_shard: int) -> pd.DataFrame:
    """`shard, row, location_id` in the order of the hash, shards filled one after another."""
    order = shard_order(location_ids, seed)
    position = np.arange(len(order))
    return pd.DataFrame(
        {
            "shard": (position // rows_per_shard).astype(np.int32),
            "row": (position % rows_per_shard).astype(np.int32),
            "location_id": pd.Series(location_ids, dtype="str").iloc[order].to_numpy(),
        }
    )


def write_shards(
    buckets: Mapping[str, Path],
    folder: Path,
    rows: pd.DataFrame,
    *,
    dtype: np.dtype,
    attributes: Mapping[str, Any],
) -> None:
    """Read bucket after bucket and put each row into its place; one block is in memory."""
    with clear_disk_errors(folder), ExitStack() as files:
        datasets = [
            _create_shard(files, folder / f"shard_{shard:03d}.h5", part, dtype, attributes)
            for shard, part in (rows.groupby("shard") if len(rows) else [(0, rows)])
        ]
        places = zip(rows["shard"].tolist(), rows["row"].tolist(), strict=True)
        place = dict(zip(rows["location_id"], places, strict=True))
        for ids, block in _blocks(buckets):
            for location_id, features in zip(ids, block.astype(dtype), strict=True):
                shard, row = place[location_id]
                datasets[shard][row] = features
        rows.to_parquet(folder / "rows.parquet", index=False)


def _create_shard(
    files: ExitStack, path: Path, rows: pd.DataFrame, dtype: np.dtype, attributes: Mapping[str, Any]
) -> Any:
    import h5py

    # The layout of 2018 takes attributes above 64 kB, as the means of a very wide code are.
    file = files.enter_context(h5py.File(path, "w", libver=("v110", "v110")))
    ids = rows["location_id"].tolist()
    text = h5py.string_dtype("utf-8")
    file.create_dataset("location_id", data=ids, dtype=text, shape=(len(ids),))
    file.attrs.update(attributes)
    shape = (len(ids), len(VIEWS), attributes["width"])
    return file.create_dataset("features", shape, dtype)


def _blocks(buckets: Mapping[str, Path]) -> Iterator[tuple[list[str], np.ndarray]]:
    for path in buckets.values():
        with Bucket(path) as bucket:
            ids = bucket.contents.location_ids
            for start, block in bucket.blocks():
                yield ids[start : start + len(block)], block


# -- checks --------------------------------------------------------------------------------------


def _one_encoder(city: City) -> Check:
    by_identity: dict[str, list[str]] = {}
    for key, identity in city.identities.items():
        if not identity["width"]:
            continue
        by_identity.setdefault(str(sorted(identity.items())), []).append(key)
    odd = sorted(min(by_identity.values(), key=len)) if len(by_identity) > 1 else []
    text = "all buckets were made by one encoder"
    if odd:
        text = (
            f"another encoder than the others' made {', '.join(odd)}: materialise image_codes of "
            "the whole city, which skips what the study's present encoder made"
        )
    return Check("one_encoder", not odd, text, blocking=True)


def _up_to_date(stale: Sequence[str]) -> Check:
    text = "every bucket was encoded from the images that are listed"
    if stale:
        text = f"the images changed since: materialise image_codes of {', '.join(sorted(stale))}"
    return Check("up_to_date", not stale, text, blocking=True)


def _identity(city: City, locations: pd.DataFrame) -> Check:
    ids, keys = city.codes["location_id"], city.codes["bucket"]
    expected = [
        bucket_of(key.split("/")[0], each, len(city.identities))
        for each, key in zip(ids, keys, strict=True)
    ]
    faults = {
        "are there twice": ids.duplicated(),
        "lie in another's bucket": keys != pd.Series(expected, dtype=keys.dtype),
        "are not in street_images": ~ids.isin(city.listed),
        "are not in locations": ~ids.isin(locations["location_id"]),
    }
    found = [f"{int(wrong.sum())} ids {text}" for text, wrong in faults.items() if wrong.any()]
    text = "; ".join(found) or f"all {len(ids)} ids are listed locations, once, in their bucket"
    return Check("identity", not found, text, blocking=True)


def _accounting(city: City) -> Check:
    count = city.account
    told = set(city.codes["location_id"]) | set(city.reasons)
    passed = told == set(city.listed) and count["listed"] == (
        count["extracted"] + count["rejected"] + count["missing"]
    )
    text = "{listed} listed = {extracted} extracted + {rejected} rejected + {missing} missing"
    return Check("accounting", passed, text.format(**count), blocking=True)


def _shared_images(city: City, locations: pd.DataFrame) -> Check:
    """Images whose bytes occur in two LSOAs: then a test area's image is in training too."""
    areas = locations.drop_duplicates("location_id").set_index("location_id")["lsoa11"]
    area = pd.factorize(city.codes["location_id"].map(areas))[0].repeat(len(VIEWS))
    hashes = np.unique(city.image_sha256.reshape(-1), return_inverse=True)[1]
    pairs = np.unique(np.stack([hashes[area >= 0], area[area >= 0]]), axis=1)
    areas_of_hash = np.bincount(pairs[0], minlength=hashes.max(initial=-1) + 1)
    shared = int((areas_of_hash[hashes] > 1).sum())
    share = shared / max(len(hashes), 1)
    return Check(
        "shared_images",
        share <= MAX_SHARED_IMAGES,
        f"{shared} of {len(hashes)} images occur in two LSOAs (at most {MAX_SHARED_IMAGES:.1%})",
        blocking=True,
        values={"shared_images": shared, "share": share},
    )


def _feature_checks(statistics: FeatureStatistics, attributes: Mapping[str, Any]) -> list[Check]:
    width, dead = len(statistics.mean), statistics.dead_units
    most = MAX_DEAD_UNITS_IN_FC6 if attributes["layer"] == "fc6" else MAX_DEAD_UNITS
    checks = [
        Check(
            "finite",
            statistics.not_finite == 0,
            f"{statistics.not_finite} images have codes that are not finite",
            blocking=True,
        ),
        Check(
            "dead_units",
            dead <= most * width,
            f"{dead} of {width} features have one value for all images "
            f"(at most {most:.0%} in layer {attributes['layer']})",
            blocking=True,
            values={"dead_units": dead},
        ),
    ]
    mean, sd = statistics.overall
    paper = _is_paper(attributes)
    near = abs(mean - PUBLISHED_MEAN) <= 2 and 0.7 <= sd / PUBLISHED_SD <= 1.4
    text = f"mean {mean:.2f}, sd {sd:.2f}; published for London {PUBLISHED_MEAN}, {PUBLISHED_SD}"
    if not paper:
        text += "; not compared, since these are other weights"
    return [*checks, Check("like_published", near or not paper or not statistics.count, text)]


def _is_paper(attributes: Mapping[str, Any]) -> bool:
    told = (attributes["backbone"], attributes["layer"], attributes["weights"])
    return told == ("vgg16", "fc6", "imagenet")


def _complete(city: City) -> Check:
    without = len(city.reasons)
    return Check(
        "complete", without == 0, f"{without} of {len(city.listed)} listed locations have no codes"
    )


def _figures(
    city: City, statistics: FeatureStatistics, dtype: np.dtype, reason: str | None
) -> dict[str, Scalar]:
    mean, sd = statistics.overall
    told = ("backbone", "layer", "weights", "weights_sha256", "preprocessing", "width")
    figures: dict[str, Scalar] = {
        **city.account,
        **{name: city.attributes[name] for name in told},
        "dtype": dtype.name,
        "float16_error_sd": statistics.float16_error,
        "largest_magnitude": statistics.largest,
        "codes_mean": mean,
        "codes_sd": sd,
        "dead_units": statistics.dead_units,
    }
    return figures | ({"float32_because": reason} if reason else {})


def _reasons_table(city: City) -> list[dict[str, Scalar]]:
    counts = pd.Series(list(city.reasons.values()), dtype="str").value_counts().sort_index()
    return [{"reason": reason, "locations": int(n)} for reason, n in counts.items()]
