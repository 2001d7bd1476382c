"""Mapillary, version 4 of its interface.

Where the facts come from: fields, batches of 50 ids and the 2,000 hits of a search are those of
Mapillary's own `mapillary` 1.0.16 for Python (`config/api/entities.py`); links by `image_ids` and
the token in the header those of its `mapillary-js` (`GraphDataProvider.ts`). That a box must be
under 0.01 degrees square, that it does not page, that results come from its edge first, that
"Query Timeout" is said not to be transient and yet is, and the limits of requests were told by
users and by its forum, read in November 2026. Nothing was tried on the live interface.

Positions and compass angles exist twice: as the camera measured them, and as Mapillary's
reconstruction computed them, which come first. Pitch and roll are of `computed_rotation`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.boxes import Box, TooManyCapturesError
from streetineq_assets.imagery.client import QueryTimeoutError
from streetineq_assets.imagery.exchange import Authorise, in_header
from streetineq_assets.imagery.found import (
    address,
    compass,
    found_frame,
    identifier,
    moment,
    point,
    text,
    whole,
)
from streetineq_assets.imagery.providers.base import BaseProvider
from streetineq_assets.imagery.providers.orientation import pitch_and_roll
from streetineq_assets.imagery.tokens import Token
from streetineq_assets.images.tables import EQUIRECTANGULAR, PERSPECTIVE

_FIELDS = (
    "id,captured_at,geometry,computed_geometry,compass_angle,computed_compass_angle,"
    "computed_rotation,camera_type,is_pano,creator,width,height"
)
_LINK = "thumb_2048_url"
# Codes of Facebook's Graph interface, by which Mapillary answers: its own time-outs and failures,
# limits of requests, refused tokens.
_CODES = {
    -2: exchange.QUERY_TIMEOUT,
    **dict.fromkeys((1, 2), exchange.SERVER_ERROR),
    **dict.fromkeys((4, 17, 32, 613), exchange.RATE_LIMITED),
    **dict.fromkeys((102, 190, 368), exchange.REFUSED),
}
_SUBCODES = {3404014: exchange.QUERY_TIMEOUT, 33: exchange.GONE}  # 33: no such object
_PANORAMAS = ("spherical", "equirectangular")
_PHOTOGRAPHS = ("perspective", "brown")
_MOST_TIMEOUTS = 6  # of one box, before it counts as too crowded


class Mapillary(BaseProvider):
    """`graph.mapillary.com`: boxes, batches of links, a token in the header."""

    key, title, licence = "mapillary", "Mapillary", "CC-BY-SA-4.0"
    api_host = "graph.mapillary.com"
    token_variable = "MAPILLARY_TOKEN"  # noqa: S105 - the name of a variable
    token_page = "https://www.mapillary.com/dashboard/developers"  # noqa: S105 - a page
    box_side_deg, least_deg = 0.009, 0.0002
    requests_per_minute, most_per_minute = 5_000, 10_000  # of searches, which have the lower limit
    most_hits = 2_000

    @staticmethod
    def authorise(token: Token) -> Authorise:
        """`Authorization: OAuth TOKEN`."""
        return in_header(token, "OAuth")

    @staticmethod
    def explain(status: int, body: Any) -> str | None:
        """Of the error that a body states, whatever its status and `is_transient` say."""
        error = body.get("error") if isinstance(body, Mapping) else None
        if not isinstance(error, Mapping):
            return None
        kind = _SUBCODES.get(_integer(error, "error_subcode")) or _CODES.get(
            _integer(error, "code")
        )
        return kind or exchange.by_status(status) or exchange.NOT_UNDERSTOOD

    def search(self, box: Box) -> pd.DataFrame:
        """The captures in a box, a frame of the schema `FOUND`.

        Raises:
            TooManyCapturesError: 2,000 were listed, or the search timed out again and again.
            ImageryError: as `Provider.search`.
        """
        wanted = {"bbox": str(box), "fields": _FIELDS, "limit": str(self.most_hits)}
        if self._imagery.panoramas_only:
            wanted["is_pano"] = "true"
        if self._imagery.since:
            wanted["start_captured_at"] = f"{self._imagery.since}T00:00:00Z"
        if self._imagery.until:
            wanted["end_captured_at"] = f"{self._imagery.until}T00:00:00Z"
        try:
            url = f"{self._url}/images"
            answer = self._client.json(url, wanted, most_timeouts=_MOST_TIMEOUTS)
        except QueryTimeoutError:
            raise TooManyCapturesError from None
        items = self._with_ids(_listed(answer))
        captures = self._captures(items)
        if len(items) >= self.most_hits:
            raise TooManyCapturesError(captures)
        return captures

    def _captures(self, items: list[Mapping[str, Any]]) -> pd.DataFrame:
        rows = [self._row(item) for item in items]
        tilts = pitch_and_roll(
            [item.get("computed_rotation") for item in items],
            [compass(item.get("computed_compass_angle")) for item in items],
        )
        for row, tilt in zip(rows, np.round(tilts, 6).tolist(), strict=True):
            row["pitch_deg"], row["roll_deg"] = tilt
        return found_frame(rows)

    def _row(self, item: Mapping[str, Any]) -> dict[str, Any]:
        raw, computed = point(item.get("geometry")), point(item.get("computed_geometry"))
        lat, lon = raw if computed[0] is None else computed
        measured, better = (compass(item.get(f"{k}compass_angle")) for k in ("", "computed_"))
        creator = item.get("creator")
        return {
            "capture_id": identifier(item.get("id")),
            "lat": lat,
            "lon": lon,
            "raw_lat": None if computed[0] is None else raw[0],
            "raw_lon": None if computed[0] is None else raw[1],
            "projection": _projection(item),
            "compass_deg": measured if better is None else better,
            "second_compass_deg": None if better is None else measured,
            "captured_at": moment(item.get("captured_at")),
            "provider": self.key,
            "licence": self.licence,
            "creator": text(creator.get("username")) if isinstance(creator, Mapping) else None,
            "width_px": whole(item.get("width")),
            "height_px": whole(item.get("height")),
        }

    def _asked_links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        wanted = {"image_ids": ",".join(capture_ids), "fields": f"id,{_LINK}"}
        answer = self._client.fresh_json(f"{self._url}/images", wanted)
        if answer is None and len(capture_ids) > 1:
            # One that does not exist spoils the answer for all.
            half = len(capture_ids) // 2
            return self._asked_links(capture_ids[:half]) | self._asked_links(capture_ids[half:])
        items = self._with_ids(_listed(answer))
        links = {str(item["id"]): address(item.get(_LINK)) for item in items}
        return {i: link for i in capture_ids if (link := links.get(i)) is not None}


def _integer(error: Mapping[str, Any], name: str) -> int:
    value = error.get(name)
    return value if isinstance(value, int) else 0


def _listed(answer: Any) -> Any:
    return answer.get("data") if isinstance(answer, Mapping) else None


def _projection(item: Mapping[str, Any]) -> str:
    """Of the camera's type; empty for those of which no view can be made, such as fisheye."""
    kind = str(item.get("camera_type") or "").lower()
    if kind in _PANORAMAS or (not kind and item.get("is_pano") is True):
        return EQUIRECTANGULAR
    return PERSPECTIVE if kind in _PHOTOGRAPHS or not kind else ""
