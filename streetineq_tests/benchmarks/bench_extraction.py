"""From JPEG files to fc6 codes on disk: this platform against other ways, on this machine.

Run `uv run --group bench python -m streetineq_tests.benchmarks.bench_extraction`. It prints images
per second, how often that is what the machine's float32 matrix product allows, processor time and
peak memory, and ends with exit code 1 when a ratio is missed. Each contender is loaded in a process
of its own, since TensorFlow and PyTorch do not share one, and they take turns, decoding ahead where
they can; the median of the rounds counts. Weights are random: speed does not depend on them. Where
the processor has AVX-512, all is measured a second time with AVX2 alone.

- `streetineq`: `extract_bucket`, with hashing, checks and the bucket's HDF5 file.
- `direct`: the same without Winograd's algorithm, the network as TensorFlow has it.
- `torchvision`: VGG16 to fc6 with a `DataLoader`, codes to HDF5.
- `openvino`: the same network exported to OpenVINO in float32, decoding ahead, codes to HDF5.
- `original`: as in 2017, four images of a location per call, one compressed `.npz` per location,
  and without oneDNN, which TensorFlow's packages of that year did not have.
- `original_onednn`: the same with oneDNN, as TensorFlow comes today. It has no bound: it shows how
  much of the lead over `original` is the library's.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from streetineq_assets.devices import Device, DeviceRequest, cpu_name, lease, list_gpus
from streetineq_tests.benchmarks.extraction_contenders import BATCH, CONTENDERS

NEEDED = {"torchvision": 1.3, "openvino": 1.6, "original": 1.3}
MEMORY_LIMIT_GB = 3.5
# A lease imports TensorFlow, beside which PyTorch crashes.
UNLEASED = ("torchvision",)
ANSWER = "answer: "
# What a machine may have set for others: libraries choose for themselves here.
UNSET = ("TF_ENABLE_ONEDNN_OPTS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "ONEDNN_MAX_CPU_ISA")


class Processor(NamedTuple):
    """What the libraries are told to use of it, and how much faster than others one is to be."""

    name: str
    needed: dict[str, float]
    environment: dict[str, str]


ON_GPU = Processor("GPU", {"torchvision": 1.0}, {})
AVX512 = Processor("AVX-512", NEEDED | {"limit": 1.7}, {})
AVX2 = Processor(
    "AVX2",
    NEEDED | {"limit": 2.0},
    {
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # TensorFlow's, PyTorch's and OpenVINO's
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+popcnt,+sse4.2,+lzcnt,+movbe",
    },
)


def processors() -> list[Processor]:
    """All of the host's vectors, then AVX2 where that is less."""
    from streetineq_assets.codes.encoders.winograd_kernels import features

    return [AVX512, AVX2] if "avx512f" in features() else [AVX2._replace(environment={})]


def write_images(folder: Path, locations: int) -> None:
    """Street-sized JPEG files, 640 x 400, with structure at several scales."""
    generator = np.random.default_rng(0)
    for number in range(locations):
        for view in "abcd":
            image = np.full((400, 640, 3), 128.0)
            for cells in (5, 20, 80):
                coarse = generator.normal(0, 40, (cells, cells, 3)).clip(-128, 127) + 128
                part = Image.fromarray(coarse.astype(np.uint8)).resize((640, 400))
                image += np.asarray(part, dtype=float) - 128
            pixels = image.clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:04d}_{view}.jpg", quality=88)


