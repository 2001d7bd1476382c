"""The assets of this step: codes of images, one bucket a partition, and a city's shards."""

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from streetineq_assets.codes import checks, repeat_checks
from streetineq_assets.codes.bucket_recipe import bucket_recipe
from streetineq_assets.codes.city_repeats import read_repeat_slices, write_repeats
from streetineq_assets.codes.contact_sheet import Sheet
from streetineq_assets.codes.encoders.checks import encoder_checks
from streetineq_assets.codes.encoders.encoder import Encoder
from streetineq_assets.codes.encoders.loading import idle_encoder, kept_encoder
from streetineq_assets.codes.extraction import Pace, extract_bucket
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.importing.bucket import Importer
from streetineq_assets.codes.listing import Listing, read_listing
from streetineq_assets.codes.packing import pack_city
from streetineq_assets.codes.repeated_images import ask_shared_images
from streetineq_assets.codes.reuse import (
    changed_buckets,
    earlier_files,
    hand_over,
    is_wanted_again,
)
from streetineq_assets.codes.tables import HDF5_SHARDS, IMAGE_CODES, IMAGE_REPEATS, BucketRecord
from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.encoder_settings import ImportedEncoder
from streetineq_assets.errors import SourceError, StoreError, StreetineqError
from streetineq_assets.findings import Check, Findings, blocking_failures
from streetineq_assets.imagery.retention import delete_pictures
from streetineq_assets.images.catalogue import bucket_of
from streetineq_assets.images.files import locate
from streetineq_assets.manifests import Manifest, Recipe, library_versions
from streetineq_assets.metadata import Publication
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import (
    ChecksFailedError,
    Events,
    GpuResource,
    StudyResource,
    check_results,
    define_asset,
)
from streetineq_assets.study import bucket_keys, city_of

GROUP = "3_codes"
_WEIGHTS = dg.AssetSpec(
    "vgg16_weights",
    group_name=GROUP,
    kinds={"tensorflow", "file"},
    description=(
        "The network that looks at the images: by default Keras's VGG16 weights for "
        "ImageNet, `inputs/weights/vgg16_weights_tf_dim_ordering_tf_kernels.h5` (553 MB); "
        "`[encoder]` in study.toml names others."
    ),
)
_CODE_FILES = dg.AssetSpec(
    "code_files",
    group_name=GROUP,
    kinds={"hdf5", "file"},
    description="Codes that exist already: `inputs/codes/<city>.h5` or `<city>.parquet`.",
)


class ImageCodesConfig(dg.Config):
    """How buckets are encoded."""

    retry_failed: bool = Field(
        False, description="Also redo unchanged buckets in which locations were rejected."
    )
    hash_pictures: bool = Field(
        False,
        description="Also redo unchanged buckets whose pictures have no perceptual hash or no "
        "figures of quality: they are read once more, and nothing is encoded again.",
    )


def image_codes(
    context: dg.AssetExecutionContext,
    config: ImageCodesConfig,
    study: StudyResource,
    gpu: GpuResource,
) -> Events:
    """What a neural network saw in each street image, as a list of numbers.

    A code is fc6 of VGG16, before its ReLU, or what `[encoder]` names, for each of a location's
    views; a partition is a bucket of a city's locations. Only images that are new or changed, or
    failed before, are encoded; a run that was killed resumes where it was. Ids and the images'
    sha256 stand in the same file as the codes.
    """
    by_key: dict[str, Findings] = {}
    failed: dict[str, list[str]] = {}
    with ExitStack() as held:
        step = _Step(context, config, study, gpu, held)
        for key in sorted(context.partition_keys):
            try:
                publication = step.publish(key)
            except ChecksFailedError as refused_by:
                by_key[key] = refused_by.findings
                continue
            except step.of_one_bucket as error:  # is no reason to leave out others
                failed.setdefault(str(error), []).append(key)
                continue
            by_key[key] = publication.findings
            context.log_event(
                dg.AssetMaterialization(
                    context.asset_key,
                    partition=key,
                    metadata=study.metadata(publication, IMAGE_CODES),
                    tags={"dagster/data_version": publication.manifest.digest},
                )
            )
    results = checks.over_buckets(by_key)
    yield from check_results("image_codes", results)
    refused = [f"{check.name}: {check.description}" for check in blocking_failures(results)]
    if refused or failed:
        raise dg.Failure(
            "; ".join([*refused, *(f"{', '.join(keys)}: {why}" for why, keys in failed.items())])
            + ". The previous files of these buckets are unchanged; the others were published.",
            allow_retries=False,
        )


