"""Which view of which listed location each file of a city is, or which capture, or why neither.

What names say is in `naming`. Here it is held against the list: two files of one view, and a folder
in which no image has a listed name, are refused.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.images import naming
from streetineq_assets.images.archives import is_archive

_NEVER_READ = ("unsafe_path", "link", "special_file")


def identify(named: pd.DataFrame, listed: list[str], capture_ids: Collection[str]) -> pd.DataFrame:
    """What each file is: a view, a capture, or foreign.

    Args:
        named: `NAMED_FILES`.
        listed: ids of locations.
        capture_ids: ids of captures; a file that is a view by its name is none.

    Returns:
        `named` with `location_id` and `view`, or `capture_id`, or the reason why it is `foreign`;
        what does not apply is null.
    """
    written = {naming.composed(each): each for each in listed}
    names = named["member"].fillna(named["path"]).tolist()
    views = [naming.parse(name) for name in names]
    named["location_id"] = pd.Series([v and written.get(v.location_id) for v in views], dtype="str")
    named["view"] = pd.Series([v and v.view for v in views], dtype="str")
    named["capture_id"] = _captures(names, capture_ids)
    foreign = named["problem"].where(named["problem"].isin(_NEVER_READ))
    paths = (named["path"] + "/" + named["member"].fillna("")).tolist()
    litter = np.array([naming.is_litter(path) for path in paths], dtype=bool)
    foreign = foreign.mask(foreign.isna() & litter, "hidden")
    known = named["location_id"].notna() | named["capture_id"].notna()
    strange = np.flatnonzero(foreign.isna() & ~known)
    is_member = named["member"].notna().tolist()
    reasons = [_why_strange(names[row], written, is_member=is_member[row]) for row in strange]
    foreign.iloc[strange] = reasons
    named["foreign"] = foreign
    is_view = foreign.isna() & named["location_id"].notna()
    named[["location_id", "view"]] = named[["location_id", "view"]].where(is_view)
    named["capture_id"] = named["capture_id"].where(foreign.isna() & ~is_view)
    return named


def _captures(names: list[str], capture_ids: Collection[str]) -> pd.Series:
    """The capture whose id is the whole name of a file, but for folders and ending."""
    written = {naming.composed(each): each for each in capture_ids}
    stems = [naming.stem(name) for name in names] if written else []
    found = [stem and written.get(stem) for stem in stems]
    return pd.Series(found or None, index=range(len(names)), dtype="str")


def _why_strange(name: str, listed: Collection[str], *, is_member: bool) -> str:
    """Why a file is no view of a listed location, by its name."""
    if naming.is_copy(name, listed):
        return "copy"
    if naming.parse(name):
        return "unlisted_location"
    if is_member and is_archive(name):
        return "nested_archive"
    return "other_archive" if naming.is_other_archive(name) else "other_name"


def refuse_another_place(root: Path) -> None:
    """The city's folder is not there, but one in other letters is, or an archive of its name.

    Raises:
        SourceError: naming what is there.
    """
    if root.exists() or not root.parent.is_dir():
        return
    city = root.name.casefold()
    for other in sorted(root.parent.iterdir()):
        name = other.name.casefold()
        if name == city or (is_archive(name) and name.partition(".")[0] == city):
            raise SourceError(
                f"{root} is not there, but {other} is: rename the folder, or put the archive into "
                f"a folder {root.name}"
            )


def refuse_other_names(root: Path, named: pd.DataFrame, listed: list[str]) -> None:
    """A folder of images of which none is a listed location's is a folder of wrong names.

    Raises:
        SourceError: naming the first image, the name expected and the nearest listed id.
    """
    by_name = named[named["foreign"].isin(["unlisted_location", "other_name", "copy"])]
    names = by_name["member"].fillna(by_name["path"])
    images = by_name[[naming.is_image(name) for name in names]]
    if images.empty:
        return
    first = next(images.itertuples())
    name = first.member if isinstance(first.member, str) else first.path
    raise SourceError(
        f"none of the {len(images)} images below {root} is a view of a listed location: expected "
        f"are names <location_id>_<a|b|c|d>.<png|jpg|jpeg|webp>, and "
        f"{_file_name(root, first)} is not one of them; {naming.hint(name, listed)}. Rename the "
        "files or mend the list"
    )


def refuse_duplicates(root: Path, files: pd.DataFrame, key: list[str], what: str) -> None:
    """Two files of one view or capture: which of them is meant cannot be known.

    Args:
        files: as `identify` gives them.
        key: the columns that say what a file is.
        what: that in words.

    Raises:
        SourceError: naming both files.
    """
    twice = files[files.duplicated(key, keep=False)]
    if twice.empty:
        return
    twice = twice.sort_values([*key, "path", "member"])
    first, second = (_file_name(root, row) for row in twice.head(2).itertuples())
    more = twice.groupby(key).ngroups - 1
    raise SourceError(
        f"{first} and {second} are the same {what}: remove one of them"
        + (f" ({more} more have two files: is a folder there twice?)" if more else "")
    )


def _file_name(root: Path, row: Any) -> str:
    return f"{root / row.path}" + (f" (member {row.member})" if isinstance(row.member, str) else "")
