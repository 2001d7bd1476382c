"""Listed locations by their coordinates, as names of files give them: rounded.

A name says how far it is rounded by its decimals; of its two numbers the longer one tells, since
programs leave zeros at the end away. The location meant is the listed one whose coordinates,
rounded as far, are these. Whether halves go up or down is left open, since programs differ in it.
"""

from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

COARSE, SEVERAL, NOWHERE = "coarse_position", "ambiguous_position", "unlisted_location"
FEWEST_DECIMALS = 3  # with fewer a name says no place: 2 are 1.1 km

_MOST_DECIMALS = 8  # a millimetre
_SHOWN_DECIMALS = 6
_SLACK = 1e-5  # of the last decimal: more than floats lose at 8 decimals
_METRES_PER_DEGREE = 111_195.0  # of a great circle on a sphere of 6,371 km


class Place(NamedTuple):
    """The location at a position, or why there is none."""

    location_id: str | None
    why: str | None


class Positions:
    """The coordinates of a city's locations.

    Args:
        listed: frame `location_id, lat, lon` (degrees, WGS84, may be null), a location once or more
            often; None where there are no coordinates.
    """

    def __init__(self, listed: pd.DataFrame | None) -> None:
        columns = ["location_id", "lat", "lon"]
        frame = pd.DataFrame(columns=columns) if listed is None else listed[columns].dropna()
        frame = frame.drop_duplicates("location_id")
        self._ids = frame["location_id"].tolist()
        self._degrees = frame[["lat", "lon"]].to_numpy(dtype="float64")
        self._by_decimals: dict[int, dict[tuple[int, int], int | None]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def at(self, position: tuple[str, str]) -> Place:
        """The only listed location that has these coordinates.

        Args:
            position: latitude and longitude, as a name writes them.
        """
        numbers = [Decimal(text) for text in position]
        decimals = max(-int(number.as_tuple().exponent) for number in numbers)
        if decimals < FEWEST_DECIMALS:
            return Place(None, COARSE)
        decimals = min(decimals, _MOST_DECIMALS)
        if decimals not in self._by_decimals:
            self._by_decimals[decimals] = self._rounded(decimals)
        lat, lon = (round(number.scaleb(decimals)) for number in numbers)
        places = self._by_decimals[decimals]
        if (lat, lon) not in places:
            return Place(None, NOWHERE)
        place = places[lat, lon]
        return Place(None, SEVERAL) if place is None else Place(self._ids[place], None)

    def nearest(self, position: tuple[str, str]) -> tuple[str, float]:
        """The listed location nearest to a position, of which there must be one, and metres to it.

        On a plane that touches the globe there: exact enough for some kilometres.
        """
        lat, lon = map(float, position)
        apart = (self._degrees - [lat, lon]) * [1.0, np.cos(np.radians(lat))]
        metres = np.hypot(*apart.T) * _METRES_PER_DEGREE
        nearest = int(metres.argmin())
        return self._ids[nearest], float(metres[nearest])

    def written(self, location_id: str) -> tuple[str, str] | None:
        """A location's coordinates as a name may give them; None where the list has none."""
        place = self._places.get(location_id)
        if place is None:
            return None
        lat, lon = self._degrees[place]
        return f"{lat:.{_SHOWN_DECIMALS}f}", f"{lon:.{_SHOWN_DECIMALS}f}"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {location_id: place for place, location_id in enumerate(self._ids)}

    def _rounded(self, decimals: int) -> dict[tuple[int, int], int | None]:
        """Rounded coordinates, in units of the last decimal, to a location; None for several."""
        scaled = self._degrees * 10.0**decimals
        down = np.ceil(scaled - 0.5 - _SLACK).astype("int64")
        up = np.floor(scaled + 0.5 + _SLACK).astype("int64")
        places: dict[tuple[int, int], int | None] = {}
        for lats, lons in ((down, down), (down, up), (up, down), (up, up)):
            keys = zip(lats[:, 0].tolist(), lons[:, 1].tolist(), strict=True)
            for place, key in enumerate(keys):
                if places.setdefault(key, place) != place:
                    places[key] = None
        return places
