"""Values, tables and checks of a city's listed images and of its locations' areas."""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from streetineq_assets.findings import Check, CheckSpec, Findings, Scalar
from streetineq_assets.images import naming
from streetineq_assets.images.catalogue import DAMAGED_ARCHIVE, VIEWS, Catalogue
from streetineq_assets.images.rights import NO, UNKNOWN, acts_of, with_answer
from streetineq_assets.images.tables import REASONS
from streetineq_assets.settings import Rights

_MATCHED_SHARE, _SPREAD_SHARE, _WEIGHTED_SHARE = 0.95, 0.05, 0.95
_FAR_M, _CONTRADICTED_SHARE, _N_NAMED = 1000, 0.05, 20
_STATES = ("complete", "incomplete", "missing")
_STATUSES = ("present", "missing", "unreadable")
# What to do about foreign files, where it is not about their names.
_ADVICE = {
    "copy": "named as a copy; remove it, or rename it where the original is gone",
    "hidden": "in the trash, hidden, or a system's own; never used",
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
FILES_KNOWN = CheckSpec("files_known", "Every file is a view of a listed location, or a capture.")
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
    "listed coordinates, and in the LSOA and city that the list states.",
)
LOCATIONS = (
    LOCATIONS_ACCOUNTED,
    LOCATIONS_MATCHED,
    LOCATIONS_IN_ONE_AREA,
    LOCATIONS_WEIGHTED,
    LOCATIONS_CONSISTENT,
)
_NONE_LISTED = "no location is listed, as city_listed of street_images says"


# -- street_images -------------------------------------------------------------------------------


def listing_findings(catalogue: Catalogue) -> Findings:
    """Values, tables and checks of one city's listing."""
    images, foreign = catalogue.images, catalogue.foreign_files
    by_name = images[images["capture_id"].isna()]  # views of one capture share its file
    states = _states(images)
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
        _locations_complete(counts, images),
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


def _locations_complete(counts: Mapping[str, int], images: pd.DataFrame) -> Check:
    n_listed = counts["n_listed"]
    if not n_listed:
        return LOCATIONS_COMPLETE.not_tested(_NONE_LISTED, passed=True)
    without = n_listed - counts["n_locations_complete"]
    text = f"{without} of {n_listed} listed locations lack the image of some view"
    if without:
        lacking = images.loc[images["status"] != "present", "view"].value_counts().sort_index()
        views = ", ".join(f"{view} of {n}" for view, n in lacking.items())
        text += (
            f" ({views}) and get no codes, since a location needs all four; views_without_image "
            "counts the reasons"
        )
    return LOCATIONS_COMPLETE.result(without == 0, text)


def _archives_intact(damaged: pd.DataFrame) -> Check:
    text = f"{len(damaged)} archives are damaged"
    if len(damaged):
        first = damaged.head(5)
        faults = zip(first["path"], first["damage"], strict=True)
        named = "; ".join(f"{path}: {damage}" for path, damage in faults)
        text += f", and what lies behind the damage is missing: {named}. Copy them again"
    return ARCHIVES_INTACT.result(damaged.empty, text)


def _files_known(counts: Mapping[str, int], catalogue: Catalogue) -> Check:
    foreign = counts["n_foreign_files"]
    text = f"{foreign} of {counts['n_files']} files are no view of a listed location"
    text += " and no capture" if counts["n_captures"] else ""
    if foreign:
        text += " and are not used: foreign_files.parquet names them, with reasons"
        text += "".join(f"; {each}" for each in _examples(catalogue))
    return FILES_KNOWN.result(foreign == 0, text)


def _examples(catalogue: Catalogue) -> Iterator[str]:
    """For each reason that somebody can mend, the first file, and what to do."""
    listed = catalogue.images["location_id"].unique()
    for reason, files in catalogue.foreign_files.groupby("reason"):
        names = files["member"].fillna(files["path"])
        images = [name for name in names if naming.is_image(name)]
        if reason in ("unlisted_location", "other_name"):
            if images:
                yield f"{len(images)} images such as {images[0]}: {naming.hint(images[0], listed)}"
        elif reason in _ADVICE:
            yield f"{len(files)} such as {names.iloc[0]}: {_ADVICE[reason]}"


# -- locations -----------------------------------------------------------------------------------


def location_findings(
    table: pd.DataFrame, rows: pd.DataFrame, faults: Mapping[str | None, int]
) -> Findings:
    """Values and checks of one city's locations.

    Args:
        table: `LOCATIONS`, and by location `n_lsoas`, in how many LSOAs its postcodes lie; `metres`
            from its listed coordinates to the nearest postcode that places it; `metres_across` its
            known postcodes, 0 where they are all in one LSOA, which may be wide; `other_lsoa`
            and `other_city`, whether the list states one in which none of its postcodes lies. Each
            is null where there is nothing to compare.
        rows: `LOCATION_LIST`, as read.
        faults: number of postcodes by the reason why they place no location; None for the others.
    """
    rejected = table["reason"].value_counts()
    matched = table[table["status"] == "matched"]
    served = rows[["location_id", "postcode"]].drop_duplicates()
    counts: dict[str, int] = {
        "n_listed": int(rows["location_id"].nunique()),
        "n_matched": len(matched),
        **{f"n_rejected_{reason}": int(rejected.get(reason, 0)) for reason in REASONS},
        "n_postcodes": int(served["postcode"].nunique()),
        **{f"n_postcodes_{reason}": int(faults.get(reason, 0)) for reason in REASONS},
        "n_postcodes_of_several_locations": int(served["postcode"].duplicated().sum()),
        "n_rows_repeated": len(rows) - len(served),
        "n_locations_over_several_lsoas": int((table["n_lsoas"] > 1).sum()),
        "n_matched_without_weight": int((matched["weight"] == 0).sum()),
        "n_lsoas": int(matched["lsoa11"].nunique()),
        "total_weight": int(matched["weight"].sum()),
    }
    distance = table["metres"].median()
    medians = {"metres_from_postcodes_median": None if pd.isna(distance) else round(distance)}
    doubts = _doubts(table)
    checks = [
        _locations_accounted(counts, table),
        _locations_matched(counts),
        _locations_in_one_area(counts),
        _locations_weighted(counts),
        _locations_consistent(doubts),
    ]
    return Findings(
        counts | medians,
        checks,
        {"contradicted_locations": _contradicted(table, doubts)},
        holdings={"locations": counts["n_listed"], "matched locations": counts["n_matched"]},
    )


