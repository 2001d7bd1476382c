"""Providers of street imagery: what the platform asks of one, and which there are.

To add a provider, write a module with a class that has these attributes and three methods, and name
the class in `PROVIDERS`, its key in `settings.Provider`, and its terms in `images/terms.csv`.
"""

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from streetineq_assets.imagery.boxes import Box


class Provider(Protocol):
    """One provider of street imagery.

    Attributes:
        key: as in `settings.Provider`, `images/terms.csv` and the column `provider`.
        title: as people write it.
        licence: SPDX identifier of the licence of all its images; None where each has its own.
        api_host: the only host to which a token is sent.
        token_variable: the environment variable that holds the token; None where none is needed.
        box_side_deg: side of the boxes in which captures are searched, degrees.
        least_deg: side below which a box is split no more.
        by_point: whether a search is around a point: its box is `boxes.around` the point.
        requests_per_minute: that the platform sends unless the study says otherwise: half of what
            the provider allows.
        ids_per_request: captures whose links are asked for at once.
        keeps_pictures: whether the terms let pictures be kept; else they are encoded and dropped.
    """

    key: str
    title: str
    licence: str | None
    api_host: str
    token_variable: str | None
    box_side_deg: float
    least_deg: float
    by_point: bool
    requests_per_minute: int
    ids_per_request: int
    keeps_pictures: bool

    def typical_bytes(self, width_px: int | None, height_px: int | None) -> int:
        """An estimate of the size of the picture that is fetched of an original of that size."""
        ...

    def search(self, box: Box) -> pd.DataFrame:
        """The captures in a box, a frame of the schema `FOUND`; maybe some outside of it.

        Raises:
            TooManyCapturesError: the box holds more than the provider lists.
            ImageryError: it does not answer, refuses the token, or its quota is used up.
        """
        ...

    def links(self, capture_ids: Sequence[str]) -> dict[str, str]:
        """Capture to the address of its picture, for a while; those that are gone are absent.

        Raises:
            ImageryError: as `search`.
        """
        ...

    def picture(self, link: str) -> bytes:
        """A picture, as it is stored: complete, of a known format, and not a grey card.

        Args:
            link: of `links`; where it has expired, a new one is asked for.

        Raises:
            PictureRejectedError: what comes is no picture of a street; `reason` says why.
            ImageryError: as `search`.
        """
        ...
