"""The table of predicted locations: each score joined to its area, its label and its fold.

What belongs here: the join and the proofs that it is right. What does not: the scores themselves
(`models`), and areas (`aggregation`). Nothing is computed from codes here: no second pass.
"""

import numpy as np
import pandas as pd

from streetineq_assets.findings import Check
from streetineq_assets.models.binomial import most_probable
from streetineq_assets.predictions.tables import LOCATIONS, PROBABILITIES, conform


def join(
    scores: pd.DataFrame, locations: pd.DataFrame, labels: pd.DataFrame, *, city: str, outcome: str
) -> pd.DataFrame:
    """The published table (`tables.LOCATIONS`), sorted by location.

    Args:
        scores: `location_id, fold, h, p_1 .. p_10`, out of fold.
        locations: `location_id, lsoa11, weight`, the city's matched ones.
        labels: `lsoa11, decile` of this outcome.
    """
    places = locations[["location_id", "lsoa11", "weight"]].astype({"location_id": "str"})
    actual = labels[["lsoa11", "decile"]].rename(columns={"decile": "actual_decile"})
    frame = scores.astype({"location_id": "str"}).merge(places, on="location_id", how="left")
    frame = frame.merge(actual, on="lsoa11", how="left")
    frame = frame.assign(
        city=city,
        outcome=outcome,
        weight=frame["weight"].fillna(0),
        decile=most_probable(frame[list(PROBABILITIES)].to_numpy()),
    )
    return conform(frame, LOCATIONS).sort_values("location_id", ignore_index=True)


def check(frame: pd.DataFrame, folds: pd.DataFrame) -> list[Check]:
    """Blocking proofs of identity, of out-of-fold prediction and of probabilities.

    Args:
        frame: `tables.LOCATIONS`.
        folds: which fold tests what: `lsoa11, fold`, or `location_id, fold`.
    """
    lost = int(frame["lsoa11"].isna().sum())
    twice = int(frame["location_id"].duplicated().sum())
    on = "location_id" if "location_id" in folds else "lsoa11"
    tested = folds.set_index(on)["fold"].reindex(frame[on]).to_numpy(np.float64)
    astray = int((tested != frame["fold"].to_numpy(np.float64, na_value=np.nan)).sum())
    p = frame[list(PROBABILITIES)].to_numpy(np.float64)
    sums = np.abs(p.sum(axis=1) - 1) < 1e-3
    right = sums & (p >= 0).all(axis=1) & np.isfinite(frame["h"].to_numpy(np.float64))
    return [
        Check(
            "location_identity",
            lost + twice == 0,
            f"{lost} scores belong to no location of the city with an area, {twice} are doubled"
            + _remedy(lost + twice, "locations, hdf5_shards and trained_model"),
            blocking=True,
            values={"n_without_area": lost, "n_doubled": twice},
        ),
        Check(
            "out_of_fold",
            astray == 0,
            f"{astray} locations were scored by a network of another fold than the one that "
            "tests their area" + _remedy(astray, "trained_model"),
            blocking=True,
            values={"n_astray": astray},
        ),
        Check(
            "probabilities",
            bool(right.all()),
            f"{int((~right).sum())} rows hold no finite score or no distribution over ten deciles",
            blocking=True,
        ),
    ]


def _remedy(faults: int, assets: str) -> str:
    return f": materialise {assets} again" if faults else ""
