"""The panoramas of a city, and the list that says which way each of them looks.

A location's four painted views are put together to the panorama of a camera that stands amid them.
What lies between them, and above and below, is their nearest pixel drawn out: a view of their own
width shows none of it. As with a real camera, the middle of the picture looks anywhere, and the
file says where, in the metadata by which viewers know a panorama.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from streetineq_assets.demo.geography import stream
from streetineq_assets.demo.perspective import FOCAL
from streetineq_assets.demo.photographs import archive, paint, write_file

HEIGHT = 1.2  # of a panorama, in widths of a view
_FINER = 2  # it is put together at twice its size, of pixels as fine as the views'
_QUARTER_DEG = 90.0
_CAR_NOISE_DEG = 3.0
_QUALITY = 90
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"
 GPano:ProjectionType="equirectangular" GPano:UsePanoramaViewer="True"
 GPano:PoseHeadingDegrees="{compass}" GPano:PosePitchDegrees="0" GPano:PoseRollDegrees="0"
 GPano:FullPanoWidthPixels="{width}" GPano:FullPanoHeightPixels="{height}"
 GPano:CroppedAreaImageWidthPixels="{width}" GPano:CroppedAreaImageHeightPixels="{height}"
 GPano:CroppedAreaLeftPixels="0" GPano:CroppedAreaTopPixels="0"/>
</rdf:RDF>
</x:xmpmeta>"""


def write_panoramas(
    folder: Path, captures: pd.DataFrame, locations: pd.DataFrame, seed: int, size: tuple[int, int]
) -> None:
    """Paint all locations of a city, and write a panorama of each, called `<capture_id>.jpg`.

    Args:
        folder: `images/<city>`; made if absent.
        captures: `plan_captures` of these locations.
        locations: `location_id, area, msoa, number, latent, packing, fault`.
        seed: of the study.
        size: width and height of the views of which they are made, in pixels.
    """
    packed = []
    shown = captures[["capture_id", "location_id", "compass_deg"]].merge(locations)
    for capture in shown[shown["fault"] != "no_images"].itertuples():
        height = round(HEIGHT * size[0])
        panorama = assemble(paint(capture, seed, size), capture.compass_deg, height)
        file = f"{capture.capture_id}.jpg", _encode(panorama, capture.compass_deg)
        if capture.packing == "tgz":
            packed.append(file)
        else:
            write_file(folder / file[0], file[1])
    write_file(folder / "panoramas.tgz", archive(packed))


def plan_captures(locations: pd.DataFrame, city: str, seed: int) -> pd.DataFrame:
    """One capture for each location, in random directions, and what is known of it.

    Args:
        locations: `location_id, lat, lon, captured_at` of a city.
        city: its key.
        seed: of the study.

    Returns:
        The columns of `inputs/captures/<city>.csv`, ascending by `capture_id`. The second compass
        is the way that the camera's car went.
    """
    rng = stream(seed, "captures", city)
    n = len(locations)
    compass = rng.uniform(0, 360, n).round(2) % 360
    car = (compass + rng.normal(0, _CAR_NOISE_DEG, n)).round(2) % 360
    numbers = rng.choice(90_000_000, n, replace=False) + 10_000_000
    table = pd.DataFrame(
        {
            "capture_id": [f"pano{number}" for number in numbers],
            "location_id": locations["location_id"].to_numpy(),
            "projection": "equirectangular",
            "compass_deg": compass,
            "second_compass_deg": car,
            **{name: locations[name].to_numpy() for name in ("lat", "lon", "captured_at")},
            "provider": "synthetic",
            "licence": "CC0-1.0",
            "creator": "streetineq",
        }
    )
    return table.sort_values("capture_id", ignore_index=True)


def write_captures(path: Path, captures: pd.DataFrame) -> None:
    """Write `captures/<city>.csv`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    captures.to_csv(path, index=False, lineterminator="\n")


def assemble(views: list[Image.Image], compass: float, height: int) -> Image.Image:
    """The panorama of which views north, east, south and west are the given ones.

    Args:
        views: four, each of `FOCAL` and of one size.
        compass: direction in which the panorama's middle looks, in degrees.
        height: of the panorama in pixels; it is twice as wide.

    Returns:
        An RGB image of the whole sphere.
    """
    width_of_view, height_of_view = views[0].size
    focal_length = FOCAL * width_of_view
    direction = compass + 360 * _middles(2 * _FINER * height)
    quarter = np.round(direction / _QUARTER_DEG)
    beside = np.radians(direction - _QUARTER_DEG * quarter)
    down = focal_length * np.tan(np.pi * _middles(_FINER * height))[:, None]
    columns = _nearest(focal_length * np.tan(beside), width_of_view)
    # Rows beyond all views are like the outermost that are computed.
    beyond = int((np.abs(down) > height_of_view / 2).sum() // 2)
    rows = _nearest(down[beyond:-beyond] / np.cos(beside), height_of_view)
    pixels = np.concatenate([np.asarray(view) for view in views]).reshape(-1, 3)
    start = (quarter.astype(int) % len(views)) * width_of_view * height_of_view
    middle = pixels.take(start + rows * width_of_view + columns, axis=0)
    whole = np.pad(middle, [(beyond, beyond), (0, 0), (0, 0)], mode="edge")
    return Image.fromarray(whole).reduce(_FINER)


def _middles(n: int) -> NDArray[np.float64]:
    """Middles of n equal parts from -0.5 to 0.5."""
    return (np.arange(n) + 0.5) / n - 0.5


def _nearest(place: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """The pixel of n at a distance from their middle, the outermost beyond them."""
    return np.floor(place + n / 2).clip(0, n - 1).astype(np.intp)


def _encode(panorama: Image.Image, compass: float) -> bytes:
    width, height = panorama.size
    xmp = _XMP.format(compass=compass, width=width, height=height)
    file = io.BytesIO()
    panorama.save(file, "JPEG", quality=_QUALITY, xmp=xmp.encode())
    return file.getvalue()
