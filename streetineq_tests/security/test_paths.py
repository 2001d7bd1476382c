"""What a study, a key, a manifest or an archive names stays below the study's root."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streetineq_assets.encoder_settings import KerasEncoder
from streetineq_assets.errors import StoreError, StudyError
from streetineq_assets.findings import Findings
from streetineq_assets.images.archives import list_members
from streetineq_assets.manifests import Recipe
from streetineq_assets.settings import Transfer
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.harness import manifest_content
from streetineq_tests.test_study import MINIMAL, write

COUNTED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.one_of(
    st.text(max_size=30), st.text("./\\a\0\n~", max_size=12), st.text("./ab", max_size=8)
)
OUTSIDE = ["/etc/shadow", "../../..", "inputs/../../x", "..", "C:\\secret", "a/..\\..\\b", "a\0b"]


def is_below(path: Path, root: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(root)


@pytest.mark.parametrize("key", ["weights", "source"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_study_names_no_file_elsewhere(attempt, tmp_path, key, name):
    table = {"weights": "encoder", "source": "transfer"}[key]
    text = f"{MINIMAL}\n[{table}]\n{key} = {json.dumps(name)}\n"
    with attempt.raises(StudyError, match=rf"{table}\.{key} = .* below the study's folder"):
        load_study(write(tmp_path, text))


@COUNTED
@given(NAMES)
@example("inputs/weights/own.h5")
@example("~/x")
def test_any_name_of_a_study_is_below_its_root_or_refused(attempt, name):
    store = DataStore("/srv/study")
    for setting in (lambda: KerasEncoder(weights=name), lambda: Transfer(source=name)):
        try:
            setting()
        except ValidationError:
            with attempt.raises(ValueError):
                store.input_file(name)
        else:
            attempt.fails(is_below(store.input_file(name), store.root), name)


@COUNTED
@given(NAMES, NAMES)
@example("table", "london\n")
@example("table\n", "london")
@example("..", "x")
def test_any_key_is_below_assets_or_refused(attempt, asset, partition):
    store = DataStore("/srv/study")
    try:
        folder = store.folder(asset, partition)
    except StoreError:
        attempt.fails(True, asset)
    else:
        attempt.fails(is_below(folder, store.root / "assets"), (asset, partition))
        attempt.fails(str(folder).isprintable(), (asset, partition))


@pytest.mark.parametrize("city", ["../x", "/x", "a\\n", "a b", "", "ä"])
def test_a_citys_key_is_no_path(attempt, tmp_path, city):
    text = MINIMAL.replace("[cities.alpha]", f'[cities."{city}"]')
    with attempt.raises(StudyError):
        load_study(write(tmp_path, text))


@pytest.mark.parametrize(
    "changed",
    [
        {"generation": "../../../elsewhere"},
        {"generation": "/tmp"},
        {"files": {"../../secret": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"/etc/passwd": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"..": {"sha256": "0" * 64, "bytes": 1}}},
    ],
)
def test_a_manifest_of_a_stranger_names_no_file_elsewhere(attempt, tmp_path, changed):
    store = DataStore(tmp_path)

    def make(folder):
        (folder / "table.csv").write_text("a\n")
        return Findings()

    store.publish("table", None, Recipe(code_version="1"), make)
    path = store.folder("table") / "manifest.json"
    path.write_text(json.dumps(manifest_content(path) | changed), encoding="utf-8")
    attempt.fails(store.manifest("table") is None, changed)
    with attempt.raises(StoreError, match="table"):
        store.open("table")


@pytest.mark.parametrize("linked", ["inputs", "assets", "inputs/weights"])
def test_folders_on_another_disk_work(tmp_path, linked):
    """Links that lie in the study are its owner's."""
    store, disk = DataStore(tmp_path / "study"), tmp_path / "disk"
    disk.mkdir()
    (store.root / linked).parent.mkdir(parents=True)
    (store.root / linked).symlink_to(disk)
    file = store.input_file("inputs/weights/own.h5")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("weights")

    def make(folder):
        (folder / "table.csv").write_text("a\n")
        return Findings()

    store.publish("table", "london", Recipe(code_version="1"), make)
    assert store.open("table", "london").file("table.csv").read_text() == "a\n"
    assert any(disk.rglob("own.h5" if "inputs" in linked else "table.csv"))


@pytest.mark.parametrize("name", ["../7_a.png", "/7_a.png", "a/../../7_a.png", "C:\\7_a.png"])
def test_a_member_of_an_archive_leaves_no_folder(attempt, tmp_path, name):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    (member,) = list_members(tmp_path / "a.zip").members
    attempt.fails(member.refused == "unsafe_path", name)


def test_odd_names_of_a_studys_folder_work(tmp_path):
    root = tmp_path / 'it\'s [a] "study" {x} $HOME; rm -rf *'
    root.mkdir()
    assert load_study(write(root, MINIMAL)).title
    shutil.rmtree(root)
