"""A sample of London: real areas, postcodes and deciles; painted scenes, random weights.

24 real LSOAs spread over the deciles of living environment, two real postcodes each. The scene of a
location is painted from its area's real decile plus noise: no openly licensed images are here. So
the chain runs on real official files from end to end, and the metrics say nothing about London.

To look at its report, leave the study in a folder that is not there yet:

    uv run python -m streetineq_tests.integration.london_sample ../shared/data FOLDER
"""

import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.definitions import build_definitions
from streetineq_assets.demo.scene import Texture, paint_location
from streetineq_assets.run import QUIET
from streetineq_assets.store import DataStore

PAIR = "london/living_environment"
N_LSOAS = 24
FOLDERS = {
    "iod_2015/File_7_ID_2015_All_ranks_deciles_and_scores.csv.gz": "iod_2015",
    "postcodes/onspd_2017_columns_london.csv.gz": "onspd",
    "boundaries/LSOA_2011_BSC_London.geojson.gz": "boundaries",
}
STUDY = """
title = "A sample of London with painted scenes"
date = 2017-08-01
synthetic = true

[encoder]
weights = "random"

[cities.london]
title = "Greater London"
lsoas = 4835
buckets = 1
authorities = [{authorities}]
outcomes = ["living_environment"]
"""


def write_sample(root: Path, data: Path) -> tuple[DataStore, pd.Series]:
    """The study after the whole chain, and the sample's real deciles by LSOA.

    Args:
        data: the folder of real open data.
    """
    root.mkdir(parents=True, exist_ok=True)
    store = DataStore(root)
    authorities = ", ".join(f'"E090000{number:02d}"' for number in range(1, 34))
    store.study_file.write_text(STUDY.format(authorities=authorities), encoding="utf-8")
    for source, folder in FOLDERS.items():
        store.inputs(folder).mkdir(parents=True)
        shutil.copy(data / source, store.inputs(folder))
    run_job(root, "refresh_labels")
    sample = choose_sample(store)
    paint_sample(store, sample)
    run_from_images(root)
    return store, sample.drop_duplicates("area").set_index("area")["decile"]


def write_by_boundaries(root: Path, listed: DataStore) -> DataStore:
    """The same study without postcodes after the whole chain: boundaries place its locations.

    Each lies where its postcode does.

    Args:
        listed: the study with postcodes.
    """
    store = DataStore(shutil.copytree(listed.root, root))
    text = store.study_file.read_text(encoding="utf-8")
    by_boundaries = text.replace("[encoder]", '[places]\nby = "boundaries"\n\n[encoder]')
    store.study_file.write_text(by_boundaries, encoding="utf-8")
    positions = listed.open("locations", "london").table()[["location_id", "lat", "lon"]]
    positions.to_csv(store.inputs("locations", "london.csv"), index=False)
    run_from_images(root)
    return store


def run_job(root: Path, job: str, partition: str | None = None) -> None:
    build_definitions(root).resolve_job_def(job).execute_in_process(
        partition_key=partition, run_config=QUIET
    )


def run_from_images(root: Path) -> None:
    """Every job after the labels'."""
    run = partial(run_job, root)
    run("list_images", "london")
    run("extract_codes", "london/000")
    run("pack_codes", "london")
    run("train_and_predict", PAIR)
    run("publish_report")


def choose_sample(store: DataStore) -> pd.DataFrame:
    """`location_id, postcode, area, decile`: two or three areas of each decile, two postcodes."""
    labels = store.open("lsoa_labels").table()
    labels = labels[labels["outcome"] == "living_environment"].sort_values(["decile", "area"])
    chosen = labels.iloc[np.linspace(0, len(labels) - 1, N_LSOAS).round().astype(int)]
    postcodes = store.open("postcode_lsoa").table(
        columns=["postcode", "area", "usertype", "terminated"]
    )
    live = postcodes[(postcodes["usertype"] == 0) & postcodes["terminated"].isna()]
    two = live.groupby("area").head(2)
    sample = chosen[["area", "decile"]].merge(two, on="area")
    return sample.assign(location_id=[str(1000 + n) for n in range(len(sample))])


def paint_sample(store: DataStore, sample: pd.DataFrame) -> None:
    listing = store.inputs("locations", "london.csv")
    listing.parent.mkdir(parents=True)
    sample[["location_id", "postcode"]].to_csv(listing, index=False)
    images = store.inputs("images", "london")
    images.mkdir(parents=True)
    generator = np.random.default_rng(2019)
    texture = Texture.invent(generator)  # the same everywhere: nothing but the decile is shown
    for location in sample.itertuples():
        latent = (location.decile - 5.5) / 2.9 + generator.normal(0, 0.25)
        painted = paint_location(latent, texture, generator, (640, 400))
        for view, image in zip("abcd", painted, strict=True):
            image.save(images / f"{location.location_id}_{view}.jpg", quality=90)


if __name__ == "__main__":
    write_sample(Path(sys.argv[2]), Path(sys.argv[1]))
