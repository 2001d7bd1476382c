"""What must hold of the labels and of the postcodes, and what should.

What belongs here: one function per check; each looks at finished tables and returns a `Check`. What
does not: faults of a file, which its reader refuses at once, and how a check is shown (`assets`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.findings import Check, Scalar
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.labels.formats.base import Reading, Recognised
from streetineq_assets.labels.labelling import LabelTables
from streetineq_assets.labels.outcomes import DOMAINS, INDEX_OF_DEPRIVATION, OUTCOMES
from streetineq_assets.study import Study

MATCHED = 0.99
"""Share of areas or postcodes that should be matched."""

_LARGEST_RANK = 50_000  # England has 32,844 LSOAs of 2011


def label_checks(
    tables: LabelTables,
    readings: Mapping[str, Reading],
    files: Iterable[Recognised],
    areas: pd.DataFrame,
    study: Study,
) -> list[Check]:
    """Every check of `lsoa_labels`, in the order in which the asset declares them."""
    labels = tables.labels
    return [
        _one_row_per_area(labels, areas),
        _values_in_range(labels),
        _denominators_positive(tables.denominators),
        _deciles_complete(labels),
        _deciles_even(tables.edges),
        _directions(labels, readings),
        _areas_matched(labels),
        areas_as_published(areas, study),
        _editions(files, study),
        _outcomes_available(tables.availability, study),
    ]


def postcode_checks(
    connection: duckdb.DuckDBPyConnection, postcodes: Path, areas: pd.DataFrame, study: Study
) -> list[Check]:
    """Every check of `postcode_lsoa`, in the order in which the asset declares them."""
    return [
        _postcodes_unique(connection, postcodes),
        _postcodes_placed(connection, postcodes),
        _cities_found(areas, study),
        areas_as_published(areas, study),
        _areas_in_one_city(areas),
    ]


def areas_as_published(areas: pd.DataFrame, study: Study) -> Check:
    """The number of LSOAs of each city against the published number in study.toml."""
    counted = areas["city"].value_counts()
    figures: dict[str, Scalar] = {}
    wrong = []
    for key, city in study.cities.items():
        n = int(counted.get(key, 0))
        figures[key] = n
        if city.lsoas is not None and n != city.lsoas:
            wrong.append(f"{key} has {n:,} LSOAs, published are {city.lsoas:,}")
    text = "; ".join(wrong) or "every city has the published number of LSOAs"
    return Check("areas_as_published", not wrong, text, values=figures)


# -- of the labels ---------------------------------------------------------------------------------


def _one_row_per_area(labels: pd.DataFrame, areas: pd.DataFrame) -> Check:
    twice = int(labels.duplicated(["city", "outcome", "lsoa11"]).sum())
    rows = labels.groupby(["city", "outcome"]).size()
    expected = areas["city"].value_counts()
    uneven = [f"{c}/{o}" for (c, o), n in rows.items() if n != expected[c]]
    text = f"{twice} rows are there twice; {', '.join(uneven) or 'no pair'} misses areas"
    if not twice and not uneven:
        text = f"{len(rows)} pairs of city and outcome have one row per LSOA of the city"
    return Check("one_row_per_area", not twice and not uneven, text, blocking=True)


def _values_in_range(labels: pd.DataFrame) -> Check:
    limits = {
        "share, 0 to 1": (0.0, 1.0),
        "pounds per year": (1.0, float("inf")),
    }
    wrong = []
    for outcome, values in labels.groupby("outcome")["value"]:
        low, high = limits.get(OUTCOMES[outcome].unit, (1.0, _LARGEST_RANK))
        outside = int((~values.dropna().between(low, high)).sum())
        if outside:
            wrong.append(f"{outcome}: {outside} values outside {low:g} to {high:g}")
    text = "; ".join(wrong) or "every value lies in its outcome's range"
    return Check("values_in_range", not wrong, text, blocking=True)


def _denominators_positive(denominators: pd.DataFrame) -> Check:
    empty = denominators[denominators["denominator"] <= 0]
    named = ", ".join(f"{row.outcome} of {row.lsoa11}" for row in empty.head(5).itertuples())
    text = f"{len(empty)} shares have nobody in them: {named}" if len(empty) else "all are positive"
    return Check("denominators_positive", empty.empty, text, blocking=True)


def _deciles_complete(labels: pd.DataFrame) -> Check:
    whole = labels["decile"].dropna().between(1, N_DECILES).all()
    where = (labels["decile"].notna() == labels["value"].notna()).all()
    text = "every value has a decile from 1 to 10, and a missing value has none"
    return Check("deciles_complete", bool(whole and where), text, blocking=True)


def _deciles_even(edges: pd.DataFrame) -> Check:
    """Without ties sizes differ by one at most; a tie moves no more areas than it has."""
    sizes = edges.groupby(["city", "outcome"])
    spread = sizes["n_lsoas"].max() - sizes["n_lsoas"].min()
    allowed = 1 + sizes["n_lsoas"].mean() * 0.1
    uneven = [f"{c}/{o} by {spread[c, o]}" for c, o in spread.index[spread > allowed]]
    text = f"ties make the deciles uneven: {', '.join(uneven)}" if uneven else "near-equal sizes"
    worst = int(spread.max()) if len(spread) else 0
    return Check("deciles_even", not uneven, text, values={"largest_difference": worst})


def _directions(labels: pd.DataFrame, readings: Mapping[str, Reading]) -> Check:
    """The sign of each outcome's rank correlation with the overall rank of deprivation."""
    name = "directions_as_expected"
    if INDEX_OF_DEPRIVATION not in readings:
        overall = DOMAINS[INDEX_OF_DEPRIVATION]
        return Check(name, True, f"not looked at: no file holds the {overall} rank")
    rank = readings[INDEX_OF_DEPRIVATION].frame["value"]
    figures: dict[str, Scalar] = {}
    wrong = []
    for (city, outcome), group in labels.groupby(["city", "outcome"], sort=False):
        r = rank_correlation(group["value"], group["lsoa11"].map(rank))
        figures[f"{city}/{outcome}"] = round(r, 3)
        if r * OUTCOMES[outcome].direction < 0:
            wrong.append(f"{outcome} in {city} ({r:+.2f})")
    text = f"opposite to what is expected, so a source may have its sign wrong: {', '.join(wrong)}"
    return Check(
        name, not wrong, text if wrong else "every outcome points the expected way", values=figures
    )


