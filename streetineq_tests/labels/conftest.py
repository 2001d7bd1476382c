"""Small official files and a study whose labels are published, each made once.

Tests that spoil them take a copy.
"""

import shutil

import pytest

from streetineq_assets.labels import assets
from streetineq_assets.labels.plots import save_plots
from streetineq_tests import harness
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import (
    ASSETS,
    PLOTTED,
    copy_study,
    make_study,
    write_boundaries,
)


@pytest.fixture(scope="session")
def sound_inputs(tmp_path_factory):
    """A complete `inputs/` folder; read it, do not change it."""
    return official.write_inputs(tmp_path_factory.mktemp("sound") / "inputs")


@pytest.fixture
def inputs(sound_inputs, tmp_path):
    """A copy of the complete `inputs/` folder."""
    return shutil.copytree(sound_inputs, tmp_path / "inputs")


@pytest.fixture(scope="session")
def first_runs(tmp_path_factory):
    """The study with boundaries, and what its first runs reported, by asset.

    Two outcomes are plotted: thirteen panels take seconds, and show nothing more.
    """

    def plot_two(labels, *others):
        save_plots(labels[labels["outcome"].isin(PLOTTED)], *others)

    store = make_study(tmp_path_factory.mktemp("labels") / "study")
    write_boundaries(store)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assets, "save_plots", plot_two)
        return store, {asset: harness.run(store, asset) for asset in ASSETS}


@pytest.fixture(scope="session")
def published(first_runs):
    """The published study; read it, do not change it."""
    return first_runs[0]


@pytest.fixture
def spoilable(published, tmp_path):
    """A copy of the published study."""
    return copy_study(published, tmp_path / "study")


@pytest.fixture
def without_plots(monkeypatch):
    """Plots take most of a run's time."""
    monkeypatch.setattr(assets, "save_plots", lambda *_: None)
