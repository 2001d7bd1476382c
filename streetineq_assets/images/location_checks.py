"""Values, tables and checks of the areas of a city's locations."""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.findings import Check, CheckSpec, Findings, Scalar
from streetineq_assets.images.checks import NONE_LISTED
from streetineq_assets.images.places import Agreement
from streetineq_assets.images.tables import (
    BY_BOUNDARIES,
    BY_NEAREST_POSTCODE,
    POSTCODE_REASONS,
    REASONS,
    WAYS,
)

_MATCHED_SHARE, _SPREAD_SHARE, _WEIGHTED_SHARE = 0.95, 0.05, 0.95
_FAR_M, _N_NAMED = 1000, 20
# Coordinates near a border often lie in another area than a list states; a column that was sorted
# on its own contradicts nearly all.
_CONTRADICTED_SHARE, _POSITIONS_CONTRADICTED_SHARE = 0.05, 0.5
_COARSE_DECIMALS, _COARSE_SHARE = 2, 0.05
_AGREEING_SHARE = 0.97
_OF_POSITIONS = "coordinates_in_another_lsoa_than_stated"
_BY_POSITION = (BY_NEAREST_POSTCODE, BY_BOUNDARIES)
# What to do about locations that coordinates do not place.
_ADVICE = {
    "no_postcode_near": "no live postcode with coordinates lies within `[places] within_m`",
    "outside_all_areas": "the boundaries are of other places, or the coordinates are wrong",
    "in_several_areas": "boundaries overlap there, or a border runs through the point",
}

LOCATIONS_ACCOUNTED = CheckSpec(
    "locations_accounted", "Every listed location is matched or rejected, once.", blocking=True
)
LOCATIONS_MATCHED = CheckSpec("locations_matched", "At least 95 % of the locations have an area.")
LOCATIONS_IN_ONE_AREA = CheckSpec(
    "locations_in_one_area", "At most 5 % of the locations serve postcodes of several LSOAs."
)
LOCATIONS_WEIGHTED = CheckSpec(
    "locations_weighted",
    "At least 95 % of the matched locations serve a live small-user postcode.",
)
LOCATIONS_CONSISTENT = CheckSpec(
    "locations_consistent",
    "The postcodes of at least 95 % of the locations lie within 1 km of each other and of the "
    "listed coordinates, and in the LSOA and city that the list states; so do at least half of the "
    "locations without a postcode.",
)
POSITIONS_PRECISE = CheckSpec(
    "positions_precise",
    "At most 5 % of the locations that coordinates place have such of two decimals (1 km).",
)
BOUNDARIES_PRECISE = CheckSpec(
    "boundaries_precise",
    "Where boundaries place locations, at least 97 % of the city's live postcodes lie within that "
    "of their LSOA.",
)
LOCATIONS = (
    LOCATIONS_ACCOUNTED,
    LOCATIONS_MATCHED,
    LOCATIONS_IN_ONE_AREA,
    LOCATIONS_WEIGHTED,
    LOCATIONS_CONSISTENT,
    POSITIONS_PRECISE,
    BOUNDARIES_PRECISE,
)


def location_findings(
    table: pd.DataFrame,
    rows: pd.DataFrame,
    faults: Mapping[str | None, int],
    agreement: Agreement | None = None,
) -> Findings:
    """Values and checks of one city's locations.

    Args:
        table: `LOCATIONS`, and by location `way`, what places it if anything does, as `placed_by`;
            `n_lsoas`, in how many LSOAs its postcodes lie; `metres` from its listed coordinates to
            the nearest of the listed postcodes that place it; `metres_near` to the postcode that
            was found for it; `metres_across` its known postcodes, 0 where they are all in one LSOA,
            which may be wide; `other_lsoa` and `other_city`, whether the list states one in which
            it does not lie. Each of these five is null where there is nothing to compare.
        rows: `LOCATION_LIST`, as read.
        faults: number of postcodes by the reason why they place no location; None for the others.
        agreement: of the city's live postcodes with the boundaries that place locations; None where
            they place none.
    """
    doubts = _doubts(table)
    counts = _counts(table, rows, faults)
    checks = [
        _locations_accounted(counts, table),
        _locations_matched(counts),
        _locations_in_one_area(counts),
        _locations_weighted(counts),
        _locations_consistent(doubts),
        _positions_precise(counts),
        _boundaries_precise(agreement),
    ]
    return Findings(
        counts
        | {
            "metres_from_postcodes_median": _median(table["metres"]),
            "metres_to_nearest_postcode_median": _median(table["metres_near"]),
        },
        checks,
        {"contradicted_locations": _contradicted(table, doubts)},
        holdings={"locations": counts["n_listed"], "matched locations": counts["n_matched"]},
    )


