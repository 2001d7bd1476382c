"""The listing of a city's images as a study asks for it: its inputs, its files, what it found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from streetineq_assets.errors import SourceError, StoreError
from streetineq_assets.findings import Check, Findings
from streetineq_assets.images.acquired import (
    imagery_digests,
    keeps_pictures,
    list_acquired,
    read_imagery,
)
from streetineq_assets.images.capture_checks import city_findings
from streetineq_assets.images.capture_listing import list_city, terms_of_images
from streetineq_assets.images.captures import captures_file, read_captures
from streetineq_assets.images.catalogue import FileEntry, list_images
from streetineq_assets.images.checks import images_not_needed, rights_held
from streetineq_assets.images.headings import latest_moment
from streetineq_assets.images.location_list import (
    location_list_file,
    none_listed,
    read_location_list,
)
from streetineq_assets.images.plots import plot_directions
from streetineq_assets.images.rights import rights_table
from streetineq_assets.name_patterns import DEFAULT_NAMES
from streetineq_assets.plotting import save_png
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study

_DECIDING = {"tolerance_deg", "within_m", "within_days"}  # of `[views]`; the rest says how to cut


def listing_config(store: DataStore, study: Study, city: str) -> dict[str, Any]:
    """The settings that decide a city's listing; those of captures only where it lists some.

    What a study does not set is no part of it, so that listings of earlier versions stay.
    """
    config: dict[str, Any] = {"buckets": study.cities[city].buckets}
    if study.images.names != DEFAULT_NAMES:
        config["names"] = [*study.images.names]
    if captures_file(store, city).is_file():
        config["views"] = study.views.model_dump(mode="json", include=_DECIDING)
    if study.brings_codes:
        config["images_needed"] = False
    return config


def write_listing(
    store: DataStore, study: Study, city: str, files: Sequence[FileEntry], folder: Path
) -> Findings:
    """List a city's images, and write tables and figure.

    Args:
        files: of the city's image folder, as `walk_files` gives them.
        folder: where `street_images.parquet`, `captures.parquet`, `foreign_files.parquet`,
            `archive_members.parquet` go, and `directions.png` where the city has captures.

    Raises:
        SourceError: a list or the folder of images is not as it should be.
    """
    location_list, before = location_list_file(store, city), _published(store, city)
    listed, captures = read_location_list(location_list), captures_file(store, city)
    known: _Known = {
        "city": city,
        "buckets": study.cities[city].buckets,
        "names": study.images.names,
        "files": files,
        "known_archives": before.table("archive_members.parquet") if before else None,
    }
    root = store.inputs("images", city)
    if imagery_digests(store, city):
        _refuse_both(captures)
        catalogue = list_images(root, listed["location_id"], positions=listed, **known)
        listing = list_acquired(catalogue, listed, read_imagery(store, city))
    else:
        listing = list_city(
            root, listed, read_captures(captures), study.views, now=latest_moment(), **known
        )
    listing.write(folder)
    if figure := plot_directions(listing.captures, study.cities[city].title):
        save_png(figure, folder / "directions.png")
    findings = city_findings(listing)
    if study.brings_codes:
        findings.replace_checks([images_not_needed()])
    findings.checks.append(_rights(store, study, city, listing.terms))
    if listing.catalogue.images.empty:
        findings.unavailable = none_listed(location_list)
    return findings


def rights_of_published(store: DataStore, study: Study, city: str) -> Check:
    """Whether one may do with a city's listed images what the study does, by today's terms.

    Raises:
        StoreError: nothing is listed.
    """
    listing = store.open("street_images", city)
    terms = terms_of_images(
        read_location_list(location_list_file(store, city)),
        listing.table(columns=["location_id", "capture_id", "path"]),
        listing.table("captures.parquet", ["capture_id", "provider", "licence"]),
    )
    return _rights(store, study, city, terms)


class _Known(TypedDict):
    """What both ways of listing a city take."""

    city: str
    buckets: int
    names: Sequence[str]
    files: Sequence[FileEntry]
    known_archives: pd.DataFrame | None


def _refuse_both(captures: Path) -> None:
    if captures.is_file():
        raise SourceError(
            f"{captures} lists captures of a city whose images were acquired, at other locations: "
            "move it away, or list locations of your own too"
        )


def _rights(store: DataStore, study: Study, city: str, terms: pd.DataFrame) -> Check:
    table, keeps = rights_table(terms, study.rights), keeps_pictures(store, city)
    return rights_held(table, study.rights, keeps=keeps)


def _published(store: DataStore, city: str) -> Artefact | None:
    """The listing as it is published, when its files are intact."""
    try:
        return store.open("street_images", city)
    except StoreError:
        return None
