"""A small synthetic study, written once for all tests that only read it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from streetineq_assets.demo.city import Truth, write_study

SMALL = {"sizes": {"x": 12, "y": 10}, "locations_per_lsoa": 1, "image_size": (96, 64)}


@dataclass(frozen=True)
class Written:
    root: Path
    truth: Truth

    def input(self, folder: str) -> Path:
        """The one file of an input folder."""
        (path,) = (self.root / "inputs" / folder).iterdir()
        return path


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Written:
    root = tmp_path_factory.mktemp("synthetic")
    return Written(root, write_study(root, **SMALL))
