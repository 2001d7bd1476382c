"""The Dagster resources, and the one way in which an asset publishes.

The study with its store, the accelerator, the DuckDB engine, and the translation of a step's
findings into Dagster's events.

Assets write files through the store and return no values; there is no IO manager. The content's
hash is then known when the result is returned, and tables and gigabytes go the same way.
"""

import contextlib
import datetime as dt
import functools
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster_duckdb import DuckDBResource
from pydantic import Field

from streetineq_assets.devices import Device, DeviceRequest, lease
from streetineq_assets.errors import StreetineqError, clear_disk_errors
from streetineq_assets.findings import Check, CheckSpec, Findings, blocking_failures
from streetineq_assets.manifests import Recipe
from streetineq_assets.metadata import Publication, artefact_metadata, rounded_values
from streetineq_assets.step_process import let_orphans_end
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.tables import Origins

SYNTHETIC_NOTE = dg.MetadataValue.md(
    "**Synthetic input.** Neither the areas nor the images are real."
)
ALLOW_LOSS = "streetineq/allow_loss"  # tag of runs that may replace artefacts by far smaller ones
# Tags of runs that nobody started by hand.
_UNATTENDED = {
    "dagster/schedule_name",
    "dagster/sensor_name",
    "dagster/tick",
    "dagster/auto_materialize",
    "dagster/from_automation_condition",
}
Make = Callable[[Path], Findings]
Events = Iterator[dg.AssetCheckResult | dg.MaterializeResult | dg.AssetObservation]


