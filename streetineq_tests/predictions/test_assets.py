"""The assets of this step, run by Dagster on published upstreams."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from streetineq_assets.findings import Findings
from streetineq_assets.models.folds import FoldTable, area_folds
from streetineq_assets.models.tables import JOINT_SCORES, JointRecord, TrainingRecord
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.evaluation import EVALUATION_FILES
from streetineq_assets.predictions.lineage import evaluation_of
from streetineq_assets.study import Pair
from streetineq_assets.tables import descriptions, empty
from streetineq_tests import harness, studies
from streetineq_tests.harness import manifest_content
from streetineq_tests.predictions import simulated_study
from streetineq_tests.predictions.conftest import run_chain

CHAIN = tuple(simulated_study.OF_PAIRS)
ALPHA = Pair("alpha", "crime")
FILES = {
    ("location_predictions", "location_predictions"): tables.LOCATION_PREDICTIONS,
    ("lsoa_predictions", "lsoa_predictions"): tables.LSOA_PREDICTIONS,
    ("lsoa_predictions", "calibration"): tables.CALIBRATION,
    **{("lsoa_evaluation", name): fields for name, fields in EVALUATION_FILES.items()},
}


@pytest.fixture(scope="module")
def unavailable(evaluated):
    """The chain of a pair without labels."""
    store, _ = evaluated
    return run_chain(store, "alpha/mean_income")


def failed(runs) -> dict[str, set[str]]:
    return {asset: harness.failed(result) for asset, result in runs.items()}


def skipped(runs) -> list[bool]:
    return [harness.metadata(result, asset)["skipped"] for asset, result in runs.items()]


def test_from_scores_to_evaluation(evaluated):
    store, runs = evaluated
    locations = store.open("location_predictions", "alpha/crime").table()
    assert len(locations) == 180
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    expected = simulated_study.expected_scores(store, ALPHA)
    pd.testing.assert_series_equal(
        areas.set_index("area")["score"], expected, check_names=False, check_index_type=False
    )
    metrics = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet")
    assert {"network", "map_knn", "ridge"} <= set(metrics["model"])
    moran = metrics.query("metric == 'moran_i_errors' and model != 'constant'")["value"]
    assert moran.notna().all()
    assert failed(runs) == {asset: set() for asset in CHAIN}


@pytest.mark.parametrize("pair", ["alpha/crime", "alpha/mean_income"])
@pytest.mark.parametrize(("asset", "name"), FILES)
def test_every_published_table_has_its_schema(evaluated, unavailable, asset, name, pair):
    store, _ = evaluated
    harness.assert_schema(store.open(asset, pair).file(f"{name}.parquet"), FILES[asset, name])


def test_what_the_ui_shows(evaluated):
    _, runs = evaluated
    shown = harness.metadata(runs["lsoa_evaluation"], "lsoa_evaluation")
    assert "leak" not in shown
    assert {"confusion_plot", "metrics_plot", "coverage_plot", "headline"} <= set(shown)
    assert {"spearman_score", "mae_nearest_areas", "mae_nearest_areas_spatial"} <= set(shown)
    assert "nearest areas, spatial blocks" in shown["headline"]
    assert "A model predicts a model" in shown["modelled"]  # crime: a domain of the Indices
    shown = harness.metadata(runs["lsoa_predictions"], "lsoa_predictions")
    assert shown["n_lsoas_ranked"] == shown["n_lsoas_of_city"] == 60
    assert shown["mean_actual_decile"] == 5.5
    assert (shown["level"], shown["intervals"]) == (0.9, "one limit for all deciles")
    assert shown["mae_expected_decile"] < 2
    before, after = [row.data for row in shown["calibration"].records]
    assert after["nll"] < before["nll"]
    assert sum(row.data["n_lsoas"] for row in shown["rank_changes"].records) == 60
    assert {"rank_changes_plot", "reliability_plot"} <= set(shown)
    assert shown["dagster/partition_row_count"] == 60
    columns = {c.name: c.description for c in shown["dagster/column_schema"].columns}
    meanings = {name: text.split(" [from ")[0] for name, text in columns.items()}
    assert meanings == descriptions(tables.LSOA_PREDICTIONS)
    assert columns["score"].endswith("[from location_predictions: h, weight, area]")
    shown = harness.metadata(runs["location_predictions"], "location_predictions")
    assert (shown["n_predicted"], shown["n_without_prediction"], shown["n_lsoas"]) == (180, 0, 60)


def test_what_later_steps_read_is_in_the_records(evaluated):
    store, _ = evaluated
    manifest = store.manifest("location_predictions", "alpha/crime")
    expected = tables.LocationPredictionsRecord(n_predicted=180, scheme="area")
    assert manifest.read_record(tables.LocationPredictionsRecord) == expected
    for asset in ("lsoa_predictions", "lsoa_evaluation"):
        record = store.manifest(asset, "alpha/crime").read_record(tables.SchemeRecord)
        assert record.scheme == "area"


def test_a_second_run_skips_also_when_another_pairs_labels_came_in(store):
    labels = store.open("lsoa_labels").table()
    extra = labels[labels["city"] == "beta"].assign(outcome="education")
    harness.publish(store, "lsoa_labels", None, lsoa_labels=pd.concat([labels, extra]))
    assert all(skipped(run_chain(store, "alpha/crime")))


def test_a_new_rule_ranks_again(store):
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text('aggregation = "mean_decile"\n' + text, encoding="utf-8")
    assert skipped(run_chain(store, "alpha/crime")) == [True, False, False]
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    assert (areas["decile"] == areas["decile_mean_decile"]).all()


def with_settings(store, text: str) -> None:
    """Add tables to the study file."""
    store.study_file.write_text(
        store.study_file.read_text(encoding="utf-8") + text, encoding="utf-8"
    )


def test_another_level_gives_other_intervals_and_is_shown(store):
    before = store.open("lsoa_predictions", "alpha/crime").table()
    with_settings(store, "[intervals]\nlevel = 0.6\n")
    runs = run_chain(store, "alpha/crime")
    assert skipped(runs) == [True, False, False]
    assert harness.metadata(runs["lsoa_predictions"], "lsoa_predictions")["level"] == 0.6
    after = store.open("lsoa_predictions", "alpha/crime").table()
    assert (after["upper"] - after["lower"]).mean() < (before["upper"] - before["lower"]).mean()


def test_areas_below_the_minimum_are_counted_and_left_out(store):
    locations = store.open("location_predictions", "alpha/crime").table()
    publish_locations(store, locations.iloc[1:])  # the first area keeps two
    with_settings(store, "[areas]\nmin_locations = 3\n")
    shown = shown_of_areas(store)
    assert (shown["n_lsoas_ranked"], shown["n_lsoas_below_min_locations"]) == (59, 1)


def test_a_minimum_that_no_area_reaches_makes_the_pair_unavailable_by_settings(store):
    with_settings(store, "[areas]\nmin_locations = 4\n")
    runs = run_chain(store, "alpha/crime")
    assert skipped(runs) == [True, False, False]
    assert failed(runs) == {asset: set() for asset in CHAIN}
    shown = harness.metadata(runs["lsoa_evaluation"], "lsoa_evaluation")
    assert "min_locations = 4" in shown["reason"]
    assert "min_locations under [areas]" in shown["wanted"]


@pytest.mark.parametrize(("scheme", "note"), [("area", False), ("spatial_block", True)])
def test_folds_are_put_on_one_scale_where_they_are_alike(store, scheme, note):
    locations = store.open("location_predictions", "alpha/crime").table()
    shifted = locations.assign(h=locations["h"] + 5 * locations["fold"].astype("float32"))
    publish_locations(store, shifted, scheme)
    with_settings(store, "[areas]\nalign_folds = true\n")
    shown = shown_of_areas(store)
    assert ("folds_on_one_scale" in shown) is note
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    spread = areas.groupby("fold")["score"].mean().std()
    assert bool(spread > 1) is note


def shown_of_areas(store) -> dict:
    """What the UI shows of the areas, made again."""
    result = harness.run(store, "lsoa_predictions", "alpha/crime")
    return harness.metadata(result, "lsoa_predictions")


def publish_locations(store, locations, scheme: str = "area") -> None:
    record = tables.LocationPredictionsRecord(n_predicted=len(locations), scheme=scheme)
    findings = Findings(record=record)
    harness.publish(
        store, "location_predictions", "alpha/crime", findings, location_predictions=locations
    )


def test_new_baselines_are_evaluated_without_predicting_again(store):
    shift_baselines(store)
    assert skipped(run_chain(store, "alpha/crime")) == [True, True, False]


def test_further_seeds_stand_beside_the_first(store):
    """Once locations are predicted by the networks whose seeds they are."""
    networks = store.open("trained_model", "alpha/crime")
    scores, history = networks.table("scores.parquet"), networks.table("history.parquet")
    again = scores.assign(h=-scores["h"], seed=1)
    harness.publish(
        store,
        "trained_model",
        "alpha/crime",
        Findings(record=networks.manifest.read_record(TrainingRecord)),
        scores=scores,
        history=history,
        seed_scores=again,
    )
    harness.run(store, "lsoa_evaluation", "alpha/crime")
    rows = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet")
    assert rows["n_seeds"].max() == 1, "the locations are predicted by other networks"
    result = run_chain(store, "alpha/crime")["lsoa_evaluation"]
    rows = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet")
    row = rows[(rows["model"] == "network") & (rows["metric"] == "spearman_score")].iloc[0]
    assert row["n_seeds"] == 2
    assert row["seed_mean"] == pytest.approx(0, abs=1e-9)
    assert row["seed_sd"] == pytest.approx(np.sqrt(2) * row["value"])
    assert rows.loc[rows["model"] != "network", "n_seeds"].isna().all()
    shown = harness.metadata(result, "lsoa_evaluation")
    assert "Over 2 seeds" in shown["headline"]


def test_without_further_scores_there_is_one_seed(evaluated):
    store, _ = evaluated
    rows = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet")
    assert set(rows.loc[rows["metric"] == "mae", "n_seeds"].dropna()) == {1}


def test_the_ui_shows_metrics_by_number_of_locations(evaluated):
    _, runs = evaluated
    shown = harness.metadata(runs["lsoa_evaluation"], "lsoa_evaluation")
    (row,) = [record.data for record in shown["by_n_locations"].records]
    assert (row["group"], row["n_lsoas"]) == ("3-4", 60)


def test_an_unavailable_pair_gives_empty_tables_and_warnings(evaluated, unavailable):
    store, _ = evaluated
    assert failed(unavailable) == {asset: {"available"} for asset in CHAIN}
    for asset, result in unavailable.items():
        shown = harness.metadata(result, asset)
        assert (shown["status"], shown["wanted"]) == ("unavailable", studies.WITHOUT_INCOME.wanted)
    for asset, name in FILES:
        assert store.open(asset, "alpha/mean_income").table(f"{name}.parquet").empty


def test_few_areas_are_flagged_not_hidden(store):
    runs = run_chain(store, "beta/crime")
    assert "enough_areas" in harness.failed(runs["lsoa_evaluation"])
    assert "enough_areas" in harness.failed(runs["lsoa_predictions"])
    metrics = store.open("lsoa_evaluation", "beta/crime").table("metrics.parquet")
    assert metrics.query("metric == 'mae'")["value"].notna().all()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda s: s.assign(location_id=s["location_id"] + "x"), "location_identity"),
        (lambda s: s.assign(fold=(s["fold"] + 1) % 5), "out_of_fold"),
        (lambda s: s.assign(h=s["h"].where(s.index > 0)), "probabilities"),
        (lambda s: s.assign(p_1=s["p_1"] + np.float32(0.1)), "probabilities"),
    ],
)
def test_scores_of_another_place_fold_or_kind_block(store, change, check):
    before = store.open("location_predictions", "alpha/crime").digest
    scored = store.open("location_predictions", "alpha/crime").table()
    simulated_study.publish_trained(store, ALPHA, scored, change=change)
    result = harness.run(store, "location_predictions", "alpha/crime", fails=True)
    assert not result.success
    assert check in harness.failed(result)
    assert store.open("location_predictions", "alpha/crime").digest == before


def test_an_evaluation_belongs_to_the_networks_that_stand(store):
    """Also when it alone was made again, from predictions of the networks before."""
    evaluation = store.open("lsoa_evaluation", "alpha/crime")
    assert evaluation_of(store, ALPHA).digest == evaluation.digest
    assert evaluation_of(store, Pair("beta", "crime")) is None
    scored = store.open("location_predictions", "alpha/crime").table()
    simulated_study.publish_trained(store, ALPHA, scored, change=lambda s: s.assign(h=s["h"] + 1))
    assert evaluation_of(store, ALPHA) is None
    shift_baselines(store)
    run = harness.run(store, "lsoa_evaluation", "alpha/crime")
    assert not harness.metadata(run, "lsoa_evaluation")["skipped"]
    assert evaluation_of(store, ALPHA) is None
    run_chain(store, "alpha/crime")
    assert evaluation_of(store, ALPHA) is not None
    shift_baselines(store)
    assert evaluation_of(store, ALPHA) is None


def test_an_evaluation_is_not_of_predictions_that_were_made_again(store):
    """Networks and predicted locations stand; `lsoa_predictions` alone is of another rule."""
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text('aggregation = "mean_decile"\n' + text, encoding="utf-8")
    assert evaluation_of(store, ALPHA) is not None
    run = harness.run(store, "lsoa_predictions", "alpha/crime")
    assert not harness.metadata(run, "lsoa_predictions")["skipped"]
    assert evaluation_of(store, ALPHA) is None
    harness.run(store, "lsoa_evaluation", "alpha/crime")
    assert evaluation_of(store, ALPHA) is not None


def test_folds_by_location_are_flagged_as_a_leak(store):
    """Under the leaky scheme an area is in several folds, and everything made of them says so."""
    in_study(store, "location")
    scored = store.open("location_predictions", "alpha/crime").table()
    keyed = pd.DataFrame({"area": scored["location_id"], "decile": 0})
    scored["fold"] = area_folds(keyed, k=5, seed=1)
    table = FoldTable.load(store.open("area_folds", "alpha"))
    by_location = replace(
        table,
        areas=table.areas.assign(scheme="location", fold=-1),
        locations=scored[["location_id", "fold"]].astype({"fold": "int64"}),
    )
    studies.publish_folds(store, "alpha", by_location)
    simulated_study.publish_trained(store, ALPHA, scored, scheme="location")
    baselines = store.open("baseline_scores", "alpha/crime").table()
    baselines = baselines[baselines["scheme"] == "area"].assign(scheme="location", fold=-1)
    harness.publish(store, "baseline_scores", "alpha/crime", baseline_scores=baselines)
    runs = run_chain(store, "alpha/crime")
    assert "no_leak" in harness.failed(runs["lsoa_evaluation"])
    areas = store.open("lsoa_predictions", "alpha/crime").table()
    assert areas["fold"].isna().all()
    assert areas["lower"].isna().all()
    publish_joint(store)
    runs["joint_evaluation"] = harness.run(store, "joint_evaluation", "alpha")
    assert all("leak" in harness.metadata(result, asset) for asset, result in runs.items())


def test_joint_networks_stand_beside_the_separate_ones(store):
    publish_joint(store)
    result = harness.run(store, "joint_evaluation", "alpha")
    assert harness.failed(result) == set()
    shown = harness.metadata(result, "joint_evaluation")
    rows = {row.data["metric"]: row.data for row in shown["comparison"].records}
    assert set(rows) == {"kappa_quadratic", "spearman_score", "mae"}
    assert all(row["joint"] == row["separate"] for row in rows.values()), "the scores are the same"
    artefact = store.open("joint_evaluation", "alpha")
    harness.assert_schema(artefact.file("joint_evaluation.parquet"), tables.METRICS)


def test_joint_networks_are_evaluated_before_any_separate_ones(store):
    publish_joint(store)
    for outcome in ("crime", "mean_income"):
        shutil.rmtree(store.folder("lsoa_evaluation", f"alpha/{outcome}"), ignore_errors=True)
    result = harness.run(store, "joint_evaluation", "alpha")
    assert harness.failed(result) == set()
    assert "comparison" not in harness.metadata(result, "joint_evaluation")
    metrics = store.open("joint_evaluation", "alpha").table().set_index("metric")
    own = store.open("lsoa_predictions", "alpha/crime").table()
    expected = spearmanr(own["score"], own["actual_decile"]).statistic
    assert metrics.loc["spearman_score", "value"] == pytest.approx(expected)


def test_joint_metrics_bear_the_scheme_of_the_folds_and_not_of_the_study(store):
    """Which says another one when it was changed after the folds were made."""
    publish_joint(store)
    in_study(store, "spatial_block")
    harness.run(store, "joint_evaluation", "alpha")
    assert set(store.open("joint_evaluation", "alpha").table()["scheme"]) == {"area"}


def test_a_city_without_joint_networks_gives_an_empty_table_and_a_warning(store):
    why, none = Findings(unavailable=studies.WITHOUT_INCOME), empty(JOINT_SCORES)
    harness.publish(store, "joint_model", "alpha", why, joint_model=none)
    result = harness.run(store, "joint_evaluation", "alpha")
    assert harness.failed(result) == {"available"}
    assert store.open("joint_evaluation", "alpha").table().empty


@pytest.mark.parametrize("edited", ["area", "location"])
def test_predictions_that_do_not_record_their_scheme_are_of_their_networks(store, edited):
    """As those of versions that kept it in a note alone; study.toml may say another by now."""
    if edited != "area":
        in_study(store, edited)
    for asset in ("location_predictions", "lsoa_predictions"):
        path = store.folder(asset, "alpha/crime") / "manifest.json"
        manifest = manifest_content(path)
        path.write_text(json.dumps(manifest | {"record": {}}), encoding="utf-8")
    result = harness.run(store, "lsoa_evaluation", "alpha/crime")
    assert harness.metadata(result, "lsoa_evaluation")["skipped"] is True
    record = store.manifest("lsoa_evaluation", "alpha/crime").read_record(tables.SchemeRecord)
    assert record.scheme == "area"


def test_network_and_baselines_are_ranked_by_the_rule_of_the_predictions(store):
    """Though study.toml says another by now, by which the areas are not ranked yet."""
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text('aggregation = "mean_decile"\n' + text, encoding="utf-8")
    result = harness.run(store, "lsoa_evaluation", "alpha/crime")
    assert harness.metadata(result, "lsoa_evaluation")["skipped"] is True
    assert store.manifest("lsoa_evaluation", "alpha/crime").recipe.config["rule"] == "mean_score"


def in_study(store, scheme: str) -> None:
    """Change the scheme of the study file alone."""
    text = store.study_file.read_text(encoding="utf-8")
    text = text.replace("[encoder]", f'[folds]\nscheme = "{scheme}"\n\n[encoder]')
    store.study_file.write_text(text, encoding="utf-8")


def publish_joint(store) -> None:
    """Joint networks of alpha with one head, whose scores are those of the separate networks."""
    scores = store.open("trained_model", "alpha/crime").table("scores.parquet")
    findings = Findings(record=JointRecord(profile_name="recommended", outcomes=("crime",)))
    joint = scores.assign(outcome="crime")
    harness.publish(store, "joint_model", "alpha", findings, joint_model=joint)


def shift_baselines(store) -> None:
    baselines = store.open("baseline_scores", "alpha/crime").table()
    shifted = baselines.assign(score=baselines["score"] + 0.5)
    harness.publish(store, "baseline_scores", "alpha/crime", baseline_scores=shifted)
