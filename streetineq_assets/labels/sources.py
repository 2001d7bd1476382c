"""Which official tables lie below `inputs/`, in which files, and which are missing.

What belongs here: going through the folders, recognising files by their content, refusing two files
for one outcome, and reading them. What does not: any single format (a module each), the postcode
directory (`postcodes`) and boundaries (`boundaries`).

`find_sources` reads the first rows of each file and never fails on one: what is wrong with a file
stands in `problems`, so that `streetineq doctor` can list it all. `read_sources` reads the files
whole and fails on the first fault.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from streetineq_assets import geography
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Scalar
from streetineq_assets.labels.formats import deprivation, income, infuse, nomis
from streetineq_assets.labels.formats.base import Reading, Recognised
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.vintages import (
    CHANGES,
    LOOKUP,
    count_changes,
    find_links,
    read_links,
)
from streetineq_assets.spreadsheets.sheets import DOCUMENTS, Sheet, other_separator, read_sheets

FOLDERS = ("census_2011", "iod_2015", "household_income")
_FORMATS: tuple[ModuleType, ...] = (nomis, infuse, deprivation, income)


@dataclass(frozen=True)
class Sources:
    """What was found below `inputs/`.

    Attributes:
        recognised: files that hold at least one outcome.
        missing: outcome to the official titles of the tables that would do, any one of them.
        ignored: files that hold no outcome, with what they are.
        links: the lookup between the LSOAs of 2011 and 2021; None when there is none.
        problems: what is wrong with a file, one sentence each; no labels are made before it is
            mended.
    """

    recognised: tuple[Recognised, ...]
    missing: dict[str, str]
    ignored: tuple[tuple[Path, str], ...]
    links: Path | None
    problems: tuple[str, ...]

    def of(self, outcome: str) -> Recognised | None:
        """The file that holds an outcome; None when it is missing."""
        return next((file for file in self.recognised if outcome in file.outcomes), None)

    @property
    def carried(self) -> list[str]:
        """The outcomes whose file is on the LSOAs of 2021."""
        return [key for file in self.recognised if file.vintage == "2021" for key in file.outcomes]

    def described(self) -> list[dict[str, Scalar]]:
        """One row per file: `file, holds` (its outcomes) and `layout`."""
        rows: list[dict[str, Scalar]] = [
            {"file": file.path.name, "holds": ", ".join(file.outcomes), "layout": file.layout}
            for file in self.recognised
        ]
        rows += [
            {"file": path.name, "holds": "", "layout": reason} for path, reason in self.ignored
        ]
        return rows

    def refuse_problems(self) -> None:
        """Stop at the first problem.

        Raises:
            SourceError: there is one.
        """
        if self.problems:
            raise SourceError(self.problems[0])


def find_sources(inputs: Path) -> Sources:
    """Look at the head of every file in the folders of the census, the indices and the incomes.

    Args:
        inputs: the study's `inputs/` folder; folders that are not there count as empty.
    """
    recognised: list[Recognised] = []
    ignored: list[tuple[Path, str]] = []
    problems: list[str] = []
    for path in _files(inputs):
        try:
            found = _recognise(path)
        except SourceError as error:
            problems.append(str(error))
            continue
        if found is None:
            separator = other_separator(path)
            told = f"its columns are separated by {separator}: save it with commas"
            ignored.append((path, told if separator else "no layout that is known"))
        elif not found.outcomes:
            ignored.append((path, f"{found.layout} without an outcome"))
        else:
            recognised.append(found)
    try:
        links = find_links(inputs / geography.BOUNDARIES_FOLDER)
    except SourceError as error:
        links = None
        problems.append(str(error))
    held = {outcome for file in recognised for outcome in file.outcomes}
    return Sources(
        recognised=tuple(recognised),
        missing={key: o.wanted for key, o in OUTCOMES.items() if key not in held},
        ignored=tuple(ignored),
        links=links,
        problems=(*problems, *_rivals(recognised), *_without_links(recognised, links)),
    )


def read_sources(sources: Sources) -> dict[str, Reading]:
    """Read every recognised file.

    Returns:
        Outcome to its reading; with the Indices of Deprivation also `INDEX_OF_DEPRIVATION`.

    Raises:
        SourceError: the first problem of `sources`, or a fault further down in a file.
    """
    sources.refuse_problems()
    readings = [
        reading for file in sources.recognised for reading in _read(file.path, sources.links)
    ]
    return {reading.outcome: reading for reading in readings}


def count_carried(sources: Sources, readings: Mapping[str, Reading]) -> dict[str, Scalar]:
    """How many LSOAs of 2011 are unchanged, split, merged or irregular where a file was carried.

    Returns:
        `n_lsoas_unchanged` and so on; empty where no file was carried. The lookup is of England and
        Wales; the areas counted are those of the carried file, which may be of England alone.
    """
    if not sources.carried or sources.links is None:
        return {}
    links = read_links(sources.links)
    kinds = count_changes(links[links["lsoa11"].isin(readings[sources.carried[0]].frame.index)])
    return {f"n_lsoas_{name}": kinds[kind] for kind, name in CHANGES.items()}


def _files(inputs: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((inputs / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(inputs).parts)
            if path.is_file() and not hidden and path.suffix.lower() not in DOCUMENTS:
                yield path


def _recognise(path: Path) -> Recognised | None:
    """What the file is; with several sheets, the first that holds an outcome decides."""
    known = None
    for _, _, found in _offers(read_sheets(path, head=True)):
        if found.outcomes:
            return found
        known = found
    return known


def _read(path: Path, links: Path | None) -> list[Reading]:
    for layout, sheet, found in _offers(read_sheets(path)):
        if found.outcomes and found.vintage == "2021" and links:
            return deprivation.read_carried(sheet, read_links(links))
        if found.outcomes:
            return layout.read(sheet)
    raise SourceError(f"{path} changed while it was being read: run again")


def _offers(sheets: Iterable[Sheet]) -> Iterator[tuple[ModuleType, Sheet, Recognised]]:
    """Every sheet that a format takes for its own."""
    for sheet in sheets:
        for layout in _FORMATS:
            found = layout.recognise(sheet)
            if found is not None:
                yield layout, sheet, found


def _rivals(recognised: list[Recognised]) -> Iterator[str]:
    """One sentence per pair of files that hold the same outcome."""
    first: dict[str, Recognised] = {}
    named: set[tuple[Path, Path]] = set()
    for file in recognised:
        for outcome in file.outcomes:
            rival = first.setdefault(outcome, file)
            if rival is file or (rival.path, file.path) in named:
                continue
            named.add((rival.path, file.path))
            yield (
                f"{_described(rival)} and {_described(file)} both hold {outcome}: keep one of them"
            )


def _without_links(recognised: list[Recognised], links: Path | None) -> Iterator[str]:
    """One sentence per file that has to be carried and cannot be."""
    for file in recognised:
        if file.vintage == "2021" and links is None:
            yield (
                f"{_described(file)} is on the LSOAs of 2021: to carry it to those of 2011, put "
                f"the lookup {LOOKUP} into inputs/{geography.BOUNDARIES_FOLDER}"
            )


def _described(file: Recognised) -> str:
    title = f"{file.table.id}, edition {file.edition}" if file.table else file.layout
    return f"{file.path} ({title})"
