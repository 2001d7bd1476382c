"""The paper's four cities as to be invented: their real size, place and local authorities.

What is invented lies where they lie and is called as they are called, so that a report of it looks
like theirs. Within them nothing is where it is in truth.
"""

from collections.abc import Mapping
from typing import NamedTuple

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_tests.benchmarks.invented_city import Place


class City(NamedTuple):
    """What is invented of a city.

    Attributes:
        n_outcomes: the first so many of the platform's.
    """

    title: str
    place: Place
    n_locations: int
    n_outcomes: int = len(OUTCOMES)


def smaller(cities: Mapping[str, City], *, areas: int, outcomes: int) -> dict[str, City]:
    """The same cities with a few wide areas and three authorities, for tests."""
    found = {}
    for key, city in cities.items():
        authorities = dict(list(city.place.authorities.items())[:3])
        place = city.place._replace(n_areas=areas, authorities=authorities)
        n_locations = round(city.n_locations * areas / city.place.n_areas)
        found[key] = City(city.title, place, n_locations, outcomes)
    return found


def _authorities(first: str, names: str) -> dict[str, str]:
    """Code to name of authorities that are numbered on."""
    prefix, number = first[:3], int(first[3:])
    return {f"{prefix}{number + n:06d}": name for n, name in enumerate(names.split(", "))}


_LONDON = _authorities(
    "E09000001",
    "City of London, Barking and Dagenham, Barnet, Bexley, Brent, Bromley, Camden, Croydon, "
    "Ealing, Enfield, Greenwich, Hackney, Hammersmith and Fulham, Haringey, Harrow, Havering, "
    "Hillingdon, Hounslow, Islington, Kensington and Chelsea, Kingston upon Thames, Lambeth, "
    "Lewisham, Merton, Newham, Redbridge, Richmond upon Thames, Southwark, Sutton, Tower Hamlets, "
    "Waltham Forest, Wandsworth, Westminster",
)
_WEST_MIDLANDS = _authorities(
    "E08000025", "Birmingham, Coventry, Dudley, Sandwell, Solihull, Walsall, Wolverhampton"
)
_GREATER_MANCHESTER = _authorities(
    "E08000001",
    "Bolton, Bury, Manchester, Oldham, Rochdale, Salford, Stockport, Tameside, Trafford, Wigan",
)
_WEST_YORKSHIRE = _authorities("E08000032", "Bradford, Calderdale, Kirklees, Leeds, Wakefield")
_LONDONS = (
    *("E", "EC", "N", "NW", "SE", "SW", "W", "WC", "BR", "CR"),
    *("DA", "EN", "HA", "IG", "KT", "RM", "SM", "TW", "UB"),
)

PAPER_CITIES = {
    "london": City(
        "Greater London", Place(_LONDON, _LONDONS, (530_000, 180_000), 1572, 4835), 133_000
    ),
    "birmingham": City(
        "West Midlands",
        Place(_WEST_MIDLANDS, ("B", "CV", "DY", "WS", "WV"), (411_000, 288_000), 902, 1680),
        46_200,
    ),
    "manchester": City(
        "Greater Manchester",
        Place(
            _GREATER_MANCHESTER, ("M", "BL", "OL", "SK", "WA", "WN"), (384_000, 398_000), 1276, 1673
        ),
        46_000,
    ),
    "leeds": City(
        "West Yorkshire",
        Place(_WEST_YORKSHIRE, ("LS", "BD", "HD", "HX", "WF"), (430_000, 428_000), 2029, 1388),
        38_200,
    ),
}
LONDON = {"london": PAPER_CITIES["london"]}
SMALL_CITIES = smaller(
    {key: PAPER_CITIES[key] for key in ("london", "leeds")}, areas=60, outcomes=3
)
