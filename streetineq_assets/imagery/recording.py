"""What providers answered, kept so that an acquisition can go on, be repeated and be audited.

While it is made, a recording is a file of JSON lines to which answers are appended: who is killed
finds all but the last one, half of which is dropped. When it is done it is written anew, sorted and
packed, so that one that was interrupted is the same file, to the byte, as one that was not. It
holds no token, no signed address and no picture, but the sha256 of each picture.

Kinds of entries, of which a later one replaces an earlier one with the same key:

    {"key": "GET https://...", "json": ...}              an answer, scrubbed
    {"key": "GET https://...", "fault": "query_timeout"} none, however often it was asked
    {"key": "LINK 123", "gone": false}                   whether a capture's picture was to be had
    {"key": "PICTURE 123", "capture_id": "123", "sha256": "...", "bytes": 1234}
    {"key": "PICTURE 123", "capture_id": "123", "rejected": "no_imagery"}
"""

import gzip
import json
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from streetineq_assets.errors import SourceError
from streetineq_assets.imagery.tokens import unsigned

_FORMAT = {"format": "streetineq imagery recording", "version": 1}
_LEVEL = 6  # of packing: part of what makes equal recordings equal files

Entry = dict[str, Any]


class Recording:
    """Answers by key, in a file of JSON lines; safe to be used by several threads.

    Only the places of entries are held in memory.

    Args:
        path: of the file; made if it is absent.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._places, end = _places(path)
        self._reader = path.open("rb")
        self._writer = path.open("r+b", buffering=0)
        # What follows the last whole line was being written when its process was killed.
        self._writer.truncate(end)
        self._end = end

    def get(self, key: str) -> Entry | None:
        """The entry of a key; None where there is none."""
        with self._lock:
            place = self._places.get(key)
            if place is None:
                return None
            self._reader.seek(place[0])
            return json.loads(self._reader.read(place[1]))

    def put(self, key: str, **values: Any) -> None:
        """Append an entry; one that says the same as the last of its key is not written again."""
        entry = {"key": key, **values}
        if self.get(key) == entry:
            return
        line = _line(entry)
        with self._lock:
            self._writer.seek(self._end)
            rest = memoryview(line)
            while rest:  # a disk that is nearly full takes a part, and then none
                rest = rest[self._writer.write(rest) :]
            self._places[key] = (self._end, len(line))
            self._end += len(line)

    def __len__(self) -> int:
        return len(self._places)

    def write(self, path: Path) -> None:
        """Write all entries as a file that depends on nothing but them: sorted and packed.

        Args:
            path: such as `recording.jsonl.gz`.
        """
        with (
            path.open("wb") as file,
            # Without name and time, which are no part of what was recorded.
            gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
        ):
            packed.write(_line(_FORMAT))
            for key in sorted(self._places):
                packed.write(_line(self.get(key) or {}))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_recording(path: Path) -> Mapping[str, Entry]:
    """A recording that `Recording.write` wrote: key to entry.

    Raises:
        SourceError: it is damaged, or no recording.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            if json.loads(file.readline()) != _FORMAT:
                raise ValueError("another format")
            return {entry["key"]: entry for entry in map(json.loads, file)}
    except (ValueError, KeyError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{path} is no recording of an acquisition, or is damaged ({type(error).__name__}): "
            "put back the file that the acquisition wrote"
        ) from error


def request_key(url: str, params: Mapping[str, str] | None = None) -> str:
    """The key of a request: its address without token and signature, its parameters sorted."""
    address = unsigned(url)
    query = urlencode(sorted((params or {}).items()))
    if not query:
        return f"GET {address}"
    return f"GET {address}{'&' if urlsplit(address).query else '?'}{query}"


def link_key(capture_id: str) -> str:
    """The key of whether a capture's picture was to be had."""
    return f"LINK {capture_id}"


def picture_key(capture_id: str) -> str:
    """The key of a capture's picture."""
    return f"PICTURE {capture_id}"


def _line(entry: Entry) -> bytes:
    text = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", errors="surrogatepass") + b"\n"


def _places(path: Path) -> tuple[dict[str, tuple[int, int]], int]:
    """Key to offset and length of its last entry; and where the whole lines end.

    A disk that lost power may have kept less: all from the first line that is none is asked again.
    """
    places, end = {}, 0
    with path.open("rb") as file:
        for line in file:
            key = _key_of(line)
            if key is None:
                break
            places[key] = (end, len(line))
            end += len(line)
    return places, end


def _key_of(line: bytes) -> str | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry.get("key") if isinstance(entry, dict) else None
