"""Writes invented values in the layouts of the official sources, with their exact column names.

These are File 7 of the indices of deprivation, the GLA's income estimates, the ONS Postcode
Directory of 2018 and ONS boundaries; census tables have a module of their own (`census`).
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.demo.geography import stream, to_degrees

FILE_7 = (
    "File_7_ID_2015_All_ranks__deciles_and_scores_for_the_Indices_of_Deprivation"
    "__and_population_denominators.csv"
)
INCOME_FILE = "modelled-household-income-estimates-lsoa.csv"
DIRECTORY_FILE = "ONSPD_MAY_2018_UK.csv"
BOUNDARY_FILE = "Lower_Layer_Super_Output_Areas_December_2011_Boundaries_BSC.geojson"

N_LSOAS_OF_ENGLAND = 32_844  # the indices of deprivation 2015 rank all of them
_NORMAL = NormalDist()

# -- English indices of deprivation 2015, File 7 ---------------------------------------------------

_AREA_COLUMNS = (
    "LSOA code (2011)",
    "LSOA name (2011)",
    "Local Authority District code (2013)",
    "Local Authority District name (2013)",
)
# Per index: name, kind of score, and the outcome that it is (or, for a part of a domain, follows).
_DOMAINS = (
    ("Income", "rate", "income_deprivation"),
    ("Employment", "rate", "employment_deprivation"),
    ("Education, Skills and Training", "points", "education_deprivation"),
    ("Health Deprivation and Disability", "normal", "health_deprivation"),
    ("Crime", "normal", "crime"),
    ("Barriers to Housing and Services", "points", "barriers_to_housing"),
    ("Living Environment", "points", "living_environment"),
)
_PARTS = (
    ("Income Deprivation Affecting Children Index (IDACI)", "rate", "income_deprivation"),
    ("Income Deprivation Affecting Older People (IDAOPI)", "rate", "income_deprivation"),
    ("Children and Young People Sub-domain", "normal", "education_deprivation"),
    ("Adult Skills Sub-domain", "share", "education_deprivation"),
    ("Geographical Barriers Sub-domain", "normal", "barriers_to_housing"),
    ("Wider Barriers Sub-domain", "normal", "barriers_to_housing"),
    ("Indoors Sub-domain", "normal", "living_environment"),
    ("Outdoors Sub-domain", "normal", "living_environment"),
)
_POPULATIONS = (
    "Total population: mid 2012 (excluding prisoners)",
    "Dependent Children aged 0-15: mid 2012 (excluding prisoners)",
    "Population aged 16-59: mid 2012 (excluding prisoners)",
    "Older population aged 60 and over: mid 2012 (excluding prisoners)",
    (
        "Working age population 18-59/64: for use with Employment Deprivation Domain "
        "(excluding prisoners)"
    ),
)


def write_file_7(folder: Path, areas: pd.DataFrame, values: pd.DataFrame, seed: int) -> None:
    """Write File 7: scores, national ranks (1 is most deprived) and deciles of all indices.

    Args:
        folder: an existing folder.
        areas: `area, name, authority, authority_name`.
        values: aligned with `areas`; standardised values per outcome, higher is better-off.
        seed: of the study.
    """
    overall = values[[outcome for *_, outcome in _DOMAINS]].mean(axis=1)
    table: dict[str, Any] = dict(_named(areas, _AREA_COLUMNS))
    table |= _index("Index of Multiple Deprivation (IMD)", "points", overall / overall.std())
    for name, kind, outcome in _DOMAINS:
        table |= _index(name, kind, values[outcome])
    for name, kind, outcome in _PARTS:
        noise = stream(seed, "file 7", name).normal(size=len(areas))
        table |= _index(name, kind, 0.9 * values[outcome] + 0.44 * noise)
    people = stream(seed, "file 7", "population").integers(1250, 1900, len(areas))
    shares = (1.0, 0.2, 0.6, 0.2, 0.58)
    table |= {
        c: np.round(people * share).astype(int)
        for c, share in zip(_POPULATIONS, shares, strict=True)
    }
    pd.DataFrame(table).to_csv(folder / FILE_7, index=False, lineterminator="\r\n")


def _named(areas: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.Series]:
    """Code, name and local authority of each area under a publisher's column names."""
    fields = ("area", "name", "authority", "authority_name")
    return {name: areas[field] for name, field in zip(names, fields, strict=True)}


def national_ranks(values: np.ndarray) -> np.ndarray:
    """Distinct ranks among England's areas of standardised values, both (n,); the lowest is 1."""
    order = np.argsort(values, kind="stable")
    ranks = np.array([1 + int(_NORMAL.cdf(v) * (N_LSOAS_OF_ENGLAND - 1)) for v in values[order]])
    steps = np.arange(len(ranks))
    ranks = np.maximum.accumulate(ranks - steps) + steps
    ranks = np.minimum(ranks, N_LSOAS_OF_ENGLAND - steps[::-1])
    by_area = np.empty(len(ranks), dtype=int)
    by_area[order] = ranks
    return by_area


