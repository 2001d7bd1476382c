"""A city's fold tables: what they are made from, and the files of `area_folds`.

Beside the study's own folds lie spatial blocks, for the baselines that must stand beside every
metric, and the areas' centroids, MSOAs and local authorities, so that no later step reads the
postcode directory again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from streetineq_assets.codes.city_repeats import read_positions
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Findings, Unavailable, unavailable_findings
from streetineq_assets.geography import area_centroids, of_most_postcodes
from streetineq_assets.models import checks, plots
from streetineq_assets.models.block_sizes import SPATIAL_BLOCK, uneven_blocks, uneven_note
from streetineq_assets.models.dataset import LABEL_COLUMNS, read_location_areas
from streetineq_assets.models.fold_table import SPATIAL_STEM, FoldTable, deal_stem
from streetineq_assets.models.folds import (
    TooFewAreasError,
    balance,
    deals_anew,
    empty_table,
    make_folds,
)
from streetineq_assets.models.tables import CENTROIDS
from streetineq_assets.settings import Folds
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import read, write

_NO_LABELS = Unavailable(
    "the official file of one of the city's outcomes, as lsoa_labels lists them",
    "no area of the city has a label",
)


@dataclass(frozen=True)
class FoldSlices:
    """What a city's folds are made from.

    Attributes:
        areas: `area, decile` (mean over the outcomes that stratify, NaN for none) and `city`,
            sorted; of all cities for the scheme `city`, else of one. For the scheme `district` also
            `authority`, missing where no postcode of the area has one.
        centroids: `models.tables.CENTROIDS` of the areas.
        locations: `location_id, area` for the scheme `location`; with `lat, lon` for `buffer_m`;
            else None.
    """

    areas: pd.DataFrame
    centroids: pd.DataFrame
    locations: pd.DataFrame | None

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        given = {"labels": self.areas, "centroids": self.centroids, "locations": self.locations}
        return {name: digest_frame(frame) for name, frame in given.items() if frame is not None}


def read_fold_slices(store: DataStore, study: Study, city: str) -> FoldSlices:
    """Open what the city's folds need.

    Raises:
        StoreError: an artefact is absent or damaged; the message names what to materialise.
    """
    labels = store.open("lsoa_labels").table(columns=LABEL_COLUMNS)
    areas = fold_areas(labels, study, city)
    known = known_postcodes(store, study, city, areas["area"])
    if study.folds.scheme == "district":
        areas = with_authorities(areas, known)
    return FoldSlices(areas, area_centroids(known), fold_locations(store, study, city))


def cities_of_folds(study: Study, city: str) -> tuple[str, ...]:
    """The cities whose areas are split with a city's: all under the scheme `city`, else its own."""
    return tuple(study.cities) if study.folds.scheme == "city" else (city,)


def fold_areas(labels: pd.DataFrame, study: Study, city: str) -> pd.DataFrame:
    """`FoldSlices.areas` without authorities.

    Args:
        labels: rows of `lsoa_labels` of all cities of the folds, with `LABEL_COLUMNS` or more.
    """
    means = [_mean_deciles(labels, study, each) for each in cities_of_folds(study, city)]
    return pd.concat(means).reset_index(drop=True)


def known_postcodes(
    store: DataStore, study: Study, city: str, lsoas: Iterable[str]
) -> pd.DataFrame:
    """`city, area, msoa, authority, lat, lon` of the postcodes in these areas.

    Raises:
        StoreError: `postcode_lsoa` is absent or damaged.
    """
    directory = read(
        store.open("postcode_lsoa").file("postcode_lsoa.parquet"),
        columns=["city", "area", "msoa", "authority", "lat", "lon"],
        filters=[("city", "in", list(cities_of_folds(study, city)))],
    )
    return directory[directory["area"].isin(lsoas)]


