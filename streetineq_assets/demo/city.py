"""Writes a complete synthetic study: invented cities in the official input formats, and the truth.

The same arguments give the same bytes. Nothing is run here (`run` does that).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.demo import census, sources
from streetineq_assets.demo.geography import (
    MOST_LSOAS,
    OUTSIDE,
    Town,
    areas,
    postcodes,
    stream,
    towns,
)
from streetineq_assets.demo.latent import latent_field, outcome_values
from streetineq_assets.demo.locations import (
    FAULTS,
    live_postcodes_needed,
    plan_locations,
    write_locations,
)
from streetineq_assets.demo.panoramas import plan_captures, write_captures, write_panoramas
from streetineq_assets.demo.perspective import FOV_DEG
from streetineq_assets.demo.photographs import FOREIGN, write_photographs
from streetineq_assets.errors import StudyError
from streetineq_assets.store import INPUT_FOLDERS, DataStore

SIZES = {"northmere": 50, "saltbridge": 20}
STUDY_DATE = "2018-05-01"
INCOME_OUTCOMES = ("mean_income", "median_income")
OUTCOMES = ("living_environment", "self_reported_health")
SCHEMES = ("area", "spatial_block", "district")
_OF_LOCATIONS = ("city", "location_id", "area", "packing", "fault", "repeats", "capture_id")


@dataclass(frozen=True)
class Truth:
    """What a synthetic study was made from, and so what should be read back from it.

    Attributes:
        areas: one row per LSOA of the cities: `city, area, name, lon, lat`, `smooth` and
            `independent` (the latent value's two parts), `latent` (their sum; mean 0 and variance
            1 within a city), `unseen` (a smooth value that no scene shows).
        outcomes: aligned with `areas`: a standardised value for each of the 13 outcomes, higher is
            better-off; NaN where no file gives the outcome (income outside the first city).
        locations: one row per listed location: `city, location_id, area, packing, fault` ("" for
            none), `repeats` (the location in a neighbouring area whose street it shows; "" for
            none), `capture_id` (the panorama that its views are cut of; "" where each has a file).
        foreign: (city, path below the city's images) of files that belong to no listed location.
    """

    areas: pd.DataFrame
    outcomes: pd.DataFrame
    locations: pd.DataFrame
    foreign: list[tuple[str, str]]


def write_study(
    root: Path,
    *,
    seed: int = 2019,
    sizes: Mapping[str, int] | None = None,
    locations_per_lsoa: int = 2,
    image_size: tuple[int, int] = (640, 400),
    encoder: Mapping[str, Any] | None = None,
) -> Truth:
    """Write a synthetic study below `root`.

    `study.toml` is written last, so a study that has one is complete.

    Args:
        root: the study's folder; made if absent.
        seed: decides everything that varies.
        sizes: number of LSOAs by city key, by default 50 and 20; the first city has incomes too.
        locations_per_lsoa: locations in each LSOA, of four images each.
        image_size: width and height in pixels.
        encoder: settings of `[encoder]` beside `weights = "random"`.

    Raises:
        StudyError: `root` holds a study already.
        ValueError: a city with too few areas for the planted faults, or too many for postcodes.
    """
    store = DataStore(root)
    if store.study_file.exists():
        raise StudyError(f"{store.study_file} exists: delete that study or name another folder")
    sizes = dict(SIZES if sizes is None else sizes)
    for key, n_lsoas in sizes.items():
        if not len(FAULTS) <= n_lsoas <= MOST_LSOAS:
            raise ValueError(f"{key}: a synthetic city has {len(FAULTS)} to {MOST_LSOAS} LSOAs")
    for name in INPUT_FOLDERS:
        store.inputs(name).mkdir(parents=True, exist_ok=True)
    country = _Country.invent(sizes, seed, live_postcodes_needed(locations_per_lsoa))
    _write_tables(store, country, seed)
    plans = []
    for city in country.cities:
        plan = _plan(country, city, locations_per_lsoa, seed)
        here = country.postcodes["town"] == city.key
        file = store.inputs("locations", f"{city.key}.csv")
        write_locations(file, plan, country.postcodes[here], country.elsewhere, seed)
        plans.append(_write_images(store, plan, city, seed, image_size))
    store.study_file.write_text(study_text(country.cities, seed, encoder or {}), encoding="utf-8")
    return _truth(country, pd.concat(plans, ignore_index=True))


def _write_images(
    store: DataStore, plan: pd.DataFrame, city: Town, seed: int, size: tuple[int, int]
) -> pd.DataFrame:
    """Write a city's images: photographs of the first, panoramas of the others.

    Returns:
        The plan with `city` and `capture_id`, as `Truth.locations` has them.
    """
    folder, named = store.inputs("images", city.key), plan.assign(city=city.key, capture_id="")
    if city.order == 0:
        write_photographs(folder, plan, seed, size)
        return named
    captures = plan_captures(plan, city.key, seed)
    write_captures(store.inputs("captures", f"{city.key}.csv"), captures)
    write_panoramas(folder, captures, plan, seed, size)
    ids = captures.set_index("location_id")["capture_id"]
    return named.assign(capture_id=named["location_id"].map(ids))


def study_text(cities: Sequence[Town], seed: int, encoder: Mapping[str, Any]) -> str:
    """The settings as TOML; the first city has more buckets and is trained on income too."""
    first = cities[0]
    lines = [
        "# A synthetic study: the cities, their figures and their images are invented.",
        f"title = {_toml('Invented: ' + ', '.join(city.title for city in cities))}",
        f"date = {STUDY_DATE}",
        f"seed = {seed}",
        "synthetic = true",
        "",
        "[folds]",
        "block_km = 2.0  # the cities are small",
        "buffer_km = 0.5",
        "",
        "[training]",
        "seeds = 2  # three in earnest",
        "overrides = { steps_per_root_area = 5.0 }  # ten in earnest",
        "",
        "[repeats]",
        "max_share = 0.15  # some are planted on both sides of borders",
        "",
        "[views]",
        f"fov_deg = {FOV_DEG:.2f}  # of the views of which the panoramas are made",
        "",
        "[rights]",
        "show_images = true  # they show nobody",
        "",
        "[evidence]",
        f"schemes = {_toml(SCHEMES)}  # all six in earnest",
        "",
        "[encoder]",
        *(
            f"{key} = {_toml(value)}"
            for key, value in ({"weights": "random"} | dict(encoder)).items()
        ),
    ]
    if len(cities) > 1:
        lines += ["", "[transfer]", f"source = {_toml(first.key)}", "shares = [0.0, 0.75, 1.0]"]
        lines += ['units = ["areas"]  # locations too in earnest', "repeats = 2  # five in earnest"]
    for city in cities:
        income = city is first
        lines += [
            "",
            f"[cities.{city.key}]",
            f"title = {_toml(city.title)}",
            f"authorities = {_toml(list(city.authorities))}",
            f"lsoas = {city.n_lsoas}",
            f"buckets = {4 if income else 2}",
            f"outcomes = {_toml([*OUTCOMES, 'mean_income'] if income else OUTCOMES)}",
        ]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A TOML value; strings, numbers, booleans and lists are written as in JSON."""
    return json.dumps(value)


@dataclass(frozen=True)
class _Country:
    """Every town with its areas, values and postcodes; the frames of areas are aligned."""

    cities: list[Town]
    areas: pd.DataFrame
    latent: pd.DataFrame
    outcomes: pd.DataFrame
    postcodes: pd.DataFrame

    @classmethod
    def invent(cls, sizes: Mapping[str, int], seed: int, live_postcodes: int) -> "_Country":
        every = towns(sizes)
        starts = np.cumsum([1, *(town.n_lsoas for town in every)])
        parts = [
            areas(town, seed, int(start)) for town, start in zip(every, starts[:-1], strict=True)
        ]
        latent, values = [], []
        for part in parts:
            key = part["town"].iloc[0]
            field = latent_field(part["easting"], part["northing"], stream(seed, "latent", key))
            latent.append(field)
            values.append(outcome_values(field, seed, key))
        area = pd.concat(parts, ignore_index=True)
        return cls(
            cities=[town for town in every if town.in_study],
            areas=area,
            latent=pd.concat(latent, ignore_index=True),
            outcomes=pd.concat(values, ignore_index=True),
            postcodes=postcodes(area, seed, live_postcodes),
        )

    @property
    def has_income(self) -> pd.Series:
        """Whether the income file covers an area: one city only, as the real file does."""
        return self.areas["town"] == self.cities[0].key

    @property
    def elsewhere(self) -> str:
        """A postcode outside all cities."""
        return self.postcodes.loc[self.postcodes["town"] == OUTSIDE, "pcds"].iloc[0]


def _write_tables(store: DataStore, country: _Country, seed: int) -> None:
    area, values, income = country.areas, country.outcomes, country.has_income
    census.write_census(store.inputs("census"), area, values, seed)
    sources.write_file_7(store.inputs("iod"), area, values, seed)
    sources.write_income(store.inputs("household_income"), area[income], values[income])
    sources.write_directory(store.inputs("onspd"), country.postcodes)
    sources.write_boundaries(store.inputs("boundaries"), area)


def _plan(country: _Country, city: Town, per_lsoa: int, seed: int) -> pd.DataFrame:
    """The city's locations with their areas' latent values and MSOAs."""
    here = country.areas["town"] == city.key
    plan = plan_locations(country.areas[here], city.order, per_lsoa, seed)
    codes, latent = country.areas["area"], country.latent["latent"]
    return plan.assign(
        latent=plan["area"].map(dict(zip(codes, latent, strict=True))),
        msoa=plan["area"].map(dict(zip(codes, country.areas["msoa"], strict=True))),
    )


def _truth(country: _Country, locations: pd.DataFrame) -> Truth:
    inside = country.areas["town"] != OUTSIDE
    area = country.areas.rename(columns={"town": "city"})[["city", "area", "name", "lon", "lat"]]
    values = country.outcomes.copy()
    values.loc[~country.has_income, list(INCOME_OUTCOMES)] = np.nan
    return Truth(
        areas=area.join(country.latent)[inside].reset_index(drop=True),
        outcomes=values[inside].reset_index(drop=True),
        locations=locations[list(_OF_LOCATIONS)],
        foreign=[(country.cities[0].key, path) for path in FOREIGN],
    )
