"""A city in which it is known what pictures show, what the map shows, and what only looks so.

Areas lie on a grid of 1 km in four local authorities and sixteen MSOAs, each with a texture of its
own that all codes of its streets carry and that says nothing of any outcome itself. `crime` is
shown by pictures alone: each area's own value, which no neighbour shares. `education` is shown by
the map alone: a smooth value that no code carries, so that who guesses it from codes knows the
place by its texture. What a model then reaches with its neighbours' help is flattery.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.codes.tables import IMAGE_REPEATS
from streetineq_assets.labels.deciles import deciles
from streetineq_assets.store import DataStore
from streetineq_assets.tables import empty
from streetineq_tests import studies
from streetineq_tests.harness import publish

SIDE, PER_AREA = 16, 3  # 256 areas
WIDTH = studies.WIDTH
SIGNAL, TEXTURE = 1.2, 2.5  # of the codes' noise
TOML = """
title = "Planted"
date = 2017-08-01
seed = 7
synthetic = true

[folds]
k = 4
block_km = 4.0
buffer_km = 1.0

[training]
seeds = 2
overrides = { epochs = 25, batch_size = 64 }

[evidence]
schemes = ["area", "spatial_block", "district"]

[cities.alpha]
title = "Alpha"
authorities = ["E09000001", "E09000002", "E09000003", "E09000004"]
outcomes = ["crime", "education"]
"""


def write_planted(root: Path) -> DataStore:
    """The study's folder with everything published that the evidence reads."""
    store = studies.new_study(root, TOML)
    areas = _areas()
    codes, rows = _codes(areas)
    studies.publish_shards(store, "alpha", codes, rows["location_id"].tolist())
    listed = rows[["location_id", "area"]].assign(status="matched", reason=None, weight=1)
    places = areas.set_index("area").loc[rows["area"], ["lat", "lon"]]
    publish(store, "locations", "alpha", locations=listed.assign(
        lat=places["lat"].to_numpy(), lon=places["lon"].to_numpy()
    ))  # fmt: skip
    publish(store, "image_repeats", "alpha", image_repeats=empty(IMAGE_REPEATS))
    publish(store, "postcode_lsoa", None, postcode_lsoa=_postcodes(areas))
    _publish_labels(store, areas)
    return store


def _areas() -> pd.DataFrame:
    """A row per area: code, place, MSOA, authority, and the two values."""
    rng = np.random.default_rng(3)
    x, y = np.divmod(np.arange(SIDE**2), SIDE)
    east, north = 530_000 + 1000.0 * x, 180_000 + 1000.0 * y
    lat, lon = studies.degrees(east, north)
    points = np.column_stack([x, y]) / SIDE
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    smooth = np.linalg.cholesky(np.exp(-squares / (2 * 0.2**2)) + 1e-6 * np.eye(SIDE**2))
    return pd.DataFrame(
        {
            "area": [f"E01{n:06d}" for n in range(SIDE**2)],
            "msoa": [f"E02{n:06d}" for n in (x // 4) * 4 + y // 4],
            "authority": [f"E0900000{n}" for n in 1 + (x // 8) * 2 + y // 8],
            "lat": lat,
            "lon": lon,
            "crime": rng.normal(size=SIDE**2),
            "education": smooth @ rng.normal(size=SIDE**2),
        }
    )


def _codes(areas: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """(n, 4, WIDTH) float32 codes: each area's own value, its MSOA's texture, noise."""
    rng = np.random.default_rng(4)
    rows = areas.loc[areas.index.repeat(PER_AREA)].reset_index(drop=True)
    shown = rng.normal(size=WIDTH) / np.sqrt(WIDTH)
    texture = {each: rng.normal(size=WIDTH) for each in sorted(set(areas["msoa"]))}
    codes = rng.normal(size=(len(rows), 4, WIDTH))
    codes += SIGNAL * np.sqrt(WIDTH) * rows["crime"].to_numpy()[:, None, None] * shown
    codes += TEXTURE * np.stack([texture[each] for each in rows["msoa"]])[:, None]
    ids = [f"L{n:05d}" for n in range(len(rows))]
    return codes.astype(np.float32), rows.assign(location_id=ids)


def _postcodes(areas: pd.DataFrame) -> pd.DataFrame:
    columns = ["area", "msoa", "authority", "lat", "lon"]
    return areas[columns].assign(postcode=[f"P {n}" for n in range(len(areas))], city="alpha")


def _publish_labels(store: DataStore, areas: pd.DataFrame) -> None:
    parts = [
        pd.DataFrame(
            {
                "city": "alpha",
                "outcome": outcome,
                "area": areas["area"],
                "value": areas[outcome],
                "decile": deciles(areas[outcome], worst="low"),
            }
        )
        for outcome in ("crime", "education")
    ]
    known = pd.DataFrame({"city": "alpha", "outcome": ["crime", "education"]})
    available = known.assign(status="available", wanted=None, reason=None)
    labels = pd.concat(parts, ignore_index=True)
    publish(store, "lsoa_labels", None, lsoa_labels=labels, availability=available)
