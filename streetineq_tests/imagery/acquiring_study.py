"""A study of two towns that acquires the images of one from a provider on this machine."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.geography import from_national_grid
from streetineq_assets.labels.tables import POSTCODE_LSOA
from streetineq_assets.store import DataStore
from streetineq_assets.tables import conform
from streetineq_tests.harness import publish
from streetineq_tests.imagery.loopback import TOKEN
from streetineq_tests.imagery.world import World, near
from streetineq_tests.studies import new_study, two_towns

N_AREAS, PER_AREA = 6, 3
BUCKETS = ["alpha/000", "alpha/001"]
VARIABLE = "MAPILLARY_TOKEN"


def settings(url: str, provider: str = "mapillary", **imagery: object) -> str:
    """`[imagery]` for alpha, as fast as a server on this machine may be asked."""
    lines = {
        "provider": f'"{provider}"',
        "cities": '["alpha"]',
        "endpoint": f'"{url}"',
        "per_area": PER_AREA,
        "least_per_area": 1,
        "requests_per_minute": 4000,
        "most_gigabytes": 1.0,
    } | imagery
    return "\n".join(["[imagery]", *(f"{key} = {value}" for key, value in lines.items()), ""])


def write(root: Path, url: str, provider: str = "mapillary", **imagery: object) -> DataStore:
    """The study, its postcodes published: six areas of three postcodes each in both towns."""
    store = new_study(root, two_towns(settings(url, provider, **imagery)))
    publish(store, "postcode_lsoa", None, postcode_lsoa=postcodes())
    return store


def postcodes() -> pd.DataFrame:
    """`POSTCODE_LSOA`: postcodes of an area 150 m apart, areas one kilometre."""
    number = np.arange(2 * N_AREAS * PER_AREA)
    area, within = number // PER_AREA, number % PER_AREA
    town = area // N_AREAS
    lat, lon = from_national_grid(530_000 + 1000 * area + 150 * within, 180_000 + 0.0 * number).T
    frame = pd.DataFrame(
        {
            "postcode": [f"AB{a} {w}CD" for a, w in zip(area, within, strict=True)],
            "city": np.array(["alpha", "beta"])[town],
            "authority": np.array(["E09000101", "E08000101"])[town],
            "oa": [f"E00{a:06d}" for a in area],
            "area": [f"E01{a:06d}" for a in area],
            "msoa": [f"E02{t:06d}" for t in town],
            "lat": lat,
            "lon": lon,
            "usertype": 0,
            "introduced": dt.date(2001, 1, 1),
            "terminated": None,
        }
    )
    return conform(frame, POSTCODE_LSOA)


def squares() -> dict[str, list[tuple[float, float]]]:
    """Code to ring, longitude and latitude, of each area: one kilometre around its postcodes."""
    rings = {}
    for area in range(2 * N_AREAS):
        west, south = 529_900 + 1000 * area, 179_500
        corners = [(west, south), (west + 1000, south), (west + 1000, south + 1000)]
        corners += [(west, south + 1000), (west, south)]
        degrees = from_national_grid(*zip(*corners, strict=True))
        rings[f"E01{area:06d}"] = [(lon, lat) for lat, lon in degrees.tolist()]
    return rings


def world(**changed: object) -> World:
    """Two captures near each postcode of alpha."""
    here = postcodes().query("city == 'alpha'")
    return near(zip(here["lat"], here["lon"], strict=True), **changed)


def everything_below(folder: Path) -> bytes:
    """All bytes of all files, and their names: where a secret would be found."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\n".join([str(p).encode() + b"\n" + p.read_bytes() for p in files])


SECRET = TOKEN.encode()
