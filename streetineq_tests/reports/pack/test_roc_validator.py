"""`roc-validator` passes the pack's RO-Crate offline (slow: it has an environment of its own)."""

import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from streetineq_assets.reports.pack.writing import write_pack
from streetineq_tests.reports.pack.conftest import without_results

SCRIPT = Path(__file__).with_name("validate_crate.py")
pytestmark = pytest.mark.slow


def uv(*arguments: str) -> subprocess.CompletedProcess:
    program = shutil.which("uv")
    if not program:
        pytest.skip("uv is not installed")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_", "PYTEST"))}
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, env=kept
    )


@pytest.fixture(scope="module")
def validate(tmp_path_factory):
    """Takes a folder, returns what the validator says of it."""
    ready = uv("sync", "--script", str(SCRIPT), "--locked")
    if ready.returncode:
        pytest.skip(f"no package index to install roc-validator from: {ready.stderr[-200:]}")
    context = files("rocrate").joinpath("data/ro-crate.jsonld")
    cache = tmp_path_factory.mktemp("cache") / "http"

    def of(folder):
        place = [str(folder), str(context), str(cache)]
        done = uv("run", "--offline", "--locked", "--script", str(SCRIPT), *place)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return of


def test_the_pack_is_a_valid_crate(pack, validate):
    found = validate(pack)
    assert found["issues"] == []
    assert found["passed"]
    assert found["profile"] == "ro-crate-1.3"
    assert found["checks"] > 50


def test_a_pack_without_results_is_one_too(material, tmp_path, validate):
    write_pack(without_results(material), [], tmp_path)
    assert validate(tmp_path)["passed"]


def test_a_file_that_is_gone_is_found(pack, tmp_path, validate):
    """So that passing means something."""
    shutil.copytree(pack, tmp_path / "pack")
    (tmp_path / "pack" / "metrics.csv").unlink()
    found = validate(tmp_path / "pack")
    assert not found["passed"]
    assert any("metrics.csv" in issue for issue in found["issues"])