class ChecksFailedError(Exception):
    """A blocking check failed before anything was published."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        failed = blocking_failures(findings.checks)
        super().__init__("; ".join(f"{check.name}: {check.description}" for check in failed))


class StudyResource(dg.ConfigurableResource):
    """One study: its settings and its files."""

    root: str

    @cached_property
    def store(self) -> DataStore:
        """Where the study's files lie."""
        return DataStore(self.root, vintage=lambda: self.study.vintage)

    @cached_property
    def study(self) -> Study:
        """The settings, read once per process."""
        return load_study(self.store.study_file)

    def publish(
        self,
        asset: str,
        partition: str | None,
        recipe: Recipe,
        make: Make,
        *,
        specs: Iterable[str],
        again: bool = False,
        allow_loss: bool = False,
    ) -> Publication:
        """Find the artefact unchanged, or make and publish it.

        Args:
            specs: names of the checks that the asset declares. An artefact that has the results of
                others is made again.
            again: make it even though its recipe did not change.
            allow_loss: let it hold less than half of what the previous artefact holds.

        Raises:
            ChecksFailedError: a blocking check failed; the previous artefact is unchanged.
            LossError: it would hold less than half; the previous artefact is unchanged.
        """
        manifest = None if again else self.store.current(asset, partition, recipe)
        if manifest:
            findings = Findings.from_summary(manifest.summary, manifest.unavailable)
            if {check.name for check in findings.checks} == set(specs):
                return Publication(manifest, findings, 0.0, skipped=True)
        found: list[Findings] = []

        def write(folder: Path) -> Findings:
            findings = make(folder)
            if blocking_failures(findings.checks):
                raise ChecksFailedError(findings)
            found.append(findings)
            return findings

        started = time.perf_counter()
        manifest = self.store.publish(asset, partition, recipe, write, allow_loss=allow_loss)
        return Publication(manifest, found[0], time.perf_counter() - started, skipped=False)

    def materialize(
        self,
        context: dg.AssetExecutionContext,
        make: Make,
        *,
        inputs: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        columns: pa.Schema | None = None,
        origins: Origins | None = None,
        areas: bool = True,
        again: bool = False,
        ask_again: Callable[[], list[Check]] = list,
    ) -> Events:
        """Publish the asset of `context` and report it: the body of every asset ends here.

        Args:
            make: writes the files into the folder that it is given, and says what it found.
            inputs: name to digest of each slice that `make` reads.
            config: every setting that changes the content.
            columns: schema of the asset's main table.
            origins: what these columns are made of.
            areas: whether any of it is by area, so that another vintage makes it anew.
            again: make it even though its recipe did not change.
            ask_again: checks that depend on more than the recipe, as they come out today; asked
                when the artefact is skipped. One that blocks fails the step and leaves the files.
        """
        asset = context.asset_key.to_user_string()
        partition = context.partition_key if context.has_partition_key else None
        recipe = Recipe(
            code_version=context.assets_def.code_versions_by_key[context.asset_key] or "",
            inputs=dict(inputs or {}),
            config=dict(config or {}) | (self.study.vintage_settings if areas else {}),
        )
        self._log_reason(context, asset, partition, recipe)
        try:
            specs = [spec.name for spec in context.assets_def.check_specs]
            allow_loss = self.allows_loss(context.run.tags)
            publication = self.publish(
                asset, partition, recipe, make, specs=specs, again=again, allow_loss=allow_loss
            )
        except ChecksFailedError as failed:
            yield from check_results(asset, failed.findings.checks)
            raise dg.Failure(
                f"{failed}. Nothing was published; the previous {asset} is unchanged.",
                allow_retries=False,
            ) from failed
        if publication.skipped:
            publication.findings.replace_checks(ask_again())
            yield from _refuse_failed(asset, publication.findings)
            since = publication.manifest.published_at
            context.log.info(f"unchanged since {since:%Y-%m-%d %H:%M} UTC: nothing was made")
        yield dg.MaterializeResult(
            metadata=self.metadata(publication, columns, origins),
            data_version=dg.DataVersion(publication.manifest.digest),
            check_results=list(check_results(asset, publication.findings.checks)),
        )

    def allows_loss(self, tags: Mapping[str, str]) -> bool:
        """Whether artefacts may lose rows in a run with these tags: only where a person started it.

        The run says so by the tag `ALLOW_LOSS`, which back-fills carry too, or the study does. What
        starts by itself never may.
        """
        if _UNATTENDED.intersection(tags):
            return False
        return self.study.allow_loss or tags.get(ALLOW_LOSS) == "true"

    def metadata(
        self,
        publication: Publication,
        columns: pa.Schema | None = None,
        origins: Origins | None = None,
    ) -> dict[str, Any]:
        """Everything that the UI shows of an artefact."""
        folder = self.store.path_of(publication.manifest)
        shown = artefact_metadata(publication, folder, columns, origins)
        return shown | ({"synthetic": SYNTHETIC_NOTE} if self.study.synthetic else {})

    def _log_reason(
        self, context: dg.AssetExecutionContext, asset: str, partition: str | None, recipe: Recipe
    ) -> None:
        before = self.store.manifest(asset, partition)
        if before and before.key != recipe.key:
            changed = ", ".join(recipe.difference(before.recipe))
            context.log.info(f"to be made again, changed: {changed}")


class DeviceKind(StrEnum):
    """Which device a step asks for."""

    auto = "auto"
    gpu = "gpu"
    cpu = "cpu"


class GpuResource(dg.ConfigurableResource):
    """The accelerator that a step asks for."""

    kind: DeviceKind = Field(
        DeviceKind.auto,
        description="`auto` takes a free GPU, else the CPU; `gpu` fails without a GPU",
    )
    gpus: int = Field(
        1, description="GPUs that one extraction spreads over; training always takes one"
    )
    mixed_precision: bool = Field(
        False,
        description="float16 arithmetic when training on a GPU. That of codes is "
        "`encoder.mixed_precision` in study.toml, the same for all of a study's runs",
    )
    threads: int = Field(0, description="CPU threads of one operation; 0 leaves it to TensorFlow")
    logical_cpus: int = Field(
        1, description="logical devices that the CPU is split into, to try out several devices"
    )
    wait_s: float = Field(0.0, description="seconds to wait for a GPU before taking the CPU")

    @contextlib.contextmanager
    def lease(
        self, context: dg.AssetExecutionContext, *, most_gpus: int | None = None
    ) -> Generator[Device]:
        """Hold a device; log which, and warn when it is not the one asked for.

        Args:
            most_gpus: that the work can use; by default as many as the resource says.
        """
        request = DeviceRequest(
            kind=self.kind.value,
            gpus=self.gpus if most_gpus is None else min(self.gpus, most_gpus),
            mixed_precision=self.mixed_precision,
            threads=self.threads,
            logical_cpus=self.logical_cpus,
            wait_s=self.wait_s,
        )
        with lease(request) as device:
            context.log.info(f"running on {', '.join(device.names)}")
            if device.fallback:
                context.log.warning(f"running on the CPU: {device.fallback}")
            yield device


