"""The simulated study with alpha's crime predicted and evaluated, made once for this folder."""

import shutil
from functools import cache
from pathlib import Path

import dagster as dg
import pytest

from streetineq_assets.predictions import plots
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.predictions import simulated_study

Runs = dict[str, dg.ExecuteInProcessResult]


@cache
def instance() -> dg.DagsterInstance:
    """One for all runs of the folder: making one takes as long as a small run."""
    return dg.DagsterInstance.ephemeral()


def run_chain(store: DataStore, pair: str) -> Runs:
    """Each asset of a pair, by name."""
    return {
        asset: harness.run(store, asset, pair, instance=instance())
        for asset in simulated_study.OF_PAIRS
    }


@pytest.fixture(scope="package")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataStore, Runs]:
    """The study and alpha/crime's runs; never written to."""
    store = simulated_study.write(tmp_path_factory.mktemp("evaluated"))
    return store, run_chain(store, "alpha/crime")


@pytest.fixture
def store(
    evaluated: tuple[DataStore, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DataStore:
    """A copy of the study, to be changed at will; plots, which take longest, are not rendered."""
    shutil.copytree(evaluated[0].root, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(plots, "save_png", lambda _, path: path.write_bytes(b"not rendered"))
    return DataStore(tmp_path)
