"""What is known of a pair's areas beside their predictions: official values, MSOA, authority."""

import pandas as pd

from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair
from streetineq_assets.tables import read


def pair_values(store: DataStore, pair: Pair) -> pd.DataFrame:
    """`area, decile` (Int8) and `value` (float) of a pair's areas that have a decile, ascending.

    Raises:
        StoreError: `lsoa_labels` is absent or damaged.
    """
    columns = ["city", "outcome", "area", "decile", "value"]
    table = store.open("lsoa_labels").table(columns=columns)
    mine = (table["city"] == pair.city) & (table["outcome"] == pair.outcome)
    known = table.loc[mine & table["decile"].notna(), ["area", "decile", "value"]]
    return known.sort_values("area", ignore_index=True)


def read_places(store: DataStore, city: str) -> pd.DataFrame:
    """`area, msoa, authority` of a city's areas, ascending; null where no postcode says it.

    An area has the MSOA and the local authority of most of its postcodes, ties by code.

    Raises:
        StoreError: `postcode_lsoa` is absent or damaged.
    """
    postcodes = read(
        store.open("postcode_lsoa").file("postcode_lsoa.parquet"),
        columns=["area", "msoa", "authority"],
        filters=[("city", "==", city)],
    ).dropna(subset=["area"])
    places = pd.DataFrame({"area": sorted(postcodes["area"].unique())}, dtype="str")
    for name in ("msoa", "authority"):
        places = places.merge(_most_common(postcodes, name), on="area", how="left")
    return places


def _most_common(postcodes: pd.DataFrame, name: str) -> pd.DataFrame:
    counts = postcodes.groupby(["area", name], as_index=False).size()
    ordered = counts.sort_values(["area", "size", name], ascending=[True, False, True])
    return ordered.drop_duplicates("area")[["area", name]].astype("str")
