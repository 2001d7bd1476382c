"""The assets of this step: codes of images, one bucket a partition, and a city's shards.

What belongs here: finding what is read, leasing the device, calling the domain, publishing. What
does not: any rule of it.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from streetineq_assets.codes.encoders import (
    Encoder,
    idle_encoder,
    load_encoder,
    weights_check,
    weights_input,
)
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.codes.packing import pack_city
from streetineq_assets.codes.reuse import changed_buckets, earlier_files, hand_over
from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import Check, CheckSpec, Findings
from streetineq_assets.images.catalogue import bucket_of, slice_digest
from streetineq_assets.manifests import Recipe, library_versions
from streetineq_assets.partitions import Partitions, bucket_keys, city_of
from streetineq_assets.resources import (
    ChecksFailedError,
    GpuResource,
    Publication,
    StudyResource,
    check_results,
    define_asset,
)

GROUP = "codes"
BUCKETS_PER_RUN = 8

CODE_CHECKS = (
    CheckSpec("accounting", "Listed = extracted + rejected + missing locations.", blocking=True),
    CheckSpec("identity", "Rows are the locations that they say, once, in order.", blocking=True),
    CheckSpec("finite", "Every code is a finite number.", blocking=True),
    CheckSpec("images_there", "At most half of the listed images are gone.", blocking=True),
    CheckSpec("complete", "Every listed location has codes."),
    CheckSpec("weights_known", "The weights are published, random, or named by their sha256."),
    CheckSpec("distinct_views", "No location has the same image in two views."),
)
SHARD_CHECKS = (
    CheckSpec("one_encoder", "All buckets were made by one encoder.", blocking=True),
    CheckSpec("up_to_date", "Buckets were encoded from the images now listed.", blocking=True),
    CheckSpec("identity", "Ids are listed locations, once, in their bucket.", blocking=True),
    CheckSpec("accounting", "Listed = extracted + rejected + missing locations.", blocking=True),
    CheckSpec("shared_images", "At most 0.1 % of images occur in two LSOAs.", blocking=True),
    CheckSpec("finite", "Every code is a finite number.", blocking=True),
    CheckSpec("dead_units", "Few features are constant (1 % in fc6).", blocking=True),
    CheckSpec("like_published", "Mean and spread are as published for ImageNet weights."),
    CheckSpec("complete", "Every listed location has codes."),
)
CODE_COLUMNS = (
    ("location_id", "string", "the location; rows ascend by it"),
    ("image_sha256", "string (4)", "sha256 of each view's bytes"),
    ("features", "float32 (4, width)", "codes of views a, b, c, d; fc6 before its ReLU"),
)
SHARD_COLUMNS = (
    ("location_id", "string", "the location; rows ascend by hash(seed, location_id)"),
    ("features", "float16 or float32 (4, width)", "codes of views a, b, c, d"),
)


class ImageCodesConfig(dg.Config):
    """How buckets are encoded."""

    retry_failed: bool = Field(
        False, description="Also redo unchanged buckets in which locations were rejected."
    )


def image_codes(
    context: dg.AssetExecutionContext,
    config: ImageCodesConfig,
    study: StudyResource,
    gpu: GpuResource,
):
    """Codes of a bucket of locations: fc6 of VGG16, before its ReLU, for each of four views.

    Only images that are new or changed, or failed before, are encoded; a killed run goes on where
    it was. Ids and the images' sha256 stand in the same file as the codes.
    """
    found: dict[str, Findings] = {}
    with ExitStack() as held:

        @cache
        def encoder() -> tuple[Encoder, Callable[[], dict[str, Any]]]:
            device = held.enter_context(gpu.lease(context))
            settings, root = study.study.encoder, study.store.root
            loaded = load_encoder(settings, root=root, seed=study.study.seed, device=device)
            return loaded, device.report

        for key in sorted(context.partition_keys):
            try:
                publication = _publish_bucket(context, config, study, key, encoder)
            except ChecksFailedError as failed:
                found[key] = failed.findings
                continue
            found[key] = publication.findings
            context.log_event(_materialization(context, study, key, publication))
    checks = _over_buckets(found)
    yield from check_results("image_codes", checks)
    failed = [check for check in checks if check.blocking and not check.passed]
    if failed:
        raise dg.Failure(
            "; ".join(f"{check.name}: {check.description}" for check in failed)
            + ". The last good files of these buckets stay; the others were published.",
            allow_retries=False,
        )


def hdf5_shards(context: dg.AssetExecutionContext, study: StudyResource):
    """A city's codes in files of bounded size, in an order in which reading on is sampling.

    Ids, counts, encoder and values of all buckets are checked first. float16 where it is harmless.
    """
    city, store = context.partition_key, study.store
    keys = bucket_keys(city, study.study.cities[city].buckets)
    images = store.open("street_images", city)
    locations = store.open("locations", city).table(columns=["location_id", "lsoa11"])
    buckets = {key: store.open("image_codes", key) for key in keys}
    stale = changed_buckets(store, city, keys)
    settings = {"seed": study.study.seed, "rows_per_shard": study.study.shards.rows}

    def make(folder: Path) -> Findings:
        listed = images.table(columns=["location_id"])["location_id"].unique().tolist()
        return pack_city(
            {key: artefact.file("image_codes.h5") for key, artefact in buckets.items()},
            folder,
            title=study.study.cities[city].title,
            listed=listed,
            locations=locations,
            stale=list(stale),
            **settings,
        )

    inputs = {key: artefact.digest for key, artefact in buckets.items()}
    inputs |= {f"changed/{key}": digest for key, digest in stale.items()}
    inputs["location_ids"] = digest_frame(locations[["location_id"]])
    yield from _with_columns(study.materialize(context, make, inputs=inputs, config=settings))


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The weights as an external asset, codes by bucket, shards by city."""
    return [
        dg.AssetSpec(
            "vgg16_weights",
            group_name=GROUP,
            kinds={"tensorflow", "file"},
            description=(
                "Keras's VGG16 weights for ImageNet, "
                "`inputs/weights/vgg16_weights_tf_dim_ordering_tf_kernels.h5` (553 MB)."
            ),
        ),
        define_asset(
            image_codes,
            group_name=GROUP,
            kinds={"tensorflow", "hdf5"},
            deps=[parts.city_to_buckets("street_images"), "vgg16_weights"],
            partitions_def=parts.bucket,
            backfill_policy=dg.BackfillPolicy.multi_run(BUCKETS_PER_RUN),
            output_required=False,
            pool="gpu",
            code_version="2",  # 1: a renamed weight file, or no GPU, made another encoder
            checks=CODE_CHECKS,
            checks_by_partition=False,
        ),
        define_asset(
            hdf5_shards,
            group_name=GROUP,
            kinds={"hdf5", "parquet"},
            deps=[parts.buckets_to_city("image_codes"), "street_images", "locations"],
            partitions_def=parts.city,
            code_version="1",
            checks=SHARD_CHECKS,
        ),
    ]


