"""Running one asset on a study, and reading what it says: the one way in which tests do it."""

import atexit
import functools
import json
import shutil
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dagster_duckdb import DuckDBResource
from pydantic import BaseModel, ConfigDict

from streetineq_assets.area_vintages import EARLIER_NAMES
from streetineq_assets.definitions import FOLDERS
from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Check, Findings
from streetineq_assets.manifests import Manifest, Recipe
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import ALLOW_LOSS, GpuResource, StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import descriptions, read, write

Tables = Mapping[str, tuple[pd.DataFrame, pa.Schema]]  # by the Parquet file's stem
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def run(
    store: DataStore,
    asset: str,
    partition: str | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    keys: tuple[str, str] | None = None,
    instance: dg.DagsterInstance | None = None,
    gpu: GpuResource | None = None,
    tags: Mapping[str, str] | None = None,
    allow_loss: bool = False,
    fails: bool = False,
) -> dg.ExecuteInProcessResult:
    """Materialise one asset of the study, by default on the CPU.

    Args:
        config: of the asset.
        keys: first and last of a range of partitions, in place of one.
        tags: of the run.
        allow_loss: whether the artefact may give way to a far smaller one.
        fails: whether a failure is expected and returned; else it is raised.
    """
    return dg.materialize(
        _assets(store.study_file.read_text(encoding="utf-8")),
        selection=[asset],
        partition_key=partition,
        tags={
            **(tags or {}),
            **(dict(zip(RANGE, keys, strict=True)) if keys else {}),
            **({ALLOW_LOSS: "true"} if allow_loss else {}),
        },
        instance=instance or _instance(),
        raise_on_error=not fails,
        run_config={"ops": {asset: {"config": dict(config)}}} if config else None,
        resources={
            "study": StudyResource(root=str(store.root)),
            "gpu": gpu or GpuResource(kind="cpu"),
            "duckdb": DuckDBResource(database=":memory:"),
        },
    )


@functools.lru_cache(maxsize=8)
def _assets(settings: str) -> list[dg.AssetsDefinition]:
    """The assets of a study file's text, kept: making them takes a third of a small run."""
    parts = Partitions(Study.model_validate(tomllib.loads(settings)))
    return [each for build in FOLDERS for each in build(parts)]


@functools.cache
def _instance() -> dg.DagsterInstance:
    """One instance for all runs of a process: making it takes as long as a small run."""
    instance = dg.DagsterInstance.ephemeral()
    atexit.register(instance.dispose)
    return instance


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """What the UI shows of the one materialisation of an asset."""
    (shown,) = metadata_by_partition(result, asset).values()
    return shown


def metadata_by_partition(
    result: dg.ExecuteInProcessResult, asset: str
) -> dict[str | None, dict[str, Any]]:
    """What the UI shows of every materialisation of an asset, by partition."""
    events = result.asset_materializations_for_node(asset)
    return {e.partition: {name: v.value for name, v in e.metadata.items()} for e in events}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks that were evaluated, by name."""
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def failed(result: dg.ExecuteInProcessResult) -> set[str]:
    """The names of the checks that failed."""
    return {name for name, found in checks(result).items() if not found.passed}


def failed_checks(findings: Findings) -> set[str]:
    """The names of the checks that failed, of findings that Dagster has not seen."""
    return {check.name for check in findings.checks if not check.passed}


def check_of(findings: Findings, name: str) -> Check:
    """One check of findings that Dagster has not seen."""
    (found,) = [check for check in findings.checks if check.name == name]
    return found


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The one sentence with which the run failed."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def assert_schema(file: Path, expected: pa.Schema) -> None:
    """A Parquet file has the columns, types and descriptions of a schema."""
    found = pq.read_schema(file)
    assert [(field.name, field.type, field.nullable) for field in found] == [
        (field.name, field.type, field.nullable) for field in expected
    ]
    assert descriptions(found) == descriptions(expected)
    assert all(descriptions(expected).values())


def publish(
    store: DataStore,
    asset: str,
    partition: str | None,
    findings: Findings | None = None,
    recipe: Recipe | None = None,
    **tables: pd.DataFrame,
) -> Manifest:
    """Publish Parquet tables as an artefact, by name, whatever was there."""

    def write(folder: Path) -> Findings:
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        return findings or Findings()

    return store.publish(
        asset, partition, recipe or Recipe(code_version="test"), write, allow_loss=True
    )


def writer(content: Tables, findings: Findings | None = None) -> Callable[[Path], Findings]:
    """What `DataStore.publish` calls: writes tables of a schema."""

    def fill(folder: Path) -> Findings:
        for stem, (frame, fields) in content.items():
            write(frame, fields, folder / f"{stem}.parquet")
        return findings or Findings()

    return fill


def publish_again(
    store: DataStore,
    asset: str,
    partition: str | None,
    *,
    changes: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
    **recorded: Any,
) -> None:
    """Publish an artefact as another, as if it alone had been made again.

    Args:
        changes: of columns of its main table, as `pandas.DataFrame.assign` takes them.
        inputs: what it read; by default as before.
        recorded: fields of its record that are others by now.
    """
    artefact = store.open(asset, partition)
    before = artefact.manifest

    def write(folder: Path) -> Findings:
        for name in before.files:
            shutil.copy(artefact.file(name), folder / name)
        if changes:
            main = folder / f"{asset}.parquet"
            changed = read(main).assign(**changes)
            pq.write_table(pa.Table.from_pandas(changed, pq.read_schema(main)), main)
        record = _AnyRecord.model_validate(before.record | recorded)
        digest = None if changes else "of another"
        return Findings(record=record, holdings=before.holdings, digest=digest)

    recipe = before.recipe
    if inputs is not None:
        recipe = recipe.model_copy(update={"inputs": dict(inputs)})
    store.publish(asset, partition, recipe, write)


class _AnyRecord(BaseModel):
    """What an artefact recorded, of whatever step."""

    model_config = ConfigDict(extra="allow")


def manifest_content(path: Path) -> dict[str, Any]:
    """A manifest's JSON without its checksum, as earlier versions wrote it, for tests to edit."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in content.items() if name != "checksum"}


def give_earlier_names(store: DataStore) -> int:
    """Call columns of all published tables as versions for the areas of 2011 alone did.

    Returns:
        How many tables have one.
    """
    renamed = 0
    for place in store.assets.rglob("manifest.json"):
        manifest = manifest_content(place)
        for name, entry in manifest["files"].items():
            file = place.parent / manifest["generation"] / name
            if file.suffix != ".parquet" or not {*EARLIER_NAMES} & {*pq.read_schema(file).names}:
                continue
            frame = pd.read_parquet(file, partitioning=None)
            frame.rename(columns=EARLIER_NAMES).to_parquet(file, index=False)
            entry |= {"sha256": digest_file(file), "bytes": file.stat().st_size}
            renamed += 1
        place.write_text(json.dumps(manifest), encoding="utf-8")
    return renamed