def duckdb_resource(store: DataStore, *, memory_limit: str = "4GB") -> DuckDBResource:
    """An in-memory DuckDB: an engine over files, never a place where data live."""
    return DuckDBResource(
        database=":memory:",
        connection_config={
            "threads": os.cpu_count() or 1,
            "memory_limit": memory_limit,
            "temp_directory": str(store.scratch),
        },
    )


# Of what the weekly schedules make: late by a day, and then by two.
WEEKLY = dg.FreshnessPolicy.time_window(
    fail_window=dt.timedelta(days=9), warn_window=dt.timedelta(days=8)
)


def bound(resource: object) -> dg.ResourceDefinition:
    """A resource without settings: whoever launches a run cannot say otherwise of it.

    Fields of Dagster's resources are run config, which the launchpad and GraphQL overwrite; a root
    from there would let a run write into any folder.
    """
    return dg.ResourceDefinition(lambda _: resource, config_schema={})


# -- defining assets -----------------------------------------------------------------------------


def define_asset(
    compute: Callable[..., Iterator[Any]],
    *,
    checks: Iterable[CheckSpec] = (),
    partitions_def: dg.PartitionsDefinition | None = None,
    checks_by_partition: bool = True,
    **attributes: Any,
) -> dg.AssetsDefinition:
    """`dg.asset` with the name and docstring of `compute`, its checks, and errors in one sentence.

    Partitions come from the study, which is known when the definitions are built and not when a
    module is imported. So assets are plain functions, and each folder's `build_assets` wires them.
    """
    name = getattr(compute, "__name__", "")
    with warnings.catch_warnings():
        # Partitions of a check are a preview in 1.13, policies of back-fills are in beta; tests
        # hold what we need of them.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        specs = [
            dg.AssetCheckSpec(
                check.name,
                asset=name,
                description=check.description,
                blocking=check.blocking,
                partitions_def=partitions_def if checks_by_partition else None,
            )
            for check in checks
        ]
        decorate = dg.asset(
            partitions_def=partitions_def,
            check_specs=specs or None,
            owners=["team:streetineq"],
            **attributes,
        )
        return decorate(_as_step(compute))


def _refuse_failed(asset: str, findings: Findings) -> Iterator[dg.AssetCheckResult]:
    """Report all checks and fail, where one that blocks fails of an artefact in place."""
    if failed := blocking_failures(findings.checks):
        yield from check_results(asset, findings.checks)
        named = "; ".join(f"{check.name}: {check.description}" for check in failed)
        raise dg.Failure(f"{named}. The published {asset} is unchanged.", allow_retries=False)


def check_results(asset: str, checks: Iterable[Check]) -> Iterator[dg.AssetCheckResult]:
    """Dagster's form of a step's checks."""
    for check in checks:
        yield dg.AssetCheckResult(
            check_name=check.name,
            asset_key=asset,
            passed=check.passed,
            severity=(
                dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
            ),
            description=check.description,
            metadata={"result": check.result} | rounded_values(check.values),
        )


def _as_step(compute: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Turn the errors that users can mend into a failure of one sentence that is not retried.

    And let the step's process end, should its run be killed.
    """

    @functools.wraps(compute)
    def step(*args: Any, **kwargs: Any) -> Iterator[Any]:
        let_orphans_end()
        try:
            with clear_disk_errors(Path(kwargs["study"].root)):
                yield from compute(*args, **kwargs)
        except StreetineqError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

    return step
