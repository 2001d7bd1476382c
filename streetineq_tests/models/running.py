"""The study with codes in its variants, with its folds made."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from streetineq_assets.store import DataStore
from streetineq_tests import harness, studies
from streetineq_tests.harness import run

JOINT = studies.WITH_CODES.replace("[training]", "[training]\njoint = true")


def failure(
    store: DataStore, asset: str, partition: str, config: dict | None = None, **options: Any
) -> str:
    """The one sentence with which an asset fails."""
    return harness.failure(run(store, asset, partition, config=config, fails=True, **options))


def trained_jointly(root: Path) -> DataStore:
    """The study with `joint = true`, and alpha's folds and joint networks."""
    store = studies.write_with_codes(root, toml=JOINT)
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
    toml = JOINT if joint else studies.WITH_CODES
    toml = toml.replace("[folds]", f'[folds]\nscheme = "{scheme}"')
    toml = toml.replace("block_km = 2.0", "block_km = 3.0")
    toml += f"""
[cities.beta]
title = "Beta"
authorities = ["E09000003"]
outcomes = [{outcomes}]
"""
    store = studies.write_with_codes(root, toml=toml, beta=True)
    for city in folds:
        run(store, "area_folds", city)
    return store


def lose_images(store: DataStore, name: str, areas: Iterable[str]) -> None:
    """Publish the city's shards anew, without the locations of these areas."""
    codes, rows = studies.codes_of(name)
    kept = ~rows["area"].isin(set(areas)).to_numpy()
    studies.publish_shards(store, name, codes[kept], rows["location_id"][kept].tolist())
