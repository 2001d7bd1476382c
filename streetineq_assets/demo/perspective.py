"""A pinhole camera in a straight street, and the shapes that it sees, painted with Pillow.

What a street holds, and why, stands in `scene`.

Street coordinates in metres: `q` across the street (0 is its middle), `s` along it, `y` up from the
ground. Colours are (red, green, blue) of 0..255.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Pixel = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top
Plane = Callable[[float, float], Pixel]  # metres along and up on an upright plane, to a pixel

EYE_HEIGHT_M = 2.4
NEAREST_M = 1.2
FOCAL = 0.75  # focal length in image widths
FOV_DEG = math.degrees(2 * math.atan(0.5 / FOCAL))  # 67.38
ACROSS_M = 5.0  # how far behind the middle of the road the camera stands when it looks across
WHEEL: Colour = (24, 24, 26)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that lies `share` (clipped to 0..1) of the way from the first to the second."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter."""
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in colour)
    return red, green, blue


def any_colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    """A random colour, each channel from `low` to below `high`."""
    red, green, blue = (int(channel) for channel in rng.integers(low, high, 3))
    return red, green, blue


@dataclass(frozen=True)
class Camera:
    """Looks along the street, or across it at the buildings of the side where `q` is positive."""

    width: int
    height: int
    along: bool
    horizon: float
    centre: float

    def point(self, q: float, s: float, y: float) -> Pixel:
        """Pixel of a point in the street; a point nearer than `NEAREST_M` is moved back to it."""
        sideways, depth = (q, s) if self.along else (s, q + ACROSS_M)
        scale = FOCAL * self.width / max(depth, NEAREST_M)
        x = self.centre * self.width + scale * sideways
        return x, self.horizon * self.height + scale * (EYE_HEIGHT_M - y)

    def wall(self, q: float, s: float) -> Plane:
        """The plane of a wall along the street that starts at `s`."""
        return lambda u, y: self.point(q, s + u, y)

    def gable(self, q: float, s: float) -> Plane:
        """The plane of a wall that leads away from the street, starting at `q`."""
        return lambda u, y: self.point(q + (u if q > 0 else -u), s, y)

    def distance(self, q: float, s: float) -> float:
        """How far away a point is, by which painting is ordered."""
        return s if self.along else q + ACROSS_M

    def metre(self, q: float, s: float) -> float:
        """How many pixels a metre spans at a point."""
        return FOCAL * self.width / max(self.distance(q, s), NEAREST_M)


