"""Level views of a panorama: what a camera without tilt would have taken in its place.

A panorama is equirectangular: its columns are directions round the horizon, its rows elevations
from the zenith to the nadir. A view is the picture of a pinhole camera that stands level and looks
along a compass direction. Each of its pixels is a direction; where the panorama was taken with a
tilt, that is turned into the camera's own frame; there it is a place between four pixels.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.image_settings import LOWEST_DEG, lowest_deg

# Raise it when the same panorama and directions give other pixels: views are known by it.
VERSION = 1
# Pixels that are computed at a time. Their numbers stay in the processor's cache, and their arrays
# below the 128 kB from which memory is asked of the system each time: half of the time is saved.
_PIXELS = 8192


def views(
    panorama: NDArray[np.uint8],
    *,
    compass: float,
    pitch: float = 0.0,
    roll: float = 0.0,
    headings: Sequence[float] = (0, 90, 180, 270),
    fov: float = 90.0,
    size: tuple[int, int] = (640, 400),
) -> list[NDArray[np.uint8]]:
    """Cut level views of a panorama, bilinearly interpolated.

    Columns go on round the seam, and rows end at the poles. A panorama with far more pixels than a
    view should be made smaller before, to `least_height`, since only four pixels are looked at.

    Args:
        panorama: uint8 (H, 2 H, 3), to the pixel; the whole sphere.
        compass: direction in which its middle column looks, clockwise from true north, in degrees.
        pitch: how far its middle is raised above the horizon, in degrees.
        roll: how far the camera was turned clockwise about its own line of sight, right side down,
            so that the horizon is turned anticlockwise in the panorama, in degrees.
        headings: of the views, clockwise from true north, in degrees.
        fov: width of a view, in degrees.
        size: width and height of a view, in pixels.

    Returns:
        uint8 (height, width, 3) for each heading.

    Raises:
        ValueError: no such panorama, an angle that is not finite, or views that would show what
            lies over `LOWEST_DEG` below the horizon: the camera's car, tripod or bearer.

    Source: the pose is that of Google's Photo Sphere XMP metadata (GPano: PoseHeadingDegrees,
        PosePitchDegrees, PoseRollDegrees), which are those of the image's centre, and the roll
        about it.
    """
    from scipy.spatial.transform import Rotation

    _refuse(panorama, (compass, pitch, roll, *headings), fov, size)
    # East, north and up are the axes: clockwise is negative about up, pitch is about the right side
    # and roll about the line of sight, each after those before it.
    camera = Rotation.from_euler("ZXY", [-(compass % 360), pitch, roll], degrees=True)
    looks = [Rotation.from_euler("Z", -heading, degrees=True) for heading in headings]
    turns = [(camera.inv() * look).as_matrix().astype(np.float32) for look in looks]
    pixels = np.ascontiguousarray(panorama)
    return [_view(pixels, turn, fov, size) for turn in turns]


def least_height(fov: float, size: tuple[int, int]) -> int:
    """Height of a panorama that is as fine as its views are in their middle, in pixels.

    Args:
        fov, size: as for `views`.
    """
    return math.ceil(math.pi * _focal_length(fov, size))


def _refuse(panorama: NDArray, angles: Sequence[float], fov: float, size: tuple[int, int]) -> None:
    shape = panorama.shape
    if panorama.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        raise ValueError(f"{panorama.dtype} {shape} is no panorama: uint8 (H, 2 H, 3) is wanted")
    if min(shape) < 1 or abs(shape[1] - 2 * shape[0]) > 1:
        raise ValueError(f"{shape[1]} x {shape[0]} pixels: a panorama is twice as wide as high")
    if not all(map(math.isfinite, angles)):
        raise ValueError(f"compass, pitch, roll and headings {angles}: finite degrees are wanted")
    if not 0 < fov < 180 or min(size) < 1:
        raise ValueError(f"no view is {fov} degrees wide, and {size} pixels in size")
    if (lowest := lowest_deg(fov, *size)) > LOWEST_DEG:
        raise ValueError(
            f"a view of {fov} degrees and {size[0]} x {size[1]} pixels shows what lies "
            f"{lowest:.0f} degrees below the horizon, where the camera stands: at most "
            f"{LOWEST_DEG:.0f} are allowed"
        )


def _focal_length(fov: float, size: tuple[int, int]) -> float:
    """Distance of a view's plane from the camera, in pixels."""
    return size[0] / 2 / math.tan(math.radians(fov) / 2)


def _view(
    pixels: NDArray[np.uint8], turn: NDArray[np.float32], fov: float, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """One view (height, width, 3).

    Args:
        turn: (3, 3), takes the view's axes (right, front, up) to those of the panorama's camera.
    """
    width, height = size
    focal_length = np.float32(_focal_length(fov, size))
    right = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal_length
    up = (height / 2 - 0.5 - np.arange(height, dtype=np.float32)[:, None]) / focal_length
    view = np.empty((height, width, 3), np.uint8)
    n_rows = max(1, _PIXELS // width)
    for rows in (slice(start, start + n_rows) for start in range(0, height, n_rows)):
        x, y, z = (a * right + b + c * up[rows] for a, b, c in turn)
        lon, lat = np.arctan2(x, y), np.arctan2(z, np.hypot(x, y))
        view[rows] = _interpolate(pixels, lon / (2 * np.pi) + 0.5, 0.5 - lat / np.pi)
    return view


def _interpolate(
    pixels: NDArray[np.uint8], across: NDArray[np.float32], down: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Colours (m, n, 3) at places (m, n) from 0 to 1 across and down the panorama."""
    height, width = pixels.shape[:2]
    u, v = across * width - 0.5, down * height - 0.5
    left, above = np.floor(u), np.floor(v)
    before = left.astype(np.intp) % width
    after = (before + 1) % width
    row = above.astype(np.intp)
    upper, lower = (each.clip(0, height - 1) * width for each in (row, row + 1))
    flat, along, down = pixels.reshape(-1, 3), (u - left)[..., None], (v - above)[..., None]
    first, second = (
        _between(flat.take(each + before, axis=0), flat.take(each + after, axis=0), along)
        for each in (upper, lower)
    )
    return (_between(first, second, down) + 0.5).astype(np.uint8)


def _between(first: NDArray, second: NDArray, way: NDArray[np.float32]) -> NDArray[np.float32]:
    first = first.astype(np.float32)
    return first + way * (second - first)
