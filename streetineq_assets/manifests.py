"""What a published artefact is and what it was made of: recipe, manifest, and earlier versions.

Version 2 keeps apart what later steps read (`record`, `unavailable`) and what the UI shows
(`summary`). In version 1 both stood under `summary.figures`; such manifests are read as if they had
been written today, so that an existing study skips what has not changed.
"""

import contextlib
import datetime as dt
import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Unavailable

SCHEMA_VERSION = 2
_CHECKSUM = "checksum"
_LIBRARIES = (
    "dagster",
    "tensorflow",
    "keras",
    "pillow",
    "simplejpeg",
    "h5py",
    "pandas",
    "numpy",
    "duckdb",
    "pyarrow",
)
# Asset and name of a check in version 1 to its name today.
_RENAMED_CHECKS: dict[tuple[str, str], str] = {
    ("trained_model", "no_leakage"): "no_leak",
    ("postcode_lsoa", "cities_found"): "cities_present",
    ("postcode_lsoa", "postcodes_placed"): "postcodes_matched",
    ("image_codes", "images_there"): "images_present",
    ("hdf5_shards", "shared_images"): "few_shared_images",
    ("hdf5_shards", "dead_units"): "few_dead_units",
}

# What JSON of another shape raises on the way from version 1.
_ODD_SHAPE = (LookupError, TypeError, AttributeError)

Record = TypeVar("Record", bound=BaseModel)


class Recipe(BaseModel):
    """All that decides an artefact's content; its key decides whether to make it again.

    `inputs` maps a name to the digest of the slice that was read, not of the file it came from.
    """

    model_config = ConfigDict(frozen=True)

    code_version: str
    inputs: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """sha256 of the recipe in canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def difference(self, other: "Recipe") -> list[str]:
        """Names of the parts that differ, such as `inputs.labels` or `config.profile`."""
        changed = [] if self.code_version == other.code_version else ["code_version"]
        for part in ("inputs", "config"):
            mine, theirs = getattr(self, part), getattr(other, part)
            names = sorted(mine.keys() | theirs.keys())
            changed += [f"{part}.{n}" for n in names if mine.get(n) != theirs.get(n)]
        return changed


def _plain_name(name: str) -> str:
    if PurePosixPath(name).name != name or name == "..":
        raise ValueError("must be the name of a file")
    return name


class ArtefactFile(BaseModel):
    """One file of an artefact."""

    sha256: str
    bytes: int


FileName = Annotated[str, AfterValidator(_plain_name)]  # studies are copied, manifests with them


class Manifest(BaseModel):
    """What one published artefact is, and what it was made of.

    Attributes:
        area_vintage: of the areas in its tables, empty where they have none; None in a manifest of
            a version that knew one vintage.
        unavailable: set where its tables are empty for want of an input.
        holdings: counts by name of what it holds; see `holdings`.
        allowed_losses: what the artefact before it held more, and the run was allowed to give up.
        record: what later steps need to know; see `read_record`.
        summary: what the UI shows; no step reads it.
    """

    schema_version: int = SCHEMA_VERSION
    asset: str
    partition: str | None
    recipe: Recipe
    key: str
    digest: str
    generation: str = Field(pattern="^([0-9a-f]{12})?$")
    files: dict[FileName, ArtefactFile]
    area_vintage: str | None = None
    unavailable: Unavailable | None = None
    holdings: dict[str, int] = Field(default_factory=dict)
    allowed_losses: list[str] = Field(default_factory=list)
    record: dict[str, Any] = Field(default_factory=dict)
    summary: dict[str, Any]
    library_versions: dict[str, str]
    published_at: dt.datetime

    @property
    def label(self) -> str:
        """The artefact as Dagster names it, such as `trained_model[london/crime]`."""
        return f"{self.asset}[{self.partition}]" if self.partition else self.asset

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(entry.bytes for entry in self.files.values())

    def is_of(self, asset: str, partition: str | None) -> bool:
        """Whether it is the manifest of this artefact."""
        return (self.asset, self.partition) == (asset, partition)

    def read_record(self, model: type[Record]) -> Record:
        """The record, as the step that makes the artefact declares it.

        Raises:
            StoreError: an earlier version made the artefact and did not record a field.
        """
        try:
            return model.model_validate(self.record)
        except ValidationError as error:
            field = ".".join(map(str, error.errors()[0]["loc"])) or "its record"
            raise StoreError(
                f"{self.label} was made by an earlier version, which did not record {field}: "
                f"materialise {self.label} again"
            ) from error


def written_manifest(manifest: Manifest) -> str:
    """A manifest as its file holds it: JSON, with a checksum of all the rest.

    It has no use but to notice what a disk or an editor did to the file.
    """
    content = json.loads(manifest.model_dump_json())
    return json.dumps(content | {_CHECKSUM: _checksum(content)}, indent=2, ensure_ascii=False)


def read_manifest(path: Path) -> Manifest | None:
    """The manifest in a file; None when it is absent, half written, changed or no manifest.

    Those of earlier versions have no checksum.
    """
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and _CHECKSUM in content:
            checksum = content.pop(_CHECKSUM)
            if checksum != _checksum(content):
                return None
        if isinstance(content, dict) and content.get("schema_version") == 1:
            content = _from_version_1(content)
        return Manifest.model_validate(content)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, *_ODD_SHAPE):
        return None


def _checksum(content: dict[str, Any]) -> str:
    """sha256 of JSON content, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that shape results; recorded in manifests, never compared."""
    found = {}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _from_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """A manifest of version 1 in today's form; records know the old names of their fields."""
    summary = dict(content["summary"])
    values, tables = summary.pop("figures", {}), summary.get("tables", {})
    checks = [_renamed(content["asset"], check) for check in summary.get("checks", [])]
    why = None
    if values.get("status") == "unavailable":
        why = {name: str(values.get(name, "")) for name in ("wanted", "reason")}
    summary = {"values": values, "checks": checks, "tables": tables} | {
        "notes": summary.get("notes", {})
    }
    # Records also hold settings that version 1 had in the recipe alone.
    record = {**content["recipe"].get("config", {}), **tables, **values}
    upgraded = {"summary": summary, "unavailable": why, "record": record}
    return content | upgraded | {"schema_version": SCHEMA_VERSION}


def _renamed(asset: str, check: dict[str, Any]) -> dict[str, Any]:
    values = check.get("values", check.get("figures", {}))
    kept = {name: check[name] for name in ("passed", "description", "blocking") if name in check}
    name = _RENAMED_CHECKS.get((asset, check["name"]), check["name"])
    return {"name": name, "values": values} | kept
