"""A process that extracts a bucket and publishes it, to be killed at any moment.

Usage: `python -m streetineq_tests.codes.killed ROOT IDS`. It prints `ready` when the work begins
and `done` when the bucket is published.
"""

import sys
from pathlib import Path

from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_tests.codes.fakes import fake_encoder, listing

KEY = "leeds/000"


def extract_and_publish(root: Path, ids: list[str], *, seconds: float) -> None:
    store = DataStore(root)
    images = listing(store.inputs("images", "leeds"), ids)

    def write(folder: Path) -> Findings:
        return extract_bucket(
            images,
            locate=store.inputs("images", "leeds").joinpath,
            encoder=fake_encoder(batch_size=4, seconds=seconds),
            target=folder / "image_codes.h5",
            work=store.workspace("image_codes", KEY),
            n_buckets=1,
            pace=Pace(workers=2, part_rows=3),
        )

    store.publish("image_codes", KEY, Recipe(code_version="1"), write)
    store.clear_workspace("image_codes", KEY)


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    extract_and_publish(Path(sys.argv[1]), sys.argv[2].split(","), seconds=0.02)
    sys.stdout.write("done\n")
