"""Large studies as they stand after a finished run, written straight into the store.

Every area, postcode and image is invented. Listing, locations and folds are made by their assets;
what would take hours, from codes to report, is published with the recipe that its asset would give
it and with little in its tables. So the sensor, a back-fill and the UI find a whole study.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel

from streetineq_assets import tables
from streetineq_assets.codes import checks
from streetineq_assets.codes.bucket_file import Contents, write_bucket
from streetineq_assets.codes.bucket_recipe import bucket_recipe
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.tables import IMAGE_REPEATS, BucketRecord, ShardsRecord
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.tables import AVAILABILITY, LSOA_LABELS, POSTCODE_LSOA
from streetineq_assets.manifests import Recipe
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.reports import warehouse
from streetineq_assets.reports.pack import material
from streetineq_assets.reports.provenance import artefacts
from streetineq_assets.reports.tables import WAREHOUSE_VIEWS
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, bucket_keys, load_study
from streetineq_tests import harness
from streetineq_tests.benchmarks.bench_catalogue import write_images
from streetineq_tests.benchmarks.recipes import code_version, recipe_of, steps_of

WIDTH = 4  # of the codes in buckets: nobody computes with them here
_POSTCODES_PER_AREA = 5
_HEAD = """title = "A large study"
date = 2017-08-01
synthetic = true

[encoder]
weights = "random"
"""
_CITY = """
[cities.{key}]
title = "{key}"
authorities = ["E09{number:06d}"]
buckets = {buckets}
outcomes = [{outcomes}]
"""
# What the manifests of real results carry for the UI, about as much of it.
_SHOWN = Findings(
    values={f"value_{number}": 0.123456789 * number for number in range(40)},
    tables={"rows": [{f"column_{c}": 0.123456789 * r for c in range(10)} for r in range(40)]},
    notes={"headline": "What stands here is read by nobody. " * 20},
)


class Size(NamedTuple):
    """Of one city."""

    locations: int
    areas: int
    buckets: int
    outcomes: int


def write_finished_study(root: Path, cities: Mapping[str, Size]) -> DataStore:
    """A study of these cities in which nothing is left to do."""
    store = DataStore(root)
    write_settings(store, cities)
    areas = {key: make_areas(key, number, cities[key]) for number, key in enumerate(cities)}
    publish_labels(store, areas, cities)
    study = load_study(store.study_file)
    for city, size in cities.items():
        list_city(store, city, areas[city], size)
        publish_codes(store, study, city)
        _publish_results(store, study, city, areas[city])
    inputs = artefacts(store, study)
    _publish(store, "inequality_report", None, Recipe(code_version="5", inputs=inputs))
    inputs = material.digests(store, study)
    _publish(store, "evidence_pack", None, Recipe(code_version="1", inputs=inputs))
    inputs = warehouse.digests(store, study, WAREHOUSE_VIEWS)
    _publish(store, "warehouse", None, Recipe(code_version="6", inputs=inputs))
    return store


def write_settings(store: DataStore, cities: Mapping[str, Size]) -> None:
    """The study's file and that of its Dagster instance."""
    store.root.mkdir(parents=True, exist_ok=True)
    text = _HEAD
    for number, (key, size) in enumerate(cities.items()):
        outcomes = ", ".join(f'"{outcome}"' for outcome in list(OUTCOMES)[: size.outcomes])
        text += _CITY.format(key=key, number=number, buckets=size.buckets, outcomes=outcomes)
    store.study_file.write_text(text, encoding="utf-8")


# -- official files and images ---------------------------------------------------------------------


