"""Ways to turn JPEG files into VGG16's fc6 on disk, for `bench_extraction`; weights are random."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from streetineq_assets.codes.encoders.compiled import compile_model
from streetineq_assets.codes.encoders.encoder import Encode
from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.codes.encoders.vgg16 import build_encoder
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.codes.preprocess import CHANNEL_MEANS, preprocess
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import KerasEncoder as Settings
from streetineq_assets.images.catalogue import list_images
from streetineq_assets.prefetch import prefetch

GFLOP_PER_IMAGE = 30.9
BATCH = 32
Contender = Callable[[Path], None]


def platform(files: list[Path], device: Device, *, direct: bool = False) -> Contender:
    """This platform, with the number of threads that `image_codes` uses.

    Args:
        direct: with the network as TensorFlow has it.
    """
    folder = files[0].parent
    settings = Settings(weights="random", batch_size=BATCH, mixed_precision=device.kind == "gpu")
    encoder = load_encoder(settings, root=folder, seed=0, device=device)
    if direct:
        encoder = replace(encoder, encode=by_tensorflow(BATCH, device))
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

    encode = by_tensorflow(4, device)

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
            codes = np.asarray(encode(views.astype(np.float32)))
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


def by_tensorflow(batch_size: int, device: Device) -> Encode:
    """The network without Winograd's algorithm."""
    return compile_model(build_encoder("random", 0), batch_size=batch_size, device=device)


def limit(files: list[Path], device: Device) -> Contender:
    """TensorFlow's own float32 matrix product, of as much arithmetic as the images take."""
    import tensorflow as tf

    size = 4096
    factors = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
    a, b = tf.constant(factors[0]), tf.constant(factors[1])
    whole, rest = divmod(round(len(files) * GFLOP_PER_IMAGE * 1e9 / (2 * size**2)), size)
    parts = [a] * whole + [a[:rest]] * bool(rest)

    def run(output: Path) -> None:
        for part in parts:
            tf.matmul(part, b)[0, 0].numpy()

    return run


CONTENDERS = {
    "limit": limit,
    "streetineq": platform,
    "direct": partial(platform, direct=True),
    "torchvision": torchvision,
    "openvino": openvino,
    "original": original,
    "original_onednn": original,
}