def with_authorities(areas: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """`FoldSlices.areas` with authorities, by `known_postcodes`."""
    return areas.assign(authority=areas["area"].map(of_most_postcodes(known, "authority")))


def fold_locations(store: DataStore, study: Study, city: str) -> pd.DataFrame | None:
    """`FoldSlices.locations`.

    Raises:
        StoreError: the city's `locations` are absent or damaged.
    """
    if study.folds.buffer_m:
        return read_positions(store, city)
    return read_location_areas(store, city) if study.folds.scheme == "location" else None


def write_folds(slices: FoldSlices, study: Study, folder: Path) -> Findings:
    """Make the study's fold table and spatial blocks, and write them with the centroids.

    A city with too few areas gets empty tables and the status `unavailable`, with the remedy.

    Raises:
        SourceError: the study's scheme needs places that areas lack.
    """
    write(slices.centroids, CENTROIDS, folder / "centroids.parquet")
    if slices.areas.empty:
        empty_table(study.folds.scheme).save(folder)
        return unavailable_findings(_NO_LABELS, checks.AREA_FOLDS)
    try:
        table = _make(slices, study.folds, study.seed)
    except TooFewAreasError as error:
        empty_table(study.folds.scheme).save(folder)
        why = Unavailable("smaller folds, or more areas", str(error))
        return unavailable_findings(why, checks.AREA_FOLDS)
    except ValueError as error:
        raise SourceError(f"{error}; add them to the postcode directory in inputs/onspd") from error
    table.save(folder)
    found = _findings(table, slices.areas)
    found.values["n_deals"] = 1 + _write_further_deals(slices, study, folder)
    if note := _write_blocks(slices, study, folder):
        found.notes["spatial_blocks"] = note
    cities = ", ".join(sorted(slices.areas["city"].unique()))
    plots.plot_folds(table.areas, slices.areas, folder / "areas_by_fold.png", subject=cities)
    return found


def further_deals(slices: FoldSlices, study: Study) -> int:
    """How many folds a city has beside the first ones: in a small one, a deal for each training."""
    dealt = deals_anew(study.folds, len(slices.areas))
    return study.training.seeds - 1 if dealt else 0


def _write_further_deals(slices: FoldSlices, study: Study, folder: Path) -> int:
    """Write the folds of further trainings; how many deals there are."""
    n = further_deals(slices, study)
    for number in range(1, n + 1):
        _make(slices, study.folds, study.seed_of(number)).save(folder, deal_stem(number))
    return n


def _write_blocks(slices: FoldSlices, study: Study, folder: Path) -> str | None:
    """Write the spatial blocks for the baselines; what is to be said of them, if anything."""
    settings = study.folds.model_copy(update={"scheme": SPATIAL_BLOCK, "buffer_m": 0.0})
    try:
        blocks = _make(slices, settings, study.seed)
    except ValueError as error:
        return f"No spatial blocks, so no baseline on them: {error}."
    blocks.save(folder, SPATIAL_STEM)
    return uneven_note(uneven_blocks(blocks.areas))


def _findings(table: FoldTable, areas: pd.DataFrame) -> Findings:
    report = balance(table, areas)
    return Findings(
        values={
            "scheme": table.scheme,
            "n_folds": len(table.folds),
            "n_lsoas": len(table.areas),
            "n_locations_in_buffers": 0 if table.near is None else len(table.near),
        },
        checks=checks.fold_checks(table, areas, report),
        tables={"folds": report.astype(object).to_dict("records")},
        holdings={"areas": len(table.areas)},
    )


def _make(slices: FoldSlices, settings: Folds, seed: int) -> FoldTable:
    return make_folds(
        slices.areas,
        settings,
        seed=seed,
        centroids=slices.centroids,
        locations=slices.locations,
    )


def _mean_deciles(labels: pd.DataFrame, study: Study, city: str) -> pd.DataFrame:
    """Of all areas of a city, by the outcomes that stratify: named ones, or all of the city."""
    outcomes = study.cities[city].outcomes
    by = study.folds.stratify_by or outcomes
    mine = labels[(labels["city"] == city) & labels["outcome"].isin({*outcomes, *by})]
    deciles = mine["decile"].astype("Float64").astype("float64").where(mine["outcome"].isin(by))
    means = mine.assign(decile=deciles).groupby("area", as_index=False, sort=True)["decile"]
    return means.mean().assign(city=city)
