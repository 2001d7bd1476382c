"""Which captures of a provider are to be fetched, where there are none, and what it would cost.

Of each wanted location the captures around it are known by their metadata alone. Which of them show
it is said by `images.headings`, as for captures of one's own. A location is planned where all four
views are shown; of one that lacks a view nothing would be encoded, so nothing is fetched. A capture
serves one location, the nearest: two with the same picture would teach the same thing twice.
"""

import datetime as dt
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from streetineq_assets.image_settings import Imagery, Views
from streetineq_assets.imagery.providers import Provider
from streetineq_assets.imagery.tables import IMAGERY_PLAN, PLAN_CAPTURES, PlanRecord
from streetineq_assets.images.catalogue import VIEWS, bucket_of
from streetineq_assets.images.headings import assign_headings
from streetineq_assets.images.rights import find_terms
from streetineq_assets.tables import conform

_BYTES_PER_SECOND = 2.5e6  # of a line of 20 Mbit/s

PLANNED, GAP = "planned", "gap"
TAKEN_BY_ANOTHER = "shows_a_nearer_location"
OTHER_VIEW_LACKING = "another_view_is_lacking"
EXCLUSIONS = ("undated", "before_since", "after_until", "no_panorama", "licence_unknown")


def exclusions(captures: pd.DataFrame, settings: Imagery) -> pd.Series:
    """Why a capture is not to be taken, whatever it shows; null where it may be.

    Args:
        captures: with the columns of `images.tables.CAPTURES`.
        settings: `[imagery]` of study.toml.
    """
    at = captures["captured_at"]
    licences = captures["licence"].astype(object).where(captures["licence"].notna(), None)
    known = {licence: find_terms("licence", licence) for licence in licences.unique()}
    dated = settings.since is not None or settings.until is not None
    faults = {
        "undated": at.isna() & dated,
        "before_since": at < pd.Timestamp(settings.since) if settings.since else False,
        "after_until": at >= pd.Timestamp(settings.until) if settings.until else False,
        "no_panorama": (captures["projection"] != "equirectangular") & settings.panoramas_only,
        "licence_unknown": [known[licence] is None for licence in licences],
    }
    reasons = pd.Series(None, index=captures.index, dtype=object)
    for reason in EXCLUSIONS:
        reasons = reasons.mask(reasons.isna() & np.asarray(faults[reason], dtype=bool), reason)
    return reasons


def plan_captures(
    wanted: pd.DataFrame,
    captures: pd.DataFrame,
    *,
    views: Views,
    settings: Imagery,
    city: str,
    buckets: int,
    now: dt.datetime,
) -> pd.DataFrame:
    """Which capture shows each view of each wanted location, and why none does.

    Args:
        wanted: a frame of the schema `WANTED`.
        captures: all that the provider has around the locations, with the columns of
            `images.tables.CAPTURES`.
        now: captures of later are not believed.

    Returns:
        A frame of the schema `IMAGERY_PLAN`, four rows for each location.
    """
    excluded = exclusions(captures, settings)
    rows = assign_headings(wanted, captures[excluded.isna()], views, now=now)
    others = assign_headings(wanted, captures[excluded.notna()], views, now=now)
    rows = _explain(rows, others, dict(zip(captures["capture_id"], excluded, strict=True)))
    rows = _each_capture_once(rows)
    whole = rows.groupby("location_id")["capture_id"].transform("count") == len(VIEWS)
    lacking = rows["reason"].mask(rows["capture_id"].notna(), OTHER_VIEW_LACKING)
    rows = rows.assign(
        status=np.where(whole, PLANNED, GAP),
        reason=lacking.mask(whole),
        bucket=[bucket_of(city, each, buckets) for each in rows["location_id"]],
    )
    rows = wanted.merge(rows, on="location_id", validate="one_to_many")
    return conform(rows.sort_values(["location_id", "view"]), IMAGERY_PLAN)


