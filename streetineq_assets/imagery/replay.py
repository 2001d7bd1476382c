"""An acquisition done again from its recording: no address is asked, no socket is opened."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streetineq_assets.errors import ImageryError
from streetineq_assets.imagery.client import Ask, QueryTimeoutError
from streetineq_assets.imagery.pictures import PictureRejectedError
from streetineq_assets.imagery.recording import Entry, link_key, picture_key, request_key


class Replay:
    """The answers of a recording, as `client.Client`.

    Args:
        entries: of `recording.read_recording`.
        picture_of: sha256 to the bytes of a picture; None where they are not kept.
        name: of the recording, in messages.

    Attributes:
        faults, n_requests, n_bytes: none.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        picture_of: Callable[[str], bytes | None],
        *,
        name: str = "the recording",
    ) -> None:
        self.faults: Counter[str] = Counter()
        self.n_requests = self.n_bytes = 0
        self._entries, self._picture_of, self._name = entries, picture_of, name

    def json(self, url: str, params: Mapping[str, str], *, most_timeouts: int | None = None) -> Any:
        """The JSON that was answered.

        Raises:
            QueryTimeoutError: the provider gave up this search.
            ImageryError: it was not asked.
        """
        del most_timeouts
        entry = self._entry(request_key(url, params))
        if "fault" in entry:
            raise QueryTimeoutError
        return entry["json"]

    def fresh_json(self, url: str, params: Mapping[str, str]) -> Any:
        """Nothing: what was true for a while is not recorded.

        Raises:
            ImageryError: always.
        """
        raise self._missing(request_key(url, params))

    def links(self, capture_ids: Sequence[str], ask: Ask) -> dict[str, str]:
        """A stand-in for the link of each capture that was not gone.

        Raises:
            ImageryError: none was asked for.
        """
        del ask
        kept = [each for each in capture_ids if not self._entry(link_key(each))["gone"]]
        return {capture_id: f"recorded:{capture_id}" for capture_id in kept}

    def picture(self, link: str, capture_id: str, *, with_token: bool = False) -> bytes:
        """The picture that was fetched, by its sha256.

        Raises:
            PictureRejectedError: it was rejected then.
            ImageryError: it was not fetched, or its bytes are not kept, or are others now.
        """
        del link, with_token
        entry = self._entry(picture_key(capture_id))
        if "rejected" in entry:
            raise PictureRejectedError(entry["rejected"], f"so says {self._name}")
        data = self._picture_of(entry["sha256"])
        if data is None or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            what = "is not kept" if data is None else "is another file now"
            raise ImageryError(
                f"the picture of capture {capture_id} {what} (sha256 {entry['sha256']}): put back "
                f"the images that were acquired with {self._name}"
            )
        return data

    def _entry(self, key: str) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            raise self._missing(key)
        return entry

    def _missing(self, key: str) -> ImageryError:
        return ImageryError(
            f"{self._name} has no answer to {key!r}: what is asked has changed since it was made; "
            "put back the settings and inputs of then, or acquire anew"
        )
