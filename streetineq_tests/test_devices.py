"""An accelerator is leased by one process at a time; without one the CPU takes over and says so.

The GPUs here are pretended: a stand-in for `nvidia-smi` on the PATH lists them, and TensorFlow is
kept from being set up. What it does with a real GPU is not tested on a machine that has none.
"""

import subprocess
import sys
import textwrap

import pytest

from streetineq_assets import devices
from streetineq_assets.devices import DeviceRequest, lease, list_gpus
from streetineq_assets.errors import DeviceError


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "  *memory.used*) echo '1024, 81559, 37';;\n"
        "  *) echo 'Pretend GPU A'; echo 'Pretend GPU B';;\n"
        "esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_set_up", lambda device, request: device)


def test_each_process_gets_another_gpu_until_none_is_left(tmp_path, two_gpus):
    with lease(DeviceRequest(), tmp_path) as first, lease(DeviceRequest(), tmp_path) as second:
        assert (first.indices, second.indices) == ((0,), (1,))
        with lease(DeviceRequest(), tmp_path) as third:
            assert third.kind == "cpu"
            assert "leased by other processes" in third.fallback
            assert "device_fallback" in third.report()
        with (
            pytest.raises(DeviceError, match="leased by other processes"),
            lease(DeviceRequest(kind="gpu"), tmp_path),
        ):
            pass


def test_a_lease_ends_with_its_block(tmp_path, two_gpus):
    with lease(DeviceRequest(gpus=2), tmp_path) as device:
        assert device.names == ("Pretend GPU A", "Pretend GPU B")
    with lease(DeviceRequest(gpus=2), tmp_path) as device:
        assert device.indices == (0, 1)


def test_a_killed_process_loses_its_lease(tmp_path, two_gpus):
    hold = """
        import sys, time
        from filelock import FileLock
        with FileLock(sys.argv[1] + "/gpu-0.lock"):
            print("held", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(hold), str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        with lease(DeviceRequest(), tmp_path) as device:
            assert device.indices == (1,)
        child.kill()
    with lease(DeviceRequest(), tmp_path) as device:
        assert device.indices == (0,)


def test_the_cpu_is_no_fallback_when_it_was_asked_for(tmp_path, two_gpus):
    with lease(DeviceRequest(kind="cpu"), tmp_path) as device:
        assert device.kind == "cpu"
        assert device.fallback is None


def test_memory_and_load_of_a_gpu_are_reported(tmp_path, two_gpus):
    with lease(DeviceRequest(mixed_precision=True), tmp_path) as device:
        report = device.report()
    assert report["device"] == "Pretend GPU A"
    assert report["mixed_precision"] is True
    assert report["gpu_0_memory_used_mb"] == 1024
    assert report["gpu_0_utilisation_percent"] == 37


def test_only_visible_gpus_are_listed(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert list_gpus() == ["Pretend GPU B"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert list_gpus() == []


def test_a_gpu_that_is_demanded_and_absent_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with (
        pytest.raises(DeviceError, match="no NVIDIA GPU"),
        lease(DeviceRequest(kind="gpu"), tmp_path),
    ):
        pass


def test_tensorflow_is_set_up_before_it_is_imported(tmp_path):
    """In a process of its own: oneDNN on, GPUs hidden, two logical CPUs under one strategy."""
    script = """
        import os, sys
        from pathlib import Path
        from streetineq_assets.devices import DeviceRequest, lease
        assert "tensorflow" not in sys.modules
        with lease(DeviceRequest(kind="cpu", logical_cpus=2), Path(sys.argv[1])) as device:
            assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
            assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
            print(type(device.strategy()).__name__, device.strategy().num_replicas_in_sync)
    """
    environment = {"PATH": "/usr/bin:/bin", "TF_ENABLE_ONEDNN_OPTS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["MirroredStrategy", "2"]
