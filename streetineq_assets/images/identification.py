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
from streetineq_assets.images.archives import folder_of, is_archive
from streetineq_assets.images.litter import litter_kind
from streetineq_assets.images.name_hints import hint, proposal
from streetineq_assets.images.naming import (
    AMBIGUOUS,
    Naming,
    composed,
    is_image,
    is_other_archive,
    stem,
)
from streetineq_assets.images.positions import COARSE, NOWHERE, SEVERAL

# Why an image is no view, where other names or another list would make it one.
BY_NAME = (NOWHERE, "other_name", "copy", AMBIGUOUS, SEVERAL, COARSE)

_NEVER_READ = ("unsafe_path", "link", "special_file")


def identify(named: pd.DataFrame, naming: Naming, capture_ids: Collection[str]) -> pd.DataFrame:
    """What each file is: a view, a capture, or foreign.

    Args:
        named: `NAMED_FILES`.
        naming: how views are named.
        capture_ids: ids of captures; a file that is a view by its name is none.

    Returns:
        `named` with `location_id` and `view`, or `capture_id`, or the reason why it is `foreign`;
        what does not apply is null.
    """
    paths = paths_of(named)
    said = naming.identify_all(paths)
    named["location_id"] = pd.Series([location_id for location_id, _, _ in said], dtype="str")
    named["view"] = pd.Series([view for _, view, _ in said], dtype="str")
    named["capture_id"] = _captures(paths, capture_ids)
    foreign = named["problem"].where(named["problem"].isin(_NEVER_READ))
    foreign = foreign.fillna(pd.Series([litter_kind(path) for path in paths], dtype="str"))
    known = named["location_id"].notna() | named["capture_id"].notna()
    strange = np.flatnonzero(foreign.isna() & ~known)
    is_member = named["member"].notna().to_numpy()
    foreign.iloc[strange] = [
        _why_strange(paths[row], said[row][2], naming, is_member=is_member[row]) for row in strange
    ]
    named["foreign"] = foreign
    is_view = foreign.isna() & named["location_id"].notna()
    named[["location_id", "view"]] = named[["location_id", "view"]].where(is_view)
    named["capture_id"] = named["capture_id"].where(foreign.isna() & ~is_view)
    return named


def paths_of(files: pd.DataFrame) -> list[str]:
    """The path of each file below the city's folder; an archive is a folder of its name.

    Args:
        files: frame `path, member`.
    """
    is_member = files["member"].notna()
    folders = {path: folder_of(path) for path in files.loc[is_member, "path"].unique()}
    inside = files["path"].map(folders).astype("str") + "/" + files["member"]
    return files["path"].where(~is_member, inside).tolist()


def images_among(files: pd.DataFrame) -> pd.DataFrame:
    """Those of the files whose endings are images', readable ones or not."""
    return files[np.array([is_image(path) for path in paths_of(files)], dtype=bool)]


def _captures(paths: list[str], capture_ids: Collection[str]) -> pd.Series:
    """The capture whose id is the whole name of a file, but for folders and ending."""
    written = {composed(each): each for each in capture_ids}
    stems = [stem(path) for path in paths] if written else []
    found = [each and written.get(each) for each in stems]
    return pd.Series(found or None, index=range(len(paths)), dtype="str")


def _why_strange(path: str, why: str | None, naming: Naming, *, is_member: bool) -> str:
    """Why a file is no view of a listed location, by its name.

    Args:
        why: as the patterns tell it.
    """
    if naming.is_copy(path):
        return "copy"
    if why:
        return why
    if is_member and is_archive(path):
        return "nested_archive"
    return "other_archive" if is_other_archive(path) else "other_name"


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


def refuse_other_names(
    root: Path, named: pd.DataFrame, naming: Naming, *, of_captures: bool
) -> None:
    """A folder of images of which none is a listed location's is a folder of wrong names.

    Args:
        named: as `identify` gives them.
        of_captures: whether captures are listed too.

    Raises:
        SourceError: naming the first image, the name expected, the nearest listed id, and the
            setting by which most would be views.
    """
    images = images_among(named[named["foreign"].isin(BY_NAME)])
    if images.empty:
        return
    paths = paths_of(images)
    remedy = proposal(paths, naming, keeping=False) or (
        "rename the files, mend the list, or say under [images] how they are called, as in "
        'names = ["{id}_{heading}"]'
    )
    what = "view of a listed location" + (" or a listed capture" if of_captures else "")
    first = _file_name(root, next(images.itertuples()))
    raise SourceError(
        f"none of the {len(images)} images below {root} is a {what}: expected are names "
        f"{naming.in_words()}, and {first} is not one of them; {hint(paths[0], naming)}; {remedy}"
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
