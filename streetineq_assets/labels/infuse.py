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
from streetineq_assets.labels.columns import body, find_column
from streetineq_assets.labels.files import Row, Sheet
from streetineq_assets.labels.outcomes import INFUSE_COLUMNS, Table
from streetineq_assets.labels.readings import Reading, Recognised, read_share

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
    level = find_column(sheet, header, ["GEO_TYP2"], table=str(INFUSE))
    code = find_column(sheet, header, ["GEO_CODE"], table=str(INFUSE))
    rows = [
        (line, cells)
        for line, cells in body(sheet, header)
        if cells[level].strip() == "LSOADZ" and cells[code].startswith(_ENGLAND_AND_WALES)
    ]

    def column(name: str) -> int:
        return find_column(sheet, header, [name], table=str(INFUSE))

    return [
        read_share(
            sheet,
            rows,
            header,
            outcome=outcome,
            code=code,
            numerator=[column(name) for name in parts],
            denominator=column(total),
        )
        for outcome, (parts, total) in INFUSE_COLUMNS.items()
        if _any_of(header, (parts, total))
    ]


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