class Process:
    """A contender in a process of its own, waiting for its turn."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", __spec__.name, "--contender", name]
        self._log = folder / f"{name}.log"
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        if name == "original":
            kept["TF_ENABLE_ONEDNN_OPTS"] = "0"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, "--folder", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=kept | environment,
            )
        self.memory_gb = 0.0
        loaded = self._hear()
        self.missing, self.vectors = loaded["missing"], loaded.get("vectors")

    def turn(self) -> tuple[float, float]:
        """Seconds of one round, and of the processor."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        answer = self._hear()
        self.memory_gb = answer["memory_gb"]
        return answer["seconds"], answer["processor"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _hear(self) -> dict:
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
        raise SystemExit(f"{self._log.stem} died:\n{self._log.read_text()}")


def serve(name: str, folder: Path) -> int:
    """The child's side: load, then run a round for every line that comes in."""
    files = sorted((folder / "images").glob("*.jpg"))

    def answer(**values) -> None:
        print(ANSWER + json.dumps(values), flush=True)

    with ExitStack() as held:
        if name in UNLEASED:
            device = Device(kind="gpu" if list_gpus() else "cpu")
        else:
            request = DeviceRequest(mixed_precision=True)
            device = held.enter_context(lease(request, folder / "leases"))
        try:
            run = CONTENDERS[name](files, device)
        except ImportError as error:
            answer(missing=str(error))
            return 0
        kernels = sys.modules.get("streetineq_assets.codes.encoders.winograd_kernels")
        answer(missing=None, vectors=getattr(kernels, "LANES", None))
        for _ in sys.stdin:
            with tempfile.TemporaryDirectory(dir=folder) as output:
                started, worked = time.perf_counter(), time.process_time()
                run(Path(output))
                seconds, worked = time.perf_counter() - started, time.process_time() - worked
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer(seconds=seconds, processor=worked, memory_gb=peak / 1e6)
    return 0


class Found(NamedTuple):
    """Medians of a contender."""

    speed: float
    processor_ms: float
    memory_gb: float


def measure(
    folder: Path, names: list[str], count: int, rounds: int, environment: dict[str, str]
) -> dict[str, Found]:
    """Images per second, processor time of an image and peak memory of whoever is installed."""
    processes = {}
    for name in names:
        process = Process(name, folder, environment)
        if process.missing:
            print(f"{name} is left out: {process.missing}")
            continue
        processes[name] = process
        if process.vectors:
            print(f"{name} computes with vectors of {process.vectors} floats")
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
    for number in range(rounds + 1):
        for name, process in processes.items():
            turns[name].append(process.turn())
        latest = ", ".join(f"{name} {count / turns[name][-1][0]:.2f}" for name in processes)
        print(f"{f'round {number}' if number else 'warming up'}: {latest}", flush=True)
    found = {}
    for name, process in processes.items():
        process.close()
        seconds, worked = (statistics.median(times) for times in zip(*turns[name][1:], strict=True))
        found[name] = Found(count / seconds, worked / count * 1e3, process.memory_gb)
    return found


def report(title: str, found: dict[str, Found], needed: dict[str, float]) -> bool:
    """Print the table and the ratios; whether all were met."""
    mine = found["streetineq"]
    print(f"\n{title:<16} {'images/s':>9} {'to limit':>9} {'CPU ms':>9} {'peak GB':>8}")
    for name, (speed, processor_ms, memory) in found.items():
        share = f"{speed / found['limit'].speed:9.2f}" if "limit" in found else ""
        print(f"{name:<16} {speed:9.2f} {share:>9} {processor_ms:9.0f} {memory:8.2f}")
    met = mine.memory_gb <= MEMORY_LIMIT_GB
    print(f"streetineq's peak memory: {mine.memory_gb:.2f} GB (at most {MEMORY_LIMIT_GB})")
    for name, wanted in needed.items():
        if name in found:
            ratio, of_processor = (
                mine.speed / found[name].speed,
                found[name].processor_ms / mine.processor_ms,
            )
            met &= ratio >= wanted
            bound = f"at least {wanted}; by processor time {of_processor:.2f}"
            print(f"streetineq / {name}: {ratio:.2f} ({bound})")
    print(flush=True)
    return met


def main() -> int:
    """Measure, print, and say by the exit code whether the ratios hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64, help=f"a multiple of {BATCH}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        return serve(arguments.contender, arguments.folder)
    count = max(BATCH, arguments.images // BATCH * BATCH)
    gpus, met = list_gpus(), True
    print(f"{', '.join(gpus) or cpu_name()}: {count} images, {arguments.rounds} rounds")
    names = ["streetineq", "torchvision"] if gpus else list(CONTENDERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        write_images(folder / "images", count // len("abcd"))
        for processor in [ON_GPU] if gpus else processors():
            found = measure(folder, names, count, arguments.rounds, processor.environment)
            met &= report(processor.name, found, processor.needed)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
