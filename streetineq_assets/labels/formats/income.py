"""Household income of London's LSOAs, modelled by the Greater London Authority.

The CSV's header is `Code, Name, ..., Mean 2001/02, ..., Median 2012/13`; its amounts look like
`?70,480`, a mangled pound sign and thousands commas. The workbook has one sheet per level of
geography; in `LSOA11` the header takes three rows: a title over each block of years ("Total Mean
Annual Household Income estimate"), the years, and `Code, Name, LAD code, Borough`. Joined downwards
they read "Total Mean Annual Household Income estimate 2012/13".
"""

from dataclasses import dataclass
from itertools import zip_longest

import pandas as pd

from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile, outcome_values
from streetineq_assets.labels.outcomes import GLA_INCOME, INCOME_YEAR
from streetineq_assets.labels.vintages import carry_scores_of_part
from streetineq_assets.spreadsheets.columns import normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet, is_blank

_STATISTICS = {"mean_income": "Mean", "median_income": "Median"}
_BLOCK = "Total {} Annual Household Income estimate"
_SHEET = "LSOA11"


@dataclass(frozen=True, kw_only=True)
class IncomeFile(SourceFile):
    """The publication's table of LSOAs, as CSV or as a sheet of its workbook."""

    def positions(self) -> dict[str, tuple[int, ...]]:
        """Mean and median, each under its heading of the year."""
        return {
            outcome: (self.column(f"{name} {INCOME_YEAR}", f"{_BLOCK.format(name)} {INCOME_YEAR}"),)
            for outcome, name in _STATISTICS.items()
        }

    def read(self) -> list[OutcomeValues]:
        """Mean and median income, pounds per year."""
        code = self.column("Code")
        incomes = {outcome: position for outcome, (position,) in self.positions().items()}
        name = self.column_of_names("Name")
        columns = read_columns(self.sheet, self.header, [code, name, *incomes.values()])
        lsoas, names = columns.lsoas(code), columns.names(name)
        links = self.links()
        held = []
        for outcome, position in incomes.items():
            values = pd.Series(columns.money(position), index=lsoas)
            if links is not None:  # nothing says how many households a merged area's parts have
                values, names = carry_scores_of_part(values, links, self.target), None
            held.append(
                outcome_values(outcome, self.path, values.index, values.to_numpy(), names=names)
            )
        return held


def recognise(sheet: Sheet) -> IncomeFile | None:
    """The sheet as the publication's table of LSOAs; None when it is none."""
    header = _header(sheet)
    if header is None or sheet.name not in (None, _SHEET):
        return None
    return IncomeFile(
        sheet=sheet,
        header=header,
        layout=f"GLA workbook, sheet {_SHEET}" if sheet.name else "GLA CSV",
        table=GLA_INCOME,
        edition=INCOME_YEAR,
        outcomes=tuple(_STATISTICS),
    )


def _header(sheet: Sheet) -> Row | None:
    """The row that starts with "Code", joined with the rows of headings above it."""
    above: list[list[str]] = []
    for line, cells in sheet.head:
        if cells and normalise(cells[0]) == "code":
            joined = _joined([*above, cells])
            # Many tables start with "Code"; this one speaks of incomes or of means by year.
            known = any(s.lower() in h.lower() for h in joined for s in ("income", "mean 20"))
            return (line, joined) if known else None
        if is_blank(cells):
            above.clear()
        else:
            above.append(cells)
    return None


def _joined(rows: list[list[str]]) -> list[str]:
    """One heading per column; a title stands over the columns up to the next title."""
    titles = [""] * len(rows)
    headings = []
    for column in zip_longest(*rows, fillvalue=""):
        parts = [part.strip() for part in column]
        if any(parts):  # a column without any heading separates two blocks
            titles = [part or title for part, title in zip(parts, titles, strict=True)]
            titles[-1] = parts[-1]
        headings.append(" ".join(filter(None, titles)) if any(parts) else "")
    return headings
