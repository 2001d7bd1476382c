"""The checks of this step: of tuned networks, and of the curve of all of them."""

from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.findings import (
    AVAILABLE,
    DOES_NOT_HOLD,
    HOLDS,
    NOT_TESTED,
    Check,
    CheckSpec,
)
from streetineq_assets.models.checks import VALID_PROBABILITIES
from streetineq_assets.predictions.checks import LOCATION_IDENTITY, OUT_OF_FOLD
from streetineq_assets.transfer.comparison import UNDECIDED
from streetineq_assets.transfer.tables import FROM_SCRATCH, OWN, TUNED, UNTUNED

SHARES_LARGE_ENOUGH = CheckSpec("shares_large_enough", "Every share has at least ten areas.")
FINE_TUNED_MODEL = (
    AVAILABLE,
    LOCATION_IDENTITY,
    OUT_OF_FOLD,
    VALID_PROBABILITIES,
    SHARES_LARGE_ENOUGH,
)

ONE_PERCENT_IS_ENOUGH = CheckSpec(
    "one_percent_is_enough",
    "Tuned on 1 % of a city's areas, networks rank them as well as its own networks do.",
)
ONE_PERCENT_OF_LOCATIONS_IS_ENOUGH = CheckSpec(
    "one_percent_of_locations_is_enough",
    "Tuned on 1 % of a city's locations, networks rank its areas as well as its own networks do.",
)
BETTER_THAN_UNTUNED = CheckSpec(
    "better_than_untuned", "The smallest share that was tuned ranks areas better than no tuning."
)
BETTER_THAN_FROM_SCRATCH = CheckSpec(
    "better_than_from_scratch",
    "On the smallest share, tuned networks rank areas better than networks trained from scratch.",
)
TRANSFER_REPORT = (
    AVAILABLE,
    ONE_PERCENT_IS_ENOUGH,
    ONE_PERCENT_OF_LOCATIONS_IS_ENOUGH,
    BETTER_THAN_UNTUNED,
    BETTER_THAN_FROM_SCRATCH,
)

_PAPER_SHARE = 0.01
_NAMED = 5  # pairs in one sentence
_OF = {"areas": ONE_PERCENT_IS_ENOUGH, "locations": ONE_PERCENT_OF_LOCATIONS_IS_ENOUGH}
_PAIR = ["source", "city", "outcome"]
_OTHERS = {
    UNTUNED: (BETTER_THAN_UNTUNED, "the networks that they started from"),
    FROM_SCRATCH: (BETTER_THAN_FROM_SCRATCH, "networks trained from scratch on it"),
}


def shares_large_enough(runs: pd.DataFrame) -> Check:
    """Whether networks were tuned on every share.

    Args:
        runs: `tables.TUNING_RUNS`.
    """
    skipped = runs[runs["skipped"] != ""].drop_duplicates(["share_of", "share"])
    if skipped.empty:
        text = "networks were tuned on every share"
        return SHARES_LARGE_ENOUGH.result(True, text, of=len(runs))
    reasons = "; ".join(
        f"{row.share:g} of {row.share_of}: {row.skipped}" for row in skipped.itertuples()
    )
    return SHARES_LARGE_ENOUGH.result(
        False,
        f"shares that are too small and were skipped: {reasons}; add images, or name larger "
        "`shares` under [transfer] in study.toml",
    )


def transfer_checks(comparisons: pd.DataFrame, summary: pd.DataFrame) -> list[Check]:
    """Whether the paper's claim holds, and whether tuning was worth it.

    A claim holds where the interval of every pair lies above the limit, and does not hold where
    that of any lies below it. Else it is undecided, and has not been tested well enough.

    Args:
        comparisons: `tables.TRANSFER_COMPARISONS`.
        summary: `tables.CURVE_SUMMARY`.
    """
    enough = (one_percent_is_enough(comparisons, summary, share_of) for share_of in _OF)
    return [*enough, *(better_than(comparisons, other) for other in _OTHERS)]


