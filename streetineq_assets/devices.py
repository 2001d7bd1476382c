"""Choose, lease and set up a device before TensorFlow is imported.

A lease is a file lock for each GPU, so the kernel frees it when its process dies. The file is named
after the GPU's UUID: numbers count within `CUDA_VISIBLE_DEVICES`, which Ray and SLURM set for each
worker, so that everybody's GPU is number 0. The locks lie in the machine's folder for temporary
files and not in a study's: a machine's studies and users share its GPUs, and machines that share a
study do not.

TensorFlow reads its environment once, on import, so `lease` must come first in a process; a process
that has imported TensorFlow already keeps the devices that it saw.
"""

import contextlib
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filelock import FileLock, Timeout

from streetineq_assets.errors import DeviceError
from streetineq_assets.findings import Scalar
from streetineq_assets.tensorflow_log import LEVEL_VARIABLE, without_noise

if TYPE_CHECKING:
    import tensorflow as tf

_NVIDIA_SMI = "nvidia-smi"
_NVIDIA_SMI_TIMEOUT_S = 20
_RETRY_EVERY_S = 0.2
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_LOAD_FIELDS = ("memory.used", "memory.total", "utilization.gpu")  # MiB, MiB, %


@dataclass(frozen=True)
class DeviceRequest:
    """What a process asks for.

    Attributes:
        kind: `auto` takes a free GPU and falls back to the CPU; `gpu` fails when there is none.
        gpus: how many GPUs at most.
        mixed_precision: float16 arithmetic with float32 variables when training on GPUs; ignored
            on the CPU. Encoders have a setting of their own, `encoder.mixed_precision`.
        threads: intra-op threads, 0 for one per core.
        logical_cpus: split the CPU into this many logical devices, to exercise several-device code.
        wait_s: how long to wait while others hold all GPUs before falling back.
    """

    kind: Literal["auto", "gpu", "cpu"] = "auto"
    gpus: int = 1
    mixed_precision: bool = False
    threads: int = 0
    logical_cpus: int = 1
    wait_s: float = 0.0


@dataclass(frozen=True)
class Device:
    """What a process got: one CPU, or one or more GPUs.

    Attributes:
        names, uuids: of the GPUs, as nvidia-smi has them; a CPU has no UUID.
        mixed_precision: of training, as in `DeviceRequest`.
        fallback: why it is a CPU although a GPU would have been taken; None on a machine without
            an NVIDIA driver, where nothing else was expected, unless a scheduler gave one out.
    """

    kind: Literal["cpu", "gpu"]
    names: tuple[str, ...] = ("cpu",)
    uuids: tuple[str, ...] = ()
    mixed_precision: bool = False
    fallback: str | None = None
    logical_cpus: int = field(default=1, repr=False)

    @property
    def jit_training(self) -> bool:
        """XLA wins for training on CPU and GPU alike."""
        return True

    @property
    def jit_inference(self) -> bool:
        """On the CPU oneDNN's own kernels beat XLA for convolutions."""
        return self.kind == "gpu"

    def strategy(self) -> "tf.distribute.Strategy | Any":
        """The default strategy for one device, `MirroredStrategy` for several."""
        import tensorflow as tf

        kind = self.kind.upper()
        logical = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(logical) > 1:
            return tf.distribute.MirroredStrategy(logical)
        return tf.distribute.get_strategy()

    def report(self) -> dict[str, Scalar]:
        """Values for the UI: the device's name, memory in use and in all (MiB), share of time busy.

        GPUs are counted within the lease, from 0; what the driver does not report is left out.
        """
        values: dict[str, Scalar] = {
            "device": ", ".join(self.names),
            "device_kind": self.kind,
            "mixed_precision": self.mixed_precision,
        }
        if self.fallback:
            values["device_fallback"] = self.fallback
        for number, uuid in enumerate(self.uuids):
            used, total, busy = _gpu_load(uuid)
            values |= {
                f"gpu_{number}_memory_used_mb": used,
                f"gpu_{number}_memory_total_mb": total,
                f"share_gpu_{number}_busy": None if busy is None else busy / 100,
            }
        return {name: value for name, value in values.items() if value is not None}


