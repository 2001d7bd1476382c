"""What must hold of the postcodes and of the labels, and what should.

Each check is a constant and the function that makes its result from finished tables. Faults of a
file are not checks: its reader refuses them.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.findings import Check, CheckSpec, Scalar
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile
from streetineq_assets.labels.labelling import LabelTables
from streetineq_assets.labels.outcomes import DOMAINS, INDEX_OF_DEPRIVATION, OUTCOMES
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import view

MATCHED = 0.99
"""Share of areas or postcodes that should be matched."""

_LARGEST_RANK = 50_000  # England has 32,844 LSOAs of 2011
_LIMITS = {"share, 0 to 1": (0.0, 1.0), "pounds per year": (1.0, float("inf"))}

AREAS_AS_PUBLISHED = CheckSpec(
    "areas_as_published", "Each city has the number of LSOAs that study.toml says was published."
)

# -- of the postcodes ------------------------------------------------------------------------------

POSTCODES_UNIQUE = CheckSpec("postcodes_unique", "One row per postcode.", blocking=True)
POSTCODES_MATCHED = CheckSpec(
    "postcodes_matched", f"At least {MATCHED:.0%} of the cities' postcodes have an LSOA."
)
CITIES_PRESENT = CheckSpec("cities_present", "The postcode directory has areas of every city.")
AREAS_IN_ONE_CITY = CheckSpec("areas_in_one_city", "No LSOA has postcodes outside its city.")
POSTCODE_LSOA = (
    POSTCODES_UNIQUE,
    POSTCODES_MATCHED,
    CITIES_PRESENT,
    AREAS_AS_PUBLISHED,
    AREAS_IN_ONE_CITY,
)


def postcode_checks(
    connection: duckdb.DuckDBPyConnection, postcodes: Path, areas: pd.DataFrame, study: Study
) -> list[Check]:
    """Every check of `POSTCODE_LSOA`, in its order.

    Args:
        postcodes: the Parquet file of the table.
        areas: as `postcodes.city_areas` returns them.
    """
    with view(connection, "postcodes", postcodes):
        of_postcodes = [_postcodes_unique(connection), _postcodes_matched(connection)]
    return [
        *of_postcodes,
        _cities_present(areas, study),
        areas_as_published(areas, study),
        _areas_in_one_city(areas),
    ]


def _postcodes_unique(connection: duckdb.DuckDBPyConnection) -> Check:
    ((n_rows, n_postcodes),) = connection.execute(
        "SELECT count(*), count(DISTINCT postcode) FROM postcodes"
    ).fetchall()
    text = f"{n_rows:,} rows, {n_postcodes:,} different postcodes"
    return POSTCODES_UNIQUE.result(n_rows == n_postcodes, text)


def _postcodes_matched(connection: duckdb.DuckDBPyConnection) -> Check:
    ((n_postcodes, n_matched),) = connection.execute(
        "SELECT count(*), count(lsoa11) FROM postcodes WHERE city IS NOT NULL"
    ).fetchall()
    share = n_matched / n_postcodes if n_postcodes else 0.0
    text = f"{n_matched:,} of the cities' {n_postcodes:,} postcodes have an LSOA"
    if share < MATCHED:
        text += (
            f", fewer than {MATCHED:.0%}: locations at the others get no area; is the directory "
            "complete?"
        )
    return POSTCODES_MATCHED.result(share >= MATCHED, text, share_matched=share)


def _cities_present(areas: pd.DataFrame, study: Study) -> Check:
    present = set(areas["city"])
    missing = [city for city in study.cities if city not in present]
    text = (
        f"the directory has no area of {', '.join(missing)}: their outcomes are unavailable; "
        "compare their authorities in study.toml with the directory's edition"
    )
    return CITIES_PRESENT.result(not missing, text if missing else "every city has areas")


def areas_as_published(areas: pd.DataFrame, study: Study) -> Check:
    """The number of LSOAs of each city against the published number in study.toml."""
    counted = areas["city"].value_counts()
    n_lsoas: dict[str, Scalar] = {}
    wrong = []
    for key, city in study.cities.items():
        n = int(counted.get(key, 0))
        n_lsoas[f"n_lsoas_{key}"] = n
        if city.lsoas is not None and n != city.lsoas:
            wrong.append(f"{key} has {n:,} LSOAs, published are {city.lsoas:,}")
    text = (
        f"{'; '.join(wrong)}: deciles are cut among the areas that are there; compare the city's "
        "authorities in study.toml with the directory's edition"
    )
    return AREAS_AS_PUBLISHED.result(
        not wrong, text if wrong else "every city has its published number of LSOAs", **n_lsoas
    )


def _areas_in_one_city(areas: pd.DataFrame) -> Check:
    split = areas[areas["n_elsewhere"] > 0]
    n_postcodes = int(split["n_elsewhere"].sum())
    text = (
        f"{len(split)} LSOAs have {n_postcodes} postcodes outside their city; an area counts to "
        "the city of most of its postcodes"
    )
    return AREAS_IN_ONE_CITY.result(
        split.empty,
        text if len(split) else "no LSOA has postcodes outside its city",
        n_lsoas=len(split),
        n_postcodes_elsewhere=n_postcodes,
    )


# -- of the labels ---------------------------------------------------------------------------------

ONE_ROW_PER_AREA = CheckSpec(
    "one_row_per_area", "One row per city, outcome and LSOA.", blocking=True
)
VALUES_IN_RANGE = CheckSpec(
    "values_in_range", "Shares from 0 to 1, ranks from 1, incomes positive.", blocking=True
)
DENOMINATORS_POSITIVE = CheckSpec(
    "denominators_positive", "Every share is of at least one person or household.", blocking=True
)
DECILES_COMPLETE = CheckSpec(
    "deciles_complete", "A decile from 1 to 10 for every value.", blocking=True
)
DECILES_EVEN = CheckSpec("deciles_even", "Deciles are near-equal in size.")
DIRECTIONS_AS_EXPECTED = CheckSpec(
    "directions_as_expected", "Outcomes correlate with overall deprivation in the expected sense."
)
AREAS_MATCHED = CheckSpec(
    "areas_matched", f"At least {MATCHED:.0%} of the areas have a value, per city and outcome."
)
EDITIONS_AS_STUDIED = CheckSpec(
    "editions_as_studied", "Every file is of the edition that the study names."
)
OUTCOMES_AVAILABLE = CheckSpec("outcomes_available", "Every pair of the study has its source.")
LSOA_LABELS = (
    ONE_ROW_PER_AREA,
    VALUES_IN_RANGE,
    DENOMINATORS_POSITIVE,
    DECILES_COMPLETE,
    DECILES_EVEN,
    DIRECTIONS_AS_EXPECTED,
    AREAS_MATCHED,
    AREAS_AS_PUBLISHED,
    EDITIONS_AS_STUDIED,
    OUTCOMES_AVAILABLE,
)


def label_checks(
    tables: LabelTables,
    values: Mapping[str, OutcomeValues],
    files: Iterable[SourceFile],
    areas: pd.DataFrame,
    study: Study,
) -> list[Check]:
    """Every check of `LSOA_LABELS`, in its order.

    Args:
        values: outcome to its values, as `sources.read_sources` returns them.
        files: those that were read.
        areas: as `postcodes.city_areas` returns them.
    """
    labels = tables.labels
    return [
        _one_row_per_area(labels, areas),
        _values_in_range(labels),
        _denominators_positive(tables.denominators),
        _deciles_complete(labels),
        _deciles_even(tables.edges),
        _directions_as_expected(labels, values),
        _areas_matched(labels),
        areas_as_published(areas, study),
        _editions_as_studied(files, study),
        _outcomes_available(tables.availability, study),
    ]


def _one_row_per_area(labels: pd.DataFrame, areas: pd.DataFrame) -> Check:
    n_twice = int(labels.duplicated(["city", "outcome", "lsoa11"]).sum())
    expected = areas["city"].value_counts()
    n_rows = {pair: len(rows) for pair, rows in _by_pair(labels)}
    uneven = [pair.key for pair, n in n_rows.items() if n != expected[pair.city]]
    text = (
        f"{n_twice} rows come twice, and {', '.join(uneven) or 'no pair'} has not one row per LSOA "
        "of its city: a fault of the program, please report it"
    )
    if not n_twice and not uneven:
        text = f"{len(n_rows)} pairs of city and outcome have one row per LSOA of the city"
    return ONE_ROW_PER_AREA.result(not n_twice and not uneven, text)


def _values_in_range(labels: pd.DataFrame) -> Check:
    wrong = []
    for outcome, values in labels.groupby("outcome")["value"]:
        low, high = _LIMITS.get(OUTCOMES[str(outcome)].unit, (1.0, _LARGEST_RANK))
        n_outside = int((~values.dropna().between(low, high)).sum())
        if n_outside:
            wrong.append(f"{outcome}: {n_outside} values outside {low:g} to {high:g}")
    text = f"{'; '.join(wrong)}: download the file that holds them again"
    return VALUES_IN_RANGE.result(
        not wrong, text if wrong else "every value lies in its outcome's range"
    )


def _denominators_positive(denominators: pd.DataFrame) -> Check:
    empty = denominators[denominators["denominator"] <= 0]
    named = ", ".join(f"{row.outcome} of {row.lsoa11}" for row in empty.head(5).itertuples())
    text = (
        f"{len(empty)} shares are of nobody: {named}: is the census table of all residents or "
        "households? Download it again"
    )
    return DENOMINATORS_POSITIVE.result(empty.empty, text if len(empty) else "all are positive")


def _deciles_complete(labels: pd.DataFrame) -> Check:
    in_range = labels["decile"].dropna().between(1, N_DECILES).all()
    complete = (labels["decile"].notna() == labels["value"].notna()).all()
    passed = bool(in_range and complete)
    text = (
        "every value has a decile from 1 to 10, and a missing value has none"
        if passed
        else "deciles lie outside 1 to 10, or do not match the values: a fault of the program, "
        "please report it"
    )
    return DECILES_COMPLETE.result(passed, text)


def _deciles_even(edges: pd.DataFrame) -> Check:
    """Without ties sizes differ by one at most; a tie moves no more areas than it has."""
    largest, uneven = 0, []
    for pair, rows in _by_pair(edges):
        sizes = rows["n_lsoas"]
        spread = int(sizes.max() - sizes.min())
        largest = max(largest, spread)
        if spread > 1 + 0.1 * sizes.mean():
            uneven.append(f"{pair} by {spread}")
    text = (
        f"ties make the deciles uneven: {', '.join(uneven)}: areas with equal values share a "
        "decile, which leaves others small or empty; are the values rounded, or deciles in place "
        "of ranks?"
    )
    return DECILES_EVEN.result(
        not uneven, text if uneven else "near-equal sizes", largest_difference=largest
    )


def _directions_as_expected(labels: pd.DataFrame, values: Mapping[str, OutcomeValues]) -> Check:
    """The sign of each outcome's rank correlation with the overall rank of deprivation."""
    if INDEX_OF_DEPRIVATION not in values:
        text = f"not examined: no file holds the {DOMAINS[INDEX_OF_DEPRIVATION]} rank"
        return DIRECTIONS_AS_EXPECTED.result(True, text)
    rank = values[INDEX_OF_DEPRIVATION].frame["value"]
    correlations: dict[str, Scalar] = {}
    wrong = []
    for pair, rows in _by_pair(labels):
        r = _rank_correlation(rows["value"], rows["lsoa11"].map(rank))
        correlations[pair.key] = r
        if r * OUTCOMES[pair.outcome].direction < 0:
            wrong.append(f"{pair.outcome} in {pair.city} ({r:+.2f})")
    text = (
        f"{', '.join(wrong)}: the rank correlation with overall deprivation has the opposite of "
        "the expected sign; look whether the file has its order or its columns mixed up"
    )
    return DIRECTIONS_AS_EXPECTED.result(
        not wrong, text if wrong else "every outcome points the expected way", **correlations
    )


