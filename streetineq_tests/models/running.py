"""Running the assets of this step on a small study, and reading what they say.

What belongs here: studies in their variants, runs. What does not: expectations.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from streetineq_assets.models.assets import build_assets
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import GpuResource, StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.models import published


def run(
    store: DataStore, asset: str, partition: str, config: dict | None = None, *, fails: bool = False
) -> dg.ExecuteInProcessResult:
    parts = Partitions(load_study(store.study_file))
    return dg.materialize(
        build_assets(parts),
        selection=[asset],
        partition_key=partition,
        resources={"study": StudyResource(root=str(store.root)), "gpu": GpuResource(kind="cpu")},
        run_config={"ops": {asset: {"config": config}}} if config else None,
        raise_on_error=not fails,
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {c.check_name: c.passed for c in result.get_asset_check_evaluations()}


def failure(store: DataStore, pair: str, config: dict | None = None) -> str:
    """The one sentence with which a pair's training fails."""
    result = run(store, "trained_model", pair, config, fails=True)
    (event,) = [e for e in result.all_events if e.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def trained_jointly(root: Path) -> DataStore:
    """The study with `joint = true`, and alpha's folds."""
    store = published.write_study(root, toml=published.JOINT)
    run(store, "area_folds", "alpha")
    return store


def with_beta(
    root: Path,
    scheme: str,
    *,
    outcomes: str = '"crime"',
    joint: bool = False,
    folds: Sequence[str] = ("alpha", "beta", "hamlet"),
) -> DataStore:
    """The study with a third city, and its folds by a scheme."""
    toml = published.STUDY.replace("[folds]", f'[folds]\nscheme = "{scheme}"')
    toml = toml.replace("block_km = 2.0", "block_km = 3.0")
    if joint:
        toml = toml.replace(
            "[training.overrides]", "[training]\njoint = true\n\n[training.overrides]"
        )
    toml += f"""
[cities.beta]
title = "Beta"
authorities = ["E09000003"]
outcomes = [{outcomes}]
"""
    store = published.write_study(root, toml=toml, beta=True)
    for city in folds:
        run(store, "area_folds", city)
    return store
