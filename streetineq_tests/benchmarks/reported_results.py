"""Results of an invented city, as the steps from shards to the matrix of evidence publish them.

Areas are ranked, put into intervals and audited by the platform's own functions; what these need is
invented in `reported_values`, and metrics with their intervals in `reported_metrics`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from streetineq_assets.audit.data_audit import read_audit_sources, write_audit
from streetineq_assets.codes.shown_pictures import read_licences, show_pictures
from streetineq_assets.codes.tables import IMAGE_REPEATS, ShardsRecord
from streetineq_assets.evidence import equity
from streetineq_assets.evidence.plots import plot_fold_maps
from streetineq_assets.evidence.tables import EQUITY, SCHEME_SCORES
from streetineq_assets.evidence.tables import SchemeRecord as TrainedSchemeRecord
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.models.tables import BASELINES, CENTROIDS, HISTORY, JOINT_SCORES
from streetineq_assets.models.training_plan import resolve_profile
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.exemplars import choose_exemplars
from streetineq_assets.predictions.explanations import explain
from streetineq_assets.predictions.places import pair_values, read_places
from streetineq_assets.predictions.ranked_areas import RankedAreas, rank_areas
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty
from streetineq_tests import studies
from streetineq_tests.benchmarks import reported_metrics
from streetineq_tests.benchmarks.loaded_study import identity
from streetineq_tests.benchmarks.recipes import recipe_of, steps_of
from streetineq_tests.benchmarks.reported_values import CityValues
from streetineq_tests.harness import Tables, writer

WIDTH = 4096
_SCHEME, _EPOCHS, _SEEDS = "area", 30, 3
_WITHOUT_CODES = 500  # of so many locations one has an image that cannot be read
_NO_GROUPS = pd.DataFrame(columns=["area", "grouping", "group"])

Write = Callable[[Path], Findings]


@dataclass(frozen=True)
class _Pair:
    """What is predicted of an outcome: at locations, of areas, and beside the networks."""

    predicted: pd.DataFrame
    ranked: RankedAreas
    baselines: pd.DataFrame


class CityOfResults:
    """Publishes the results of one city, each made of what stands before it."""

    def __init__(self, store: DataStore, study: Study, values: CityValues) -> None:
        self._store, self._study, self._values = store, study, values
        self._city = values.key
        self._pairs: dict[str, _Pair] = {}
        self._metrics: dict[str, pd.DataFrame] = {}
        self._n_lsoas: dict[str, int] = {}

    def publish(self) -> dict[str, int]:
        """All steps in order; outcome to the number of its predicted areas."""
        standing = Standing(self._store, self._study)
        for step in steps_of(self._study, self._city):
            recipe = recipe_of(standing, *step)
            config = recipe.config | self._settings(step.asset)
            write = getattr(self, f"_{step.asset}")(step.key.partition("/")[2])
            recipe = recipe.model_copy(update={"config": config})
            self._store.publish(step.asset, step.key, recipe, write)
        return self._n_lsoas

    def _settings(self, asset: str) -> dict[str, object]:
        """What the asset's recipe holds of study.toml and the report tells."""
        study, seed = self._study, {"seed": self._study.seed}
        rule = {"rule": study.aggregation}
        ranking = {"level": study.intervals.level, "areas": study.areas.model_dump()}
        profile = resolve_profile(study, None, {}).fields.model_dump()
        trained = seed | {"profile": profile, "seeds": _SEEDS, "in_memory": True}
        return {
            "trained_model": trained,
            "baseline_scores": seed | {"validation_share": 0.1},
            "lsoa_predictions": rule | ranking,
            "lsoa_evaluation": rule | seed | {"scheme": _SCHEME},
            "joint_evaluation": rule | ranking | seed,
            "equity_audit": seed,
            "evidence_matrix": seed | {"schemes": list(study.evidence.schemes)},
        }.get(asset, {})

    # -- what is predicted of which areas ----------------------------------------------------------

    @cached_property
    def _locations(self) -> pd.DataFrame:
        """`location_id, area, weight, fold` of the locations with an area and codes."""
        columns = ["location_id", "area", "weight", "status"]
        listed = self._store.open("locations", self._city).table(columns=columns)
        with_codes = np.arange(len(listed)) % _WITHOUT_CODES != 0
        known = listed[with_codes & (listed["status"] == "matched")].drop(columns="status")
        folds = self._folds("area_folds").set_index("area")["fold"]
        return known.assign(fold=known["area"].map(folds)).reset_index(drop=True)

    def _folds(self, name: str) -> pd.DataFrame:
        return self._store.open("area_folds", self._city).table(f"{name}.parquet")

    @cached_property
    def _centroids(self) -> pd.DataFrame:
        table = self._store.open("area_folds", self._city).table("centroids.parquet")
        return table[CENTROIDS.names]

    @cached_property
    def _places(self) -> pd.DataFrame:
        return read_places(self._store, self._city)

    def _pair(self, outcome: str) -> _Pair:
        """Kept until the next is asked for."""
        if outcome not in self._pairs:
            self._pairs = {outcome: self._predict(outcome)}
        return self._pairs[outcome]

    def _predict(self, outcome: str) -> _Pair:
        labels = self._values.labels(outcome).set_index("area")["decile"]
        known = self._locations.assign(actual_decile=self._locations["area"].map(labels))
        predicted = self._values.predicted_locations(outcome, known)
        ranked = rank_areas(
            predicted,
            rule=self._study.aggregation,
            settings=self._study.areas,
            level=self._study.intervals.level,
            scheme=_SCHEME,
        )
        return _Pair(predicted, ranked, self._values.baselines(outcome, ranked.areas))

    # -- steps, by the names of their assets -------------------------------------------------------

    def _hdf5_shards(self, _: str) -> Write:
        n = len(self._store.open("locations", self._city).table(columns=["location_id"]))
        n_missing = -(-n // _WITHOUT_CODES)
        record = ShardsRecord(
            n_listed=n, n_extracted=n - n_missing, n_rejected=0, n_missing=n_missing,
            without_codes={"missing": n_missing}, encoder=identity(self._study, WIDTH),
            synthetic=True, dtype="float16",
        )  # fmt: skip
        rows = self._locations[["location_id"]]

        def write(folder: Path) -> Findings:
            rows.to_parquet(folder / "rows.parquet", index=False)
            return Findings(record=record)

        return write

    def _image_repeats(self, _: str) -> Write:
        return writer({"image_repeats": (empty(IMAGE_REPEATS), IMAGE_REPEATS)})

    def _joint_model(self, _: str) -> Write:
        return writer({"joint_model": (empty(JOINT_SCORES), JOINT_SCORES)})

    def _trained_model(self, outcome: str) -> Write:
        record = studies.training_record(
            self._city,
            encoder=identity(self._study, WIDTH),
            synthetic=True,
            n_locations=len(self._locations),
            n_lsoas=self._locations["area"].nunique(),
        )
        history = _history(self._values.rng(outcome, 3))
        return writer({"history": (history, HISTORY)}, Findings(record=record))

    def _baseline_scores(self, outcome: str) -> Write:
        return writer({"baseline_scores": (self._pair(outcome).baselines, BASELINES)})

    def _location_predictions(self, outcome: str) -> Write:
        predicted = self._pair(outcome).predicted
        record = tables.LocationPredictionsRecord(n_predicted=len(predicted), scheme=_SCHEME)
        content = {"location_predictions": (predicted, tables.LOCATION_PREDICTIONS)}
        return writer(content, Findings(record=record))

    def _explanations(self, outcome: str) -> Write:
        """Of views at random, since no code is there; of locations as the platform does."""
        predicted = self._pair(outcome).predicted
        random = self._values.rng(outcome, 5).normal(0, 0.3, (len(predicted), len(VIEWS)))
        scores = predicted["h"].to_numpy(np.float32)[:, None] - random.astype(np.float32)
        explained = explain(predicted, np.column_stack([predicted["h"], scores]))
        chosen = choose_exemplars(explained)
        licences = read_licences(self._store, self._city)
        shown = show_pictures(chosen, licences, self._study.rights, None)
        content = {
            "explanations": (explained, tables.EXPLANATIONS),
            "exemplars": (conform(shown, tables.EXEMPLARS), tables.EXEMPLARS),
        }
        return writer(content)

    def _lsoa_predictions(self, outcome: str) -> Write:
        ranked = self._pair(outcome).ranked
        self._n_lsoas[outcome] = len(ranked.areas)
        content = {
            "lsoa_predictions": (ranked.areas, tables.LSOA_PREDICTIONS),
            "calibration": (ranked.calibration, tables.CALIBRATION),
        }
        record = tables.SchemeRecord(scheme=_SCHEME)
        return writer(content, Findings(values=ranked.values, record=record))

    def _lsoa_evaluation(self, outcome: str) -> Write:
        pair = self._pair(outcome)
        content = reported_metrics.evaluation(pair.ranked.areas, pair.baselines)
        self._metrics[outcome] = content["metrics"][0]
        return writer(content, Findings(record=tables.SchemeRecord(scheme=_SCHEME)))

    def _equity_audit(self, outcome: str) -> Write:
        values = pair_values(self._store, Pair(self._city, outcome))
        areas = equity.gather(values, self._pair(outcome).ranked.areas, self._places)
        found = equity.audit(areas, _NO_GROUPS, seed=self._study.seed)
        table = found.assign(city=self._city, outcome=outcome)
        return writer({"equity_audit": (table, EQUITY)})

    def _joint_evaluation(self, _: str) -> Write:
        metrics = reported_metrics.of_joint_networks(pd.concat(self._metrics.values()))
        return writer({"joint_evaluation": (metrics, tables.METRICS)})

    def _data_audit(self, _: str) -> Write:
        with duckdb.connect() as connection:
            sources = read_audit_sources(connection, self._store, self._study, self._city)
        return lambda folder: write_audit(sources, folder)

    def _scheme_scores(self, _: str) -> Write:
        outcomes = self._study.cities[self._city].outcomes
        record = TrainedSchemeRecord(outcomes=outcomes, n_seeds=_SEEDS, synthetic=True)
        content = {"scheme_scores": (empty(SCHEME_SCORES), SCHEME_SCORES)}
        return writer(content, Findings(record=record))

    def _evidence_matrix(self, _: str) -> Write:
        outcomes, n = self._study.cities[self._city].outcomes, len(self._centroids)
        content: Tables = reported_metrics.evidence(self._city, outcomes, n)
        district = pd.factorize(self._centroids["authority"])[0] % self._study.folds.k
        of_scheme = {
            "area": self._folds("area_folds"),
            "spatial_block": self._folds("spatial_area_folds"),
            "district": self._centroids[["area"]].assign(fold=district),
        }
        placed = {name: self._centroids.merge(folds) for name, folds in of_scheme.items()}

        def write(folder: Path) -> Findings:
            plot_fold_maps(placed, folder / "folds.png", subject=self._city)
            return writer(content)(folder)

        return write


def _history(rng: np.random.Generator) -> pd.DataFrame:
    """Losses that fall and level off, of five folds."""
    epochs = [(fold, epoch) for fold in range(5) for epoch in range(1, _EPOCHS + 1)]
    frame = pd.DataFrame(epochs, columns=["fold", "epoch"])
    falling = 1.7 + 0.6 * np.exp(-frame["epoch"] / 8)
    noise = rng.normal(0, 0.01, (2, len(frame)))
    return frame.assign(
        loss=falling + noise[0],
        val_loss=falling + 0.08 + noise[1],
        val_mae=falling,
        learning_rate=3e-4,
        seconds=2.0,
        wait_seconds=0.0,
    )
