"""The 2011 Census as InFuse served it, which the original system read.

What belongs here: that one layout. What does not: Nomis' layouts (`nomis`), which publish the same
counts, and the InFuse codes of the outcomes (`outcomes.INFUSE_COLUMNS`).

A CSV with the columns `CDU_ID, GEO_CODE, GEO_LABEL, GEO_TYPE, GEO_TYP2` and one per count, named
`F187` or, as the original renamed them, `F187-p-highest-qual-no`. InFuse puts the counts'
descriptions in a second row. `GEO_TYP2` is `LSOADZ` for LSOAs and for the small areas of Scotland
and Northern Ireland, which are left out, as are other levels in the same file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streetineq_assets.labels.census_tables import INFUSE_COLUMNS
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile, share_of_counts
from streetineq_assets.labels.published import Table
from streetineq_assets.spreadsheets.columns import read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

INFUSE = Table("InFuse", "2011 Census aggregate data", "UK Data Service", "census", "2011")
_CODE = re.compile(r"(F[0-9]+)\b.*")
_ENGLAND_AND_WALES = ("E", "W")


@dataclass(frozen=True, kw_only=True)
class InfuseFile(SourceFile):
    """A download from InFuse; it holds an outcome when it has any column of it."""

    def positions(self) -> dict[str, tuple[int, ...]]:
        """The parts of each outcome that it holds, and their total at the end."""
        named = {outcome: INFUSE_COLUMNS[outcome] for outcome in self.outcomes}
        return {
            outcome: tuple(self.column(name) for name in (*parts, total))
            for outcome, (parts, total) in named.items()
        }

    def read(self) -> list[OutcomeValues]:
        """The shares of counts that it holds."""
        level, code = self.column("GEO_TYP2"), self.column("GEO_CODE")
        name = self.column_of_names("GEO_LABEL")
        shares = self.positions()
        wanted = [i for at in shares.values() for i in at]
        columns = read_columns(self.sheet, self.header, [level, code, name, *wanted])
        lsoas = columns.where(_is_lsoa, level, code)
        return [
            share_of_counts(
                lsoas,
                outcome=outcome,
                code=code,
                name=name,
                numerator=parts,
                denominator=total,
                links=self.links(),
                to=self.target,
            )
            for outcome, (*parts, total) in shares.items()
        ]


def recognise(sheet: Sheet) -> InfuseFile | None:
    """The sheet as a download from InFuse; None when it is none."""
    header = _header(sheet)
    if header is None:
        return None
    held = tuple(outcome for outcome, codes in INFUSE_COLUMNS.items() if _any_of(header, codes))
    return InfuseFile(
        sheet=sheet,
        header=header,
        layout="InFuse",
        table=INFUSE if held else None,
        edition="2011",
        outcomes=held,
    )


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
