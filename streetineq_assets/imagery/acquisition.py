"""Fetching pictures: resumed where it was killed, and the same however often that was.

The working folder holds each picture under its sha256, and the recording names it. A picture that
the one has and the other has not is fetched again, so that a kill costs the pictures under way.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from streetineq_assets.imagery.exchange import GONE
from streetineq_assets.imagery.pictures import PictureRejectedError, exif_position
from streetineq_assets.imagery.providers import Provider
from streetineq_assets.imagery.recording import Recording, link_key, picture_key
from streetineq_assets.prefetch import prefetch

CONTRADICTS = "position_contradicts"
# A camera's own position may be off by some streets; that of another town is another picture's.
FARTHEST_M = 500
_AT_A_TIME = 4  # pictures under way
_REPORT_EVERY = 500


class Capture(NamedTuple):
    """A planned capture, and where its record says that it was taken."""

    capture_id: str
    lat: float
    lon: float


class Fetched(NamedTuple):
    """What came of a capture: sha256 and size of its picture, or why there is none."""

    sha256: str | None = None
    size_bytes: int | None = None
    reason: str | None = None


def fetch_captures(
    captures: Sequence[Capture],
    provider: Provider,
    recording: Recording,
    folder: Path,
    *,
    report: Callable[[str], None],
) -> dict[str, Fetched]:
    """Fetch the pictures that the working folder does not have; each lies there under its sha256.

    Args:
        captures: each once.
        recording: says what is in the folder; the provider's client adds to it.
        folder: outlives a kill.

    Returns:
        What came of each capture.

    Raises:
        ImageryError: the provider does not answer, or does not let the study in. What was fetched
            stays in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results, wanted = {}, []
    for capture in captures:
        known = _known(capture, recording, folder)
        if known:
            results[capture.capture_id] = known
        else:
            wanted.append(capture)

    def fetch(item: tuple[Capture, str | None]) -> tuple[str, Fetched]:
        return item[0].capture_id, _fetch(*item, provider, folder)

    fetched = prefetch(fetch, _linked(wanted, provider), workers=_AT_A_TIME, ahead=2 * _AT_A_TIME)
    for number, (capture_id, result) in enumerate(fetched, start=1):
        results[capture_id] = result
        if number % _REPORT_EVERY == 0:
            report(f"{number:,} of {len(wanted):,} pictures")
    return results


def keep_earlier(capture: Capture, data: bytes, recording: Recording, folder: Path) -> None:
    """Take a picture of an earlier artefact for one that was fetched now."""
    digest = _save(data, folder)
    recording.put(link_key(capture.capture_id), gone=False)
    recording.put(
        picture_key(capture.capture_id),
        capture_id=capture.capture_id,
        sha256=digest,
        bytes=len(data),
    )


def _known(capture: Capture, recording: Recording, folder: Path) -> Fetched | None:
    """What came of a capture before, where that stands."""
    entry = recording.get(picture_key(capture.capture_id))
    if entry is None:
        return None
    if "rejected" in entry:
        return Fetched(reason=entry["rejected"])
    path = folder / entry["sha256"]
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:  # half of it, where power was lost
        return None
    return _judged(capture, data)


def _linked(wanted: Sequence[Capture], provider: Provider) -> Iterator[tuple[Capture, str | None]]:
    """Each capture with its link, which is asked for in batches shortly before it is used."""
    for start in range(0, len(wanted), provider.ids_per_request):
        batch = wanted[start : start + provider.ids_per_request]
        links = provider.links([each.capture_id for each in batch])
        yield from ((each, links.get(each.capture_id)) for each in batch)


def _fetch(capture: Capture, link: str | None, provider: Provider, folder: Path) -> Fetched:
    if link is None:
        return Fetched(reason=GONE)
    try:
        data = provider.picture(link)
    except PictureRejectedError as rejected:
        return Fetched(reason=rejected.reason)
    _save(data, folder)
    return _judged(capture, data)


def _judged(capture: Capture, data: bytes) -> Fetched:
    """A picture is not believed that says itself that it was taken elsewhere."""
    own = exif_position(data)
    if own and metres_between(own, (capture.lat, capture.lon)) > FARTHEST_M:
        return Fetched(reason=CONTRADICTS)
    return Fetched(hashlib.sha256(data).hexdigest(), len(data))


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres between two positions, latitude and longitude in degrees, on the WGS84 ellipsoid."""
    from pyproj import Geod

    return Geod(ellps="WGS84").inv(one[1], one[0], other[1], other[0])[2]


def _save(data: bytes, folder: Path) -> str:
    """Put a picture under its sha256, whole or not at all."""
    digest = hashlib.sha256(data).hexdigest()
    draft = folder / f"{digest}.part"
    draft.write_bytes(data)
    draft.replace(folder / digest)
    return digest
