"""Small studies on disk that tests of several folders share, and the parts they are made of.

The two towns are a study file alone, which folders fill. In the study with codes, labels,
locations, postcodes and shards are published: `alpha` has areas on a grid of 1 km, deciles that
rise from west to east with noise, and synthetic codes that carry them; `hamlet` has four areas,
fewer than the folds.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.tables import IMAGE_REPEATS, ShardsRecord
from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.geography import national_grid
from streetineq_assets.labels.tables import LSOA_LABELS
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.store import DataStore
from streetineq_assets.tables import conform, empty
from streetineq_tests.harness import publish
from streetineq_tests.models.synthetic import city

WIDTH = 48
ENCODER = EncoderIdentity(
    backbone="vgg16",
    layer="fc6",
    preprocessing="antialias",
    weights="random",
    weights_sha256="0" * 64,
    width=WIDTH,
)
ENCODER_OF_VERSION_1 = ENCODER.model_dump(exclude={"mixed_precision"})  # which was not recorded


def new_study(root: Path, toml: str) -> DataStore:
    """A study of its file alone, in a folder that may exist."""
    root.mkdir(parents=True, exist_ok=True)
    store = DataStore(root)
    store.study_file.write_text(toml, encoding="utf-8")
    return store


# -- two towns -------------------------------------------------------------------------------------


def two_towns(settings: str = "") -> str:
    """The study file of two towns; `settings` stand above the cities."""
    return f"""
title = "Two towns"
date = 2017-08-01
{settings}
[cities.alpha]
title = "Alpha"
authorities = ["E09000101"]
buckets = 2
outcomes = ["crime", "mean_income"]

[cities.beta]
title = "Beta"
authorities = ["E08000101"]
buckets = 1
outcomes = ["crime"]
"""


SIMULATED = two_towns("""seed = 7
synthetic = true

[encoder]
weights = "random"
""")
N_LSOAS = {"alpha": 60, "beta": 12}
PER_LSOA = 3
WITHOUT_INCOME = Unavailable(
    "GLA household income estimates", "no file in inputs/household_income holds it"
)


# -- parts -----------------------------------------------------------------------------------------


def on_a_grid(number: np.ndarray) -> dict[str, np.ndarray]:
    """`lat, lon` of areas by their number, eight side by side."""
    return {"lat": 51.5 + 0.01 * (number // 8), "lon": -0.1 + 0.015 * (number % 8)}


def with_one_lost(matched: pd.DataFrame) -> pd.DataFrame:
    """These matched locations, and one of an unknown postcode."""
    lost = {"location_id": "lost", "status": "rejected", "reason": "unknown_postcode", "weight": 0}
    return pd.concat([matched.assign(status="matched"), pd.DataFrame([lost])], ignore_index=True)


def crime_labels(areas: pd.DataFrame) -> pd.DataFrame:
    """`LSOA_LABELS` of areas with `city, area, actual_decile`."""
    decile = areas["actual_decile"]
    labels = areas.assign(outcome="crime", value=decile, national_rank=pd.NA, decile=decile)
    return conform(labels, LSOA_LABELS)


def training_record(city: str, *, n_locations: int, n_lsoas: int, **changed: Any) -> TrainingRecord:
    """What training reports of a city's networks."""
    return TrainingRecord(
        **{
            "profile_name": "recommended",
            "scheme": "area",
            "trained_on": (city,),
            "encoder": ENCODER,
            "n_folds": 5,
            "n_locations_trained_on": n_locations,
            "n_lsoas_trained_on": n_lsoas,
        }
        | changed
    )


def publish_folds(
    store: DataStore, city: str, table: FoldTable, centroids: pd.DataFrame | None = None
) -> None:
    """Publish a city's folds, with the centroids that stand unless others are given."""
    if centroids is None:
        centroids = store.open("area_folds", city).table("centroids.parquet")
    parts = {"area_folds": table.areas, "buffers": table.buffers, "centroids": centroids}
    if table.locations is not None:
        parts["location_folds"] = table.locations
    publish(store, "area_folds", city, **parts)


def write_boundaries(
    store: DataStore,
    rings: Mapping[str, Iterable[tuple[float, float]]],
    names: Mapping[str, str] | None = None,
    *,
    epsg: int = 4326,
) -> Path:
    """The areas' outer rings as GeoJSON of the ONS among the inputs.

    Args:
        rings: code to ring, longitude and latitude, or coordinates of another system.
        names: of areas, which the file then has too.
        epsg: the system that the file names, unless it is the one that GeoJSON has by default.
    """
    features = [
        {
            "type": "Feature",
            "properties": {"LSOA11CD": code} | ({"LSOA11NM": names[code]} if names else {}),
            "geometry": {"type": "Polygon", "coordinates": [list(ring)]},
        }
        for code, ring in rings.items()
    ]
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{epsg}"}}
    path = store.inputs("boundaries", "LSOA_2011.geojson")
    path.parent.mkdir(parents=True, exist_ok=True)
    collection = {"type": "FeatureCollection", "features": features}
    named = {"crs": crs} if epsg != 4326 else {}
    path.write_text(json.dumps(collection | named))
    return path


# -- the study with codes --------------------------------------------------------------------------

WITH_CODES = """
title = "Made for tests"
date = 2017-08-01
seed = 7
synthetic = true

[folds]
k = 5
block_km = 2.0
buffer_km = 0.5

[training]
seeds = 1

[training.overrides]
epochs = 3

[cities.alpha]
title = "Alpha"
authorities = ["E09000001"]
buckets = 2
outcomes = ["crime", "education", "mean_income"]

[cities.hamlet]
title = "Hamlet"
authorities = ["E09000002"]
buckets = 1
outcomes = ["crime"]
"""
AUTHORITIES = {"alpha": "E09000001", "hamlet": "E09000002", "beta": "E09000003"}
CITIES = {"alpha": (50, 1), "hamlet": (4, 2), "beta": (40, 1)}  # areas, seed


