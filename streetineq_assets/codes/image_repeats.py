"""Which locations of different areas show the same: the same file, a like picture, or one place.

Where one of two such locations trains a network and the other tests it, the test is of memory. A
pair is `exact` where they have a picture in common (the same bytes, or the same codes to the last
bit), `perceptual` where two views of one look like two of the other, or one view almost the same,
and `near` where they lie a few metres apart. A pair of one area is not listed, since an area is
never on both sides; but under the scheme `location`, which leaks on purpose.

One view alone is not enough at the larger distance: among London's half a million pictures some
hundreds of pairs of other streets are as close by chance (simulated at the mean distance and spread
of real streets, 28 to 31 and 4 bits), and none of them twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.codes.hash_search import HashPairs, close_pairs
from streetineq_assets.codes.perceptual_hash import PLAIN, UNKNOWN
from streetineq_assets.codes.tables import IMAGE_REPEATS
from streetineq_assets.errors import TooManyRepeatsError
from streetineq_assets.image_settings import Repeats
from streetineq_assets.tables import conform

KINDS = ("exact", "perceptual", "near")
# Other encodings and sizes of real photographs of streets differed by 2 bits at most.
_ALMOST_THE_SAME = 2
_FEWEST_VIEWS = 2
_MOST_PAIRS = 5_000_000


@dataclass(frozen=True)
class Places:
    """The locations that are compared: those with codes and an area.

    Attributes:
        location_id: (n,) ascending.
        area: (n,) their areas.
        points: (n, 2) metres on the British National Grid, NaN where unknown.
        phash: (n, V) uint64, as in the buckets of codes.
    """

    location_id: NDArray
    area: NDArray
    points: NDArray[np.float64]
    phash: NDArray[np.uint64]

    @property
    def n_without_phash(self) -> int:
        """Locations of earlier versions, which made no hashes."""
        return int((self.phash == UNKNOWN).all(axis=1).sum())  # of absent views there is none

    @property
    def n_without_position(self) -> int:
        """Locations of which it is not known where they lie."""
        return int(np.isnan(self.points).any(axis=1).sum())


def find_repeats(places: Places, repeated: pd.DataFrame, settings: Repeats) -> pd.DataFrame:
    """All pairs of locations in different areas that show the same.

    Args:
        repeated: `REPEATED_IMAGES` of the city.
        settings: `[repeats]` of study.toml; with `near_m = 0` no place is near another.

    Returns:
        `IMAGE_REPEATS`, each pair once for each kind, ascending; a pair that is exact is not
        perceptual too.

    Raises:
        TooManyRepeatsError: more pairs than can be listed.
    """
    exact = _exact(places, repeated)
    alike = _perceptual(places, settings.max_hamming)
    known = pd.MultiIndex.from_frame(exact[["first", "second"]])
    alike = alike[~pd.MultiIndex.from_frame(alike[["first", "second"]]).isin(known)]
    near = _near(places, settings.near_m)
    pairs = pd.concat(
        [each.assign(kind=kind) for kind, each in zip(KINDS, (exact, alike, near), strict=True)]
    ).sort_values(["first", "second", "kind"])
    ids = places.location_id
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    named = pairs.assign(location_id=ids[first], other_location_id=ids[second])
    return conform(named, IMAGE_REPEATS)


def locations_with(repeats: pd.DataFrame, kinds: Sequence[str]) -> NDArray:
    """The locations with a repeat of one of these kinds, ascending.

    Args:
        repeats: `IMAGE_REPEATS`.
    """
    pairs = repeats[repeats["kind"].isin(kinds)]
    return np.unique(pairs[["location_id", "other_location_id"]].to_numpy(str))


def near_pairs(points: NDArray[np.float64], metres: float) -> tuple[NDArray, NDArray]:
    """Pairs (p, 2) of positions that lie within some metres, and their distances (p,) in metres.

    Args:
        points: (n, 2) metres, NaN where unknown.

    Raises:
        TooManyRepeatsError: more pairs than can be listed.
    """
    from scipy.spatial import cKDTree

    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    tree = cKDTree(points[known])
    n_pairs = (tree.count_neighbors(tree, metres) - len(known)) // 2
    _refuse_too_many(int(n_pairs), f"locations within {metres:g} m", "near_m")
    pairs = known[tree.query_pairs(metres, output_type="ndarray")]
    return pairs, np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)


def _exact(places: Places, repeated: pd.DataFrame) -> pd.DataFrame:
    position = pd.Series(np.arange(len(places.location_id)), places.location_id)
    rows = repeated[repeated["location_id"].isin(position.index)]
    rows = pd.DataFrame(
        {"picture": rows["picture"], "at": position.reindex(rows["location_id"]).to_numpy()}
    ).drop_duplicates()
    sizes = rows.groupby("picture").size()
    _refuse_too_many(int((sizes**2).sum()), "the same picture")
    both = rows.merge(rows, on="picture").query("at_x < at_y")[["at_x", "at_y"]]
    pairs = both.drop_duplicates().to_numpy(np.intp)
    return _between_areas(places, pairs, np.zeros(len(pairs)))


def _perceptual(places: Places, max_hamming: int) -> pd.DataFrame:
    """Location pairs by their views' hashes, with the least distance of any two views."""
    usable = (places.phash != UNKNOWN) & (places.phash != PLAIN)
    at, view = np.nonzero(usable)
    values, of = np.unique(places.phash[usable], return_inverse=True)
    close = close_pairs(values, max_hamming)
    images = _image_pairs(close, of)
    first, second = at[images["first"]], at[images["second"]]
    between = places.area[first] != places.area[second]
    swap = first > second
    views = view[images["first"]], view[images["second"]]
    pairs = pd.DataFrame(
        {
            "first": np.where(swap, second, first),
            "second": np.where(swap, first, second),
            "view": np.where(swap, views[1], views[0]),
            "other_view": np.where(swap, views[0], views[1]),
            "distance": images["distance"].to_numpy(np.float64),
        }
    )[between]
    grouped = pairs.groupby(["first", "second"], as_index=False).agg(
        n=("view", "nunique"), n_other=("other_view", "nunique"), distance=("distance", "min")
    )
    twice = grouped[["n", "n_other"]].min(axis=1) >= _FEWEST_VIEWS
    almost = grouped["distance"] <= min(_ALMOST_THE_SAME, max_hamming)
    return grouped.loc[twice | almost, ["first", "second", "distance"]]