def _counts(
    table: pd.DataFrame, rows: pd.DataFrame, faults: Mapping[str | None, int]
) -> dict[str, int]:
    rejected, placed = table["reason"].value_counts(), table["placed_by"].value_counts()
    matched = table[table["status"] == "matched"]
    served = rows[["location_id", "postcode"]].drop_duplicates()
    coarse = (table[["lat", "lon"]] == table[["lat", "lon"]].round(_COARSE_DECIMALS)).all(axis=1)
    return {
        "n_listed": int(rows["location_id"].nunique()),
        "n_matched": len(matched),
        **{f"n_placed_by_{way}": int(placed.get(way, 0)) for way in WAYS},
        **{f"n_rejected_{reason}": int(rejected.get(reason, 0)) for reason in REASONS},
        "n_coarse_positions": int((coarse & table["placed_by"].isin(_BY_POSITION)).sum()),
        "n_postcodes": int(served["postcode"].nunique()),
        **{f"n_postcodes_{reason}": int(faults.get(reason, 0)) for reason in POSTCODE_REASONS},
        "n_postcodes_of_several_locations": int(served["postcode"].dropna().duplicated().sum()),
        "n_rows_repeated": len(rows) - len(served),
        "n_locations_over_several_lsoas": int((table["n_lsoas"] > 1).sum()),
        "n_matched_without_weight": int((matched["weight"] == 0).sum()),
        "n_lsoas": int(matched["area"].nunique()),
        "total_weight": int(matched["weight"].sum()),
    }


def _median(metres: pd.Series) -> int | None:
    median = metres.median()
    return None if pd.isna(median) else round(median)


def _locations_accounted(counts: Mapping[str, int], table: pd.DataFrame) -> Check:
    listed, matched = counts["n_listed"], counts["n_matched"]
    rejected = sum(counts[f"n_rejected_{reason}"] for reason in REASONS)
    passed = table["location_id"].is_unique and len(table) == listed == matched + rejected
    text = f"{listed:,} listed = {matched:,} matched + {rejected:,} rejected"
    return LOCATIONS_ACCOUNTED.result(passed, text)


def _locations_matched(counts: Mapping[str, int]) -> Check:
    listed, matched = counts["n_listed"], counts["n_matched"]
    if not listed:
        return LOCATIONS_MATCHED.not_tested(NONE_LISTED, passed=True)
    passed = matched >= _MATCHED_SHARE * listed
    text = f"{matched:,} of {listed:,} locations have an area"
    rejected = {reason: counts[f"n_rejected_{reason}"] for reason in REASONS}
    reasons = [f"{n:,} {reason}" for reason, n in rejected.items() if n]
    if not passed:
        text += (
            f" (expected {_MATCHED_SHARE:.0%}); the others are left out of training: "
            f"{', '.join(reasons)}; the table says which"
        )
        text += "".join(f"; {_ADVICE[reason]}" for reason in _ADVICE if rejected[reason])
    return LOCATIONS_MATCHED.result(passed, text)


def _locations_in_one_area(counts: Mapping[str, int]) -> Check:
    spread = counts["n_locations_over_several_lsoas"]
    if not counts["n_listed"]:
        return LOCATIONS_IN_ONE_AREA.not_tested(NONE_LISTED, passed=True)
    passed = spread <= _SPREAD_SHARE * counts["n_listed"]
    text = f"{spread:,} of {counts['n_listed']:,} locations serve postcodes of several LSOAs"
    if not passed:
        text += (
            f" (expected at most {_SPREAD_SHARE:.0%}) and count for the LSOA of most of them: list "
            "a location for the postcodes that its images show"
        )
    return LOCATIONS_IN_ONE_AREA.result(passed, text)


def _locations_weighted(counts: Mapping[str, int]) -> Check:
    matched, unweighted = counts["n_matched"], counts["n_matched_without_weight"]
    if not matched:
        text = "no location has an area, as locations_matched says"
        return LOCATIONS_WEIGHTED.not_tested(text, passed=True)
    passed = unweighted <= (1 - _WEIGHTED_SHARE) * matched
    text = f"{unweighted:,} of {matched:,} matched locations serve no live small-user postcode"
    if not passed:
        text += (
            f" (expected at most {1 - _WEIGHTED_SHARE:.0%}) and do not count in their area's "
            "score: does the list name postcodes of the study's date? Of a location without one, "
            "the nearest is then an organisation's"
        )
    return LOCATIONS_WEIGHTED.result(passed, text)


