"""The English Indices of Deprivation: File 7, or any file of theirs with the ranks of the domains.

What belongs here: that one layout, in its editions of 2015, 2019 and 2025. What does not: the
outcomes made of it (`outcomes.DOMAINS`), and how scores are carried between vintages (`vintages`).

Headings are the same in all editions but for the years: `LSOA code (2011)`, `Local Authority
District code (2013)` or `(2019)`, `Crime Rank (where 1 is most deprived)`. The ministry publishes
File 7 as CSV and the files of ranks as XLSX with the data on the second sheet; both are read the
same way. Only the ranks are asked for, so a file without scores or sub-domains will do.

The edition of 2025 is on the LSOAs of 2021. Its scores are carried to the LSOAs of 2011, weighted
by its own population, and ranked anew; so it must have the scores and the population.
"""

import re
from collections.abc import Sequence

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import Reading, Recognised, reading
from streetineq_assets.labels.outcomes import DOMAINS, FILE_7, INDEX_OF_DEPRIVATION
from streetineq_assets.labels.vintages import carry_scores, rank_anew
from streetineq_assets.spreadsheets.columns import find_column, normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

_AREAS = re.compile(r"lsoa code \((2011|2021)\)")
_DISTRICTS = re.compile(r"local authority district code \((\d{4})\)")
_EDITIONS = {"2013": "2015", "2019": "2019", "2024": "2025"}
_LAYOUT = "Indices of Deprivation, ranks of the domains"
_TABLE = str(FILE_7)


def recognise(sheet: Sheet) -> Recognised | None:
    """Say which edition this is; None when it has not the rank of any domain."""
    header = _header(sheet)
    if header is None:
        return None
    names = [normalise(cell) for cell in header[1]]
    domains = tuple(key for key in DOMAINS if key != INDEX_OF_DEPRIVATION)
    if not any(normalise(_rank(key)) in names for key in domains):
        return None
    vintage = _year(_AREAS, names)
    district = _year(_DISTRICTS, names)
    edition = _EDITIONS.get(district, district)
    return Recognised(sheet.path, _LAYOUT, FILE_7, edition, domains, vintage)


def read(sheet: Sheet) -> list[Reading]:
    """The seven domains and the overall index, each as national ranks.

    Raises:
        SourceError: a column is missing, or a cell is not what it should be.
    """
    header = _required_header(sheet)
    code = find_column(sheet, header, ["LSOA code (2011)"], table=_TABLE)
    positions = {key: find_column(sheet, header, [_rank(key)], table=_TABLE) for key in DOMAINS}
    columns = read_columns(sheet, header, [code, *positions.values()])
    lsoas = columns.lsoas(code)
    readings = []
    for key, position in positions.items():
        rank = columns.ranks(position)
        readings.append(reading(key, sheet.path, lsoas, rank, national_rank=rank))
    return readings


def read_carried(sheet: Sheet, links: pd.DataFrame) -> list[Reading]:
    """The same from an edition on the LSOAs of 2021: scores carried to those of 2011, ranked anew.

    Where areas were redrawn (six in England) the old areas take equal parts of the new ones.

    Args:
        links: as `vintages.read_links` gives them.

    Raises:
        SourceError: as `read`, or the lookup names an area that the file lacks.
    """
    header = _required_header(sheet)
    code = find_column(sheet, header, ["LSOA code (2021)"], table=_TABLE)
    heading = next(filter(_is_population, header[1]), "Total population: mid 2022")
    persons = find_column(sheet, header, [heading], table=_TABLE)
    positions = {
        key: find_column(sheet, header, [f"{name} Score", f"{name} Score (rate)"], table=_TABLE)
        for key, name in DOMAINS.items()
    }
    columns = read_columns(sheet, header, [code, persons, *positions.values()])
    areas = columns.lsoas(code)
    population = pd.Series(columns.counts(persons), index=areas)
    here = links[links["lsoa21"].str[:1].isin({area[:1] for area in areas})]
    equal = pd.Series(1.0, index=here["lsoa11"].unique())
    readings = []
    for key, position in positions.items():
        scores = pd.Series(columns.scores(position), index=areas)
        carried = carry_scores(scores, here, weights_2021=population, weights_2011=equal)
        rank = rank_anew(carried, worst="high").to_numpy(dtype=float, na_value=float("nan"))
        readings.append(reading(key, sheet.path, carried.index, rank, national_rank=rank))
    return readings


def _rank(key: str) -> str:
    return f"{DOMAINS[key]} Rank (where 1 is most deprived)"


def _is_population(heading: str) -> bool:
    return normalise(heading).startswith("total population: mid ")


def _required_header(sheet: Sheet) -> Row:
    header = _header(sheet)
    if header is None:
        raise SourceError(f"{sheet.at()} changed while it was being read: run again")
    return header


def _header(sheet: Sheet) -> Row | None:
    for line, cells in sheet.head:
        if any(_AREAS.fullmatch(normalise(cell)) for cell in cells):
            return line, cells
    return None


def _year(pattern: re.Pattern[str], names: Sequence[str]) -> str:
    match = next(filter(None, map(pattern.fullmatch, names)), None)
    return match.group(1) if match else "unknown"