def _image_pairs(close: HashPairs, of: NDArray[np.intp]) -> pd.DataFrame:
    """`first, second, distance` of images, from pairs of distinct hashes.

    Args:
        of: (m,) the hash of each image.
    """
    images = pd.DataFrame({"hash": of, "image": np.arange(len(of))})
    n = np.bincount(of, minlength=1)
    _refuse_too_many(
        int((n[close.first] * n[close.second]).sum() + (n * (n - 1) // 2).sum()), "like pictures"
    )
    pairs = pd.DataFrame(close._asdict())
    other = pairs.merge(images, left_on="first", right_on="hash")
    other = other.merge(images, left_on="second", right_on="hash", suffixes=("_x", "_y"))
    repeated = images[n[of] > 1]
    same = repeated.merge(repeated, on="hash").query("image_x < image_y").assign(distance=0)
    columns = ["image_x", "image_y", "distance"]
    both = pd.concat([other[columns], same[columns]], ignore_index=True)
    return both.rename(columns={"image_x": "first", "image_y": "second"})


def _near(places: Places, metres: float) -> pd.DataFrame:
    if not metres:
        return _between_areas(places, np.empty((0, 2), np.intp), np.empty(0))
    return _between_areas(places, *near_pairs(places.points, metres))


def _between_areas(places: Places, pairs: NDArray, distance: NDArray) -> pd.DataFrame:
    kept = places.area[pairs[:, 0]] != places.area[pairs[:, 1]]
    pairs = np.sort(pairs[kept], axis=1)
    columns = {"first": pairs[:, 0], "second": pairs[:, 1], "distance": distance[kept]}
    return pd.DataFrame(columns)


def _refuse_too_many(n_pairs: int, of: str, setting: str = "max_hamming") -> None:
    if n_pairs > _MOST_PAIRS:
        raise TooManyRepeatsError(
            f"{n_pairs:,} pairs of {of} (at most {_MOST_PAIRS:,} can be listed): remove what is no "
            "image of its place, such as a card for no image, mend positions that many locations "
            f"share, or set a smaller `{setting}` under [repeats] in study.toml"
        )
