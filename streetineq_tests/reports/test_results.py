"""What the report shows: everything that is published, and why the rest is absent."""

import dataclasses
import json
import shutil

import pandas as pd
import pytest

from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.findings import Findings
from streetineq_assets.labels.tables import POSTCODE_LSOA
from streetineq_assets.predictions.tables import METRICS
from streetineq_assets.reports import checks
from streetineq_assets.reports.results import digests, read_results
from streetineq_assets.transfer.tables import CURVE_SUMMARY
from streetineq_tests import studies
from streetineq_tests.harness import manifest_content, publish
from streetineq_tests.reports import made_up_study


def test_pairs_come_in_the_studys_order_with_their_status(results):
    assert [(each.pair.key, each.status) for each in results.pairs] == [
        ("alpha/crime", "available"),
        ("alpha/mean_income", "unavailable"),
        ("beta/crime", "available"),
    ]
    assert results.pairs[1].unavailable == studies.WITHOUT_INCOME
    profiles = [each.training and each.training.profile_name for each in results.pairs]
    assert profiles == ["recommended", None, "recommended"]


def test_what_is_not_published_is_listed_and_stops_nothing(store, study):
    shutil.rmtree(store.folder("lsoa_evaluation", "beta/crime"))
    shutil.rmtree(store.folder("locations", "beta"))
    found = read_results(store, study)
    assert found.pairs[2].status == "not made yet"
    assert not found.pairs[2].has_results
    assert len(found.pairs[0].metrics) > 0


def test_a_city_without_images_has_no_account_of_them(store, study):
    """Down its chain all is unavailable, and nothing is recorded."""
    nothing = Findings(unavailable=studies.WITHOUT_INCOME)
    publish(store, "hdf5_shards", "beta", nothing, rows=pd.DataFrame({"shard": []}))
    publish(store, "trained_model", "beta/crime", nothing, history=pd.DataFrame({"fold": []}))
    (beta,) = [city for city in read_results(store, study).cities if city.key == "beta"]
    assert beta.encoder is None
    assert not [row for row in beta.account if row["step"] == "images"]


def test_transfer_to_a_pair_that_left_the_study_is_not_shown(store, study):
    """The table of several pairs may be older than study.toml."""
    row = {"share": 0.1, "metric": "spearman", "mean": 0.5, "lowest": 0.4, "highest": 0.6}
    pairs = [("alpha", "crime"), ("alpha", "education"), ("aleph", "crime")]
    table = pd.DataFrame(pairs, columns=["city", "outcome"]).assign(**row, n_repeats=2)
    kinds = {field.name: 0.0 if field.type == "double" else "any" for field in CURVE_SUMMARY}
    missing = {name: kind for name, kind in kinds.items() if name not in table}
    made_up_study.publish(
        store,
        "transfer_report",
        None,
        {"transfer_summary": (table.assign(**missing), CURVE_SUMMARY)},
    )
    shown = read_results(store, study).transfer
    assert shown[["city", "outcome"]].to_numpy().tolist() == [["alpha", "crime"]]


def test_digests_change_with_what_is_read(store, study):
    before = digests(store, study)
    assert before == digests(store, study)
    shutil.rmtree(store.folder("lsoa_evaluation", "beta/crime"))
    after = digests(store, study)
    assert set(before) - set(after) == {"lsoa_evaluation/beta/crime"}


@pytest.mark.parametrize(
    ("asset", "partition"),
    [
        ("street_images", "alpha"),
        ("locations", "alpha"),
        ("hdf5_shards", "beta"),
        ("joint_evaluation", "beta"),
        ("data_audit", "alpha"),
        ("trained_model", "alpha/crime"),
        ("location_predictions", "alpha/mean_income"),
        ("lsoa_predictions", "beta/crime"),
        ("lsoa_evaluation", "alpha/crime"),
        ("transfer_report", None),
    ],
)
def test_digests_change_with_the_content_of_all_that_the_report_shows(
    store, study, asset, partition
):
    publish(store, asset, partition, one=pd.DataFrame({"n": [1]}))
    before = digests(store, study)
    publish(store, asset, partition, one=pd.DataFrame({"n": [2]}))
    after = digests(store, study)
    name = f"{asset}/{partition}" if partition else asset
    assert {key for key in before | after if before.get(key) != after.get(key)} == {name}


@pytest.mark.parametrize("joint", [False, True])
def test_joint_metrics_stand_beside_those_of_their_own_outcome(store, study, joint):
    """And not at all where the networks were cut out of the joint ones, whatever is set by now."""
    crime = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet").head(2)
    crime = crime.assign(model="joint_network", value=[0.25, 0.5])
    income = crime.assign(outcome="mean_income", value=[0.75, 1.0])
    both = pd.concat([crime, income], ignore_index=True)
    made_up_study.publish(store, "joint_evaluation", "alpha", {"joint_evaluation": (both, METRICS)})
    record_of(store, "trained_model", "alpha/crime", joint=joint)
    training = study.training.model_copy(update={"joint": not joint})
    found = read_results(store, study.model_copy(update={"training": training}))
    shown = [
        each.metrics.query("model == 'joint_network'")["value"].tolist() for each in found.pairs
    ]
    assert shown == [[] if joint else [0.25, 0.5], [], []]
    assert "network" in set(found.pairs[0].metrics["model"])


