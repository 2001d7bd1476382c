"""Networks to export, and bundles that are not as they were exported."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from streetineq_assets.models.bundles.bundle import Bundle
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests import studies
from streetineq_tests.harness import run


def trained_study(folder: Path) -> DataStore:
    """A study with the networks of `alpha/crime`."""
    store = studies.write_with_codes(folder)
    train(store, "alpha/crime")
    return store


def train(store: DataStore, key: str) -> None:
    """Make folds and networks of a pair, joint ones where the study trains jointly."""
    run(store, "area_folds", "alpha")
    if load_study(store.study_file).training.joint:
        run(store, "joint_model", "alpha", config={"overrides": {"epochs": 2}})
        run(store, "trained_model", key)
    else:
        run(store, "trained_model", key, config={"overrides": {"epochs": 2}})


def with_description(bundle: Bundle, target: Path, **changed: object) -> Path:
    """The same members under another account of them; a field set to None is left out."""
    about = {k: v for k, v in (bundle.about | changed).items() if v is not None}
    with zipfile.ZipFile(bundle.path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = json.dumps(about) if name == "bundle.json" else old.read(name)
            new.writestr(name, content)
    return target


def with_members(bundle: Bundle, target: Path, change: Callable[[bytes], bytes]) -> Path:
    """A bundle of changed networks that agrees with its own account of them."""
    with zipfile.ZipFile(bundle.path) as old:
        members = {name: old.read(name) for name in bundle.description.members}
    members = {n: change(c) if n.endswith(".keras") else c for n, c in members.items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    with zipfile.ZipFile(target, "w") as new:
        new.writestr("bundle.json", json.dumps(bundle.about | {"members": digests}))
        for name, content in members.items():
            new.writestr(name, content)
    return target
