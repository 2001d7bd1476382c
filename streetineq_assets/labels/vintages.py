"""Between the LSOAs of 2011 and those of 2021, for sources that are published on the others alone.

Counts and scores are carried over ONS' lookup between the two vintages. Ranks and deciles are
neither carried nor averaged, since a rank says nothing about distances: what they were made of is
carried and ranked anew.

The lookup is ONS' "LSOA (2011) to LSOA (2021) to Local Authority District (2022) Exact Fit Lookup
for England and Wales": a table with `LSOA11CD` (in its first edition `F_LSOA11CD`), `LSOA21CD` and
`CHGIND`. U: unchanged, one to one. S: split, one area of 2011 became several. M: merged, several
became one. X: irregular, several became several others. In England 31,810 areas of 2011 are U, 834
S, 194 M, 6 X. Its best-fit sister has one row per area, so that a split area would take the score
of one part: it is refused.

Carrying goes by links, in either direction. A source's area j gives each area i of the study that
it is linked to the share s_ij = p_i / (sum of p over all areas linked to j), p the persons or
households of the study's areas: all of it where i is alone. A count of i is then the sum over j of
s_ij c_j: exact where i is made of whole areas j, else an estimate. A score (a rate or a mean) of i
is the mean of its j's scores with weights s_ij q_j, q the persons or households of the source's
areas: exact for U, and the whole's own score for parts of one j.
"""

from pathlib import Path

import pandas as pd

from streetineq_assets.area_vintages import LSOA11, VINTAGES, AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.labels.deciles import WorstEnd
from streetineq_assets.spreadsheets.columns import LSOA_CODE, find_column, normalise, read_columns
from streetineq_assets.spreadsheets.sheets import Sheet, data_files, read_sheets

LOOKUP = (
    '"LSOA (2011) to LSOA (2021) to Local Authority District (2022) Exact Fit Lookup for EW" '
    "(Office for National Statistics, Open Geography Portal)"
)
CHANGES = {"U": "unchanged", "S": "split", "M": "merged", "X": "irregular"}
_OLD, _NEW = ("LSOA11CD", "F_LSOA11CD"), ("LSOA21CD",)
_TABLES = {".csv", ".xlsx", ".xls"}


def find_lookup(folder: Path) -> Path | None:
    """The lookup below a folder, recognised by its columns; None when there is none.

    Raises:
        SourceError: there are several, or a table is damaged.
    """
    tables = [path for path in data_files(folder) if _TABLES & set(map(str.lower, path.suffixes))]
    lookups = [path for path in tables if any(map(_has_both_codes, read_sheets(path)))]
    if len(lookups) > 1:
        one, other = lookups[:2]
        raise SourceError(f"{one} and {other} are both lookups of LSOAs: keep one of them")
    return lookups[0] if lookups else None


def read_links(path: Path) -> pd.DataFrame:
    """Which areas of the two vintages overlap.

    Returns:
        `lsoa11, lsoa21, change`, each link once, by code. `change` is the file's own indicator; in
        a file without one it follows from the links.

    Raises:
        SourceError: it is not such a lookup, it is one of best fit or lacks links, or a code or an
            indicator is malformed.
    """
    sheets = read_sheets(path)
    sheet = next(filter(_has_both_codes, sheets), sheets[0])
    header = sheet.head[0] if sheet.head else (1, [])
    positions = {
        "lsoa11": find_column(sheet, header, _OLD, table=LOOKUP),
        "lsoa21": find_column(sheet, header, _NEW, table=LOOKUP),
    }
    if "chgind" in [normalise(cell) for cell in header[1]]:
        positions["change"] = find_column(sheet, header, ["CHGIND"], table=LOOKUP)
    columns = read_columns(sheet, header, positions.values())
    texts = {name: columns.texts[i].to_pandas() for name, i in positions.items()}
    links = pd.DataFrame(texts, dtype="str")
    if links.empty:
        raise SourceError(f"{sheet.at()} holds a header and no areas: download it again")
    allowed = {
        name: links[name].isin(list(CHANGES)) if name == "change" else _are_codes(links[name])
        for name in positions
    }
    for name, good in allowed.items():
        if not good.all():
            row = int((~good).to_numpy().argmax())
            what = "U, S, M or X" if name == "change" else "the code of an LSOA"
            at = columns.at(row, positions[name])
            raise SourceError(f"{at}: {links[name][row]!r} is not {what}")
    links = links.drop_duplicates(["lsoa11", "lsoa21"])
    links = links.sort_values(["lsoa11", "lsoa21"], ignore_index=True)
    _refuse_inexact(sheet, links)
    return links if "change" in links else links.assign(change=_changes(links))


