"""What a user installs: a wheel that works outside the checkout, on a study made by `init`."""

import os
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATE = REPOSITORY / "streetineq_assets" / "study_template"


@pytest.mark.parametrize("name", ["study.toml", "README.md", "dagster_home/dagster.yaml"])
def test_the_committed_study_is_what_init_writes(name):
    assert (REPOSITORY / "data" / name).read_text() == (TEMPLATE / name).read_text()


def test_the_workspace_of_the_checkout_is_that_of_the_package():
    ours = (REPOSITORY / "workspace.yaml").read_text()
    assert ours == (TEMPLATE / "workspace.yaml").read_text()


def test_dg_and_the_workspace_name_one_code_location():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    workspace = (REPOSITORY / "workspace.yaml").read_text()
    assert f"location_name: {settings['code_location_name']}\n" in workspace
    assert f"module_name: {settings['code_location_target_module']}\n" in workspace


@pytest.mark.slow
def test_a_wheel_loads_its_definitions_outside_the_checkout(tmp_path):
    uv = shutil.which("uv")
    assert uv, "uv is needed to build the wheel"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_", "PYTEST"))}

    def run(*command, **more):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=environment | more,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(uv, "build", "--wheel", "--out-dir", str(tmp_path / "dist"), str(REPOSITORY))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    packed = zipfile.ZipFile(wheel).namelist()
    assert "streetineq_assets/py.typed" in packed
    assert "streetineq_assets/deployment/templates/unit.j2" in packed
    assert "streetineq_assets/reports/pack/items_reforms.csv" in packed
    assert "streetineq_assets/reports/pack/readme.md.j2" in packed
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        run(
            uv,
            "export",
            "--project",
            str(REPOSITORY),
            "--no-dev",
            "--no-emit-project",
            "--no-hashes",
        )
    )
    run(uv, "venv", "env")
    python = tmp_path / "env" / "bin" / "python"
    run(uv, "pip", "install", "-q", "--python", str(python), "-r", str(requirements), str(wheel))
    run(str(tmp_path / "env" / "bin" / "streetineq"), "init", "study")
    count = run(
        str(python),
        "-c",
        "from streetineq_assets.definitions import defs; "
        "print(len(defs().resolve_all_asset_keys()))",
        STREETINEQ_DATA=str(tmp_path / "study"),
    )
    assert int(count) > 15
