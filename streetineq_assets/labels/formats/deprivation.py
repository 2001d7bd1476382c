"""The English Indices of Deprivation: File 7, or any file of theirs with the ranks of the domains.

Headings are the same in the editions of 2015, 2019 and 2025 but for the years: `LSOA code (2011)`,
`Local Authority District code (2013)` or `(2019)`, `Crime Rank (where 1 is most deprived)`. The
ministry publishes File 7 as CSV and the files of ranks as XLSX with the data on the second sheet;
both are read the same way. Only the ranks are needed, so a file without scores or sub-domains will
do.

The edition of 2025 is on the LSOAs of 2021. Its scores are carried to the LSOAs of 2011, weighted
by its own population, and ranked anew (`vintages`); so it must have the scores and the population.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile, outcome_values
from streetineq_assets.labels.outcomes import DOMAINS, FILE_7, INDEX_OF_DEPRIVATION
from streetineq_assets.labels.vintages import carry_scores, rank_anew, read_links
from streetineq_assets.spreadsheets.columns import normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

_AREAS = re.compile(r"lsoa code \((2011|2021)\)")
_DISTRICTS = re.compile(r"local authority district code \((\d{4})\)")
_EDITIONS = {"2013": "2015", "2019": "2019", "2024": "2025"}


@dataclass(frozen=True, kw_only=True)
class DeprivationFile(SourceFile):
    """A file of the Indices with the ranks of the domains."""

    def read(self) -> list[OutcomeValues]:
        """The seven domains and the overall index, each as national ranks."""
        return self._ranks() if self.vintage == "2011" else self._carried_ranks()

    def _ranks(self) -> list[OutcomeValues]:
        code = self.column("LSOA code (2011)")
        positions = {key: self.column(_rank(key)) for key in DOMAINS}
        columns = read_columns(self.sheet, self.header, [code, *positions.values()])
        lsoas = columns.lsoas(code)
        ranks = {key: columns.ranks(position) for key, position in positions.items()}
        return [
            outcome_values(key, self.path, lsoas, rank, national_rank=rank)
            for key, rank in ranks.items()
        ]

    def _carried_ranks(self) -> list[OutcomeValues]:
        """Ranks of the scores that were carried from the LSOAs of 2021.

        Where areas were redrawn (six in England) the old areas take equal parts of the new ones.
        """
        code = self.column("LSOA code (2021)")
        persons = self.column(self._population_heading())
        positions = {
            key: self.column(f"{name} Score", f"{name} Score (rate)")
            for key, name in DOMAINS.items()
        }
        columns = read_columns(self.sheet, self.header, [code, persons, *positions.values()])
        areas = columns.lsoas(code)
        links = self._links(areas)
        population = pd.Series(columns.counts(persons), index=areas)
        equal = pd.Series(1.0, index=links["lsoa11"].unique())
        held = []
        for key, position in positions.items():
            scores = pd.Series(columns.scores(position), index=areas)
            carried = carry_scores(scores, links, weights_2021=population, weights_2011=equal)
            rank = rank_anew(carried, worst="high").to_numpy(dtype=float, na_value=float("nan"))
            held.append(outcome_values(key, self.path, carried.index, rank, national_rank=rank))
        return held

    def _links(self, areas: pd.Index) -> pd.DataFrame:
        """The rows of the lookup in the nations of these areas."""
        if self.lookup is None:
            raise SourceError(
                f"{self.path} cannot be carried to the LSOAs of 2011 without a lookup"
            )
        links = read_links(self.lookup)
        return links[links["lsoa21"].str[:1].isin({area[:1] for area in areas})]

    def _population_heading(self) -> str:
        start = "total population: mid "
        found = (heading for heading in self.header[1] if normalise(heading).startswith(start))
        return next(found, "Total population: mid 2022")


def recognise(sheet: Sheet) -> DeprivationFile | None:
    """The sheet as a file of the Indices; None when it has not the rank of any domain."""
    header = _header(sheet)
    if header is None:
        return None
    names = [normalise(cell) for cell in header[1]]
    domains = tuple(key for key in DOMAINS if key != INDEX_OF_DEPRIVATION)
    if not any(normalise(_rank(key)) in names for key in domains):
        return None
    district = _year(_DISTRICTS, names)
    return DeprivationFile(
        sheet=sheet,
        header=header,
        layout="Indices of Deprivation, ranks of the domains",
        table=FILE_7,
        edition=_EDITIONS.get(district, district),
        outcomes=domains,
        vintage="2021" if _year(_AREAS, names) == "2021" else "2011",
    )


def _rank(key: str) -> str:
    return f"{DOMAINS[key]} Rank (where 1 is most deprived)"


def _header(sheet: Sheet) -> Row | None:
    for line, cells in sheet.head:
        if any(_AREAS.fullmatch(normalise(cell)) for cell in cells):
            return line, cells
    return None


def _year(pattern: re.Pattern[str], names: Sequence[str]) -> str:
    match = next(filter(None, map(pattern.fullmatch, names)), None)
    return match.group(1) if match else "unknown"
