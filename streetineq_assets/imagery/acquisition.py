"""Fetching what a plan chose for one bucket: resumed where it was killed, and accounted.

Every planned view ends as fetched, rejected with a reason, or missing. A picture is on disk before
the recording names it, so a kill loses at most the pictures under way. What is published does not
depend on how often it was killed, nor on faults that passed: table, archive and recording are in
the order of ids and carry no time of day.
"""

from collections.abc import Callable, Iterable
from itertools import batched
from pathlib import Path
from typing import NamedTuple

from streetineq_assets.imagery.providers import Provider
from streetineq_assets.imagery.recording import Recording
from streetineq_assets.prefetch import prefetch

CAPTURES_TAR = "captures.tar"
FETCHED, REJECTED, MISSING = "fetched", "rejected", "missing"
GONE, CONTRADICTS = "gone", "position_contradicts"
# A camera's own position may be off by some streets; that of another town is another picture's.
FARTHEST_M = 500
_AT_A_TIME = 4  # pictures under way
_REPORT_EVERY = 500


class Capture(NamedTuple):
    """A planned capture, and where its record says that it was taken."""

    capture_id: str
    lat: float
    lon: float


class Outcome(NamedTuple):
    """What came of a capture: its picture's sha256 and size, or why there is none."""

    sha256: str | None
    size_bytes: int | None
    reason: str | None


def fetch_captures(
    captures: Iterable[Capture],
    provider: Provider,
    recording: Recording,
    folder: Path,
    *,
    earlier: Callable[[str], bytes | None],
    report: Callable[[str], None],
) -> dict[str, Outcome]:
    """Fetch the pictures that the working folder does not have yet; each lies under its sha256.

    Args:
        recording: says what is in the folder, and is added to.
        folder: outlives a kill.
        earlier: the picture of a capture in an artefact of before, which is not fetched again.

    Returns:
        What came of each capture.

    Raises:
        ImageryError: the provider does not answer, or does not let the study in. What was fetched
            stays in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcomes, wanted = {}, []
    for capture in captures:
        done = recording.picture(capture.capture_id)
        if done and (done.reason or _is_whole(folder, done)):
            outcomes[capture.capture_id] = done
        else:
            wanted.append(capture)

    def fetch(item: tuple[Capture, str | None]) -> tuple[str, Outcome]:
        capture, link = item
        outcome = _fetch(capture, link, provider, folder, earlier)
        return capture.capture_id, outcome

    linked = (
        (capture, links.get(capture.capture_id))
        for batch in batched(wanted, provider.ids_per_request)
        for links in [provider.links([each.capture_id for each in batch])]
        for capture in batch
    )
    fetched = prefetch(fetch, linked, workers=_AT_A_TIME, ahead=2 * _AT_A_TIME)
    for number, (capture_id, outcome) in enumerate(fetched, start=1):
        recording.add_picture(capture_id, outcome)
        outcomes[capture_id] = outcome
        if number % _REPORT_EVERY == 0:
            report(f"{number:,} of {len(wanted):,} pictures")
    return outcomes
