"""What the report shows, read from what is published.

A city or pair whose artefacts are absent is listed with the reason and stops nothing. A result that
was made of something else than stands before it is marked, and kept out of what compares pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from streetineq_assets import tables
from streetineq_assets.audit.data_audit import AUDIT_FILES
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.evidence.city_evidence import FILES as EVIDENCE_FILES
from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.findings import Scalar, Unavailable
from streetineq_assets.images.tables import LOCATIONS
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.block_sizes import uneven_blocks
from streetineq_assets.models.fold_table import SPATIAL_STEM
from streetineq_assets.models.tables import AREA_FOLDS, HISTORY, TrainingRecord
from streetineq_assets.predictions.evaluation import NETWORK, metric_value
from streetineq_assets.predictions.tables import (
    COMPARISONS,
    CONFUSION,
    COVERAGE,
    EXEMPLARS,
    EXPLANATIONS,
    LSOA_PREDICTIONS,
    METRICS,
)
from streetineq_assets.reports.account import account_of
from streetineq_assets.reports.history import Disagreements, History, read_history
from streetineq_assets.reports.reader import Reader
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.transfer.tables import CURVE_SUMMARY, TRANSFER_COMPARISONS

SHARED = ("postcode_lsoa", "lsoa_labels")
OF_CITIES = (
    "street_images",
    "locations",
    "hdf5_shards",
    "joint_evaluation",
    "data_audit",
    "evidence_matrix",
)
OF_PAIRS = (
    "trained_model",
    "location_predictions",
    "lsoa_predictions",
    "explanations",
    "lsoa_evaluation",
    "equity_audit",
)
TRANSFER = "transfer_report"
NOT_MADE = "not made yet"
NOT_MEASURED = "evaluated without any metric: no area has an official decile"
_CENTROID = ["area", "lat", "lon"]
_FILES = {"data_audit": AUDIT_FILES, "evidence_matrix": EVIDENCE_FILES}
_LOSSES = ["fold", "epoch", "loss", "val_loss"]


@dataclass(frozen=True)
class CityResults:
    """What is published of one city.

    Attributes:
        key, title: of the city.
        account: rows `step, what, count`, from listed locations to predicted ones.
        encoder: what made the codes; None where there are no shards.
        audit: the tables of `AUDIT_FILES` by name; none where they are not of what stands now.
        evidence: the same of the evidence matrix, by the names of its files.
        fold_maps: picture of where its folds lie; None without one.
        disagreements: why the steps of the account do not count the same locations.
    """

    key: str
    title: str
    account: list[dict[str, Scalar]]
    encoder: EncoderIdentity | None
    audit: Mapping[str, pd.DataFrame]
    evidence: Mapping[str, pd.DataFrame]
    fold_maps: Path | None = None
    disagreements: Disagreements = ()


@dataclass(frozen=True)
class PairResults:
    """What is published of one city and outcome.

    Attributes:
        city_title, outcome_title: as the report prints them.
        is_evaluated: whether `lsoa_evaluation` is published.
        unavailable: why it is empty, if it is.
        areas, metrics, comparisons, confusion, coverage: the published tables, empty where there
            are none. The metrics of separate networks are followed by those of the joint one.
        equity: the audit of errors by group, where it is of what stands now.
        explanations, exemplars: what pushes scores, likewise.
        history: `fold, epoch, loss, val_loss` of the training.
        training: what its networks are; None where there are none.
        made_with: settings, name to value, as `history` tells them.
        disagreements: where it was made of something else than stands before it.
        uneven_blocks: areas in each fold of the spatial blocks, where these are too uneven.
    """

    pair: Pair
    city_title: str
    outcome_title: str
    is_evaluated: bool
    unavailable: Unavailable | None
    areas: pd.DataFrame
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    confusion: pd.DataFrame
    coverage: pd.DataFrame
    equity: pd.DataFrame
    explanations: pd.DataFrame
    exemplars: pd.DataFrame
    history: pd.DataFrame
    training: TrainingRecord | None
    made_with: Mapping[str, str]
    disagreements: Disagreements = ()
    uneven_blocks: Sequence[int] = ()

    @property
    def status(self) -> str:
        """`available`, `unavailable` (a file is absent), `not made yet`, or without any metric."""
        if not self.is_evaluated:
            return NOT_MADE
        if self.unavailable:
            return "unavailable"
        return "available" if len(self.metrics) else NOT_MEASURED

    @property
    def is_modelled(self) -> bool:
        """Whether its labels are themselves a model's."""
        return OUTCOMES[self.pair.outcome].modelled

    @property
    def why_absent(self) -> str:
        """Why there is nothing to show."""
        return f"{self.status}: {self.unavailable}" if self.unavailable else self.status

    @property
    def has_results(self) -> bool:
        """Whether there is anything to show."""
        return self.status == "available"

    @property
    def is_current(self) -> bool:
        """Whether there are results of what stands now, which may be compared with others."""
        return self.has_results and not self.disagreements

    @property
    def scheme(self) -> str:
        """How areas were split into the folds of the networks; empty without any."""
        schemes = self.metrics.loc[self.metrics["model"] == NETWORK, "scheme"]
        return str(schemes.iloc[0]) if len(schemes) else ""

    def value(self, metric: str, model: str, scheme: str | None = None) -> float:
        """One metric of one model, by default on the networks' folds; NaN where there is none."""
        return metric_value(self.metrics, metric, model, scheme or self.scheme)


