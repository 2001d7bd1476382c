"""Reads an evidence pack, which may come from anywhere: what does not fit is told by name."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from streetineq_assets import tables
from streetineq_assets.area_vintages import EARLIER_NAMES
from streetineq_assets.digests import digest_file
from streetineq_assets.errors import StreetineqError
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.reports.differences.tables import AREA_KEYS, AREAS, METRIC_KEYS, METRICS
from streetineq_assets.reports.exports import as_written
from streetineq_assets.reports.provenance import Provenance

PROVENANCE_FILE, SUMS_FILE = "provenance.json", "SHA256SUMS"
AREAS_STEM, METRICS_STEM = "lsoa_predictions", "metrics"
_REMEDY = "get the pack again from whoever made it, or make it again with this version"
_DECILES = ("decile", "lower", "upper", "actual_decile")


class PackError(StreetineqError):
    """A pack is incomplete, damaged or of another version: the message names its file."""


def is_pack(folder: Path) -> bool:
    """Whether a folder says that it is an evidence pack."""
    return (folder / PROVENANCE_FILE).is_file()


def read_pack(folder: Path) -> tuple[Provenance, pd.DataFrame, pd.DataFrame]:
    """What a pack holds: its provenance, `tables.AREAS` and `tables.METRICS`.

    Tables are read as Parquet, and as CSV (`exports.write_csv`) where there is no Parquet file.
    Files of which `SHA256SUMS` has a digest are compared with it.

    Raises:
        PackError: a file is absent or damaged, lacks a column, or has values that no pack has.
    """
    areas, file = _table(folder, AREAS_STEM, AREAS, AREA_KEYS)
    for name in _DECILES:
        if not areas[name].dropna().between(1, N_DECILES).all():
            raise PackError(f"{file}: column {name} holds what is no decile, 1 to 10: {_REMEDY}")
    metrics, _ = _table(folder, METRICS_STEM, METRICS, METRIC_KEYS)
    return _provenance(folder / PROVENANCE_FILE), areas, metrics


def _provenance(file: Path) -> Provenance:
    _require_published(file)
    try:
        return Provenance.model_validate_json(file.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise PackError(
            f"{file}: not the provenance of a pack of this version"
            f"{f', at {where}' if where else ''} ({fault['msg']}): {_REMEDY}"
        ) from error


def _table(
    folder: Path, stem: str, fields: pa.Schema, keys: tuple[str, ...]
) -> tuple[pd.DataFrame, Path]:
    """A table and its file."""
    readers: dict[str, Callable[[Path, pa.Schema], pd.DataFrame]]
    readers = {".parquet": _from_parquet, ".csv": _from_csv}
    file = next((f for s in readers if (f := folder / f"{stem}{s}").is_file()), None)
    if file is None:
        raise PackError(
            f"{folder}: a pack has {stem}.parquet or {stem}.csv beside {PROVENANCE_FILE}, and this "
            f"folder has neither: {_REMEDY}"
        )
    _require_published(file)
    try:
        frame = tables.conform(readers[file.suffix](file, fields), fields)
    except (pa.ArrowException, ValueError, TypeError, OSError) as error:
        why = str(error).splitlines()[0]
        raise PackError(f"{file}: cannot be read as a table ({why}): {_REMEDY}") from error
    for name in (field.name for field in fields if not field.nullable):
        if frame[name].isna().any():
            raise PackError(f"{file}: a value of column {name} is missing: {_REMEDY}")
    if (twice := frame.duplicated(list(keys))).any():
        named = ", ".join(frame.loc[twice, list(keys)].iloc[0])
        raise PackError(f"{file}: two rows are of {named}: {_REMEDY}")
    return frame, file


def _require_published(file: Path) -> None:
    """That a file is the one of which its pack has the digest, if it has one."""
    sums = file.with_name(SUMS_FILE)
    lines = (
        sums.read_text(encoding="utf-8", errors="replace").splitlines() if sums.is_file() else []
    )
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if file.name in digests and digests[file.name] != digest_file(file):
        raise PackError(f"{file}: is not the file of which {SUMS_FILE} has the digest: {_REMEDY}")


def _from_parquet(file: Path, fields: pa.Schema) -> pd.DataFrame:
    _require_columns(file, tables.column_names(file), fields)
    return tables.read(file, fields.names)


def _from_csv(file: Path, fields: pa.Schema) -> pd.DataFrame:
    """Texts as they are: a city may be called `null`, and only an empty cell is a missing value."""
    head = pd.read_csv(file, nrows=0, encoding="utf-8-sig")
    written = {as_written(str(name)): name for name in head.columns}
    for name, earlier in EARLIER_NAMES.items():
        if name in fields.names and name not in written and earlier in written:
            written[name] = written.pop(earlier)
    _require_columns(file, list(written), fields)
    types = {name: _csv_type(fields.field(name)) for name in fields.names}
    frame = pd.read_csv(
        file,
        usecols=[written[name] for name in fields.names],
        dtype={written[name]: kind for name, kind in types.items()},
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8-sig",
    ).rename(columns={old: name for name, old in written.items()})
    texts = [name for name, kind in types.items() if kind == "str"]
    return frame.assign(**{name: frame[name].map(as_written, na_action="ignore") for name in texts})


def _csv_type(field: pa.Field) -> str:
    if pa.types.is_string(field.type):
        return "str"
    if pa.types.is_boolean(field.type):
        return "boolean"
    return "Int64" if pa.types.is_integer(field.type) else "float64"


def _require_columns(file: Path, names: list[str], fields: pa.Schema) -> None:
    lacking = [name for name in fields.names if name not in names]
    if lacking:
        raise PackError(
            f"{file}: without the column {', '.join(lacking)}, which {file.stem} of this version "
            f"has: {_REMEDY}"
        )
