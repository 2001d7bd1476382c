"""What providers have in common: links in batches, pictures behind links that expire, sizes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd

from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.boxes import Box
from streetineq_assets.imagery.client import LINK_EXPIRED, Client, LinkExpiredError
from streetineq_assets.imagery.exchange import GONE, Authorise, in_header
from streetineq_assets.imagery.found import identifier
from streetineq_assets.imagery.pictures import PictureRejectedError
from streetineq_assets.imagery.tokens import Token

NO_USABLE_ID = "no_usable_id"
_LINKS = 3  # that are asked for, one after another, for one picture
# Bytes of a pixel in JPEG files 2,048 pixels wide: medians of 6 panoramas and 12 photographs of
# Mapillary's in Global Streetscapes, which lay between 0.11 and 0.29.
_BYTES_OF_PANORAMA, _BYTES_OF_PHOTOGRAPH = 0.15, 0.18
_USUAL_SIZE = 2048, 1536


class BaseProvider(ABC):
    """A provider whose links are asked for in batches; `providers.Provider` has the meanings.

    Args:
        imagery: `[imagery]` of study.toml: which captures are wanted.
        client: where answers come from.
        url: the provider's own address or another one, without a slash at its end.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str | None] = None
    api_host: ClassVar[str]
    token_variable: ClassVar[str | None] = None
    token_page: ClassVar[str] = ""
    box_side_deg: ClassVar[float]
    least_deg: ClassVar[float]
    by_point: ClassVar[bool] = False
    requests_per_minute: ClassVar[int]
    most_per_minute: ClassVar[int | None] = None
    ids_per_request: ClassVar[int] = 50
    keeps_pictures: ClassVar[bool] = True
    pictures_need_token: ClassVar[bool] = False
    served_width_px: ClassVar[int] = 2048

    def __init__(self, imagery: Imagery, client: Client, url: str) -> None:
        self._imagery, self._client, self._url = imagery, client, url
        self._capture_of: dict[str, str] = {}

    @staticmethod
    def authorise(token: Token) -> Authorise:
        """How a request carries the token: by RFC 6750, where a provider says nothing else."""
        return in_header(token, "Bearer")

    @staticmethod
    @abstractmethod
    def explain(status: int, body: Any) -> str | None:
        """The kind of fault that an answer tells of, as `client.Explain`."""

    @abstractmethod
    def search(self, box: Box) -> pd.DataFrame:
        """The captures in a box, a frame of the schema `FOUND`; as `providers.Provider.search`."""

    @abstractmethod
    def _asked_links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        """Capture to link, of one request."""

    def typical_bytes(self, width_px: int | None, height_px: int | None) -> int:
        """An estimate of the size of the picture that is fetched of an original of that size."""
        width, height = (width_px, height_px) if width_px and height_px else _USUAL_SIZE
        scale = min(1.0, self.served_width_px / width)
        of_pixel = _BYTES_OF_PANORAMA if width == 2 * height else _BYTES_OF_PHOTOGRAPH
        return round(width * height * scale**2 * of_pixel)

    def links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        """Capture to the address of its picture, for a while; those that are gone are absent.

        Raises:
            ImageryError: the provider gives no answer.
        """
        found: dict[str, str] = {}
        for first in range(0, len(capture_ids), self.ids_per_request):
            batch = capture_ids[first : first + self.ids_per_request]
            found |= self._client.links(batch, self._asked_links)
        self._capture_of |= {link: capture_id for capture_id, link in found.items()}
        return found

    def picture(self, link: str) -> bytes:
        """A picture, as it is stored.

        Args:
            link: of `links`; where it has expired, a new one is asked for.

        Raises:
            PictureRejectedError: what comes is no picture of a street.
            ImageryError: the provider gives no answer.
        """
        capture_id = self._capture_of[link]
        try:
            data = self._fetched(link, capture_id)
        except PictureRejectedError:
            del self._capture_of[link]
            raise
        del self._capture_of[link]
        return data

    def _with_ids(self, listed: Any) -> list[Mapping[str, Any]]:
        """The entities of a list that have an id fit for a file's name; the others are counted."""
        entities = listed if isinstance(listed, list) else []
        known = [each for each in entities if isinstance(each, Mapping)]
        named = [each for each in known if identifier(each.get("id"))]
        if len(named) < len(entities):
            self._client.faults[NO_USABLE_ID] += len(entities) - len(named)
        return named

    def _fetched(self, link: str, capture_id: str) -> bytes:
        for _ in range(_LINKS):
            try:
                return self._client.picture(link, capture_id, with_token=self.pictures_need_token)
            except LinkExpiredError:
                renewed = self._client.links([capture_id], self._asked_links)
            if capture_id not in renewed:
                raise PictureRejectedError(GONE, "it was withdrawn")
            link = renewed[capture_id]
        raise PictureRejectedError(LINK_EXPIRED, f"{_LINKS} links, one after another, were refused")
