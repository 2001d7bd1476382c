"""Where each artefact lies, and how it is published and opened.

Every path below a study's root is made here.

An artefact is one folder, `assets/<asset>[/<partition>]`, with a `manifest.json`. An artefact of
one file keeps a stable file name and is replaced in one move. An artefact of several files is
written to a fresh generation folder; the manifest, replaced last, names it, and older generations
are swept. A crash at any moment leaves the old artefact or the new one; between the two moves of an
artefact of one file it leaves the new file and a draft of its manifest, which the next reader puts
into its place. Files that match no manifest count as absent and are made again.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets import holdings
from streetineq_assets.area_vintages import AREA_VINTAGE, LSOA11, VINTAGES, AreaVintage
from streetineq_assets.digests import current_state, digest_file
from streetineq_assets.errors import StoreError, clear_disk_errors
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Manifest, Recipe, read_manifest
from streetineq_assets.publishing import (
    MANIFEST,
    STAGING,
    describe,
    move_into_place,
    name_manifest,
    new_staging,
    publisher_of,
    seal,
    sweep_superseded,
)
from streetineq_assets.wrong_settings import path_below

if TYPE_CHECKING:
    import pandas as pd

INPUT_FOLDERS = (
    "census",
    "iod",
    "household_income",
    "onspd",
    "boundaries",
    "groups",
    "weights",
    "locations",
    "captures",
    "images",
)
_KEY = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)?")
WORK = ".work"
LOGS = ".logs"


class DataStore:
    """The files of one study, below `root`."""

    def __init__(self, root: Path | str, vintage: Callable[[], AreaVintage] | None = None) -> None:
        """A study's files.

        Args:
            vintage: asks of which areas the study is; artefacts of others are not opened then.
        """
        self.root = Path(root).resolve()
        self._vintage = vintage

    # -- inputs and places outside the artefacts ------------------------------------------------

    @property
    def study_file(self) -> Path:
        """The study's settings."""
        return self.root / "study.toml"

    @property
    def dagster_home(self) -> Path:
        """Folder of the study's Dagster instance."""
        return self.root / "dagster_home"

    @property
    def instance_file(self) -> Path:
        """Settings of the study's Dagster instance."""
        return self.dagster_home / "dagster.yaml"

    @property
    def assets(self) -> Path:
        """Folder of all that the platform writes, the instance aside."""
        return self.root / "assets"

    @property
    def scratch(self) -> Path:
        """Folder for an engine's temporary files."""
        return self.assets / ".scratch"

    def inputs(self, *parts: str) -> Path:
        """A file or folder below `inputs/`; it need not exist."""
        return self.root.joinpath("inputs", *parts)

    def input_file(self, name: str) -> Path:
        """A file below the root that `study.toml` names.

        Links that lie in the study are followed: its owner has set them, as for `inputs` on another
        disk.

        Raises:
            ValueError: the name leaves the root; a loaded study has none that does.
        """
        return self.root / path_below(name)

    # -- artefacts ------------------------------------------------------------------------------

    def folder(self, asset: str, partition: str | None = None) -> Path:
        """The artefact's folder. Partition keys reach paths, so their shape is checked.

        Raises:
            StoreError: a name that could leave the folder or that no study can produce.
        """
        for name in (asset, partition):
            if name is not None and not _KEY.fullmatch(name):
                raise StoreError(f"{name!r} is not the name of an asset or partition")
        return self.assets / asset / (partition or "")

    def manifest_file(self, asset: str, partition: str | None = None) -> Path:
        """Where an artefact's manifest lies; raises as `folder`."""
        return self.folder(asset, partition) / MANIFEST

    def path_of(self, manifest: Manifest) -> Path:
        """The folder in which the files lie that a manifest names."""
        return self.folder(manifest.asset, manifest.partition) / manifest.generation

    def manifests(self, asset: str, city: str = "") -> list[Manifest]:
        """What is published of an asset, over all partitions or one city's, by partition.

        The folders beside them are not: copies, backups, hidden ones and what was renamed.
        """
        base = self.assets / asset
        folders = {
            file.parent.relative_to(base).as_posix()
            for below in ("", "*/", "*/*/")
            for file in (base / city).glob(below + MANIFEST)
        }
        keys = [None, *filter(_KEY.fullmatch, sorted(folders))]
        found = [self.manifest(asset, key) for key in keys if key or not city]
        return [manifest for manifest in found if manifest]

    def manifest(self, asset: str, partition: str | None = None) -> Manifest | None:
        """The manifest as it stands; the files are not looked at.

        It counts only in its own place: a folder that was copied or renamed publishes nothing.
        """
        found = read_manifest(self.manifest_file(asset, partition))
        return found if found and found.is_of(asset, partition) else None

    def current(self, asset: str, partition: str | None, recipe: Recipe) -> Manifest | None:
        """The manifest, when it was made by this very recipe and its files still match it."""
        manifest = self.manifest(asset, partition)
        if manifest and manifest.key == recipe.key and not self.damage(manifest):
            return manifest
        return self._finish_cut_off(asset, partition, key=recipe.key)

    def intact(self, asset: str, partition: str | None = None) -> Manifest | None:
        """The manifest, when its files match it; a publication that was cut off is finished."""
        manifest = self.manifest(asset, partition)
        if manifest and not self.damage(manifest):
            return manifest
        return self._finish_cut_off(asset, partition)

    def _finish_cut_off(
        self, asset: str, partition: str | None, *, key: str | None = None
    ) -> Manifest | None:
        """Finish a publication, of a recipe's key, whose process was killed between its moves."""
        folder = self.folder(asset, partition)
        for draft in sorted(folder.glob(f"{STAGING}*.json")):
            newer = read_manifest(draft)
            if newer is None or not newer.is_of(asset, partition) or key not in (None, newer.key):
                continue
            if not self.damage(newer):
                before = self.manifest(asset, partition)
                name_manifest(draft, folder)
                self._sweep_after(before, newer)
                return newer
        return None

    def _sweep_after(self, before: Manifest | None, finished: Manifest) -> None:
        """Remove what a publisher that was killed had still to remove."""
        folder = self.folder(finished.asset, finished.partition)

        def current() -> Manifest | None:
            return self.manifest(finished.asset, finished.partition)

        if current() == finished:  # a publisher that was alive may have put another in its place
            sweep_superseded(folder, before, finished)
        with publisher_of(folder, current):  # which sweeps the rest
            pass

    def damage(self, manifest: Manifest, *, by_size: bool = False) -> str | None:
        """What does not match the manifest, in words, or None; `by_size` reads no file."""
        base = self.path_of(manifest)
        for name, entry in manifest.files.items():
            path = base / name
            try:
                alike = current_state(path).st_size == entry.bytes
            except (FileNotFoundError, NotADirectoryError):
                return f"{path} is gone"
            except IsADirectoryError:
                return f"{path} is a folder"
            if not alike or not (by_size or digest_file(path) == entry.sha256):
                return f"{path} is not the file that was published"
        return None

    def open(self, asset: str, partition: str | None = None) -> "Artefact":
        """The published artefact, verified.

        Raises:
            StoreError: nothing was published, its files no longer match its manifest, or it is of
                other areas than the study.
        """
        manifest = self.intact(asset, partition)
        if manifest:
            self._refuse_other_areas(manifest)
            return Artefact(self.path_of(manifest), manifest)
        label = f"{asset}[{partition}]" if partition else asset
        published = self.manifest(asset, partition)
        if published is None:
            file = self.manifest_file(asset, partition)
            if file.exists() and not read_manifest(file):
                raise StoreError(f"{file} is damaged: materialise {label} again")
            raise StoreError(f"{label} is not there ({file.parent}): materialise {label} first")
        raise StoreError(f"{self.damage(published)}: materialise {label} again")

    def publish(
        self,
        asset: str,
        partition: str | None,
        recipe: Recipe,
        write: Callable[[Path], Findings],
        *,
        allow_loss: bool = False,
    ) -> Manifest:
        """Write an artefact and put it in the place of the old one.

        Args:
            write: fills the folder that it is given with files (flat, at least one) and returns
                what it found, kept so that a skip can report it again. The findings' `digest`, when
                set, stands for the content: for formats whose bytes carry the time of day. By
                default the content's digest is made of the files' sha256.
            allow_loss: let it take the place of an artefact that holds far more.

        Raises:
            StoreError: the disk is full or read-only; the old artefact stays.
            LossError: the old artefact holds far more, and stays.
        """
        folder = self.folder(asset, partition)
        staging = new_staging(folder)
        with clear_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with publisher_of(folder, lambda: self.manifest(asset, partition)):
                staging.mkdir()
                try:
                    findings = write(staging)
                    held = holdings.count(findings, staging, asset)
                    before = self.manifest(asset, partition)
                    lost = holdings.lost_from(
                        before, folder, held, findings.unavailable, allowed=allow_loss
                    )
                    manifest = describe(asset, partition, recipe, findings, seal(staging))
                    known = {
                        "holdings": held,
                        "allowed_losses": lost,
                        "area_vintage": _vintage_of(recipe) if _has_areas(staging) else "",
                    }
                    manifest = manifest.model_copy(update=known)
                    move_into_place(staging, folder, manifest)
                    sweep_superseded(folder, before, manifest)
                finally:
                    shutil.rmtree(staging, ignore_errors=True)
        return manifest

    def _refuse_other_areas(self, manifest: Manifest) -> None:
        """Stop where areas of two vintages would be joined by codes, most of which both have."""
        found = manifest.area_vintage
        if found is None:
            found = _vintage_of(manifest.recipe) if _has_areas(self.path_of(manifest)) else ""
        if self._vintage is None or found in ("", self._vintage().key):
            return
        raise StoreError(
            f"{manifest.label} is of the {VINTAGES[found]}, and the study of the "
            f"{self._vintage()} ([areas] vintage in study.toml): materialise it again, and what it "
            "is made of"
        )

    def workspace(self, asset: str, partition: str | None) -> Path:
        """A folder that outlives a crash, for work in progress on one artefact."""
        path = self.folder(asset, partition) / WORK
        with clear_disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def logs(self, asset: str, partition: str | None) -> Path:
        """A folder for logs of making one artefact; publishing leaves it alone."""
        return self.folder(asset, partition) / LOGS

    def clear_workspace(self, asset: str, partition: str | None) -> None:
        """Remove the work in progress, once it is published."""
        shutil.rmtree(self.folder(asset, partition) / WORK, ignore_errors=True)


class Artefact:
    """A published artefact whose files were checked against its manifest."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def digest(self) -> str:
        """The content's digest."""
        return self.manifest.digest

    def file(self, name: str) -> Path:
        """Path of one file of the artefact.

        Raises:
            StoreError: the manifest has no such file.
        """
        if name not in self.manifest.files:
            have = ", ".join(sorted(self.manifest.files))
            raise StoreError(f"{self.manifest.asset} has no file {name}; it has {have}")
        return self.folder / name

    def table(self, name: str | None = None, columns: list[str] | None = None) -> "pd.DataFrame":
        """A Parquet table of the artefact, by default the one named after the asset."""
        from streetineq_assets import tables

        return tables.read(self.file(name or f"{self.manifest.asset}.parquet"), columns)


def _vintage_of(recipe: Recipe) -> str:
    """The vintage of the areas that something was made of; nothing is said of the default."""
    return recipe.config.get(AREA_VINTAGE, LSOA11.key)


def _has_areas(folder: Path) -> bool:
    """Whether any table in a folder is by area."""
    from streetineq_assets import tables

    return any(map(tables.is_by_area, folder.glob("*.parquet")))