@contextlib.contextmanager
def lease(request: DeviceRequest, folder: Path | None = None) -> Generator[Device]:
    """Hold a device for the duration of the block; set TensorFlow up for it.

    Args:
        folder: where the lock files lie, for all processes of the machine; by default
            `streetineq-gpus` in the folder for temporary files (`TMPDIR`, else `/tmp`).

    Raises:
        DeviceError: `kind="gpu"`, and no GPU is free within `wait_s`, or TensorFlow sees none; or
            this user may not write the lock files.
    """
    gpus = _visible_gpus() if request.kind != "cpu" else []
    with contextlib.ExitStack() as held:
        leased = _lock_free(gpus, request, held, folder)
        device = _gpu(request, leased) if leased else _cpu(request, gpus)
        device = _set_up(device, request)
        if device.kind == "cpu":
            held.close()  # others may use the GPU that TensorFlow does not see here
        yield device


@contextlib.contextmanager
def arithmetic(*, mixed: bool) -> Generator[None]:
    """Layers made in the block compute in float32, or `mixed`: in float16, on float32 variables."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def list_gpus() -> list[str]:
    """Names of the NVIDIA GPUs that this process may use, without importing TensorFlow."""
    return [gpu.name for gpu in _visible_gpus()]


def cpu_name() -> str:
    """The processor's model name and number of usable cores."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model} ({os.cpu_count()} cores)"


# -- which GPUs ----------------------------------------------------------------------------------


class _Gpu(NamedTuple):
    """A GPU, or a part of one under MIG."""

    uuid: str
    name: str


def _visible_gpus() -> list[_Gpu]:
    """This machine's GPUs in driver order, or those that `CUDA_VISIBLE_DEVICES` names, in its own.

    CUDA sees nothing behind the first name that it does not know, so neither does this.
    """
    listed = _listed_gpus()
    visible = os.environ.get(_VISIBLE)
    if visible is None:
        return list(listed.values())
    gpus = []
    for name in visible.split(","):
        gpu = _named(name.strip(), listed)
        if gpu is None:
            break
        gpus.append(gpu)
    return gpus


def _listed_gpus() -> dict[str, _Gpu]:
    """Driver's number, which is CUDA's in PCI order, to GPU."""
    rows = [line.split(",", 2) for line in _nvidia_smi("index,uuid,name")]
    return {row[0].strip(): _Gpu(row[1].strip(), row[2].strip()) for row in rows if len(row) == 3}


def _named(name: str, listed: dict[str, _Gpu]) -> _Gpu | None:
    """The GPU of a number, a UUID, or the beginning of one UUID alone."""
    if name.startswith("MIG-"):
        return _Gpu(uuid=name, name=name)  # nvidia-smi lists whole GPUs only
    fitting = [gpu for gpu in listed.values() if name and gpu.uuid.startswith(name)]
    return listed.get(name) or (fitting[0] if len(fitting) == 1 else None)


def _lock_free(
    gpus: Sequence[_Gpu],
    request: DeviceRequest,
    held: contextlib.ExitStack,
    folder: Path | None,
) -> list[_Gpu]:
    """Lock as many free GPUs as are asked for; while all are taken, wait for the first."""
    folder = folder or Path(tempfile.gettempdir()) / "streetineq-gpus"
    deadline = time.monotonic() + request.wait_s
    while True:
        taken: list[_Gpu] = []
        for gpu in gpus:
            if len(taken) < request.gpus and _lock(gpu, folder, held):
                taken.append(gpu)
        if taken or not gpus or time.monotonic() >= deadline:
            return taken
        time.sleep(_RETRY_EVERY_S)


def _lock(gpu: _Gpu, folder: Path, held: contextlib.ExitStack) -> bool:
    file = re.sub(r"[^\w-]", "_", gpu.uuid)  # older names of parts hold slashes
    path = folder / f"{file}.lock"
    try:
        _open_to_all(folder)
        held.enter_context(FileLock(path, timeout=0, mode=0o666))
    except Timeout:
        return False
    except OSError as error:  # not ours to write, or a link
        raise DeviceError(
            f"this user may not write {path}, so the GPU cannot be leased: `chmod 777 {folder}` "
            f"and `chmod 666` on the files in it, or remove it while no step runs ({error})"
        ) from error
    return True