def test_joint_metrics_by_another_rule_are_not_set_beside_the_pairs(store, study):
    crime = store.open("lsoa_evaluation", "alpha/crime").table("metrics.parquet").head(2)
    crime = crime.assign(model="joint_network")
    for rule, n_shown in (("mean_score", 2), ("mean_decile", 0)):
        made_up_study.publish(
            store,
            "joint_evaluation",
            "alpha",
            {"joint_evaluation": (crime, METRICS)},
            config={"rule": rule},
        )
        shown = read_results(store, study).pairs[0].metrics
        assert (shown["model"] == "joint_network").sum() == n_shown


def record_of(store, asset, partition, **changed) -> None:
    """Change fields of what an artefact recorded."""
    path = store.folder(asset, partition) / "manifest.json"
    manifest = manifest_content(path)
    manifest["record"] |= changed
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_listed_locations_are_accounted_for_by_step_and_reason(store, study):
    record = ShardsRecord(
        n_listed=10,
        n_extracted=7,
        n_rejected=1,
        n_missing=2,
        without_codes={"missing_view": 2, "truncated": 1},
        encoder=studies.ENCODER,
        dtype="float16",
    )
    rows = pd.DataFrame({"shard": [0]})
    publish(store, "hdf5_shards", "alpha", Findings(record=record), rows=rows)
    city = next(city for city in read_results(store, study).cities if city.key == "alpha")
    counts = {(row["step"], row["what"]): row["count"] for row in city.account}
    assert counts["images", "listed"] == 10
    parts = ("extracted", "missing view", "truncated")
    assert sum(counts["images", what] for what in parts) == counts["images", "listed"]
    assert counts["areas", "matched to an LSOA"] == 180
    assert counts["areas", "unknown postcode"] == 1
    assert counts["predictions", "predicted out of fold"] == 180
    assert city.encoder == studies.ENCODER


def test_a_study_of_the_version_before_is_accounted_for_too(store, study):
    """Its manifests hold everything among the labels of the UI."""
    values = {"listed": 9, "extracted": 8, "rejected": 1, "missing": 0, "dtype": "float32"}
    reasons = [{"reason": "truncated", "locations": 1}]
    publish(store, "hdf5_shards", "alpha", rows=pd.DataFrame({"shard": [0]}))
    shards = {
        "figures": values | studies.ENCODER_OF_VERSION_1,
        "tables": {"without_codes": reasons},
    }
    as_version_1(store, "hdf5_shards", "alpha", shards)
    as_version_1(store, "location_predictions", "alpha/crime", {"figures": {"n_predicted": 180}})
    city = next(city for city in read_results(store, study).cities if city.key == "alpha")
    counts = {row["what"]: row["count"] for row in city.account}
    assert (counts["listed"], counts["extracted"], counts["truncated"]) == (9, 8, 1)
    assert counts["predicted out of fold"] == 180
    assert city.encoder == studies.ENCODER


def as_version_1(store, asset, partition, summary) -> None:
    path = store.folder(asset, partition) / "manifest.json"
    manifest = manifest_content(path)
    manifest |= {
        "schema_version": 1,
        "summary": {"checks": [], "tables": {}, "notes": {}} | summary,
    }
    path.write_text(json.dumps({k: v for k, v in manifest.items() if k != "record"}))


def test_a_table_in_an_earlier_versions_columns_is_left_out_and_named(store, study):
    old = pd.DataFrame({"city": ["alpha"], "fraction": [0.1], "draws": [5]})
    publish(store, "transfer_report", None, transfer_report=old, transfer_summary=old)
    found = read_results(store, study)
    assert found.transfer.empty
    assert found.outdated == ["transfer_report"]
    assert len(found.pairs[0].metrics) > 0


def test_postcodes_are_those_of_the_studys_cities_with_an_area(store, study):
    assert read_results(store, study).postcodes.empty, "the directory is not published"
    rows = [("BR1 1AA", "alpha", "E01000001"), ("BR1 1AB", "alpha", None), ("ZZ1 1AA", None, "E09")]
    table = pd.DataFrame(rows, columns=["postcode", "city", "area"])
    rest = [name for name in POSTCODE_LSOA.names if name not in table]
    content = {"postcode_lsoa": (table.assign(**dict.fromkeys(rest)), POSTCODE_LSOA)}
    before = digests(store, study)
    made_up_study.publish(store, "postcode_lsoa", None, content)
    (found,) = read_results(store, study).postcodes.itertuples(index=False, name=None)
    assert found == rows[0]
    assert digests(store, study).keys() - before.keys() == {"postcode_lsoa"}


def test_a_pair_that_was_evaluated_without_a_metric_is_not_available(results):
    (crime,) = (each for each in results.pairs if each.pair.key == "alpha/crime")
    assert (crime.status, crime.has_results) == ("available", True)
    bare = dataclasses.replace(crime, metrics=crime.metrics.head(0))
    assert not bare.has_results
    assert "no area has an official decile" in bare.why_absent
    assert bare.why_absent in checks.pairs_available([bare]).description
