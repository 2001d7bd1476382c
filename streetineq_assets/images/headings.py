"""Which captures show a location's four views: chosen by place, direction and time.

A view looks north, east, south or west. Of the captures that name a location, or, where no usable
one names it, of those that name none and lie within `within_m` of it:

- A **panorama** shows all four views, from one point at one moment, exactly along the headings. So
  the nearest is taken, even where a photograph stands nearer; of two as near the newer.
- Where there is none, each view is shown by a **photograph** that looks along its heading, give or
  take `tolerance_deg`. Each belongs to one heading, the nearest (midway, the one to its left), and
  so serves one view at most. Those of one location lie within `within_days` of each other: of all
  such spans of time, the one in which most headings are faced, and of several the newest. In it,
  the photograph nearest to the heading is taken, in steps of 5 degrees, since compasses tell no
  better; then the nearest in place, then the newest.

What nobody knows contradicts nothing: a capture that states no time is as good in any span, and
comes last among captures that are otherwise as good; so does one without a position. A capture that
names a location is believed, however far from it its position lies. One that names none may show
several locations that lie close together. Last of all, the smaller id decides, so that nothing
depends on the order of rows.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.geography import national_grid
from streetineq_assets.image_settings import Views
from streetineq_assets.images.catalogue import HEADINGS
from streetineq_assets.images.tables import ASSIGNED_VIEWS, EQUIRECTANGULAR
from streetineq_assets.tables import conform

# Why a view has no capture.
NO_CAPTURE, TOO_FAR, NO_POSITION = "no_capture", "too_far", "no_position"
NO_COMPASS, IN_THE_FUTURE = "no_compass", "in_the_future"
NONE_FACES_IT, TOO_FAR_APART = "none_faces_it", "too_far_apart_in_time"

MOST_WITHIN_M = 200.0  # to which `within_m` can be raised
_N = len(HEADINGS)
_QUARTER_DEG, _STEP_DEG = 90.0, 5.0
_MS_PER_DAY = 86_400_000.0
_WRITTEN_AT = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)  # this version


def latest_moment() -> dt.datetime:
    """The present, UTC, after which no capture can have been made.

    A clock of before this version was written is wrong, and must not call good captures future.
    """
    return max(dt.datetime.now(dt.UTC), _WRITTEN_AT)


def assign_headings(
    locations: pd.DataFrame,
    captures: pd.DataFrame,
    views: Views,
    *,
    now: dt.datetime | None = None,
) -> pd.DataFrame:
    """The capture that shows each view of each location, by the rules of this module.

    Args:
        locations: `location_id` (unique), `lat, lon` (WGS84 degrees, null where unknown); other
            columns are ignored, and so is the order.
        captures: of the schema `CAPTURES`, each `capture_id` once, in any order. A null
            `compass_deg` is an unknown direction; others are taken modulo 360.
        views: what is near enough in direction, place and time.
        now: captures that state a later time are not used; None: any time is believed.

    Returns:
        A frame of the schema `ASSIGNED_VIEWS`, sorted by location and view: `location_id, view,
        heading, capture_id, offset_deg` (by how much the capture looks to the right of the heading,
        0 for a panorama), `metres` (null where a position is unknown), `reason`. A view without a
        capture has one of these reasons, the first that holds: `no_position` (the location has
        none, and no capture names it), `too_far` (the nearest capture lies beyond `within_m`, but
        within 200 m), `no_capture`; `no_compass`, `in_the_future` (all of the location's captures
        are unusable); `too_far_apart_in_time` (one faces it, but not at the time of the others),
        `none_faces_it`.

    Raises:
        ValueError: an id occurs twice: a mistake of the program.
    """
    places = _Places.of(locations)
    pictures = _Pictures.of(captures, now)
    pairs = _candidates(places, pictures, views)
    usable = pairs.take(pictures.usable[pairs.capture])
    usable = usable.take(usable.named | ~_among(usable.location[usable.named], usable, places.n))
    chosen = np.full((places.n, _N), -1)  # position in `usable`
    _choose_panoramas(chosen, usable, pictures)
    faced = _choose_photographs(chosen, usable, pictures, views)
    reasons = _reasons(places, pictures, pairs, usable, faced)
    return _table(places, pictures, usable, chosen, reasons)


def nearest_heading(compass_deg: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """To which heading directions are nearest; midway, to the one to the left.

    Args:
        compass_deg: (n,) degrees clockwise from north, modulo 360, NaN where unknown.

    Returns:
        (n,) 0 to 3, the number of the view, 0 where unknown; (n,) degrees by which they lie to the
        right of it, above -45 and at most 45, NaN where unknown.
    """
    compass = np.mod(compass_deg.to_numpy(np.float64), 360.0)
    compass[~np.isfinite(compass)] = np.nan
    quarter = np.ceil((np.nan_to_num(compass) - _QUARTER_DEG / 2) / _QUARTER_DEG)
    return quarter.astype(np.int64) % _N, compass - quarter * _QUARTER_DEG


def metres_to_nearest(locations: pd.DataFrame, captures: pd.DataFrame) -> NDArray[np.float64]:
    """How far each capture lies from the nearest location.

    Args:
        locations, captures: as in `assign_headings`.

    Returns:
        (n,) metres in the order of the captures, infinite where none has a position.
    """
    from scipy.spatial import cKDTree

    there = national_grid(locations["lat"], locations["lon"])
    there = there[~np.isnan(there[:, 0])]
    grid = national_grid(captures["lat"], captures["lon"])
    metres = np.full(len(grid), np.inf)
    located = ~np.isnan(grid[:, 0])
    if len(there) and located.any():
        metres[located], _ = cKDTree(there).query(grid[located])
    return metres


# -- locations and captures as arrays --------------------------------------------------------------


@dataclass(frozen=True)
class _Places:
    """The locations, by id: `ids` (n,), `grid` (n, 2) metres."""

    ids: pd.Index
    grid: NDArray[np.float64]

    @classmethod
    def of(cls, locations: pd.DataFrame) -> "_Places":
        rows = locations[["location_id", "lat", "lon"]].sort_values("location_id")
        return cls(_unique(rows["location_id"]), national_grid(rows["lat"], rows["lon"]))

    @property
    def n(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class _Pictures:
    """The captures, by id, so that positions compare as ids do; each array is (n,).

    Attributes:
        grid: (n, 2) metres.
        names: ids of the locations that they name, null where they name none.
        heading: 0 to 3, that to which it looks nearest.
        offset: degrees from there, above -45 and at most 45.
        time: milliseconds since 1970, minus infinity where unknown.
    """

    ids: pd.Index
    grid: NDArray[np.float64]
    names: pd.Series
    is_panorama: NDArray[np.bool_]
    has_compass: NDArray[np.bool_]
    heading: NDArray[np.int64]
    offset: NDArray[np.float64]
    time: NDArray[np.float64]
    usable: NDArray[np.bool_]

    @classmethod
    def of(cls, captures: pd.DataFrame, now: dt.datetime | None) -> "_Pictures":
        rows = captures.sort_values("capture_id", ignore_index=True)
        has_compass = np.isfinite(rows["compass_deg"].to_numpy(np.float64))
        heading, offset = nearest_heading(rows["compass_deg"])
        stamps = rows["captured_at"].astype("datetime64[ms]")
        time = np.where(stamps.isna(), -np.inf, stamps.astype("int64").astype(np.float64))
        in_time = time <= (np.inf if now is None else now.timestamp() * 1000)
        return cls(
            _unique(rows["capture_id"]),
            national_grid(rows["lat"], rows["lon"]),
            rows["location_id"],
            (rows["projection"] == EQUIRECTANGULAR).to_numpy(),
            has_compass,
            heading,
            offset,
            time,
            has_compass & in_time,
        )


def _unique(ids: pd.Series) -> pd.Index:
    if ids.duplicated().any():
        raise ValueError(f"{ids[ids.duplicated()].iloc[0]} occurs twice")
    return pd.Index(ids)


# -- candidates ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pairs:
    """Locations with captures that may show them, as positions; each array is (n,).

    Attributes:
        named: whether the capture names the location.
        metres: infinite where a position is unknown.
    """

    location: NDArray[np.int64]
    capture: NDArray[np.int64]
    named: NDArray[np.bool_]
    metres: NDArray[np.float64]

    def take(self, which: NDArray) -> "_Pairs":
        return _Pairs(
            self.location[which], self.capture[which], self.named[which], self.metres[which]
        )


def _candidates(places: _Places, pictures: _Pictures, views: Views) -> _Pairs:
    """Every location with the captures that name it, and with those near it that name none."""
    naming = np.flatnonzero(pictures.names.notna())
    named = places.ids.get_indexer(pictures.names.iloc[naming])
    known = named >= 0
    near, capture = _near(places.grid, pictures, views.within_m)
    location = np.concatenate([named[known], near]).astype(np.int64)
    capture = np.concatenate([naming[known], capture]).astype(np.int64)
    metres = np.hypot(*(places.grid[location] - pictures.grid[capture]).T)
    metres[np.isnan(metres)] = np.inf
    return _Pairs(location, capture, np.arange(len(location)) < known.sum(), metres)


def _near(grid: NDArray, pictures: _Pictures, within_m: float) -> tuple[NDArray, NDArray]:
    """Positions of locations and captures that lie within so many metres of each other."""
    from scipy.spatial import cKDTree

    here = np.flatnonzero(~np.isnan(grid[:, 0]))
    there = np.flatnonzero(pictures.names.isna() & ~np.isnan(pictures.grid[:, 0]))
    if not len(here) or not len(there):
        return here[:0], there[:0]
    trees = cKDTree(grid[here]), cKDTree(pictures.grid[there])
    found = trees[0].sparse_distance_matrix(trees[1], within_m, output_type="ndarray")
    return here[found["i"]], there[found["j"]]


def _among(locations: NDArray, pairs: _Pairs, n: int) -> NDArray[np.bool_]:
    """Whether the location of each pair is one of these."""
    held = np.zeros(n, dtype=bool)
    held[locations] = True
    return held[pairs.location]


# -- choices ---------------------------------------------------------------------------------------


def _choose_panoramas(chosen: NDArray, usable: _Pairs, pictures: _Pictures) -> None:
    """For all views of a location its nearest panorama."""
    rows = np.flatnonzero(pictures.is_panorama[usable.capture])
    best = _first_of_each(usable.location[rows], _by_place(usable.take(rows), pictures))
    chosen[usable.location[rows[best]]] = rows[best][:, None]


def _choose_photographs(
    chosen: NDArray, usable: _Pairs, pictures: _Pictures, views: Views
) -> NDArray[np.bool_]:
    """For each view of a location without a panorama the photograph that faces it best.

    Returns:
        (locations, 4) whether a photograph faces the view at any time.
    """
    capture = usable.capture
    faces = ~pictures.is_panorama[capture] & (
        np.abs(pictures.offset[capture]) <= views.tolerance_deg
    )
    rows = np.flatnonzero(faces & (chosen[usable.location, 0] < 0))
    pairs = usable.take(rows)
    heading, time = pictures.heading[pairs.capture], pictures.time[pairs.capture]
    faced = np.zeros(chosen.shape, dtype=bool)
    faced[pairs.location, heading] = True
    span = views.within_days * _MS_PER_DAY
    end = _ends_of_spans(pairs.location, heading, time, faced.shape, span)[pairs.location]
    is_in = np.isneginf(time) | ((time <= end) & (time >= end - span))
    rows, pairs, heading = rows[is_in], pairs.take(is_in), heading[is_in]
    steps = np.floor(np.abs(pictures.offset[pairs.capture]) / _STEP_DEG)
    best = _first_of_each(pairs.location * _N + heading, (*_by_place(pairs, pictures), steps))
    chosen[pairs.location[best], heading[best]] = rows[best]
    return faced


def _ends_of_spans(
    location: NDArray, heading: NDArray, time: NDArray, shape: tuple[int, ...], span: float
) -> NDArray[np.float64]:
    """When the span ends in which most headings of each location are faced; the newest such.

    A span that holds as many as any ends with a photograph, so only those ends are tried.

    Args:
        location, heading, time: (n,) of the photographs; those without a time are in every span.
        shape: number of locations and of headings.
        span: milliseconds.

    Returns:
        (locations,) milliseconds since 1970, minus infinity where no photograph states a time.
    """
    undated = np.zeros(shape, dtype=bool)
    undated[location[np.isneginf(time)], heading[np.isneginf(time)]] = True
    order = np.lexsort((time, location))
    order = order[~np.isneginf(time[order])]
    location, heading, time = location[order], heading[order], time[order]
    first = np.searchsorted(location, location)  # of the same location
    n_faced = np.zeros(len(time), dtype=np.int64)
    for each in range(shape[1]):
        last = np.maximum.accumulate(np.where(heading == each, np.arange(len(time)), -1))
        is_recent = (last >= first) & (time[last] >= time - span)
        n_faced += is_recent | undated[location, each]
    best = _first_of_each(location, (-time, -n_faced))
    ends = np.full(shape[0], -np.inf)
    ends[location[best]] = time[best]
    return ends


def _by_place(pairs: _Pairs, pictures: _Pictures) -> tuple[NDArray, ...]:
    """Keys of an order by nearness, then newness, then id; the last key comes first."""
    return pairs.capture, -pictures.time[pairs.capture], pairs.metres


def _first_of_each(group: NDArray, keys: tuple[NDArray, ...]) -> NDArray[np.int64]:
    """The position of the first row of each group in the order of these keys, the last first."""
    order = np.lexsort((*keys, group))
    return order[np.diff(group[order], prepend=-1) != 0]


# -- what is told ----------------------------------------------------------------------------------


def _reasons(
    places: _Places, pictures: _Pictures, pairs: _Pairs, usable: _Pairs, faced: NDArray
) -> NDArray[np.object_]:
    """(locations, 4) why a view would have no capture, whether it has one or not."""
    is_candidate, is_usable, lacks_compass = (np.zeros(places.n, dtype=bool) for _ in range(3))
    is_candidate[pairs.location] = True
    is_usable[usable.location] = True
    lacks_compass[pairs.location[~pictures.has_compass[pairs.capture]]] = True
    is_unnamed = pictures.names.isna().to_numpy()
    no_position = np.isnan(places.grid[:, 0]) & is_unnamed.any()
    of_location = np.select(
        [
            is_candidate & lacks_compass,
            is_candidate,
            no_position,
            _has_one_farther(places, pictures),
        ],
        [NO_COMPASS, IN_THE_FUTURE, NO_POSITION, TOO_FAR],
        NO_CAPTURE,
    )
    of_views = np.where(faced, TOO_FAR_APART, NONE_FACES_IT)
    return np.where(is_usable[:, None], of_views, of_location[:, None]).astype(object)


def _has_one_farther(places: _Places, pictures: _Pictures) -> NDArray[np.bool_]:
    """(locations,) whether a usable capture that names none lies within 200 m."""
    from scipy.spatial import cKDTree

    there = pictures.grid[pictures.names.isna().to_numpy() & pictures.usable]
    there, found = there[~np.isnan(there[:, 0])], np.zeros(places.n, dtype=bool)
    here = np.flatnonzero(~np.isnan(places.grid[:, 0]))
    if len(there) and len(here):
        metres, _ = cKDTree(there).query(places.grid[here], distance_upper_bound=MOST_WITHIN_M)
        found[here] = np.isfinite(metres)
    return found


def _table(
    places: _Places, pictures: _Pictures, usable: _Pairs, chosen: NDArray, reasons: NDArray
) -> pd.DataFrame:
    at = chosen.ravel()
    shown = at >= 0
    capture, metres = usable.capture[at[shown]], usable.metres[at[shown]]
    frame = pd.DataFrame(
        {
            "location_id": places.ids.repeat(_N),
            "view": list(HEADINGS) * places.n,
            "heading": list(HEADINGS.values()) * places.n,
            "capture_id": None,
            "offset_deg": np.nan,
            "metres": np.nan,
            "reason": pd.Series(reasons.ravel()).mask(shown),
        }
    )
    frame["capture_id"] = pd.Series(pictures.ids[capture], index=np.flatnonzero(shown))
    offset = np.where(pictures.is_panorama[capture], 0.0, pictures.offset[capture])
    frame.loc[shown, "offset_deg"] = offset
    frame.loc[shown, "metres"] = np.where(np.isinf(metres), np.nan, metres)
    return conform(frame, ASSIGNED_VIEWS)
