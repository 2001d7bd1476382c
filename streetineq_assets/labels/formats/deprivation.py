"""The English Indices of Deprivation: File 7, or any file of theirs with the ranks of the domains.

Headings are the same in the editions of 2015, 2019 and 2025 but for the years: `LSOA code (2011)`,
`Local Authority District code (2013)` or `(2019)`, `Crime Rank (where 1 is most deprived)`. The
ministry publishes File 7 as CSV and the files of ranks as XLSX with the data on the second sheet;
both are read the same way. Only the ranks are needed, so a file without scores or sub-domains will
do.

The edition of 2025 is on the LSOAs of 2021, those before it on the LSOAs of 2011. For a study of
the others scores are carried, weighted by the file's own population, and ranked anew (`vintages`);
so it must have the scores and the population.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from streetineq_assets.area_vintages import VINTAGES, AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile, outcome_values
from streetineq_assets.labels.outcomes import (
    DOMAINS,
    FILE_7,
    INDEX_OF_DEPRIVATION,
)
from streetineq_assets.labels.vintages import LOOKUP, carry_scores, rank_anew, read_links
from streetineq_assets.spreadsheets.columns import Columns, normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

_AREAS = re.compile(r"lsoa code \((2011|2021)\)")
_DISTRICTS = re.compile(r"local authority district code \((\d{4})\)")
_EDITIONS = {"2013": "2015", "2019": "2019", "2024": "2025"}
_ROUNDED = 0.1  # deciles may be cut a few ranks away from ours


@dataclass(frozen=True, kw_only=True)
class DeprivationFile(SourceFile):
    """A file of the Indices with the ranks of the domains."""

    def positions(self) -> dict[str, tuple[int, ...]]:
        """Each domain's rank; where it is carried its score, of which ranks are made."""
        if not self.is_carried:
            return {key: (self.column(_rank(key)),) for key in DOMAINS}
        return {
            key: (self.column(f"{name} Score", f"{name} Score (rate)"),)
            for key, name in DOMAINS.items()
        }

    def read(self) -> list[OutcomeValues]:
        """The seven domains and the overall index, each as national ranks."""
        return self._carried_ranks() if self.is_carried else self._ranks()

    def _ranks(self) -> list[OutcomeValues]:
        code = self.column(f"LSOA code ({self.vintage.year})")
        positions = {key: position for key, (position,) in self.positions().items()}
        deciles = {key: i for key in DOMAINS if (i := self._decile(key)) is not None}
        name = self.column_of_names(f"LSOA name ({self.vintage.year})")
        wanted = [code, name, *positions.values(), *deciles.values()]
        columns = read_columns(self.sheet, self.header, wanted)
        lsoas, names = columns.lsoas(code), columns.names(name)
        elsewhere = lsoas[~lsoas.str.startswith("E")]
        if len(elsewhere):
            raise SourceError(
                f"{columns.sheet.at()}: {elsewhere[0]} is not in England, which the Indices rank: "
                "remove the areas of other nations, whose ranks are among their own"
            )
        held = []
        for key, position in positions.items():
            rank = columns.ranks(position)
            _refuse_other_ranks(columns, position, rank, self.vintage)
            if key in deciles:
                _refuse_contradictions(columns, position, rank, deciles[key], self.vintage)
            held.append(
                outcome_values(key, self.path, lsoas, rank, national_rank=rank, names=names)
            )
        return held

    def _decile(self, key: str) -> int | None:
        """Position of a domain's published deciles; None in a file without them."""
        start = normalise(f"{DOMAINS[key]} Decile")
        found = (i for i, name in enumerate(self.header[1]) if normalise(name).startswith(start))
        return next(found, None)

    def _carried_ranks(self) -> list[OutcomeValues]:
        """Ranks of the scores that were carried from areas of another vintage.

        Where areas were redrawn (six in England) the study's take equal parts of the file's.
        """
        code = self.column(f"LSOA code ({self.vintage.year})")
        persons = self.column(self._population_heading())
        positions = {key: position for key, (position,) in self.positions().items()}
        columns = read_columns(self.sheet, self.header, [code, persons, *positions.values()])
        areas = columns.lsoas(code)
        links = self._complete_links(areas)
        population = pd.Series(columns.counts(persons), index=areas)
        equal = pd.Series(1.0, index=links[self.target.key].unique())
        held = []
        for key, position in positions.items():
            scores = pd.Series(columns.scores(position), index=areas)
            carried = carry_scores(
                scores, links, to=self.target, source_weights=population, target_weights=equal
            )
            rank = rank_anew(carried, worst="high").to_numpy(dtype=float, na_value=float("nan"))
            held.append(outcome_values(key, self.path, carried.index, rank, national_rank=rank))
        return held

    def _complete_links(self, areas: pd.Index) -> pd.DataFrame:
        """The rows of the lookup in the nations of these areas.

        Ranks are made anew among all areas that are carried, so neither side may lack any.
        """
        links, mine = read_links(self.lookup_file()), self.vintage.key
        links = links[links[mine].str[:1].isin({area[:1] for area in areas})]
        for path, lacking, other, has in (
            (self.lookup, areas.difference(links[mine]), self.path, LOOKUP),
            (self.path, pd.Index(links[mine].unique()).difference(areas), self.lookup, FILE_7),
        ):
            if len(lacking):
                raise SourceError(
                    f"{path} lacks {len(lacking):,} {self.vintage} that {other} has, such as "
                    f"{lacking[0]}: ranks are made anew among all of England: take the whole {has}"
                )
        return links

    def _population_heading(self) -> str:
        start = "total population: mid "
        found = (heading for heading in self.header[1] if normalise(heading).startswith(start))
        return next(found, "Total population: mid <year>")


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
        vintage=VINTAGES[f"lsoa{_year(_AREAS, names)[2:]}"],
    )


def _refuse_other_ranks(
    columns: Columns, position: int, rank: np.ndarray, vintage: AreaVintage
) -> None:
    """Stop at ranks that are none among all of England: too high, made anew, or really deciles."""
    n, highest, ranked = len(rank), np.nanmax(rank, initial=0), vintage.n_areas_of_england
    named = f'{columns.sheet.at()}, column "{columns.headings[position]}"'
    if highest > ranked:
        raise SourceError(
            f"{named}: a rank of {highest:,.0f} where England has {ranked:,} {vintage}: "
            "is it of an edition on other areas? Download it again"
        )
    if n > 1 and 0 < highest <= min(n, 0.9 * ranked):
        raise SourceError(
            f"{named}: the ranks of {n:,} areas end at {highest:,.0f}, so that they are not those "
            f"among England's {ranked:,} but made anew, or deciles: download the "
            "published file"
        )


def _refuse_contradictions(
    columns: Columns, position: int, rank: np.ndarray, decile_position: int, vintage: AreaVintage
) -> None:
    """Stop at a rank that does not lie in the decile beside it."""
    decile, exact = columns.ranks(decile_position), rank * 10 / vintage.n_areas_of_england
    wrong = (exact > decile + _ROUNDED) | (exact < decile - 1 - _ROUNDED)
    if wrong.any():
        row = int(wrong.argmax())
        raise SourceError(
            f"{columns.at(row, position)}: rank {rank[row]:,.0f} does not lie in decile "
            f"{decile[row]:.0f}, which stands beside it: a column was moved, sorted or made anew: "
            "download the file again"
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
