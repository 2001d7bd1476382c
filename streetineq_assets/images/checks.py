"""Values, tables and checks of a city's listed images, and whether their rights are held."""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from streetineq_assets.findings import Check, CheckSpec, Findings, Scalar
from streetineq_assets.image_settings import Rights
from streetineq_assets.images.catalogue import DAMAGED_ARCHIVE, VIEWS, Catalogue
from streetineq_assets.images.identification import BY_NAME, images_among, paths_of
from streetineq_assets.images.litter import KINDS
from streetineq_assets.images.name_hints import hint, proposal
from streetineq_assets.images.rights import NO, UNKNOWN, acts_of, with_answer

_STATES = ("complete", "incomplete", "missing")
_STATUSES = ("present", "missing", "unreadable")
# What to do about foreign files, where it is not about their names.
_ADVICE = {
    "copy": "named as a copy; remove it, or rename it where the original is gone",
    "link": "a symbolic link in an archive is not followed; pack the files themselves",
    "nested_archive": "an archive in an archive is not read; unpack the outer one",
    "other_archive": "not read; unpack it, or pack it as .zip or .tar",
}

ACCOUNTING = CheckSpec(
    "accounting", "Every listed location has one row for each of its four views.", blocking=True
)
FILES_ACCOUNTED = CheckSpec(
    "files_accounted", "Every file is a view, a capture or is counted as foreign.", blocking=True
)
CITY_LISTED = CheckSpec("city_listed", "The city has a list of locations.")
LOCATIONS_COMPLETE = CheckSpec("locations_complete", "Every listed location has all its images.")
ARCHIVES_INTACT = CheckSpec("archives_intact", "Every archive can be read to its end.")
FILES_KNOWN = CheckSpec(
    "files_known", "Every file is a view of a listed location, a capture, or litter of systems."
)
RIGHTS = CheckSpec(
    "rights", "No terms of a provider or licence forbid what the study does.", blocking=True
)
STREET_IMAGES = (
    ACCOUNTING,
    FILES_ACCOUNTED,
    CITY_LISTED,
    LOCATIONS_COMPLETE,
    ARCHIVES_INTACT,
    FILES_KNOWN,
    RIGHTS,
)

NONE_LISTED = "no location is listed, as city_listed of street_images says"


# -- street_images -------------------------------------------------------------------------------


def listing_findings(catalogue: Catalogue) -> Findings:
    """Values, tables and checks of one city's listing."""
    images, foreign = catalogue.images, catalogue.foreign_files
    by_name = images[images["capture_id"].isna()]  # views of one capture share its file
    states = _states(images)
    litter = foreign.loc[foreign["reason"].isin(KINDS), "reason"]
    archives = catalogue.archive_members[catalogue.archive_members["member"].isna()]
    damaged = archives[archives["damage"].notna()]
    counts: dict[str, int] = {
        "n_listed": len(states),
        **{f"n_locations_{state}": int((states == state).sum()) for state in _STATES},
        **{f"n_views_{status}": int((images["status"] == status).sum()) for status in _STATUSES},
        "n_files": catalogue.n_files,
        "n_captures": len(catalogue.captures),
        "n_archives": len(archives),
        "n_foreign_files": int((foreign["reason"] != DAMAGED_ARCHIVE).sum()),
        "n_litter_files": len(litter),
        **{f"n_litter_{kind}": int(n) for kind, n in litter.value_counts(sort=False).items()},
        "image_bytes": int(by_name["size_bytes"].sum() + catalogue.captures["size_bytes"].sum()),
    }
    without_image = images.loc[images["status"] != "present", "reason"]
    tables = {
        "views_without_image": _count_reasons(without_image, "n_views"),
        "foreign_by_reason": _count_reasons(foreign["reason"], "n_files"),
        "damaged_archives": damaged[["path", "damage"]].to_dict("records"),
    }
    checks = [
        _accounting(counts, images),
        _files_accounted(counts, by_name),
        _city_listed(counts),
        _locations_complete(counts, images, foreign),
        _archives_intact(damaged),
        _files_known(counts, catalogue),
    ]
    holdings = {"locations": counts["n_listed"], "images": counts["n_views_present"]}
    return Findings(dict(counts), checks, tables, holdings=holdings)


