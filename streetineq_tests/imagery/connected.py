"""A provider that asks a server on this machine, and time that passes without being waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streetineq_assets.image_settings import Imagery, Rights
from streetineq_assets.imagery.boxes import Box, Found, search_boxes, together
from streetineq_assets.imagery.client import Live
from streetineq_assets.imagery.pictures import PictureRejectedError
from streetineq_assets.imagery.providers import BaseProvider, connect, provider_of
from streetineq_assets.imagery.recording import Recording
from streetineq_tests.imagery.loopback import TOKEN, Loopback
from streetineq_tests.imagery.world import World

MIDDLE = (51.5, -0.12)
BOX = Box(-0.124, 51.496, -0.116, 51.504)
ENVIRONMENT = {"MAPILLARY_TOKEN": TOKEN, "GOOGLE_MAPS_API_KEY": TOKEN}
AGREED = Rights.model_validate(
    {"agreements": {"Google": {"allows": ["derive_codes"], "reason": "letter of 1 May 2026"}}}
)


@dataclass
class Clock:
    """Seconds that pass when somebody pauses."""

    now: float = 1_000.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@dataclass
class Connected:
    """A provider, what it asks through, and the server that it asks."""

    provider: BaseProvider
    client: Live
    server: Loopback
    recording: Recording
    clock: Clock

    def found(self, box: Box = BOX) -> Found:
        """What a box holds, its crowded parts split."""
        least = self.provider.least_deg
        return together(search_boxes(self.provider.search, box, least_deg=least))

    def pictures(self, ids: list[str]) -> dict[str, bytes | str]:
        """Capture to the bytes of its picture, or to the reason why there is none."""
        links = self.provider.links(ids)
        return {i: self._one(links[i]) if i in links else "gone" for i in ids}

    def _one(self, link: str) -> bytes | str:
        try:
            return self.provider.picture(link)
        except PictureRejectedError as rejected:
            return rejected.reason


@contextmanager
def connected(
    world: World,
    folder: Path,
    provider: str = "mapillary",
    *,
    patience_s: float = 3600.0,
    timeouts_s: tuple[float, float] = (5.0, 5.0),
    imagery: dict[str, Any] | None = None,
    **server: Any,
) -> Iterator[Connected]:
    """A provider that asks a server on this machine.

    Args:
        folder: of the recording; one that is there is gone on with.
        imagery: further settings of `[imagery]`.
        server: arguments of `Loopback`.
    """
    clock = Clock()
    with (
        Loopback(world, provider, **server) as loopback,
        Recording(folder / "recording.jsonl") as recording,
    ):
        settings = Imagery.model_validate(
            {"provider": provider, "endpoint": loopback.url, **(imagery or {})}
        )
        client = connect(
            settings,
            recording,
            ENVIRONMENT,
            patience_s=patience_s,
            timeouts_s=timeouts_s,
            pause=clock.pause,
            clock=clock,
        )
        with client:
            provider_here = provider_of(settings, AGREED, client)
            assert isinstance(provider_here, BaseProvider)
            yield Connected(provider_here, client, loopback, recording, clock)
