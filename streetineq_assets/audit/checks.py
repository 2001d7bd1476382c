"""The checks of this step: rights that nobody knows, dates, and areas without predictions."""

import pandas as pd

from streetineq_assets.audit.coverage import LEVEL, MIN_MSOAS
from streetineq_assets.findings import AVAILABLE, Check, CheckSpec
from streetineq_assets.image_settings import Rights
from streetineq_assets.images.rights import UNKNOWN, acts_of, with_answer

MOST_YEARS_APART, MOST_YEARS_ACROSS = 5, 10
_LEAST_DATED = 0.5  # share of locations; fewer say nothing of the others
# From .65 in decile 1 to .85 in decile 10: the ranked areas are a quarter of a decile better off.
MOST_DIFFERENCE = 0.2

RIGHTS_KNOWN = CheckSpec(
    "rights_known", "It is known of every image whether the study may do what it does."
)
CAPTURED_NEAR_LABELS = CheckSpec(
    "captured_near_labels",
    f"Half of the images were taken within {MOST_YEARS_APART} years of what they are to predict.",
)
CAPTURED_TOGETHER = CheckSpec(
    "captured_together", f"The images were taken within {MOST_YEARS_ACROSS} years of each other."
)
COVERAGE_EVEN = CheckSpec(
    "coverage_even", "Deprived areas were ranked as often as those that are well off."
)
DATA_AUDIT = (AVAILABLE, RIGHTS_KNOWN, CAPTURED_NEAR_LABELS, CAPTURED_TOGETHER, COVERAGE_EVEN)


def rights_known(table: pd.DataFrame, rights: Rights) -> Check:
    """Whether anything is known of all images.

    Args:
        table: `images.tables.IMAGE_RIGHTS` of a city.
    """
    n = int(table["n_locations"].sum())
    unknown = with_answer(table, acts_of(rights), UNKNOWN)
    n_unknown = int(unknown["n_locations"].sum())
    if not n_unknown:
        text = f"terms or agreements say it of all {n:,} locations"
        return RIGHTS_KNOWN.result(True, text, of=n, n_unknown=0)
    text = (
        f"of {n_unknown:,} of {n:,} locations it is not known; most have "
        f"{unknown['as_written'].iloc[0]}: state `provider` and `licence` in the list of "
        "locations, in a spelling of the manual's table, or the study's agreement under [rights]"
    )
    if n_unknown == n:
        return RIGHTS_KNOWN.not_tested(text, n_unknown=n_unknown)
    return RIGHTS_KNOWN.result(False, text, n_unknown=n_unknown)


def captured_near_labels(audit: pd.DataFrame) -> Check:
    """Whether images and labels are of one time.

    Args:
        audit: `tables.DATA_AUDIT` of a city.
    """
    if why := _undated(audit):
        return CAPTURED_NEAR_LABELS.not_tested(why)
    known = audit.dropna(subset="years_apart")
    if known.empty:
        return CAPTURED_NEAR_LABELS.not_tested(
            "the labels' editions have no single time: compare the years of capture yourself"
        )
    farthest = known.loc[known["years_apart"].idxmax()]
    years = float(farthest["years_apart"])
    text = (
        f"median time between capture and label: at most {years:.1f} years "
        f"({farthest['outcome']}, of {farthest['described_from']}); {_dated(audit)}"
    )
    if years > MOST_YEARS_APART:
        text += (
            f"; more than {MOST_YEARS_APART}, in which places change: take images or an edition of "
            "the statistics nearer to the other, and say so where results are shown"
        )
    return CAPTURED_NEAR_LABELS.result(years <= MOST_YEARS_APART, text, years=years)


def captured_together(audit: pd.DataFrame, years: pd.DataFrame) -> Check:
    """Whether the images are of one time.

    Args:
        audit: `tables.DATA_AUDIT` of a city.
        years: its `tables.CAPTURE_YEARS`.
    """
    if why := _undated(audit):
        return CAPTURED_TOGETHER.not_tested(why)
    known = years["year"].dropna()
    first, last = int(known.min()), int(known.max())
    text = f"taken from {first} to {last}; {_dated(audit)}"
    across = last - first
    if across > MOST_YEARS_ACROSS:
        text += (
            f"; {across} years, more than {MOST_YEARS_ACROSS}: areas may differ by the year of "
            "their images; leave the outliers out, or check that they are no slips"
        )
    return CAPTURED_TOGETHER.result(across <= MOST_YEARS_ACROSS, text, years=across)


def coverage_even(audit: pd.DataFrame) -> Check:
    """Whether the ranked areas are a fair part of the city's.

    It does not hold where an outcome's difference is none of chance, the level shared among the
    outcomes, and may exceed `MOST_DIFFERENCE`. It holds where no interval reaches that.

    Args:
        audit: `tables.DATA_AUDIT` of a city.
    """
    ranked = audit[audit["n_ranked"] > 0]
    if ranked.empty:
        return COVERAGE_EVEN.not_tested("no area was ranked yet: materialise lsoa_predictions")
    limited = ranked[["lower", "upper"]].abs().max(axis=1) <= MOST_DIFFERENCE
    uneven = ranked[(ranked["p_value"] < (1 - LEVEL) / len(ranked)) & ~limited]
    n = len(ranked)
    if len(uneven):
        worst = uneven.loc[uneven["difference"].abs().idxmax()]
        text = (
            f"in {len(uneven)} of {n} outcomes areas are ranked unevenly, most in "
            f"{_difference(worst)}: metrics are not those of the city; add images of the areas "
            "that lack them"
        )
        return COVERAGE_EVEN.result(False, text, difference=float(worst["difference"]))
    if not limited.all():
        widest = ranked[~limited].iloc[0]
        return COVERAGE_EVEN.not_tested(
            f"{int((~limited).sum())} of {n} outcomes have too few areas to tell (an interval "
            f"needs {MIN_MSOAS} MSOAs and may not reach {MOST_DIFFERENCE:g}), such as "
            f"{_difference(widest)}"
        )
    worst = ranked.loc[ranked["difference"].abs().idxmax()]
    text = f"outcomes compared: {n}; the largest difference is that of {_difference(worst)}"
    return COVERAGE_EVEN.result(True, text, difference=float(worst["difference"]))


def _difference(row: pd.Series) -> str:
    """An outcome's difference with its interval, in words."""
    between = "unknown"
    if not pd.isna(row["lower"]):
        between = f"{row['lower']:+.2f} to {row['upper']:+.2f}"
        if row["lower"] < row["upper"] and not row["n_msoas"]:
            between += ", too short, since no area's MSOA is known"
    return (
        f"{row['outcome']}: ranked share in decile 10 minus decile 1 {row['difference']:+.2f} "
        f"(95 % interval {between}; {row['n_ranked']:,} of {row['n_lsoas']:,} areas ranked)"
    )


def _undated(audit: pd.DataFrame) -> str:
    """Why dates cannot be compared; empty where they can."""
    if audit.empty or audit["n_dated"].iloc[0] < _LEAST_DATED * audit["n_locations"].iloc[0]:
        return f"{_dated(audit)}, less than half: fill `captured_at` in the list of locations"
    return "" if audit["n_dated"].iloc[0] else "no location has an area"


def _dated(audit: pd.DataFrame) -> str:
    if audit.empty:
        return "no location has a day of capture"
    dated, n = audit["n_dated"].iloc[0], audit["n_locations"].iloc[0]
    return f"{dated:,} of {n:,} locations have a day of capture"
