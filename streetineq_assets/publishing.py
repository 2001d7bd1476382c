"""The moves by which written files become an artefact, in an order that a crash cannot spoil.

Nor can a second publisher of the same artefact, without any lock: a step whose node was lost to its
cluster may still be alive when it is started again elsewhere, and network mounts may have no locks.
What is relied on is that a rename is atomic, and that an open file is looked up anew.

`store` says where an artefact lies, and what of it counts as published.
"""

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from streetineq_assets.digests import current_state, digest_file
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.locks import FolderLock
from streetineq_assets.manifests import (
    ArtefactFile,
    Manifest,
    Recipe,
    library_versions,
    written_manifest,
)

MANIFEST = "manifest.json"
STAGING = ".staging-"
_GENERATION = re.compile(r"[0-9a-f]{12}")
_STALE_AFTER_S = 7 * 24 * 3600  # longer than any artefact takes to make


def new_staging(folder: Path) -> Path:
    """Where this process writes an artefact's files; not made yet. The name says which machine."""
    return folder / f"{STAGING}{_machine()}-{uuid.uuid4().hex[:12]}"


def _machine() -> str:
    """This machine's mark in the names of folders: 6 hexadecimal digits."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


@contextlib.contextmanager
def publisher_of(folder: Path, published: Callable[[], Manifest | None]) -> Generator[None]:
    """Count as a publisher of an artefact, and remove what killed ones left in its folder.

    The publishers of an artefact share the lock of its folder: whoever is alone there knows what of
    this machine is litter. That of another is litter once it is older than any artefact takes to
    make, since a network mount may lock nothing, or for one machine alone. Staging goes first,
    generations without a name once the publication has succeeded.

    Args:
        published: what is published there now.
    """
    with FolderLock(folder) as lock:
        _sweep(folder.glob(f"{STAGING}*"), f"{STAGING}{_machine()}-", alone=lock.is_mine_alone())
        lock.share()
        yield
        alone, current = lock.is_mine_alone(), published()
        named = current.generation if current else ""
        unnamed = (path for path in generations(folder) if path.name != named)
        _sweep(unnamed, _machine(), alone=alone)


def _sweep(left: Iterable[Path], ours: str, *, alone: bool) -> None:
    """Remove what is litter: of this machine where it publishes alone, and whatever is old.

    Args:
        ours: how names of this machine begin.
    """
    for path in left:
        with contextlib.suppress(FileNotFoundError):  # another publisher's, in place by now
            is_ours = alone and path.name.startswith(ours)
            if is_ours or time.time() - path.stat().st_mtime > _STALE_AFTER_S:
                remove(path)


def describe(
    asset: str,
    partition: str | None,
    recipe: Recipe,
    findings: Findings,
    files: dict[str, ArtefactFile],
) -> Manifest:
    """The manifest of files that are about to be published."""
    return Manifest(
        asset=asset,
        partition=partition,
        recipe=recipe,
        key=recipe.key,
        digest=_digest_of(findings, files),
        generation="" if len(files) == 1 else f"{_machine()}{uuid.uuid4().hex[:6]}",
        files=files,
        unavailable=findings.unavailable,
        record=findings.record.model_dump(mode="json") if findings.record else {},
        summary=findings.summary(),
        library_versions=library_versions(),
        published_at=dt.datetime.now(dt.UTC),
    )


def seal(staging: Path) -> dict[str, ArtefactFile]:
    """Flush every file to disk and describe it.

    Raises:
        StoreError: nothing was written.
    """
    files = {}
    for path in sorted(staging.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        files[path.name] = ArtefactFile(sha256=digest_file(path), bytes=path.stat().st_size)
    if not files:
        raise StoreError(f"nothing was written to {staging}")
    return files


def _digest_of(findings: Findings, files: dict[str, ArtefactFile]) -> str:
    """The content's digest; why there is none is content too, and later steps repeat the reason."""
    if findings.unavailable:
        return _sha256({"unavailable": str(findings.unavailable)})
    if findings.digest:
        return findings.digest
    if len(files) == 1:
        return next(iter(files.values())).sha256
    return _sha256({name: entry.sha256 for name, entry in files.items()})


def _sha256(content: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def move_into_place(staging: Path, folder: Path, manifest: Manifest) -> None:
    """Put written files and their manifest where readers look."""
    # The draft comes first: after it, two renames are left, and `intact` finishes the second.
    draft = new_staging(folder).with_suffix(".json")
    try:
        for name in (MANIFEST, *(() if manifest.generation else manifest.files)):
            _make_way(folder / name)
        with draft.open("w", encoding="utf-8") as file:
            file.write(written_manifest(manifest))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)  # nothing was moved yet
        raise
    if manifest.generation:
        staging.rename(folder / manifest.generation)
        name_manifest(draft, folder)
    else:
        _move_file(staging / next(iter(manifest.files)), draft, folder)
    _fsync_folder(folder)


def _move_file(written: Path, draft: Path, folder: Path) -> None:
    """Put a file and its manifest in place; once more, where another publisher came between.

    Two publishers may each have moved its file before either named its manifest; then the last
    manifest is not that of the last file. Where the file system has no hard links, this is left to
    readers, who refuse such an artefact.
    """
    target, staging = folder / written.name, written.parent
    while True:
        try:
            file_again, draft_again = (_second_name(path, staging) for path in (written, draft))
        except OSError:
            written.replace(target)
            name_manifest(draft, folder)
            return
        written.replace(target)
        name_manifest(draft, folder)
        if _identity(target) == _identity(file_again):
            return
        written, draft = file_again, draft_again


def _second_name(path: Path, staging: Path) -> Path:
    other = staging / f".again-{uuid.uuid4().hex[:12]}"
    other.hardlink_to(path)
    return other


def _identity(path: Path) -> tuple[int, int]:
    """Which file has this name now."""
    state = current_state(path)
    return state.st_dev, state.st_ino


def _make_way(path: Path) -> None:
    """Remove an empty folder where a file goes.

    Raises:
        StoreError: it is not empty: what somebody laid there is theirs.
    """
    if not path.is_dir() or path.is_symlink():
        return
    if any(path.iterdir()):
        raise StoreError(
            f"{path} is a folder where a file is published: move it away and run it again; "
            "nothing was published"
        )
    path.rmdir()


def name_manifest(draft: Path, folder: Path) -> None:
    """Let a draft be the manifest: from here on the artefact is the new one."""
    with contextlib.suppress(FileNotFoundError):  # the publisher or another reader was faster
        draft.replace(folder / MANIFEST)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_superseded(folder: Path, before: Manifest | None, manifest: Manifest) -> None:
    """Remove what this publication took the place of; what somebody else laid beside it stays.

    Another publisher's generation stays too: its manifest may be named at this moment.
    """
    if before is None:
        return
    ours = {before.generation} if before.generation else set(before.files)
    for name in ours - set(manifest.files) - {manifest.generation}:
        remove(folder / name)


def generations(folder: Path) -> list[Path]:
    """The folders that publications of several files wrote below an artefact's."""
    return sorted(path for path in folder.iterdir() if _GENERATION.fullmatch(path.name))


def remove(path: Path) -> None:
    """Remove a file or a folder, where it is there; a link is removed, not followed."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