def make_areas(city: str, number: int, size: Size) -> pd.DataFrame:
    """`city, authority, area, msoa, lat, lon` of areas on a grid of about a kilometre."""
    n = np.arange(size.areas)
    return pd.DataFrame(
        {
            "city": city,
            "authority": f"E09{number:06d}",
            "area": [f"E01{number:02d}{each:05d}" for each in n],
            "msoa": [f"E02{number:02d}{each // 5:05d}" for each in n],
            "lat": 51.0 + 0.2 * number + 0.009 * (n // 60),
            "lon": -0.5 + 0.014 * (n % 60),
        }
    )


def publish_labels(
    store: DataStore, areas: Mapping[str, pd.DataFrame], cities: Mapping[str, Size]
) -> None:
    """`postcode_lsoa` and `lsoa_labels`: deciles by chance, the same for nobody."""
    everywhere = pd.concat(areas.values(), ignore_index=True)
    postcodes = everywhere.loc[everywhere.index.repeat(_POSTCODES_PER_AREA)].reset_index(drop=True)
    postcodes = postcodes.assign(
        postcode=[postcode(n) for n in range(len(postcodes))], oa=None, usertype=0,
        introduced=pd.Timestamp("2000-01-01").date(), terminated=None,
    )  # fmt: skip
    content = {"postcode_lsoa": (postcodes, POSTCODE_LSOA)}
    store.publish("postcode_lsoa", None, Recipe(code_version="1"), harness.writer(content))
    labels, known = [], []
    for city, size in cities.items():
        for seed, outcome in enumerate(list(OUTCOMES)[: size.outcomes]):
            order = np.random.default_rng(seed).permutation(size.areas)
            frame = areas[city][["city", "area"]].assign(outcome=outcome, national_rank=pd.NA)
            labels.append(frame.assign(value=order, decile=1 + order * 10 // size.areas))
            known.append({"city": city, "outcome": outcome, "status": "available"})
    availability = pd.DataFrame(known, columns=AVAILABILITY.names)
    study = load_study(store.study_file)
    content = {
        "lsoa_labels": (pd.concat(labels), LSOA_LABELS),
        "availability": (availability, AVAILABILITY),
    }
    recipe = recipe_of(Standing(store, study), "lsoa_labels", None, ["areas"])
    store.publish("lsoa_labels", None, recipe, harness.writer(content))


def postcode(number: int) -> str:
    """A postcode of its own for each number, in the form of real ones."""
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    number, last = divmod(number, 20)
    number, first = divmod(number, 20)
    outward, inward = divmod(number, 10)
    area = letters[outward // 90 % 20] + letters[outward // 1800 % 20]
    return f"{area}{outward % 90 + 10} {inward}{letters[first]}{letters[last]}"


def list_city(store: DataStore, city: str, areas: pd.DataFrame, size: Size) -> None:
    """Files of a city's images, with nothing in them, and its list; by the assets their listing."""
    ids = [str(number) for number in range(size.locations)]
    images, listing = store.inputs("images", city), store.inputs("locations", f"{city}.csv")
    images.mkdir(parents=True)
    write_images(images, ids)
    listing.parent.mkdir(parents=True, exist_ok=True)
    own = store.open("postcode_lsoa").table(columns=["postcode", "city"])
    own = own.loc[own["city"] == city, "postcode"].to_numpy()
    at = np.arange(size.locations) % len(own)
    pd.DataFrame({"location_id": ids, "postcode": own[at]}).to_csv(listing, index=False)
    for asset in ("street_images", "locations", "area_folds"):
        harness.run(store, asset, city)


# -- codes and what follows ------------------------------------------------------------------------


def publish_codes(store: DataStore, study: Study, city: str) -> None:
    """A bucket file for each bucket, with codes of noise, and the recipe of the asset."""
    images = store.open("street_images", city).table()
    keys = bucket_keys(city, study.cities[city].buckets)
    version = code_version(store, "image_codes")
    found = dict(tuple(images.groupby("bucket")))
    for key in keys:
        listed = found.get(key, images.iloc[:0])
        recipe = bucket_recipe(store, study, listed, version)
        ids = sorted(listed["location_id"].unique())
        store.publish("image_codes", key, recipe, _Bucket(study, ids, len(keys)))


class _Bucket(NamedTuple):
    """The writer of one bucket's file."""

    study: Study
    ids: list[str]
    n_buckets: int

    def __call__(self, folder: Path) -> Findings:
        n = len(self.ids)
        hashes = np.array([[f"{i}{view}".zfill(64) for view in VIEWS] for i in self.ids])
        pictures = np.arange(4 * n, dtype=np.uint64).reshape(n, 4) * np.uint64(0x9E3779B97F4A7C15)
        encoder = identity(self.study, WIDTH)
        contents = Contents(self.ids, hashes.reshape(n, 4), encoder, image_phash=pictures)
        codes = np.random.default_rng(n).normal(-5, 8, (n, 4, WIDTH)).astype(np.float32)
        digest = write_bucket(folder / "image_codes.h5", contents, [codes] if n else [])
        return Findings(
            values=dict(_SHOWN.values),
            checks=[spec.result(True, spec.description) for spec in checks.IMAGE_CODES],
            record=BucketRecord(
                n_buckets=self.n_buckets, n_rejected=0, n_without_phash=0, encoder=encoder
            ),
            n_rows=n,
            holdings={f"locations with codes, of {self.n_buckets} buckets": n},
            digest=digest,
        )


def identity(study: Study, width: int) -> EncoderIdentity:
    """The study's encoder, as bucket files name it."""
    settings = study.encoder
    return EncoderIdentity(
        backbone=settings.backbone, layer=settings.layer, preprocessing=settings.preprocessing,
        weights="random", weights_sha256="0" * 64, width=width,
    )  # fmt: skip


def _publish_results(store: DataStore, study: Study, city: str, areas: pd.DataFrame) -> None:
    """From shards to audits, each made of what stands before it."""
    standing = Standing(store, study)
    n_listed = len(store.open("locations", city).table(columns=["location_id"]))
    shards = ShardsRecord(
        n_listed=n_listed, n_extracted=n_listed, n_rejected=0, n_missing=0,
        encoder=identity(study, WIDTH), synthetic=True, dtype="float16",
    )  # fmt: skip
    repeats = tables.empty(IMAGE_REPEATS)
    for step in steps_of(study, city, bucket_keys(city, study.cities[city].buckets)):
        recipe = recipe_of(standing, *step)
        frame = repeats if step.asset == "image_repeats" else areas[["area"]]
        record = shards if step.asset == "hdf5_shards" else None
        _publish(store, step.asset, step.key, recipe, frame, record=record)


def _publish(
    store: DataStore,
    asset: str,
    key: str | None,
    recipe: Recipe,
    frame: pd.DataFrame | None = None,
    *,
    record: BaseModel | None = None,
) -> None:
    """A table that tells the artefact apart from others, and what the UI would show."""

    def write(folder: Path) -> Findings:
        table = pd.DataFrame({"x": [0]}) if frame is None else frame
        table.to_parquet(folder / f"{asset}.parquet", index=False)
        shown = {name: getattr(_SHOWN, name) for name in ("values", "tables", "notes")}
        return Findings(**shown, record=record, digest=f"{asset} {key}")

    store.publish(asset, key, recipe, write)
