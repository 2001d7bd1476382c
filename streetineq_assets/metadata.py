"""What the UI shows of an artefact: values, tables, notes, plots, columns, and where it lies."""

import base64
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from streetineq_assets.findings import Findings, Scalar, Unavailable
from streetineq_assets.manifests import Manifest
from streetineq_assets.plotting import INLINE_LIMIT_BYTES
from streetineq_assets.tables import Origins, described

HEADLINE = "headline"
_PLOTS = {".png": "image/png", ".jpg": "image/jpeg"}
_MOST_NAMED = 3  # columns that one is made of
MOST_ROWS = 20  # of a table: a page of the UI is to be read from top to bottom


@dataclass(frozen=True)
class Publication:
    """An artefact that is in place, whether made just now or found unchanged."""

    manifest: Manifest
    findings: Findings
    seconds: float
    skipped: bool


def artefact_metadata(
    publication: Publication,
    folder: Path,
    columns: pa.Schema | None = None,
    origins: Origins | None = None,
) -> dict[str, Any]:
    """Everything that the UI shows of an artefact, in the order in which a reader asks.

    First whether anything was made, then the headline, plots, values, notes and tables; at the end
    what it was made of, and where it lies.

    Args:
        folder: of the artefact's files.
        columns: schema of the main table.
        origins: what these columns are made of.
    """
    manifest, findings = publication.manifest, publication.findings
    shown: dict[str, Any] = {"skipped": publication.skipped}
    if publication.skipped:
        shown["unchanged"] = f"since {manifest.published_at:%Y-%m-%d %H:%M} UTC: nothing was made"
    if findings.unavailable:
        shown |= _why(findings.unavailable)
    if manifest.allowed_losses:
        shown["allowed_losses"] = "; ".join(manifest.allowed_losses)
    notes = {name: dg.MetadataValue.md(text) for name, text in findings.notes.items()}
    if HEADLINE in notes:
        shown[HEADLINE] = notes.pop(HEADLINE)
    shown |= _plots(folder, manifest)
    shown |= rounded_values(findings.values)
    shown |= notes
    for name, rows in findings.tables.items():
        shown |= shown_table(name, rows)
    shown |= _rows(folder, manifest, findings)
    if columns:
        shown["dagster/column_schema"] = column_schema(columns, origins or {})
    if origins:
        shown["dagster/column_lineage"] = column_lineage(origins)
    return shown | {
        "folder": dg.MetadataValue.path(str(folder)),
        "bytes": manifest.size_bytes,
        "seconds_making": _rounded(publication.seconds),
        "inputs": dg.MetadataValue.json(manifest.recipe.inputs),
        "config": dg.MetadataValue.json(manifest.recipe.config),
        "library_versions": dg.MetadataValue.json(manifest.library_versions),
    }


def _why(unavailable: Unavailable) -> dict[str, str]:
    return {
        "status": "unavailable",
        "wanted": unavailable.wanted,
        "reason": unavailable.reason,
    }


def column_schema(columns: pa.Schema, origins: Origins) -> dg.TableSchema:
    """The UI's form of a table's columns: type, meaning with unit, and whether values may miss.

    What a column is made of stands behind its meaning too: the UI draws no lineage of columns.
    """
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                type=str(field.type),
                description=text + _made_of(origins.get(field.name, ())),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field, text in described(columns)
        ]
    )


def _made_of(columns: Sequence[tuple[str, str]]) -> str:
    by_asset: dict[str, list[str]] = defaultdict(list)
    for asset, name in columns:
        by_asset[asset].append(name)
    named = []
    for asset, names in by_asset.items():
        left = len(names) - _MOST_NAMED
        more = f" and {left} more" if left > 0 else ""
        named.append(f"{asset}: {', '.join(names[:_MOST_NAMED])}{more}")
    return f" [from {'; '.join(named)}]" if named else ""


def column_lineage(origins: Origins) -> dg.TableColumnLineage:
    """The UI's form of what columns are made of."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset, column) for asset, column in made_of]
            for name, made_of in origins.items()
        }
    )


def rounded_values(values: Mapping[str, Scalar]) -> dict[str, Any]:
    """Scalars, rounded; what is not a number has no place in a time series."""
    return {
        name: _rounded(value)
        for name, value in values.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def _rounded(value: Scalar) -> Scalar:
    """A float to three digits, or to units where it has more before the point."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return round(value) if abs(value) >= 1000 else float(f"{value:.3g}")


def shown_table(name: str, rows: list[dict[str, Scalar]]) -> dict[str, Any]:
    """The first rows of a table, and how many more there are; nothing where it is empty."""
    if not rows:
        return {}
    left = len(rows) - MOST_ROWS
    more = {f"{name}_left_out": f"{left} more rows, in the artefact's folder"} if left > 0 else {}
    return {name: _first_rows(rows[:MOST_ROWS])} | more


def _first_rows(rows: list[dict[str, Scalar]]) -> dg.TableMetadataValue:
    kinds = {bool: "bool", int: "int", float: "float"}
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        kind = kinds.get(type(values[0]), "string") if values else "string"
        columns.append(dg.TableColumn(name, type=kind))
    return dg.MetadataValue.table(
        records=[dg.TableRecord(_plain(row)) for row in rows],
        schema=dg.TableSchema(columns=columns),
    )


def _plain(row: Mapping[str, Scalar]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else _rounded(value)
        for name, value in row.items()
    }


def _plots(folder: Path, manifest: Manifest) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in sorted(n for n in manifest.files if Path(n).suffix in _PLOTS):
        path = folder / name
        shown[f"{path.stem}_file"] = dg.MetadataValue.path(str(path))
        if manifest.files[name].bytes <= INLINE_LIMIT_BYTES:
            data = base64.b64encode(path.read_bytes()).decode()
            picture = f"![{path.stem}](data:{_PLOTS[path.suffix]};base64,{data})"
            shown[f"{path.stem}_plot"] = dg.MetadataValue.md(picture)
    return shown


def _rows(folder: Path, manifest: Manifest, findings: Findings) -> dict[str, Any]:
    """Row count of the main table: as found, or of the Parquet file named after the asset."""
    rows, name = findings.n_rows, f"{manifest.asset}.parquet"
    if rows is None and name in manifest.files:
        import pyarrow.parquet as pq

        rows = pq.read_metadata(folder / name).num_rows
    count = "dagster/partition_row_count" if manifest.partition else "dagster/row_count"
    return {} if rows is None else {count: rows}
