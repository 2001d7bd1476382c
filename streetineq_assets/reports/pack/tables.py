"""The tables of a pack: as CSV for spreadsheets, and as Parquet, which keeps types and meaning.

A table is one entry of `PACK_TABLES`; the dictionary, the README and the crate follow from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.tables import COMPARISONS, LSOA_PREDICTIONS, METRICS
from streetineq_assets.reports.exports import write_csv
from streetineq_assets.reports.pack.contents import CSV, PARQUET, PackFile
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.tables import column, conform, schema, write

IS_MODELLED = column(
    "is_modelled", "bool", "whether the outcome's official values are estimates of a model"
)
AREAS = schema(*LSOA_PREDICTIONS, IS_MODELLED)
MEASURES = schema(*METRICS, IS_MODELLED)


@dataclass(frozen=True)
class PackTable:
    """One table of a pack.

    Attributes:
        stem: of its files.
        title: what is in it, in one phrase.
        rows: takes it from the results.
        as_parquet: whether it is there as Parquet too.
    """

    stem: str
    title: str
    schema: pa.Schema
    rows: Callable[[StudyResults], pd.DataFrame]
    as_parquet: bool = False

    @property
    def files(self) -> Iterator[PackFile]:
        """Its files."""
        yield PackFile(f"{self.stem}.csv", self.title, CSV, self.schema)
        if self.as_parquet:
            title = f"{self.title}; the same table with types and meanings"
            yield PackFile(f"{self.stem}.parquet", title, PARQUET, self.schema)


def _with_modelled(table: pd.DataFrame) -> pd.DataFrame:
    modelled = [OUTCOMES[outcome].modelled for outcome in table["outcome"]]
    return table.assign(is_modelled=pd.Series(modelled, table.index, dtype="bool"))


PACK_TABLES = (
    PackTable(
        "lsoa_predictions",
        "Predicted and actual decile of every area and outcome, with interval and probabilities",
        AREAS,
        lambda results: _with_modelled(results.areas),
        as_parquet=True,
    ),
    PackTable(
        "metrics",
        "How well networks and baselines do, with 95 % intervals",
        MEASURES,
        lambda results: _with_modelled(results.metrics),
        as_parquet=True,
    ),
    PackTable(
        "comparisons",
        "Leads of the networks over baselines, with 95 % intervals",
        COMPARISONS,
        lambda results: results.stacked("comparisons", COMPARISONS),
    ),
    PackTable(
        "equity_audit",
        "Errors and missed need by group of areas, with 95 % intervals",
        EQUITY,
        lambda results: results.stacked("equity", EQUITY),
    ),
)


def write_tables(results: StudyResults, folder: Path) -> list[PackFile]:
    """Write every table of `PACK_TABLES`, without rows where nothing is published."""
    for table in PACK_TABLES:
        rows = conform(table.rows(results), table.schema)
        write_csv(rows, folder / f"{table.stem}.csv")
        if table.as_parquet:
            write(rows, table.schema, folder / f"{table.stem}.parquet")
    return [file for table in PACK_TABLES for file in table.files]
