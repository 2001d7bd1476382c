"""Values and checks of a city's plan, and of a bucket's fetched images."""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.findings import AVAILABLE, Check, CheckSpec, Findings, Scalar
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.planning import GAP, PLANNED
from streetineq_assets.imagery.tables import FETCHED, MISSING, REJECTED, PlanRecord
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.progress import in_words

_COVERED_SHARE, _LOST_SHARE = 0.9, 0.05

PLAN_ACCOUNTED = CheckSpec(
    "plan_accounted", "Every view of every wanted location is planned or a gap.", blocking=True
)
AREAS_COVERED = CheckSpec(
    "areas_covered",
    "At least 90 % of the areas have as many planned locations as the study wants at least.",
)
SEARCH_COMPLETE = CheckSpec("search_complete", "No box of the search had more captures than came.")
WITHIN_LIMIT = CheckSpec(
    "within_limit", "The plan is estimated at no more than study.toml lets be fetched."
)
IMAGERY_PLAN = (AVAILABLE, PLAN_ACCOUNTED, AREAS_COVERED, SEARCH_COMPLETE, WITHIN_LIMIT)

FETCH_ACCOUNTED = CheckSpec(
    "fetch_accounted",
    "Every planned view was fetched, rejected with a reason, or is missing.",
    blocking=True,
)
PICTURES_INTACT = CheckSpec(
    "pictures_intact", "Every fetched picture has the sha256 that was recorded.", blocking=True
)
FETCH_COMPLETE = CheckSpec("fetch_complete", "At least 95 % of the planned views were fetched.")
IMAGERY = (AVAILABLE, FETCH_ACCOUNTED, PICTURES_INTACT, FETCH_COMPLETE)


def plan_checks(
    rows: pd.DataFrame,
    areas: pd.Series,
    cost: PlanRecord,
    settings: Imagery,
    *,
    n_not_exhausted: int,
) -> list[Check]:
    """Every check of `IMAGERY_PLAN`, in its order.

    Args:
        rows: a frame of the schema `tables.IMAGERY_PLAN`.
        areas: the codes of the city's areas.
        n_not_exhausted: boxes in which the provider has more captures than it gave.
    """
    return [
        AVAILABLE.result(True, "the provider was asked for every location"),
        _plan_accounted(rows),
        _areas_covered(rows, areas, settings),
        _search_complete(n_not_exhausted),
        within_limit(cost, settings),
    ]


def _plan_accounted(rows: pd.DataFrame) -> Check:
    n_planned, n_gaps = (int((rows["status"] == status).sum()) for status in (PLANNED, GAP))
    n = rows["location_id"].nunique() * len(VIEWS)
    reasons = rows["reason"].notna() == (rows["status"] == GAP)
    unique = not rows.duplicated(["location_id", "view"]).any()
    text = f"{n:,} views wanted = {n_planned:,} planned + {n_gaps:,} gaps"
    return PLAN_ACCOUNTED.result(
        n == n_planned + n_gaps and bool(reasons.all()) and unique, text, of=n
    )


def _areas_covered(rows: pd.DataFrame, areas: pd.Series, settings: Imagery) -> Check:
    planned = rows[rows["status"] == PLANNED].drop_duplicates("location_id")
    counts = planned["area"].value_counts().reindex(areas, fill_value=0)
    short, least = int((counts < settings.least_per_area).sum()), settings.least_per_area
    text = (
        f"{short:,} of {len(areas):,} areas have fewer than {least} planned locations, "
        f"{int((counts == 0).sum()):,} have none"
    )
    passed = short <= (1 - _COVERED_SHARE) * len(areas)
    if not passed:
        text += (
            "; gaps_by_reason says why: raise per_area, within_m under [views], or the span of "
            "time, or accept that these areas are not predicted"
        )
    return AREAS_COVERED.result(passed, text, of=len(areas), n_short=short)


def _search_complete(n_not_exhausted: int) -> Check:
    text = f"{n_not_exhausted} boxes had more captures than the provider gave at once"
    if n_not_exhausted:
        text += ", even where they were split: the captures that it named are those of the edges"
    return SEARCH_COMPLETE.result(n_not_exhausted == 0, text)


def within_limit(cost: PlanRecord, settings: Imagery) -> Check:
    """Whether as much may be fetched as the plan is estimated at; by the settings of today."""
    limit = settings.most_gigabytes
    text = (
        f"about {cost.gigabytes:.2g} GB in {cost.n_images:,} images, "
        f"about {in_words(3600 * cost.hours)}"
    )
    if not cost.n_images:
        return WITHIN_LIMIT.not_tested("nothing is planned", passed=True)
    if cost.gigabytes > limit:
        text += (
            f"; study.toml lets {limit:g} GB be fetched: look at this plan, then set "
            "most_gigabytes under [imagery]"
        )
    return WITHIN_LIMIT.result(cost.gigabytes <= limit, text, of=cost.n_images)


