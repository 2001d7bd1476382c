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
from streetineq_assets.predictions.tables import (
    COMPARISONS,
    EXEMPLARS,
    EXPLANATIONS,
    LSOA_PREDICTIONS,
    METRICS,
)
from streetineq_assets.reports.exports import write_csv
from streetineq_assets.reports.pack.contents import CSV, PARQUET, PackFile
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.tables import column, conform, schema, write

IS_MODELLED = column(
    "is_modelled", "bool", "whether the outcome's official values are estimates of a model"
)
AREAS = schema(*LSOA_PREDICTIONS, IS_MODELLED)
MEASURES = schema(*METRICS, IS_MODELLED)
VIEWS_THAT_PUSH = schema(*(field for field in EXEMPLARS if not pa.types.is_binary(field.type)))
_SUFFIXES = {CSV: "csv", PARQUET: "parquet"}


@dataclass(frozen=True)
class PackTable:
    """One table of a pack.

    Attributes:
        stem: of its files.
        title: what is in it, in one phrase.
        rows: takes it from the results.
        formats: as which it is there; large ones are not for spreadsheets.
    """

    stem: str
    title: str
    schema: pa.Schema
    rows: Callable[[StudyResults], pd.DataFrame]
    formats: tuple[str, ...] = (CSV,)

    @property
    def files(self) -> Iterator[PackFile]:
        """Its files."""
        for kind in self.formats:
            kept = "" if kind == self.formats[0] else "; the same table with types and meanings"
            name = f"{self.stem}.{_SUFFIXES[kind]}"
            yield PackFile(name, f"{self.title}{kept}", kind, self.schema)


def _with_modelled(table: pd.DataFrame) -> pd.DataFrame:
    modelled = [OUTCOMES[outcome].modelled for outcome in table["outcome"]]
    return table.assign(is_modelled=pd.Series(modelled, table.index, dtype="bool"))


PACK_TABLES = (
    PackTable(
        "lsoa_predictions",
        "Predicted and actual decile of every area and outcome, with interval and probabilities",
        AREAS,
        lambda results: _with_modelled(results.areas),
        formats=(CSV, PARQUET),
    ),
    PackTable(
        "metrics",
        "How well networks and baselines do, with 95 % intervals",
        MEASURES,
        lambda results: _with_modelled(results.metrics),
        formats=(CSV, PARQUET),
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
    PackTable(
        "explanations",
        "What each location, and each of its views, adds to the scores",
        EXPLANATIONS,
        lambda results: results.stacked("explanations", EXPLANATIONS),
        formats=(PARQUET,),
    ),
    PackTable(
        "exemplars",
        "The views that push scores most; the report shows those images that may be shown",
        VIEWS_THAT_PUSH,
        lambda results: results.stacked("exemplars", EXEMPLARS),
    ),
)


def write_tables(results: StudyResults, folder: Path) -> list[PackFile]:
    """Write every table of `PACK_TABLES`, without rows where nothing is published."""
    for table in PACK_TABLES:
        rows = conform(table.rows(results), table.schema)
        for kind in table.formats:
            path = folder / f"{table.stem}.{_SUFFIXES[kind]}"
            if kind == CSV:
                write_csv(rows, path)
            else:
                write(rows, table.schema, path)
    return [file for table in PACK_TABLES for file in table.files]
