"""A two-city study on the small official files."""

import shutil
import tomllib
from pathlib import Path

import pandas as pd

from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_tests import studies
from streetineq_tests.labels import official

STUDY = """
title = "Two towns"
date = 2017-08-01

[cities.alpha]
title = "Alpha"
lsoas = 30
authorities = ["E09000001"]
outcomes = ["self_reported_health", "crime", "mean_income"]

[cities.beta]
title = "Beta"
lsoas = 12
authorities = ["E08000025"]
outcomes = ["self_reported_health", "crime"]
"""
STUDIED = Study.model_validate(tomllib.loads(STUDY))
PLOTTED = ("crime", "self_reported_health")
ASSETS = ("postcode_lsoa", "lsoa_labels")
AREAS = pd.DataFrame(
    {
        "city": ["alpha"] * len(official.CITY_A) + ["beta"] * len(official.CITY_B),
        "area": official.LSOAS,
    }
)


def make_study(root: Path) -> DataStore:
    """The study file and a complete set of inputs below `root`."""
    official.write_inputs(root / "inputs")
    return studies.new_study(root, STUDY)


def copy_study(source: DataStore, root: Path) -> DataStore:
    """A study with its artefacts, so that a test may spoil it."""
    return DataStore(shutil.copytree(source.root, root))


def write_boundaries(store: DataStore) -> Path:
    """A row of rectangles, one for each area."""
    rings = {}
    for i, code in enumerate(official.LSOAS):
        west, east = i / 100 - 0.5, (i + 1) / 100 - 0.5
        rings[code] = [(west, 51), (east, 51), (east, 52), (west, 52), (west, 51)]
    return studies.write_boundaries(store, rings)


def contents(store: DataStore) -> dict[str, bytes]:
    """Every published file by asset and name, the names of generations left out."""
    found = {}
    for asset in ASSETS:
        manifest = store.manifest(asset)
        if manifest:
            folder = store.path_of(manifest)
            found |= {f"{asset}/{name}": (folder / name).read_bytes() for name in manifest.files}
    return found
