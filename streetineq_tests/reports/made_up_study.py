"""A study of two towns whose predictions and evaluations are published, all of it made up.

Alpha has 60 areas, Beta 12; mean income has no labels, since its official file is absent. The
tables follow the schemas of the steps that publish them; no metric was calculated. In Alpha the
network is ahead of every baseline, in Beta coordinates alone match it. Recipes name the settings,
and what each step of a pair read of the steps before.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from streetineq_assets import tables
from streetineq_assets.findings import Findings
from streetineq_assets.images.tables import LOCATIONS
from streetineq_assets.labels.tables import LSOA_LABELS
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.tables import AREA_FOLDS, BASELINES, HISTORY
from streetineq_assets.predictions import tables as predictions
from streetineq_assets.predictions.aggregation import RULES
from streetineq_assets.reports.comparison import METRIC_TITLES
from streetineq_assets.reports.tables import WAREHOUSE_VIEWS
from streetineq_assets.store import DataStore
from streetineq_tests import studies
from streetineq_tests.harness import Tables, publish_again, writer

CONFIG = {
    "lsoa_labels": {"editions": ["2011", "2015"]},
    "locations": {"date": "2017-08-01"},
    "area_folds": {"folds": {"scheme": "area", "k": 5, "block_km": 5.0, "buffer_km": 1.0}},
    "trained_model": {"seed": 7, "profile": {"learning_rate": 0.001}, "in_memory": True},
    "baseline_scores": {"seed": 7, "validation_share": 0.1},
    "lsoa_predictions": {"rule": "mean_score"},
    "lsoa_evaluation": {"seed": 7, "rule": "mean_score", "scheme": "area"},
    "joint_evaluation": {"seed": 7, "rule": "mean_score"},
}
READS = {
    "trained_model": (),
    "baseline_scores": ("trained_model",),
    "location_predictions": ("trained_model",),
    "lsoa_predictions": ("location_predictions",),
    "lsoa_evaluation": ("lsoa_predictions", "location_predictions", "baseline_scores"),
}
KAPPAS = {
    "alpha": {"network": 0.8, "ridge": 0.6, "map_knn": 0.5, "constant": float("nan")},
    "beta": {"network": 0.4, "ridge": 0.3, "map_knn": 0.4, "constant": float("nan")},
}
IN_BLOCKS = 0.3  # of coordinates alone


def write(root: Path, n_lsoas: Mapping[str, int] = studies.N_LSOAS) -> DataStore:
    """The study file, and what the report and the warehouse read; no images and no codes.

    Args:
        n_lsoas: areas of Alpha and of Beta.
    """
    store = studies.new_study(root, studies.SIMULATED)
    areas = {city: _areas(city, n) for city, n in n_lsoas.items()}
    labels = studies.crime_labels(pd.concat([each.assign(city=c) for c, each in areas.items()]))
    publish(store, "lsoa_labels", None, {"lsoa_labels": (labels, LSOA_LABELS)})
    nothing = Findings(unavailable=studies.WITHOUT_INCOME)
    for city, frame in areas.items():
        publish(store, "locations", city, {"locations": (_locations(frame), LOCATIONS)})
        folds = {stem: _folds(frame, stem) for stem in ("area_folds", "spatial_area_folds")}
        publish(store, "area_folds", city, folds)
        for asset, (content, findings) in _pair(city, frame).items():
            publish(store, asset, f"{city}/crime", content, findings)
            if city == "alpha":
                empty = {name: (table.head(0), schema) for name, (table, schema) in content.items()}
                publish(store, asset, "alpha/mean_income", empty, nothing)
    return store


def publish(
    store: DataStore,
    asset: str,
    partition: str | None,
    content: Tables,
    findings: Findings | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    reads: tuple[str, ...] | None = None,
) -> None:
    """Publish tables of a schema as an artefact, by the Parquet file's stem.

    Its recipe names what it read of the steps of its pair that stand.
    """
    recipe = Recipe(
        code_version="test",
        inputs=_inputs(store, asset, partition, READS.get(asset, ()) if reads is None else reads),
        config=config or CONFIG.get(asset, {}),
    )
    store.publish(asset, partition, recipe, writer(content, findings), allow_loss=True)


def publish_the_rest(store: DataStore) -> None:
    """Every table of the warehouse that is not there yet, without rows."""
    for asset in sorted({view.asset for view in WAREHOUSE_VIEWS}):
        before = next(iter(store.manifests(asset)), None)
        partition = before.partition if before else None
        content: Tables = {}
        for view in WAREHOUSE_VIEWS:
            if view.asset != asset:
                continue
            there = before and view.file in before.files
            frame = store.open(asset, partition).table(view.file) if there else None
            table = tables.empty(view.schema) if frame is None else frame
            content[view.file.removesuffix(".parquet")] = (table, view.schema)
        publish(store, asset, partition, content)


def make_again(store: DataStore, asset: str, partition: str, **recorded: Any) -> None:
    """Publish an artefact as another, made of what stands before it; nothing that follows it.

    Args:
        recorded: fields of its record that are others by now.
    """
    inputs = _inputs(store, asset, partition, READS.get(asset, ()))
    publish_again(store, asset, partition, inputs=inputs, **recorded)


def _inputs(store: DataStore, asset: str, partition: str, reads: tuple[str, ...]) -> dict[str, str]:
    found = {name: store.manifest(name, partition).digest for name in reads}
    if asset == "trained_model":
        city = partition.partition("/")[0]
        found[f"{city}/area_folds"] = store.manifest("area_folds", city).digest
    return found


# -- areas and locations ---------------------------------------------------------------------------


def _areas(city: str, n: int) -> pd.DataFrame:
    """`area`, `lat, lon` on a grid, `actual_decile`, the predicted `decile` near it, `fold`."""
    number, first = np.arange(n), 0 if city == "alpha" else 500_000
    actual = number * 10 // n + 1
    error = np.random.default_rng(n).choice([-1, 0, 0, 1, 2], n)
    return pd.DataFrame(
        {
            "area": [f"E01{first + i:06d}" for i in number],
            **studies.on_a_grid(number),
            "actual_decile": actual,
            "decile": np.clip(actual + error, 1, 10),
            "fold": number % 5,
        }
    )


def _locations(areas: pd.DataFrame) -> pd.DataFrame:
    """Three locations in each area, and one of an unknown postcode."""
    frame = studies.with_one_lost(_at_locations(areas).assign(reason=None))
    unused = dict.fromkeys(("oa", "msoa", "captured_at", "provider", "licence", "creator"))
    placed_by = frame["status"].map({"matched": "postcode"})
    return frame.assign(postcodes="BR1 1AA", n_postcodes=1, weight=1, placed_by=placed_by, **unused)


def _folds(areas: pd.DataFrame, stem: str) -> tuple[pd.DataFrame, pa.Schema]:
    scheme = "area" if stem == "area_folds" else "spatial_block"
    return areas.assign(scheme=scheme), AREA_FOLDS


def _at_locations(areas: pd.DataFrame) -> pd.DataFrame:
    frame = areas.loc[areas.index.repeat(studies.PER_LSOA)].reset_index(drop=True)
    return frame.assign(location_id=[f"{i:05d}" for i in range(len(frame))])


# -- one pair --------------------------------------------------------------------------------------


def _pair(city: str, areas: pd.DataFrame) -> dict[str, tuple[Tables, Findings]]:
    """Asset to its tables and findings, in the order in which they are made."""
    keys = {"city": city, "outcome": "crime"}
    locations = _at_locations(areas).assign(**keys, weight=1, n_views=4, h=0.5)
    locations = locations.assign(**{f"p_{decile}": 0.1 for decile in range(1, 11)})
    record = studies.training_record(
        city, n_locations=len(locations), n_lsoas=len(areas), synthetic=True
    )
    predicted = predictions.LocationPredictionsRecord(n_predicted=len(locations), scheme="area")
    evaluation = {
        "metrics": (_metrics(city, len(areas)).assign(**keys), predictions.METRICS),
        "comparisons": (_comparisons(city, len(areas)).assign(**keys), predictions.COMPARISONS),
        "intervals": (_intervals(city, len(areas)).assign(**keys), predictions.INTERVALS),
        "confusion": (confusion_of(areas).assign(**keys), predictions.CONFUSION),
        "coverage": (_coverage(areas).assign(**keys), predictions.COVERAGE),
        "by_n_locations": (
            _by_n_locations(areas).assign(**keys),
            predictions.BY_N_LOCATIONS,
        ),
    }
    return {
        "trained_model": ({"history": (_history(), HISTORY)}, Findings(record=record)),
        "baseline_scores": ({"baseline_scores": (_baselines(areas), BASELINES)}, Findings()),
        "location_predictions": (
            {"location_predictions": (locations, predictions.LOCATION_PREDICTIONS)},
            Findings(record=predicted),
        ),
        "lsoa_predictions": (
            {
                "lsoa_predictions": (
                    _predictions(areas).assign(**keys),
                    predictions.LSOA_PREDICTIONS,
                )
            },
            Findings(),
        ),
        "lsoa_evaluation": (evaluation, Findings()),
    }


def _history() -> pd.DataFrame:
    epochs = [(fold, epoch) for fold in range(5) for epoch in range(1, 5)]
    frame = pd.DataFrame(epochs, columns=["fold", "epoch"])
    return frame.assign(
        loss=2.3 / frame["epoch"],
        val_loss=2.4 / frame["epoch"],
        val_mae=2 / frame["epoch"],
        learning_rate=1e-3,
        seconds=0.1,
        wait_seconds=0.0,
    )


def _baselines(areas: pd.DataFrame) -> pd.DataFrame:
    return areas.assign(baseline="ridge", scheme="area", score=areas["decile"])


def _predictions(areas: pd.DataFrame) -> pd.DataFrame:
    decile = areas["decile"]
    return areas.assign(
        score=decile - 5.123456789,
        score_shrunk=decile - 5.123456789,
        n_locations=studies.PER_LSOA,
        n_images=4 * studies.PER_LSOA,
        lower=np.clip(decile - 1, 1, 10),
        upper=np.clip(decile + 1, 1, 10),
        rank_change=0,
        is_published=True,
        too_uncertain_to_rank=False,
        expected_decile=decile.astype(float),
        **{f"decile_{rule}": decile for rule in RULES},
        **{f"p_{each}": (decile == each).astype(float) for each in range(1, 11)},
    )


def _metrics(city: str, n_lsoas: int) -> pd.DataFrame:
    models = {(model, "area"): kappa for model, kappa in KAPPAS[city].items()}
    models[("map_knn", "spatial_block")] = IN_BLOCKS
    rows = [
        (model, scheme, metric, kappa, kappa - 0.1, kappa + 0.1)
        for (model, scheme), kappa in models.items()
        for metric in METRIC_TITLES
    ]
    rows += [
        ("network", "area", "interval_coverage", 0.9, np.nan, np.nan),
        ("network", "area", "interval_width", 3.0, np.nan, np.nan),
    ]
    names = ["model", "scheme", "metric", "value", "lower", "upper"]
    frame = pd.DataFrame(rows, columns=names)
    seeds = {"seed_mean": np.nan, "seed_sd": np.nan, "n_seeds": pd.NA, "n_deals": pd.NA}
    return frame.assign(n_lsoas=n_lsoas, unit="spatial_block", **seeds)


def _comparisons(city: str, n_lsoas: int) -> pd.DataFrame:
    kappas = KAPPAS[city]
    leads = {(name, "area"): kappas["network"] - kappas[name] for name in list(kappas)[1:]}
    leads[("map_knn", "spatial_block")] = kappas["network"] - IN_BLOCKS
    rows = [
        (name, scheme, "kappa_quadratic", lead, lead - 0.05, lead + 0.05)
        for (name, scheme), lead in leads.items()
    ]
    names = ["baseline", "scheme", "metric", "difference", "lower", "upper"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(n_lsoas=n_lsoas, unit="spatial_block")


def _intervals(city: str, n_lsoas: int) -> pd.DataFrame:
    of_network = _metrics(city, n_lsoas).query("model == 'network' and lower.notna()")
    parts = [
        of_network.assign(unit=unit, n_units=n_units, block_m=block_m)
        for unit, n_units, block_m in (("spatial_block", 8, 2000.0), ("lsoa", 12, np.nan))
    ]
    return pd.concat(parts)


def _by_n_locations(areas: pd.DataFrame) -> pd.DataFrame:
    metrics = {"spearman_score": 0.7, "kappa_quadratic": 0.6, "mae": 1.5}
    return pd.DataFrame([{"group": "3-4", "n_lsoas": len(areas)} | metrics])


def confusion_of(areas: pd.DataFrame) -> pd.DataFrame:
    cells = pd.MultiIndex.from_product([range(1, 11)] * 2, names=["actual", "predicted"])
    counts = areas.value_counts(["actual_decile", "decile"])
    return pd.DataFrame({"n": counts.reindex(cells, fill_value=0)}).reset_index()


def _coverage(areas: pd.DataFrame) -> pd.DataFrame:
    counts = areas["actual_decile"].value_counts().reindex(range(1, 11), fill_value=0)
    deciles = pd.DataFrame(
        {"grouped_by": "actual_decile", "value": counts.index.astype(str), "actual": counts.index}
    )
    others = {"grouped_by": ["all", "n_locations"], "value": ["all", "3-4"]}
    frame = pd.concat([deciles.assign(n_lsoas=counts.to_numpy()), pd.DataFrame(others)])
    return frame.fillna({"n_lsoas": len(areas)}).assign(coverage=0.9, mean_width=3.0)
