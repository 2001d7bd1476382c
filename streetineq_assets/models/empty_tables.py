"""The tables of what cannot be trained: their columns and no rows.

What belongs here: empty tables, so that what reads them need not ask. What does not: why something
cannot be trained (`inputs`, `together`).
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from streetineq_assets.models.binomial import DECILES


def write_empty(folder: Path) -> None:
    """The tables of a pair that cannot be trained, with their columns and no rows."""
    history = {"fold": "int64", "epoch": "int64"} | dict.fromkeys(
        ("loss", "val_loss", "val_mae", "learning_rate", "seconds", "wait_seconds"), "float64"
    )
    baselines = dict.fromkeys(("baseline", "scheme", "lsoa11"), "str") | {
        "fold": "int64",
        "score": "float64",
    }
    empty_scores().to_parquet(folder / "scores.parquet", index=False)
    for name, columns in {"history": history, "baselines": baselines}.items():
        _without_rows(columns).to_parquet(folder / f"{name}.parquet", index=False)


def empty_scores() -> pd.DataFrame:
    """The table of scores of a pair that cannot be trained."""
    kinds = {"location_id": "str", "fold": "int64", "h": "float32"}
    return _without_rows(kinds | {f"p_{d}": "float32" for d in range(1, DECILES + 1)})


def _without_rows(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
