"""A study whose pairs are predicted and evaluated, made once for the tests of this folder."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from streetineq_assets.reports.results import PairResults, StudyResults, read_results
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_tests import studies
from streetineq_tests.reports import made_up_study


@pytest.fixture(scope="session")
def evaluated_study(tmp_path_factory) -> Path:
    """Never written to: tests that write take a copy."""
    root = tmp_path_factory.mktemp("evaluated") / "study"
    made_up_study.write(root)
    return root


@pytest.fixture
def store(evaluated_study, tmp_path) -> DataStore:
    """A copy of the study, to be changed at will."""
    shutil.copytree(evaluated_study, tmp_path / "study")
    return DataStore(tmp_path / "study")


@pytest.fixture(scope="session")
def study(evaluated_study) -> Study:
    return load_study(evaluated_study / "study.toml")


@pytest.fixture(scope="session")
def results(evaluated_study, study) -> StudyResults:
    return read_results(DataStore(evaluated_study), study)


@pytest.fixture(scope="session")
def crime_in_alpha(results) -> PairResults:
    return next(each for each in results.pairs if each.pair.key == "alpha/crime")


@pytest.fixture
def without_pairs(results) -> StudyResults:
    """No pair and so no picture: quick to render."""
    return dataclasses.replace(results, pairs=[])


def write_boundaries(store: DataStore) -> Path:
    """Those of alpha's areas, as ONS GeoJSON."""
    return studies.write_boundaries(store, squares(store, "alpha"))


def squares(store: DataStore, city: str) -> dict[str, list[tuple[float, float]]]:
    """Code to the ring of a square of 0.008 degrees around the centroid of each of its areas."""
    locations = store.open("locations", city).table().query("status == 'matched'")
    centroids = locations.groupby("area")[["lon", "lat"]].mean()
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    return {
        code: [(lon + 0.004 * x, lat + 0.004 * y) for x, y in corners]
        for code, (lon, lat) in zip(centroids.index, centroids.to_numpy(), strict=True)
    }
