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
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile, share_of_counts
from streetineq_assets.labels.outcomes import CENSUS_TABLES, CensusTable
from streetineq_assets.spreadsheets.columns import normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet

_AREAS = "2011 super output area"  # how a query's header begins, with the level behind it
_TITLE = re.compile(r"\s*([A-Z]{2}[0-9]{3}[A-Z]{2})\s*-\s*\S")
_DECORATION = re.compile(r"^\s*sex: all persons; |; measures: value\s*$", re.IGNORECASE)
_PARTS = "rural urban"  # an area may come again for its urban and its rural part
_WHOLE = {"sex": "All persons", _PARTS: "Total"}  # selections of a query, and what takes in all
_QUERY, _BULK = "Nomis query download", "Nomis bulk file"


@dataclass(frozen=True, kw_only=True)
class NomisFile(SourceFile):
    """A table of the census in one of the two layouts.

    Attributes:
        code: heading of the areas' codes.
        census: how the table holds its outcome; None for a table that holds none.
    """

    code: str
    census: CensusTable | None

    def read(self) -> list[OutcomeValues]:
        """The one outcome that the table holds."""
        if self.census is None:
            return []
        try:
            return [self._share(self.census)]
        except SourceError as error:
            # Rows are looked through for a second header only now: it shows as some other fault.
            second = self._second_header()
            if second is None:
                raise
            raise SourceError(
                f"{self.sheet.at(second)}: a second table begins here: on Nomis choose one of each "
                "selection and download one table at a time"
            ) from error

    def _share(self, census: CensusTable) -> OutcomeValues:
        code = self.column(self.code)
        numerator = [self.column(self._heading(census, part)) for part in census.numerator]
        denominator = self.column(*(self._heading(census, total) for total in census.denominator))
        names = [normalise(cell) for cell in self.header[1]]
        parts = [names.index(_PARTS)] if _PARTS in names else []
        wanted = [code, *numerator, denominator, *parts]
        columns = read_columns(self.sheet, self.header, wanted, footnotes=self.layout == _QUERY)
        if parts:
            columns = columns.where(lambda part: part.lower() in ("total", ""), *parts)
        return share_of_counts(
            columns,
            outcome=census.outcome,
            code=code,
            numerator=numerator,
            denominator=denominator,
        )

    def _heading(self, census: CensusTable, category: str) -> str:
        """How this layout writes a category."""
        return f"{census.dimension}: {category}" if self.layout == _BULK else category

    def _second_header(self) -> int | None:
        """The line in which the header of a query download comes again; None when it does not."""
        first, headings = self.header
        again = (n for n, cells in self.sheet.rows() if n > first and cells[:2] == headings[:2])
        return next(again, None) if self.layout == _QUERY else None


def recognise(sheet: Sheet) -> NomisFile | None:
    """The sheet as a table of the census; None when it is not one of Nomis' files.

    Raises:
        SourceError: the areas are not the LSOAs of 2011 or have no codes, or the table is of a part
            of the people.
    """
    title = None
    for number, (line, cells) in enumerate(sheet.head):
        names = [normalise(cell) for cell in cells]
        match = _TITLE.match(cells[0]) if cells else None
        title = title or (match and match.group(1))
        if _heads_query(names):
            census = _by_id(title) if title else _by_columns(names)
            if census:
                _refuse_other_areas(sheet, line, names)
                _refuse_parts(sheet, sheet.head[:number])
            return _file(sheet, (line, cells), _QUERY, "mnemonic", census)
        if "geography code" in names:
            plain = [_DECORATION.sub("", cell) for cell in cells]
            return _file(sheet, (line, plain), _BULK, "geography code", _by_dimension(plain))
    return None


def _file(
    sheet: Sheet, header: Row, layout: str, code: str, census: CensusTable | None
) -> NomisFile:
    return NomisFile(
        sheet=sheet,
        header=header,
        layout=layout,
        table=census.published if census else None,
        edition="2011",
        outcomes=(census.outcome,) if census else (),
        code=code,
        census=census,
    )


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
            "alone do not identify them: on Nomis tick the area codes and download again"
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
