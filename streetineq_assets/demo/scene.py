"""Street scenes that look better-off the higher a latent value is.

The cues are those named in the literature on street images: greenery, the buildings' condition and
set-back, the road's surface, litter, and the cars. Each follows the latent value with an error of
its own per street and again per view; weather, light, season, building materials, street width and
traffic vary independently of it. So no single colour gives the value away, and a mean over views
and streets says more than any one image.

Materials, trees and light are those of the neighbourhood, and say nothing of how well-off it is. A
network may know a place by them, and guess by its neighbours.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from itertools import product
from math import erf, sqrt

import numpy as np
from PIL import Image, ImageFilter

from streetineq_assets.demo.perspective import (
    Camera,
    Colour,
    Painter,
    Plane,
    any_colour,
    mix,
    shade,
)
from streetineq_assets.images.catalogue import VIEWS

STREET_SD = 0.16
VIEW_SD = 0.12
TINT_SD = 0.09
STOREY_M = 2.9

Reach = tuple[float, float]  # metres along the street, from and to
Thing = tuple[float, Callable[[], None]]  # its distance in metres, and what paints it

GRIME: Colour = (88, 84, 78)
CONCRETE: Colour = (146, 146, 142)
ROOFS: tuple[Colour, ...] = ((92, 84, 84), (120, 76, 62), (84, 92, 100))
LEAVES: tuple[Colour, ...] = (
    (62, 104, 48),
    (84, 120, 52),
    (110, 122, 50),
    (52, 92, 60),
    (150, 112, 48),
)
GRASS: Colour = (98, 136, 66)
HEDGE: Colour = (52, 92, 60)
BOARDS: Colour = (134, 108, 78)
DUST: Colour = (120, 108, 96)
PAINTS: tuple[Colour, ...] = (
    (196, 200, 204),
    (34, 36, 40),
    (150, 28, 32),
    (36, 66, 128),
    (110, 114, 118),
    (232, 232, 228),
)
RUBBISH: tuple[Colour, ...] = (
    (236, 236, 230),
    (30, 30, 34),
    (198, 60, 52),
    (64, 110, 190),
    (206, 180, 92),
)
SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((96, 146, 206), (190, 212, 232)),
    ((140, 170, 204), (208, 218, 226)),
    ((176, 182, 188), (212, 214, 214)),
)


@dataclass(frozen=True)
class Cues:
    """What a street shows of how well-off it is, each from 0 (worst) to 1 (best)."""

    greenery: float
    buildings: float
    setback: float
    road: float
    tidiness: float
    cars: float

    @classmethod
    def around(cls, level: float, rng: np.random.Generator) -> "Cues":
        """Cues that follow `level` (0..1), each with its own error."""
        return cls(*_blur([level] * len(fields(cls)), STREET_SD, rng))

    def seen(self, rng: np.random.Generator) -> "Cues":
        """The cues as one view shows them."""
        return Cues(*_blur([getattr(self, f.name) for f in fields(self)], VIEW_SD, rng))


@dataclass(frozen=True)
class Texture:
    """What the streets of a neighbourhood share, whatever their value."""

    facades: tuple[Colour, Colour]
    leaves: Colour
    tint: tuple[float, float, float]

    @classmethod
    def invent(cls, rng: np.random.Generator) -> "Texture":
        """The texture of a neighbourhood."""
        return cls(
            facades=(any_colour(rng, 60, 230), any_colour(rng, 60, 230)),
            leaves=LEAVES[rng.integers(len(LEAVES))],
            tint=tuple(rng.normal(1.0, TINT_SD, 3)),
        )


@dataclass(frozen=True)
class Street:
    """What the four views of one location share."""

    cues: Cues
    facades: tuple[Colour, Colour]
    leaves: Colour
    sky: tuple[Colour, Colour]
    light: tuple[float, float, float]
    road_half_m: float
    pavement_m: float

    @classmethod
    def invent(cls, latent: float, texture: Texture, rng: np.random.Generator) -> "Street":
        """A street for a latent value (standard normal over the city, higher is better-off)."""
        light = rng.normal(1.0, 0.04) * rng.normal(1.0, 0.02, 3)
        return cls(
            cues=Cues.around(0.5 * (1 + erf(latent / sqrt(2))), rng),
            facades=texture.facades,
            leaves=texture.leaves,
            sky=SKIES[rng.integers(len(SKIES))],
            light=tuple(light * texture.tint),
            road_half_m=rng.uniform(3.2, 4.6),
            pavement_m=rng.uniform(1.6, 2.4),
        )

    @property
    def kerb_m(self) -> float:
        """From the middle of the road to the gardens."""
        return self.road_half_m + self.pavement_m


def paint_location(
    latent: float,
    texture: Texture,
    rng: np.random.Generator,
    size: tuple[int, int] = (640, 400),
) -> list[Image.Image]:
    """The four views of one location: along the street, across it, back along it, across again.

    Args:
        latent: standard normal over the city; higher is better-off.
        texture: of the neighbourhood.
        rng: decides all that varies; the same state gives the same images.
        size: width and height in pixels.

    Returns:
        Four RGB images, for the views a, b, c, d (0, 90, 180, 270 degrees from the street's
        heading).
    """
    street = Street.invent(latent, texture, rng)
    first_along = bool(rng.integers(2))
    return [paint_view(street, first_along == (k % 2 == 0), rng, size) for k in range(len(VIEWS))]


def paint_view(
    street: Street, along: bool, rng: np.random.Generator, size: tuple[int, int]
) -> Image.Image:
    """One view of a street, along it or across it: an RGB image."""
    cues = street.cues.seen(rng)
    camera = Camera(*size, along, rng.normal(0.5, 0.015), rng.normal(0.5, 0.03))
    painter = Painter(camera, rng)
    painter.sky(*street.sky, clouds=int(rng.integers(0, 5)))
    reach = (2.0, 95.0) if along else (-24.0, 24.0)
    _ground(painter, street, cues, reach)
    _upright(painter, street, cues, reach)
    return _expose(painter.image, rng.normal(1.0, 0.02) * np.array(street.light), rng)


def _blur(levels: list[float], sd: float, rng: np.random.Generator) -> list[float]:
    return [float(v) for v in np.clip(np.array(levels) + rng.normal(0, sd, len(levels)), 0, 1)]


def _ground(painter: Painter, street: Street, cues: Cues, reach: Reach) -> None:
    """Gardens, pavements, the road with its markings and damage, and litter."""
    rng, half = painter.rng, street.road_half_m
    asphalt = mix((116, 114, 110), (78, 80, 84), cues.road)
    paving = mix((128, 124, 116), (176, 172, 164), cues.road)
    garden = mix(mix(CONCRETE, GRIME, 0.4), GRASS, cues.greenery)
    painter.strip(-60, 60, *reach, garden)
    painter.strip(-street.kerb_m, street.kerb_m, *reach, paving)
    painter.strip(-half, half, *reach, asphalt)
    for _ in range(rng.poisson(9 * (1 - cues.road))):
        q, s = rng.uniform(-half, half - 1), rng.uniform(*reach) * 0.5
        patch = shade(asphalt, rng.choice([0.7, 0.8, 1.2]))
        painter.strip(q, q + rng.uniform(0.5, 1.6), s, s + rng.uniform(0.6, 3.0), patch)
    for _ in range(rng.poisson(14 * (1 - cues.road))):
        painter.crack(rng.uniform(-half, half), rng.uniform(*reach) * 0.4, shade(asphalt, 0.55))
    lines = mix(asphalt, (236, 234, 224), 0.15 + 0.85 * cues.road)
    for s in np.arange(reach[0], reach[1], 5.0):
        painter.strip(-0.08, 0.08, s, s + 2.5, lines)
    for side in (-1, 1):
        painter.strip(side * (half - 0.35), side * (half - 0.25), *reach, lines)
    for _ in range(rng.poisson(46 * (1 - cues.tidiness) ** 1.5)):
        q = rng.choice([-1, 1]) * rng.uniform(half - 0.8, street.kerb_m)
        s = reach[0] + (reach[1] - reach[0]) * rng.beta(1.0, 2.5)
        painter.speck(q, s, rng.uniform(0.12, 0.5), RUBBISH[rng.integers(len(RUBBISH))])


def _upright(painter: Painter, street: Street, cues: Cues, reach: Reach) -> None:
    """Buildings, trees, cars and lamps, the farthest first."""
    things: list[Thing] = []
    for side in (-1, 1) if painter.camera.along else (1,):
        things += _terrace(painter, street, cues, side, reach)
        things += _kerbside(painter, street, cues, side, reach)
    for _, paint in sorted(things, key=lambda thing: -thing[0]):
        paint()


def _terrace(
    painter: Painter, street: Street, cues: Cues, side: int, reach: Reach
) -> Iterator[Thing]:
    """The buildings along one side."""
    rng = painter.rng
    front = street.kerb_m + 0.4 + 5.0 * cues.setback
    s = reach[0] + 1.0
    while s < reach[1]:
        tower = rng.random() < 0.45 * (1 - cues.buildings)
        length = rng.uniform(12, 18) if tower else rng.uniform(6, 9)
        home = _Building(
            q=side * (front + rng.uniform(0, 0.8)),
            s=s,
            length=length,
            floors=int(rng.integers(5, 9)) if tower else int(rng.integers(2, 4)),
            wall=CONCRETE if tower else street.facades[rng.integers(2)],
            flat=tower,
            condition=cues.buildings,
            greenery=cues.greenery,
        )
        yield painter.camera.distance(abs(home.q), s), partial(_building, painter, home)
        s += length + (rng.uniform(1.5, 5.0) if rng.random() < 0.2 + 0.5 * cues.setback else 0.0)


def _kerbside(
    painter: Painter, street: Street, cues: Cues, side: int, reach: Reach
) -> Iterator[Thing]:
    """The trees, cars and lamps along one side; each stands before the wall behind it."""
    rng = painter.rng
    verge, lane = side * (street.kerb_m - 0.3), side * (street.road_half_m - 1.2)

    def at(q: float, s: float) -> float:
        return painter.camera.distance(abs(q), s) - 0.5

    for s in np.arange(reach[0] + rng.uniform(2, 6), reach[1], 7.0):
        if rng.random() < 0.08 + 0.8 * cues.greenery:
            height = rng.uniform(4.0, 7.0) + 2 * cues.greenery
            leaves = shade(street.leaves, rng.normal(1, 0.08))
            fullness = cues.greenery * rng.uniform(0.6, 1.0)
            yield at(verge, s), partial(painter.tree, verge, s, height, leaves, fullness)
    for s in np.arange(reach[0] + rng.uniform(3, 8), reach[1], 6.2):
        if rng.random() < 0.35:
            paint = mix(PAINTS[rng.integers(len(PAINTS))], DUST, 0.6 * (1 - cues.cars))
            yield at(lane, s), partial(painter.car, lane, s, paint)
    for s in np.arange(reach[0] + rng.uniform(5, 20), reach[1], 28.0):
        yield at(verge, s), partial(painter.lamp, verge, s)


@dataclass(frozen=True)
class _Building:
    q: float
    s: float
    length: float
    floors: int
    wall: Colour
    flat: bool
    condition: float
    greenery: float

    @property
    def height(self) -> float:
        return STOREY_M * self.floors


def _building(painter: Painter, home: _Building) -> None:
    """A building: its gable, roof, wall with stains, windows, graffiti and hedge."""
    rng, camera, worn = painter.rng, painter.camera, 1 - home.condition
    colour = shade(mix(home.wall, GRIME, 0.6 * worn), rng.normal(1, 0.05))
    wall = camera.wall(home.q, home.s)
    if camera.along:
        painter.panel(camera.gable(home.q, home.s), (0, 0, 9, home.height), shade(colour, 0.82))
    if not home.flat:
        roof = mix(ROOFS[rng.integers(len(ROOFS))], GRIME, 0.4 * worn)
        ridge = camera.wall(home.q + np.sign(home.q) * 3.0, home.s)
        eaves = [wall(0, home.height), wall(home.length, home.height)]
        top = [ridge(home.length, home.height + 2.4), ridge(0, home.height + 2.4)]
        painter.pen.polygon(eaves + top, fill=roof)
    painter.panel(wall, (0, 0, home.length, home.height), colour)
    for _ in range(rng.poisson(3.5 * worn)):
        left, high = rng.uniform(0, home.length - 0.6), rng.uniform(0.3, 1) * home.height
        stain = (left, high * rng.uniform(0.2, 0.8), left + rng.uniform(0.2, 1.2), high)
        painter.panel(wall, stain, mix(colour, GRIME, 0.5))
    _windows(painter, home, wall, colour)
    if rng.random() < 0.8 * worn**2:
        _graffiti(painter, wall, rng.uniform(0.3, home.length - 2.5))
    if home.greenery > rng.uniform(0.2, 0.9):
        hedge = camera.wall(home.q - np.sign(home.q) * 0.6, home.s)
        painter.panel(hedge, (1.6, 0, home.length, 1.1), shade(HEDGE, rng.uniform(0.8, 1.15)))


def _graffiti(painter: Painter, plane: Plane, left: float) -> None:
    """Scrawls on a wall, some metres long."""
    rng, colour = painter.rng, any_colour(painter.rng, 20, 235)
    for _ in range(3):
        u = left + np.sort(rng.uniform(0, 2.2, 7))
        path = [plane(a, b) for a, b in zip(u, rng.uniform(0.6, 1.7, 7), strict=True)]
        painter.pen.line(path, fill=colour, width=max(1, painter.camera.width // 160))


def _windows(painter: Painter, home: _Building, wall: Plane, colour: Colour) -> None:
    """Rows of windows, some boarded up where the building is run down, and a door."""
    rng, worn = painter.rng, 1 - home.condition
    frame = mix(shade(colour, 0.75), (240, 240, 236), 0.1 + 0.9 * home.condition)
    columns = max(2, int(home.length / 2.3))
    pitch = home.length / columns
    for floor, column in product(range(home.floors), range(columns)):
        left, low = (column + 0.25) * pitch, STOREY_M * floor + 1.0
        right, high = left + 0.5 * pitch, low + 1.4
        boarded = rng.random() < 0.35 * worn**1.5
        glass = mix((50, 56, 62), (120, 142, 160), rng.random() * 0.6 + 0.4 * home.condition)
        painter.panel(wall, (left - 0.1, low - 0.1, right + 0.1, high + 0.1), frame)
        painter.panel(wall, (left, low, right, high), BOARDS if boarded else glass)
    door = mix(GRIME, any_colour(rng, 20, 170), home.condition)
    painter.panel(wall, (0.4, 0, 1.4, 2.1), door)


def _expose(image: Image.Image, light: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """The camera's part: soft edges, the day's light, grain."""
    soft = np.asarray(image.filter(ImageFilter.BoxBlur(0.6)), dtype=np.float32)
    grain = rng.integers(-6, 7, soft.shape[:2], dtype=np.int8)[..., None]
    return Image.fromarray(
        np.clip(soft * light.astype(np.float32) + grain, 0, 255).astype(np.uint8)
    )
