"""The assets of this step, run by Dagster on published upstreams."""

import dagster as dg
import pandas as pd
import pytest

from streetineq_assets.models.folds import area_folds
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.assets import build_assets
from streetineq_assets.predictions.lineage import evaluation_of
from streetineq_assets.resources import StudyResource
from streetineq_assets.study import load_study
from streetineq_tests.predictions import published

CHAIN = ("location_predictions", "lsoa_predictions", "lsoa_evaluation")


@pytest.fixture
def store(tmp_path):
    return published.write_study(tmp_path)


def run(
    store, pair: str, *, assets: list[str] = published.OF_PAIRS, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    parts = Partitions(load_study(store.study_file))
    return dg.materialize(
        build_assets(parts),
        selection=assets,
        partition_key=pair,
        resources={"study": StudyResource(root=str(store.root))},
        raise_on_error=raise_on_error,
    )


def metadata(result, asset: str) -> dict:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks(result) -> dict[str, bool]:
    found = result.get_asset_check_evaluations()
    return {f"{c.asset_key.to_user_string()}.{c.check_name}": c.passed for c in found}


def test_from_scores_to_evaluation(store):
    result = run(store, "alpha/crime")
    locations = store.open("location_predictions", "alpha/crime").table()
    assert locations.columns.tolist() == list(tables.LOCATIONS)
    assert len(locations) == 180
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    expected = published.expected_scores(store, "alpha/crime")
    pd.testing.assert_series_equal(
        areas.set_index("lsoa11")["score"], expected, check_names=False, check_index_type=False
    )
    evaluated = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet")
    assert {"network", "coordinates", "ridge"} <= set(evaluated["model"])
    assert evaluated.query("metric == 'moran_i_residuals'")["value"].notna().all()
    assert all(checks(result).values()), checks(result)


def test_what_the_ui_shows(store):
    result = run(store, "alpha/crime")
    shown = metadata(result, "lsoa_evaluation")
    assert "leak" not in shown
    assert {"confusion_plot", "metrics_plot", "coverage_plot", "headline", "spearman_score"} <= set(
        shown
    )
    assert "coordinates only, spatial blocks" in shown["headline"]
    shown = metadata(result, "lsoa_predictions")
    assert shown["n_lsoas_ranked"] == shown["n_lsoas_of_city"] == 60
    assert shown["mean_actual_decile"] == 5.5
    assert shown["dagster/partition_row_count"] == 60
    described = {c.name: c.description for c in shown["dagster/column_schema"].columns}
    assert all(described[column] for column in tables.LSOAS)


def test_a_second_run_skips_and_a_new_rule_ranks_again(store):
    run(store, "alpha/crime")
    again = run(store, "alpha/crime")
    assert all(metadata(again, asset)["skipped"] for asset in CHAIN)
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text('aggregation = "mean_decile"\n' + text, encoding="utf-8")
    changed = run(store, "alpha/crime")
    skipped = [metadata(changed, asset)["skipped"] for asset in CHAIN]
    assert skipped == [True, False, False]
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    assert (areas["decile"] == areas["decile_mean_decile"]).all()


def test_another_pairs_labels_do_not_touch_this_one(store):
    run(store, "alpha/crime")
    labels = store.open("lsoa_labels").table()
    extra = labels[labels["city"] == "beta"].assign(outcome="education")
    published.publish(store, "lsoa_labels", None, {"lsoa_labels": pd.concat([labels, extra])})
    again = run(store, "alpha/crime")
    assert all(metadata(again, asset)["skipped"] for asset in CHAIN)


def test_an_unavailable_pair_gives_empty_tables_and_warnings(store):
    result = run(store, "alpha/mean_income")
    assert result.success
    for asset in CHAIN:
        shown = metadata(result, asset)
        assert shown["status"] == "unavailable"
        assert shown["wanted"] == published.WANTED
        assert checks(result)[f"{asset}.available"] is False
    areas = store.open("lsoa_predictions", "alpha/mean_income").table()
    assert areas.columns.tolist() == list(tables.LSOAS)
    full = tables.empty(tables.LSOAS).dtypes
    assert areas.empty
    assert (areas.dtypes == full).all()


def test_few_areas_are_flagged_not_hidden(store):
    result = run(store, "beta/crime")
    found = checks(result)
    assert found["lsoa_evaluation.enough_areas"] is False
    assert found["lsoa_predictions.enough_areas"] is False
    metrics = store.open("lsoa_evaluation", "beta/crime").table("metrics.parquet")
    assert metrics.query("metric == 'mae'")["value"].notna().all()


def test_a_score_of_an_unknown_location_blocks(store):
    run(store, "beta/crime")
    before = store.open("location_predictions", "beta/crime").digest
    scores = store.open("location_predictions", "beta/crime").table()
    published.trained(
        store, "beta/crime", scores, change=lambda s: s.assign(location_id=s["location_id"] + "x")
    )
    result = run(store, "beta/crime", raise_on_error=False)
    assert not result.success
    assert checks(result)["location_predictions.location_identity"] is False
    assert store.open("location_predictions", "beta/crime").digest == before


def test_a_score_by_the_wrong_folds_network_blocks(store):
    scores = store.open("trained_model", "beta/crime").table("scores.parquet")
    places = store.open("locations", "beta").table().merge(scores, on="location_id")
    places = places.assign(actual_decile=5)
    published.trained(
        store, "beta/crime", places, change=lambda s: s.assign(fold=(s["fold"] + 1) % 5)
    )
    result = run(store, "beta/crime", raise_on_error=False)
    assert not result.success
    assert checks(result)["location_predictions.out_of_fold"] is False


def test_an_evaluation_belongs_to_the_networks_that_stand(store):
    """Also when it alone was made again, from predictions of the networks before."""
    assert evaluation_of(store, "alpha/crime") is None
    run(store, "alpha/crime")
    made = evaluation_of(store, "alpha/crime")
    assert made.digest == store.open("lsoa_evaluation", "alpha/crime").digest
    scores = store.open("location_predictions", "alpha/crime").table()
    published.trained(store, "alpha/crime", scores, change=lambda s: s.assign(h=s["h"] + 1))
    assert evaluation_of(store, "alpha/crime") is None
    run(store, "alpha/crime", assets=["lsoa_evaluation"])
    assert evaluation_of(store, "alpha/crime") is None
    run(store, "alpha/crime")
    assert evaluation_of(store, "alpha/crime") is not None


def test_folds_by_location_are_flagged_as_a_leak(store):
    """Under the leaky scheme an area is in several folds, and everything made of them says so."""
    text = store.study_file.read_text(encoding="utf-8")
    text = text.replace("[encoder]", '[folds]\nscheme = "location"\n\n[encoder]')
    store.study_file.write_text(text, encoding="utf-8")
    scores = store.open("trained_model", "alpha/crime").table("scores.parquet")
    keyed = pd.DataFrame({"lsoa11": scores["location_id"], "decile": 0})
    scores["fold"] = area_folds(keyed, k=5, seed=1)
    published_folds = store.open("area_folds", "alpha")
    folds = published_folds.table().assign(scheme="location", fold=-1)
    published.publish(
        store,
        "area_folds",
        "alpha",
        {
            "area_folds": folds,
            "buffers": published.NO_BUFFERS,
            "location_folds": scores[["location_id", "fold"]],
            "centroids": published_folds.table("centroids.parquet"),
        },
    )
    baselines = store.open("trained_model", "alpha/crime").table("baselines.parquet")
    baselines = baselines[baselines["scheme"] == "area"]
    published.publish(
        store,
        "trained_model",
        "alpha/crime",
        {"scores": scores, "baselines": baselines.assign(scheme="location", fold=-1)},
    )
    result = run(store, "alpha/crime")
    assert checks(result)["lsoa_evaluation.no_leak"] is False
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    assert areas["fold"].isna().all()
    assert areas["lower"].isna().all()
    assert all("the label leaks" in metadata(result, asset)["leak"] for asset in published.OF_PAIRS)
    joint = scores.assign(outcome="crime")
    published.publish(store, "joint_model", "alpha", {"joint_model": joint})
    shown = metadata(run(store, "alpha", assets=["joint_evaluation"]), "joint_evaluation")
    assert "the label leaks" in shown["leak"]
