"""Tables of the 2011 Census and of Census 2021 as Nomis serves them: by query, and bulk files.

What belongs here: the two layouts of Nomis. What does not: which table holds which outcome
(`census_tables`), and the older InFuse layout (`infuse`).

A *query download* opens with its title ("QS302EW - General health"), a copyright line and some
`"Population :","All usual residents"` lines, one more or less by table, and a blank line. They say
of whom, of when and of what the table is, and each is compared with what the outcome wants; any
other such line is a selection, and has to take in all. The header is
`"2011 super output area - lower layer","mnemonic",` and the categories; the rows may follow after
another blank line; the file ends with footnotes in the second column.

A *bulk file* is a plain CSV: `date,geography,geography code,Rural Urban` and columns such as
`General Health: Bad health; measures: Value`; key statistics by sex write `Sex: All persons; `
first. Those of Census 2021 have neither the one nor the other, and no `Rural Urban`.

Other tables of the census have the same categories by age, by sex or of the workday population, so
that categories alone identify none: where there is the id of a table, it decides.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streetineq_assets.area_vintages import LSOA11, VINTAGES
from streetineq_assets.errors import SourceError
from streetineq_assets.labels.census_tables import CENSUS_TABLES, CensusTable
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile, share_of_counts
from streetineq_assets.spreadsheets.columns import normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Row, Sheet, is_blank

_AREAS = "{} super output area"  # how a query's header begins, with the level behind it
_ID = re.compile(r"\b(?:[A-Z]{2}[0-9]{3,4}[A-Z]{2}|TS[0-9]{3})\b", re.IGNORECASE)
_YEARS = ("2011", "2021")
_PARTS = "rural urban"  # an area may come again for its urban and its rural part
# What takes in all: as a selection above a query download, and as a part of a bulk heading.
_WHOLE = re.compile(r"all categories\b.*|all persons|total|value")
_WHOLE_OF_HEADING = {"sex: all persons", "measures: value"}
_TOTALS = {"column total", "total"}  # names of the row of sums that Nomis adds when asked
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

    def positions(self) -> dict[str, tuple[int, ...]]:
        """The categories of its one outcome, and their total at the end."""
        if self.census is None:
            return {}
        parts = [self.column(self._heading(self.census, part)) for part in self.census.numerator]
        totals = (self._heading(self.census, total) for total in self.census.denominator)
        return {self.census.outcome: (*parts, self.column(*totals))}

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
        *numerator, denominator = self.positions()[census.outcome]
        name = 0 if self.layout == _QUERY else self.column_of_names("geography")
        names = [normalise(cell) for cell in self.header[1]]
        parts = [names.index(_PARTS)] if _PARTS in names else []
        wanted = [0, name, code, *numerator, denominator, *parts]
        columns = read_columns(self.sheet, self.header, wanted, footnotes=self.layout == _QUERY)
        if "" in columns.texts[code].to_pylist():
            columns = columns.where(lambda name, area: area or name.lower() not in _TOTALS, 0, code)
        if parts:
            columns = columns.where(lambda part: part.lower() in ("total", ""), *parts)
        return share_of_counts(
            columns,
            outcome=census.outcome,
            code=code,
            name=name,
            numerator=numerator,
            denominator=denominator,
            links=self.links(),
            to=self.target,
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
        SourceError: it holds an outcome, but of other areas than the LSOAs of its census, without
            their codes, or of a part or another kind of the people or households.
    """
    for number, (_, cells) in enumerate(sheet.head):
        names = [normalise(cell) for cell in cells]
        if _heads_query(names):
            return _query_download(sheet, number, names)
        if "geography code" in names:
            return _bulk_file(sheet, number, names)
    return None


def _query_download(sheet: Sheet, number: int, names: Sequence[str]) -> NomisFile:
    header, preamble = sheet.head[number], sheet.head[:number]
    table_id = _table_id(preamble)
    census = _by_id(table_id) if table_id else _by_columns(names)
    if census is None:
        named = f"{_QUERY}, table {table_id}" if table_id else _QUERY
        return _file(sheet, header, named, "mnemonic", None)
    _refuse_other_areas(sheet, header[0], names, census)
    stated = list(_stated(preamble))
    _refuse_other_population(sheet, stated, census)
    known = table_id or "date" in (name.lower() for _, name, _ in stated)
    return _file(
        sheet, header, _QUERY, "mnemonic", census, edition=census.year if known else "unknown"
    )


def _bulk_file(sheet: Sheet, number: int, names: Sequence[str]) -> NomisFile:
    line, cells = sheet.head[number]
    parts = [[part.strip() for part in cell.split(";")] for cell in cells]
    plain = ["; ".join(p for p in each if normalise(p) not in _WHOLE_OF_HEADING) for each in parts]
    year = _first_date(sheet.head[number + 1 :], names)
    census = _by_dimension(plain, year)
    if census is None:
        _refuse_parts(sheet, line, parts)
    elif year and year != census.year:
        raise SourceError(
            f"{sheet.at()} is a table of {year}: download {census.published} for the year "
            f"{census.year}"
        )
    return _file(sheet, (line, plain), _BULK, "geography code", census, edition=year or "unknown")


