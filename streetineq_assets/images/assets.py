"""The assets of this step: where the images lie, and to which areas their locations belong.

What belongs here: finding what is read, calling the domain, publishing. What does not: any rule.
"""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import CheckSpec, Findings
from streetineq_assets.images import location_areas as join
from streetineq_assets.images.catalogue import (
    list_images,
    listing_digest,
    listing_file,
    listing_inputs,
)
from streetineq_assets.images.checks import listing_findings
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import StudyResource, define_asset
from streetineq_assets.store import Artefact, DataStore

GROUP = "images"

IMAGE_COLUMNS = {
    "location_id": "the listed location",
    "view": "a, b, c or d",
    "heading": "direction of the view, degrees from the first",
    "path": "file or archive, relative to the city's image folder; null when missing",
    "member": "name within the archive; null for a file of its own",
    "size_bytes": "size of the image, bytes",
    "modified_ns": "modification time of the file or member, nanoseconds since 1970",
    "status": "present, missing or unreadable",
    "reason": "why it is not present",
    "bucket": "partition of image_codes that encodes it",
}
IMAGE_CHECKS = (
    CheckSpec("accounting", "Every listed location has a row for each view.", blocking=True),
    CheckSpec("files_accounted", "Every file is a view or is counted as foreign.", blocking=True),
    CheckSpec("images_kept", "At least half of the images listed before are there.", blocking=True),
    CheckSpec("city_listed", "The city has a list of locations."),
    CheckSpec("locations_complete", "Every listed location has all its images."),
    CheckSpec("archives_intact", "Every archive can be read to its end."),
    CheckSpec("files_known", "Every file is a listed location's view."),
)
LOCATION_CHECKS = tuple(
    CheckSpec(name, meaning, blocking=number == 0)
    for number, (name, meaning) in enumerate(join.CHECKS.items())
)


def street_images(context: dg.AssetExecutionContext, study: StudyResource):
    """Every listed location and view, and where its image lies.

    Files and archive members are found by name; nothing is decoded. What is missing, unreadable or
    foreign is counted by reason. An archive that did not change is not read again.
    """
    city, store = context.partition_key, study.store
    buckets = study.study.cities[city].buckets

    def make(folder: Path) -> Findings:
        listing = join.read_listing(listing_file(store, city))
        last = _last_listing(store, city)
        catalogue = list_images(
            store.inputs("images", city),
            listing["location_id"],
            city=city,
            buckets=buckets,
            known_archives=last and last.table("archive_members.parquet"),
        )
        catalogue.write(folder)
        findings = listing_findings(catalogue, last and last.table())
        if not findings.values["listed"]:
            findings.values |= {"status": "unavailable", "wanted": str(listing_file(store, city))}
        return findings

    yield from study.materialize(
        context,
        make,
        inputs=listing_inputs(store, city),
        config={"buckets": buckets},
        columns=IMAGE_COLUMNS,
    )


def locations(context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource):
    """Every listed location with its areas and its weight, or the reason why it has none.

    DuckDB joins locations to the postcode directory. The weight is the number of live small-user
    postcodes that the location serves in its LSOA.
    """
    city, date = context.partition_key, study.study.date
    listing = listing_file(study.store, city)
    postcodes = study.store.open("postcode_lsoa")

    def make(folder: Path) -> Findings:
        with duckdb.get_connection() as connection:
            table, findings = join.join_locations(
                connection, listing, postcodes.file("postcode_lsoa.parquet"), city=city, date=date
            )
        table.to_parquet(folder / "locations.parquet", index=False)
        return findings

    yield from study.materialize(
        context,
        make,
        inputs={"locations": listing_digest(study.store, city), "postcode_lsoa": postcodes.digest},
        config={"date": str(date)},
        columns=join.COLUMNS,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The image files as an external asset, and the two assets of this step, one city a run."""
    return [
        dg.AssetSpec(
            "street_image_files",
            group_name=GROUP,
            kinds={"file"},
            description=(
                "Street images `<location_id>_<a|b|c|d>.<png|jpg|jpeg|webp>` in "
                "`inputs/images/<city>`, loose or in archives, and the list of their locations, "
                "`inputs/locations/<city>.csv`."
            ),
        ),
        define_asset(
            street_images,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=["street_image_files"],
            partitions_def=parts.city,
            code_version="1",
            checks=IMAGE_CHECKS,
        ),
        define_asset(
            locations,
            group_name=GROUP,
            kinds={"duckdb", "parquet"},
            deps=["postcode_lsoa"],
            partitions_def=parts.city,
            code_version="2",  # 1: a location's city was its postcodes', not its LSOA's
            checks=LOCATION_CHECKS,
        ),
    ]


def _last_listing(store: DataStore, city: str) -> Artefact | None:
    """The last listing, when it is there and intact."""
    try:
        return store.open("street_images", city)
    except StoreError:
        return None