def plan_findings(
    rows: pd.DataFrame, cost: PlanRecord, counts: Mapping[str, int], checks: list[Check]
) -> Findings:
    """What the UI shows of a plan.

    Args:
        counts: what happened on the way: requests, captures, faults by kind.
    """
    whole = rows.groupby("location_id")["status"].first().value_counts()
    gaps = rows[rows["status"] == GAP]["reason"].value_counts()
    planned = rows[rows["status"] == PLANNED]
    per_area = planned.drop_duplicates("location_id")["area"].value_counts()
    values: dict[str, Scalar] = {
        "n_locations_wanted": int(rows["location_id"].nunique()),
        "n_locations_planned": int(whole.get(PLANNED, 0)),
        "n_images_planned": cost.n_images,
        "gigabytes_estimated": round(cost.gigabytes, 3),
        "n_requests_estimated": cost.n_requests,
        "hours_estimated": round(cost.hours, 2),
        "n_areas_with_locations": len(per_area),
        "metres_to_capture_median": _rounded(planned["metres"].median()),
        **counts,
    }
    tables = {"gaps_by_reason": _by_reason(gaps)}
    holdings = {"planned locations": int(whole.get(PLANNED, 0))}
    return Findings(values, checks, tables, holdings=holdings, record=cost)


def _by_reason(counts: pd.Series) -> list[dict[str, Scalar]]:
    return [{"reason": str(reason), "n_views": int(n)} for reason, n in counts.items()]


def _rounded(metres: float) -> float | None:
    return None if pd.isna(metres) else round(float(metres), 1)


def fetch_findings(rows: pd.DataFrame, counts: Mapping[str, int], *, n_packed: int) -> Findings:
    """Values and checks of one bucket's images.

    Args:
        rows: a frame of the schema `tables.IMAGERY`.
        counts: what happened on the way: requests, bytes, faults by kind.
        n_packed: pictures in the archive, each of the sha256 that was recorded.
    """
    by_status = rows["status"].value_counts()
    lost = rows[rows["status"] != FETCHED]["reason"].value_counts()
    n_fetched = int(by_status.get(FETCHED, 0))
    pictures = rows.dropna(subset=["sha256"]).drop_duplicates("capture_id")
    values: dict[str, Scalar] = {
        "n_views_planned": len(rows),
        **{f"n_views_{s}": int(by_status.get(s, 0)) for s in (FETCHED, REJECTED, MISSING)},
        "n_pictures": len(pictures),
        "picture_bytes": int(pictures["size_bytes"].sum()),
        **counts,
    }
    checks = [
        AVAILABLE.result(True, "the plan may be fetched"),
        _fetch_accounted(rows, by_status),
        _pictures_intact(n_packed, len(pictures)),
        _fetch_complete(rows, n_fetched, lost),
    ]
    tables = {"not_fetched": _by_reason(lost)}
    return Findings(values, checks, tables, holdings={"fetched views": n_fetched})


def _fetch_accounted(rows: pd.DataFrame, by_status: pd.Series) -> Check:
    parts = [int(by_status.get(status, 0)) for status in (FETCHED, REJECTED, MISSING)]
    explained = rows["reason"].notna() == (rows["status"] != FETCHED)
    text = "{:,} planned = {:,} fetched + {:,} rejected + {:,} missing".format(len(rows), *parts)
    return FETCH_ACCOUNTED.result(
        len(rows) == sum(parts) and bool(explained.all()), text, of=len(rows)
    )


def _pictures_intact(n_packed: int, n_pictures: int) -> Check:
    text = f"{n_packed:,} of {n_pictures:,} fetched pictures are in the archive as recorded"
    return PICTURES_INTACT.result(n_packed == n_pictures, text, of=n_pictures)


def _fetch_complete(rows: pd.DataFrame, n_fetched: int, lost: pd.Series) -> Check:
    if rows.empty:
        return FETCH_COMPLETE.not_tested("nothing is planned in this bucket", passed=True)
    text = f"{n_fetched:,} of {len(rows):,} planned views were fetched"
    passed = len(rows) - n_fetched <= _LOST_SHARE * len(rows)
    if not passed:
        text += f"; not fetched: {', '.join(f'{n:,} {reason}' for reason, n in lost.items())}"
    return FETCH_COMPLETE.result(passed, text, of=len(rows))
