"""The small study of `published` in its variants, with its folds made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.harness import run
from streetineq_tests.models import published


def failure(
    store: DataStore, asset: str, partition: str, config: dict | None = None, **options: Any
) -> str:
    """The one sentence with which an asset fails."""
    return harness.failure(run(store, asset, partition, config=config, fails=True, **options))


def trained_jointly(root: Path) -> DataStore:
    """The study with `joint = true`, and alpha's folds and joint networks."""
    store = published.write_study(root, toml=published.JOINT)
    run(store, "area_folds", "alpha")
    run(store, "joint_model", "alpha")
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
