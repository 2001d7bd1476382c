"""What a listing of images found, and whether it adds up.

What belongs here: accounts by location, view and file, and the checks of `street_images`. What does
not: the listing itself (`catalogue`).
"""

import pandas as pd

from streetineq_assets.findings import Check, Findings, Scalar
from streetineq_assets.images.catalogue import VIEWS, Catalogue

DAMAGED = "damaged_archive"
KEPT_SHARE = 0.5
"""A listing that loses more than this share of its images at once is taken for a disk's fault."""
_STATES = ("complete", "incomplete", "missing")
_STATUSES = ("present", "missing", "unreadable")


def listing_findings(catalogue: Catalogue, before: pd.DataFrame | None = None) -> Findings:
    """Accounts and checks of one city's listing.

    Args:
        before: `location_id, view, status` of the last listing, if there was one.
    """
    images, foreign = catalogue.images, catalogue.foreign_files
    states = _states(images)
    archives = catalogue.archive_members[catalogue.archive_members["member"].isna()]
    damaged = archives[archives["damage"].notna()]
    figures: dict[str, Scalar] = {
        "listed": len(states),
        **{f"locations_{state}": int((states == state).sum()) for state in _STATES},
        **{f"views_{state}": int((images["status"] == state).sum()) for state in _STATUSES},
        "files": catalogue.n_files,
        "archives": len(archives),
        "foreign_files": int((foreign["reason"] != DAMAGED).sum()),
        "bytes_of_images": int(images["size_bytes"].sum()),
    }
    tables = {
        "views_without_image": _counts(images.loc[images["status"] != "present", "reason"]),
        "foreign_by_reason": _counts(foreign["reason"]),
        "damaged_archives": damaged[["path", "damage"]].to_dict("records"),
    }
    checks = [
        _accounting(figures, images),
        _files_accounted(figures, images),
        Check(
            "city_listed",
            figures["listed"] > 0,
            f"{figures['listed']} locations are listed in inputs/locations/<city>.csv",
        ),
        _images_kept(images, before),
        _all_complete(figures),
        _archives_intact(damaged),
        Check(
            "files_known",
            figures["foreign_files"] == 0,
            f"{figures['foreign_files']} of {figures['files']} files are no listed location's view",
        ),
    ]
    return Findings(figures, checks, tables)


def _states(images: pd.DataFrame) -> pd.Series:
    """Each location: complete with four images, missing with no file at all, else incomplete."""
    counts = pd.crosstab(images["location_id"], images["status"])
    counts = counts.reindex(columns=list(_STATUSES), fill_value=0)
    states = pd.Series("incomplete", index=counts.index, dtype="str")
    states[counts["present"] == len(VIEWS)] = "complete"
    states[counts["missing"] == len(VIEWS)] = "missing"
    return states


def _counts(reasons: pd.Series) -> list[dict[str, Scalar]]:
    counts = reasons.value_counts().sort_index()
    return [{"reason": str(reason), "count": int(n)} for reason, n in counts.items()]


def _accounting(figures: dict[str, Scalar], images: pd.DataFrame) -> Check:
    parts = [figures[f"locations_{state}"] for state in _STATES]
    unique = not images.duplicated(["location_id", "view"]).any()
    passed = figures["listed"] == sum(parts) and len(images) == len(VIEWS) * figures["listed"]
    text = "{} listed = {} complete + {} incomplete + {} missing".format(figures["listed"], *parts)
    return Check("accounting", bool(passed and unique), text, blocking=True)


def _files_accounted(figures: dict[str, Scalar], images: pd.DataFrame) -> Check:
    views, foreign = int(images["path"].notna().sum()), figures["foreign_files"]
    text = f"{figures['files']} files = {views} views of listed locations + {foreign} others"
    return Check("files_accounted", figures["files"] == views + foreign, text, blocking=True)


def _images_kept(images: pd.DataFrame, before: pd.DataFrame | None) -> Check:
    """Of the views that were present, those whose location is listed still are present still."""
    had = kept = 0
    if before is not None:
        present = before.loc[before["status"] == "present", ["location_id", "view"]]
        both = present.merge(images[["location_id", "view", "status"]], on=["location_id", "view"])
        had, kept = len(both), int((both["status"] == "present").sum())
    text = f"{kept} of the {had} images that were there before are there"
    passed = kept >= KEPT_SHARE * had
    if not passed:
        text += (
            ": is the images' disk mounted? If they were removed on purpose, take their locations "
            "off the list"
        )
    return Check("images_kept", passed, text, blocking=True)


def _all_complete(figures: dict[str, Scalar]) -> Check:
    without = figures["listed"] - figures["locations_complete"]
    text = f"{without} of {figures['listed']} listed locations lack an image of some view"
    return Check("locations_complete", without == 0, text)


def _archives_intact(damaged: pd.DataFrame) -> Check:
    named = "; ".join(f"{row.path}: {row.damage}" for row in damaged.head(5).itertuples())
    text = f"{len(damaged)} archives are damaged" + (f": {named}" if named else "")
    return Check("archives_intact", damaged.empty, text)
