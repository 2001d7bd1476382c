"""Choose, lease and set up a device before TensorFlow is imported.

What belongs here: which accelerator this process may use, the lock files by which processes share
accelerators, TensorFlow's environment. What does not: what runs on the device, and Dagster
(`resources.GpuResource` is the thin wrapper).

A lease is a file lock per accelerator (`gpu-0.lock`), so the kernel frees it when its process dies.
TensorFlow reads its environment once, on import, so `lease` must come first in a process; a process
that has imported TensorFlow already keeps the devices that it saw.
"""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from streetineq_assets.errors import DeviceError

if TYPE_CHECKING:
    import tensorflow as tf

_NVIDIA_SMI_TIMEOUT_S = 20


@dataclass(frozen=True)
class DeviceRequest:
    """What a process asks for.

    Attributes:
        kind: `auto` takes a free GPU and falls back to the CPU; `gpu` fails when there is none.
        gpus: how many GPUs at most.
        mixed_precision: float16 arithmetic with float32 variables on GPUs; ignored on the CPU.
        threads: intra-op threads, 0 for one per core.
        logical_cpus: split the CPU into this many logical devices, to exercise several-device code.
        wait_s: how long to wait for a GPU that others hold before falling back.
    """

    kind: Literal["auto", "gpu", "cpu"] = "auto"
    gpus: int = 1
    mixed_precision: bool = False
    threads: int = 0
    logical_cpus: int = 1
    wait_s: float = 0.0


@dataclass(frozen=True)
class Device:
    """What a process got: one CPU, or one or more GPUs."""

    kind: Literal["cpu", "gpu"]
    names: tuple[str, ...] = ("cpu",)
    indices: tuple[int, ...] = ()
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

    def strategy(self) -> "tf.distribute.Strategy":
        """The default strategy for one device, `MirroredStrategy` for several."""
        import tensorflow as tf

        kind = self.kind.upper()
        logical = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(logical) > 1:
            return tf.distribute.MirroredStrategy(logical)
        return tf.distribute.get_strategy()

    def report(self) -> dict[str, Any]:
        """Device name, memory and utilisation as figures for metadata."""
        figures: dict[str, Any] = {
            "device": ", ".join(self.names),
            "device_kind": self.kind,
            "mixed_precision": self.mixed_precision,
        }
        if self.fallback:
            figures["device_fallback"] = self.fallback
        for index in self.indices:
            figures |= _gpu_load(index)
        return figures


@contextlib.contextmanager
def lease(request: DeviceRequest, folder: Path) -> Iterator[Device]:
    """Hold a device for the duration of the block; set TensorFlow up for it.

    Args:
        folder: where the lock files lie; shared by all processes of the machine.

    Raises:
        DeviceError: `kind="gpu"` and no GPU is free within `wait_s`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gpus = list_gpus() if request.kind != "cpu" else []
    with contextlib.ExitStack() as held:
        indices = _lock_free(gpus, request, folder, held)
        if request.kind == "gpu" and not indices:
            raise DeviceError(_no_gpu(gpus, request))
        yield _set_up(_device(request, gpus, indices), request)


def list_gpus() -> list[str]:
    """Names of this machine's NVIDIA GPUs, in driver order, without importing TensorFlow."""
    lines = _nvidia_smi("name")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return lines
    chosen = [part for part in visible.split(",") if part.strip().isdigit()]
    return [lines[int(part)] for part in chosen if int(part) < len(lines)]


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


def _lock_free(
    gpus: list[str], request: DeviceRequest, folder: Path, held: contextlib.ExitStack
) -> tuple[int, ...]:
    taken: list[int] = []
    wait_s = request.wait_s
    for index in range(len(gpus)):
        if len(taken) == request.gpus:
            break
        lock = FileLock(folder / f"gpu-{index}.lock", timeout=wait_s)
        try:
            held.enter_context(lock)
        except Timeout:
            wait_s = 0.0  # the wait is over for all of them
            continue
        taken.append(index)
    return tuple(taken)


def _device(request: DeviceRequest, gpus: list[str], indices: tuple[int, ...]) -> Device:
    if indices:
        return Device(
            kind="gpu",
            names=tuple(gpus[index] for index in indices),
            indices=indices,
            mixed_precision=request.mixed_precision,
        )
    asked = request.kind != "cpu" and gpus
    return Device(
        kind="cpu",
        names=(cpu_name(),),
        fallback=_no_gpu(gpus, request) if asked else None,
        logical_cpus=request.logical_cpus,
    )


def _no_gpu(gpus: list[str], request: DeviceRequest) -> str:
    if not gpus:
        return "this machine has no NVIDIA GPU, or its driver does not answer"
    return f"all {len(gpus)} GPUs are leased by other processes (waited {request.wait_s:g} s)"


def _set_up(device: Device, request: DeviceRequest) -> Device:
    """TensorFlow's environment, then its configuration where it is not running yet."""
    imported = "tensorflow" in sys.modules
    if not imported:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # On AMD processors TensorFlow leaves oneDNN off, and matrix products run at half speed.
        if platform.machine() in ("x86_64", "AMD64"):
            os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
        visible = _visible(device)
        if visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible
    return device if imported else _configure(device, request)


def _visible(device: Device) -> str | None:
    """CUDA_VISIBLE_DEVICES for the leased GPUs, counted within what the caller may see."""
    if device.kind == "cpu":
        return ""
    outer = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = outer.split(",") if outer else [str(i) for i in range(len(device.indices) + 64)]
    return ",".join(names[index].strip() for index in device.indices)


def _configure(device: Device, request: DeviceRequest) -> Device:
    import tensorflow as tf

    if request.threads:
        tf.config.threading.set_intra_op_parallelism_threads(request.threads)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if device.kind == "gpu" and not gpus:
        # The driver answers but the CUDA libraries are absent: `pip install streetineq[gpu]`.
        device = Device(
            kind="cpu",
            names=(cpu_name(),),
            fallback="TensorFlow sees no GPU: install streetineq[gpu] for its CUDA libraries",
        )
    if device.kind == "cpu" and device.logical_cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(device.logical_cpus)]
        tf.config.set_logical_device_configuration(cpu, parts)
    return device


def _gpu_load(index: int) -> dict[str, float]:
    rows = _nvidia_smi("memory.used,memory.total,utilization.gpu", index)
    if not rows:
        return {}
    used, total, load = (float(part) for part in rows[0].split(","))
    return {
        f"gpu_{index}_memory_used_mb": used,
        f"gpu_{index}_memory_total_mb": total,
        f"gpu_{index}_utilisation_percent": load,
    }


def _nvidia_smi(query: str, index: int | None = None) -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={query}", "--format=csv,noheader,nounits"]
    if index is not None:
        command.append(f"--id={index}")
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed tool with fixed arguments
            command, capture_output=True, text=True, timeout=_NVIDIA_SMI_TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
