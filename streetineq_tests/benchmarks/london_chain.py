"""London's study up to its codes, which are simulated: where `bench_london_chain` starts."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets import tables
from streetineq_assets.codes import checks
from streetineq_assets.codes.bucket_file import Contents, write_bucket
from streetineq_assets.codes.bucket_recipe import bucket_recipe
from streetineq_assets.codes.tables import BucketRecord
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import HEADINGS, VIEWS, Catalogue, bucket_of
from streetineq_assets.images.checks import listing_findings
from streetineq_assets.images.tables import ARCHIVE_MEMBERS, FOREIGN_FILES
from streetineq_assets.labels.tables import AVAILABILITY, DECILE_EDGES, LSOA_LABELS
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, bucket_keys, load_study
from streetineq_tests import harness
from streetineq_tests.benchmarks.loaded_study import Size, identity, make_areas, publish_labels
from streetineq_tests.integration import london
from streetineq_tests.models.synthetic import MEAN, SD

CITY, N_AREAS, WIDTH, SEED = "london", 4835, 4096, 2019
LOCATIONS_PER_BUCKET, LOCATIONS_PER_AREA = 1_000, 27
_SIGNAL, _DIRECTIONS = 0.5, 8
_STUDY = """title = "London with simulated codes"
date = 2017-08-01
seed = {seed}
synthetic = true

[encoder]
weights = "random"

[training]
joint = true
seeds = 1
overrides = {{ epochs = {epochs} }}

[evidence]
schemes = [{schemes}]