def write_with_codes(root: Path, *, toml: str = WITH_CODES, beta: bool = False) -> DataStore:
    """The study's folder with everything published that `models` reads.

    `beta` adds a second city to transfer to, with 40 areas.
    """
    store = new_study(root, toml)
    cities = {name: _city(store, name) for name in CITIES if beta or name != "beta"}
    labels = pd.concat([_labels(name, rows) for name, rows in cities.items()])
    availability = pd.DataFrame(
        {
            "city": ["alpha", "alpha", "alpha", "hamlet", "beta", "beta"],
            "outcome": ["crime", "education", "mean_income", "crime", "crime", "education"],
            "status": ["available"] * 2 + ["unavailable"] + ["available"] * 3,
            "wanted": [None, None, "household_income/estimates.csv", None, None, None],
            "reason": [None, None, "the file is absent", None, None, None],
        }
    )
    edges = pd.DataFrame({"city": "alpha", "outcome": "crime", "decile": range(1, 11)})
    edges = edges.assign(lower=edges["decile"] / 10 - 0.1, upper=edges["decile"] / 10)
    publish(
        store,
        "lsoa_labels",
        None,
        lsoa_labels=labels,
        availability=availability,
        decile_edges=edges,
    )
    postcodes = pd.concat(
        [_postcodes(name, rows, 50_000 * n) for n, (name, rows) in enumerate(cities.items())]
    )
    publish(store, "postcode_lsoa", None, postcode_lsoa=postcodes)
    return store


def publish_shards(
    store: DataStore, name: str, codes: np.ndarray, ids: list[str], **encoder: Any
) -> None:
    """Two HDF5 shards in this order of rows; `encoder` changes what they say of theirs."""
    half = len(ids) // 2
    attributes = ENCODER.attributes | {"synthetic": True} | encoder
    record = ShardsRecord(
        n_listed=len(codes),
        n_extracted=len(codes),
        n_rejected=0,
        n_missing=0,
        encoder=EncoderIdentity.from_attributes(attributes),
        synthetic=attributes["synthetic"],
        dtype=str(codes.dtype),
    )

    def write(folder: Path) -> Findings:
        for number, part in enumerate((slice(None, half), slice(half, None))):
            with h5py.File(folder / f"shard_{number:03d}.h5", "w") as file:
                file["features"] = codes[part]
                file["location_id"] = np.array(ids[part], dtype=object)
                file.attrs.update(attributes)
                file.attrs.update(mean=codes.mean(axis=(0, 1)), sd=codes.std(axis=(0, 1)))
        shard = [0] * half + [1] * (len(ids) - half)
        row = [*range(half), *range(len(ids) - half)]
        table = pd.DataFrame({"shard": shard, "row": row, "location_id": ids})
        table.to_parquet(folder / "rows.parquet", index=False)
        return Findings(record=record)

    store.publish("hdf5_shards", name, Recipe(code_version="1"), write)


def codes_of(name: str) -> tuple[np.ndarray, pd.DataFrame]:
    """A city's codes (n, 4, WIDTH) and rows, `area, location_id` and so on, three an area."""
    n_areas, seed = CITIES[name]
    codes, rows = city(n_areas, 3, WIDTH, signal=1.0, seed=seed)
    prefix = name[0].upper()
    rows = rows.assign(area=prefix + rows["area"], location_id=prefix + rows["location_id"])
    return codes, rows


def _city(store: DataStore, name: str) -> pd.DataFrame:
    codes, rows = codes_of(name)
    publish_shards(store, name, codes, rows["location_id"].tolist())
    table = with_one_lost(rows[["location_id", "area"]].assign(weight=1, reason=None))
    publish(store, "locations", name, locations=table.sort_values("location_id"))
    publish(store, "image_repeats", name, image_repeats=empty(IMAGE_REPEATS))
    return rows


def _labels(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    areas = rows[["area", "decile"]].drop_duplicates("area").sort_values("area")
    decile = areas["decile"].astype("Int8")
    frame = areas.assign(city=name, value=areas["decile"] / 10, decile=decile)
    second = frame.assign(outcome="education", decile=11 - frame["decile"])
    parts = [frame.assign(outcome="crime")] + ([] if name == "hamlet" else [second])
    return pd.concat(parts, ignore_index=True)


def _postcodes(name: str, rows: pd.DataFrame, offset_m: int) -> pd.DataFrame:
    """Two postcodes per area, on a grid of 1 km that is ten areas wide."""
    codes = sorted(rows["area"].unique())
    place = pd.DataFrame({"area": np.repeat(codes, 2)})
    number = np.repeat(np.arange(len(codes)), 2)
    rng = np.random.default_rng(0)
    east = 530_000 + offset_m + 1000 * (number % 10) + rng.normal(0, 50, len(number))
    north = 180_000 + 1000 * (number // 10) + rng.normal(0, 50, len(number))
    lat, lon = degrees(east, north)
    return place.assign(
        postcode=[f"{name} {n}" for n in range(len(place))], city=name, lat=lat, lon=lon,
        msoa=[f"{name[0].upper()}E02{n // 5:06d}" for n in number], authority=AUTHORITIES[name],
    )  # fmt: skip


def degrees(east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from pyproj import Transformer

    to_degrees = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(east, north)
    np.testing.assert_allclose(national_grid(lat, lon), np.column_stack([east, north]), atol=0.01)
    return lat, lon
