"""London's labels on the real open data, for tests and benchmarks that need all of its areas."""

import shutil
from pathlib import Path

import pandas as pd

from streetineq_assets.geography import area_centroids
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.conftest import REPOSITORY

FILES = {
    "census_2011": ["qs302ew.csv.gz"],
    "iod_2015": ["File_7_ID_2015_All_ranks_deciles_and_scores.csv.gz"],
    "household_income": ["gla-household-income-estimates.xls"],
}
DIRECTORY = "onspd_2017_columns_london.csv.gz"


def write_labels(root: Path, data: Path) -> DataStore:
    """The paper's study with London's files only, its postcodes and labels materialised."""
    shutil.copy(REPOSITORY / "data" / "study.toml", root)
    for folder, names in {**FILES, "onspd": [DIRECTORY]}.items():
        source = "postcodes" if folder == "onspd" else folder
        (root / "inputs" / folder).mkdir(parents=True)
        for name in names:
            (root / "inputs" / folder / name).symlink_to(data / source / name)
    store = DataStore(root)
    for asset in ("postcode_lsoa", "lsoa_labels"):
        harness.run(store, asset)
    return store


def areas_on_the_map(store: DataStore) -> pd.DataFrame:
    """`models.tables.CENTROIDS` of London's areas and a column of deciles for each outcome."""
    postcodes = store.open("postcode_lsoa").table()
    labels = store.open("lsoa_labels").table()
    known = labels[(labels["city"] == "london") & labels["decile"].notna()]
    deciles = known.astype({"decile": float}).pivot_table("decile", "area", "outcome")
    centroids = area_centroids(postcodes[postcodes["city"] == "london"])
    return centroids.merge(deciles.reset_index(), on="area")