def _doubts(table: pd.DataFrame) -> dict[str, pd.Series]:
    """What contradicts what places a location, to a column of true, false and null."""
    by_position = table["way"].isin(_BY_POSITION)
    other_lsoa = table["other_lsoa"].astype("boolean")
    return {
        "coordinates_over_1_km_away": _beyond(table["metres"]),
        "postcodes_over_1_km_apart": _beyond(table["metres_across"]),
        "other_lsoa_stated": other_lsoa.mask(by_position),
        _OF_POSITIONS: other_lsoa.mask(~by_position),
        "other_city_stated": table["other_city"].astype("boolean"),
    }


def _beyond(metres: pd.Series) -> pd.Series:
    return (metres > _FAR_M).astype("boolean").mask(metres.isna())


def _most(doubt: str) -> float:
    """The share of locations of which it may be so."""
    return _POSITIONS_CONTRADICTED_SHARE if doubt == _OF_POSITIONS else _CONTRADICTED_SHARE


def _locations_consistent(doubts: Mapping[str, pd.Series]) -> Check:
    compared = {what: int(doubted.notna().sum()) for what, doubted in doubts.items()}
    if not any(compared.values()):
        text = "the list has no coordinates, areas or cities to compare with what places a location"
        return LOCATIONS_CONSISTENT.not_tested(text, passed=True)
    wrong = {what: int(doubted.sum()) for what, doubted in doubts.items()}
    parts = [
        f"{wrong[what]:,} of {n:,} {what.replace('_', ' ')}" for what, n in compared.items() if n
    ]
    text = "locations that contradict what places them: " + "; ".join(parts)
    failed = [what for what, n in compared.items() if wrong[what] > _most(what) * n]
    if failed:
        limits = " and ".join(f"{limit:.0%}" for limit in sorted({_most(what) for what in failed}))
        text += (
            f" (at most {limits} expected): postcodes decide, and coordinates where there are "
            "none, so these may lie in wrong areas; was a column of the list sorted, shifted or "
            "filled on its own? contradicted_locations names some"
        )
    return LOCATIONS_CONSISTENT.result(
        not failed, text, **{f"n_{what}": n for what, n in wrong.items()}
    )


def _positions_precise(counts: Mapping[str, int]) -> Check:
    n = sum(counts[f"n_placed_by_{way}"] for way in _BY_POSITION)
    coarse = counts["n_coarse_positions"]
    if not n:
        return POSITIONS_PRECISE.not_tested("coordinates place no location", passed=True)
    text = f"{coarse:,} of {n:,} locations have coordinates of {_COARSE_DECIMALS} decimals or fewer"
    passed = coarse <= _COARSE_SHARE * n
    if not passed:
        text += (
            f" (expected at most {_COARSE_SHARE:.0%}), which is a kilometre, so that they may lie "
            "in wrong areas: list the coordinates as they were recorded"
        )
    return POSITIONS_PRECISE.result(passed, text)


def _boundaries_precise(agreement: Agreement | None) -> Check:
    if agreement is None:
        return BOUNDARIES_PRECISE.not_tested("boundaries place no location", passed=True)
    n, agreeing = agreement
    if not n:
        text = (
            "no live postcode of the city has coordinates, so it is not known how generalised the "
            "boundaries are: take a postcode directory with coordinates"
        )
        return BOUNDARIES_PRECISE.not_tested(text)
    share = agreeing / n
    text = f"{agreeing:,} of the city's {n:,} live postcodes ({share:.1%}) lie in their LSOA"
    if share < _AGREEING_SHARE:
        text += (
            f" by these boundaries (expected {_AGREEING_SHARE:.0%}), so that about as many "
            "locations as postcodes are placed in a neighbouring area: they are generalised, or of "
            "another year: put the full-resolution (BFC) or generalised (BGC) boundaries of LSOAs "
            'into inputs/boundaries, or set by = "postcode" under [places] in study.toml'
        )
    return BOUNDARIES_PRECISE.result(share >= _AGREEING_SHARE, text, n=n, share_agreeing=share)


def _contradicted(table: pd.DataFrame, doubts: Mapping[str, pd.Series]) -> list[dict[str, Scalar]]:
    """The first locations that contradict what places them, with what does."""
    frame = pd.DataFrame({what: doubted.fillna(False) for what, doubted in doubts.items()})
    rows = []
    for place in frame.index[frame.any(axis=1)][:_N_NAMED]:
        what = ", ".join(name.replace("_", " ") for name in frame.columns[frame.loc[place]])
        named = table.loc[place, ["location_id", "postcodes"]].to_dict()
        rows.append(named | {"contradiction": what})
    return rows
