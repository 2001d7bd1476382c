"""Where each listed location of a city went, step by step, as the report prints it."""

import pandas as pd

from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.findings import Scalar
from streetineq_assets.images.tables import FOREIGN_FILES, LOCATIONS
from streetineq_assets.predictions.tables import LocationPredictionsRecord
from streetineq_assets.reports.reader import Reader
from streetineq_assets.study import Study

_Count = tuple[str, str, int]  # the step, what was counted, and how many


def account_of(
    reader: Reader, study: Study, city: str, shards: ShardsRecord | None
) -> list[dict[str, Scalar]]:
    """Rows `step, what, count` of a city, from listed locations to predicted ones.

    Args:
        shards: of the city; None where nothing is packed.
    """
    counts = [*_images(shards), *_areas(reader, city), *_predicted(reader, study, city)]
    return [
        {"step": step, "what": what.replace("_", " "), "count": count}
        for step, what, count in counts
    ]


def _images(shards: ShardsRecord | None) -> list[_Count]:
    """Listed locations: extracted, and without codes by reason."""
    if shards is None:
        return []
    counts = {"listed": shards.n_listed, "extracted": shards.n_extracted} | shards.without_codes
    return [("images", what, count) for what, count in counts.items()]


def _areas(reader: Reader, city: str) -> list[_Count]:
    """Listed locations with an area, without one by reason, and files that belong to none."""
    columns = ["status", "reason"]
    locations = reader.table("locations", city, "locations", LOCATIONS, columns)
    foreign = reader.table("street_images", city, "foreign_files", FOREIGN_FILES, ["reason"])
    rows: list[_Count] = []
    if len(locations):
        n_matched = int((locations["status"] == "matched").sum())
        rows.append(("areas", "matched to an LSOA", n_matched))
        rows += [("areas", reason, count) for reason, count in _counted(locations["reason"])]
    return rows + [("foreign files", reason, n) for reason, n in _counted(foreign["reason"])]


def _counted(reasons: pd.Series) -> list[tuple[str, int]]:
    counts = reasons.dropna().value_counts().sort_index()
    return [(str(reason), int(n)) for reason, n in counts.items()]


def _predicted(reader: Reader, study: Study, city: str) -> list[_Count]:
    """Most locations that any outcome of the city predicted, of those that are current."""
    whys = reader.history.evaluations
    pairs = [pair for pair in study.pairs if pair.city == city and not whys[pair]]
    manifests = [reader.manifest("location_predictions", pair.key) for pair in pairs]
    counts = [
        0 if manifest.unavailable else manifest.read_record(LocationPredictionsRecord).n_predicted
        for manifest in manifests
        if manifest
    ]
    return [("predictions", "predicted out of fold", max(counts))] if counts else []
