"""From JPEG files to fc6 codes on disk: this platform against three other ways, on this machine.

Run `uv run --group bench python -m streetineq_tests.benchmarks.bench_extraction`. It prints images
per second, the share of what the machine's float32 matrix product allows, and peak memory, and ends
with exit code 1 when a ratio is missed. Each contender is loaded in a process of its own, since
TensorFlow and PyTorch do not share one, and they take turns, decoding ahead where they can; the
median of the rounds counts. Weights are random: speed does not depend on them.

- `streetineq`: `extract_bucket`, with hashing, checks and the bucket's HDF5 file.
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
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.codes.preprocess import CHANNEL_MEANS, preprocess
from streetineq_assets.devices import Device, DeviceRequest, cpu_name, lease, list_gpus
from streetineq_assets.encoder_settings import KerasEncoder as Settings
from streetineq_assets.images.catalogue import list_images
from streetineq_assets.prefetch import prefetch

GFLOP_PER_IMAGE = 30.9
BATCH = 32
NEEDED = {"limit": 0.85, "torchvision": 1.3, "openvino": 0.90, "original": 1.3}
NEEDED_ON_GPU = {"torchvision": 1.0}
MEMORY_LIMIT_GB = 3.0
# A lease imports TensorFlow, beside which PyTorch crashes.
UNLEASED = ("torchvision",)
ANSWER = "answer: "
Contender = Callable[[Path], None]


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


def platform(files: list[Path], device: Device) -> Contender:
    """This platform, with the number of threads that `image_codes` uses."""
    folder = files[0].parent
    settings = Settings(weights="random", batch_size=BATCH, mixed_precision=device.kind == "gpu")
    encoder = load_encoder(settings, root=folder, seed=0, device=device)
    ids = {file.name.split("_")[0] for file in files}
    images = list_images(folder, ids, city="bench", buckets=1).images
    workers = min(16, (os.cpu_count() or 1) + 1)

    def run(output: Path) -> None:
        findings = extract_bucket(
            images,
            locate=folder.joinpath,
            encoder=encoder,
            target=output / "image_codes.h5",
            work=output,
            n_buckets=1,
            pace=Pace(workers=workers),
        )
        assert all(check.passed for check in findings.checks)

    return run


def torchvision(files: list[Path], device: Device) -> Contender:
    """torchvision's VGG16 as its users run it; in half precision on a GPU."""
    import torch
    from torchvision import transforms
    from torchvision.models import vgg16

    place = "cuda" if device.kind == "gpu" else "cpu"
    network = vgg16(weights=None).eval().to(place)
    if place == "cuda":
        network = network.half().to(memory_format=torch.channels_last)
    network.classifier = network.classifier[:1]
    prepare = transforms.Compose(
        [
            transforms.Resize(224),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    class Files(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, number: int) -> "torch.Tensor":
            with Image.open(files[number]) as image:
                return prepare(image.convert("RGB"))

    loader = torch.utils.data.DataLoader(
        Files(), batch_size=BATCH, num_workers=min(16, os.cpu_count() or 1)
    )

    def run(output: Path) -> None:
        with torch.inference_mode():
            batches = (
                network(batch.to(place, network.classifier[0].weight.dtype)) for batch in loader
            )
            save(output, (codes.float().cpu().numpy() for codes in batches), len(files))

    return run


def openvino(files: list[Path], device: Device) -> Contender:
    """The platform's network and preprocessing, run by OpenVINO on the CPU."""
    import openvino as ov

    from streetineq_assets.codes.encoders.vgg16 import build_encoder

    exported = ov.convert_model(build_encoder("random", 0), input=[(BATCH, 224, 224, 3)])
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    network = ov.Core().compile_model(exported, "CPU", options)

    def run(output: Path) -> None:
        images = prefetch(preprocess, files, workers=3, ahead=2 * BATCH)
        batches = (network(np.stack(batch))[0] for batch in in_batches(images))
        save(output, batches, len(files))

    return run


def original(files: list[Path], device: Device) -> Contender:
    """One location a call, images decoded in between, a compressed file for each location."""
    from scipy import ndimage

    settings = Settings(weights="random", batch_size=4)
    encoder = load_encoder(settings, root=Path(), seed=0, device=device)

    def load(file: Path) -> np.ndarray:
        """The whole image rescaled in double precision, as scikit-image did, then cropped."""
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB")) / 255.0
        factor = 224 / min(pixels.shape[:2]) + 0.0001
        scaled = ndimage.zoom(pixels, (factor, factor, 1), order=1, grid_mode=True, mode="nearest")
        top, left = ((size - 224) // 2 for size in scaled.shape[:2])
        view = scaled[top : top + 224, left : left + 224] * 255.0
        return view[:, :, ::-1] - CHANNEL_MEANS

    def run(output: Path) -> None:
        for start in range(0, len(files), 4):
            views = np.stack([load(file) for file in files[start : start + 4]])
            codes = np.asarray(encoder.encode(views.astype(np.float32)))
            np.savez_compressed(output / f"{start}.npz", code=codes)

    return run


def in_batches(images):
    """Lists of `BATCH` images; the benchmark's number of images is a multiple of it."""
    batch = []
    for image in images:
        batch.append(image)
        if len(batch) == BATCH:
            yield batch
            batch = []


def save(output: Path, batches, count: int) -> None:
    with h5py.File(output / "codes.h5", "w") as file:
        dataset = file.create_dataset("features", (count, 4096), np.float32)
        start = 0
        for codes in batches:
            dataset[start : start + len(codes)] = codes
            start += len(codes)


def limit(files: list[Path], device: Device) -> Contender:
    """TensorFlow's own float32 matrix product, of as much arithmetic as the images take."""
    import tensorflow as tf

    size = 4096
    factors = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
    a, b = tf.constant(factors[0]), tf.constant(factors[1])
    products = max(1, round(len(files) * GFLOP_PER_IMAGE / (2 * size**3 / 1e9)))

    def run(output: Path) -> None:
        for _ in range(products):
            tf.matmul(a, b)[0, 0].numpy()

    return run


class Process:
    """A contender in a process of its own, waiting for its turn."""

    def __init__(self, name: str, folder: Path) -> None:
        command = [
            sys.executable,
            "-m",
            __spec__.name,
            "--contender",
            name,
            "--folder",
            str(folder),
        ]
        self._log = folder / f"{name}.log"
        environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
        if name == "original":
            environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self.memory_gb = 0.0
        self.missing = self._hear()["missing"]

    def turn(self) -> float:
        """Seconds of one round."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        answer = self._hear()
        self.memory_gb = answer["memory_gb"]
        return answer["seconds"]

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
        answer(missing=None)
        for _ in sys.stdin:
            with tempfile.TemporaryDirectory(dir=folder) as output:
                started = time.perf_counter()
                run(Path(output))
                seconds = time.perf_counter() - started
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer(seconds=seconds, memory_gb=peak / 1e6)
    return 0


CONTENDERS = {
    "limit": limit,
    "streetineq": platform,
    "torchvision": torchvision,
    "openvino": openvino,
    "original": original,
    "original_onednn": original,
}


def measure(folder: Path, names: list[str], count: int, rounds: int) -> dict[str, list[float]]:
    """Images per second (median) and peak memory of each contender that is installed."""
    found = {}
    for name in names:
        process = Process(name, folder)
        if process.missing:
            print(f"{name} is left out: {process.missing}")
        else:
            found[name] = process
    speeds: dict[str, list[float]] = {name: [] for name in found}
    for number in range(rounds + 1):
        for name, process in found.items():
            speeds[name].append(count / process.turn())
        latest = ", ".join(f"{name} {speeds[name][-1]:.2f}" for name in found)
        print(f"{f'round {number}' if number else 'warming up'}: {latest}", flush=True)
    for process in found.values():
        process.close()
    return {n: [statistics.median(speeds[n][1:]), found[n].memory_gb] for n in found}


def report(found: dict[str, list[float]], needed: dict[str, float]) -> bool:
    """Print the table and the ratios; whether all were met."""
    mine, memory = found["streetineq"]
    print(f"\n{'':<16} {'images/s':>9} {'to limit':>9} {'peak GB':>8}")
    for name, (speed, used) in found.items():
        share = f"{speed / found['limit'][0]:9.2f}" if "limit" in found else ""
        print(f"{name:<16} {speed:9.2f} {share:>9} {used:8.2f}")
    met = memory <= MEMORY_LIMIT_GB
    print(f"streetineq's peak memory: {memory:.2f} GB (at most {MEMORY_LIMIT_GB})")
    for name, wanted in needed.items():
        if name in found:
            ratio = mine / found[name][0]
            met &= ratio >= wanted
            print(f"streetineq / {name}: {ratio:.2f} (at least {wanted})")
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
    gpus = list_gpus()
    print(f"{', '.join(gpus) or cpu_name()}: {count} images, {arguments.rounds} rounds")
    names = ["streetineq", "torchvision"] if gpus else list(CONTENDERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        write_images(folder / "images", count // len("abcd"))
        found = measure(folder, names, count, arguments.rounds)
    return 0 if report(found, NEEDED_ON_GPU if gpus else NEEDED) else 1


if __name__ == "__main__":
    sys.exit(main())
