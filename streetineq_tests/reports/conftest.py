"""A study whose pairs are predicted and evaluated, made once for the tests of this folder."""

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.assets import build_assets
from streetineq_assets.reports import results
from streetineq_assets.resources import StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.predictions import published


@pytest.fixture(scope="session")
def evaluated_study(tmp_path_factory) -> Path:
    """Never written to: tests that write take a copy."""
    root = tmp_path_factory.mktemp("evaluated") / "study"
    store = published.write_study(root)
    assets = build_assets(Partitions(load_study(store.study_file)))
    for pair in published.PAIRS:
        resources = {"study": StudyResource(root=str(root))}
        dg.materialize(
            assets, selection=published.OF_PAIRS, partition_key=pair, resources=resources
        )
    return root


@pytest.fixture
def store(evaluated_study, tmp_path) -> DataStore:
    """A copy of the study, to be changed at will."""
    shutil.copytree(evaluated_study, tmp_path / "study")
    return DataStore(tmp_path / "study")


@pytest.fixture(scope="session")
def study(evaluated_study):
    return load_study(evaluated_study / "study.toml")


@pytest.fixture(scope="session")
def gathered(evaluated_study, study):
    return results.gather(DataStore(evaluated_study), study)


def write_boundaries(store: DataStore) -> Path:
    """Squares of 0.008 degrees around the centres of alpha's areas, as ONS GeoJSON."""
    places = store.open("locations", "alpha").table().query("status == 'matched'")
    centres = places.groupby("lsoa11")[["lon", "lat"]].mean()
    features = []
    for code, (lon, lat) in zip(centres.index, centres.to_numpy(), strict=True):
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
        ring = [[lon + 0.004 * x, lat + 0.004 * y] for x, y in corners]
        features.append(
            {
                "type": "Feature",
                "properties": {"LSOA11CD": code},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    path = store.inputs("boundaries", "LSOA_2011.geojson")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