def one_percent_is_enough(comparisons: pd.DataFrame, summary: pd.DataFrame, share_of: str) -> Check:
    """Whether one per cent does as well as training on the whole city, as the paper claims.

    Args:
        comparisons: `tables.TRANSFER_COMPARISONS`.
        summary: `tables.CURVE_SUMMARY`, for the share of the areas whose labels were used.
        share_of: of which it is one per cent, `areas` or `locations`.
    """
    spec, what = _OF[share_of], f"{_PAPER_SHARE:.0%} of the {share_of}"
    rows = comparisons[comparisons["against"] == OWN]
    rows = rows[(rows["share_of"] == share_of) & np.isclose(rows["share"], _PAPER_SHARE)]
    if rows.empty:
        return spec.not_tested(
            f"no pair with networks of its own was tuned on {what}; name {_PAPER_SHARE:g} among "
            f'`shares` and "{share_of}" among `units` under [transfer] in study.toml, and add '
            "images where that is fewer than ten areas"
        )
    about = f"tuned on {what}{_labels_used(summary, share_of)}, networks rank areas no worse than "
    return _claim(spec, rows, f"{about}the city's own by {rows['margin'].max():g}")


def better_than(comparisons: pd.DataFrame, against: str) -> Check:
    """Whether networks tuned on the smallest share rank areas better than others do.

    Args:
        comparisons: `tables.TRANSFER_COMPARISONS`.
        against: `untuned` or `from_scratch`.
    """
    spec, other = _OTHERS[against]
    rows = comparisons[(comparisons["against"] == against) & (comparisons["share"] < 1)]
    if rows.empty:
        return spec.not_tested(
            f"nothing that was tuned on a share below 1 stands beside {other}; see "
            "`shares` and `controls` under [transfer] in study.toml"
        )
    smallest = rows.groupby([*_PAIR, "share_of"])["share"].transform("min")
    rows = rows[rows["share"] == smallest]
    shares = " and ".join(f"{share:g}" for share in sorted(rows["share"].unique()))
    about = f"tuned on a share of {shares}, networks rank areas better than {other}"
    return _claim(spec, rows, about)


_SAID = {UNDECIDED: "is undecided", NOT_TESTED: "is not tested"}


def _claim(spec: CheckSpec, rows: pd.DataFrame, about: str) -> Check:
    """One claim over pairs: each of them has to hold."""
    counts = {
        result: int((rows["result"] == result).sum())
        for result in (HOLDS, DOES_NOT_HOLD, UNDECIDED, NOT_TESTED)
    }
    said = ", ".join(f"{_SAID.get(result, result)} in {n}" for result, n in counts.items() if n)
    values: dict[str, Any] = {f"n_{result.replace(' ', '_')}": n for result, n in counts.items()}
    text = f"of {len(rows)} comparisons the claim {said}: {about} ({_intervals(rows)})"
    if counts[HOLDS] == len(rows):
        return spec.result(True, text, **values)
    if counts[DOES_NOT_HOLD]:
        text += "; quote the curve with its intervals, not the claim"
        return spec.result(False, text, **values)
    return spec.not_tested(f"{text}; more areas and repeats narrow an interval", **values)


def _intervals(rows: pd.DataFrame) -> str:
    """The difference of each comparison with its interval, those that do not hold first."""
    ordered = rows.assign(last=rows["result"] == HOLDS).sort_values(["last", "lower"])
    named = [_difference(row) for row in ordered.head(_NAMED).itertuples()]
    more = len(ordered) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _difference(row: Any) -> str:
    pair = f"{row.city}/{row.outcome} by {row.share_of}"
    if np.isnan([row.difference, row.lower, row.upper]).any():
        return f"{pair}: no interval, of too few areas or of scores or deciles that are all one"
    return f"{pair} {row.difference:z.3f}, 95 % interval {row.lower:z.3f} to {row.upper:z.3f}"


def _labels_used(summary: pd.DataFrame, share_of: str) -> str:
    """Which share of the labels that was, mean over the pairs."""
    rows = summary[(summary["network"] == TUNED) & (summary["share_of"] == share_of)]
    rows = rows[np.isclose(rows["share"], _PAPER_SHARE)]
    used = rows["share_lsoas_labelled"].mean()
    return "" if np.isnan(used) else f", which has the labels of {used:.0%} of the areas"
