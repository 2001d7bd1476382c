"""Tables of the 2011 Census as Nomis serves them: query downloads and bulk files.

What belongs here: the two layouts of Nomis. What does not: which table holds which outcome
(`outcomes.CENSUS_TABLES`), and the older InFuse layout (`infuse`).

A *query download* opens with its title ("QS302EW - General health"), a copyright line and some
`"Population :","All usual residents"` lines, one more or less by table, and a blank line. Those of
`Sex` and `Rural Urban` say of whom the table is; a table of a part of the people is refused. The
header is `"2011 super output area - lower layer","mnemonic",` and the categories; the rows may
follow after another blank line; the file ends with footnotes in the second column.

A *bulk file* is a plain CSV: `date,geography,geography code,Rural Urban` and columns such as
`General Health: Bad health; measures: Value`; key statistics by sex write `Sex: All persons; `
first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import Reading, Recognised, read_share
from streetineq_assets.labels.outcomes import CENSUS_TABLES, CensusTable
from streetineq_assets.spreadsheets.columns import find_column, normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

_AREAS = "2011 super output area"  # how a query's header begins, with the level behind it
_TITLE = re.compile(r"\s*([A-Z]{2}[0-9]{3}[A-Z]{2})\s*-\s*\S")
_DECORATION = re.compile(r"^\s*sex: all persons; |; measures: value\s*$", re.IGNORECASE)
_PARTS = "rural urban"  # an area may come again for its urban and its rural part
_WHOLE = {"sex": "All persons", _PARTS: "Total"}  # selections of a query, and what takes in all
_QUERY, _BULK = "Nomis query download", "Nomis bulk file"


@dataclass(frozen=True)
class _Layout:
    """Where a Nomis file keeps its header, its codes and its categories."""

    name: str
    header: Row
    code: str
    table: CensusTable | None

    def heading(self, category: str) -> str:
        """How this layout writes a category."""
        if self.name == _BULK and self.table:
            return f"{self.table.dimension}: {category}"
        return category


def recognise(sheet: Sheet) -> Recognised | None:
    """Say which table of the census this is; None when it is not one of Nomis' files.

    Raises:
        SourceError: the areas are not the LSOAs of 2011 or have no codes, or the table is of a part
            of the people.
    """
    layout = _layout(sheet)
    if layout is None:
        return None
    if layout.table is None:
        return Recognised(sheet.path, layout.name, None, "2011", ())
    table = layout.table
    return Recognised(sheet.path, layout.name, table.published, "2011", (table.outcome,))


def read(sheet: Sheet) -> list[Reading]:
    """The one outcome that the table holds.

    Raises:
        SourceError: a column is missing, a cell is not what it should be, or a second table follows
            in the same file.
    """
    layout = _layout(sheet)
    if layout is None or layout.table is None:
        raise SourceError(f"{sheet.at()} changed while it was being read: run again")
    try:
        return [_share(sheet, layout, layout.table)]
    except SourceError as error:
        # Rows are looked through for a second header only now: it shows as some other fault.
        second = _second_header(sheet, layout)
        if second is None:
            raise
        raise SourceError(
            f"{sheet.at(second)}: a second table begins here: on Nomis choose one of each "
            "selection and download one table at a time"
        ) from error


def _share(sheet: Sheet, layout: _Layout, table: CensusTable) -> Reading:
    header = layout.header

    def column(*headings: str) -> int:
        return find_column(sheet, header, headings, table=str(table.published))

    code = column(layout.code)
    numerator = [column(layout.heading(category)) for category in table.numerator]
    denominator = column(*map(layout.heading, table.denominator))
    names = [normalise(cell) for cell in header[1]]
    parts = [names.index(_PARTS)] if _PARTS in names else []
    wanted = [code, *numerator, denominator, *parts]
    columns = read_columns(sheet, header, wanted, footnotes=layout.name == _QUERY)
    if parts:
        columns = columns.where(lambda part: part.lower() in ("total", ""), *parts)
    return read_share(
        columns, outcome=table.outcome, code=code, numerator=numerator, denominator=denominator
    )


def _second_header(sheet: Sheet, layout: _Layout) -> int | None:
    """The line in which the header of a query download comes again; None when it does not."""
    first, headings = layout.header
    start = headings[:2]
    again = (line for line, cells in sheet.rows() if line > first and cells[:2] == start)
    return next(again, None) if layout.name == _QUERY else None


def _layout(sheet: Sheet) -> _Layout | None:
    title = None
    for number, (line, cells) in enumerate(sheet.head):
        names = [normalise(cell) for cell in cells]
        match = _TITLE.match(cells[0]) if cells else None
        title = title or (match and match.group(1))
        if _heads_query(names):
            table = _by_id(title) if title else _by_columns(names)
            if table:
                _refuse_other_areas(sheet, line, names)
                _refuse_parts(sheet, sheet.head[:number])
            return _Layout(_QUERY, (line, cells), "mnemonic", table)
        if "geography code" in names:
            plain = [_DECORATION.sub("", cell) for cell in cells]
            return _Layout(_BULK, (line, plain), "geography code", _by_dimension(plain))
    return None


def _heads_query(names: Sequence[str]) -> bool:
    """Whether a row is the header of a query download; one without codes of areas is too."""
    return "mnemonic" in names[1:2] or (len(names) > 1 and names[0].startswith(_AREAS))


def _refuse_other_areas(sheet: Sheet, line: int, names: Sequence[str]) -> None:
    if "lower" not in names[0] or not names[0].startswith("2011"):
        raise SourceError(
            f'{sheet.at(line)}: the areas are "{names[0]}": on Nomis choose "{_AREAS} - lower '
            'layer" and download again'
        )
    if "mnemonic" not in names:
        raise SourceError(
            f'{sheet.at(line)}: there is no column "mnemonic", the codes of the areas, and names '
            "alone do not tell them: on Nomis tick the area codes and download again"
        )


def _refuse_parts(sheet: Sheet, preamble: Sequence[Row]) -> None:
    """Stop at a line above the header that selects one sex, or the urban or rural areas."""
    everyone = {normalise(choice) for choice in _WHOLE.values()}
    for line, cells in preamble:
        name, value = [*cells, "", ""][:2]
        selected = normalise(name).rstrip(": ")
        if selected in _WHOLE and normalise(value) not in everyone:
            raise SourceError(
                f'{sheet.at(line)}: the table is of "{name.rstrip(": ")}: {value}" alone: on Nomis '
                f'choose "{_WHOLE[selected]}" and download again'
            )


def _by_id(table_id: str | None) -> CensusTable | None:
    return next((table for table in CENSUS_TABLES if table.published.id == table_id), None)


def _by_columns(names: Sequence[str]) -> CensusTable | None:
    """For a query download that lost its title: the table all of whose headings are there."""
    for table in CENSUS_TABLES:
        parts = {normalise(name) for name in table.numerator}
        totals = {normalise(name) for name in table.denominator}
        if parts.issubset(names) and totals.intersection(names):
            return table
    return None


def _by_dimension(plain: Sequence[str]) -> CensusTable | None:
    """The table of which a bulk file has any part; the one with its total too is preferred."""
    names = {normalise(heading) for heading in plain}

    def has(table: CensusTable, categories: Sequence[str]) -> bool:
        return any(normalise(f"{table.dimension}: {c}") in names for c in categories)

    parts = [table for table in CENSUS_TABLES if has(table, table.numerator)]
    whole = [table for table in parts if has(table, table.denominator)]
    return next(iter(whole or parts), None)
