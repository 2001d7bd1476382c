"""The 2011 Census as InFuse served it, which the original system read.

What belongs here: that one layout. What does not: Nomis' layouts (`nomis`), which publish the same
counts, and the InFuse codes of the outcomes (`outcomes.INFUSE_COLUMNS`).

A CSV with the columns `CDU_ID, GEO_CODE, GEO_LABEL, GEO_TYPE, GEO_TYP2` and one per count, named
`F187` or, as the original renamed them, `F187-p-highest-qual-no`. InFuse puts the counts'
descriptions in a second row. `GEO_TYP2` is `LSOADZ` for LSOAs and for the small areas of Scotland
and Northern Ireland, which are left out; other levels may be in the same file and are left out too.
"""

import re
from collections.abc import Sequence

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import Reading, Recognised, read_share
from streetineq_assets.labels.outcomes import INFUSE_COLUMNS, Table
from streetineq_assets.spreadsheets.columns import find_column, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

INFUSE = Table("InFuse", "2011 Census aggregate data", "UK Data Service", "census_2011")
_CODE = re.compile(r"(F[0-9]+)\b.*")
_ENGLAND_AND_WALES = ("E", "W")


def recognise(sheet: Sheet) -> Recognised | None:
    """Say which outcomes the file holds any column of; None when it is not from InFuse."""
    header = _header(sheet)
    if header is None:
        return None
    held = tuple(outcome for outcome, codes in INFUSE_COLUMNS.items() if _any_of(header, codes))
    return Recognised(sheet.path, "InFuse", INFUSE if held else None, "2011", held)


def read(sheet: Sheet) -> list[Reading]:
    """Every outcome that the file holds any column of.

    Raises:
        SourceError: an outcome's other columns are missing, or a cell is not what it should be.
    """
    header = _header(sheet)
    if header is None:
        raise SourceError(f"{sheet.at()} changed while it was being read: run again")

    def column(name: str) -> int:
        return find_column(sheet, header, [name], table=str(INFUSE))

    level, code = column("GEO_TYP2"), column("GEO_CODE")
    shares = {
        outcome: ([column(name) for name in parts], column(total))
        for outcome, (parts, total) in INFUSE_COLUMNS.items()
        if _any_of(header, (parts, total))
    }
    wanted = [i for parts, total in shares.values() for i in (*parts, total)]
    columns = read_columns(sheet, header, [level, code, *wanted]).where(_is_lsoa, level, code)
    return [
        read_share(columns, outcome=outcome, code=code, numerator=parts, denominator=total)
        for outcome, (parts, total) in shares.items()
    ]


def _is_lsoa(level: str, code: str) -> bool:
    return level == "LSOADZ" and code.startswith(_ENGLAND_AND_WALES)


def _header(sheet: Sheet) -> Row | None:
    """The header with the counts' columns cut down to their codes."""
    for line, cells in sheet.head:
        if "GEO_CODE" in (cell.strip() for cell in cells):
            return line, [_bare(cell) for cell in cells]
    return None


def _bare(cell: str) -> str:
    match = _CODE.fullmatch(cell.strip())
    return match.group(1) if match else cell


def _any_of(header: Row, codes: tuple[Sequence[str], str]) -> bool:
    parts, total = codes
    return any(name in header[1] for name in (*parts, total))
