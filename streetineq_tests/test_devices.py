"""An accelerator is leased by one process at a time; without one the CPU takes over and says so.

The GPUs here are pretended: a stand-in for `nvidia-smi` on the PATH lists them, and TensorFlow is
kept from being set up, or pretended too. What it does with a real GPU is not tested on a machine
that has none.
"""

import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import pytest
from filelock import FileLock

from streetineq_assets import devices
from streetineq_assets.devices import DeviceRequest, lease, list_gpus
from streetineq_assets.errors import DeviceError

GPU_A = "GPU-aaaa1111-0000-0000-0000-000000000000"
GPU_B = "GPU-bbbb2222-0000-0000-0000-000000000000"
MIG = "MIG-cccc3333-0000-0000-0000-000000000000"
NVIDIA_SMI = f"""#!/bin/sh
case "$*" in
  *memory.used*--id={GPU_A}) echo '1024, 81559, 37';;
  *memory.used*--id={GPU_B}) echo '2048, 81559, [N/A]';;
  *memory.used*) exit 6;;
  *index,uuid,name*) echo '0, {GPU_A}, Pretend GPU A'; echo '1, {GPU_B}, Pretend GPU B';;
esac
"""


@pytest.fixture
def nvidia_smi(tmp_path):
    """The folder of a tool that lists two GPUs."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(NVIDIA_SMI)
    tool.chmod(0o755)
    return tool.parent


@pytest.fixture
def two_gpus(nvidia_smi, monkeypatch):
    monkeypatch.setenv("PATH", f"{nvidia_smi}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_set_up", lambda device, request: device)


def test_each_process_gets_another_gpu_until_none_is_left(tmp_path, two_gpus):
    with lease(DeviceRequest(), tmp_path) as first, lease(DeviceRequest(), tmp_path) as second:
        assert (first.uuids, second.uuids) == ((GPU_A,), (GPU_B,))
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
        assert device.uuids == (GPU_A, GPU_B)


def test_a_killed_process_loses_its_lease(tmp_path, two_gpus):
    hold = """
        import sys, time
        from filelock import FileLock
        with FileLock(sys.argv[1]):
            print("held", flush=True)
            time.sleep(60)
    """
    lock = str(tmp_path / f"{GPU_A}.lock")
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(hold), lock], stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        with lease(DeviceRequest(), tmp_path) as device:
            assert device.uuids == (GPU_B,)
        child.kill()
    with lease(DeviceRequest(), tmp_path) as device:
        assert device.uuids == (GPU_A,)


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
    assert report["gpu_0_memory_total_mb"] == 81559
    assert report["share_gpu_0_busy"] == 0.37


def test_what_the_driver_does_not_report_is_left_out(tmp_path, two_gpus, monkeypatch):
    """Under MIG and on virtual GPUs nvidia-smi has `[N/A]` for a value, or fails."""
    with lease(DeviceRequest(gpus=2), tmp_path) as device:
        report = device.report()
    assert report["gpu_1_memory_used_mb"] == 2048
    assert "share_gpu_1_busy" not in report
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", MIG)
    with lease(DeviceRequest(), tmp_path) as device:
        assert device.report() == {"device": MIG, "device_kind": "gpu", "mixed_precision": False}


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["Pretend GPU B"]),
        ("1, 0", ["Pretend GPU B", "Pretend GPU A"]),
        (GPU_B, ["Pretend GPU B"]),
        ("GPU-bbbb", ["Pretend GPU B"]),
        (MIG, [MIG]),
        ("", []),
        ("NoDevFiles", []),
        ("GPU-", []),
        ("0,-1,1", ["Pretend GPU A"]),
    ],
)
def test_visible_gpus_are_those_that_cuda_would_see(two_gpus, monkeypatch, visible, names):
    """By number, UUID or a prefix that fits one; CUDA stops at a name that it does not know."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert list_gpus() == names