def _states(images: pd.DataFrame) -> pd.Series:
    """Each location: complete with four images, missing with no file at all, else incomplete."""
    counts = pd.crosstab(images["location_id"], images["status"])
    counts = counts.reindex(columns=list(_STATUSES), fill_value=0)
    states = pd.Series("incomplete", index=counts.index, dtype="str")
    states[counts["present"] == len(VIEWS)] = "complete"
    states[counts["missing"] == len(VIEWS)] = "missing"
    return states


def _count_reasons(reasons: pd.Series, counted: str) -> list[dict[str, Scalar]]:
    counts = reasons.value_counts().sort_index()
    return [{"reason": str(reason), counted: int(n)} for reason, n in counts.items()]


def _accounting(counts: Mapping[str, int], images: pd.DataFrame) -> Check:
    parts = [counts[f"n_locations_{state}"] for state in _STATES]
    unique = not images.duplicated(["location_id", "view"]).any()
    passed = counts["n_listed"] == sum(parts) and len(images) == len(VIEWS) * counts["n_listed"]
    text = "{} listed = {} complete + {} incomplete + {} missing".format(counts["n_listed"], *parts)
    return ACCOUNTING.result(passed and unique, text)


def _files_accounted(counts: Mapping[str, int], by_name: pd.DataFrame) -> Check:
    views = int(by_name["path"].notna().sum())
    captures, foreign = counts["n_captures"], counts["n_foreign_files"]
    text = f"{counts['n_files']} files = {views} views of listed locations + "
    text += f"{captures} captures + {foreign} others" if captures else f"{foreign} others"
    return FILES_ACCOUNTED.result(counts["n_files"] == views + captures + foreign, text)


def _city_listed(counts: Mapping[str, int]) -> Check:
    text = f"the city's list names {counts['n_listed']} locations"
    if not counts["n_listed"]:
        text += "; the city is unavailable until there is one that names some"
    return CITY_LISTED.result(counts["n_listed"] > 0, text)


def _locations_complete(
    counts: Mapping[str, int], images: pd.DataFrame, foreign: pd.DataFrame
) -> Check:
    n_listed = counts["n_listed"]
    if not n_listed:
        return LOCATIONS_COMPLETE.not_tested(NONE_LISTED, passed=True)
    without = n_listed - counts["n_locations_complete"]
    text = f"{without} of {n_listed} listed locations lack the image of some view"
    if without:
        lacking = images.loc[images["status"] != "present", "view"].value_counts().sort_index()
        views = ", ".join(f"{view} of {n}" for view, n in lacking.items())
        text += (
            f" ({views}) and get no codes where they have fewer than least_views under [images]; "
            "views_without_image counts the reasons"
        )
        text += _images_among_litter(foreign)
    return LOCATIONS_COMPLETE.result(without == 0, text)


def images_not_needed() -> Check:
    """In the place of `locations_complete` where codes are brought."""
    return LOCATIONS_COMPLETE.not_tested(
        "codes are brought, so that no image is needed", passed=True
    )


def _images_among_litter(foreign: pd.DataFrame) -> str:
    """Where images are lacking: those that would be there, had a system not put them away."""
    kinds = set(KINDS) - {"system_file"}
    images = paths_of(images_among(foreign[foreign["reason"].isin(kinds)]))
    if not images:
        return ""
    return f"; {len(images)} images are in the trash, hidden or in conflict, such as {images[0]}"


def _archives_intact(damaged: pd.DataFrame) -> Check:
    text = f"{len(damaged)} archives are damaged"
    if len(damaged):
        first = damaged.head(5)
        faults = zip(first["path"], first["damage"], strict=True)
        named = "; ".join(f"{path}: {damage}" for path, damage in faults)
        text += f", and what lies behind the damage is missing: {named}. Copy them again"
    return ARCHIVES_INTACT.result(damaged.empty, text)


