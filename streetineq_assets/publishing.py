"""The moves by which written files become an artefact, in an order that a crash cannot spoil.

`store` says where an artefact lies, and what of it counts as published.
"""

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Generator
from pathlib import Path

from streetineq_assets.digests import digest_file
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.locks import FolderLock
from streetineq_assets.manifests import ArtefactFile, Manifest, Recipe, library_versions

MANIFEST = "manifest.json"
STAGING = ".staging-"
_GENERATION = re.compile(r"[0-9a-f]{12}")
_STALE_AFTER_S = 7 * 24 * 3600  # longer than any artefact takes to make


@contextlib.contextmanager
def publisher_of(folder: Path) -> Generator[None]:
    """Count as a publisher of an artefact, and first remove what killed ones left in its folder.

    All publishers of an artefact share the lock of its folder. Whoever is alone there knows that
    all staging is litter. Where others are, or where there are no locks, staging is litter once it
    is older than any artefact takes to make.
    """
    with FolderLock(folder) as lock:
        _sweep_staging(folder, older_than_s=0 if lock.is_mine_alone() else _STALE_AFTER_S)
        lock.share()
        yield


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Generator[None]:
    """Hold a folder's lock for a moment, so that the moves of two publications do not mix.

    Two of one artefact would else leave the files of one and the manifest of the other.
    """
    with FolderLock(folder) as lock:
        lock.wait()
        yield


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
        generation="" if len(files) == 1 else uuid.uuid4().hex[:12],
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
    draft = folder / f"{STAGING}{uuid.uuid4().hex[:12]}.json"
    try:
        for name in (MANIFEST, *(() if manifest.generation else manifest.files)):
            _make_way(folder / name)
        with draft.open("w", encoding="utf-8") as file:
            file.write(manifest.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)  # nothing was moved yet
        raise
    if manifest.generation:
        staging.rename(folder / manifest.generation)
    else:
        name = next(iter(manifest.files))
        (staging / name).replace(folder / name)
    name_manifest(draft, folder)
    _fsync_folder(folder)


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
    """Remove what publishing wrote earlier; what somebody else laid beside it stays."""
    ours = set(before.files) if before and not before.generation else set()
    ours |= {path.name for path in generations(folder)}
    for name in ours - set(manifest.files) - {manifest.generation}:
        remove(folder / name)


def generations(folder: Path) -> list[Path]:
    """The folders that publications of several files wrote below an artefact's."""
    return sorted(path for path in folder.iterdir() if _GENERATION.fullmatch(path.name))


def _sweep_staging(folder: Path, *, older_than_s: float) -> None:
    for path in folder.glob(f"{STAGING}*"):
        with contextlib.suppress(FileNotFoundError):  # another publisher was done with it
            if not older_than_s or time.time() - path.stat().st_mtime > older_than_s:
                remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, where it is there; a link is removed, not followed."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