def _file(
    sheet: Sheet,
    header: Row,
    layout: str,
    code: str,
    census: CensusTable | None,
    *,
    edition: str = "unknown",
) -> NomisFile:
    return NomisFile(
        sheet=sheet,
        header=header,
        layout=layout,
        table=census.published if census else None,
        edition=edition,
        outcomes=(census.outcome,) if census else (),
        vintage=VINTAGES[f"lsoa{census.year[2:]}"] if census else LSOA11,
        code=code,
        census=census,
    )


def _heads_query(names: Sequence[str]) -> bool:
    """Whether a row is the header of a query download; one without codes of areas is too."""
    starts = tuple(map(_AREAS.format, _YEARS))
    return "mnemonic" in names[1:2] or (len(names) > 1 and names[0].startswith(starts))


def _refuse_other_areas(sheet: Sheet, line: int, names: Sequence[str], census: CensusTable) -> None:
    if "lower" not in names[0] or not names[0].startswith(census.year):
        raise SourceError(
            f'{sheet.at(line)}: the areas are "{names[0]}": on Nomis choose '
            f'"{_AREAS.format(census.year)} - lower layer" and download again'
        )
    if "mnemonic" not in names:
        raise SourceError(
            f'{sheet.at(line)}: there is no column "mnemonic", the codes of the areas, and names '
            "alone do not identify them: on Nomis tick the area codes and download again"
        )


def _table_id(preamble: Sequence[Row]) -> str | None:
    """The id of the table in the lines above a query's header."""
    found = _ID.search(" ".join(cell for _, cells in preamble for cell in cells))
    return found.group().upper() if found else None


def _stated(preamble: Sequence[Row]) -> Iterator[tuple[int, str, str]]:
    """What the lines above a query's header state: line number, name and value."""
    for line, cells in preamble:
        name, value = (cell.strip() for cell in [*cells, "", ""][:2])
        if name and value:
            yield line, name.rstrip(": "), value


def _refuse_other_population(
    sheet: Sheet, stated: Sequence[tuple[int, str, str]], census: CensusTable
) -> None:
    """Stop at a line above the header that speaks of others than the outcome is of."""
    wanted = {"population": census.population, "units": census.units, "date": (census.year,)}
    for line, name, value in stated:
        selection = normalise(name)
        allowed = wanted.get(selection)
        if allowed is None and not _WHOLE.fullmatch(normalise(value)):
            raise SourceError(
                f'{sheet.at(line)}: the table is of "{name}: {value}" alone: on Nomis '
                f'choose "{_whole_of(selection)}" and download again'
            )
        if allowed and normalise(value) not in map(normalise, allowed):
            raise SourceError(
                f'{sheet.at(line)}: the table is of "{name}: {value}", wanted is '
                f'"{allowed[0]}": download {census.published} by LSOA'
            )


def _whole_of(selection: str) -> str:
    """What Nomis calls all of a selection."""
    return {"sex": "All persons", _PARTS: "Total"}.get(selection, "All categories")


def _refuse_parts(sheet: Sheet, line: int, headings: Sequence[Sequence[str]]) -> None:
    """Stop at a bulk file whose only columns of an outcome are of a part, or are percentages."""
    for parts in headings:
        table = _by_dimension(parts)
        others = [part for part in parts if table and not _is_of(table, part)]
        other = next((part for part in others if normalise(part) not in _WHOLE_OF_HEADING), None)
        if table and other:
            raise SourceError(
                f'{sheet.at(line)}: {table.published.id} is there for "{other}" alone: wanted are '
                'counts of all, in columns without that or with "measures: Value": download the '
                "entire table again"
            )


def _first_date(rows: Sequence[Row], names: Sequence[str]) -> str | None:
    """The year of the first row below a bulk file's header; None where it names none."""
    if "date" not in names:
        return None
    cells = next((cells for _, cells in rows if not is_blank(cells)), [])
    place = names.index("date")
    return cells[place].strip()[:4] if place < len(cells) else None


def _by_id(table_id: str | None) -> CensusTable | None:
    return next((table for table in CENSUS_TABLES if table.published.id == table_id), None)


def _by_columns(names: Sequence[str]) -> CensusTable | None:
    """For a query download that lost its title: the table all of whose headings are there."""
    for table in CENSUS_TABLES:
        if not names[0].startswith(table.year):
            continue
        parts = {normalise(name) for name in table.numerator}
        totals = {normalise(name) for name in table.denominator}
        if parts.issubset(names) and totals.intersection(names):
            return table
    return None


def _by_dimension(plain: Sequence[str], year: str | None = None) -> CensusTable | None:
    """The table of which a bulk file has any part; the one with its total too is preferred.

    Args:
        year: of the file, where it says so: both censuses have categories of the same names.
    """
    asked = [table for table in CENSUS_TABLES if year not in _YEARS or table.year == year]
    parts = [table for table in asked if any(_is_of(table, h) for h in plain)]
    names = {normalise(heading) for heading in plain}
    totals = {t: {normalise(f"{t.dimension}: {c}") for c in t.denominator} for t in parts}
    whole = [table for table in parts if totals[table] & names]
    return next(iter(whole or parts), None)


def _is_of(table: CensusTable, heading: str) -> bool:
    """Whether a heading of a bulk file is one of the categories that the table adds up."""
    return normalise(heading) in {normalise(f"{table.dimension}: {c}") for c in table.numerator}
