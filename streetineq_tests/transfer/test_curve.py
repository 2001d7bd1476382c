"""The transfer report: the curve of every target, the paper's claim, and what is left out."""

from pathlib import Path

import pandas as pd
import pytest

from streetineq_assets.manifests import Recipe
from streetineq_assets.predictions import tables as predicted
from streetineq_assets.predictions.tables import conform
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.transfer import curve
from streetineq_assets.transfer.tables import CURVE, METRICS

STUDY = """
title = "Two cities"
date = 2017-08-01
[cities.leeds]
title = "Leeds"
authorities = ["E08000035"]
outcomes = ["crime", "education", "unemployment"]
[cities.manchester]
title = "Manchester"
authorities = ["E08000003"]
outcomes = ["crime"]
"""


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return DataStore(tmp_path)


@pytest.fixture
def study(store: DataStore) -> Study:
    return load_study(store.study_file)


def publish(
    store: DataStore, asset: str, key: str, name: str, frame: pd.DataFrame, figures: dict,
    config: dict | None = None,
) -> None:  # fmt: skip
    def write(folder: Path) -> dict:
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        return {"figures": figures}

    store.publish(asset, key, Recipe(code_version="1", config=config or {}), write)


def metric_rows(values: dict[str, float], scheme: str = "area", **named) -> list[dict]:
    about = {"city": "x", "outcome": "x", "lower": 0.0, "upper": 1.0, "n_lsoas": 50}
    rows = [about | {"metric": name, "value": value} for name, value in values.items()]
    return [row | {"scheme": scheme, **named} for row in rows]


def publish_tuned(store: DataStore, key: str, draws: dict[float, list[float]]) -> None:
    city, outcome = key.split("/")
    rows = [
        row
        for fraction, values in draws.items()
        for draw, value in enumerate(values)
        for row in metric_rows(
            {"spearman_score": value, "kappa_quadratic": value - 0.1, "mae": 2.0},
            fraction=fraction, draw=draw, model="network",
        )
    ]  # fmt: skip
    frame = conform(pd.DataFrame(rows).assign(city=city, outcome=outcome), METRICS)
    about = {"status": "available", "source": "london"}
    publish(store, "fine_tuned_model", key, "tuned_metrics", frame, about)


def publish_own(
    store: DataStore, key: str, own: float, coordinates: float, scheme: str = "area"
) -> None:
    city, outcome = key.split("/")
    rows = metric_rows({"spearman_score": own, "mae": 1.0}, scheme, model="network")
    rows += metric_rows({"spearman_score": coordinates}, scheme, model="coordinates")
    rows += metric_rows({"spearman_score": 0.01}, "spatial_block", model="coordinates")
    rows += metric_rows({"spearman_score": 0.99}, scheme, model="ridge")
    frame = conform(pd.DataFrame(rows).assign(city=city, outcome=outcome), predicted.METRICS)
    about = {"status": "available"}
    publish(store, "lsoa_evaluation", key, "metrics", frame, about, {"scheme": scheme})


def test_a_curve_stands_beside_the_targets_own_networks_and_coordinates(
    store: DataStore, study: Study
) -> None:
    publish_tuned(store, "leeds/crime", {0.0: [0.2, 0.3], 0.01: [0.5, 0.7], 1.0: [0.8, 0.8]})
    publish_own(store, "leeds/crime", own=0.75, coordinates=0.6)
    gathered = curve.gather(curve.read_evaluations(store, study))
    assert list(gathered.columns) == list(CURVE)
    assert set(gathered["metric"]) <= set(curve.METRICS)
    assert set(gathered["source"]) == {"london"}
    shown = curve.summarise(gathered).query("metric == 'spearman_score'")
    rows = shown.set_index(["network", "fraction"])
    tuned = rows.loc[("fine_tuned", 0.01)]
    assert (tuned["mean"], tuned["lowest"], tuned["highest"]) == pytest.approx((0.6, 0.5, 0.7))
    assert tuned["draws"] == 2
    assert rows.loc[("trained_here", 1.0), "mean"] == 0.75
    assert rows.loc[("coordinates", 1.0), "mean"] == 0.6
    assert len(rows) == 5


def test_networks_of_all_other_cities_are_shown_where_folds_hold_out_cities(
    store: DataStore, study: Study
) -> None:
    publish_own(store, "manchester/crime", own=0.4, coordinates=0.1, scheme="city")
    gathered = curve.gather(curve.read_evaluations(store, study))
    (row,) = gathered.query("network == 'other_cities' and metric == 'spearman_score'").itertuples()
    assert (row.city, row.scheme, row.fraction, row.value) == ("manchester", "city", 0.0, 0.4)
    assert row.source == "the other cities"


def test_a_pair_that_is_neither_tuned_nor_held_out_is_no_target(
    store: DataStore, study: Study
) -> None:
    publish_own(store, "leeds/crime", own=0.75, coordinates=0.6)
    gone = {"status": "unavailable"}
    nothing = pd.DataFrame(columns=list(METRICS))
    publish(store, "fine_tuned_model", "leeds/education", "tuned_metrics", nothing, gone)
    assert curve.gather(curve.read_evaluations(store, study)).empty


def test_the_papers_claim_is_judged_against_the_targets_own_networks(
    store: DataStore, study: Study
) -> None:
    publish_tuned(store, "leeds/crime", {0.01: [0.72, 0.74]})
    publish_own(store, "leeds/crime", own=0.75, coordinates=0.6)
    publish_tuned(store, "manchester/crime", {0.01: [0.2, 0.3]})
    publish_own(store, "manchester/crime", own=0.75, coordinates=0.6)
    summary = curve.summarise(curve.gather(curve.read_evaluations(store, study)))
    both = curve.paper_claim(summary)
    assert not both.passed
    assert "1 of 2 pairs tuned on 1%" in both.description
    assert curve.paper_claim(summary[summary["city"] == "leeds"]).passed


def test_without_a_share_of_one_per_cent_there_is_no_claim(store: DataStore, study: Study) -> None:
    publish_tuned(store, "leeds/crime", {0.1: [0.1]})
    publish_own(store, "leeds/crime", own=0.75, coordinates=0.6)
    claim = curve.paper_claim(curve.summarise(curve.gather(curve.read_evaluations(store, study))))
    assert claim.passed
    assert "no pair was tuned on a share of 0.01" in claim.description


def test_the_report_is_written_with_its_curves(
    store: DataStore, study: Study, tmp_path: Path
) -> None:
    for city in ("leeds", "manchester"):
        publish_tuned(store, f"{city}/crime", {0.0: [0.2, 0.3], 1.0: [0.8, 0.8]})
        publish_own(store, f"{city}/crime", own=0.75, coordinates=0.6)
    folder = tmp_path / "out"
    folder.mkdir()
    found = curve.write_report(curve.read_evaluations(store, study), folder)
    table = pd.read_parquet(folder / "transfer_report.parquet")
    # Two shares of two draws in two metrics, and two lines in one, for two cities.
    assert len(table) == 2 * (2 * 2 * 2 + 2)
    assert (folder / "transfer_curves.png").stat().st_size > 5000
    assert found.values["n_pairs"] == 2
    assert [check.name for check in found.checks] == list(curve.CHECKS)


def test_without_targets_it_is_empty_and_says_so(tmp_path: Path) -> None:
    found = curve.write_report({}, tmp_path)
    assert found.values["status"] == "unavailable"
    assert not found.checks[0].passed
    assert len(pd.read_parquet(tmp_path / "transfer_report.parquet")) == 0
