"""Panoramax: many instances that share their pictures, searched all at once, in STAC.

Where the facts come from: the source of `geovisio` 2.15.1, the server of its instances
(`web/items.py`: parameters, order, fields; `web/params.py`), and of `geopic-tag-reader` for what
pitch and roll mean: the front raised, the right arm down. A search of `geovisio` has no pages; the
catalogue of all instances may have, so a link `next` is followed where there is one. Which limits
of requests it has is told nowhere: the platform asks twice a second. Each picture has a licence of
its own. Nothing was tried on the live interface.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.boxes import Box, TooManyCapturesError
from streetineq_assets.imagery.found import (
    address,
    compass,
    found_frame,
    identifier,
    licence,
    moment,
    number,
    point,
    text,
    tilt,
    whole,
)
from streetineq_assets.imagery.providers.base import BaseProvider
from streetineq_assets.images.tables import EQUIRECTANGULAR, PERSPECTIVE

_ANY_TIME = ".."
_MOST_PAGES = 50


class Panoramax(BaseProvider):
    """`api.panoramax.xyz`: boxes, STAC items, no token."""

    key, title = "panoramax", "Panoramax"
    api_host = "api.panoramax.xyz"
    box_side_deg, least_deg = 0.005, 0.0002
    requests_per_minute = 120
    most_hits = 1_000  # of 10,000 that may be asked for: an item is some 5 kB

    @staticmethod
    def explain(status: int, body: Any) -> str | None:
        """Its statuses are those of HTTP; a time-out of its database comes as 5xx."""
        return exchange.by_status(status) if isinstance(body, Mapping) else None

    def search(self, box: Box) -> pd.DataFrame:
        """The captures in a box, a frame of the schema `FOUND`.

        Raises:
            TooManyCapturesError: as many were listed as are asked for at once.
            ImageryError: as `Provider.search`.
        """
        wanted = {"bbox": str(box), "limit": str(self.most_hits)}
        if self._imagery.since or self._imagery.until:
            wanted["datetime"] = f"{_day(self._imagery.since)}/{_day(self._imagery.until)}"
        items, complete = self._pages(f"{self._url}/api/search", wanted)
        captures = found_frame(self._row(item) for item in items)
        if not complete:
            raise TooManyCapturesError(captures)
        return captures

    def _pages(self, url: str, wanted: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], bool]:
        """The items of a search, of all its pages; and whether these are all there are."""
        items: list[Mapping[str, Any]] = []
        for n_before in range(_MOST_PAGES):
            answer = self._client.json(url, wanted)
            page = self._with_ids(_mapping(answer).get("features"))
            items += page
            following = _next(answer)
            if following is None:
                # Without pages, a list that is as long as it may be is one that was cut.
                return items, n_before > 0 or len(page) < self.most_hits
            url, wanted = following, {}
        return items, False

    def _row(self, item: Mapping[str, Any]) -> dict[str, Any]:
        stated = _mapping(item.get("properties"))
        camera = _mapping(stated.get("pers:interior_orientation"))
        lat, lon = point(item.get("geometry"))
        sizes = camera.get("sensor_array_dimensions")
        width, height = sizes if isinstance(sizes, list) and len(sizes) == 2 else (None, None)
        return {
            "capture_id": identifier(item.get("id")),
            "lat": lat,
            "lon": lon,
            "projection": _projection(stated, camera),
            "compass_deg": compass(stated.get("view:azimuth")),
            "pitch_deg": tilt(stated.get("pers:pitch")),
            "roll_deg": tilt(stated.get("pers:roll")),
            "captured_at": moment(stated.get("datetime")),
            "provider": self.key,
            "licence": licence(stated.get("license")),
            "creator": text(stated.get("geovisio:producer")) or _producer(item),
            "width_px": whole(width),
            "height_px": whole(height),
        }

    def _asked_links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        wanted = {"ids": json.dumps(list(capture_ids)), "limit": str(len(capture_ids))}
        answer = self._client.fresh_json(f"{self._url}/api/search", wanted)
        items = self._with_ids(_mapping(answer).get("features"))
        links = {str(item["id"]): _picture_of(item) for item in items}
        return {i: link for i in capture_ids if (link := links.get(i)) is not None}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _next(answer: Any) -> str | None:
    """The address of the next page, where it is to be had by GET."""
    links = _mapping(answer).get("links")
    for link in links if isinstance(links, list) else []:
        if _mapping(link).get("rel") == "next" and link.get("method", "GET") == "GET":
            return address(link.get("href"))
    return None


def _projection(stated: Mapping[str, Any], camera: Mapping[str, Any]) -> str:
    """A panorama has tiles, or a view of 360 degrees; one that was cropped is of no use."""
    round_about = number(camera.get("field_of_view")) == 360 or "tiles:tile_matrix_sets" in stated
    if not round_about:
        return PERSPECTIVE
    return "" if camera.get("visible_area") else EQUIRECTANGULAR


def _producer(item: Mapping[str, Any]) -> str | None:
    """Who took it, as STAC tells it."""
    providers = item.get("providers")
    for each in providers if isinstance(providers, list) else []:
        if isinstance(each, Mapping) and "producer" in (each.get("roles") or []):
            return text(each.get("name"))
    return None


def _picture_of(item: Mapping[str, Any]) -> str | None:
    """The address of its picture of 2,048 pixels."""
    return address(_mapping(_mapping(item.get("assets")).get("sd")).get("href"))


def _day(day: dt.date | None) -> str:
    return f"{day}T00:00:00Z" if day else _ANY_TIME
