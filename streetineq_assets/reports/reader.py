"""Opens what is published, or is not: for the report, which shows whatever there is."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from streetineq_assets import tables
from streetineq_assets.labels.tables import POSTCODE_LSOA
from streetineq_assets.manifests import Manifest
from streetineq_assets.reports.history import History
from streetineq_assets.store import DataStore


class Reader:
    """Opens artefacts that may be absent; keeps which libraries made them, and which are old."""

    def __init__(self, store: DataStore, history: History) -> None:
        self._store = store
        self.history = history
        self.versions: dict[str, set[str]] = {}
        self.outdated: set[str] = set()

    def manifest(self, asset: str, partition: str | None) -> Manifest | None:
        """The manifest of an artefact; None when it is not published."""
        manifest = self._store.manifest(asset, partition)
        for name, version in manifest.library_versions.items() if manifest else ():
            self.versions.setdefault(name, set()).add(version)
        return manifest

    def table(
        self,
        asset: str,
        partition: str | None,
        name: str,
        schema: pa.Schema,
        columns: list[str] | None = None,
    ) -> pd.DataFrame:
        """A table of an artefact; an empty one where it is absent, unavailable or outdated.

        Args:
            name: of the Parquet file, without suffix.
            columns: those that are read; by default all of the schema.

        Raises:
            StoreError: the file does not match its manifest.
        """
        manifest, names = self.manifest(asset, partition), columns or schema.names
        if not manifest or manifest.unavailable or f"{name}.parquet" not in manifest.files:
            return tables.empty(schema)[names]
        try:
            return self._store.open(asset, partition).table(f"{name}.parquet", names)
        except pa.ArrowInvalid:  # it lacks a column
            self.outdated.add(manifest.label)
            return tables.empty(schema)[names]

    def postcodes(self, cities: list[str]) -> pd.DataFrame:
        """`postcode, city, area` of these cities; empty where the directory is not published.

        Raises:
            StoreError: the directory's table does not match its manifest.
        """
        file = self.file("postcode_lsoa", None, "postcode_lsoa.parquet")
        columns = ["postcode", "city", "area"]
        if file is None:
            return tables.empty(POSTCODE_LSOA)[columns]
        return tables.read(file, columns, [("city", "in", cities)]).dropna()

    def file(self, asset: str, partition: str | None, name: str) -> Path | None:
        """A file of an artefact; None where there is none.

        Raises:
            StoreError: the artefact's files do not match its manifest.
        """
        manifest = self.manifest(asset, partition)
        if not manifest or name not in manifest.files:
            return None
        return self._store.open(asset, partition).file(name)
