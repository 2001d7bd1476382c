"""Which areas test which network, and which ones it may learn from.

A scheme splits a city's areas into folds, and a fold's training areas into training and validation.
It is a function of the areas, their deciles or centroids, and a seed, whatever the order of rows.
`area` is the default: whole areas, stratified. `spatial_block` holds out whole squares and keeps a
buffer around them out of training, so that a network cannot score by knowing the neighbours.
`district` holds out whole local authorities.
`location` splits the locations of an area between training and test: it leaks the label, and is
offered only to measure by how much. `city` holds out whole cities. `holdout` is one split into
training, validation and test areas.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.digests import hash_of
from streetineq_assets.geography import national_grid
from streetineq_assets.models.dealing import (
    TooFewAreasError,
    deal_by_decile,
    deal_groups,
    stratified_order,
)
from streetineq_assets.models.fold_table import FoldTable
from streetineq_assets.models.splitting import Split, without_repeats
from streetineq_assets.models.tables import BUFFERS
from streetineq_assets.settings import Folds
from streetineq_assets.tables import empty

LEAKY = frozenset({"location"})
TRAIN_ONLY = -1
VALIDATION_ONLY = -2
_FEWEST_VALIDATION_AREAS = 5
_DEALT = frozenset({"area", "spatial_block", "district"})


def area_folds(areas: pd.DataFrame, *, k: int, seed: int) -> NDArray[np.int64]:
    """Folds of whole areas, stratified by decile, as `dealing.deal_by_decile` deals them.

    Sizes differ by at most one, in total and within each decile.

    Args:
        areas: `area, decile`; deciles may be fractional (a mean over outcomes); missing ones come
            last, as a stratum of their own.
        k: number of folds.
        seed: decides who shares a fold.

    Returns:
        (n,) fold 0..k-1 of each row, whatever the order of rows.

    Raises:
        ValueError: fewer areas than folds, fewer than two folds, or an area named twice.
    """
    if k < 2:
        raise ValueError(f"{k} folds: at least 2 are needed")
    if len(areas) < k:
        raise TooFewAreasError(
            f"{len(areas)} areas cannot fill {k} folds: set a smaller `k` under [folds] in "
            "study.toml, or add areas"
        )
    return deal_by_decile(areas, k=k, seed=seed)


def deals_anew(settings: Folds, n_areas: int) -> bool:
    """Whether each further training of a city of so many areas has folds of its own.

    A small city's metrics depend on who shares a fold. Cities are no deal, and a holdout's areas
    would be others.
    """
    return settings.scheme in _DEALT and n_areas < settings.repeated_below


def make_folds(
    areas: pd.DataFrame,
    settings: Folds,
    *,
    seed: int,
    centroids: pd.DataFrame | None = None,
    locations: pd.DataFrame | None = None,
) -> FoldTable:
    """The fold table of one city by the study's scheme.

    Args:
        areas: `area, decile`, for the scheme `city` also `city`, for `district` `authority`.
        centroids: `area, easting_m, northing_m` on EPSG:27700, for `spatial_block`.
        locations: `location_id, area`, for `location`; with `lat, lon` for `buffer_m`.

    Raises:
        TooFewAreasError: fewer areas (blocks, authorities, cities) than the scheme needs.
        ValueError: what the scheme needs was not given, or not of every area.
    """
    match settings.scheme:
        case "area":
            return _by_area(areas, settings, seed, locations)
        case "spatial_block":
            return _spatial_blocks(areas, settings, seed, _required(centroids, "centroids"))
        case "location":
            return _by_location(areas, settings, seed, _required(locations, "locations"))
        case "city":
            return _by_city(areas)
        case "district":
            return _by_district(areas, settings, seed)
        case "holdout":
            return _table(areas, _holdout(areas, settings.holdout_shares, seed), "holdout")


def split_rows(
    table: FoldTable, fold: int, rows: pd.DataFrame, *, validation_share: float, seed: int
) -> Split:
    """Training, validation and test rows of one fold.

    Validation is cut from the training areas, whole areas (whole blocks where there are blocks),
    by the same rule as the folds. Rows in this fold's buffer are in none of the three, and neither
    are those that repeat a test row.

    Args:
        rows: `location_id, area, decile`, the rows that have codes and a label.
        validation_share: of the training areas; at least five areas where a quarter of them allows
            it.
    """
    fold_of_row = table.fold_of(rows)
    buffer = table.buffers.loc[table.buffers["fold"] == fold, "area"]
    in_buffer = rows["area"].isin(set(buffer)).to_numpy()
    if table.near is not None:
        near = table.near.loc[table.near["fold"] == fold, "location_id"]
        in_buffer = in_buffer | rows["location_id"].isin(set(near)).to_numpy()
    test = fold_of_row == fold
    learn = ~test & ~in_buffer & ~np.isnan(fold_of_row)
    if (table.areas["fold"] == VALIDATION_ONLY).any():
        validation = learn & (fold_of_row == VALIDATION_ONLY)
    else:
        chosen = _validation_areas(table, rows[learn], validation_share, seed=seed, fold=fold)
        validation = learn & rows["area"].isin(chosen).to_numpy()
    split = Split(train=learn & ~validation, validation=validation, test=test)
    return split if table.repeats is None else without_repeats(split, rows, table.repeats)


def balance(table: FoldTable, areas: pd.DataFrame) -> pd.DataFrame:
    """Per fold: `fold, n_lsoas, mean_decile, n_buffer`; reported, not forced.

    Args:
        areas: `area, decile`.
    """
    merged = table.areas.merge(areas[["area", "decile"]], on="area", how="left")
    grouped = merged.groupby("fold", as_index=False).agg(
        n_lsoas=("area", "size"), mean_decile=("decile", "mean")
    )
    sizes = table.buffers.groupby("fold").size()
    return grouped.assign(n_buffer=grouped["fold"].map(sizes).fillna(0).astype(int))


# -- the schemes ---------------------------------------------------------------------------------


def _by_area(
    areas: pd.DataFrame, settings: Folds, seed: int, locations: pd.DataFrame | None
) -> FoldTable:
    """Whole areas, and with `buffer_m` the locations near the tested ones."""
    table = _table(areas, area_folds(areas, k=settings.k, seed=seed), "area")
    if not settings.buffer_m:
        return table
    placed = _required(locations, "locations")
    return replace(table, near=_near(table, placed, settings.buffer_m))


def _spatial_blocks(
    areas: pd.DataFrame, settings: Folds, seed: int, centroids: pd.DataFrame
) -> FoldTable:
    """Squares of `block_km` on the national grid, in random order, each to the smallest fold."""
    placed = areas[["area"]].merge(centroids, on="area", how="left")
    points = placed[["easting_m", "northing_m"]].to_numpy(np.float64)
    lost = np.isnan(points).any(axis=1)
    if lost.any():
        raise ValueError(
            f"{int(lost.sum())} areas have no postcode with coordinates, for instance "
            f"{placed['area'][lost].iloc[0]}: spatial blocks need a centroid for every area"
        )
    squares = np.floor(points / (settings.block_km * 1000)).astype(int)
    block = pd.Series([f"{east}_{north}" for east, north in squares], name="block")
    if (found := block.nunique()) < settings.k:
        raise TooFewAreasError(
            f"{found} blocks of {settings.block_km:g} km cannot fill {settings.k} folds: "
            "set a smaller `block_km` or `k` under [folds] in study.toml"
        )
    folds = deal_groups(block, k=settings.k, seed=seed)
    table = _table(areas, folds, "spatial_block")
    return FoldTable(
        areas=table.areas.assign(block=block.to_numpy()),
        buffers=_buffers(areas["area"].to_numpy(), folds, points, settings.buffer_km * 1000),
    )


def _buffers(
    codes: NDArray, folds: NDArray[np.int64], points: NDArray[np.float64], buffer_m: float
) -> pd.DataFrame:
    """Per fold, the other folds' codes that lie within `buffer_m` of one of its own."""
    from scipy.spatial import cKDTree

    removed = [_no_buffers()]
    for fold in np.unique(folds) if buffer_m > 0 else ():
        distance, _ = cKDTree(points[folds == fold]).query(points)
        near = (distance <= buffer_m) & (folds != fold)
        removed.append(pd.DataFrame({"fold": int(fold), "area": codes[near]}))
    table = pd.concat(removed, ignore_index=True)
    return table.astype({"fold": np.int64}).sort_values(["fold", "area"], ignore_index=True)


