"""How areas, or groups of areas, are dealt to folds, whatever the order of their rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.digests import hash_of


class TooFewAreasError(ValueError):
    """Fewer areas, blocks or authorities than folds; the message says what to change."""


def deal_by_decile(areas: pd.DataFrame, *, k: int, seed: int) -> NDArray[np.int64]:
    """Folds of areas that differ by at most one in size, in total and within each decile.

    Areas are sorted by (decile, hash of seed and code), and every decile is dealt out in turn, in
    an order of folds of its own: the smallest fold first and, of equally small ones, that whose
    mean the decile brings closest to the others'. So sizes differ by at most one within each
    decile, whose odd areas go to the smallest folds, hence in total too. Where every area has a
    decile of its own, as with means over outcomes, this deals to and fro. The deciles come from
    both ends to the middle, where the areas that fill no round weigh least. In one order for all
    deciles fold means would rise with the number of the fold; here the seed decides where all else
    is equal.

    Args:
        areas: `area, decile`, as of `folds.area_folds`.

    Returns:
        (n,) fold 0..k-1 of each row.

    Raises:
        ValueError: an area is named twice.
    """
    order = stratified_order(areas, seed)
    lots = np.argsort([hash_of(seed, f"fold {fold}") for fold in range(k)])
    sizes, sums = np.zeros(k, np.int64), np.zeros(k)
    folds = np.empty(len(areas), dtype=np.int64)
    for stratum, leaning in _from_the_ends(_deciles(areas)[order]):
        turns = lots[np.lexsort((np.sign(leaning) * sums[lots], sizes[lots]))]
        dealt = turns[np.arange(len(stratum)) % k]
        folds[order[stratum]] = dealt
        counts = np.bincount(dealt, minlength=k)
        sizes += counts
        sums = np.round(sums + counts * leaning, 9)  # equal sums stay equal
    return folds


def deal_groups(groups: pd.Series, *, k: int, seed: int) -> NDArray[np.int64]:
    """Folds of whole groups, which come in random order, each to the fold with the fewest areas.

    Args:
        groups: (n,) the name of each area's group; at least `k` groups.

    Returns:
        (n,) fold 0..k-1 of each area.
    """
    sizes = groups.value_counts()
    load = [0] * k
    chosen = {}
    for name in sorted(sizes.index, key=lambda name: hash_of(seed, name)):
        chosen[name] = load.index(min(load))
        load[chosen[name]] += int(sizes[name])
    return groups.map(chosen).to_numpy(np.int64)


def stratified_order(areas: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """(n,) positions of the rows by decile, then by hash; missing deciles come last.

    Raises:
        ValueError: an area is named twice.
    """
    codes = areas["area"].astype(str).reset_index(drop=True)
    if codes.duplicated().any():
        raise ValueError(f"area {codes[codes.duplicated()].iloc[0]} is named twice")
    hashes = [hash_of(seed, code) for code in codes]
    keys = pd.DataFrame({"decile": _deciles(areas), "hash": hashes})
    return keys.sort_values(["decile", "hash"]).index.to_numpy()


def _deciles(areas: pd.DataFrame) -> NDArray[np.float64]:
    return areas["decile"].astype("Float64").to_numpy(np.float64, na_value=np.inf)


def _from_the_ends(decile: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.int64], float]]:
    """Runs of equal deciles, the lower from the lowest up, then the higher from the highest down.

    Args:
        decile: (n,) ascending, infinite where missing: that run comes last and leans nowhere.

    Yields:
        The positions of each run, and its decile less the mean decile.
    """
    known = np.isfinite(decile)
    leaning = np.where(known, decile - decile[known].mean() if known.any() else 0.0, 0.0)
    runs = np.split(np.arange(len(decile)), np.flatnonzero(decile[1:] != decile[:-1]) + 1)
    leanings = np.array([leaning[run[0]] for run in runs])
    for at in np.lexsort((-np.abs(leanings), leanings >= 0)):
        yield runs[at], float(leanings[at])
