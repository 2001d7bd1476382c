"""Small synthetic studies, written once for all tests that only read them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from streetineq_assets.demo import city
from streetineq_assets.demo.city import Truth, write_study

SMALL = {"sizes": {"x": 12, "y": 10}, "locations_per_lsoa": 1, "image_size": (96, 64)}
ENCODER = {"backbone": "mobilenet", "layer": "dropout"}


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


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory) -> Path:
    """The same study, of which nothing but the images was left to write when it was cut off."""
    root = tmp_path_factory.mktemp("interrupted")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(city, "write_photographs", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_study(root, **SMALL)
    return root


@pytest.fixture(scope="session")
def written_again(interrupted) -> Path:
    """The same study, written where the interrupted one lay."""
    assert not (interrupted / "study.toml").exists()
    write_study(interrupted, **SMALL)
    return interrupted


@pytest.fixture(scope="session")
def of_another_seed(tmp_path_factory) -> Written:
    """A study of another seed, and with settings of the encoder."""
    root = tmp_path_factory.mktemp("other")
    return Written(root, write_study(root, **SMALL, seed=7, encoder=ENCODER))
