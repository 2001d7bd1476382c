"""A city's listing with its captures: which file shows a view of which no file bears the name.

An image by name is the view that it is called. For what is left, the captures are asked: those
whose file is there, by the rules of `headings`. A capture of which no file is there shows nothing,
and each view that it would have shown says so. Every capture of the list is accounted for: used,
not needed, rejected with a reason, or missing.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets import tables
from streetineq_assets.image_settings import Views
from streetineq_assets.images.catalogue import Catalogue, FileEntry, list_images
from streetineq_assets.images.headings import (
    IN_THE_FUTURE,
    TOO_FAR,
    assign_headings,
    metres_to_nearest,
    nearest_heading,
)
from streetineq_assets.images.tables import (
    CAPTURE_USE,
    MISSING,
    NOT_NEEDED,
    PERSPECTIVE,
    REJECTED,
    STREET_IMAGES,
    USED,
)
from streetineq_assets.name_patterns import DEFAULT_NAMES

NO_FILE, UNLISTED, BETWEEN = "no_file", "unlisted_location", "between_headings"
_KEY = ["location_id", "view"]
_FILE = ["path", "member", "size_bytes", "modified_ns"]
_CAMERA = ["projection", "compass_deg", "pitch_deg", "roll_deg"]
_TERMS = ["provider", "licence"]


@dataclass(frozen=True)
class Listing:
    """A city's images and captures.

    Attributes:
        catalogue: its `images` are those by name and, for the other views, those of captures.
        captures: a frame of `CAPTURE_USE`, sorted by id; empty where the city lists none.
        terms: `provider, licence` of the images of each location, null where neither the list of
            locations nor that of captures states them. Where both do and differ, or captures do, a
            location has a row for each.
    """

    catalogue: Catalogue
    captures: pd.DataFrame
    terms: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write the catalogue's files, and `captures.parquet`."""
        self.catalogue.write(folder)
        tables.write(self.captures, CAPTURE_USE, folder / "captures.parquet")


def list_city(
    root: Path,
    locations: pd.DataFrame,
    captures: pd.DataFrame,
    views: Views,
    *,
    now: dt.datetime,
    city: str,
    buckets: int,
    names: Sequence[str] = DEFAULT_NAMES,
    files: Sequence[FileEntry] | None = None,
    known_archives: pd.DataFrame | None = None,
) -> Listing:
    """List a city's images, by name and of captures.

    Args:
        root, city, buckets, names, files, known_archives: as in `list_images`.
        locations: of the schema `LOCATION_LIST`.
        captures: of the schema `CAPTURE_LIST`.
        views, now: as in `assign_headings`.

    Raises:
        SourceError: as `list_images`.
    """
    catalogue = list_images(
        root,
        locations["location_id"],
        city=city,
        buckets=buckets,
        names=names,
        positions=locations,
        capture_ids=captures["capture_id"].tolist(),
        files=files,
        known_archives=known_archives,
    )
    places = locations.groupby("location_id")[["lat", "lon"]].first().reset_index()
    sources = _Sources(catalogue, places, captures, views, now)
    shown = _assigned(sources)
    images = _filled(sources, shown)
    use = _use(sources, shown)
    filled = replace(catalogue, images=images)
    return Listing(filled, use, terms_of_images(locations, images, use))


def terms_of_images(
    locations: pd.DataFrame, images: pd.DataFrame, captures: pd.DataFrame
) -> pd.DataFrame:
    """Under which terms the images of each location stand, as in `Listing.terms`.

    Args:
        locations: `location_id, provider, licence`, any number of rows for each.
        images: `location_id, capture_id` of all views.
        captures: `capture_id, provider, licence`.
    """
    stated = locations.groupby("location_id")[_TERMS].first().reset_index()
    shown = images.loc[images["capture_id"].notna(), ["location_id", "capture_id"]]
    own = shown.drop_duplicates().merge(captures[["capture_id", *_TERMS]], on="capture_id")
    both = own.merge(stated, on="location_id", suffixes=("_own", ""))
    by_list = pd.DataFrame({name: both[name].fillna(both[f"{name}_own"]) for name in _TERMS})
    by_capture = pd.DataFrame({name: both[f"{name}_own"].fillna(both[name]) for name in _TERMS})
    # What the list states holds for images by name, and for a location that has none at all.
    by_name = images.loc[images["capture_id"].isna() & images["path"].notna(), "location_id"]
    is_stated = stated["location_id"].isin(by_name) | ~stated["location_id"].isin(
        shown["location_id"]
    )
    rows = pd.concat(
        [
            stated[is_stated],
            by_list.assign(location_id=both["location_id"]),
            by_capture.assign(location_id=both["location_id"]),
        ]
    )
    rows = rows.drop_duplicates().sort_values(["location_id", *_TERMS])
    return rows[_TERMS].reset_index(drop=True)


