"""A process that extracts a bucket and publishes it, to be killed at any moment.

Usage: `python -m streetineq_tests.codes.killed ROOT IDS ENCODER`. It prints `ready` when the work
begins and `done` when the bucket is published.
"""

import sys
from pathlib import Path

from streetineq_assets.codes.encoders.encoder import Encoder
from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import KerasEncoder
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_tests.codes.fakes import fake_encoder, listing

KEY = "leeds/000"


def vgg16_on_cpu() -> Encoder:
    """The paper's network at its real size, two locations at a time, in Winograd's arithmetic."""
    settings = KerasEncoder(weights="random", batch_size=8)
    encoder = load_encoder(settings, root=Path(), seed=2019, device=Device(kind="cpu"))
    assert encoder.values["arithmetic"].startswith("winograd")
    return encoder


ENCODERS = {"slow": lambda: fake_encoder(batch_size=4, seconds=0.02), "vgg16": vgg16_on_cpu}


def extract_and_publish(root: Path, ids: list[str], encoder: Encoder) -> None:
    store = DataStore(root)
    images = listing(store.inputs("images", "leeds"), ids)

    def write(folder: Path) -> Findings:
        return extract_bucket(
            images,
            locate=store.inputs("images", "leeds").joinpath,
            encoder=encoder,
            target=folder / "image_codes.h5",
            work=store.workspace("image_codes", KEY),
            n_buckets=1,
            pace=Pace(workers=2, part_rows=2),
        )

    store.publish("image_codes", KEY, Recipe(code_version="1"), write)
    store.clear_workspace("image_codes", KEY)


if __name__ == "__main__":
    root_, ids_, name = sys.argv[1:]
    loaded = ENCODERS[name]()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    extract_and_publish(Path(root_), ids_.split(","), loaded)
    sys.stdout.write("done\n")