def _near(table: FoldTable, locations: pd.DataFrame, buffer_m: float) -> pd.DataFrame:
    """Per fold, the other folds' locations within `buffer_m` of one of its locations."""
    placed = locations[locations["area"].isin(table.areas["area"])]
    points = national_grid(placed["lat"], placed["lon"])
    known = ~np.isnan(points).any(axis=1)
    folds = table.fold_of(placed)[known].astype(np.int64)
    found = _buffers(placed["location_id"].to_numpy()[known], folds, points[known], buffer_m)
    return found.rename(columns={"area": "location_id"})


def _by_location(
    areas: pd.DataFrame, settings: Folds, seed: int, locations: pd.DataFrame
) -> FoldTable:
    known = locations[locations["area"].isin(areas["area"])].drop_duplicates("location_id")
    keyed = pd.DataFrame({"area": known["location_id"].astype(str), "decile": 0.0})
    folds = area_folds(keyed, k=settings.k, seed=seed)
    rows = pd.DataFrame({"location_id": known["location_id"].to_numpy(), "fold": folds})
    # An area has no one fold here: -1, so that nobody mistakes it for a grouped table.
    table = _table(areas, np.full(len(areas), TRAIN_ONLY), "location")
    ordered = rows.sort_values("location_id", ignore_index=True)
    return FoldTable(table.areas, table.buffers, locations=ordered)


