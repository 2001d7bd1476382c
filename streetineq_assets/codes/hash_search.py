"""Which of many 64-bit hashes are nearly equal, without comparing all with all.

The bits are dealt into a few groups. Hashes that differ in d bits agree in all groups but d, so
with d + 3 groups any two of them agree in three whole groups. For each choice of three, hashes are
sorted by their bits in these, and only those that are equal there are compared: of London's half a
million pictures a few million pairs in place of 137 thousand million.

Source: pigeonhole search in Hamming space, Norouzi, Punjani and Fleet 2012, "Fast search in Hamming
space with multi-index hashing", with three groups in the place of their one.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetineq_assets.codes.perceptual_hash import hamming
from streetineq_assets.errors import TooManyRepeatsError

_BITS = 64
_AGREEING = 3
_MOST_COMPARED = 300_000_000  # of one choice of groups: some ten seconds
_BLOCK = 4_000_000  # pairs in memory


class HashPairs(NamedTuple):
    """Positions of nearly equal hashes, (p,) each, `first` below `second`, and their distances."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    distance: NDArray[np.uint8]


def close_pairs(hashes: NDArray[np.uint64], most: int) -> HashPairs:
    """All pairs of hashes that differ in at most `most` bits, each once, in order.

    Args:
        hashes: (n,) uint64, each value once.
        most: 0 to 61.

    Raises:
        TooManyRepeatsError: so many are alike that they cannot be compared in reasonable time.
    """
    found = [np.empty((0, 2), np.intp)]
    for mask in _masks(most):
        for pairs in _equal_under(mask, hashes):
            close = hamming(hashes[pairs[:, 0]], hashes[pairs[:, 1]]) <= most
            found.append(np.sort(pairs[close], axis=1))
    first, second = np.unique(np.concatenate(found), axis=0).T
    return HashPairs(first, second, hamming(hashes[first], hashes[second]))


def _masks(most: int) -> Iterator[np.uint64]:
    groups = [
        sum(1 << bit for bit in range(group, _BITS, most + _AGREEING))
        for group in range(most + _AGREEING)
    ]
    for chosen in combinations(groups, _AGREEING):
        yield np.uint64(sum(chosen))


def _equal_under(mask: np.uint64, hashes: NDArray[np.uint64]) -> Iterator[NDArray[np.intp]]:
    """Pairs (p, 2) of positions whose hashes are equal in the bits of a mask, block by block."""
    order = np.argsort(hashes & mask)
    keys = (hashes & mask)[order]
    # How many of its equals come after each.
    left = np.searchsorted(keys, keys, side="right") - np.arange(len(keys)) - 1
    until = np.cumsum(left)
    if len(keys) and until[-1] > _MOST_COMPARED:
        raise TooManyRepeatsError(
            f"{left.max() + 1:,} pictures look so much alike that they cannot be compared one by "
            "one: remove what is no image of its place, such as a card for no image, or set a "
            "smaller `max_hamming` under [repeats] in study.toml"
        )
    for block in np.split(np.arange(len(keys)), np.flatnonzero(np.diff(until // _BLOCK)) + 1):
        start = np.repeat(block, left[block])
        before = np.repeat(until[block] - left[block], left[block])
        step = np.arange(len(start)) + (before[0] if len(before) else 0) - before + 1
        yield np.column_stack([order[start], order[start + step]])