def _index(name: str, kind: str, values: pd.Series) -> dict[str, np.ndarray]:
    """Score, rank and decile of one index; the score rises with deprivation."""
    ranks = national_ranks(values.to_numpy())
    deprived = 1 - (ranks - 0.5) / N_LSOAS_OF_ENGLAND
    if kind == "normal":
        scores = np.array([_NORMAL.inv_cdf(p) for p in deprived])
    else:
        scores = (80.0 if kind == "points" else 0.5) * deprived**2
    return {
        f"{name} Score{' (rate)' if kind == 'rate' else ''}": np.round(scores, 3),
        f"{name} Rank (where 1 is most deprived)": ranks,
        f"{name} Decile (where 1 is most deprived 10% of LSOAs)": 1
        + (ranks - 1) * 10 // N_LSOAS_OF_ENGLAND,
    }


# -- GLA household income estimates ----------------------------------------------------------------

_YEARS = tuple(f"{year}/{year % 100 + 1:02d}" for year in range(2001, 2013))


def write_income(folder: Path, areas: pd.DataFrame, values: pd.DataFrame) -> None:
    """Write mean and median incomes with the mangled pound signs of the published file.

    Args:
        folder: an existing folder.
        areas: `area, name, authority, authority_name` of the one city that the file covers.
        values: aligned with `areas`; `mean_income` and `median_income`, standardised.
    """
    table: dict[str, Any] = dict(_named(areas, ("Code", "Name", "LAD code", "Borough")))
    for label, middling, outcome in (
        ("Mean", 46_000, "mean_income"),
        ("Median", 35_000, "median_income"),
    ):
        latest = middling * np.exp(0.28 * values[outcome].to_numpy())
        for age, year in zip(range(len(_YEARS))[::-1], _YEARS, strict=True):
            pounds = 10 * np.round(latest * 0.965**age / 10).astype(int)
            table[f"{label} {year}"] = [f"?{p:,}" for p in pounds]
    pd.DataFrame(table).to_csv(folder / INCOME_FILE, index=False, lineterminator="\n")


# -- ONS Postcode Directory, 2018 ------------------------------------------------------------------

DIRECTORY_COLUMNS = (
    *("pcd", "pcd2", "pcds", "dointr", "doterm", "oscty", "ced", "oslaua", "osward", "parish"),
    *("usertype", "oseast1m", "osnrth1m", "osgrdind", "oshlthau", "nhser", "ctry", "rgn"),
    *("streg", "pcon", "eer", "teclec", "ttwa", "pct", "nuts", "statsward", "oa01", "casward"),
    *("park", "lsoa01", "msoa01", "ur01ind", "oac01", "oa11", "lsoa11", "msoa11", "wz11", "ccg"),
    *("bua11", "buasd11", "ru11ind", "oac11", "lat", "long", "lep1", "lep2", "pfa", "imd"),
    *("calncv", "stp"),
)
_NO_CODE = "E99999999"  # where England has no area of that kind


def write_directory(folder: Path, postcodes: pd.DataFrame) -> None:
    """Write a postcode directory in the 50 columns of 2018; codes that nobody reads are fillers.

    Args:
        folder: an existing folder.
        postcodes: as `geography.postcodes` returns them.
    """
    outward, inward = postcodes["pcds"].str[:-4], postcodes["pcds"].str[-3:]
    columns = dict.fromkeys(DIRECTORY_COLUMNS, _NO_CODE) | {
        "pcd": outward.str.ljust(4) + inward,
        "pcd2": outward.str.ljust(5) + inward,
        "pcds": postcodes["pcds"],
        "dointr": postcodes["dointr"],
        "doterm": postcodes["doterm"],
        "oslaua": postcodes["authority"],
        "usertype": postcodes["usertype"].astype(str),
        "oseast1m": postcodes["easting"].map("{:06d}".format),
        "osnrth1m": postcodes["northing"].map("{:07d}".format),
        "osgrdind": "1",
        "ctry": "E92000001",
        "oa11": postcodes["oa"],
        "lsoa11": postcodes["area"],
        "msoa11": postcodes["msoa"],
        "lat": postcodes["lat"],
        "long": postcodes["lon"],
        "imd": 0,
    }
    table = pd.DataFrame(columns, index=postcodes.index)
    with (folder / DIRECTORY_FILE).open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(DIRECTORY_COLUMNS) + "\r\n")
        table.to_csv(
            file, index=False, header=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n"
        )


# -- ONS boundaries --------------------------------------------------------------------------------


def write_boundaries(folder: Path, areas: pd.DataFrame) -> None:
    """Write the areas' boundaries as GeoJSON in degrees, with the properties of those of ONS.

    Args:
        folder: an existing folder.
        areas: as `geography.areas` returns them.
    """
    features = []
    for area in areas.itertuples():
        lon, lat = to_degrees(*np.array(area.boundary.exterior.coords).T)
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "LSOA11CD": area.area,
                    "LSOA11NM": area.name,
                    "BNG_E": round(area.easting),
                    "BNG_N": round(area.northing),
                    "LONG": area.lon,
                    "LAT": area.lat,
                },
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [np.column_stack([lon, lat]).tolist()],
                },
            }
        )
    collection = {
        "type": "FeatureCollection",
        "name": "LSOA_2011_invented",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "features": features,
    }
    text = json.dumps(collection, separators=(",", ":"))
    (folder / BOUNDARY_FILE).write_text(text, encoding="utf-8")
