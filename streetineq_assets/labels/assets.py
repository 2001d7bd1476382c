"""The assets of this step: the official files, postcodes with their areas, and labels of areas."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from dagster_duckdb import DuckDBResource

from streetineq_assets import geography
from streetineq_assets.digests import digest_file, digest_frame
from streetineq_assets.findings import Findings, Scalar
from streetineq_assets.labels import checks, postcode_checks, postcodes, tables
from streetineq_assets.labels.formats.base import SourceFile
from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.plots import save_plots
from streetineq_assets.labels.postcode_directory import FOLDER, Directory, find_directory
from streetineq_assets.labels.sources import (
    FOLDERS,
    Sources,
    count_carried,
    find_sources,
    read_sources,
)
from streetineq_assets.metadata import shown_table
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import WEEKLY, Events, StudyResource, define_asset
from streetineq_assets.study import Study
from streetineq_assets.tables import Origins

if TYPE_CHECKING:
    import geopandas as gpd

GROUP = "1_labels"

_OFFICIAL_FILES = {
    "census": "The census by LSOA, of 2011 or 2021 (ONS, by Nomis), tables in `inputs/census`.",
    "iod": "English Indices of Deprivation, File 7 (MHCLG), in `inputs/iod`.",
    "household_income": (
        "Household income estimates for small areas of London (GLA), in `inputs/household_income`."
    ),
    "onspd": "ONS Postcode Directory, in `inputs/onspd`: one national file or one per area.",
    "lsoa_boundaries": (
        "Boundaries of LSOAs (ONS), for maps and to place locations, in `inputs/boundaries`."
    ),
}


def postcode_lsoa(
    context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource
) -> Events:
    """In which small area and city every postcode of the country lies, and when it was in use.

    The source is the ONS Postcode Directory, of any edition, read by DuckDB. The local authority
    decides to which city of the study a postcode belongs. Deciles, locations and their weights rest
    on this table.
    """
    folder = study.store.inputs(FOLDER)
    directory = find_directory(folder, study.study.vintage)
    authorities = study.study.city_of_authority()
    yield _observed(FOLDER, [{"file": path.name} for path in directory.files])

    def make(target: Path) -> Findings:
        table = target / "postcode_lsoa.parquet"
        with duckdb.get_connection() as connection:
            postcodes.write_postcodes(connection, directory, authorities, table)
            areas = postcodes.city_areas(connection, table)
            postcodes.refuse_no_area(areas, directory, authorities)
            return Findings(
                values=postcodes.summarise(connection, table, study.study.date),
                checks=postcode_checks.postcode_checks(connection, table, areas, study.study),
                tables={"files": [_sized(path) for path in directory.files]},
                holdings=postcodes.count_rows(connection, table, study.study.cities),
            )

    yield from study.materialize(
        context,
        make,
        inputs={str(path.relative_to(folder)): digest_file(path) for path in directory.files},
        config={"authorities": authorities, "date": str(study.study.date)} | _counts(study.study),
        columns=tables.POSTCODE_LSOA,
        origins=_directory_origins(directory),
    )


def lsoa_labels(
    context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource
) -> Events:
    """How well-off each small area (LSOA) of each city is: its decile for each of 13 outcomes.

    Deciles are cut among the city's own LSOAs; 1 is worst-off for every outcome. The value and,
    where one is published, the rank in England stand beside. Two more tables hold the edges of the
    deciles, and of every outcome whether it is available or which official file it wants, whether
    its publisher modelled it, and of which time it is.
    """
    sources = find_sources(study.store.inputs(), study.study.vintage)
    sources.refuse_problems()  # before the skip: a spoilt file may have come since the last run
    published = study.store.open("postcode_lsoa")
    with duckdb.get_connection() as connection:
        areas = postcodes.city_areas(connection, published.file("postcode_lsoa.parquet"))
    boundaries = geography.find_boundaries(study.store.inputs(geography.BOUNDARIES_FOLDER))
    for key in FOLDERS:
        files = [file for file in sources.recognised if sources.folder_of(file.path) == key]
        yield _observed(key, [_publication(file) for file in files])
    yield _observed("lsoa_boundaries", [{"file": boundaries.name}] if boundaries else [])

    def make(folder: Path) -> Findings:
        values = read_sources(sources)
        labelled = build_tables(values, areas, study.study)
        labelled.write(folder)
        vintage = study.study.vintage
        shapes = geography.read_boundaries(boundaries, vintage) if boundaries else None
        titles = {key: city.title for key, city in study.study.cities.items()}
        save_plots(labelled.labels, labelled.edges, shapes, titles, folder)
        return Findings(
            values={
                "n_pairs_available": labelled.n_available,
                **count_carried(sources, values),
                **_without_shape(areas, shapes),
            },
            checks=checks.label_checks(labelled, values, sources.recognised, areas, study.study),
            tables={
                "availability": _records(labelled.availability),
                "decile_edges": _records(labelled.edges),
                "files": sources.described(),
            },
            holdings=labelled.holdings() | _outlined(areas, shapes),
        )

    yield from study.materialize(
        context,
        make,
        inputs=_digests(sources, boundaries) | {"areas": digest_frame(areas)},
        config=_settings(study.study),
        columns=tables.LSOA_LABELS,
        origins=_label_origins(sources, study.study),
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The official files as external assets, and the two assets of this step, unpartitioned."""
    return [
        *_official_files(),
        define_asset(
            postcode_lsoa,
            group_name=GROUP,
            freshness_policy=WEEKLY,
            kinds={"duckdb", "parquet"},
            deps=["onspd"],
            code_version="2",  # 1: without authorities
            checks=postcode_checks.POSTCODE_LSOA,
        ),
        define_asset(
            lsoa_labels,
            group_name=GROUP,
            tags=parts.outcome_tags,
            freshness_policy=WEEKLY,
            kinds={"pandas", "parquet"},
            deps=[
                "census",
                "iod",
                "household_income",
                "lsoa_boundaries",
                "postcode_lsoa",
            ],
            # 1: rows with text beyond the header were read shifted; 2: without periods
            code_version="3",
            checks=checks.LSOA_LABELS,
        ),
    ]