def hdf5_shards(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """A city's image codes in files of bounded size, ready for training.

    Rows are in a fixed random order, so that consecutive rows are a random sample. Ids, counts,
    encoder and values of all buckets are checked first. Codes are stored as float16 where it is
    harmless.
    """
    city, store = context.partition_key, study.store
    keys = bucket_keys(city, study.study.cities[city].buckets)
    images = store.open("street_images", city)
    locations = store.open("locations", city).table(columns=["location_id", "area"])
    buckets = {key: store.open("image_codes", key) for key in keys}
    stale = changed_buckets(store, city, keys)
    files = {key: artefact.file("image_codes.h5") for key, artefact in buckets.items()}
    settings = {"seed": study.study.seed, "rows_per_shard": study.study.shards.rows}
    sheet = Sheet(store, study.study, city, images, files)

    def make(folder: Path) -> Findings:
        findings = pack_city(
            files,
            folder,
            title=study.study.cities[city].title,
            listed=images.table(columns=["location_id"])["location_id"].unique().tolist(),
            locations=locations,
            stale=list(stale),
            show=sheet.show,
            **settings,
        )
        of_buckets = (each.manifest.unavailable for each in buckets.values())
        findings.unavailable = images.manifest.unavailable or next(filter(None, of_buckets), None)
        return findings

    def ask_again() -> list[Check]:
        """The areas of locations are no part of the recipe: a new directory packs nothing again."""
        return [ask_shared_images(store, store.open("hdf5_shards", city), locations)]

    inputs = {key: artefact.digest for key, artefact in buckets.items()}
    inputs |= {f"changed/{key}": digest for key, digest in stale.items()}
    inputs["location_ids"] = digest_frame(locations[["location_id"]])
    yield from study.materialize(
        context,
        make,
        inputs=inputs | sheet.digests(),
        config=settings | sheet.config(),
        columns=HDF5_SHARDS,
        areas=False,
        ask_again=ask_again,
    )


def image_repeats(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """Which locations of different areas show the same: same file, like picture, or one place.

    Where one of two such locations is tested and the other trained on, a network is asked what it
    remembers. Training leaves out what repeats a fold's test, unless `drop = false` stands under
    [repeats] in study.toml. Folds have no part in it.
    """
    city, settings = context.partition_key, study.study.repeats
    keys = bucket_keys(city, study.study.cities[city].buckets)
    slices = read_repeat_slices(study.store, city, keys)

    def make(folder: Path) -> Findings:
        findings = write_repeats(study.store, slices, settings, folder)
        findings.unavailable = slices.shards.manifest.unavailable
        return findings

    yield from study.materialize(
        context,
        make,
        inputs=slices.digests(),
        config=settings.model_dump(exclude={"drop"}),
        columns=IMAGE_REPEATS,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Weights or codes as an external asset, codes by bucket, shards and repeats by city."""
    brought = _CODE_FILES if parts.brings_codes else _WEIGHTS
    return [
        brought,
        define_asset(
            image_codes,
            group_name=GROUP,
            kinds={"tensorflow", "hdf5"},
            deps=[parts.city_to_buckets("street_images"), brought],
            partitions_def=parts.bucket,
            backfill_policy=dg.BackfillPolicy.multi_run(parts.buckets_per_run),
            output_required=False,
            pool="gpu",
            code_version="2",  # 1: a renamed weight file, or no GPU, made another encoder
            checks=checks.IMAGE_CODES,
            checks_by_partition=False,
        ),
        define_asset(
            hdf5_shards,
            group_name=GROUP,
            kinds={"hdf5", "parquet"},
            deps=[parts.buckets_to_city("image_codes"), "street_images", "locations"],
            partitions_def=parts.city,
            code_version="1",
            checks=checks.HDF5_SHARDS,
        ),
        define_asset(
            image_repeats,
            group_name=GROUP,
            kinds={"pandas", "parquet"},
            deps=["hdf5_shards", parts.buckets_to_city("image_codes"), "locations"],
            partitions_def=parts.city,
            code_version="1",
            checks=repeat_checks.IMAGE_REPEATS,
        ),
    ]


@dataclass
class _Step:
    """One run of `image_codes`, and what its buckets share.

    The device is leased and the encoder loaded when the first bucket needs them; what is listed and
    published of a city is looked up once. Keys come city by city, and one listing is held.
    """

    context: dg.AssetExecutionContext
    config: ImageCodesConfig
    study: StudyResource
    gpu: GpuResource
    held: ExitStack
    _listings: dict[str, Listing] = field(default_factory=dict)
    _published: dict[str, list[Manifest]] = field(default_factory=dict)

    def publish(self, key: str) -> Publication:
        """Find a bucket unchanged, or make and publish it.

        Raises:
            ChecksFailedError: a blocking check failed; the previous file is unchanged.
        """
        store = self.study.store
        images = self._listing(city_of(key)).of_bucket(key)
        publication = self.study.publish(
            "image_codes",
            key,
            self._recipe(key, images),
            lambda folder: self._make(key, images, folder),
            specs=[spec.name for spec in checks.IMAGE_CODES],
            again=is_wanted_again(store.manifest("image_codes", key), **self.config.model_dump()),
            allow_loss=self.study.allows_loss(self.context.run.tags),
        )
        if publication.skipped:
            self._ask_encoder_again(publication)
        else:  # the workspace of a skipped bucket may be another run's
            store.clear_workspace("image_codes", key)
        if delete_pictures(store, key):
            self.context.log.info(f"{key}: pictures deleted, which may be encoded and not kept")
        return publication

    @property
    def of_one_bucket(self) -> tuple[type[StreetineqError], ...]:
        """Errors that leave other buckets as they are: weights are every city's, codes one's."""
        return (StoreError, SourceError) if self._importer else (StoreError,)

    def _make(self, key: str, images: pd.DataFrame, folder: Path) -> Findings:
        target, importer = folder / "image_codes.h5", self._importer
        if importer:
            findings = self._import(importer, key, target)
        else:
            findings = self._extract(key, images, target)
        why = self._listing(city_of(key)).unavailable
        findings.unavailable = why or findings.unavailable
        return findings

    def _import(self, importer: Importer, key: str, target: Path) -> Findings:
        of_encoder = self._ask_encoder(importer.identity)
        if blocking_failures(of_encoder):
            return Findings(checks=of_encoder)
        images = self._listing(city_of(key)).images
        findings = importer.write_bucket(key, images, target, self._attributes())
        findings.checks += of_encoder
        return findings

    def _extract(self, key: str, images: pd.DataFrame, target: Path) -> Findings:
        store, settings, city = self.study.store, self.study.study.encoder, city_of(key)
        idle = images.empty
        encoder = idle_encoder(settings) if idle else self._encoder
        of_encoder = self._ask_encoder(encoder.identity)
        if blocking_failures(of_encoder):
            return Findings(checks=of_encoder)
        findings = extract_bucket(
            images,
            locate=partial(locate, store, city),
            encoder=encoder,
            target=target,
            work=store.workspace("image_codes", key),
            n_buckets=self.study.study.cities[city].buckets,
            limits=self.study.study.images,
            views=self.study.study.views,
            previous=self._earlier_files(key),
            attributes=self._attributes(),
            pace=Pace(workers=min(16, (os.cpu_count() or 1) + 1)),
            report=lambda line: self.context.log.info(f"{key}: {line}"),
        )
        # The device's `mixed_precision` is that of training: the encoder has the last word.
        findings.values |= {} if idle else self._device.report()
        findings.values |= encoder.identity.attributes | encoder.values
        findings.checks += of_encoder
        return findings

    def _ask_encoder(self, identity: EncoderIdentity) -> list[Check]:
        study = self.study.study
        return encoder_checks(identity, study.encoder, study.rights)

    def _ask_encoder_again(self, publication: Publication) -> None:
        """The study may state sha256, licence and rights after the weights were used."""
        encoder = publication.manifest.read_record(BucketRecord).encoder
        if encoder is not None:
            publication.findings.replace_checks(self._ask_encoder(encoder))

    def _listing(self, city: str) -> Listing:
        if city not in self._listings:
            self._listings = {city: read_listing(self.study.store, city)}
        return self._listings[city]

    @cached_property
    def _importer(self) -> Importer | None:
        """Where the study brings its codes."""
        study = self.study.study
        if not isinstance(study.encoder, ImportedEncoder):
            return None
        return Importer(self.study.store, study, study.encoder, self.held)

    @cached_property
    def _device(self) -> Device:
        return self.held.enter_context(self.gpu.lease(self.context))

    @cached_property
    def _encoder(self) -> Encoder:
        study = self.study.study
        root = self.study.store.root
        return kept_encoder(study.encoder, root=root, seed=study.seed, device=self._device)

    def _earlier_files(self, key: str) -> list[Path]:
        """Files whose rows may be reused; rows of other buckets in the own one go to these."""
        store, city = self.study.store, city_of(key)
        n_buckets = self.study.study.cities[city].buckets
        if city not in self._published:
            self._published[city] = store.manifests("image_codes", city)
        files = earlier_files(store, self._published[city], key, n_buckets)
        if key in files:
            hand_over(
                files[key],
                own=key,
                key_of=lambda location_id: bucket_of(city, location_id, n_buckets),
                workspace=lambda other: store.workspace("image_codes", other),
            )
        return list(files.values())

    def _recipe(self, key: str, images: pd.DataFrame) -> Recipe:
        versions = self.context.assets_def.code_versions_by_key
        version = versions[self.context.asset_key] or ""
        if self._importer:
            return self._importer.recipe(city_of(key), images, version)
        return bucket_recipe(self.study.store, self.study.study, images, version)

    def _attributes(self) -> dict[str, Any]:
        study = self.study.study
        synthetic = study.synthetic or study.encoder.is_random
        return {"synthetic": synthetic, "versions": json.dumps(library_versions())}