def _refuse_inexact(sheet: Sheet, links: pd.DataFrame) -> None:
    """Stop at a lookup that does not hold all links of its areas."""
    if "change" in links:
        kinds = _changes(links)
        wrong = links[links["change"] != kinds]
        if len(wrong):
            link = wrong.iloc[0]
            raise SourceError(
                f"{sheet.at()}: {link['lsoa11']} to {link['lsoa21']} is marked {link['change']} "
                f"({CHANGES[link['change']]}), and by the rows that are there it is "
                f"{CHANGES[kinds[wrong.index[0]]]} (so for {len(wrong):,} rows): rows are missing: "
                f"take the whole {LOOKUP}"
            )
        return
    changed = links["lsoa11"] != links["lsoa21"]
    once = links["lsoa11"].is_unique or links["lsoa21"].is_unique
    if changed.any() and once:
        raise SourceError(
            f"{sheet.at()} has one row per LSOA and no column CHGIND, so that it is a best-fit "
            f"lookup, which drops parts of areas that were split or merged: take {LOOKUP}"
        )


def count_changes(links: pd.DataFrame, vintage: AreaVintage = LSOA11) -> dict[str, int]:
    """How many areas of a vintage are of each kind, keys U, S, M, X."""
    kinds = links.drop_duplicates(vintage.key)["change"].value_counts()
    return {kind: int(kinds.get(kind, 0)) for kind in CHANGES}


def carry_counts(
    counts: pd.Series,
    links: pd.DataFrame,
    *,
    to: AreaVintage = LSOA11,
    target_weights: pd.Series | None = None,
) -> pd.Series:
    """Counts of areas of one vintage as counts of those of the other; their sum is kept.

    Args:
        counts: by area, with every area of their vintage in `links`.
        links: as `read_links` returns them.
        to: the vintage to which they are carried.
        target_weights: persons or households by area of `to`; needed where an area goes to several,
            for these.

    Returns:
        Float by area of `to`; NaN where any part is.

    Raises:
        SourceError: an area's count or weight is absent.
    """
    old, new = _ends(links, to)
    everywhere = pd.Series(True, index=links.index)
    share = _shares(old, new, target_weights, everywhere)
    return _summed(share * _looked_up(counts, old, "count"), new).rename(counts.name)


def carry_scores(
    scores: pd.Series,
    links: pd.DataFrame,
    *,
    to: AreaVintage = LSOA11,
    source_weights: pd.Series | None = None,
    target_weights: pd.Series | None = None,
) -> pd.Series:
    """Rates or means of areas of one vintage as those of the other.

    Args:
        scores: by area, with every area of their vintage in `links`.
        links: as `read_links` returns them.
        to: the vintage to which they are carried.
        source_weights: persons or households by area of the scores' vintage; needed where an area
            of `to` is made of several, for these.
        target_weights: the same by area of `to`; needed where areas were redrawn.

    Returns:
        Float by area of `to`; NaN where any part is.

    Raises:
        SourceError: an area's score or weight is absent.
    """
    old, new = _ends(links, to)
    # An area that is linked to one takes its whole score, so only the others are weighted.
    several = new.duplicated(keep=False)
    weight = _shares(old, new, target_weights, several).where(several, 1.0)
    if several.any():
        weight[several] *= _weights(source_weights, old[several])
    parts = weight * _looked_up(scores, old, "score")
    return (_summed(parts, new) / _summed(weight, new)).rename(scores.name)


def carry_counts_of_part(counts: pd.Series, links: pd.DataFrame, to: AreaVintage) -> pd.Series:
    """`carry_counts` of a file of a part of the country, in equal shares.

    Areas that have a part outside the file are left out.
    """
    old, new = _ends(links, to)
    known = counts.reindex(old.unique())
    carried = carry_counts(known, links, to=to, target_weights=_alike(new))
    return _whole(carried, old.isin(counts.index), new)


