"""Which locations were photographed, which postcodes they serve, and which of them are faulty."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.demo.geography import points_inside, stream, to_degrees

# What goes wrong in real collections of photographs, as the first city has them.
FAULTS = (
    "missing_view",  # one of the four files is absent
    "unknown_postcode",  # the directory has no such postcode
    "no_images",  # listed, and nothing was ever downloaded
    "truncated",  # a download that was cut off
    "not_an_image",  # an error page saved as .jpg
    "outside_city",  # its postcode lies in another district
)
# And of panoramas, as the others have them: a capture is there with all four views, or not at all.
CAPTURE_FAULTS = ("no_images", "unknown_postcode")
AREAS_PER_REPEAT = 16  # of pairs of locations on both sides of a border that show one street
ACROSS_M = 15  # each of a pair from the border
PACKINGS = ("png", "jpeg", "tgz")
CAPTURE_PACKINGS = ("jpeg", "tgz")
UNKNOWN_POSTCODE = "QZ99 9ZZ"
POSTCODES_PER_LOCATION = 3


def live_postcodes_needed(locations_per_lsoa: int) -> int:
    """How many live postcodes an area needs for no two locations to serve the same one."""
    return POSTCODES_PER_LOCATION * max(2, locations_per_lsoa)


def plan_locations(areas: pd.DataFrame, order: int, per_lsoa: int, seed: int) -> pd.DataFrame:
    """A city's locations; an area with a faulty one has a good one too.

    In the first city some pairs lie across a border from each other, and one of each shows what the
    other does: an area's label comes with its neighbour's pictures.

    Args:
        areas: the city's areas as `geography.areas` returns them.
        order: 0 for the first city, which has photographs; decides the faults and the ids.
        per_lsoa: locations of every area; at least two where one is faulty.
        seed: of the study.

    Returns:
        One row per location, sorted by id: `location_id, area, number` (0.. within the area),
        `packing` (how its images are stored), `fault` ("" for none), `repeats` (the location whose
        street it shows, "" for its own), `lon, lat, captured_at`.
    """
    city = areas["town"].iloc[0]
    rng = stream(seed, "locations", city)
    faults = FAULTS if order == 0 else CAPTURE_FAULTS
    afflicted = dict(
        zip(rng.choice(areas["area"], len(faults), replace=False), faults, strict=True)
    )
    rows = []
    for area in areas.itertuples():
        fault = afflicted.get(area.area, "")
        count = max(per_lsoa, 2) if fault else per_lsoa
        points = points_inside(area.boundary, count, rng)
        for number in range(count):
            own = fault if number == count - 1 else ""
            rows.append({"area": area.area, "number": number, "fault": own, "at": points[number]})
    frame = pd.DataFrame(rows).assign(repeated=-1)
    if order == 0:
        frame = _plant_repeats(frame, areas, rng)
    frame = frame.assign(row=frame.index).iloc[rng.permutation(len(rows))].reset_index(drop=True)
    frame["lon"], frame["lat"] = to_degrees(*np.stack(frame.pop("at")).T)
    days = rng.integers(0, 1000, len(frame))
    frame["captured_at"] = [str(np.datetime64("2015-05-01") + int(day)) for day in days]
    return _with_ids(frame, order).sort_values("location_id", ignore_index=True)


def _with_ids(frame: pd.DataFrame, order: int) -> pd.DataFrame:
    """Ids that differ between cities, with the packing in the ten-thousands."""
    packings = PACKINGS if order == 0 else CAPTURE_PACKINGS
    packing = np.arange(len(frame)) % len(packings)
    packing[(frame["fault"] != "").to_numpy()] = packings.index("jpeg")
    number = pd.Series(packing).groupby(packing).cumcount().to_numpy()
    ids = 100_000 * (order + 1) + 10_000 * (packing + 1) + number
    named = frame.assign(location_id=ids.astype(str), packing=[packings[p] for p in packing])
    by_row = named.set_index("row")["location_id"]
    repeats = named["repeated"].map(by_row).fillna("")
    return named.assign(repeats=repeats).drop(columns=["row", "repeated"])


def _plant_repeats(
    frame: pd.DataFrame, areas: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Move pairs of locations to both sides of a border, one of them to show the other's street.

    Args:
        frame: a row per location, `area, number, fault, at`.
        areas: `area, boundary`.

    Returns:
        The frame with `repeated`: the row of the location whose street is shown, -1 for its own.
    """
    at, repeated = frame["at"].tolist(), [-1] * len(frame)
    usable = frame[(frame["number"] == 0) & (frame["fault"] == "")]
    row_of = dict(zip(usable["area"], usable.index, strict=True))
    shapes = dict(zip(areas["area"], areas["boundary"], strict=True))
    left = [code for code in rng.permutation(areas["area"]) if code in row_of]
    for _ in range(max(1, len(areas) // AREAS_PER_REPEAT)):
        one = left.pop()
        other = max(left, key=lambda code, one=one: shapes[code].intersection(shapes[one]).length)
        left.remove(other)
        border = shapes[one].intersection(shapes[other]).interpolate(0.5, normalized=True)
        middle = np.array([border.x, border.y])
        for code in (one, other):
            inwards = np.array([shapes[code].centroid.x, shapes[code].centroid.y]) - middle
            at[row_of[code]] = middle + ACROSS_M * inwards / np.hypot(*inwards)
        repeated[row_of[other]] = row_of[one]
    return frame.assign(at=at, repeated=repeated)


def write_locations(
    path: Path, locations: pd.DataFrame, postcodes: pd.DataFrame, elsewhere: str, seed: int
) -> None:
    """Write `locations/<city>.csv`: one row per location and postcode that it serves.

    Args:
        path: the file.
        locations: as `plan_locations` returns them.
        postcodes: of the city, as `geography.postcodes` returns them.
        elsewhere: a postcode outside the city.
        seed: of the study.
    """
    faulty = {"unknown_postcode": UNKNOWN_POSTCODE, "outside_city": elsewhere}
    by_area = dict(list(postcodes.groupby("area")))
    served = [
        [faulty[location.fault]]
        if location.fault in faulty
        else _served(by_area[location.area], location, seed)
        for location in locations.itertuples()
    ]
    table = locations.assign(postcode=served, provider="synthetic", licence="CC0-1.0")
    columns = ["location_id", "postcode", "lat", "lon", "captured_at", "provider", "licence"]
    table[columns].explode("postcode").to_csv(path, index=False, lineterminator="\n")


def _served(postcodes: pd.DataFrame, location: Any, seed: int) -> list[str]:
    """One to three live postcodes of its own, and sometimes one that carries no weight."""
    rng = stream(seed, "served", location.location_id)
    live = postcodes.loc[postcodes["live"], "pcds"].tolist()
    others = postcodes.loc[~postcodes["live"], "pcds"].tolist()
    first = POSTCODES_PER_LOCATION * location.number
    chosen = live[first : first + int(rng.integers(1, POSTCODES_PER_LOCATION + 1))]
    return chosen + ([others[rng.integers(len(others))]] if rng.random() < 0.3 else [])
