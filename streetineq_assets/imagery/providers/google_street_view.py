"""Google Street View, by its Static API: only under an agreement of the study's own.

Its terms forbid to download in bulk, to store and to derive content, for research too (the table of
terms quotes them). `providers.provider_of` refuses it unless study.toml states an agreement that
allows codes to be derived; even then pictures are encoded and dropped, never kept.

Where the facts come from: Google's pages on metadata, requests, error messages and usage of the
Street View Static API, read in November 2026. Metadata are of one panorama near a point, free of
charge, and without its direction, which needs none: pictures are made for a heading. Four headings
are four captures. With `return_error_code` the card for no imagery comes with status 404. The key
is part of the address; there is no other place for it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.boxes import Box
from streetineq_assets.imagery.exchange import Authorise, in_query
from streetineq_assets.imagery.found import found_frame, identifier, moment, position, text
from streetineq_assets.imagery.providers.base import BaseProvider
from streetineq_assets.imagery.tokens import Token
from streetineq_assets.images.tables import PERSPECTIVE

_HEADINGS = (0, 90, 180, 270)
# The widest that Google gives is 640 x 640; these are the defaults of [views], so nothing is cut.
_WIDTH_PX, _HEIGHT_PX, _FOV_DEG = 640, 400, 90
_BYTES = 45_000  # of such a picture
_STATUSES = {
    "OK": None,
    "ZERO_RESULTS": None,
    "NOT_FOUND": None,
    "OVER_QUERY_LIMIT": exchange.RATE_LIMITED,
    "OVER_DAILY_LIMIT": exchange.RATE_LIMITED,
    "REQUEST_DENIED": exchange.REFUSED,
    "UNKNOWN_ERROR": exchange.SERVER_ERROR,
}


class GoogleStreetView(BaseProvider):
    """`maps.googleapis.com`: a panorama near a point, a picture for each heading, a key."""

    key, title = "google_street_view", "Google Street View"
    api_host = "maps.googleapis.com"
    token_variable = "GOOGLE_MAPS_API_KEY"  # noqa: S105 - the name of a variable
    token_page = "https://console.cloud.google.com/google/maps-apis/credentials"  # noqa: S105
    box_side_deg, least_deg = 0.0005, 0.0005
    by_point = True
    requests_per_minute, most_per_minute = 15_000, 30_000
    keeps_pictures = False
    pictures_need_token = True

    @staticmethod
    def authorise(token: Token) -> Authorise:
        """`key=TOKEN` in the address."""
        return in_query(token, "key")

    @staticmethod
    def explain(status: int, body: Any) -> str | None:
        """Of the word `status` of a body, which comes with HTTP's 200 as a rule."""
        del status
        word = body.get("status") if isinstance(body, Mapping) else None
        if not isinstance(word, str):
            return None
        return _STATUSES.get(word, exchange.NOT_UNDERSTOOD)

    def typical_bytes(self, width_px: int | None, height_px: int | None) -> int:
        """Of a picture of 640 x 400, whatever the original."""
        del width_px, height_px
        return _BYTES

    def search(self, box: Box) -> pd.DataFrame:
        """Four captures of the panorama nearest to a box's middle, a frame of the schema `FOUND`.

        Raises:
            ImageryError: as `Provider.search`.
        """
        lat, lon = box.middle
        wanted = {
            "location": f"{lat:.7f},{lon:.7f}",
            "radius": str(math.ceil(box.corner_m)),
            "source": "outdoor",
        }
        answer = self._client.json(f"{self._url}/maps/api/streetview/metadata", wanted)
        place = answer.get("location") if isinstance(answer, Mapping) else None
        panorama = identifier(answer.get("pano_id")) if isinstance(answer, Mapping) else None
        if panorama is None or not isinstance(place, Mapping):
            return found_frame([])
        found_lat, found_lon = position(place.get("lat"), place.get("lng"))
        month = text(answer.get("date"))
        return found_frame(
            {
                "capture_id": f"{panorama}_{heading:03d}",
                "lat": found_lat,
                "lon": found_lon,
                "projection": PERSPECTIVE,
                "compass_deg": float(heading),
                "captured_at": moment(f"{month}-01" if month and len(month) == 7 else month),
                "provider": self.key,
                "creator": text(answer.get("copyright")),
                "width_px": _WIDTH_PX,
                "height_px": _HEIGHT_PX,
            }
            for heading in _HEADINGS
        )

    def _asked_links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        """Addresses are made, not asked for; the key comes to them with the request."""
        return {capture_id: self._address(capture_id) for capture_id in capture_ids}

    def _address(self, capture_id: str) -> str:
        panorama, _, heading = capture_id.rpartition("_")
        wanted = {
            "pano": panorama,
            "heading": str(int(heading)),
            "fov": str(_FOV_DEG),
            "size": f"{_WIDTH_PX}x{_HEIGHT_PX}",
            "return_error_code": "true",
        }
        return f"{self._url}/maps/api/streetview?{urlencode(wanted)}"
