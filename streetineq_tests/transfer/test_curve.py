"""The transfer report: the curve of every target, the paper's claim, and what is left out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.predictions.tables import METRICS, SchemeRecord
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study, load_study
from streetineq_assets.tables import conform, empty
from streetineq_assets.transfer import checks, curve
from streetineq_assets.transfer.tables import CURVE, CURVE_SUMMARY, TUNED_METRICS, TunedRecord
from streetineq_tests import harness, studies

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
LEEDS, MANCHESTER = Pair("leeds", "crime"), Pair("manchester", "crime")


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return studies.new_study(tmp_path, STUDY)


@pytest.fixture
def study(store: DataStore) -> Study:
    return load_study(store.study_file)


def metric_rows(values: dict[str, float], scheme: str = "area", **named: object) -> list[dict]:
    about = {"lower": 0.0, "upper": 1.0, "unit": "lsoa", "n_lsoas": 50, "scheme": scheme}
    about |= {"seed_mean": np.nan, "seed_sd": np.nan, "n_seeds": pd.NA, "n_deals": pd.NA, **named}
    return [about | {"metric": name, "value": value} for name, value in values.items()]


def publish_tuned(
    store: DataStore, pair: Pair, repeats: dict[float, list[float]], **renamed: str
) -> None:
    """Metrics of networks tuned on shares of the areas; other names are those of version 1."""
    keys = [(share, repeat, v) for share, vs in repeats.items() for repeat, v in enumerate(vs)]
    attempts = [
        {"network": "fine_tuned", "share_of": "either" if share in (0, 1) else "areas"}
        | {"share": share, "repeat": repeat}
        for share, repeat, _ in keys
    ]
    rows = [
        row
        for attempt, (_, _, value) in zip(attempts, keys, strict=True)
        for row in metric_rows(
            {"spearman_score": value, "kappa_quadratic": value - 0.1, "mae": 2.0},
            model="network", **attempt, **pair._asdict(),
        )
    ]  # fmt: skip
    table = conform(pd.DataFrame(rows), TUNED_METRICS)
    runs = pd.DataFrame(attempts).assign(
        fold=0, n_locations=9, n_lsoas=11, n_lsoas_of_fold=50, epochs=1, best_epoch=1,
        val_loss=2.0, skipped="",
    )  # fmt: skip
    runs = pd.concat([runs, runs.assign(fold=1, n_lsoas=9)], ignore_index=True)
    if renamed:
        table = table.drop(columns=["network", "share_of"]).rename(columns=renamed)
        runs = runs[["fold"]]
    findings = Findings(record=TunedRecord(source="london"))
    harness.publish(
        store, "fine_tuned_model", pair.key, findings, tuned_metrics=table, tuning_runs=runs
    )


def publish_own(
    store: DataStore, pair: Pair, own: float, coordinates: float, scheme: str = "area"
) -> None:
    rows = metric_rows({"spearman_score": own, "mae": 1.0}, scheme, model="network")
    rows += metric_rows({"spearman_score": coordinates}, scheme, model="map_knn")
    rows += metric_rows({"spearman_score": 0.01}, "spatial_block", model="map_knn")
    rows += metric_rows({"spearman_score": 0.99}, scheme, model="ridge")
    table = conform(pd.DataFrame(rows).assign(**pair._asdict()), METRICS)
    findings = Findings(record=SchemeRecord(scheme=scheme))
    harness.publish(store, "lsoa_evaluation", pair.key, findings, metrics=table)


def gathered(store: DataStore, study: Study) -> pd.DataFrame:
    return curve.gather(curve.read_targets(store, study))


def test_a_curve_stands_beside_the_targets_own_networks_and_coordinates(
    store: DataStore, study: Study
) -> None:
    publish_tuned(store, LEEDS, {0.0: [0.2, 0.3], 0.01: [0.5, 0.7], 1.0: [0.8, 0.8]})
    publish_own(store, LEEDS, own=0.75, coordinates=0.6)
    table = gathered(store, study)
    assert list(table.columns) == CURVE.names
    assert set(table["metric"]) <= set(curve.RANK_METRICS)
    assert set(table["source"]) == {"london"}
    summary = curve.summarise(table)
    assert list(summary.columns) == CURVE_SUMMARY.names
    rows = summary.query("metric == 'spearman_score'").set_index(["network", "share"])
    tuned = rows.loc[("fine_tuned", 0.01)]
    assert (tuned["mean"], tuned["lowest"], tuned["highest"]) == pytest.approx((0.6, 0.5, 0.7))
    assert tuned["n_repeats"] == 2
    assert rows.loc[("trained_here", 1.0), "mean"] == 0.75
    assert rows.loc[("map_knn", 1.0), "mean"] == 0.6
    assert len(rows) == 5
    assert tuned["n_lsoas_labelled"] == 10, "the mean of the folds"
    assert tuned["share_lsoas_labelled"] == pytest.approx(0.2)
    assert rows.loc[("trained_here", 1.0), "share_lsoas_labelled"] == 1


def test_a_repeat_that_ranks_nothing_is_not_left_out_of_the_mean(
    store: DataStore, study: Study
) -> None:
    publish_tuned(store, LEEDS, {0.01: [0.5, np.nan]})
    summary = curve.summarise(gathered(store, study)).query("metric == 'spearman_score'")
    assert summary["mean"].isna().all()
    assert summary["highest"].tolist() == [0.5]


def test_networks_of_all_other_cities_are_shown_where_folds_hold_out_cities(
    store: DataStore, study: Study
) -> None:
    publish_own(store, MANCHESTER, own=0.4, coordinates=0.1, scheme="city")
    table = gathered(store, study)
    (row,) = table.query("network == 'other_cities' and metric == 'spearman_score'").itertuples()
    assert (row.city, row.scheme, row.share, row.value) == ("manchester", "city", 0.0, 0.4)
    assert row.source == "the other cities"
    assert set(table["network"]) == {"other_cities"}, "the map has no neighbours in other cities"


def test_a_pair_that_is_neither_tuned_nor_held_out_is_no_target(
    store: DataStore, study: Study
) -> None:
    publish_own(store, LEEDS, own=0.75, coordinates=0.6)
    none = Findings(unavailable=Unavailable("a source", "no source is named"))
    nothing = empty(TUNED_METRICS)
    harness.publish(store, "fine_tuned_model", "leeds/education", none, tuned_metrics=nothing)
    assert gathered(store, study).empty


@pytest.mark.parametrize("stale", ["fine_tuned_model", "lsoa_evaluation"])
def test_evaluations_of_an_earlier_state_are_not_compared(
    store: DataStore, study: Study, stale: str
) -> None:
    """Networks that were tuned on other labels, or an evaluation of predictions of before."""
    for pair in (LEEDS, MANCHESTER):
        publish_tuned(store, pair, {0.01: [0.7]})
        publish_own(store, pair, own=0.75, coordinates=0.6)
    read = {"leeds/labels": "of before", "lsoa_predictions": "of before"}
    harness.publish_again(store, stale, LEEDS.key, inputs=read)
    targets = curve.read_targets(store, study)
    (note,) = curve.left_out_notes(targets).values()
    assert f"{stale}[leeds/crime]" in note
    table = curve.gather(targets)
    of_leeds = set(table.loc[table["city"] == "leeds", "network"])
    assert of_leeds == (set() if stale == "fine_tuned_model" else {"fine_tuned"})
    assert not curve.left_out_notes(targets[1:])


def test_a_table_of_an_earlier_version_is_read_by_its_old_names(
    store: DataStore, study: Study
) -> None:
    publish_tuned(store, LEEDS, {0.5: [0.2, 0.3]}, share="fraction", repeat="draw")
    table = gathered(store, study)
    assert set(table["share"]) == {0.5}
    assert set(table["repeat"]) == {0, 1}
    assert set(table["network"]) == {"fine_tuned"}
    assert set(table["share_of"]) == {"locations"}, "what version 1 took shares of by default"
    assert table["share_lsoas_labelled"].isna().all()


def test_the_recipe_names_every_evaluation_that_is_read(store: DataStore, study: Study) -> None:
    publish_tuned(store, LEEDS, {0.5: [0.2]})
    publish_own(store, MANCHESTER, own=0.75, coordinates=0.6)
    assert curve.digests(curve.read_targets(store, study)) == {
        "fine_tuned_model/leeds/crime": store.open("fine_tuned_model", "leeds/crime").digest,
        "lsoa_evaluation/manchester/crime": store.open("lsoa_evaluation", MANCHESTER.key).digest,
    }


def test_the_report_is_written_with_its_curves(store: DataStore) -> None:
    for pair in (LEEDS, MANCHESTER):
        publish_tuned(store, pair, {0.0: [0.2, 0.3], 1.0: [0.8, 0.8]})
        publish_own(store, pair, own=0.75, coordinates=0.6)
    result = harness.run(store, "transfer_report")
    report = store.open("transfer_report")
    # Two shares of two repeats in two metrics, and two lines in one, for two cities.
    assert len(report.table()) == 2 * (2 * 2 * 2 + 2)
    assert report.file("transfer_curves.png").stat().st_size > 5000
    assert harness.metadata(result, "transfer_report")["n_pairs"] == 2
    assert list(harness.checks(result)) == [spec.name for spec in checks.TRANSFER_REPORT]


@pytest.mark.parametrize(
    ("source", "failed"),
    [
        pytest.param("", set(), id="nothing is asked for"),
        pytest.param('\n[transfer]\nsource = "leeds"\n', {"available"}, id="a source is named"),
    ],
)
def test_without_targets_it_is_empty_and_says_so(
    tmp_path: Path, source: str, failed: set[str]
) -> None:
    store = studies.new_study(tmp_path, STUDY + source)
    result = harness.run(store, "transfer_report")
    assert harness.failed(result) == failed
    report = store.open("transfer_report")
    assert report.manifest.unavailable
    assert report.table().empty
    assert report.table("transfer_summary.parquet").empty
