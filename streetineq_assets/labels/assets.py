"""The assets of this step: postcodes with their areas, and labels of areas; and the official files.

What belongs here: finding what is read, calling the domain, publishing. What does not: any rule of
it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pandas as pd
from dagster_duckdb import DuckDBResource

from streetineq_assets import geography
from streetineq_assets.digests import digest_file, digest_frame
from streetineq_assets.findings import CheckSpec, Findings, Scalar
from streetineq_assets.labels import plots, postcodes
from streetineq_assets.labels.checks import label_checks, postcode_checks
from streetineq_assets.labels.formats.base import Reading
from streetineq_assets.labels.labelling import COLUMNS, LabelTables, build_tables
from streetineq_assets.labels.sources import Sources, find_sources, read_sources
from streetineq_assets.labels.vintages import CHANGES, count_changes, read_links
from streetineq_assets.partitions import Partitions
from streetineq_assets.plotting import save_png
from streetineq_assets.resources import StudyResource, define_asset
from streetineq_assets.study import Study

GROUP = "labels"

POSTCODE_COLUMNS = {
    "postcode": "postcode with one space, as BR1 1AA; the whole directory, terminated ones too",
    "city": "key of the city in study.toml; null outside the study",
    "oa11": "output area of 2011; null where there is none",
    "lsoa11": "lower layer super output area of 2011",
    "msoa11": "middle layer super output area of 2011",
    "lat": "WGS84 latitude, degrees; null without a grid reference",
    "lon": "WGS84 longitude, degrees",
    "usertype": "0 small user (addresses), 1 large user (one organisation)",
    "introduced": "first day of the month in which the postcode came into use",
    "terminated": "first day of the month in which it went out of use; null while it is live",
}
POSTCODE_CHECKS = (
    CheckSpec("postcodes_unique", "One row per postcode.", blocking=True),
    CheckSpec("postcodes_placed", "At least 99 % of the cities' postcodes have an LSOA."),
    CheckSpec("cities_found", "The directory has areas of every city."),
    CheckSpec("areas_as_published", "Each city has its published number of LSOAs."),
    CheckSpec("areas_in_one_city", "No LSOA has postcodes in two cities or outside its city."),
)
LABEL_CHECKS = (
    CheckSpec("one_row_per_area", "One row per city, outcome and LSOA.", blocking=True),
    CheckSpec("values_in_range", "Shares in 0..1, ranks from 1, incomes positive.", blocking=True),
    CheckSpec("denominators_positive", "Every share is of somebody.", blocking=True),
    CheckSpec("deciles_complete", "A decile of 1..10 for every value.", blocking=True),
    CheckSpec("deciles_even", "Deciles are near-equal in size."),
    CheckSpec("directions_as_expected", "Outcomes correlate with deprivation as they should."),
    CheckSpec("areas_matched", "At least 99 % of the areas have a value, per city and outcome."),
    CheckSpec("areas_as_published", "Each city has its published number of LSOAs."),
    CheckSpec("editions_as_studied", "Every file is of the edition that the study names."),
    CheckSpec("outcomes_available", "Every pair of the study has its source."),
)


def postcode_lsoa(context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource):
    """Every postcode of the ONS Postcode Directory with its areas, its city and its life span.

    DuckDB reads the directory of any edition; the local authority decides to which city of the
    study a postcode belongs. Deciles, locations and weights rest on this table.
    """
    folder = study.store.inputs(postcodes.FOLDER)
    directory = postcodes.find_directory(folder)
    authorities = study.study.city_of_authority()

    def make(target: Path) -> Findings:
        table = target / "postcode_lsoa.parquet"
        with duckdb.get_connection() as connection:
            postcodes.write_postcodes(connection, directory, authorities, table)
            areas = postcodes.city_areas(connection, table)
            postcodes.refuse_no_area(areas, directory, authorities)
            return Findings(
                values=postcodes.summarise(connection, table, study.study.date),
                checks=postcode_checks(connection, table, areas, study.study),
                tables={"files": [_sized(path) for path in directory.files]},
            )

    yield from study.materialize(
        context,
        make,
        inputs={str(path.relative_to(folder)): digest_file(path) for path in directory.files},
        config={"authorities": authorities, "date": str(study.study.date)},
        columns=POSTCODE_COLUMNS,
    )


def lsoa_labels(context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource):
    """The value, national rank and decile of every LSOA of every city, for all 13 outcomes.

    Deciles are cut among the city's own LSOAs; 1 is worst-off for every outcome. Beside the labels
    lie the edges of the deciles and a table of what is unavailable, and which official file it
    wants.
    """
    sources = find_sources(study.store.inputs())
    sources.refuse_problems()  # before the skip: a spoilt file may be one that was not there before
    published = study.store.open("postcode_lsoa")
    with duckdb.get_connection() as connection:
        areas = postcodes.city_areas(connection, published.file("postcode_lsoa.parquet"))
    outlines = geography.find_boundaries(study.store.inputs(geography.BOUNDARIES_FOLDER))

    def make(folder: Path) -> Findings:
        readings = read_sources(sources)
        tables = build_tables(readings, areas, study.study)
        tables.write(folder)
        _draw(tables.labels, tables.edges, outlines, study.study, folder)
        return Findings(
            values=_figures(tables, sources, readings),
            checks=label_checks(tables, readings, sources.recognised, areas, study.study),
            tables={
                "availability": _records(tables.availability),
                "decile_edges": _records(tables.edges),
                "files": _described(sources),
            },
        )

    yield from study.materialize(
        context,
        make,
        inputs=_digests(sources, outlines) | {"areas": digest_frame(areas)},
        config=_settings(study.study),
        columns=COLUMNS,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:  # noqa: ARG001
    """The official files as external assets, and the two assets of this step, unpartitioned."""
    return [
        *_official_files(),
        define_asset(
            postcode_lsoa,
            group_name=GROUP,
            kinds={"duckdb", "parquet"},
            deps=["onspd"],
            code_version="1",
            checks=POSTCODE_CHECKS,
        ),
        define_asset(
            lsoa_labels,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=[
                "census_2011",
                "iod_2015",
                "household_income",
                "lsoa_boundaries",
                "postcode_lsoa",
            ],
            code_version="2",  # 1: rows with text beyond the header were read shifted
            checks=LABEL_CHECKS,
        ),
    ]


def _official_files() -> Iterator[dg.AssetSpec]:
    """What others publish: they come into `inputs/` by hand, and are seen in the lineage."""
    described = {
        "census_2011": "2011 Census by LSOA (ONS, by Nomis), tables in `inputs/census_2011`.",
        "iod_2015": "English Indices of Deprivation, File 7 (MHCLG), in `inputs/iod_2015`.",
        "household_income": (
            "Household income estimates for small areas of London (GLA), in "
            "`inputs/household_income`."
        ),
        "onspd": "ONS Postcode Directory, in `inputs/onspd`: one national file or one per area.",
        "lsoa_boundaries": "Boundaries of LSOAs of 2011 (ONS), for maps, in `inputs/boundaries`.",
    }
    for key, description in described.items():
        yield dg.AssetSpec(key, group_name=GROUP, kinds={"csv"}, description=description)


def _digests(sources: Sources, outlines: Path | None) -> dict[str, str]:
    """The files that are read, by what they hold; no two hold the same."""
    files = {", ".join(file.outcomes): file.path for file in sources.recognised}
    if outlines:
        files["boundaries"] = outlines
    if _carried(sources) and sources.links:
        files["lsoa_lookup"] = sources.links
    return {name: digest_file(path) for name, path in files.items()}


def _carried(sources: Sources) -> list[str]:
    """The outcomes whose source is on the LSOAs of 2021."""
    return [key for file in sources.recognised if file.vintage == "2021" for key in file.outcomes]


def _figures(
    tables: LabelTables, sources: Sources, readings: Mapping[str, Reading]
) -> dict[str, int]:
    """How many pairs are available, and how many areas changed where a source was carried."""
    found = {"pairs_available": int((tables.availability["status"] == "available").sum())}
    carried = _carried(sources)
    if carried and sources.links:
        links = read_links(sources.links)  # of England and Wales; the source may be England's
        kinds = count_changes(links[links["lsoa11"].isin(readings[carried[0]].frame.index)])
        found |= {f"lsoas_{name}": kinds[kind] for kind, name in CHANGES.items()}
    return found


def _settings(study: Study) -> dict[str, object]:
    """What of the study shapes the labels and their checks."""
    return {
        "cities": {key: [*city.authorities, city.lsoas] for key, city in study.cities.items()},
        "titles": {key: city.title for key, city in study.cities.items()},
        "pairs": ["/".join(pair) for pair in study.pairs],
        "editions": [study.census_edition, study.iod_edition],
    }


def _draw(
    labels: pd.DataFrame, edges: pd.DataFrame, outlines: Path | None, study: Study, folder: Path
) -> None:
    areas = geography.read_boundaries(outlines) if outlines else None
    for city, here in labels.groupby("city"):
        title = study.cities[city].title
        bounds = edges[edges["city"] == city]
        distributions = plots.value_distributions(here, bounds, title)
        save_png(distributions, folder / f"distributions_{city}.png")
        save_png(plots.correlation_matrix(here, title), folder / f"correlations_{city}.png")
        if areas is not None and areas["lsoa11"].isin(here["lsoa11"]).any():
            save_png(plots.decile_maps(here, areas, title), folder / f"deciles_{city}.png")


def _records(frame: pd.DataFrame) -> list[dict[str, Scalar]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _sized(path: Path) -> dict[str, str | int]:
    return {"file": path.name, "bytes": path.stat().st_size}


def _described(sources: Sources) -> list[dict[str, str]]:
    found = [
        {"file": file.path.name, "holds": ", ".join(file.outcomes), "layout": file.layout}
        for file in sources.recognised
    ]
    return found + [
        {"file": path.name, "holds": "", "layout": reason} for path, reason in sources.ignored
    ]
