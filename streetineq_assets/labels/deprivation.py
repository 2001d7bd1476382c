"""The English Indices of Deprivation: File 7, or any file of theirs with the ranks of the domains.

What belongs here: that one layout, in its editions of 2015 and 2019. What does not: the outcomes
made of it (`outcomes.DOMAINS`), and how an edition on the LSOAs of 2021 is carried back
(`vintages`).

Headings are the same in both editions but for the years: `LSOA code (2011)`,
`Local Authority District code (2013)` or `(2019)`, `Crime Rank (where 1 is most deprived)`. The
ministry publishes File 7 as CSV and the files of ranks as XLSX with the data on the second sheet;
both are read the same way. Only the ranks are asked for, so a file without scores, sub-domains or
denominators will do.
"""

import re

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.columns import body, find_column, lsoa_codes, normalise, ranks
from streetineq_assets.labels.files import Row, Sheet
from streetineq_assets.labels.outcomes import DOMAINS, FILE_7, INDEX_OF_DEPRIVATION
from streetineq_assets.labels.readings import Reading, Recognised, reading

_AREAS = re.compile(r"lsoa code \((\d{4})\)")
_DISTRICTS = re.compile(r"local authority district code \((\d{4})\)")
_EDITIONS = {"2013": "2015", "2019": "2019", "2024": "2025"}
_LAYOUT = "Indices of Deprivation, ranks of the domains"
_SUFFIX = " Rank (where 1 is most deprived)"
_HEADINGS = {key: f"{domain}{_SUFFIX}" for key, domain in DOMAINS.items()}


def recognise(sheet: Sheet) -> Recognised | None:
    """Say which edition this is; None when it has not the rank of any domain.

    Raises:
        SourceError: the areas are the LSOAs of 2021.
    """
    header = _header(sheet)
    if header is None:
        return None
    names = [normalise(cell) for cell in header[1]]
    domains = tuple(key for key in DOMAINS if key != INDEX_OF_DEPRIVATION)
    if not any(normalise(_HEADINGS[key]) in names for key in domains):
        return None
    return Recognised(sheet.path, _LAYOUT, FILE_7, _edition(names), domains)


def read(sheet: Sheet) -> list[Reading]:
    """The seven domains and the overall index, each as national ranks.

    Raises:
        SourceError: a column is missing, or a cell is not what it should be.
    """
    header = _header(sheet)
    if header is None:
        raise SourceError(f"{sheet.at()} changed while it was being read")
    rows = body(sheet, header)
    table = str(FILE_7)
    lsoas = lsoa_codes(sheet, rows, find_column(sheet, header, ["LSOA code (2011)"], table=table))
    readings = []
    for key, heading in _HEADINGS.items():
        rank = ranks(sheet, rows, find_column(sheet, header, [heading], table=table), heading)
        readings.append(reading(key, sheet.path, lsoas, rank, national_rank=rank))
    return readings


def _header(sheet: Sheet) -> Row | None:
    for line, cells in sheet.head:
        found = next(filter(None, (_AREAS.fullmatch(normalise(cell)) for cell in cells)), None)
        if found:
            return line, cells
    return None


def _edition(names: list[str]) -> str:
    match = next(filter(None, map(_DISTRICTS.fullmatch, names)), None)
    year = match.group(1) if match else "unknown"
    return _EDITIONS.get(year, year)
