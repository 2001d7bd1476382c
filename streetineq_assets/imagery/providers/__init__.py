"""Providers of street imagery: what the platform asks of one, and which there are.

To add a provider, write a module with a class that has these attributes and three methods, and name
the class in `PROVIDERS`, its key in `image_settings.Provider`, and its terms in `images/terms.csv`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

import pandas as pd

from streetineq_assets.errors import StudyError
from streetineq_assets.image_settings import Imagery, Rights
from streetineq_assets.imagery.boxes import Box
from streetineq_assets.imagery.client import Client, Live
from streetineq_assets.imagery.exchange import TIMEOUTS_S, Exchange, is_loopback
from streetineq_assets.imagery.patience import Asked, Patience
from streetineq_assets.imagery.providers.base import BaseProvider
from streetineq_assets.imagery.providers.google_street_view import GoogleStreetView
from streetineq_assets.imagery.providers.kartaview import KartaView
from streetineq_assets.imagery.providers.mapillary import Mapillary
from streetineq_assets.imagery.providers.panoramax import Panoramax
from streetineq_assets.imagery.recording import Recording
from streetineq_assets.imagery.tokens import Token, token_of
from streetineq_assets.images.rights import NO, find_terms, rights_of

PROVIDERS: Mapping[str, type[BaseProvider]] = {
    provider.key: provider for provider in (Mapillary, Panoramax, KartaView, GoogleStreetView)
}


class Provider(Protocol):
    """One provider of street imagery.

    Attributes:
        key: as in `image_settings.Provider`, `images/terms.csv` and the column `provider`.
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

    key: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str | None]
    api_host: ClassVar[str]
    token_variable: ClassVar[str | None]
    box_side_deg: ClassVar[float]
    least_deg: ClassVar[float]
    by_point: ClassVar[bool]
    requests_per_minute: ClassVar[int]
    ids_per_request: ClassVar[int]
    keeps_pictures: ClassVar[bool]

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


def provider_of(imagery: Imagery, rights: Rights, client: Client) -> Provider:
    """The provider of `[imagery]`.

    Args:
        rights: `[rights]`, where an agreement with a provider stands.
        client: of `connect`, or a `replay.Replay`.

    Raises:
        StudyError: its terms forbid codes of its images, and no agreement allows them.
    """
    provider = PROVIDERS[imagery.provider]
    _refuse_forbidden(provider, rights)
    return provider(imagery, client, _url(imagery))


def connect(
    imagery: Imagery,
    recording: Recording,
    environment: Mapping[str, str],
    *,
    patience_s: float = 3600.0,
    most_plain: float = 0.9,
    timeouts_s: tuple[float, float] = TIMEOUTS_S,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Live:
    """A client of the provider's network; it sends nothing yet.

    Args:
        recording: what it holds is not asked again; what is answered is added.
        environment: where the token is read from, such as `os.environ`.
        patience_s: for which one thing is asked again and again.
        most_plain: `[images]`: share of pixels of one colour above which a picture is a card.
        timeouts_s: to connect, and between two pieces of an answer.
        pause, clock: wait for some seconds; seconds since anything that does not change.

    Raises:
        StudyError: the token would go elsewhere than to the provider, or more requests are asked
            for than it allows.
        ImageryError: no token is set, or it is none.
    """
    provider, url = PROVIDERS[imagery.provider], _url(imagery)
    per_minute = imagery.requests_per_minute or provider.requests_per_minute
    if provider.most_per_minute and per_minute > provider.most_per_minute:
        raise StudyError(
            f"requests_per_minute = {per_minute} in [imagery] is more than {provider.title} allows "
            f"({provider.most_per_minute}): lower it"
        )
    token = _token(provider, url, environment)
    asked = Asked(
        provider.title,
        url.split("://", 1)[1],
        provider.token_variable,
        provider.token_page,
    )
    return Live(
        Exchange(url, provider.authorise(token) if token else None, timeouts_s),
        Patience(asked, seconds=patience_s, per_minute=per_minute, pause=pause, clock=clock),
        recording,
        explain=provider.explain,
        token=token,
        most_plain=most_plain,
    )


def check_access(imagery: Imagery, rights: Rights, environment: Mapping[str, str]) -> None:
    """Refuse what `connect` and `provider_of` would refuse; nothing is sent.

    Raises:
        StudyError, ImageryError: as they.
    """
    provider = PROVIDERS[imagery.provider]
    _refuse_forbidden(provider, rights)
    _token(provider, _url(imagery), environment)


def _refuse_forbidden(provider: type[BaseProvider], rights: Rights) -> None:
    if rights_of(provider.key, None, rights)["derive_codes"] == NO:
        terms = find_terms("provider", provider.key)
        said = f"{terms.conditions} ({terms.source}, read {terms.read_on})" if terms else "no terms"
        raise StudyError(
            f"{provider.title} allows no codes of its images: {said}. Choose another provider in "
            "[imagery], or, if you have an agreement with it, state in study.toml "
            f'[rights.agreements.{provider.key}] with allows = ["derive_codes"] and a reason, of '
            "whom and when"
        )


def _token(provider: type[BaseProvider], url: str, environment: Mapping[str, str]) -> Token | None:
    if not provider.token_variable:
        return None
    if url != f"https://{provider.api_host}" and not is_loopback(url):
        raise StudyError(
            f"endpoint = {url} in [imagery] is not {provider.title}'s: its token goes to "
            f"{provider.api_host} alone: delete endpoint"
        )
    return token_of(
        provider.token_variable, environment, title=provider.title, page=provider.token_page
    )


def _url(imagery: Imagery) -> str:
    return imagery.endpoint or f"https://{PROVIDERS[imagery.provider].api_host}"
