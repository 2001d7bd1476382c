"""The assets of this step: where the images lie, and to which areas their locations belong."""

from pathlib import Path

import dagster as dg
import pandas as pd
from dagster_duckdb import DuckDBResource

from streetineq_assets import tables
from streetineq_assets.digests import digest_file
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Check, Findings
from streetineq_assets.images import checks, location_checks
from streetineq_assets.images.catalogue import list_images, walk_files
from streetineq_assets.images.changes import listing_inputs, location_list_digest
from streetineq_assets.images.location_areas import join_locations, placing_boundaries
from streetineq_assets.images.location_list import (
    location_list_file,
    none_listed,
    read_location_list,
    stated_terms,
)
from streetineq_assets.images.plots import plot_locations_per_lsoa
from streetineq_assets.images.rights import rights_table
from streetineq_assets.images.tables import LOCATIONS, LOCATIONS_ORIGINS, STREET_IMAGES
from streetineq_assets.partitions import Partitions
from streetineq_assets.plotting import save_png
from streetineq_assets.resources import Events, StudyResource, define_asset
from streetineq_assets.store import Artefact, DataStore

GROUP = "2_images"


def street_images(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Where the image of every listed location and view lies, and which images are missing.

    Files and archive members are recognised by name; none is decoded. What is missing, unreadable
    or foreign is counted by reason. An archive that did not change is not read again. Nothing is
    listed of images with which the study does what their terms forbid, so that no code is made.
    """
    city, store = context.partition_key, study.store
    buckets = study.study.cities[city].buckets
    root, location_list = store.inputs("images", city), location_list_file(store, city)
    files, rights = walk_files(root), study.study.rights

    def ask_rights(listed: pd.DataFrame) -> Check:
        """Not of the recipe: other terms and agreements list nothing anew."""
        return checks.rights_held(rights_table(stated_terms(listed), rights), rights)

    def make(folder: Path) -> Findings:
        before, listed = _previous_listing(store, city), read_location_list(location_list)
        catalogue = list_images(
            root,
            listed["location_id"],
            city=city,
            buckets=buckets,
            files=files,
            known_archives=before.table("archive_members.parquet") if before else None,
        )
        catalogue.write(folder)
        findings = checks.listing_findings(catalogue)
        findings.checks.append(ask_rights(listed))
        if catalogue.images.empty:
            findings.unavailable = none_listed(location_list)
        return findings

    yield from study.materialize(
        context,
        make,
        inputs=listing_inputs(store, city, files),
        config={"buckets": buckets},
        columns=STREET_IMAGES,
        ask_again=lambda: [ask_rights(read_location_list(location_list))],
    )


def locations(
    context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource
) -> Events:
    """The small area in which each listed location lies, and its weight there.

    Locations are joined to the postcode directory by DuckDB; one without a postcode is placed by
    its coordinates, by the nearest postcode or by boundaries. One that cannot be placed is rejected
    with a reason. The weight is the number of live small-user postcodes that the location serves in
    its LSOA, and 1 where boundaries place it.
    """
    city, date, places = context.partition_key, study.study.date, study.study.places
    location_list = location_list_file(study.store, city)
    boundaries = placing_boundaries(study.store, places)
    postcodes = study.store.open("postcode_lsoa")
    found = {"status": "found" if location_list.is_file() else "missing"}
    found["file"] = dg.MetadataValue.path(str(location_list))
    yield dg.AssetObservation("location_list", partition=city, metadata=found)

    def make(folder: Path) -> Findings:
        directory = postcodes.file("postcode_lsoa.parquet")
        with duckdb.get_connection() as connection:
            table, findings = join_locations(
                connection,
                location_list,
                directory,
                city=city,
                date=date,
                places=places,
                boundaries=boundaries,
            )
        tables.write(table, LOCATIONS, folder / "locations.parquet")
        if findings.values["n_matched"]:
            figure = plot_locations_per_lsoa(table, study.study.cities[city].title)
            save_png(figure, folder / "locations_per_lsoa.png")
        return findings

    yield from study.materialize(
        context,
        make,
        inputs={
            "locations": location_list_digest(study.store, city),
            "postcode_lsoa": postcodes.digest,
            **({"boundaries": digest_file(boundaries)} if boundaries else {}),
        },
        config={"date": str(date), "places": places.model_dump()},
        columns=LOCATIONS,
        origins=LOCATIONS_ORIGINS,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The image files as an external asset, and the two assets of this step, one city a run."""
    return [
        dg.AssetSpec(
            "street_image_files",
            group_name=GROUP,
            kinds={"file"},
            description=(
                "The study's street images, four for each location: files "
                "`<location_id>_<a|b|c|d>.<png|jpg|jpeg|webp>` below `inputs/images/<city>`, in "
                "archives or not."
            ),
        ),
        dg.AssetSpec(
            "location_list",
            group_name=GROUP,
            kinds={"csv"},
            partitions_def=parts.city,
            description=(
                "Where each image was taken: `inputs/locations/<city>.csv`, with an identifier and "
                "a postcode or a position."
            ),
        ),
        define_asset(
            street_images,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=["street_image_files", "location_list"],
            partitions_def=parts.city,
            code_version="2",  # 1: had no captures
            checks=checks.STREET_IMAGES,
        ),
        define_asset(
            locations,
            group_name=GROUP,
            kinds={"duckdb", "parquet"},
            deps=["location_list", "postcode_lsoa", *parts.boundaries],
            partitions_def=parts.city,
            # 1: a location's city was its postcodes', not its LSOA's; 2: without `placed_by` and
            # `creator`; coordinates placed nothing
            code_version="3",
            checks=location_checks.LOCATIONS,
        ),
    ]


def _previous_listing(store: DataStore, city: str) -> Artefact | None:
    """The listing as it is published, when its files are intact."""
    try:
        return store.open("street_images", city)
    except StoreError:
        return None
