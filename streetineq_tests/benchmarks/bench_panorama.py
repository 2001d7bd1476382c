"""Four views of a panorama, against py360convert and against the bound of 120 ms.

    uv run python -m streetineq_tests.benchmarks.bench_panorama

Both cut 640 x 400 pixels of 90 degrees bilinearly, on one core, whose time is taken. Also how long
a location takes from its file to pixels for the encoder, beside four photographs. Exits with 1
where the four views take longer than the bound, or than py360convert.
"""

import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import py360convert
from PIL import Image

from streetineq_assets.codes.cutting import Cut
from streetineq_assets.codes.image_loading import (
    Finished,
    LocationImages,
    Source,
    prepare_location,
    read_archives,
)
from streetineq_assets.image_settings import Images
from streetineq_assets.images.panorama import views
from streetineq_tests.images.pictures import photograph

BOUND_MS = 120.0
ROUNDS = 5
WIDTHS = (2048, 5760)  # providers' thumbnails, and what cameras take
HEADINGS = (0.0, 90.0, 180.0, 270.0)
SIZE, FOV = (640, 400), 90.0
UPRIGHT = float(2 * np.degrees(np.arctan(SIZE[1] / SIZE[0])))


def main() -> int:
    """Measure, print a table, return the exit code."""
    missed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("panorama       four views, ms   py360convert, ms   file to pixels, ms")
        for width in WIDTHS:
            image = photograph(1, size=(width, width // 2))
            pixels = np.asarray(image)
            ours, theirs = measure(partial(views, pixels, compass=33.0), partial(rival, pixels))
            whole = of_location(folder, f"{width}.jpg", [image], [cut(h) for h in HEADINGS])
            print(f"{width} x {width // 2:<6}{ours:>14.0f}{theirs:>18.0f}{whole:>20.0f}")
            missed |= ours > min(BOUND_MS, theirs)
        flat = [photograph(seed, size=SIZE) for seed in range(4)]
        print(f"four photographs{of_location(folder, 'flat.jpg', flat, [None] * 4):>48.0f}")
    return int(missed)


def rival(pixels: np.ndarray) -> list[np.ndarray]:
    """The four views by py360convert."""
    turns = [(heading - 33 + 180) % 360 - 180 for heading in HEADINGS]
    return [py360convert.e2p(pixels, (FOV, UPRIGHT), turn, 0, SIZE[::-1]) for turn in turns]


def cut(heading: float) -> Cut:
    """A view of the panorama."""
    return Cut(33.0, 0.0, 0.0, heading, FOV, SIZE)


def of_location(
    folder: Path, name: str, images: list[Image.Image], cuts: list[Cut | None]
) -> float:
    """Milliseconds from the files of a location to pixels for the encoder."""
    names = [f"{number}_{name}" for number in range(len(images))]
    for file, image in zip(names, images, strict=True):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=90)
        (folder / file).write_bytes(data.getvalue())
    sources = [Source(names[n % len(names)], None, each) for n, each in enumerate(cuts)]
    (unpacked,) = read_archives([LocationImages("1", tuple(sources))], folder.joinpath)
    finished = Finished({}, set())
    (found,) = measure(
        partial(
            prepare_location,
            unpacked,
            locate=folder.joinpath,
            finished=finished,
            limits=Images(),
            antialias=True,
        )
    )
    return found


def measure(*rivals: Callable[[], object]) -> list[float]:
    """Milliseconds of a core for each, the median of rounds in which they take turns."""
    taken: list[list[float]] = [[] for _ in rivals]
    for _ in range(ROUNDS + 1):  # the first warms up
        for each, run in zip(taken, rivals, strict=True):
            started = time.process_time()
            run()
            each.append(1000 * (time.process_time() - started))
    return [statistics.median(each[1:]) for each in taken]


if __name__ == "__main__":
    sys.exit(main())