def carry_scores_of_part(scores: pd.Series, links: pd.DataFrame, to: AreaVintage) -> pd.Series:
    """`carry_scores` of a file of a part of the country, all areas of the same weight.

    Areas that have a part outside the file are left out.
    """
    old, new = _ends(links, to)
    known = scores.reindex(old.unique())
    weights = {"source_weights": _alike(old), "target_weights": _alike(new)}
    return _whole(carry_scores(known, links, to=to, **weights), old.isin(scores.index), new)


def rank_anew(scores: pd.Series, *, worst: WorstEnd = "high") -> pd.Series:
    """Ranks of carried scores, 1 = worst-off; equal scores share a rank, and NaN has none.

    Args:
        scores: by area.
        worst: the end of the scores that is worst-off, "high" or "low".
    """
    return scores.rank(method="min", ascending=worst == "low").astype("Int32")


def _are_codes(areas: pd.Series) -> pd.Series:
    return areas.str.fullmatch(LSOA_CODE.pattern)


def _has_both_codes(sheet: Sheet) -> bool:
    names = {normalise(cell) for cell in sheet.head[0][1]} if sheet.head else set()
    return all(names & set(map(normalise, wanted)) for wanted in (_OLD, _NEW))


def _ends(links: pd.DataFrame, to: AreaVintage) -> tuple[pd.Series, pd.Series]:
    """Of each link the source's area, named by its vintage, and the study's."""
    (other,) = VINTAGES.keys() - {to.key}
    return links[other], links[to.key]


def _alike(areas: pd.Series) -> pd.Series:
    """The same weight for each area."""
    return pd.Series(1.0, index=areas.unique())


def _whole(carried: pd.Series, within: pd.Series, new: pd.Series) -> pd.Series:
    """Of the carried areas those all of whose parts were there."""
    return carried[within.groupby(new).all().reindex(carried.index).to_numpy()]


def _shares(
    old: pd.Series, new: pd.Series, target_weights: pd.Series | None, wanted: pd.Series
) -> pd.Series:
    """For the wanted links the share of the source's area that goes to the study's."""
    share = pd.Series(1.0, index=old.index)
    contested = old.duplicated(keep=False) & old.isin(old[wanted])
    if contested.any():
        weight = _weights(target_weights, new[contested])
        share[contested] = weight / weight.groupby(old[contested]).transform("sum")
    return share


def _weights(weights: pd.Series | None, areas: pd.Series) -> pd.Series:
    """Weights of areas, whose name is their vintage."""
    year = VINTAGES[str(areas.name)].year
    if weights is None:
        raise SourceError(
            f"{areas.iloc[0]} was merged, split or redrawn: the persons or households of {year} by "
            "LSOA are needed as weights"
        )
    weight = _looked_up(weights, areas, f"weight of {year}")
    if not (weight > 0).all():
        raise SourceError(f"the weight of {areas[~(weight > 0)].iloc[0]} in {year} is not positive")
    return weight


def _looked_up(values: pd.Series, areas: pd.Series, what: str) -> pd.Series:
    missing = ~areas.isin(values.index)
    if missing.any():
        raise SourceError(
            f"there is no {what} for {areas[missing].iloc[0]}, which the lookup lists"
        )
    return areas.map(values).astype(float)


def _summed(parts: pd.Series, areas: pd.Series) -> pd.Series:
    """Sums by area in which one missing part makes the sum missing."""
    groups = parts.groupby(areas)
    return groups.sum(min_count=1).where(groups.count() == groups.size())


def _changes(links: pd.DataFrame) -> pd.Series:
    """The kind of each link from how many partners its two areas have."""
    one_2021 = links.groupby("lsoa11")["lsoa21"].transform("nunique") == 1
    one_2011 = links.groupby("lsoa21")["lsoa11"].transform("nunique") == 1
    kind = pd.Series("X", index=links.index, dtype="str")
    whole_11 = one_2011.groupby(links["lsoa11"]).transform("all")  # it shares none of its parts
    whole_21 = one_2021.groupby(links["lsoa21"]).transform("all")
    kind[~one_2021 & whole_11] = "S"
    kind[~one_2011 & whole_21] = "M"
    kind[one_2021 & one_2011] = "U"
    return kind