# -- one bucket ----------------------------------------------------------------------------------


def _publish_bucket(
    context: dg.AssetExecutionContext,
    config: ImageCodesConfig,
    study: StudyResource,
    key: str,
    encoder: Callable[[], tuple[Encoder, Callable[[], dict[str, Any]]]],
) -> Publication:
    store, city = study.store, city_of(key)
    buckets = study.study.cities[city].buckets
    images = store.open("street_images", city).table()
    images = images[images["bucket"] == key]

    def make(folder: Path) -> Findings:
        previous = earlier_files(store, key, buckets)
        if key in previous:
            hand_over(
                previous[key],
                own=key,
                key_of=lambda location_id: bucket_of(city, location_id, buckets),
                workspace=lambda other: store.workspace("image_codes", other),
            )
        idle = images.empty
        loaded, device_report = (idle_encoder(study.study.encoder), dict) if idle else encoder()
        findings = extract_bucket(
            images,
            root=store.inputs("images", city),
            encoder=loaded,
            target=folder / "image_codes.h5",
            work=store.workspace("image_codes", key),
            previous=list(previous.values()),
            attributes=_attributes(study),
            pace=Pace(workers=min(16, (os.cpu_count() or 1) + 1)),
            report=lambda line: context.log.info(f"{key}: {line}"),
        )
        # The device's `mixed_precision` is that of training: the encoder has the last word.
        findings.values |= {"buckets": buckets} | device_report()
        findings.values |= loaded.identity | loaded.values
        findings.checks.append(weights_check(loaded, study.study.encoder))
        return findings

    publication = study.publish(
        "image_codes",
        key,
        _recipe(context, study, images),
        make,
        specs=[spec.name for spec in CODE_CHECKS],
        again=config.retry_failed and _has_rejections(study, key),
    )
    if not publication.skipped:  # the workspace of a skipped bucket may be another run's
        store.clear_workspace("image_codes", key)
    return publication


