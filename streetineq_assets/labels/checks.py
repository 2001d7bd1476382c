"""What must hold of the labels, and what should; `postcode_checks` has those of the postcodes.

Each check is a constant and the function that makes its result from finished tables. Faults of a
file are not checks: its reader refuses them.
"""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from streetineq_assets.area_vintages import AreaVintage
from streetineq_assets.findings import Check, CheckSpec, Scalar
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.labels.formats.base import OutcomeValues, SourceFile
from streetineq_assets.labels.labelling import LabelTables
from streetineq_assets.labels.outcomes import (
    DOMAINS,
    INDEX_OF_DEPRIVATION,
    OUTCOMES,
)
from streetineq_assets.labels.postcode_checks import (
    AREAS_AS_PUBLISHED,
    MATCHED,
    areas_as_published,
)
from streetineq_assets.study import Pair, Study

# Incomes of a week, of a month in thousands or with a mangled comma lie outside.
_LIMITS = {"share, 0 to 1": (0.0, 1.0), "pounds per year": (2_000, 2_000_000)}

# -- of the labels ---------------------------------------------------------------------------------

ONE_ROW_PER_AREA = CheckSpec(
    "one_row_per_area", "One row per city, outcome and LSOA.", blocking=True
)
VALUES_IN_RANGE = CheckSpec(
    "values_in_range", "Shares, ranks and incomes lie in the range of their unit.", blocking=True
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
_NO_OUTCOME = "no outcome is available, as outcomes_available says"
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
        _values_in_range(labels, study.vintage),
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
    n_twice = int(labels.duplicated(["city", "outcome", "area"]).sum())
    expected = areas["city"].value_counts()
    n_rows = {pair: len(rows) for pair, rows in _by_pair(labels)}
    uneven = [pair.key for pair, n in n_rows.items() if n != expected[pair.city]]
    text = (
        f"{n_twice} rows come twice, and {', '.join(uneven) or 'no pair'} has not one row per LSOA "
        "of its city: a fault of the program, please report it"
    )
    if not n_twice and not uneven:
        text = f"{len(n_rows)} pairs of city and outcome have one row per LSOA of the city"
    return ONE_ROW_PER_AREA.result(not n_twice and not uneven, text, of=len(n_rows))


def _values_in_range(labels: pd.DataFrame, vintage: AreaVintage) -> Check:
    wrong = []
    for outcome, values in labels.groupby("outcome")["value"]:
        low, high = _LIMITS.get(OUTCOMES[str(outcome)].unit, (1, vintage.n_areas_of_england))
        n_outside = int((~values.dropna().between(low, high)).sum())
        if n_outside:
            wrong.append(f"{outcome}: {n_outside} values outside {low:g} to {high:g}")
    text = f"{'; '.join(wrong)}: download the file that holds them again"
    n_values = int(labels["value"].notna().sum())
    return VALUES_IN_RANGE.result(
        not wrong, text if wrong else "every value lies in its outcome's range", of=n_values
    )


def _denominators_positive(denominators: pd.DataFrame) -> Check:
    empty = denominators[denominators["denominator"] <= 0]
    named = ", ".join(f"{row.outcome} of {row.area}" for row in empty.head(5).itertuples())
    text = (
        f"{len(empty)} shares are of nobody: {named}: is the census table of all residents or "
        "households? Download it again"
    )
    text = text if len(empty) else f"all {len(denominators)} are positive"
    return DENOMINATORS_POSITIVE.result(empty.empty, text, of=len(denominators))


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
    return DECILES_COMPLETE.result(passed, text, of=len(labels))


def _deciles_even(edges: pd.DataFrame) -> Check:
    """Without ties sizes differ by one at most; a tie moves no more areas than it has."""
    if edges.empty:
        return DECILES_EVEN.not_tested(_NO_OUTCOME, passed=True)
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
        text = f"no file holds the {DOMAINS[INDEX_OF_DEPRIVATION]} rank to compare with"
        return DIRECTIONS_AS_EXPECTED.not_tested(text, passed=True)
    if labels.empty:
        return DIRECTIONS_AS_EXPECTED.not_tested(_NO_OUTCOME, passed=True)
    rank = values[INDEX_OF_DEPRIVATION].frame["value"]
    correlations: dict[str, Scalar] = {}
    wrong = []
    for pair, rows in _by_pair(labels):
        r = _rank_correlation(rows["value"], rows["area"].map(rank))
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
    if labels.empty:
        return AREAS_MATCHED.not_tested(_NO_OUTCOME, passed=True)
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
    files = list(files)
    if not files:
        return EDITIONS_AS_STUDIED.not_tested(_NO_OUTCOME, passed=True)
    wanted = {"census": study.census_edition, "iod": study.iod_edition}
    other = [
        f"{file.path.name} is of {_named(file.edition)}, the study says {wanted[file.table.folder]}"
        for file in files
        if file.table and file.edition != wanted.get(file.table.folder, file.edition)
    ]
    text = f"{'; '.join(other)}: replace the file, or change the edition in study.toml"
    return EDITIONS_AS_STUDIED.result(
        not other, text if other else "every file is of the study's edition"
    )


def _named(edition: str) -> str:
    return "no edition that it states" if edition == "unknown" else edition


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