def _by_district(areas: pd.DataFrame, settings: Folds, seed: int) -> FoldTable:
    """Local authorities in random order, each to the smallest fold; at most `k` folds.

    Validation is of single areas of the authorities that train: these may be few.
    """
    authority = _required(areas.get("authority"), "the local authority of every area")
    lost = authority.isna().to_numpy()
    if lost.any():
        raise ValueError(
            f"{int(lost.sum())} areas have no postcode with a local authority, for instance "
            f"{areas['area'][lost].iloc[0]}: whole authorities are held out"
        )
    found = authority.nunique()
    if found < 2:
        raise TooFewAreasError(
            "the scheme `district` holds out whole local authorities, so a city needs two, and all "
            f"{len(areas)} areas lie in {''.join(authority.unique()) or 'none'}: name more "
            "`authorities` of the city in study.toml, or choose another scheme under [folds]"
        )
    folds = deal_groups(authority, k=min(settings.k, found), seed=seed)
    return _table(areas, folds, "district")


def _by_city(areas: pd.DataFrame) -> FoldTable:
    cities = sorted(areas["city"].unique())
    if len(cities) < 2:
        raise TooFewAreasError(
            "the scheme `city` leaves one city out, so it needs two: add a city to study.toml, "
            "or choose another scheme under [folds]"
        )
    return _table(areas, areas["city"].map({c: n for n, c in enumerate(cities)}).to_numpy(), "city")


def _holdout(areas: pd.DataFrame, shares: tuple[float, float, float], seed: int) -> NDArray:
    """Deal the areas in stratified order so that every run of them has the shares."""
    if len(areas) < 3:
        raise TooFewAreasError(
            f"{len(areas)} areas cannot be split into training, validation and test"
        )
    roles = np.array([TRAIN_ONLY, VALIDATION_ONLY, 0])
    counts = np.zeros(3)
    folds = np.empty(len(areas), dtype=np.int64)
    for position, row in enumerate(stratified_order(areas, seed), start=1):
        role = int(np.argmax(np.asarray(shares) * position - counts))
        counts[role] += 1
        folds[row] = roles[role]
    return folds


def _validation_areas(
    table: FoldTable, rows: pd.DataFrame, share: float, *, seed: int, fold: int
) -> set[str]:
    """Whole areas, or whole blocks, that make up about `share` of the training areas."""
    areas = rows[["area", "decile"]].drop_duplicates("area")
    fewest = min(_FEWEST_VALIDATION_AREAS, len(areas) // 4)
    wanted = max(round(share * len(areas)), fewest, 1)
    if "block" in table.areas:
        return _validation_blocks(table, areas, wanted, seed + fold)
    groups = max(2, len(areas) // wanted)
    if len(areas) < groups:
        return set()
    # The middle group: the first holds the lowest of every run of areas, the last the highest.
    chosen = area_folds(areas, k=groups, seed=seed + 1 + fold) == groups // 2
    return set(areas["area"][chosen])


def _validation_blocks(table: FoldTable, areas: pd.DataFrame, wanted: int, seed: int) -> set[str]:
    block_of = table.areas.set_index("area")["block"]
    members = areas.assign(block=block_of.reindex(areas["area"]).to_numpy()).groupby("block")
    chosen: set[str] = set()
    order = sorted(members.groups, key=lambda name: hash_of(seed, f"validation {name}"))
    for name in order[:-1]:  # one block at least is left to train on
        if len(chosen) >= wanted:
            break
        chosen |= set(members.get_group(name)["area"])
    return chosen


# -- tables and notes ----------------------------------------------------------------------------


def _table(areas: pd.DataFrame, folds: NDArray, scheme: str) -> FoldTable:
    codes = areas["area"].astype(str).to_numpy()
    frame = pd.DataFrame({"area": codes, "fold": folds.astype(np.int64), "scheme": scheme})
    return FoldTable(areas=frame, buffers=_no_buffers())


def _no_buffers() -> pd.DataFrame:
    return empty(BUFFERS)


def _required(given: Any, what: str) -> Any:
    if given is None:
        raise ValueError(f"this scheme needs {what}")
    return given


def empty_table(scheme: str) -> FoldTable:
    """The table of a city that has too few areas for its folds."""
    return _table(pd.DataFrame({"area": [], "decile": []}), np.empty(0, np.int64), scheme)


def scheme_note(schemes: Iterable[str]) -> str | None:
    """A warning to stand wherever results of a leaky scheme stand; None when no scheme leaks."""
    if LEAKY.isdisjoint(schemes):
        return None
    return (
        "Locations of one area are in training and test (scheme `location`): the label leaks. "
        "These figures only measure how optimistic such a split is."
    )


def left_out_note(folds: Collection[int]) -> str | None:
    """What to say of folds in which nothing can be tested; None when there are none."""
    if not folds:
        return None
    named = ", ".join(map(str, sorted(folds)))
    subject = f"Fold {named} tests" if len(folds) == 1 else f"Folds {named} test"
    return (
        f"{subject} no location that has codes and a label: left out, without a network. Add "
        "images of these areas to have them."
    )
