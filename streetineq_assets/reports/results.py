"""Everything that the report rests on, gathered from what is published.

What belongs here: which artefacts are read, and what is said of those that are absent. What does
not: calculating anything anew, and how it is shown. A city or pair whose artefacts are not there is
listed with its reason; it stops nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from streetineq_assets import tables
from streetineq_assets.findings import Findings, Scalar
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.manifests import Manifest
from streetineq_assets.predictions.tables import (
    COMPARISONS,
    CONFUSION,
    COVERAGE,
    LSOA_PREDICTIONS,
    METRICS,
    LocationPredictionsRecord,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.transfer.tables import CURVE_SUMMARY

NOT_MADE = "not made yet"
OF_CITIES = ("street_images", "locations", "hdf5_shards", "joint_evaluation")
OF_PAIRS = ("trained_model", "location_predictions", "lsoa_predictions", "lsoa_evaluation")
TRANSFER = "transfer_report"
_HISTORY = ["fold", "epoch", "loss", "val_loss", "val_mae", "learning_rate"]


@dataclass(frozen=True)
class CityEvidence:
    """What is known of one city.

    Attributes:
        key, title: of the city.
        account: rows `step, what, count` from listed locations to predicted ones.
        encoder: what made the codes: backbone, layer, weights, preprocessing.
    """

    key: str
    title: str
    account: list[dict[str, Scalar]]
    encoder: dict[str, Scalar]


@dataclass(frozen=True)
class PairEvidence:
    """What is known of one city and outcome.

    Attributes:
        place: the city's title.
        title: the outcome's.
        status: `available`, `unavailable` (no official file) or `not made yet`.
        wanted: the official file that an unavailable pair wants, and why it does.
        areas, metrics, comparisons, confusion, coverage: the published tables, empty where there
            are none. With the separate networks' metrics stand those of the joint one.
        history: the training's loss by fold and epoch.
        profile: name of the training's profile, empty before it was trained.
        training: settings of the training, as its manifest has them.
    """

    city: str
    outcome: str
    place: str
    title: str
    status: str
    wanted: str
    areas: pd.DataFrame
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    confusion: pd.DataFrame
    coverage: pd.DataFrame
    history: pd.DataFrame
    profile: str
    training: dict[str, Any]

    @property
    def key(self) -> str:
        """`<city>/<outcome>`, the partition."""
        return f"{self.city}/{self.outcome}"

    @property
    def has_results(self) -> bool:
        """Whether there is anything to show."""
        return self.status == "available" and len(self.metrics) > 0


@dataclass(frozen=True)
class Evidence:
    """All cities and pairs of the study, in its order, and where areas lie.

    Attributes:
        positions: `lsoa11, lat, lon`: mean of the area's located images.
        versions: library to version, of those that shaped the results.
        transfer: `transfer.tables.CURVE_SUMMARY`; empty where no networks were tuned.
    """

    cities: list[CityEvidence]
    pairs: list[PairEvidence]
    positions: pd.DataFrame
    versions: dict[str, str]
    transfer: pd.DataFrame

    @property
    def areas(self) -> pd.DataFrame:
        """The predictions of all pairs in one table."""
        frames = [pair.areas for pair in self.pairs if len(pair.areas)]
        return pd.concat(frames, ignore_index=True) if frames else tables.empty(LSOA_PREDICTIONS)

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics of all pairs in one table."""
        frames = [pair.metrics for pair in self.pairs if len(pair.metrics)]
        return pd.concat(frames, ignore_index=True) if frames else tables.empty(METRICS)


def gather(store: DataStore, study: Study) -> Evidence:
    """Read what is published; each artefact that is read is verified against its manifest.

    Raises:
        StoreError: an artefact's files no longer match its manifest.
    """
    reader = _Reader(store)
    pairs = [_pair(reader, study, city, outcome) for city, outcome in study.pairs]
    counts = _predicted_locations(reader, study)
    cities = [
        _city(reader, key, study.cities[key].title, counts.get(key)) for key in study.by_weight
    ]
    transfer = reader.table(TRANSFER, None, "transfer_summary", lambda: tables.empty(CURVE_SUMMARY))
    return Evidence(cities, pairs, _positions(reader, study), reader.versions, transfer)


def digests(store: DataStore, study: Study) -> dict[str, str]:
    """Artefact to digest, of all that `gather` would read now."""
    wanted = [(asset, city) for asset in OF_CITIES for city in study.by_weight]
    wanted += [(asset, f"{city}/{outcome}") for asset in OF_PAIRS for city, outcome in study.pairs]
    found = {f"{asset}/{key}": store.manifest(asset, key) for asset, key in wanted}
    found[TRANSFER] = store.manifest(TRANSFER)
    return {name: manifest.digest for name, manifest in found.items() if manifest}


