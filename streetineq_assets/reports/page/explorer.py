"""What the page's script needs to find an area and to show it: areas, shapes, deciles, postcodes.

It stands in the page once, as compressed JSON. Without the script the page has all else.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from streetineq_assets.images.catalogue import HEADINGS
from streetineq_assets.reports.page.layers import LAYERS
from streetineq_assets.reports.page.outcome import CityMaps, level_of
from streetineq_assets.reports.page.pushes import pushes_by_area
from streetineq_assets.reports.results import PairResults

_INWARD = 3  # characters of a postcode behind its space
_COLUMNS = {
    "actual": "actual_decile",
    "predicted": "decile",
    "lower": "lower",
    "upper": "upper",
    "moved": "rank_change",
    "n": "n_locations",
    "uncertain": "too_uncertain_to_rank",
    "published": "is_published",
}


def encoded(content: Mapping[str, Any]) -> str:
    """JSON, compressed as zlib does, in base64: safe between tags whatever it says."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def explorer_data(cities: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All of it.

    Args:
        cities: as `city_data` returns them.
    """
    return {"layers": [layer.described() for layer in LAYERS], "cities": list(cities)}


def city_data(
    title: str, maps: CityMaps, postcodes: pd.DataFrame, pairs: Sequence[PairResults]
) -> dict[str, Any]:
    """One city's areas, in the order of their codes, and what is predicted of them.

    Args:
        postcodes: `postcode, area` of the city.
        pairs: its results that are shown.
    """
    shapes = maps.shapes
    position = {code: number for number, code in enumerate(shapes.codes)}
    places: dict[str, int] = {}  # of locations that push, each named once
    outcomes = [_outcome(each, position, places) for each in pairs]
    return {
        "title": title,
        "codes": list(shapes.codes),
        "names": [maps.names.get(code, "") for code in shapes.codes],
        "size": shapes.size(),
        "paths": shapes.paths(),
        "dots": shapes.dots(),
        "postcodes": postcodes_by_sector(postcodes, position),
        "outcomes": outcomes,
        "places": list(places),
    }


def postcodes_by_sector(postcodes: pd.DataFrame, position: Mapping[str, int]) -> dict[str, str]:
    """Sector, such as `N1 9`, to its units by area: `12GUGX 13AB` are N1 9GU and N1 9GX in 12.

    Args:
        postcodes: `postcode` with one space, `area`.
        position: of each area; postcodes of others are left out.
    """
    known = postcodes[postcodes["area"].isin(position)].sort_values("postcode")
    text = known["postcode"].astype("str")
    frame = pd.DataFrame(
        {
            "sector": text.str[: -_INWARD + 1],
            "unit": text.str[-_INWARD + 1 :],
            "area": known["area"].map(position).astype("str"),
        }
    )
    units = frame.groupby(["sector", "area"], sort=False)["unit"].agg("".join)
    parts = (units.index.get_level_values("area") + units).groupby(level="sector", sort=False)
    return {str(sector): " ".join(sorted(own)) for sector, own in parts}


def _outcome(
    results: PairResults, position: Mapping[str, int], numbers: dict[str, int]
) -> dict[str, Any]:
    """One outcome's columns, and what pushes its scores.

    Args:
        numbers: of the locations that are named; those that are not yet are added.
    """
    areas = results.areas
    pushes = pushes_by_area(results.explanations)
    places = areas["area"].map(position)
    values = {name: _whole(areas[column]) for name, column in _COLUMNS.items()}
    return {
        "key": results.pair.outcome,
        "title": results.outcome_title,
        "modelled": results.is_modelled,
        "level": f"{level_of(results):.0%}",
        "areas": places.astype(int).tolist(),
        **values,
        "pushes": [
            [
                (numbers.setdefault(location, len(numbers)), influence, HEADINGS.get(view))
                for location, influence, view in pushes.get(code, ())
            ]
            for code in areas["area"]
        ]
        if pushes
        else None,
    }


def _whole(values: pd.Series) -> list[int | None]:
    numbers = values.astype("Int64")
    return [None if missing else int(n) for n, missing in zip(numbers, numbers.isna(), strict=True)]