def _open_to_all(folder: Path) -> None:
    """Make the folder for all users; where it is a link, nothing is written through it.

    It is not sticky as `/tmp` is: there Linux and filelock refuse files that another user made.
    This protects no less, since whoever can use a GPU can use it without a lease.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    if folder.is_symlink():
        raise DeviceError(
            f"{folder} is a link, by which another user could have this one write elsewhere: "
            "remove it, or set TMPDIR to a folder of this machine's users"
        )


# -- what is given -------------------------------------------------------------------------------


def _gpu(request: DeviceRequest, leased: Sequence[_Gpu]) -> Device:
    return Device(
        kind="gpu",
        names=tuple(gpu.name for gpu in leased),
        uuids=tuple(gpu.uuid for gpu in leased),
        mixed_precision=request.mixed_precision,
    )


def _cpu(request: DeviceRequest, gpus: Sequence[_Gpu]) -> Device:
    no_driver = shutil.which(_NVIDIA_SMI) is None
    if request.kind == "cpu" or (request.kind == "auto" and no_driver and not _is_given_out()):
        return Device(kind="cpu", names=(cpu_name(),), logical_cpus=request.logical_cpus)
    return _fall_back(request, _why_none(request, gpus))


def _fall_back(request: DeviceRequest, why: str) -> Device:
    """The CPU in place of a GPU, with the reason, or an error where a GPU was demanded."""
    if request.kind == "gpu":
        raise DeviceError(f"no GPU can be leased: {why} (kind: auto takes the CPU instead)")
    return Device(kind="cpu", names=(cpu_name(),), fallback=why, logical_cpus=request.logical_cpus)


def _why_none(request: DeviceRequest, gpus: Sequence[_Gpu]) -> str:
    if gpus:
        return f"all GPUs ({len(gpus)}) are leased by other processes, waited {request.wait_s:g} s"
    if _is_given_out() and shutil.which(_NVIDIA_SMI) is None:
        return f"{_VISIBLE}={os.environ[_VISIBLE]!r} gives it a GPU, and it has no NVIDIA driver"
    if _listed_gpus():
        return f"{_VISIBLE}={os.environ.get(_VISIBLE)!r} names none of this machine's GPUs"
    return "this machine has no NVIDIA GPU, or its driver does not answer"


def _is_given_out() -> bool:
    """Whether whoever started this process gave it a GPU, as Ray and SLURM do."""
    return os.environ.get(_VISIBLE, "") not in ("", "-1", "NoDevFiles")


# -- TensorFlow ----------------------------------------------------------------------------------


def _set_up(device: Device, request: DeviceRequest) -> Device:
    """TensorFlow's environment, then its configuration where it is not running yet.

    Returns:
        The device, or what stands for a GPU that TensorFlow cannot use.
    """
    imported = "tensorflow" in sys.modules
    if not imported:
        _set_environment(device)
    with without_noise(without_gpu=device.kind == "cpu"):
        import tensorflow as tf

        if device.kind == "gpu" and not tf.config.list_physical_devices("GPU"):
            why = "TensorFlow sees no GPU: `uv sync --extra gpu` installs its CUDA libraries"
            device = _fall_back(request, why)
        if not imported:
            _configure(device, request)
    return device


def _set_environment(device: Device) -> None:
    os.environ.setdefault(LEVEL_VARIABLE, "2")
    # On AMD processors TensorFlow leaves oneDNN off, and matrix products run at half speed.
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    # CUDA counts the fastest GPU first by itself, nvidia-smi counts by PCI bus.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    os.environ[_VISIBLE] = ",".join(device.uuids)


def _configure(device: Device, request: DeviceRequest) -> None:
    import tensorflow as tf

    if request.threads:
        tf.config.threading.set_intra_op_parallelism_threads(request.threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if device.kind == "cpu" and device.logical_cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(device.logical_cpus)]
        tf.config.set_logical_device_configuration(cpu, parts)
    # A model that is compiled anew for each bucket or fold is meant to be traced anew.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with tf.device("CPU"):
        tf.cast(0.0, tf.float16)  # starts TensorFlow, so that it says all that it has to say now


# -- nvidia-smi ----------------------------------------------------------------------------------


def _gpu_load(uuid: str) -> tuple[float | None, float | None, float | None]:
    """Memory in use and in all (MiB) and utilisation (%); None for what is not a number."""
    rows = _nvidia_smi(",".join(_LOAD_FIELDS), uuid) or [""]
    values: list[float | None] = [None] * len(_LOAD_FIELDS)
    for number, text in enumerate(rows[0].split(",")[: len(_LOAD_FIELDS)]):
        with contextlib.suppress(ValueError):  # `[N/A]` under MIG and on virtual GPUs
            values[number] = float(text)
    used, total, busy = values
    return used, total, busy


def _nvidia_smi(query: str, uuid: str | None = None) -> list[str]:
    """Lines of the driver's answer; none when there is no driver or it does not answer."""
    tool = shutil.which(_NVIDIA_SMI)
    if tool is None:
        return []
    command = [tool, f"--query-gpu={query}", "--format=csv,noheader,nounits"]
    if uuid is not None:
        command.append(f"--id={uuid}")
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed tool with fixed arguments
            command, capture_output=True, text=True, timeout=_NVIDIA_SMI_TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