def _areas_matched(labels: pd.DataFrame) -> Check:
    shares: dict[str, Scalar] = {}
    low = []
    for pair, rows in _by_pair(labels):
        n_missing = int(rows["value"].isna().sum())
        share = 1 - n_missing / len(rows)
        shares[pair.key] = share
        if share < MATCHED:
            low.append(f"{pair.outcome} in {pair.city}: {n_missing:,} of {len(rows):,}")
    text = (
        f"areas without a value: {'; '.join(low)}: they get no decile and are not trained on; does "
        "the file cover the whole city?"
    )
    return AREAS_MATCHED.result(
        not low, text if low else f"at least {MATCHED:.0%} of the areas have values", **shares
    )


def _editions_as_studied(files: Iterable[SourceFile], study: Study) -> Check:
    wanted = {"census_2011": study.census_edition, "iod_2015": study.iod_edition}
    other = [
        f"{file.path.name} is of {file.edition}, the study says {wanted[file.table.folder]}"
        for file in files
        if file.table and file.edition != wanted.get(file.table.folder, file.edition)
    ]
    text = f"{'; '.join(other)}: replace the file, or change the edition in study.toml"
    return EDITIONS_AS_STUDIED.result(
        not other, text if other else "every file is of the study's edition"
    )


def _outcomes_available(availability: pd.DataFrame, study: Study) -> Check:
    """Only the pairs that the study trains."""
    status = availability.set_index(["city", "outcome"])["status"].to_dict()
    missing = [pair.key for pair in study.pairs if status[pair] != "available"]
    text = f"unavailable: {', '.join(missing)}; the table `availability` says what they want"
    return OUTCOMES_AVAILABLE.result(
        not missing,
        text if missing else "all pairs of the study are available",
        n_available=len(study.pairs) - len(missing),
        n_asked=len(study.pairs),
    )


def _rank_correlation(a: pd.Series, b: pd.Series) -> float:
    """Spearman's correlation of two aligned series, over the rows where neither is missing."""
    both = pd.DataFrame({"a": a.to_numpy(float), "b": b.to_numpy(float)})
    return float(both.corr(method="spearman").loc["a", "b"])


def _by_pair(table: pd.DataFrame) -> Iterator[tuple[Pair, pd.DataFrame]]:
    """The table's rows of each city and outcome, in its own order."""
    for _, rows in table.groupby(["city", "outcome"], sort=False):
        yield Pair(rows["city"].iloc[0], rows["outcome"].iloc[0]), rows
