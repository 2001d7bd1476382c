"""A small invented world of captures, and what their pictures show.

A picture's columns have the colour of the direction in which they look, so that a test can tell
from a view's pixels whether it was cut at the right place; noise makes each picture its own.
"""

import colorsys
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image

PERSPECTIVE_FOV = 60.0
NO_IMAGERY_GREY = (228, 227, 223)  # of Street View's card
HTML = b"<!DOCTYPE html><html><body>Sign in to this network</body></html>"
_M_PER_DEG = 111_195.0


@dataclass(frozen=True)
class Capture:
    """One capture of the invented world.

    Attributes:
        shows: `street`, or what is sent instead: `no_imagery` (the grey card), `not_an_image`, or
            `gone` (found by a search, no longer to be had).
    """

    capture_id: str
    lat: float
    lon: float
    compass_deg: float
    captured_at_ms: int
    panorama: bool = True
    licence: str = "CC-BY-SA-4.0"
    creator: str = "walker"
    width_px: int = 5760
    height_px: int = 2880
    raw_lat: float | None = None
    raw_lon: float | None = None
    raw_compass_deg: float | None = None
    camera_type: str | None = None
    shows: str = "street"


@dataclass(frozen=True)
class World:
    """All captures there are, and their pictures.

    Attributes:
        size: width of a panorama's picture; it is half as high, and a photograph a quarter as wide.
    """

    captures: Sequence[Capture]
    size: int = 256
    _pictures: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def by_id(self) -> dict[str, Capture]:
        return {capture.capture_id: capture for capture in self.captures}

    def picture(self, capture_id: str) -> bytes:
        """The JPEG file, or other bytes, that stand for a capture's picture."""
        if capture_id not in self._pictures:
            self._pictures[capture_id] = _painted(self.by_id[capture_id], self.size)
        return self._pictures[capture_id]


def invented(
    n: int,
    *,
    seed: int = 0,
    middle: tuple[float, float] = (51.5, -0.12),
    spread_deg: float = 0.02,
    share_of_panoramas: float = 0.8,
) -> World:
    """Captures scattered evenly over a square, of 2014 to 2019."""
    generator = np.random.default_rng(seed)
    half = spread_deg / 2
    places = generator.uniform(-half, half, (n, 2)) + np.array(middle)
    return World([_one(k, places[k], generator, share_of_panoramas) for k in range(n)])


def near(
    points: Iterable[tuple[float, float]],
    *,
    per_point: int = 2,
    within_m: float = 10.0,
    seed: int = 0,
    share_of_panoramas: float = 1.0,
) -> World:
    """Captures around points, latitude and longitude, such as a test's locations."""
    generator = np.random.default_rng(seed)
    captures = []
    for lat, lon in points:
        for _ in range(per_point):
            bearing, metres = generator.uniform(0, 2 * np.pi), generator.uniform(0, within_m)
            place = np.array(
                [
                    lat + metres * np.cos(bearing) / _M_PER_DEG,
                    lon + metres * np.sin(bearing) / _M_PER_DEG / np.cos(np.radians(lat)),
                ]
            )
            captures.append(_one(len(captures), place, generator, share_of_panoramas))
    return World(captures)


def colour_of(direction_deg: float) -> tuple[int, int, int]:
    """Of a column that looks there: north is red, east green, south cyan, west violet."""
    red, green, blue = colorsys.hsv_to_rgb(direction_deg % 360 / 360, 0.7, 0.75)
    return round(255 * red), round(255 * green), round(255 * blue)


def direction_of(rgb: Sequence[float]) -> float:
    """The direction, in degrees, of a column of that mean colour."""
    return colorsys.rgb_to_hsv(*(value / 255 for value in rgb))[0] * 360


def no_imagery_card(width: int = 640, height: int = 400) -> bytes:
    """A grey card with a line of text, as Street View sends it with status 200."""
    pixels = np.full((height, width, 3), NO_IMAGERY_GREY, dtype=np.uint8)
    pixels[height // 2 : height // 2 + 8, width // 4 : width // 2 : 3] = 110
    return _jpeg(pixels)


def _one(k: int, place: np.ndarray, generator: np.random.Generator, panoramas: float) -> Capture:
    panorama = bool(generator.random() < panoramas)
    lat, lon = (round(float(value), 7) for value in place)
    raw = generator.normal(0, 3 / _M_PER_DEG, 2)
    compass = float(generator.uniform(0, 360))
    return Capture(
        capture_id=str(10**14 + 7919 * k),
        lat=lat,
        lon=lon,
        compass_deg=round(compass, 4),
        captured_at_ms=int(generator.integers(1_388_534_400_000, 1_577_836_800_000)),
        panorama=panorama,
        creator=f"walker {k % 5}",
        width_px=5760 if panorama else 4000,
        height_px=2880 if panorama else 3000,
        raw_lat=round(lat + float(raw[0]), 7),
        raw_lon=round(lon + float(raw[1]), 7),
        raw_compass_deg=round((compass + float(generator.normal(0, 5))) % 360, 4),
    )


def _painted(capture: Capture, size: int) -> bytes:
    if capture.shows == "no_imagery":
        return no_imagery_card()
    if capture.shows == "not_an_image":
        return HTML
    width, height = (size, size // 2) if capture.panorama else (size // 4, 3 * size // 16)
    fov = 360.0 if capture.panorama else PERSPECTIVE_FOV
    offsets = ((np.arange(width) + 0.5) / width - 0.5) * fov
    colours = [colour_of(capture.compass_deg + offset) for offset in offsets]
    pixels = np.broadcast_to(np.array(colours, dtype=np.float64), (height, width, 3))
    noise = np.random.default_rng(int(capture.capture_id)).normal(0, 12, (height, width, 1))
    return _jpeg((pixels + noise).clip(0, 255).astype(np.uint8))


def _jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return file.getvalue()
