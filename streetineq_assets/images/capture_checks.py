"""Values, tables and checks of a city's captures, beside those of its images."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from streetineq_assets.findings import Check, CheckSpec, Findings, Scalar
from streetineq_assets.images.capture_listing import NO_FILE, UNLISTED, Listing
from streetineq_assets.images.captures import OUT_OF_RANGE
from streetineq_assets.images.checks import listing_findings
from streetineq_assets.images.directions import (
    FAR_DEG,
    LEAST_COMPARED,
    SIDES,
    Agreement,
    agreement,
    differences,
)
from streetineq_assets.images.headings import IN_THE_FUTURE, MOST_WITHIN_M, NO_COMPASS
from streetineq_assets.images.tables import MISSING, NOT_NEEDED, REJECTED, USED

_STATUSES = (USED, NOT_NEEDED, REJECTED, MISSING)
_APART_DEG, _FAR_SHARE, _AWAY_SHARE = 5.0, 0.2, 0.05
# What somebody can mend, and how. A capture far from all locations is none of it.
_REMEDY = {
    NO_FILE: "put the pictures below the city's images, called <capture_id>.jpg",
    NO_COMPASS: "state the direction in compass_deg, or drop the line",
    OUT_OF_RANGE: "devices write such numbers where they know no direction: as no_compass",
    IN_THE_FUTURE: "correct captured_at",
    UNLISTED: "correct location_id, or list that location",
    "unreadable": "give the right to read them, and names in UTF-8",
    "too_large": "save the pictures smaller",
}

CAPTURES_ACCOUNTED = CheckSpec(
    "captures_accounted",
    "Every listed capture is used, not needed, rejected or missing, once.",
    blocking=True,
)
CAPTURES_USABLE = CheckSpec(
    "captures_usable", "Every listed capture has its file, a direction and a listed location."
)
CAPTURES_NEAR = CheckSpec(
    "captures_near",
    "At least 95 % of the captures that are used stand within 200 m of the location they show.",
)
HEADINGS_AGREE = CheckSpec(
    "headings_agree",
    "Where captures state a second direction, the median difference is at most 5 degrees, and at "
    "most 20 % differ by more than 10.",
)
CAPTURES = (CAPTURES_ACCOUNTED, CAPTURES_USABLE, CAPTURES_NEAR, HEADINGS_AGREE)
_NONE_LISTED = "the city has no list of captures"


def city_findings(listing: Listing) -> Findings:
    """Values, tables and checks of one city's listing, its captures among them."""
    findings, captures = listing_findings(listing.catalogue), listing.captures
    if captures.empty:
        findings.checks += [spec.not_tested(_NONE_LISTED, passed=True) for spec in CAPTURES]
        return findings
    found = captures["status"].value_counts()
    counts: dict[str, int] = {
        "n_captures_listed": len(captures),
        **{f"n_captures_{status}": int(found.get(status, 0)) for status in _STATUSES},
        "n_captures_of_several_locations": int((captures["n_locations"] > 1).sum()),
        "n_views_of_captures": int(captures["n_views"].sum()),
    }
    compared = agreement(differences(captures))
    findings.values |= counts | _directions(compared)
    reasons = captures.groupby(["status", "reason"], dropna=False).size().reset_index(name="n")
    findings.tables["captures_by_reason"] = [
        {"status": row.status, "reason": _text(row.reason), "n_captures": int(row.n)}
        for row in reasons.itertuples()
    ]
    findings.checks += [
        _accounted(counts, listing),
        _usable(captures),
        _near(captures),
        headings_agree(compared),
    ]
    return findings


