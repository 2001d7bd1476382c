"""Which official tables lie below `inputs/`, in which files, and which are missing.

What belongs here: recognising files by their content, refusing two files for one outcome, and
reading them. What does not: any one format (a module each), the postcode directory (`postcodes`)
and boundaries (`geography`).

`find_sources` reads the first rows of each file and never fails on one: what is wrong with a file
stands in `problems`, so that `streetineq doctor` can list it all. `read_sources` reads the files
whole and fails on the first fault.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from streetineq_assets import geography
from streetineq_assets.area_vintages import LSOA11, AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Scalar
from streetineq_assets.labels.consistency import refuse_contradictions
from streetineq_assets.labels.formats import deprivation, income, infuse, nomis
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile
from streetineq_assets.labels.vintages import (
    CHANGES,
    LOOKUP,
    count_changes,
    find_lookup,
    read_links,
)
from streetineq_assets.spreadsheets.columns import normalise
from streetineq_assets.spreadsheets.sheets import Sheet, data_files, other_separator, read_sheets

FOLDERS: dict[str, tuple[str, ...]] = {
    "census": ("census", "census_2011"),
    "iod": ("iod", "iod_2015"),
    "household_income": ("household_income",),
}
"""Each with the names below `inputs/` under which it is read: earlier ones bore a year."""
# Other forms of official tables, by a heading.
_NOT_READ = {
    "obs_value": (
        "a row per cell, as Nomis' API answers: download the table by query or as a bulk file"
    ),
    "geographycode": (
        "columns named by codes alone: on Nomis download the table by query or as a bulk file"
    ),
}
_FORMATS: tuple[Callable[[Sheet], SourceFile | None], ...] = (
    nomis.recognise,
    infuse.recognise,
    deprivation.recognise,
    income.recognise,
)


@dataclass(frozen=True)
class Sources:
    """What lies below `inputs/`.

    Attributes:
        inputs: the study's folder of inputs.
        recognised: files that hold at least one outcome.
        ignored: files that hold no outcome, with what they are.
        lookup: between the LSOAs of 2011 and 2021; None when there is none.
        problems: what is wrong with a file, one sentence each; no labels are made until it is
            mended.
    """

    inputs: Path
    recognised: tuple[SourceFile, ...]
    ignored: tuple[tuple[Path, str], ...]
    lookup: Path | None
    problems: tuple[str, ...]

    def of(self, outcome: str) -> SourceFile | None:
        """The file that holds an outcome; None when it is missing."""
        return next((file for file in self.recognised if outcome in file.outcomes), None)

    def folder_of(self, path: Path) -> str:
        """The key in `FOLDERS` of the folder in which a file lies."""
        name = path.relative_to(self.inputs).parts[0]
        return next(key for key, names in FOLDERS.items() if name in names)

    @property
    def carried(self) -> list[str]:
        """The outcomes whose file is on other areas than the study."""
        return [key for file in self.recognised if file.is_carried for key in file.outcomes]

    def columns(self, outcomes: Iterable[str]) -> list[tuple[str, str]]:
        """The columns that hold these outcomes: folder below `inputs/`, and heading in the file.

        Raises:
            SourceError: a file lacks one.
        """
        wanted = set(outcomes)
        return [
            (self.folder_of(file.path), heading)
            for file in self.recognised
            for outcome, headings in file.headings().items()
            if outcome in wanted
            for heading in headings
        ]

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


def find_sources(inputs: Path, vintage: AreaVintage = LSOA11) -> Sources:
    """Recognise every file in the folders of the census, the indices and the incomes.

    Args:
        inputs: the study's `inputs/` folder; a folder that is absent counts as empty.
        vintage: of the study's areas, to which files on others are carried.
    """
    recognised: list[SourceFile] = []
    ignored: list[tuple[Path, str]] = []
    problems: list[str] = []
    folders = chain.from_iterable(FOLDERS.values())
    for path in chain.from_iterable(data_files(inputs / folder) for folder in folders):
        try:
            files = _recognise(path)
            held = [replace(file, target=vintage) for file in files if file.outcomes]
            recognised += held
            if not files:
                ignored.append((path, _unknown(path)))
            elif not held:
                ignored.append((path, f"{files[0].layout}, which holds no outcome"))
        except SourceError as error:
            problems.append(str(error))
    lookup = None
    try:
        lookup = find_lookup(inputs / geography.BOUNDARIES_FOLDER)
    except SourceError as error:
        problems.append(str(error))
    ignored += [
        (path, "neither boundaries (GeoJSON, GeoPackage, shapefile) nor a lookup of LSOAs")
        for path in geography.other_files(inputs / geography.BOUNDARIES_FOLDER)
        if path != lookup
    ]
    return Sources(
        inputs=inputs,
        recognised=tuple(replace(file, lookup=lookup) for file in recognised),
        ignored=tuple(ignored),
        lookup=lookup,
        problems=(*problems, *_doubles(recognised), *_without_lookup(recognised, lookup, inputs)),
    )


def read_sources(sources: Sources) -> dict[str, OutcomeValues]:
    """Read every recognised file.

    Returns:
        Outcome to its values; with the Indices of Deprivation also `INDEX_OF_DEPRIVATION`.

    Raises:
        SourceError: the first problem of `sources`, a fault further down in a file, or two files
            that contradict each other.
    """
    sources.refuse_problems()
    values = {each.outcome: each for file in sources.recognised for each in file.read()}
    refuse_contradictions(values)
    return values


def count_carried(sources: Sources, values: Mapping[str, OutcomeValues]) -> dict[str, Scalar]:
    """How many areas are unchanged, split, merged or irregular where a file was carried.

    The lookup is of England and Wales; the areas counted are those of the carried file, which may
    be of England alone.

    Returns:
        `n_lsoas_unchanged` and so on; empty where no file was carried.
    """
    if not sources.carried or sources.lookup is None:
        return {}
    links = read_links(sources.lookup)
    carried = values[sources.carried[0]]
    target = next(file.target for file in sources.recognised if file.is_carried)
    kinds = count_changes(links[links[target.key].isin(carried.frame.index)], target)
    return {f"n_lsoas_{name}": kinds[kind] for kind, name in CHANGES.items()}


def _recognise(path: Path) -> list[SourceFile]:
    """What the file is, sheet by sheet."""
    return [
        file
        for sheet in read_sheets(path)
        if (file := next(filter(None, (recognise(sheet) for recognise in _FORMATS)), None))
    ]


def _unknown(path: Path) -> str:
    """What may have kept a file from being recognised."""
    separator = other_separator(path)
    if separator:
        return f"its columns are separated by {separator}: save it with commas"
    headings = {
        normalise(cell) for sheet in read_sheets(path) for _, row in sheet.head[:1] for cell in row
    }
    return next(
        (what for heading, what in _NOT_READ.items() if heading in headings),
        "its layout is not known",
    )


def _doubles(recognised: Sequence[SourceFile]) -> Iterator[str]:
    """One sentence per pair of files that hold the same outcome."""
    first: dict[str, SourceFile] = {}
    named: set[tuple[Path, Path]] = set()
    for file in recognised:
        for outcome in file.outcomes:
            other = first.setdefault(outcome, file)
            if other is file or (other.path, file.path) in named:
                continue
            named.add((other.path, file.path))
            yield f"{_named(other)} and {_named(file)} both hold {outcome}: keep one of them"


def _without_lookup(
    recognised: Sequence[SourceFile], lookup: Path | None, inputs: Path
) -> Iterator[str]:
    """One sentence per file that has to be carried and cannot be."""
    there = [path.name for path in data_files(inputs / geography.BOUNDARIES_FOLDER)]
    for file in recognised:
        if file.is_carried and lookup is None:
            yield (
                f"{_named(file)} is on the {file.vintage}: to carry it to those of "
                f"{file.target.year}, put the lookup {LOOKUP}, as CSV or workbook with the columns "
                f"LSOA11CD, LSOA21CD and CHGIND, into inputs/{geography.BOUNDARIES_FOLDER}, which "
                f"holds {', '.join(there[:5]) or 'no table'}"
            )


def _named(file: SourceFile) -> str:
    title = f"{file.table.id}, edition {file.edition}" if file.table else file.layout
    return f"{file.sheet.at()} ({title})"
