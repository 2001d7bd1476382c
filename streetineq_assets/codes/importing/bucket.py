"""A bucket of codes that somebody brings: its rows of the city's file, and what is found."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.codes import checks
from streetineq_assets.codes.accounting import MISSING, MOST_NAMED
from streetineq_assets.codes.bucket_file import Contents, Rejection
from streetineq_assets.codes.bucket_findings import bucket_findings, write_looked_at
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.importing.city_codes import (
    CityCodes,
    find_codes,
    none_brought,
    open_codes,
)
from streetineq_assets.encoder_settings import ImportedEncoder
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import VIEWS, bucket_of
from streetineq_assets.images.changes import slice_digest
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, city_of


@dataclass
class Importer:
    """Codes that a study brings, bucket by bucket; a city's file is opened once.

    Args:
        settings: the study's encoder.
        held: keeps files open.
    """

    store: DataStore
    study: Study
    settings: ImportedEncoder
    held: ExitStack
    _open: dict[str, tuple[CityCodes | None, list[str]]] = field(default_factory=dict)

    @property
    def identity(self) -> EncoderIdentity:
        """Of the codes that were brought, as study.toml states it."""
        stated = self.settings
        return EncoderIdentity(
            family=stated.family,
            backbone=stated.name,
            layer=stated.layer,
            input_px=0,
            preprocessing=stated.preprocessing,
            weights="imported",
            weights_sha256=stated.weights_sha256 or "",
            licence=stated.licence or "",
            width=stated.width,
        )

    def recipe(self, city: str, images: pd.DataFrame, version: str) -> Recipe:
        """What decides the codes of a bucket: its locations, the file, and what is stated of it.

        Args:
            images: the bucket's rows of `street_images`.
            version: the code version of `image_codes`.

        Raises:
            SourceError: as `find_codes`.
        """
        files, stated = find_codes(self.store, city), self.settings
        return Recipe(
            code_version=version,
            inputs={
                "street_images": slice_digest(images),
                "codes": files.digest() if files else "missing",
            },
            config=stated.decisive | {"weights_sha256": stated.weights_sha256},
        )

    def write_bucket(
        self,
        key: str,
        images: pd.DataFrame,
        target: Path,
        attributes: Mapping[str, Any],
    ) -> Findings:
        """Write a bucket's rows.

        Args:
            images: the rows of the city's `street_images`.
            target: the file to write.
            attributes: what else the file's attributes say.

        Returns:
            As `bucket_findings`; among the values and tables the locations of the file that no list
            names.

        Raises:
            SourceError: the file is not as it should be, or another city's.
        """
        city = city_of(key)
        n_buckets = self.study.cities[city].buckets
        if city not in self._open:
            self._open[city] = self._opened(city, images["location_id"].unique().tolist())
        codes, unlisted = self._open[city]
        listed = sorted(images.loc[images["bucket"] == key, "location_id"].unique())
        findings = import_bucket(
            listed,
            codes,
            identity=self.identity,
            target=target,
            n_buckets=n_buckets,
            attributes=attributes,
        )
        strangers = [each for each in unlisted if bucket_of(city, each, n_buckets) == key]
        findings.values["n_codes_not_listed"] = len(strangers)
        first = strangers[:MOST_NAMED]
        findings.tables["codes_not_listed"] = [{"location_id": each} for each in first]
        findings.unavailable = None if codes else none_brought(self.store, city)
        return findings

    def _opened(self, city: str, listed: Sequence[str]) -> tuple[CityCodes | None, list[str]]:
        files = find_codes(self.store, city)
        if files is None:
            return None, []
        width, scratch = self.settings.width, self.store.scratch
        codes = self.held.enter_context(open_codes(files, width=width, scratch=scratch))
        return codes, codes.unlisted(listed)


def import_bucket(
    listed: Sequence[str],
    codes: CityCodes | None,
    *,
    identity: EncoderIdentity,
    target: Path,
    n_buckets: int,
    attributes: Mapping[str, Any],
) -> Findings:
    """Write the codes of some locations as a bucket's file.

    Args:
        listed: ids, ascending.
        codes: of the city; None where nobody brought any.
        identity, attributes: of the file.
        n_buckets: of the city; recorded.

    Returns:
        As `bucket_findings`, with the number of absent views; a location without codes is missing.

    Raises:
        SourceError: the file of codes is damaged.
        StoreError: the disk is full.
    """
    wanted, present = _with_codes(listed, codes)
    without = set(listed) - set(wanted)
    contents = Contents(
        location_ids=wanted,
        image_sha256=np.full(present.shape, ""),
        identity=identity if wanted else _nothing(identity),
        rejections=[Rejection(each, v, MISSING) for each in sorted(without) for v in VIEWS],
        attributes=attributes,
        present=present,
    )
    blocks = codes.blocks(wanted) if codes else ()
    written = write_looked_at(target, contents, blocks)
    findings = bucket_findings(
        target, written, n_listed=len(listed), n_buckets=n_buckets, wanted=wanted
    )
    findings.replace_checks([checks.no_image_read()])
    findings.values |= {"n_absent_views": int((~present).sum()), **contents.identity.attributes}
    return findings


def _with_codes(
    listed: Sequence[str], codes: CityCodes | None
) -> tuple[list[str], NDArray[np.bool_]]:
    """The locations that have a code of some view, and (n, V) of which views."""
    if codes is None:
        return [], np.ones((0, len(VIEWS)), bool)
    known = [each for each in listed if each in codes.location_ids]
    present = codes.present(known)
    has_code = present.any(axis=1)
    return np.array(known, object)[has_code].tolist(), present[has_code]


def _nothing(identity: EncoderIdentity) -> EncoderIdentity:
    """Of a file without codes, which fits the codes of any encoder."""
    return identity.model_copy(update={"weights": "none", "width": 0})