[cities.london]
title = "Greater London"
buckets = {buckets}
authorities = [{authorities}]
outcomes = [{outcomes}]
"""


def write_london(
    root: Path,
    data: Path | None,
    *,
    n: int,
    epochs: int,
    schemes: Sequence[str],
    outcomes: Sequence[str],
) -> str:
    """Labels, listing, locations and bucket files of `n` locations.

    Args:
        data: the folder of real open data; without it areas and labels are by chance, and there are
            fewer areas for few locations.

    Returns:
        What was made, in words.
    """
    root.mkdir(parents=True)
    store, buckets = DataStore(root), max(1, n // LOCATIONS_PER_BUCKET)
    if data:
        london.write_labels(root, data)
        folder = store.inputs("boundaries")
        folder.mkdir()
        name = "LSOA_2011_BSC_London.geojson.gz"
        shutil.copy(data / "boundaries" / name, folder)
    authorities = [f"E090000{number:02d}" for number in range(1, 34)] if data else ["E09000000"]
    text = _STUDY.format(
        seed=SEED, epochs=epochs, buckets=buckets, schemes=_quoted(schemes),
        authorities=_quoted(authorities), outcomes=_quoted(outcomes),
    )  # fmt: skip
    store.study_file.write_text(text, encoding="utf-8")
    if data:
        real = _fill_labels(store, outcomes)
    else:
        n_areas = min(N_AREAS, max(100, n // LOCATIONS_PER_AREA))
        size = Size(n, n_areas, buckets, len(outcomes))
        publish_labels(store, {CITY: make_areas(CITY, 0, size)}, {CITY: size})
        real = 0
    ids = _list_locations(store, n)
    _publish_listing(store, ids, buckets)
    harness.run(store, "locations", CITY)
    _publish_codes(store, load_study(store.study_file))
    return (
        f"{n:,} locations, {buckets} buckets, labels of {real} outcomes real, of others by chance"
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _fill_labels(store: DataStore, outcomes: Sequence[str]) -> int:
    """Give outcomes without an official file labels by chance; how many have real ones."""
    published = store.open("lsoa_labels")
    labels = published.table()
    labels = labels[labels["city"] == CITY]
    areas = labels.drop_duplicates("area")[["city", "area"]]
    known = set(labels.loc[labels["decile"].notna(), "outcome"]).intersection(outcomes)
    parts = [labels[labels["outcome"].isin(known)]]
    for seed, outcome in enumerate(sorted(set(outcomes) - known)):
        order = np.random.default_rng(seed).permutation(len(areas))
        decile = 1 + order * 10 // len(areas)
        made = areas.assign(outcome=outcome, value=order, national_rank=pd.NA, decile=decile)
        parts.append(made)
    status = {"city": CITY, "outcome": list(outcomes), "status": "available"}
    availability = pd.DataFrame(status).reindex(columns=AVAILABILITY.names)
    content = {
        "lsoa_labels": (pd.concat(parts), LSOA_LABELS),
        "availability": (availability, AVAILABILITY),
        "decile_edges": (tables.empty(DECILE_EDGES), DECILE_EDGES),
    }
    write = harness.writer(content)
    store.publish("lsoa_labels", None, published.manifest.recipe, write, allow_loss=True)
    return len(known)


def _list_locations(store: DataStore, n: int) -> list[str]:
    """A list of locations at postcodes of the city, drawn at random; their ids."""
    columns = ["postcode", "city", "area", "usertype", "terminated"]
    postcodes = store.open("postcode_lsoa").table(columns=columns)
    live = postcodes[(postcodes["city"] == CITY) & postcodes["terminated"].isna()]
    live = live.loc[live["area"].notna() & (live["usertype"] == 0), "postcode"].to_numpy()
    order = np.random.default_rng(SEED).permutation(len(live))
    ids = [f"{number:06d}" for number in range(n)]
    file = store.inputs("locations", f"{CITY}.csv")
    file.parent.mkdir(parents=True)
    at = order[np.arange(n) % len(live)]
    pd.DataFrame({"location_id": ids, "postcode": live[at]}).to_csv(file, index=False)
    return ids


def _publish_listing(store: DataStore, ids: Sequence[str], buckets: int) -> None:
    """`street_images` of files that do not exist."""
    n = len(ids) * len(VIEWS)
    where = np.repeat([bucket_of(CITY, each, buckets) for each in ids], len(VIEWS))
    views = np.tile(list(VIEWS), len(ids))
    location_id = np.repeat(ids, len(VIEWS))
    images = pd.DataFrame(
        {
            "location_id": location_id,
            "view": views,
            "heading": np.tile([HEADINGS[view] for view in VIEWS], len(ids)),
            "path": [f"{i}_{view}.jpg" for i, view in zip(location_id, views, strict=True)],
            "member": None,
            "size_bytes": 40_000,
            "modified_ns": 1,
            "status": "present",
            "reason": None,
            "bucket": where,
        }
    )
    foreign, members = tables.empty(FOREIGN_FILES), tables.empty(ARCHIVE_MEMBERS)
    catalogue = Catalogue(images, foreign, members, n)

    def write(folder: Path) -> Findings:
        catalogue.write(folder)
        return listing_findings(catalogue)

    store.publish("street_images", CITY, Recipe(code_version="1"), write)


def _publish_codes(store: DataStore, study: Study) -> None:
    """Bucket files of noise in which a few directions carry the mean decile of the area."""
    images = store.open("street_images", CITY).table()
    located = store.open("locations", CITY).table(columns=["location_id", "area"])
    labels = store.open("lsoa_labels").table(columns=["area", "decile"]).dropna()
    means = labels.astype({"decile": float}).groupby("area")["decile"].mean()
    level = located.set_index("location_id")["area"].map(means).fillna(5.5) - 5.5
    rng = np.random.default_rng(SEED)
    directions = rng.standard_normal((_DIRECTIONS, WIDTH), np.float32).sum(axis=0) * _SIGNAL
    by_bucket = dict(tuple(images.groupby("bucket")))
    keys = bucket_keys(CITY, study.cities[CITY].buckets)
    for key in keys:
        rows = by_bucket[key]
        ids = sorted(rows["location_id"].unique())

        def write(folder: Path, ids: list[str] = ids) -> Findings:
            codes = rng.standard_normal((len(ids), len(VIEWS), WIDTH), np.float32) * SD + MEAN
            codes += level[ids].to_numpy(np.float32)[:, None, None] * directions
            return _write_bucket(study, folder, ids, codes, rng, len(keys))

        store.publish("image_codes", key, bucket_recipe(store, study, rows, "2"), write)


def _write_bucket(
    study: Study,
    folder: Path,
    ids: list[str],
    codes: np.ndarray,
    rng: np.random.Generator,
    n_buckets: int,
) -> Findings:
    hashes = np.array([[f"{i}{view}".zfill(64) for view in VIEWS] for i in ids])
    pictures = rng.integers(1, 2**63, (len(ids), len(VIEWS)), dtype=np.uint64)
    encoder = identity(study, WIDTH)
    attributes = {"synthetic": True, "versions": "{}"}
    contents = Contents(ids, hashes, encoder, attributes=attributes, image_phash=pictures)
    digest = write_bucket(folder / "image_codes.h5", contents, [codes])
    return Findings(
        checks=[spec.result(True, spec.description) for spec in checks.IMAGE_CODES],
        record=BucketRecord(n_buckets=n_buckets, n_rejected=0, n_without_phash=0, encoder=encoder),
        n_rows=len(ids),
        holdings={f"locations with codes, of {n_buckets} buckets": len(ids)},
        digest=digest,
    )