class _Reader:
    """Opens artefacts that may be absent, and remembers which libraries made them."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self.versions: dict[str, str] = {}

    def manifest(self, asset: str, partition: str | None) -> Manifest | None:
        """The manifest of an artefact, None when it is not published."""
        found = self._store.manifest(asset, partition)
        if found:
            self.versions |= found.library_versions
        return found

    def findings(self, asset: str, partition: str | None) -> Findings:
        """What an artefact says of itself; nothing when it is not published."""
        found = self.manifest(asset, partition)
        return Findings.from_summary(found.summary) if found else Findings()

    def table(
        self,
        asset: str,
        partition: str | None,
        name: str,
        empty: Callable[[], pd.DataFrame],
        columns: list[str] | None = None,
    ) -> pd.DataFrame:
        """A table of an artefact, or an empty one when it is not published."""
        found = self.manifest(asset, partition)
        if found is None or f"{name}.parquet" not in found.files:
            return empty()
        return self._store.open(asset, partition).table(f"{name}.parquet", columns)


def _pair(reader: _Reader, study: Study, city: str, outcome: str) -> PairEvidence:
    key = f"{city}/{outcome}"
    evaluated = reader.manifest("lsoa_evaluation", key)
    why = evaluated.unavailable if evaluated else None
    trained = reader.manifest("trained_model", key)
    evaluation = {
        name: reader.table("lsoa_evaluation", key, name, lambda s=schema: tables.empty(s))
        for name, schema in (
            ("metrics", METRICS),
            ("comparisons", COMPARISONS),
            ("confusion", CONFUSION),
            ("coverage", COVERAGE),
        )
    }
    if not study.training.joint:
        together = _joint_metrics(reader, city, outcome)
        evaluation["metrics"] = pd.concat([evaluation["metrics"], together], ignore_index=True)
    return PairEvidence(
        city=city,
        outcome=outcome,
        place=study.cities[city].title,
        title=OUTCOMES[outcome].title,
        status=("unavailable" if why else "available") if evaluated else NOT_MADE,
        wanted=f"{why.wanted}; {why.reason}" if why else "",
        areas=reader.table(
            "lsoa_predictions", key, "lsoa_predictions", lambda: tables.empty(LSOA_PREDICTIONS)
        ),
        history=reader.table(
            "trained_model", key, "history", lambda: pd.DataFrame(columns=_HISTORY)
        ),
        profile=str(reader.findings("trained_model", key).values.get("profile") or ""),
        training=dict(trained.recipe.config) if trained else {},
        **evaluation,
    )


def _joint_metrics(reader: _Reader, city: str, outcome: str) -> pd.DataFrame:
    table = reader.table(
        "joint_evaluation", city, "joint_evaluation", lambda: tables.empty(METRICS)
    )
    return table[table["outcome"] == outcome]


def _city(reader: _Reader, key: str, title: str, predicted: int | None) -> CityEvidence:
    shards = reader.findings("hdf5_shards", key)
    named = ("backbone", "layer", "weights", "weights_sha256", "preprocessing")
    encoder = {name: shards.values[name] for name in named if name in shards.values}
    return CityEvidence(key, title, _account(reader, key, shards, predicted), encoder)


def _account(
    reader: _Reader, city: str, shards: Findings, predicted: int | None
) -> list[dict[str, Scalar]]:
    """Where each listed location went: listed = extracted + rejected (by reason) + missing."""
    columns = ["location_id", "status", "reason"]
    places = reader.table("locations", city, "locations", pd.DataFrame, columns)
    foreign = reader.table("street_images", city, "foreign_files", pd.DataFrame)
    rows = [("images", name, shards.values.get(name)) for name in ("listed", "extracted")]
    rows += [
        ("images", str(row["reason"]), row["locations"])
        for row in shards.tables.get("without_codes", [])
    ]
    if len(places):
        rows.append(("areas", "matched to an LSOA", int((places["status"] == "matched").sum())))
        rows += [("areas", reason, n) for reason, n in _counted(places, "reason")]
    rows += [("foreign files", reason, n) for reason, n in _counted(foreign, "reason")]
    rows.append(("predictions", "predicted out of fold", predicted))
    return [
        {"step": step, "what": what.replace("_", " "), "count": count}
        for step, what, count in rows
        if count is not None
    ]


def _counted(frame: pd.DataFrame, column: str) -> list[tuple[str, int]]:
    if column not in frame:
        return []
    counts = frame[column].dropna().value_counts().sort_index()
    return [(str(name), int(n)) for name, n in counts.items()]


def _predicted_locations(reader: _Reader, study: Study) -> dict[str, int]:
    """Most locations that any outcome of the city predicted."""
    found: dict[str, int] = {}
    for city, outcome in study.pairs:
        manifest = reader.manifest("location_predictions", f"{city}/{outcome}")
        if manifest:
            n = manifest.read_record(LocationPredictionsRecord).n_predicted
            found[city] = max(found.get(city, 0), n)
    return found


def _positions(reader: _Reader, study: Study) -> pd.DataFrame:
    """Where areas lie when there are no boundaries: the mean of their located images."""
    columns = ["lsoa11", "lat", "lon"]
    frames = [
        reader.table("locations", city, "locations", lambda: pd.DataFrame(columns=columns), columns)
        for city in study.by_weight
    ]
    placed = pd.concat(frames).dropna()
    placed = placed.astype({"lsoa11": "str", "lat": "float64", "lon": "float64"})
    return placed.groupby("lsoa11", as_index=False)[["lat", "lon"]].mean()
