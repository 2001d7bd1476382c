"""The assets of this step: where the images lie, and to which areas their locations belong."""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from streetineq_assets import tables
from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Findings
from streetineq_assets.images import capture_checks, checks, location_checks
from streetineq_assets.images.catalogue import walk_files
from streetineq_assets.images.changes import listing_inputs, location_list_digest
from streetineq_assets.images.city_listing import (
    listing_config,
    rights_of_published,
    write_listing,
)
from streetineq_assets.images.location_areas import join_locations, placing_boundaries
from streetineq_assets.images.location_list import location_list_file
from streetineq_assets.images.plots import plot_locations_per_lsoa
from streetineq_assets.images.tables import LOCATIONS, LOCATIONS_ORIGINS, STREET_IMAGES
from streetineq_assets.partitions import Partitions
from streetineq_assets.plotting import save_png
from streetineq_assets.resources import Events, StudyResource, define_asset

GROUP = "2_images"


def street_images(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Where the image of every listed location and view lies, and which images are missing.

    Files and archive members are recognised by name; none is decoded. A view that no file is named
    after is shown by a capture, a panorama or photograph whose direction is listed. What is
    missing, unreadable or foreign is counted by reason, and every capture is accounted for. An
    archive that did not change is not read again. Nothing is listed of images with which the study
    does what their terms forbid, so that no code is made.
    """
    city, store, settings = context.partition_key, study.store, study.study
    files = walk_files(store.inputs("images", city))
    yield from study.materialize(
        context,
        lambda folder: write_listing(store, settings, city, files, folder),
        inputs=listing_inputs(store, city, files),
        config=listing_config(store, settings, city),
        columns=STREET_IMAGES,
        areas=False,
        # Not of the recipe: other terms and agreements list nothing anew.
        ask_again=lambda: [rights_of_published(store, settings, city)],
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
                vintage=study.study.vintage,
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
                "The study's street images, four for each location, below "
                "`inputs/images/<city>`, in archives or not: files named as `names` under "
                "`[images]` says, by default `<location_id>_<a|b|c|d>.<png|jpg|jpeg|webp>`."
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
        dg.AssetSpec(
            "capture_list",
            group_name=GROUP,
            kinds={"csv"},
            partitions_def=parts.city,
            description=(
                "Panoramas and photographs with the direction in which they look, of which the "
                "views of locations are made: `inputs/captures/<city>.csv`. Most cities need none."
            ),
        ),
        define_asset(
            street_images,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=["street_image_files", "location_list", "capture_list", *parts.listing_needs],
            partitions_def=parts.city,
            code_version="2",  # 1: had no captures, and one reason for all litter
            checks=(*checks.STREET_IMAGES, *capture_checks.CAPTURES),
        ),
        define_asset(
            locations,
            group_name=GROUP,
            kinds={"duckdb", "parquet"},
            deps=["location_list", "postcode_lsoa", *parts.boundaries, *parts.listing_needs[:1]],
            partitions_def=parts.city,
            # 1: a location's city was its postcodes', not its LSOA's; 2: without `placed_by` and
            # `creator`; coordinates placed nothing
            code_version="3",
            checks=location_checks.LOCATIONS,
        ),
    ]