def _official_files() -> Iterator[dg.AssetSpec]:
    """What others publish: people put it into `inputs/`, and the lineage shows it."""
    for key, description in _OFFICIAL_FILES.items():
        yield dg.AssetSpec(key, group_name=GROUP, kinds={"csv"}, description=description)


def _observed(key: str, files: list[dict[str, Scalar]]) -> dg.AssetObservation:
    """What of an external asset was found, for its page in the UI."""
    shown: dict[str, Any] = {"status": "found" if files else "missing", "n_files": len(files)}
    return dg.AssetObservation(key, metadata=shown | shown_table("files", files))


def _publication(file: SourceFile) -> dict[str, Scalar]:
    return {
        "file": file.path.name,
        "edition": file.edition,
        "publication": file.table.title if file.table else file.layout,
        "publisher": file.table.publisher if file.table else None,
        "holds": ", ".join(file.outcomes),
        "columns": "; ".join(chain.from_iterable(file.headings().values())),
    }


def _directory_origins(directory: Directory) -> Origins:
    """Each column under the name that the publisher's edition gives it."""
    theirs = {name: [(FOLDER, heading)] for name, heading in directory.headings.items()}
    return theirs | {"city": theirs["authority"]}


def _label_origins(sources: Sources, study: Study) -> Origins:
    """Values and deciles, which come of the columns of the official files; the areas of a city."""
    held = sources.columns(pair.outcome for pair in study.pairs)
    areas = {name: [("postcode_lsoa", name)] for name in ("city", "area")}
    return areas | {"value": held, "decile": held}


def _outlined(areas: pd.DataFrame, shapes: "gpd.GeoDataFrame | None") -> dict[str, int]:
    """How many areas have an outline for the maps."""
    return {"outlines": 0 if shapes is None else int(areas["area"].isin(shapes["area"]).sum())}


def _digests(sources: Sources, boundaries: Path | None) -> dict[str, str]:
    """The files that are read, by what they hold; no two hold the same."""
    files = {", ".join(file.outcomes): file.path for file in sources.recognised}
    if boundaries:
        files["boundaries"] = boundaries
    if sources.carried and sources.lookup:
        files["lsoa_lookup"] = sources.lookup
    return {name: digest_file(path) for name, path in files.items()}


def _settings(study: Study) -> dict[str, object]:
    """What of the study shapes the labels and their checks."""
    return {
        "cities": {key: [*city.authorities, city.lsoas] for key, city in study.cities.items()},
        "titles": {key: city.title for key, city in study.cities.items()},
        "pairs": [pair.key for pair in study.pairs],
        "editions": [*study.editions],
    }


def _counts(study: Study) -> dict[str, object]:
    """The published numbers of LSOAs, where the study names any: a check compares them."""
    counts = {key: city.lsoas for key, city in study.cities.items() if city.lsoas is not None}
    return {"n_lsoas": counts} if counts else {}


def _without_shape(areas: pd.DataFrame, shapes: pd.DataFrame | None) -> dict[str, Scalar]:
    """How many areas stay white on the maps, where there are boundaries."""
    if shapes is None:
        return {}
    return {"n_lsoas_without_boundary": int((~areas["area"].isin(shapes["area"])).sum())}


def _records(frame: pd.DataFrame) -> list[dict[str, Scalar]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _sized(path: Path) -> dict[str, Scalar]:
    return {"file": path.name, "bytes": path.stat().st_size}
