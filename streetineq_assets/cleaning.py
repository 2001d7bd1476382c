"""What lies below `assets/` and is of no more use: `streetineq clean`, and lines of `doctor`.

Results of partitions that left the study, work that cannot be resumed, and what killed processes
left. Inputs are never touched, nor anything that an artefact of the study was made of: such a
result stays until that artefact is made anew.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from streetineq_assets.codes.tables import BucketRecord
from streetineq_assets.errors import StoreError, clear_disk_errors
from streetineq_assets.manifests import Manifest, Recipe, read_manifest
from streetineq_assets.models.training_plan import fingerprint
from streetineq_assets.predictions.slices import read_by
from streetineq_assets.predictions.standing import Key, Standing
from streetineq_assets.publishing import MANIFEST, STAGING, generations, remove
from streetineq_assets.store import LOGS, WORK, DataStore
from streetineq_assets.study import Study, bucket_keys, city_of

_CODES = "image_codes"
_FINGERPRINT = "fingerprint.json"  # of `models.checkpoints`
_LEFT = "the study no longer has this partition"


@dataclass(frozen=True)
class Unneeded:
    """Files and folders of no more use.

    Attributes:
        what: an artefact, such as `image_codes[london/007]`, or a path below the study.
        why: in words.
        paths: what to remove; the manifest last.
    """

    what: str
    why: str
    paths: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(map(_size, self.paths))


class Kept(NamedTuple):
    """An artefact of a partition that left the study, and why it is still needed."""

    what: str
    why: str


class Leftovers(NamedTuple):
    """What can be removed, and what can be once the study was run."""

    unneeded: list[Unneeded]
    kept: list[Kept]


def examine_leftovers(store: DataStore, study: Study) -> Leftovers:
    """What lies below `assets/` that no partition of the study needs; nothing is changed."""
    published = published_artefacts(store)
    left = orphans(published, study)
    standing, labels = Standing(store, study), {each.label for each in left}
    current = [each for each in published if each.label not in labels]
    needed = _needed(store, study, standing, current, left)
    gone = [each for each in left if each.label not in needed]
    found = [
        *(Unneeded(each.label, _LEFT, tuple(_parts(store, each))) for each in gone),
        *_unresumable(standing),
        *_superseded(store, current),
        *_litter(store),
    ]
    listed = {path for each in found[: len(gone)] for path in each.paths}
    others = [each for each in found[len(gone) :] if not listed.intersection(each.paths)]
    return Leftovers([*found[: len(gone)], *others], [Kept(*each) for each in needed.items()])


def published_artefacts(store: DataStore) -> list[Manifest]:
    """Every published artefact, of whatever partition."""
    folders = sorted(path for path in store.assets.glob("[!.]*") if path.is_dir())
    return [each for folder in folders for each in store.manifests(folder.name)]


def unreadable_manifests(store: DataStore) -> list[Path]:
    """Manifests of artefacts that are none: half written, or damaged since."""
    files = sorted(store.assets.rglob(MANIFEST))
    return [file for file in files if read_manifest(file) is None]


def orphans(published: Iterable[Manifest], study: Study) -> list[Manifest]:
    """Artefacts of partitions that the study does not have."""
    keys = {None, *study.cities, *(pair.key for pair in study.pairs), *study.scheme_keys}
    for city in study.cities:
        keys.update(bucket_keys(city, study.cities[city].buckets))
    return [each for each in published if each.partition not in keys]


def staging(store: DataStore) -> list[Path]:
    """What publications that came to nothing left, or running ones write.

    A publication that was cut off between its moves is finished first, as by any reader.
    """
    for draft in store.assets.rglob(f"{STAGING}*.json"):
        asset, _, partition = draft.parent.relative_to(store.assets).as_posix().partition("/")
        try:
            store.intact(asset, partition or None)
        except StoreError:  # somebody's copy of a folder
            continue
    return sorted(store.assets.rglob(f"{STAGING}*"))


def lines(found: Iterable[Unneeded], kept: Iterable[Kept]) -> Iterator[str]:
    """The result of `examine_leftovers` as lines of text."""
    sizes = []
    for each in found:
        sizes.append(each.size_bytes)
        yield f"{_in_mb(sizes[-1])}  {each.what}: {each.why}"
    for each in kept:
        yield f"{'kept':>10}  {each.what}: {each.why}"
    yield f"{_in_mb(sum(sizes))}  in all" if sizes else "nothing to remove"


def remove_unneeded(store: DataStore, found: Iterable[Unneeded]) -> None:
    """Remove what was found, and the folders that it leaves empty.

    Raises:
        StoreError: the disk is read-only, or files belong to somebody else.
    """
    with clear_disk_errors(store.assets):
        for path in (path for each in found for path in each.paths):
            if store.assets not in path.parents:
                raise AssertionError(f"{path} is no artefact of {store.root}")
            remove(path)
            _remove_empty(path.parent, store.assets)


# -- what is needed --------------------------------------------------------------------------------


def _needed(
    store: DataStore,
    study: Study,
    standing: Standing,
    current: Sequence[Manifest],
    left: Sequence[Manifest],
) -> dict[str, str]:
    """Label of each orphan that something still reads, and what."""
    readers = _readers(standing, current, left)
    needed = {}
    for each in left:
        key = (each.asset, each.partition)
        if key in readers:
            needed[each.label] = f"{readers[key]} was made of it; run the study, then clean again"
        elif each.asset == _CODES and not _are_moved(store, study, city_of(str(each.partition))):
            needed[each.label] = (
                "the city's new buckets take their codes from it; run the study, then clean again"
            )
    return needed


def _readers(
    standing: Standing, current: Sequence[Manifest], left: Sequence[Manifest]
) -> dict[Key, str]:
    """What artefacts of the study were made of, up the chain, with the label of one that was."""
    orphan = {(each.asset, each.partition): each for each in left}
    found: dict[Key, str] = {}
    queue = list(current)
    while queue:
        manifest = queue.pop()
        read = read_by(standing, manifest)
        names = manifest.recipe.inputs.keys() & read.keys()
        for key in {key for name in names for key in read[name].of} - found.keys():
            found[key] = manifest.label
            if key in orphan:
                queue.append(orphan[key])
    return found


def _are_moved(store: DataStore, study: Study, city: str) -> bool:
    """Whether all codes of a city are in its buckets of today; true where the city left."""
    if city not in study.cities:
        return True
    n_buckets = study.cities[city].buckets
    for key in bucket_keys(city, n_buckets):
        manifest = store.manifest(_CODES, key)
        if manifest is None:
            return False
        try:
            record = manifest.read_record(BucketRecord)
        except StoreError:  # an earlier version, which did not record of how many buckets it was
            return False
        if record.n_buckets != n_buckets and sum(manifest.holdings.values()):
            return False
    return True


# -- what is not -----------------------------------------------------------------------------------


def _parts(store: DataStore, manifest: Manifest) -> Iterator[Path]:
    """All that belongs to an artefact and to its making; what others laid beside it does not."""
    folder = store.folder(manifest.asset, manifest.partition)
    files = [] if manifest.generation else [folder / name for name in manifest.files]
    beside = [folder / WORK, folder / LOGS, *sorted(folder.glob(f"{STAGING}*"))]
    yield from (path for path in [*files, *generations(folder), *beside] if path.exists())
    yield store.manifest_file(manifest.asset, manifest.partition)


def _superseded(store: DataStore, current: Iterable[Manifest]) -> Iterator[Unneeded]:
    for manifest in current:
        folder = store.folder(manifest.asset, manifest.partition)
        old = [path for path in generations(folder) if path.name != manifest.generation]
        if old and not store.damage(manifest, by_size=True):
            why = "another publication took its place, and its process was killed"
            yield from (Unneeded(_below(store, path), why, (path,)) for path in old)


def _unresumable(standing: Standing) -> Iterator[Unneeded]:
    """Unfinished trainings of other inputs or code than stand now, or whose result is published.

    A training by another profile than the study's may have been started so by hand, and is left.
    """
    store = standing.store
    for file in sorted(store.assets.rglob(_FINGERPRINT)):
        work = next((parent for parent in file.parents if parent.name == WORK), None)
        if work is None or LOGS in file.parts:
            continue
        asset, _, partition = work.parent.relative_to(store.assets).as_posix().partition("/")
        if why := _why_unresumable(standing, asset, partition, _read_json(file)):
            yield Unneeded(_below(store, file.parent), why, (file.parent,))


def _why_unresumable(
    standing: Standing, asset: str, partition: str, recorded: Mapping[str, str]
) -> str | None:
    store = standing.store
    if city_of(partition) not in standing.study.cities:
        return f"unfinished training: {_LEFT}"
    today = fingerprint({}, {})
    if any(recorded.get(name) != value for name, value in today.items()):
        return "unfinished training by an earlier version"
    manifest = store.manifest(asset, partition)
    if manifest and _is_of(recorded, manifest.recipe):
        return "unfinished training of networks that were published since"
    settings = {name: _from_json(value) for name, value in recorded.items()}
    recipe = Recipe(code_version="", inputs=dict(recorded), config=settings)
    read = read_by(standing, _unpublished(asset, partition, recipe))
    for name in sorted(recorded.keys() & read.keys()):
        of, digest = read[name]
        try:
            if all(store.manifest(*key) for key in of) and digest() != recorded[name]:
                return f"unfinished training: {name} is another since"
        except StoreError:  # damaged: made again, it may be what it was
            continue
    return None


def _is_of(recorded: Mapping[str, str], recipe: Recipe) -> bool:
    """Whether a training has the inputs and settings of a recipe, which may have more."""
    whole = fingerprint(recipe.inputs, recipe.config)
    return recipe.inputs.keys() <= recorded.keys() and recorded.items() <= whole.items()


def _unpublished(asset: str, partition: str, recipe: Recipe) -> Manifest:
    """A manifest of a recipe alone, for what asks which slices it reads."""
    return Manifest.model_construct(asset=asset, partition=partition, recipe=recipe)


def _litter(store: DataStore) -> Iterator[Unneeded]:
    why = "left by a process that was killed while it published"
    yield from (Unneeded(_below(store, path), why, (path,)) for path in staging(store))
    if scratch := tuple(store.scratch.glob("*")):
        yield Unneeded(_below(store, store.scratch), "temporary files of DuckDB", scratch)


# -- files -----------------------------------------------------------------------------------------


def _below(store: DataStore, path: Path) -> str:
    return path.relative_to(store.root).as_posix()


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())


def _in_mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:>7.1f} MB"


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder and those above it, as far as they are empty."""
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # half written: nothing can be resumed by it
        return {}


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a digest
        return text
