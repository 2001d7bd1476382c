"""Pictures that several locations have in common, by their bytes or by their codes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.codes.repeated_images import digest_codes, find_repeated_images


def rows(frame):
    return list(frame.itertuples(index=False, name=None))


def grid(values):
    return np.array(values, dtype="S8").reshape(-1, 4)


def test_a_picture_of_one_location_alone_is_not_repeated():
    assert rows(find_repeated_images(["x", "y"], grid(list("aabcdefg")))) == []


def test_none_are_found_among_no_images():
    assert rows(find_repeated_images([], grid([]), grid([]))) == []


def test_bytes_and_codes_both_tell():
    """x and y share a file, y and z a picture in other bytes: it is one picture of all three."""
    hashes = grid(["1", "2", "3", "4", "1", "5", "6", "7", "8", "9", "10", "11"])
    codes = grid(["p", "q", "r", "s", "p2", "t", "u", "v", "w", "x", "y", "p2"])
    found = find_repeated_images(["x", "y", "z"], hashes, codes)
    assert rows(found) == [(0, "x", "a"), (0, "y", "a"), (0, "z", "d")]


def test_codes_have_one_digest_when_every_bit_is_the_same():
    codes = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    codes[2, 1] = codes[0, 3]
    codes[1, 1] = np.nextafter(codes[0, 3], np.inf)
    found = digest_codes(codes)
    assert found[2, 1] == found[0, 3]
    assert len(np.unique(found)) == 11


@given(st.lists(st.integers(0, 9), min_size=4, max_size=40).filter(lambda n: len(n) % 4 == 0))
def test_it_finds_what_a_plain_search_finds(numbers):
    ids = [f"L{number}" for number in range(len(numbers) // 4)]
    images = [(n, ids[at // 4], "abcd"[at % 4]) for at, n in enumerate(numbers)]
    expected = {
        (location, view)
        for n, location, view in images
        if any(other == n and elsewhere != location for other, elsewhere, _ in images)
    }
    found = find_repeated_images(ids, grid([f"{n:08d}" for n in numbers]))
    assert set(zip(found["location_id"], found["view"], strict=True)) == expected