@dataclass(frozen=True)
class StudyResults:
    """All cities and pairs of the study, in its order, and where areas lie.

    Attributes:
        centroids: `area, lat, lon` (WGS84, degrees): the mean of the area's located images, which
            stands in where there are no boundaries.
        postcodes: `postcode, city, area` of the study's cities, of the whole directory.
        versions: library to its versions, of those that shaped the results.
        transfer: `transfer.tables.CURVE_SUMMARY`; without rows where nothing was tuned.
        transfer_comparisons: `transfer.tables.TRANSFER_COMPARISONS`, likewise.
        history: how it came about.
        outdated: labels of the artefacts that are left out, since an earlier version made them with
            other columns.
    """

    cities: list[CityResults]
    pairs: list[PairResults]
    centroids: pd.DataFrame
    postcodes: pd.DataFrame
    versions: dict[str, str]
    transfer: pd.DataFrame
    transfer_comparisons: pd.DataFrame
    history: History
    outdated: list[str]

    @property
    def current(self) -> list[PairResults]:
        """The pairs that may be compared: with results, and made of what stands before them."""
        return [each for each in self.pairs if each.is_current]

    @property
    def areas(self) -> pd.DataFrame:
        """The predictions of `current` in one table (`predictions.tables.LSOA_PREDICTIONS`)."""
        return self.stacked("areas", LSOA_PREDICTIONS)

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics of `current` in one table (`predictions.tables.METRICS`)."""
        return self.stacked("metrics", METRICS)

    def stacked(self, name: str, schema: pa.Schema) -> pd.DataFrame:
        """The tables of `current` of one name, an attribute of `PairResults`, in one."""
        full = [table for each in self.current if len(table := getattr(each, name))]
        return pd.concat(full, ignore_index=True) if full else tables.empty(schema)


def read_results(store: DataStore, study: Study, history: History | None = None) -> StudyResults:
    """Read what is published; each artefact that is read is verified against its manifest.

    Args:
        history: of the store as it stands, where it was read before.

    Raises:
        StoreError: an artefact's files no longer match its manifest, or an earlier version did not
            record what is shown of it.
    """
    reader = Reader(store, history or read_history(store, study))
    pairs = [_read_pair(reader, study, pair) for pair in study.pairs]
    cities = [_read_city(reader, study, city) for city in study.by_weight]
    return StudyResults(
        cities=cities,
        pairs=pairs,
        centroids=_centroids(reader, study),
        postcodes=reader.postcodes(list(study.cities)),
        versions={name: " and ".join(sorted(found)) for name, found in reader.versions.items()},
        transfer=_transfer(reader, study, "transfer_summary", CURVE_SUMMARY),
        transfer_comparisons=_transfer(reader, study, "transfer_comparisons", TRANSFER_COMPARISONS),
        history=reader.history,
        outdated=sorted(reader.outdated),
    )


def digests(store: DataStore, study: Study) -> dict[str, str]:
    """Artefact to digest, of all that `read_results` would read now."""
    wanted = [(asset, city) for asset in OF_CITIES for city in study.by_weight]
    wanted += [(asset, pair.key) for asset in OF_PAIRS for pair in study.pairs]
    manifests = {f"{asset}/{key}": store.manifest(asset, key) for asset, key in wanted}
    manifests |= {asset: store.manifest(asset) for asset in (*SHARED, TRANSFER)}
    return {name: manifest.digest for name, manifest in manifests.items() if manifest}


# -- pairs -----------------------------------------------------------------------------------------


def _read_pair(reader: Reader, study: Study, pair: Pair) -> PairResults:
    evaluated = reader.manifest("lsoa_evaluation", pair.key)
    trained = reader.manifest("trained_model", pair.key)
    training = _training(trained)
    metrics = reader.table("lsoa_evaluation", pair.key, "metrics", METRICS)
    if training and not training.joint:
        metrics = pd.concat([metrics, _joint(reader, pair)], ignore_index=True)
    return PairResults(
        pair=pair,
        city_title=study.cities[pair.city].title,
        outcome_title=OUTCOMES[pair.outcome].title,
        is_evaluated=evaluated is not None,
        unavailable=evaluated.unavailable if evaluated else None,
        areas=reader.table("lsoa_predictions", pair.key, "lsoa_predictions", LSOA_PREDICTIONS),
        metrics=metrics,
        comparisons=reader.table("lsoa_evaluation", pair.key, "comparisons", COMPARISONS),
        confusion=reader.table("lsoa_evaluation", pair.key, "confusion", CONFUSION),
        coverage=reader.table("lsoa_evaluation", pair.key, "coverage", COVERAGE),
        equity=tables.empty(EQUITY)
        if reader.history.equity[pair]
        else reader.table("equity_audit", pair.key, "equity_audit", EQUITY),
        **_explanations(reader, pair),
        history=reader.table("trained_model", pair.key, "history", HISTORY, _LOSSES),
        training=training,
        made_with=reader.history.made_with[pair],
        disagreements=reader.history.evaluations[pair],
        uneven_blocks=_uneven_blocks(reader, pair.city),
    )


def _explanations(reader: Reader, pair: Pair) -> dict[str, pd.DataFrame]:
    """The tables of what pushes scores; empty where they are not of what stands now."""
    schemas = {"explanations": EXPLANATIONS, "exemplars": EXEMPLARS}
    if reader.history.explanations[pair]:
        return {name: tables.empty(schema) for name, schema in schemas.items()}
    return {
        name: reader.table("explanations", pair.key, name, schema)
        for name, schema in schemas.items()
    }


def _training(trained: Manifest | None) -> TrainingRecord | None:
    if trained is None or trained.unavailable:
        return None
    return trained.read_record(TrainingRecord)


def _joint(reader: Reader, pair: Pair) -> pd.DataFrame:
    """The metrics of the city's joint networks, where they compare: current, and by one rule."""
    joint = reader.manifest("joint_evaluation", pair.city)
    own = reader.manifest("lsoa_evaluation", pair.key)
    if not joint or not own or reader.history.joint[pair.city]:
        return tables.empty(METRICS)
    if joint.recipe.config.get("rule") != own.recipe.config.get("rule"):
        return tables.empty(METRICS)
    metrics = reader.table("joint_evaluation", pair.city, "joint_evaluation", METRICS)
    return metrics[metrics["outcome"] == pair.outcome]


