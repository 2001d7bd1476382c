"""A study's artefacts as they stand at one moment, for who looks at all of them at once.

The sensor asks for thousands of manifests, each many times, and does so every two minutes. Here a
manifest is looked up once, and read only where its file is another than the last time this process
saw it. What the UI shows of an artefact is left out: of all together it would fill the memory.
"""

import time
from functools import cache, lru_cache
from pathlib import Path

from streetineq_assets.digests import SETTLED_S
from streetineq_assets.manifests import Manifest, read_manifest
from streetineq_assets.store import Artefact, DataStore

_MOST_KEPT = 20_000


class Glance(DataStore):
    """The store as it stood when each artefact was first asked for; manifests have no `summary`."""

    def __init__(self, root: Path | str) -> None:
        super().__init__(root)
        self._seen = cache(self._look)
        self._opened = cache(super().open)

    def manifest(self, asset: str, partition: str | None = None) -> Manifest | None:
        """As `DataStore.manifest`, looked up once."""
        return self._seen(asset, partition)

    def open(self, asset: str, partition: str | None = None) -> Artefact:
        """As `DataStore.open`, verified once."""
        return self._opened(asset, partition)

    def _look(self, asset: str, partition: str | None) -> Manifest | None:
        found = _outline(self.manifest_file(asset, partition))
        return found if found and found.is_of(asset, partition) else None


def _outline(path: Path) -> Manifest | None:
    """The manifest in a file without its summary; None as `read_manifest`."""
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if time.time() - state.st_ctime < SETTLED_S:
        return _read(path)
    return _kept(path, state.st_dev, state.st_ino, state.st_size, state.st_ctime_ns)


@lru_cache(maxsize=_MOST_KEPT)
def _kept(path: Path, *_: int) -> Manifest | None:
    return _read(path)


def _read(path: Path) -> Manifest | None:
    found = read_manifest(path)
    return found.model_copy(update={"summary": {}}) if found else None
