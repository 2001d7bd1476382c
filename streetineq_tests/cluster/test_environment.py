"""A step takes the study's environment to its node, and no password."""

from pathlib import Path

import pytest

from streetineq_assets.cluster.environment import step_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("DAGSTER_HOME", "HDF5_USE_FILE_LOCKING", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_the_study_is_named_wherever_the_step_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
    passed = step_environment(Path("data"), 1)
    assert passed["STREETINEQ_DATA"] == str(tmp_path / "data")
    assert passed["HDF5_USE_FILE_LOCKING"] == "FALSE"
    assert "DAGSTER_HOME" not in passed


@pytest.mark.parametrize("name", ["STREETINEQ_POSTGRES_URL", "STREETINEQ_SMTP_URL"])
def test_passwords_stay(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "postgresql://user:secret@host/runs")
    assert "secret" not in str(step_environment(tmp_path, 1))


def test_what_belongs_to_a_machine_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("TMPDIR", "/scratch")
    assert {"CUDA_VISIBLE_DEVICES", "TMPDIR"}.isdisjoint(step_environment(tmp_path, 1))


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, "1"), (1, "1"), (4, "4"), (2.5, "2")])
def test_a_step_has_a_thread_for_each_cpu_that_it_reserves(tmp_path, cpus, threads):
    passed = step_environment(tmp_path, cpus)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        assert passed[name] == threads
