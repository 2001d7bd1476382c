"""Writes invented counts in the layout in which Nomis exports tables of the Census 2011.

The layout: a blank line, title, source, population, unit, date, a blank line, the header, a blank
line, one row per area, footnotes.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.demo.geography import stream

AREA_COLUMNS = ("2011 super output area - lower layer", "mnemonic")
NOT_REAL = "Invented by the demo of streetineq [in the layout of a Nomis query]"
FOOTNOTES = (
    "All areas and counts in this file are invented. They were made for trying out",
    "a platform on files in the layout of official ones, and describe nobody.",
)
# From fewest to most in an area: each population is a part of the one above, and so is smaller.
SIZES = {
    "All usual residents": (1550, 1900),
    "All usual residents aged 16 and over": (1300, 1550),
    "All usual residents aged 16 to 74": (1050, 1300),
    "All households": (480, 760),
}
LOGIT_PER_SD = 0.45  # by how much a share's log-odds fall per standard deviation of the outcome


@dataclass(frozen=True)
class Table:
    """A table of counts; column 0 is the total.

    Attributes:
        outcome: which of the outcomes decides the worse share.
        middling_share: the worse share of an area with the mean value.
        worse, rest: column to weight; the two sets of columns split the total.
        within: column to the column that it is a part of, and its share of that.
    """

    title: str
    population: str
    unit: str
    columns: tuple[str, ...]
    outcome: str
    middling_share: float
    worse: dict[int, int]
    rest: dict[int, int]
    within: dict[int, tuple[int, float]] = field(default_factory=dict)


TABLES = {
    "qs302ew": Table(
        title="QS302EW - General health",
        population="All usual residents",
        unit="Persons",
        columns=(
            "All categories: General health",
            "Very good health",
            "Good health",
            "Fair health",
            "Bad health",
            "Very bad health",
        ),
        outcome="self_reported_health",
        middling_share=0.06,
        worse={4: 75, 5: 25},
        rest={1: 51, 2: 36, 3: 13},
    ),
    "qs408ew": Table(
        title="QS408EW - Occupancy rating (rooms)",
        population="All households",
        unit="Households",
        columns=(
            "All categories: Occupancy rating (rooms)",
            "Occupancy rating (rooms) of +2 or more",
            "Occupancy rating (rooms) of +1",
            "Occupancy rating (rooms) of 0",
            "Occupancy rating (rooms) of -1",
            "Occupancy rating (rooms) of -2 or less",
        ),
        outcome="occupancy_rating",
        middling_share=0.14,
        worse={4: 70, 5: 30},
        rest={1: 45, 2: 25, 3: 30},
    ),
    "qs601ew": Table(
        title="QS601EW - Economic activity",
        population="All usual residents aged 16 to 74",
        unit="Persons",
        columns=(
            "All categories: Economic activity",
            "Economically active: Employee: Part-time",
            "Economically active: Employee: Full-time",
            "Economically active: Self-employed with employees: Part-time",
            "Economically active: Self-employed with employees: Full-time",
            "Economically active: Self-employed without employees: Part-time",
            "Economically active: Self-employed without employees: Full-time",
            "Economically active: Unemployed",
            "Economically active: Full-time student",
            "Economically inactive: Total",
            "Economically inactive: Retired",
            "Economically inactive: Looking after home or family",
        ),
        outcome="unemployment",
        middling_share=0.055,
        worse={7: 1},
        rest={1: 12, 2: 43, 3: 1, 4: 2, 5: 3, 6: 6, 8: 4, 9: 29},
        within={10: (9, 0.45), 11: (9, 0.16)},
    ),
    "ks501ew": Table(
        title="KS501EW - Qualifications and students",
        population="All usual residents aged 16 and over",
        unit="Persons",
        columns=(
            "All categories: Highest level of qualification",
            "No qualifications",
            "Highest level of qualification: Level 1 qualifications",
            "Highest level of qualification: Level 2 qualifications",
            "Highest level of qualification: Apprenticeship",
            "Highest level of qualification: Level 3 qualifications",
            "Highest level of qualification: Level 4 qualifications and above",
            "Highest level of qualification: Other qualifications",
            "Full-time students: Age 18 to 74: Economically active: In employment",
            "Full-time students: Age 18 to 74: Economically active: Unemployed",
            "Full-time students: Age 18 to 74: Economically inactive",
        ),
        outcome="education",
        middling_share=0.30,
        worse={1: 60, 2: 40},
        rest={3: 20, 4: 3, 5: 16, 6: 50, 7: 11},
        within={8: (0, 0.02), 9: (0, 0.005), 10: (0, 0.05)},
    ),
}


def write_census(folder: Path, areas: pd.DataFrame, values: pd.DataFrame, seed: int) -> None:
    """Write the four tables into a folder, as `qs302ew.csv` and so on.

    Args:
        folder: an existing folder.
        areas: `area, name`, in the order of the files' rows.
        values: aligned with `areas`; standardised values per outcome, higher is better-off.
        seed: of the study.
    """
    for name, table in TABLES.items():
        totals = stream(seed, "census", name).integers(*SIZES[table.population], len(areas))
        counts = _counts(table, totals, values[table.outcome].to_numpy())
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
            file.write("\n")
            writer.writerows([[table.title], [NOT_REAL]])
            writer.writerow(["Population :", table.population])
            writer.writerow(["Units      :", table.unit])
            writer.writerows([["Date       :", "2011"], ["Rural Urban:", "Total"]])
            file.write("\n")
            writer.writerow([*AREA_COLUMNS, *table.columns])
            file.write("\n")
            for area, row in zip(areas.itertuples(), counts.tolist(), strict=True):
                writer.writerow([area.name, area.area, *row])
            file.write("\n" * 4)
            writer.writerows([["", note] for note in FOOTNOTES])
            file.write("\n")


def _counts(table: Table, totals: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n, columns) whole counts; the parts of each row sum to its total."""
    middling = np.log(table.middling_share / (1 - table.middling_share))
    worse = np.round(totals / (1 + np.exp(LOGIT_PER_SD * values - middling))).astype(int)
    counts = np.zeros((len(totals), len(table.columns)), dtype=int)
    counts[:, 0] = totals
    for parts, whole in ((table.worse, worse), (table.rest, totals - worse)):
        edges = np.cumsum([0, *parts.values()]) / sum(parts.values())
        counts[:, list(parts)] = np.diff(np.round(whole[:, None] * edges), axis=1)
    for column, (whole, share) in table.within.items():
        counts[:, column] = np.round(counts[:, whole] * share)
    return counts