def _locations_accounted(counts: Mapping[str, int], table: pd.DataFrame) -> Check:
    listed, matched = counts["n_listed"], counts["n_matched"]
    rejected = sum(counts[f"n_rejected_{reason}"] for reason in REASONS)
    passed = table["location_id"].is_unique and len(table) == listed == matched + rejected
    text = f"{listed:,} listed = {matched:,} matched + {rejected:,} rejected"
    return LOCATIONS_ACCOUNTED.result(passed, text)


def _locations_matched(counts: Mapping[str, int]) -> Check:
    listed, matched = counts["n_listed"], counts["n_matched"]
    if not listed:
        return LOCATIONS_MATCHED.not_tested(_NONE_LISTED, passed=True)
    passed = matched >= _MATCHED_SHARE * listed
    text = f"{matched:,} of {listed:,} locations have an area"
    rejected = {reason: counts[f"n_rejected_{reason}"] for reason in REASONS}
    reasons = [f"{n:,} {reason}" for reason, n in rejected.items() if n]
    if not passed:
        text += (
            f" (expected {_MATCHED_SHARE:.0%}); the others are left out of training: "
            f"{', '.join(reasons)}; the table says which"
        )
    return LOCATIONS_MATCHED.result(passed, text)


def _locations_in_one_area(counts: Mapping[str, int]) -> Check:
    spread = counts["n_locations_over_several_lsoas"]
    if not counts["n_listed"]:
        return LOCATIONS_IN_ONE_AREA.not_tested(_NONE_LISTED, passed=True)
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
            "score: does the list name postcodes of the study's date?"
        )
    return LOCATIONS_WEIGHTED.result(passed, text)


def _doubts(table: pd.DataFrame) -> dict[str, pd.Series]:
    """What contradicts the postcodes that place a location, to a column of true, false and null."""
    return {
        "coordinates_over_1_km_away": _beyond(table["metres"]),
        "postcodes_over_1_km_apart": _beyond(table["metres_across"]),
        "other_lsoa_stated": table["other_lsoa"].astype("boolean"),
        "other_city_stated": table["other_city"].astype("boolean"),
    }


def _beyond(metres: pd.Series) -> pd.Series:
    return (metres > _FAR_M).astype("boolean").mask(metres.isna())


def _locations_consistent(doubts: Mapping[str, pd.Series]) -> Check:
    compared = {what: int(doubted.notna().sum()) for what, doubted in doubts.items()}
    if not any(compared.values()):
        text = "the list has no coordinates, areas or cities to compare its postcodes with"
        return LOCATIONS_CONSISTENT.not_tested(text, passed=True)
    wrong = {what: int(doubted.sum()) for what, doubted in doubts.items()}
    parts = [
        f"{wrong[what]:,} of {n:,} {what.replace('_', ' ')}" for what, n in compared.items() if n
    ]
    text = "locations that their postcodes contradict: " + "; ".join(parts)
    failed = [what for what, n in compared.items() if wrong[what] > _CONTRADICTED_SHARE * n]
    if failed:
        text += (
            f" (at most {_CONTRADICTED_SHARE:.0%} expected): the postcodes decide, so these may "
            "lie in wrong areas; was a column of the list sorted, shifted or filled on its own? "
            "contradicted_locations names some"
        )
    return LOCATIONS_CONSISTENT.result(
        not failed, text, **{f"n_{what}": n for what, n in wrong.items()}
    )


def _contradicted(table: pd.DataFrame, doubts: Mapping[str, pd.Series]) -> list[dict[str, Scalar]]:
    """The first locations that their postcodes contradict, with what does."""
    frame = pd.DataFrame({what: doubted.fillna(False) for what, doubted in doubts.items()})
    rows = []
    for place in frame.index[frame.any(axis=1)][:_N_NAMED]:
        what = ", ".join(name.replace("_", " ") for name in frame.columns[frame.loc[place]])
        named = table.loc[place, ["location_id", "postcodes"]].to_dict()
        rows.append(named | {"contradiction": what})
    return rows


# -- rights --------------------------------------------------------------------------------------


def rights_held(table: pd.DataFrame, rights: Rights) -> Check:
    """Whether anything that the study does with its images is forbidden.

    What is not known is neither allowed nor forbidden: it blocks nothing.

    Args:
        table: `tables.IMAGE_RIGHTS` of a city.
    """
    acts = acts_of(rights)
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
