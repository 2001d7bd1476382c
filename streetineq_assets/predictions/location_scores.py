"""Out-of-fold scores joined to what is known of their locations: area, weight, label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.labels.postcodes import msoas_of
from streetineq_assets.models.binomial import most_probable
from streetineq_assets.models.dataset import city_labels, open_codes
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions.tables import LOCATION_PREDICTIONS
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair
from streetineq_assets.tables import conform

if TYPE_CHECKING:
    import duckdb


def matched_locations(store: DataStore, city: str) -> pd.DataFrame:
    """`location_id, area, weight` of the city's locations that were matched to an area.

    Where its codes are not of all four views of each, `n_views` is their number.
    """
    columns = ["location_id", "area", "weight", "status"]
    locations = store.open("locations", city).table(columns=columns)
    matched = locations[locations["status"] == "matched"].drop(columns="status")
    n_views = _n_views(store, city)
    return matched if n_views is None else matched.merge(n_views, on="location_id", how="left")


def _n_views(store: DataStore, city: str) -> pd.DataFrame | None:
    """`location_id, n_views` of the city's codes; None where all views of all are there."""
    manifest = store.manifest("hdf5_shards", city)
    if manifest is None or manifest.unavailable:
        return None
    record = manifest.read_record(ShardsRecord)
    if record.n_views == len(VIEWS) and not record.n_absent_views:
        return None
    reader = open_codes([store.open("hdf5_shards", city)], budget_bytes=0).reader
    return pd.DataFrame(
        {
            "location_id": reader.location_ids.astype(str),
            "n_views": reader.present.sum(axis=1).astype(np.int8),
        }
    )


def pair_labels(store: DataStore, pair: Pair) -> pd.DataFrame:
    """`area, decile` (Int8) of a pair's areas, ascending; NA where the statistics have none."""
    table = store.open("lsoa_labels").table(columns=["city", "outcome", "area", "decile"])
    mine = (table["city"] == pair.city) & (table["outcome"] == pair.outcome)
    return table.loc[mine, ["area", "decile"]].sort_values("area", ignore_index=True)


def labelled_areas(
    connection: "duckdb.DuckDBPyConnection", store: DataStore, city: str, outcomes: Sequence[str]
) -> pd.DataFrame:
    """`outcome, area, decile, msoa` of a city's areas with a label, sorted."""
    labels = city_labels(store.open("lsoa_labels"), city, outcomes)
    postcodes = store.open("postcode_lsoa").file("postcode_lsoa.parquet")
    msoas = msoas_of(connection, postcodes, labels["area"])
    return labels.merge(msoas, on="area", how="left")[["outcome", "area", "decile", "msoa"]]


def tested_by(folds: FoldTable | None) -> pd.DataFrame:
    """Which fold tests which area or location; empty where the city has too few areas."""
    return folds.tested if folds else pd.DataFrame(columns=["area", "fold"])


def join(
    scores: pd.DataFrame, locations: pd.DataFrame, labels: pd.DataFrame, pair: Pair
) -> pd.DataFrame:
    """The table of predicted locations (`tables.LOCATION_PREDICTIONS`), ascending by location.

    `area` is missing where a score belongs to none of the locations, which
    `checks.location_checks` then reports.

    Args:
        scores: `location_id, fold, h, p_1 .. p_10`, out of fold.
        locations: `location_id, area, weight`, the city's matched ones, as `matched_locations`.
        labels: `area, decile` of the pair's outcome.
    """
    taken = ["location_id", "area", "weight", "n_views"]
    known = locations[locations.columns.intersection(taken)].astype({"location_id": "str"})
    actual = labels[["area", "decile"]].rename(columns={"decile": "actual_decile"})
    frame = scores.astype({"location_id": "str"}).merge(known, on="location_id", how="left")
    frame = frame.merge(actual, on="area", how="left")
    frame = frame.assign(
        city=pair.city,
        outcome=pair.outcome,
        weight=frame["weight"].fillna(0),
        n_views=frame.get("n_views", pd.Series(len(VIEWS), index=frame.index)).fillna(0),
        decile=most_probable(frame[list(PROBABILITIES)].to_numpy()),
    )
    return conform(frame, LOCATION_PREDICTIONS).sort_values("location_id", ignore_index=True)