@dataclass(frozen=True)
class _Sources:
    """What is known before captures are assigned; `places` has `location_id, lat, lon`."""

    catalogue: Catalogue
    places: pd.DataFrame
    captures: pd.DataFrame
    views: Views
    now: dt.datetime

    def problems(self, captures: pd.DataFrame) -> pd.Series:
        """Why the file of each of these captures cannot be used, null where it can."""
        files = self.catalogue.captures.set_index("capture_id")["problem"]
        is_there = captures["capture_id"].isin(files.index)
        return captures["capture_id"].map(files).where(is_there, NO_FILE)


def _assigned(sources: _Sources) -> pd.DataFrame:
    """`ASSIGNED_VIEWS` of the views without an image by name; none where no capture is listed."""
    images, places, captures = sources.catalogue.images, sources.places, sources.captures
    is_lacking = (images["status"] == "missing") & (len(captures) > 0)
    lacking = images.loc[is_lacking, _KEY]
    places = places[places["location_id"].isin(lacking["location_id"])]
    problems = sources.problems(captures)
    views, now = sources.views, sources.now
    shown = assign_headings(places, captures[problems.isna()], views, now=now)
    if problems.notna().any():
        wanted = assign_headings(places, captures, views, now=now)["capture_id"]
        why = wanted.map(problems.set_axis(captures["capture_id"]))
        shown["reason"] = why.where(shown["capture_id"].isna() & why.notna(), shown["reason"])
    return shown.merge(lacking, on=_KEY)


def _filled(sources: _Sources, shown: pd.DataFrame) -> pd.DataFrame:
    """The images by name, and those of captures for the other views."""
    images = sources.catalogue.images.merge(
        shown[[*_KEY, "capture_id", "reason"]], on=_KEY, how="left", suffixes=("", "_shown")
    )
    capture, why = images.pop("capture_id_shown"), images.pop("reason_shown")
    is_shown = capture.notna()
    images["reason"] = why.where(why.notna(), images["reason"]).mask(is_shown)
    images["status"] = images["status"].mask(is_shown, "present")
    images["capture_id"] = capture
    files = sources.catalogue.captures.set_index("capture_id")[_FILE]
    cameras = sources.captures.set_index("capture_id")[_CAMERA]
    for known in (files, cameras):
        for name in known.columns:
            # In place: through floats, times of change would lose their last digits.
            images.loc[is_shown, name] = known[name].reindex(capture[is_shown]).array
    return tables.conform(images, STREET_IMAGES)


def _use(sources: _Sources, shown: pd.DataFrame) -> pd.DataFrame:
    """`CAPTURE_USE`: what became of every capture."""
    use = sources.captures.sort_values("capture_id", ignore_index=True)
    nearest = pd.Series(metres_to_nearest(sources.places, use))
    at = shown[shown["capture_id"].notna()].sort_values(["metres", *_KEY])
    served = at.drop_duplicates("capture_id").set_index("capture_id")
    of_capture = at.groupby("capture_id")
    use["n_locations"] = use["capture_id"].map(of_capture["location_id"].nunique()).fillna(0)
    use["n_views"] = use["capture_id"].map(of_capture.size()).fillna(0)
    is_used = use["n_views"] > 0
    reasons = _reasons(sources, use, nearest).mask(is_used)
    use["reason"] = reasons
    use["status"] = np.select(
        [is_used, reasons == NO_FILE, reasons.notna()], [USED, MISSING, REJECTED], NOT_NEEDED
    )
    finite = nearest.where(np.isfinite(nearest))
    use["metres"] = use["capture_id"].map(served["metres"]).where(is_used, finite)
    use["offset_deg"] = use["capture_id"].map(served["offset_deg"])
    of_place = use["capture_id"].map(served["location_id"]).astype("str")
    use["location_id"] = use["location_id"].fillna(of_place)
    return tables.conform(use, CAPTURE_USE)


def _reasons(sources: _Sources, use: pd.DataFrame, nearest: pd.Series) -> pd.Series:
    """Why each capture could show nothing, the first that holds; null where it could.

    Args:
        use: the captures, in the order of `nearest`, metres to a listed location.
    """
    names, most = use["location_id"], sources.views
    _, offset = nearest_heading(use["compass_deg"])
    problems = sources.problems(use)
    reasons = problems.where(problems.notna(), use["compass_problem"])
    later = pd.Timestamp(sources.now).tz_convert("UTC").tz_localize(None)
    for reason, holds in (
        (IN_THE_FUTURE, use["captured_at"] > later),
        (UNLISTED, names.notna() & ~names.isin(sources.places["location_id"])),
        (TOO_FAR, names.isna() & (nearest > most.within_m)),
        (BETWEEN, (use["projection"] == PERSPECTIVE) & (np.abs(offset) > most.tolerance_deg)),
    ):
        reasons = reasons.mask(reasons.isna() & holds, reason)
    return reasons
