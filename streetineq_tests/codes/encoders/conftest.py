"""Presets of KerasHub, written once for a process."""

from pathlib import Path

import pytest

from streetineq_tests.codes.encoders import presets


@pytest.fixture(scope="session")
def presets_root(tmp_path_factory) -> Path:
    """A study's folder with a preset of each kind, by the kind's name."""
    pytest.importorskip("keras_hub")
    root = tmp_path_factory.mktemp("presets")
    for kind in presets.KINDS:
        presets.save_preset(kind, root / kind)
    return root