def headings_agree(compared: Agreement) -> Check:
    """Whether two measurements of the directions of captures agree, beyond what chance explains.

    The median counts as off where it lies more than 5 degrees from zero, and by more than its
    standard error further; the share of differences above 10 degrees counts as large beyond 20 %
    in the same way. In simulations with noise of 5 degrees (normal) nothing is found in over 99 %
    of samples of any size, and 10 degrees planted in over 99 % of samples of 20.
    """
    n, median, share = compared.n, compared.median_deg, compared.share_far
    if n < LEAST_COMPARED:
        text = (
            f"{n} captures state a second direction (second_compass_deg), {LEAST_COMPARED} needed"
        )
        return HEADINGS_AGREE.not_tested(text, passed=True)
    is_turned = abs(median) - compared.error_deg > _APART_DEG
    is_mixed = share - np.sqrt(share * (1 - share) / n) > _FAR_SHARE
    text = (
        f"of {n:,} captures with two directions the first lies {median:+.1f} degrees from the "
        f"second in the median, half of them within {compared.spread_deg:.1f} of that; "
        f"{share:.0%} differ by more than {FAR_DEG:g}"
    )
    if is_turned or is_mixed:
        sides = [
            f"{part:.0%} look about {abs(side)} degrees {SIDES[side]}"
            for side, part in compared.shares.items()
            if part >= _FAR_SHARE
        ]
        text += f" ({', '.join(sides)}, as of a camera mounted so)" if sides else ""
        text += (
            ": if the cameras were not turned on purpose, the views are not those of their "
            "headings; see directions.png, and correct compass_deg in the list of captures"
        )
    return HEADINGS_AGREE.result(
        not (is_turned or is_mixed), text, median_deg=median, share_far=share
    )


def _text(reason: object) -> str | None:
    return reason if isinstance(reason, str) else None


def _directions(compared: Agreement) -> dict[str, Scalar]:
    if not compared.n:
        return {}
    return {
        "n_directions_compared": compared.n,
        "direction_difference_median_deg": compared.median_deg,
        "direction_difference_spread_deg": compared.spread_deg,
    }


def _accounted(counts: Mapping[str, int], listing: Listing) -> Check:
    captures, images = listing.captures, listing.catalogue.images
    parts = [counts[f"n_captures_{status}"] for status in _STATUSES]
    n_views, listed = int(images["capture_id"].notna().sum()), counts["n_captures_listed"]
    passed = (
        captures["capture_id"].is_unique
        and listed == sum(parts)
        and n_views == counts["n_views_of_captures"]
        and bool(((captures["status"] == USED) == (captures["n_views"] > 0)).all())
        and bool(((captures["status"] == REJECTED) <= captures["reason"].notna()).all())
    )
    text = "{} captures = {} used + {} not needed + {} rejected + {} missing".format(listed, *parts)
    return CAPTURES_ACCOUNTED.result(passed, f"{text}; they show {n_views} views")


def _usable(captures: pd.DataFrame) -> Check:
    reasons = captures.loc[captures["reason"].isin(_REMEDY.keys()), "reason"].value_counts()
    n = int(reasons.sum())
    text = f"{n:,} of {len(captures):,} listed captures can show nothing"
    named = [f"{count:,} {reason}: {_REMEDY[str(reason)]}" for reason, count in reasons.items()]
    text += f" ({'; '.join(named)}); captures.parquet says which" if n else ""
    return CAPTURES_USABLE.result(n == 0, text, of=len(captures))


def _near(captures: pd.DataFrame) -> Check:
    """Those that name no location are near by choice; those that name one are believed."""
    metres = captures.loc[captures["status"] == USED, "metres"].dropna()
    if metres.empty:
        text = "no capture is used of which position and location are known"
        return CAPTURES_NEAR.not_tested(text, passed=True)
    n_away = int((metres > MOST_WITHIN_M).sum())
    passed = n_away <= _AWAY_SHARE * len(metres)
    text = f"{n_away:,} of {len(metres):,} used captures stand over 200 m from their location"
    if not passed:
        text += (
            ", which they name: was a column of the list sorted, shifted or filled on its "
            "own? captures.parquet has the metres"
        )
    return CAPTURES_NEAR.result(passed, text, n_away=n_away)
