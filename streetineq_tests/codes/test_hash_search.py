"""Nearly equal hashes: all of them, and no others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.codes import hash_search
from streetineq_assets.codes.hash_search import close_pairs
from streetineq_assets.errors import TooManyRepeatsError


def random_hashes(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


def flipped(values, n_bits, seed=0):
    """The hashes with so many bits changed, each at other places."""
    rng = np.random.default_rng(seed)
    masks = [sum(1 << int(b) for b in rng.permutation(64)[:n_bits]) for _ in values]
    return values ^ np.array(masks, np.uint64)


def by_hand(hashes, most):
    numbers = [int(each) for each in hashes]
    return [
        (i, j, (numbers[i] ^ numbers[j]).bit_count())
        for i in range(len(numbers))
        for j in range(i + 1, len(numbers))
        if (numbers[i] ^ numbers[j]).bit_count() <= most
    ]


def found(hashes, most):
    return [tuple(map(int, each)) for each in zip(*close_pairs(hashes, most), strict=True)]


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=12, unique=True),
    st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 63), max_size=10)), max_size=12),
    st.integers(0, 8),
)
def test_it_finds_what_a_plain_search_finds(numbers, copies, most):
    for at, bits in copies:
        if numbers:
            numbers.append(numbers[at % len(numbers)] ^ sum(1 << bit for bit in bits))
    hashes = np.array(sorted(set(numbers)), np.uint64)
    assert found(hashes, most) == by_hand(hashes, most)


@pytest.mark.parametrize("most", [0, 3, 6, 8])
def test_every_planted_copy_is_found_among_many(most):
    hashes = random_hashes(5000)
    copies = flipped(hashes[:200], most)
    both = np.concatenate([hashes, copies[copies != hashes[:200]]])
    expected = [(n, 5000 + n) for n in range(len(both) - 5000)]
    pairs = close_pairs(both, most)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == expected
    assert (pairs.distance == most).all()


def test_unrelated_hashes_are_not_paired():
    assert found(random_hashes(20_000, seed=1), 6) == []


def test_blocks_leave_no_pair_out(monkeypatch):
    hashes = np.unique(flipped(np.full(60, 12345, np.uint64), 4))
    whole = found(hashes, 8)
    monkeypatch.setattr(hash_search, "_BLOCK", 7)
    assert found(hashes, 8) == whole == by_hand(hashes, 8)


def test_too_many_that_are_alike_end_in_a_sentence_and_not_in_hours(monkeypatch):
    monkeypatch.setattr(hash_search, "_MOST_COMPARED", 100)
    with pytest.raises(TooManyRepeatsError, match=r"look so much alike.*`max_hamming`"):
        close_pairs(np.arange(100, dtype=np.uint64), 2)