def _uneven_blocks(reader: Reader, city: str) -> list[int]:
    """Sizes of the folds of the city's spatial blocks, of the networks or else of baselines."""
    for stem in ("", SPATIAL_STEM):
        folds = reader.table("area_folds", city, f"{stem}area_folds", AREA_FOLDS)
        if sizes := uneven_blocks(folds):
            return sizes
    return []


# -- cities ----------------------------------------------------------------------------------------


def _read_city(reader: Reader, study: Study, city: str) -> CityResults:
    manifest, shards = reader.manifest("hdf5_shards", city), None
    if manifest and not manifest.unavailable:
        shards = manifest.read_record(ShardsRecord)
    title, encoder = study.cities[city].title, shards.encoder if shards else None
    has_evidence = not reader.history.evidence[city]
    return CityResults(
        key=city,
        title=title,
        account=account_of(reader, study, city, shards),
        encoder=encoder,
        audit={} if reader.history.audits[city] else _tables(reader, "data_audit", city),
        evidence=_tables(reader, "evidence_matrix", city) if has_evidence else {},
        fold_maps=reader.file("evidence_matrix", city, "folds.png") if has_evidence else None,
        disagreements=reader.history.shards[city],
    )


def _tables(reader: Reader, asset: str, city: str) -> dict[str, pd.DataFrame]:
    """The tables of one of a city's artefacts, by their files' names."""
    return {name: reader.table(asset, city, name, f) for name, f in _FILES[asset].items()}


def _centroids(reader: Reader, study: Study) -> pd.DataFrame:
    frames = [
        reader.table("locations", city, "locations", LOCATIONS, _CENTROID)
        for city in study.by_weight
    ]
    located = pd.concat(frames).dropna()
    located = located.astype({"area": "str", "lat": "float64", "lon": "float64"})
    return located.groupby("area", as_index=False)[["lat", "lon"]].mean()


def _transfer(reader: Reader, study: Study, name: str, schema: pa.Schema) -> pd.DataFrame:
    """The rows of the study's pairs whose tuned and own networks are current.

    A table of several pairs may be older than study.toml.
    """
    history = reader.history
    table = reader.table(TRANSFER, None, name, schema)
    if history.transfer:
        return table.head(0)
    left_out = {p for whys in (history.tuned, history.evaluations) for p in whys if whys[p]}
    shown = set(study.pairs) - left_out
    pairs = map(Pair, table["city"], table["outcome"])
    kept = pd.Series([pair in shown for pair in pairs], table.index, dtype="bool")
    return table[kept].reset_index(drop=True)