def _areas_matched(labels: pd.DataFrame) -> Check:
    figures: dict[str, Scalar] = {}
    low = []
    for (city, outcome), values in labels.groupby(["city", "outcome"], sort=False)["value"]:
        share = float(values.notna().mean())
        figures[f"{city}/{outcome}"] = round(share, 4)
        if share < MATCHED:
            low.append(f"{outcome} in {city}: {values.isna().sum():,} of {len(values):,}")
    text = f"areas without a value: {'; '.join(low)}" if low else "nearly all areas have values"
    return Check("areas_matched", not low, text, values=figures)


def _editions(files: Iterable[Recognised], study: Study) -> Check:
    wanted = {"census_2011": study.census_edition, "iod_2015": study.iod_edition}
    other = [
        f"{file.path.name} is of {file.edition}, the study says {wanted[file.table.folder]}"
        for file in files
        if file.table and file.edition != wanted.get(file.table.folder, file.edition)
    ]
    text = "; ".join(other) or "every file is of the study's edition"
    return Check("editions_as_studied", not other, text)


def _outcomes_available(availability: pd.DataFrame, study: Study) -> Check:
    """Only the pairs that the study trains."""
    indexed = availability.set_index(["city", "outcome"])
    asked = indexed.loc[list(study.pairs)]
    missing = asked[asked["status"] != "available"]
    named = [f"{city}/{outcome}" for city, outcome in missing.index]
    text = f"unavailable: {', '.join(named)}" if named else "all pairs of the study are available"
    figures: dict[str, Scalar] = {"available": len(asked) - len(missing), "asked": len(asked)}
    return Check("outcomes_available", not named, text, values=figures)


def rank_correlation(a: pd.Series, b: pd.Series) -> float:
    """Spearman's correlation of two aligned series, over the rows where both are there."""
    both = pd.DataFrame({"a": a.to_numpy(float), "b": b.to_numpy(float)}).dropna().rank()
    return float(both["a"].corr(both["b"]))


# -- of the postcodes ------------------------------------------------------------------------------


def _postcodes_unique(connection: duckdb.DuckDBPyConnection, postcodes: Path) -> Check:
    rows, different = connection.execute(
        "SELECT count(*), count(DISTINCT postcode) FROM read_parquet($path)",
        {"path": str(postcodes)},
    ).fetchone()
    text = f"{rows:,} rows, {different:,} different postcodes"
    return Check("postcodes_unique", rows == different, text, blocking=True)


def _postcodes_placed(connection: duckdb.DuckDBPyConnection, postcodes: Path) -> Check:
    in_cities, placed = connection.execute(
        """
        SELECT count(*), count(lsoa11) FROM read_parquet($path) WHERE city IS NOT NULL
        """,
        {"path": str(postcodes)},
    ).fetchone()
    share = placed / in_cities if in_cities else 0.0
    text = f"{placed:,} of the cities' {in_cities:,} postcodes have an LSOA"
    figures: dict[str, Scalar] = {"share": round(share, 4)}
    return Check("postcodes_placed", share >= MATCHED, text, values=figures)


def _cities_found(areas: pd.DataFrame, study: Study) -> Check:
    missing = [city for city in study.cities if city not in set(areas["city"])]
    text = f"the directory has no area of {', '.join(missing)}: their outcomes are unavailable"
    return Check("cities_found", not missing, text if missing else "every city has areas")


def _areas_in_one_city(areas: pd.DataFrame) -> Check:
    split = areas[areas["n_elsewhere"] > 0]
    text = f"{len(split)} LSOAs have postcodes outside their city ({split['n_elsewhere'].sum()})"
    figures: dict[str, Scalar] = {"lsoas": len(split), "postcodes": int(split["n_elsewhere"].sum())}
    return Check("areas_in_one_city", split.empty, text, values=figures)