def test_workers_that_see_a_gpu_each_do_not_lock_each_other_out(tmp_path, two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with lease(DeviceRequest(), tmp_path) as first:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        with lease(DeviceRequest(), tmp_path) as second:
            assert (first.uuids, second.uuids) == ((GPU_A,), (GPU_B,))
            assert second.report()["gpu_0_memory_used_mb"] == 2048


def test_one_gpu_is_leased_once_however_it_is_named(tmp_path, two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with lease(DeviceRequest(), tmp_path):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb")
        with lease(DeviceRequest(), tmp_path) as second:
            assert second.kind == "cpu"


def test_a_free_gpu_is_taken_without_waiting_for_one_that_is_not(tmp_path, two_gpus):
    with FileLock(tmp_path / f"{GPU_A}.lock"):
        started = time.monotonic()
        with lease(DeviceRequest(wait_s=30), tmp_path) as device:
            assert device.uuids == (GPU_B,)
        assert time.monotonic() - started < 10


def test_whichever_gpu_is_free_first_ends_the_wait(tmp_path, two_gpus):
    with FileLock(tmp_path / f"{GPU_A}.lock"):
        other = FileLock(tmp_path / f"{GPU_B}.lock", thread_local=False)
        other.acquire()
        threading.Timer(0.5, other.release).start()
        with lease(DeviceRequest(wait_s=30), tmp_path) as device:
            assert device.uuids == (GPU_B,)


@pytest.mark.parametrize("visible", ["GPU-dddd", "7", ""])
def test_the_cpu_is_a_fallback_when_no_gpu_is_visible(tmp_path, two_gpus, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with lease(DeviceRequest(), tmp_path) as device:
        assert device.kind == "cpu"
        assert f"CUDA_VISIBLE_DEVICES={visible!r}" in device.fallback


def test_the_cpu_of_a_machine_without_a_driver_is_no_fallback(tmp_path, two_gpus, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    with lease(DeviceRequest(), tmp_path) as device:
        assert (device.kind, device.fallback) == ("cpu", None)


@pytest.mark.parametrize("visible", ["0", GPU_A])
def test_a_gpu_that_was_given_out_and_has_no_driver_is_a_fallback(
    tmp_path, two_gpus, monkeypatch, visible
):
    """Ray and SLURM count the GPUs that they are told of, and ask no driver."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with lease(DeviceRequest(), tmp_path) as device:
        assert device.kind == "cpu"
        assert f"CUDA_VISIBLE_DEVICES={visible!r} gives it a GPU" in device.fallback
    with (
        pytest.raises(DeviceError, match="no NVIDIA driver"),
        lease(DeviceRequest(kind="gpu"), tmp_path),
    ):
        pass


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles"])
def test_without_a_driver_a_step_that_was_given_none_misses_nothing(
    tmp_path, two_gpus, monkeypatch, visible
):
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with lease(DeviceRequest(), tmp_path) as device:
        assert (device.kind, device.fallback) == ("cpu", None)


def test_a_driver_that_does_not_answer_is_the_reason_of_a_fallback(tmp_path, two_gpus, nvidia_smi):
    (nvidia_smi / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    with lease(DeviceRequest(), tmp_path) as device:
        assert "its driver does not answer" in device.fallback


class TestLockFolder:
    def test_it_is_the_machines_and_not_the_studys(self, tmp_path, two_gpus, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with lease(DeviceRequest()):
            assert (tmp_path / "streetineq-gpus" / f"{GPU_A}.lock").is_file()

    def test_other_users_may_lock_there_too(self, tmp_path, two_gpus):
        folder = tmp_path / "locks"
        before = os.umask(0o077)
        try:
            with lease(DeviceRequest(), folder):
                pass
        finally:
            os.umask(before)
        assert folder.stat().st_mode & 0o7777 == 0o777
        assert (folder / f"{GPU_A}.lock").stat().st_mode & 0o777 == 0o666

    def test_one_that_this_user_may_not_write_is_named(self, tmp_path, two_gpus, monkeypatch):
        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(FileLock, "acquire", refuse)
        with (
            pytest.raises(DeviceError, match=r"\.lock.*chmod"),
            lease(DeviceRequest(), tmp_path / "locks"),
        ):
            pass

    def test_none_is_made_where_nothing_is_leased(self, tmp_path, two_gpus):
        with lease(DeviceRequest(kind="cpu"), tmp_path / "locks"):
            assert not (tmp_path / "locks").exists()


def test_a_gpu_that_is_demanded_and_absent_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with (
        pytest.raises(DeviceError, match="no NVIDIA GPU"),
        lease(DeviceRequest(kind="gpu"), tmp_path),
    ):
        pass


TENSORFLOW = """
import contextlib, os
environment = dict(os.environ)
asked = []
device = contextlib.nullcontext
float16 = "float16"
cast = staticmethod(lambda value, kind: value)
class config:
    LogicalDeviceConfiguration = object
    list_physical_devices = staticmethod(lambda kind: ["the CPU"] if kind == "CPU" else [])
    set_logical_device_configuration = staticmethod(lambda cpu, parts: asked.append(len(parts)))
    class threading:
        set_intra_op_parallelism_threads = staticmethod(asked.append)
"""


def test_tensorflow_is_set_up_before_it_is_imported(tmp_path):
    """oneDNN on, GPUs hidden, then five threads and two logical CPUs.

    A stand-in for TensorFlow says what it found when it was imported; `codes/test_encoders` runs
    the real one on two logical CPUs.
    """
    (tmp_path / "tensorflow.py").write_text(TENSORFLOW)
    script = """
        import sys
        from pathlib import Path
        from streetineq_assets.devices import DeviceRequest, lease
        sys.path.insert(0, sys.argv[1])
        assert "tensorflow" not in sys.modules
        with lease(DeviceRequest(kind="cpu", logical_cpus=2, threads=5), Path(sys.argv[1])):
            import tensorflow
            assert tensorflow.environment["CUDA_VISIBLE_DEVICES"] == ""
            print(tensorflow.environment.get("TF_ENABLE_ONEDNN_OPTS"), *tensorflow.asked)
    """
    onednn, *asked = run_script(script, tmp_path).split()
    assert onednn == ("1" if platform.machine() in ("x86_64", "AMD64") else "None")
    assert asked == ["5", "2"]


def test_a_gpu_that_tensorflow_cannot_use_is_not_given(tmp_path, nvidia_smi):
    """The driver lists GPUs, TensorFlow has no CUDA libraries for them."""
    (tmp_path / "tensorflow.py").write_text(TENSORFLOW)
    script = """
        import os, sys
        from pathlib import Path
        from streetineq_assets.devices import DeviceRequest, lease
        from streetineq_assets.errors import DeviceError
        sys.path.insert(0, sys.argv[1])
        try:
            with lease(DeviceRequest(kind="gpu"), Path(sys.argv[1])) as device:
                print("given", device)
        except DeviceError as error:
            print(error)
        import tensorflow
        print(os.environ["CUDA_DEVICE_ORDER"], tensorflow.environment["CUDA_VISIBLE_DEVICES"])
        with lease(DeviceRequest(), Path(sys.argv[1])) as first:
            print(first.kind, first.fallback)
            with lease(DeviceRequest(), Path(sys.argv[1])) as second:
                print(second.kind, second.fallback)
    """
    demanded, environment, *leased = run_script(script, tmp_path, nvidia_smi).splitlines()
    assert "uv sync --extra gpu" in demanded
    assert environment == f"PCI_BUS_ID {GPU_A}"
    for line in leased:
        assert line.startswith("cpu TensorFlow sees no GPU"), line


def test_the_real_tensorflow_sees_no_gpu_without_one(tmp_path, nvidia_smi, monkeypatch):
    """In this process, which has imported it, or imports it now."""
    tensorflow = pytest.importorskip("tensorflow")
    if tensorflow.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("PATH", f"{nvidia_smi}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with lease(DeviceRequest(), tmp_path) as device:
        assert device.kind == "cpu"
        assert device.fallback.startswith("TensorFlow sees no GPU")


def run_script(script, folder, tools="/usr/bin"):
    """What a process of its own prints, with `folder` as its argument."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