def _explain(rows: pd.DataFrame, others: pd.DataFrame, excluded: Mapping[str, str]) -> pd.DataFrame:
    """Of a view that an excluded capture would show, why that is excluded.

    Args:
        rows: by location and view, what the captures show that may be taken.
        others: aligned with `rows`, what the excluded ones would.
    """
    would = rows["capture_id"].isna() & others["capture_id"].notna()
    return rows.assign(reason=rows["reason"].mask(would, others["capture_id"].map(excluded)))


def _each_capture_once(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave a capture to the nearest of the locations that it shows, ties by id."""
    used = rows.dropna(subset=["capture_id"]).sort_values(["metres", "location_id"])
    nearest = used.drop_duplicates("capture_id").set_index("capture_id")["location_id"]
    lost = rows["capture_id"].notna() & (rows["capture_id"].map(nearest) != rows["location_id"])
    return rows.assign(
        capture_id=rows["capture_id"].mask(lost),
        offset_deg=rows["offset_deg"].mask(lost),
        metres=rows["metres"].mask(lost),
        reason=rows["reason"].mask(lost, TAKEN_BY_ANOTHER),
    )


def list_captures(rows: pd.DataFrame, captures: pd.DataFrame, settings: Imagery) -> pd.DataFrame:
    """All captures that were found, by id, and which are to be fetched: schema `PLAN_CAPTURES`."""
    planned = set(rows.loc[rows["status"] == PLANNED, "capture_id"])
    marked = captures.assign(
        planned=captures["capture_id"].isin(planned), reason=exclusions(captures, settings)
    )
    return conform(marked.sort_values("capture_id"), PLAN_CAPTURES)


def cost_of(found: pd.DataFrame, provider: Provider, requests_per_minute: int) -> PlanRecord:
    """What it would take to fetch the planned captures.

    The hours are those of the requests at the study's pace, or of the bytes over a line of 20
    Mbit/s, whichever are more.

    Args:
        found: a frame of the schema `PLAN_CAPTURES`.
    """
    planned = found[found["planned"]]
    sizes = [
        provider.typical_bytes(width, height)
        for width, height in zip(planned["width_px"], planned["height_px"], strict=True)
    ]
    n_requests = len(planned) + math.ceil(len(planned) / provider.ids_per_request)
    return PlanRecord(
        n_images=len(planned),
        gigabytes=sum(sizes) / 1e9,
        n_requests=n_requests,
        hours=max(n_requests / requests_per_minute / 60, sum(sizes) / _BYTES_PER_SECOND / 3600),
    )


def location_list(rows: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The planned locations as a list like those that people bring.

    A location lies where its captures were taken, on average, and serves the postcode of which it
    is a sample. Where captures have several licences the list states none: each is asked by itself.

    Returns:
        `location_id, postcode, lat, lon, captured_at, provider, licence, creator`, by id.
    """
    planned = rows[rows["status"] == PLANNED].drop_duplicates(["location_id", "capture_id"])
    columns = ["capture_id", "lat", "lon", "captured_at", "provider", "licence", "creator"]
    shown = planned[["location_id", "postcode", "capture_id"]].merge(found[columns])
    grouped = shown.sort_values(["location_id", "capture_id"]).groupby("location_id", sort=True)
    listed = grouped.agg(
        postcode=("postcode", "first"),
        lat=("lat", "mean"),
        lon=("lon", "mean"),
        captured_at=("captured_at", "max"),
        provider=("provider", "first"),
        licence=("licence", _common),
        creator=("creator", _joined),
    ).reset_index()
    listed["captured_at"] = listed["captured_at"].dt.strftime("%Y-%m-%d")
    return listed


def _joined(texts: pd.Series) -> str | None:
    """Each text once, in order; None for none."""
    return "; ".join(sorted(set(texts.dropna()))) or None


def _common(texts: pd.Series) -> str | None:
    """The text that all share; None where they differ."""
    shared = set(texts)
    return shared.pop() if len(shared) == 1 else None