class Painter:
    """Paints the things of one street, seen by one camera, on one image."""

    def __init__(self, camera: Camera, rng: np.random.Generator) -> None:
        self.camera = camera
        self.rng = rng
        self.image = Image.new("RGB", (camera.width, camera.height))
        self.pen = ImageDraw.Draw(self.image)

    def sky(self, top: Colour, low: Colour, clouds: int) -> None:
        """A vertical gradient down to the horizon, with some clouds."""
        width, height = self.image.size
        ramp = np.linspace(0, 1, 32)[:, None]
        strip = (np.array(top) * (1 - ramp) + np.array(low) * ramp).astype(np.uint8)
        gradient = Image.fromarray(strip[:, None, :]).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        self.image.paste(gradient)
        for _ in range(clouds):
            x, y = self.rng.uniform(0, width), self.rng.uniform(0, 0.35 * height)
            for _ in range(5):
                dx, dy = self.rng.normal(0, 0.06 * width), self.rng.normal(0, 0.012 * height)
                rx = self.rng.uniform(0.03, 0.09) * width
                ry = self.rng.uniform(0.01, 0.035) * height
                box = (x + dx - rx, y + dy - ry, x + dx + rx, y + dy + ry)
                self.pen.ellipse(box, fill=mix(low, (250, 250, 250), 0.6))

    def strip(self, q0: float, q1: float, s0: float, s1: float, colour: Colour) -> None:
        """A rectangle of ground."""
        at = self.camera.point
        self.pen.polygon([at(q0, s0, 0), at(q1, s0, 0), at(q1, s1, 0), at(q0, s1, 0)], fill=colour)

    def crack(self, q: float, s: float, colour: Colour) -> None:
        """A crooked line on the ground."""
        steps = self.rng.normal(0, 0.5, (4, 2)).cumsum(axis=0)
        path = [self.camera.point(q + a, s + b, 0) for a, b in steps]
        self.pen.line(path, fill=colour, width=max(1, round(0.05 * self.camera.metre(q, s))))

    def speck(self, q: float, s: float, size_m: float, colour: Colour) -> None:
        """A small thing that lies on the ground."""
        x, y = self.camera.point(q, s, 0)
        half = max(1.0, 0.5 * size_m * self.camera.metre(q, s))
        self.pen.polygon(
            [
                (x - half, y),
                (x - 0.4 * half, y - 1.2 * half),
                (x + half, y - 0.5 * half),
                (x + half, y),
            ],
            fill=colour,
        )

    def panel(self, plane: Plane, box: Box, colour: Colour) -> None:
        """A rectangle in metres on an upright plane."""
        left, bottom, right, top = box
        corners = [plane(left, bottom), plane(right, bottom), plane(right, top), plane(left, top)]
        self.pen.polygon(corners, fill=colour)

    def tree(self, q: float, s: float, height_m: float, leaves: Colour, fullness: float) -> None:
        """A trunk and a crown of overlapping tufts, sparse or full."""
        x, y = self.camera.point(q, s, 0)
        metre = self.camera.metre(q, s)
        top = y - height_m * metre
        trunk = max(1.0, 0.12 * metre)
        self.pen.rectangle((x - trunk, y - 0.6 * (y - top), x + trunk, y), fill=(74, 58, 44))
        radius = 0.34 * height_m * metre
        for _ in range(round(6 + 16 * fullness)):
            dx, dy = self.rng.normal(0, 0.45 * radius, 2)
            r = radius * self.rng.uniform(0.25, 0.5)
            cx, cy = x + dx, top + 0.9 * radius + dy
            tuft = shade(leaves, self.rng.uniform(0.7, 1.25))
            self.pen.ellipse((cx - r, cy - 0.85 * r, cx + r, cy + 0.85 * r), fill=tuft)

    def car(self, q: float, s: float, colour: Colour) -> None:
        """A parked car, pointing along the street."""
        at, half, length = self.camera.point, 0.85, 4.2
        near = q - half if q > 0 else q + half
        side = [
            (0, 0.35),
            (length, 0.35),
            (length, 0.85),
            (3.5, 0.95),
            (2.9, 1.45),
            (1.0, 1.45),
            (0, 0.95),
        ]
        self.pen.polygon([at(near, s + u, y) for u, y in side], fill=shade(colour, 0.85))
        glass = [(0.6, 0.95), (3.2, 0.95), (2.75, 1.38), (1.1, 1.38)]
        self.pen.polygon([at(near, s + u, y) for u, y in glass], fill=(52, 62, 72))
        if self.camera.along:
            back = [(q - half, 0.3), (q + half, 0.3), (q + half, 0.95), (q - half, 0.95)]
            cabin = [
                (q - half, 0.95),
                (q + half, 0.95),
                (q + 0.7 * half, 1.45),
                (q - 0.7 * half, 1.45),
            ]
            self.pen.polygon([at(a, s, y) for a, y in back], fill=colour)
            self.pen.polygon([at(a, s, y) for a, y in cabin], fill=(60, 72, 84))
        for u in (0.8, 3.4):
            x, y = at(near, s + u, 0.32)
            r = 0.32 * self.camera.metre(near, s + u)
            self.pen.ellipse(
                (x - (0.5 if self.camera.along else 1) * r, y - r, x + r, y + r), fill=WHEEL
            )

    def lamp(self, q: float, s: float) -> None:
        """A lamp post."""
        foot, head = self.camera.point(q, s, 0), self.camera.point(q, s, 6.5)
        width = max(1, round(0.12 * self.camera.metre(q, s)))
        self.pen.line([foot, head], fill=(70, 74, 76), width=width)
        reach = self.camera.point(q - np.sign(q) * 1.2, s, 6.6)
        self.pen.line([head, reach], fill=(70, 74, 76), width=width)