def _files_known(counts: Mapping[str, int], catalogue: Catalogue) -> Check:
    litter = counts["n_litter_files"]
    unknown = counts["n_foreign_files"] - litter
    text = f"{unknown} of {counts['n_files']} files are no view of a listed location"
    text += " and no capture" if counts["n_captures"] else ""
    if unknown:
        text += " and are not used: foreign_files.parquet names them, with reasons"
        text += "".join(f"; {each}" for each in _examples(catalogue))
    if litter:
        text += f"; {litter} more are litter of systems and programs: {_litter_kinds(counts)}"
    return FILES_KNOWN.result(unknown == 0, text)


def _examples(catalogue: Catalogue) -> Iterator[str]:
    """For each reason that somebody can mend, the first file, and what to do."""
    foreign, naming = catalogue.foreign_files, catalogue.naming
    images = images_among(foreign[foreign["reason"].isin(BY_NAME)])
    for reason, files in foreign.groupby("reason"):
        if reason in _ADVICE:
            name = files["member"].fillna(files["path"]).iloc[0]
            yield f"{len(files)} such as {name}: {_ADVICE[reason]}"
        elif len(named := paths_of(images[images["reason"] == reason])):
            yield f"{len(named)} images such as {named[0]}: {hint(named[0], naming)}"
    if proposed := proposal(paths_of(images), naming, keeping=True):
        yield f"of these images, {proposed}"


def _litter_kinds(counts: Mapping[str, int]) -> str:
    found = {kind.replace("_", " "): counts.get(f"n_litter_{kind}", 0) for kind in KINDS}
    return ", ".join(f"{n} {kind}" for kind, n in found.items() if n)


# -- rights --------------------------------------------------------------------------------------


def rights_held(table: pd.DataFrame, rights: Rights, *, keeps: bool = True) -> Check:
    """Whether anything that the study does with its images is forbidden.

    What is not known is neither allowed nor forbidden: it blocks nothing.

    Args:
        table: `tables.IMAGE_RIGHTS` of a city.
        keeps: as in `rights.acts_of`.
    """
    acts = acts_of(rights, keeps=keeps)
    done, n = " and ".join(_in_words(acts)), int(table["n_locations"].sum())
    forbidden, unknown = (with_answer(table, acts, answer) for answer in (NO, UNKNOWN))
    n_forbidden = int(forbidden["n_locations"].sum())
    n_unknown = int(unknown["n_locations"].sum())
    counts = {"n_locations": n, "n_forbidden": n_forbidden, "n_unknown": n_unknown}
    if n_forbidden:
        first = forbidden.iloc[0]
        return RIGHTS.result(False, _forbidden(first, acts, n_forbidden, n), **counts)
    if not n:
        return RIGHTS.not_tested("no location is listed", passed=True, **counts)
    if n_unknown:
        text = f"of {n_unknown:,} of {n:,} locations it is not known whether one may {done}"
        return RIGHTS.not_tested(text, passed=True, **counts)
    return RIGHTS.result(True, f"one may {done} of all {n:,} locations", **counts)


def _in_words(acts: Iterable[str]) -> list[str]:
    return [act.replace("_", " ") for act in acts]


def _forbidden(row: pd.Series, acts: Iterable[str], n_forbidden: int, n: int) -> str:
    """What is forbidden of most locations, and the three remedies."""
    what = " or ".join(_in_words(act for act in acts if row[act] == NO))
    own = pd.notna(row["agreement"])
    terms = f"your agreement: {row['agreement']}" if own else row["source"]
    conditions = "" if own or pd.isna(row["conditions"]) else f": {row['conditions']}"
    return (
        f"{n_forbidden:,} of {n:,} locations have images with which the study does what is "
        f"forbidden: those of provider {row['provider']} and licence {row['licence']} (as written: "
        f"{row['as_written']}), which one may not {what} ({terms}{conditions}). Leave such "
        "locations out of the list; or take images whose terms allow it and state their provider "
        "and licence; or, if you have an agreement, write what it allows and the reason under "
        f"[rights.agreements.{row['provider']}] in study.toml (and set publish_codes or "
        "show_images to false if nothing is published). What was made before stays"
    )
