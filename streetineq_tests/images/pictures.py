"""Small pictures and folders of them for the tests of images and codes."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from backports import zstd
from PIL import Image

VIEWS = "abcd"
COMPRESSORS = {
    **dict.fromkeys((".tgz", ".gz"), gzip.open),
    **dict.fromkeys((".tbz2", ".bz2"), bz2.open),
    **dict.fromkeys((".txz", ".xz"), lzma.open),
    **dict.fromkeys((".tzst", ".zst"), zstd.open),
}
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


@cache
def picture(seed: int, *, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    """An encoded picture of width and height `size`, different for every seed."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


@cache
def photograph(seed: int, *, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Structure at all scales and sensor noise, so that it compresses as photographs do."""
    generator = np.random.default_rng(seed)
    image = np.full((*size[::-1], 3), 128.0)
    for cells in (3, 9, 27, 81):
        coarse = generator.normal(128, 40, (cells, cells, 3)).clip(0, 255).astype(np.uint8)
        image += (np.asarray(Image.fromarray(coarse).resize(size)) - 128.0) / cells**0.3
    image += generator.normal(0, 4, image.shape)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def views_of(ids: Iterable[str], *, first_seed: int = 0) -> dict[str, bytes]:
    """File name to bytes of four views for each id."""
    names = [f"{location_id}_{view}.png" for location_id in ids for view in VIEWS]
    return {name: picture(seed) for seed, name in enumerate(names, start=first_seed)}


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_tar(path: Path, files: dict[str, bytes], *, modified: int = 1_500_000_000) -> None:
    """Write a tar, compressed as its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    compressed = COMPRESSORS.get(path.suffix, open)
    with compressed(path, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), modified
            archive.addfile(info, io.BytesIO(data))


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