def _recipe(
    context: dg.AssetExecutionContext, study: StudyResource, images: pd.DataFrame
) -> Recipe:
    """Images, weights and all settings that change codes; a batch's size does not."""
    settings = study.study.encoder
    return Recipe(
        code_version=context.assets_def.code_versions_by_key[context.asset_key] or "",
        inputs={
            "street_images": slice_digest(images),
            "vgg16_weights": weights_input(settings, study.store.root, study.study.seed),
        },
        config=settings.model_dump(
            include={"backbone", "layer", "preprocessing", "mixed_precision"}
        ),
    )


def _has_rejections(study: StudyResource, key: str) -> bool:
    manifest = study.store.manifest("image_codes", key)
    return bool(manifest and manifest.summary["values"]["rejected"])


def _attributes(study: StudyResource) -> dict[str, Any]:
    synthetic = study.study.synthetic or study.study.encoder.weights == "random"
    return {"synthetic": synthetic, "versions": json.dumps(library_versions())}


def _materialization(
    context: dg.AssetExecutionContext, study: StudyResource, key: str, publication: Publication
) -> dg.AssetMaterialization:
    rows = {"dagster/partition_row_count": publication.findings.values["extracted"]}
    return dg.AssetMaterialization(
        context.asset_key,
        partition=key,
        metadata=study.metadata(publication)
        | rows
        | {"dagster/column_schema": _schema(CODE_COLUMNS)},
        tags={"dagster/data_version": publication.manifest.digest},
    )


def _over_buckets(found: dict[str, Findings]) -> list[Check]:
    """One result per check for the whole step, naming the buckets that failed it."""
    checks = []
    for spec in CODE_CHECKS:
        results = {
            key: check
            for key, findings in found.items()
            for check in findings.checks
            if check.name == spec.name
        }
        failed = {key: check for key, check in results.items() if not check.passed}
        told = [f"{key}: {check.description}" for key, check in failed.items()]
        checks.append(
            Check(
                spec.name,
                not failed,
                "; ".join(told) or f"{spec.description} ({len(results)} buckets)",
                blocking=spec.blocking,
                values={"buckets": len(results), "failing_buckets": len(failed)},
            )
        )
    return checks


# -- metadata ------------------------------------------------------------------------------------


def _schema(columns: tuple[tuple[str, str, str], ...]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(name, kind, description) for name, kind, description in columns]
    )


def _with_columns(
    events: Iterator[dg.AssetCheckResult | dg.MaterializeResult],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Add what only Parquet tables have by themselves: row count and columns."""
    for event in events:
        if isinstance(event, dg.MaterializeResult):
            rows = event.metadata["extracted"]
            shown = {"dagster/partition_row_count": rows}
            shown |= {"dagster/column_schema": _schema(SHARD_COLUMNS)}
            yield event._replace(metadata={**event.metadata, **shown})
        else:
            yield event
