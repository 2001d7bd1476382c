"""A provider with its recording, open for one step: what it is asked is recorded and counted."""

import contextlib
import datetime as dt
import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from streetineq_assets.errors import StudyError
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.client import Live
from streetineq_assets.imagery.providers import Provider, connect, provider_of
from streetineq_assets.imagery.recording import Recording, read_recording
from streetineq_assets.imagery.replay import Replay
from streetineq_assets.images.headings import latest_moment
from streetineq_assets.locks import one_process
from streetineq_assets.study import Study

BEGAN = "BEGAN"  # key of the entry that says on which day the provider was first asked
_RECORDING = "recording.jsonl"  # in the working folder
_STALE_AFTER_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Asking:
    """A provider that is being asked.

    Attributes:
        began_on: the day, UTC, on which it was first asked, by a run that was killed since too.
    """

    provider: Provider
    recording: Recording
    began_on: dt.date
    client: Live | Replay

    def counts(self) -> dict[str, int]:
        """What happened on the way: requests, bytes, faults by kind."""
        faults = {f"n_faults_{kind}": n for kind, n in sorted(self.client.faults.items())}
        counted = {"n_requests": self.client.n_requests, "bytes_received": self.client.n_bytes}
        return counted | faults


@contextlib.contextmanager
def asking(
    imagery: Imagery, study: Study, work: Path, report: Callable[[str], object]
) -> Generator[Asking]:
    """Open the provider of a study, with the recording of a run that was killed if there is one.

    Args:
        work: the step's working folder, which outlives a kill.
        report: is told where the file system has no locks.

    Raises:
        StoreError: another process works in the folder.
        StudyError: the provider's terms forbid what a study does, or a setting of it is wrong.
        ImageryError: no token is set.
    """
    with (
        one_process(work, report),
        Recording(work / _RECORDING) as recording,
        connect(imagery, recording, os.environ, most_plain=study.images.most_plain) as client,
    ):
        provider = provider_of(imagery, study.rights, client)
        today = latest_moment().date()
        entry = recording.get(BEGAN)
        if entry is None:
            recording.put(BEGAN, on=today.isoformat())
        began_on = dt.date.fromisoformat(entry["on"]) if entry else today
        yield Asking(provider, recording, began_on, client)


@contextlib.contextmanager
def replayed(
    study: Study, recording: Path, picture_of: Callable[[str], bytes | None], work: Path
) -> Generator[Asking]:
    """The provider of a study as a recording knows it: nobody is asked.

    Args:
        recording: the published file.
        picture_of: sha256 to the bytes of a picture, None where they are not kept.
        work: a folder for what is made on the way.

    Raises:
        SourceError: the recording is damaged.
        StudyError: as `asking`.
    """
    if study.imagery is None:
        raise StudyError("study.toml has no [imagery]")
    entries = read_recording(recording)
    client = Replay(entries, picture_of, name=str(recording))
    provider = provider_of(study.imagery, study.rights, client)
    with Recording(work / "repeated.jsonl") as repeated:
        began_on = dt.date.fromisoformat(entries[BEGAN]["on"])
        yield Asking(provider, repeated, began_on, client)


def forget_old_answers(work: Path) -> None:
    """Begin a search anew that was killed over a week ago: there may be more by now."""
    path = work / _RECORDING
    if path.is_file() and time.time() - path.stat().st_mtime > _STALE_AFTER_S:
        path.unlink()


def end_of(day: dt.date) -> dt.datetime:
    """The moment at which a day ends, UTC: captures of later are of the future."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
