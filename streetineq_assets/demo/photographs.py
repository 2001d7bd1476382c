"""The photographs of a city: PNG and JPEG files in nested folders, and `.tgz` archives.

All times in and of the files are fixed, so that the same study has the same bytes and the same
listing wherever it is written.
"""

import gzip
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, ImageEnhance

from streetineq_assets.demo.geography import stream
from streetineq_assets.demo.scene import Texture, paint_location
from streetineq_assets.images.catalogue import VIEWS

WRITTEN_AT_S = 1_522_540_800  # 1 April 2018
ERROR_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>403</title></head><body>Quota exceeded</body></html>\n"
)
FOREIGN = ("notes.txt", "loose/999999_a.jpg")  # not an image; an image of no listed location


def write_photographs(
    folder: Path, locations: pd.DataFrame, seed: int, size: tuple[int, int]
) -> None:
    """Paint and write all images of a city below `folder`, and two that belong to no location.

    Args:
        folder: `images/<city>`; made if absent.
        locations: `location_id, area, msoa, number, latent, packing, fault, repeats`.
        seed: of the study.
        size: width and height of the images in pixels.
    """
    streets = {row.location_id: row for row in locations.itertuples()}

    def files_of(location: Any) -> Iterator[tuple[str, bytes]]:
        return _files(location, streets.get(location.repeats, location), seed, size)

    for location in locations[locations["packing"] != "tgz"].itertuples():
        for name, data in files_of(location):
            write_file(folder / _folder(location) / name, data)
    packed = locations[locations["packing"] == "tgz"]
    for thousand, group in packed.groupby(packed["location_id"].astype(int) // 1000):
        files = (file for location in group.itertuples() for file in files_of(location))
        write_file(folder / f"{thousand}.tgz", archive(files))
    write_file(folder / FOREIGN[0], b"Views a to d look 0, 90, 180 and 270 degrees.\n")
    write_file(folder / FOREIGN[1], _encode(Image.new("RGB", size, (127, 127, 127)), "JPEG"))


def paint(street: Any, seed: int, size: tuple[int, int]) -> list[Image.Image]:
    """The four views of a location's street, see `scene.paint_location`.

    Args:
        street: the location's `area, msoa, number, latent`.
        seed: of the study.
        size: width and height in pixels.
    """
    rng = stream(seed, "scene", street.area, street.number)
    texture = Texture.invent(stream(seed, "texture", street.msoa))
    return paint_location(street.latent, texture, rng, size)


def _folder(location: Any) -> str:
    """Two habits: one folder per thousand ids, or one per year and location."""
    thousand = int(location.location_id) // 1000
    if location.packing == "png":
        return f"survey/{thousand}"
    return f"{location.captured_at[:4]}/{thousand}/{location.location_id}"


def _files(
    location: Any, street: Any, seed: int, size: tuple[int, int]
) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of a location's images, with its fault.

    Args:
        street: the location whose street is seen: its own, or that of another near by.
    """
    if location.fault == "no_images":
        return
    ending = "jpg" if location.packing == "jpeg" else "png"
    for view, image in zip(VIEWS, paint(street, seed, size), strict=True):
        seen = _seen_again(image) if street is not location else image
        data = _encode(seen, "JPEG" if ending == "jpg" else "PNG")
        if view == "c":
            data = _spoil(data, location.fault)
        if data:
            yield f"{location.location_id}_{view}.{ending}", data


def _seen_again(image: Image.Image) -> Image.Image:
    """The same street a little brighter, from half a step nearer."""
    width, height = image.size
    margin = (width * 0.005, height * 0.005, width * 0.995, height * 0.995)
    nearer = image.resize(image.size, Image.Resampling.BILINEAR, box=margin)
    return ImageEnhance.Brightness(nearer).enhance(1.02)


def _spoil(data: bytes, fault: str) -> bytes:
    """The bytes as the fault leaves them; none for a missing file."""
    if fault == "missing_view":
        return b""
    if fault == "truncated":
        return data[: len(data) // 2]
    return ERROR_PAGE if fault == "not_an_image" else data


def _encode(image: Image.Image, format_: str) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": 90} if format_ == "JPEG" else {"compress_level": 1}
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A gzipped tar of (name, bytes), without a trace of when and where it was made."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(
            filename="", mode="wb", compresslevel=1, fileobj=buffer, mtime=WRITTEN_AT_S
        ) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), WRITTEN_AT_S
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def write_file(path: Path, data: bytes) -> None:
    """Write a file with the fixed time; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (WRITTEN_AT_S, WRITTEN_AT_S))
