"""Time and memory of listing a city of London's size.

    uv run python -m streetineq_tests.benchmarks.bench_catalogue [--locations 131465]

131,465 locations with four images each, 525,860 in all: the first 25,000 locations as loose files
in folders, the others in one `.tar` per thousand locations, as the original kept them. Nothing is
decoded, so the images are a few bytes long. Everything is measured in this process; peak memory is
what listing adds to what importing takes. Exits with 1 when a bound is missed.
"""

import argparse
import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streetineq_assets.images.catalogue import VIEWS, Catalogue, list_images

LOOSE = 25_000
PER_FOLDER = 1_000
BUCKETS = 128
CONTENT = b"not looked at"


def main() -> int:
    """Write the files, list them twice, print what it took."""
    options = argparse.ArgumentParser()
    options.add_argument("--locations", type=int, default=131_465)
    n = options.parse_args().locations
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        ids = [str(number) for number in range(n)]
        write_images(root, ids)
        imported = peak_gb()
        first, seconds = timed(lambda: listed(root, ids, None))
        peak = peak_gb() - imported
        again, unchanged = timed(lambda: listed(root, ids, first))
    assert first.images["status"].eq("present").all()
    assert len(first.images) == len(VIEWS) * n
    assert again.images.equals(first.images)
    print(f"{n:,} locations, {len(first.images):,} images, {len(walked_loose(ids)):,} loose")
    bounds = [
        ("seconds to list all for the first time", seconds, 60.0),
        ("gigabytes of memory to list them", peak, 1.0),
        ("seconds to list them again, archives unchanged", unchanged, 60.0),
    ]
    for what, value, bound in bounds:
        print(f"{what:<52}{value:>8.2f}  (at most {bound:g})")
    return 0 if all(value <= bound for _, value, bound in bounds) else 1


def listed(root: Path, ids: Sequence[str], known: Catalogue | None) -> Catalogue:
    """The catalogue, with the archives' members as they are known from before."""
    archives = known.archive_members if known else None
    return list_images(root, ids, city="london", buckets=BUCKETS, known_archives=archives)


def walked_loose(ids: Sequence[str]) -> range:
    """The images that lie in folders."""
    return range(len(VIEWS) * min(len(ids), LOOSE))


def write_images(root: Path, ids: Sequence[str]) -> None:
    """Folders of a thousand locations, then archives of a thousand."""
    for start in range(0, len(ids), PER_FOLDER):
        names = [f"{i}_{view}.jpg" for i in ids[start : start + PER_FOLDER] for view in VIEWS]
        if start < LOOSE:
            folder = root / str(start // PER_FOLDER)
            folder.mkdir()
            for name in names:
                (folder / name).write_bytes(CONTENT)
        else:
            with tarfile.open(root / f"{start // PER_FOLDER}.tar", "w") as archive:
                for name in names:
                    member = tarfile.TarInfo(name)
                    member.size = len(CONTENT)
                    archive.addfile(member, io.BytesIO(CONTENT))


def timed(work: Callable) -> tuple:
    """What it gave, and the seconds that it took."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def peak_gb() -> float:
    """Peak memory of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024**2


if __name__ == "__main__":
    sys.exit(main())
