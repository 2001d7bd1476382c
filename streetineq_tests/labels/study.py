"""A two-city study on the small official files, and its assets run through Dagster.

What belongs here: making such a study and running its assets. What does not: expectations.
"""

import shutil
import tomllib
from pathlib import Path

import dagster as dg

from streetineq_assets.labels.assets import build_assets
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import StudyResource, duckdb_resource
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
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


def make_study(root: Path, text: str = STUDY) -> Path:
    """The study file and a complete set of inputs below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "study.toml").write_text(text, encoding="utf-8")
    official.write_inputs(root / "inputs")
    return root


def run(root: Path, *assets: str) -> dg.ExecuteInProcessResult:
    """Materialise these assets (default: both); a failed run is returned and not raised."""
    store = DataStore(root)
    return dg.materialize(
        build_assets(Partitions(load_study(store.study_file))),
        selection=list(assets) or None,
        resources={"study": StudyResource(root=str(root)), "duckdb": duckdb_resource(store)},
        raise_on_error=False,
    )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The message of a failed run's one failed step."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def contents(root: Path) -> dict[str, bytes]:
    """Every published file below `assets/`, the names of generations left out."""
    store = DataStore(root)
    found = {}
    for asset in ("postcode_lsoa", "lsoa_labels"):
        manifest = store.manifest(asset)
        if manifest:
            folder = store.folder(asset) / manifest.generation
            found |= {f"{asset}/{name}": (folder / name).read_bytes() for name in manifest.files}
    return found


def copy_study(source: Path, target: Path) -> Path:
    """A study with its artefacts, so that a test may spoil it."""
    shutil.copytree(source, target)
    return target


def study_of(text: str) -> Study:
    """The settings in the text of a study file."""
    return Study.model_validate(tomllib.loads(text))
