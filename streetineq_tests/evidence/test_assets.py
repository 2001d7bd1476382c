"""The asset of this step, run by Dagster on published upstreams."""

import shutil

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.findings import Findings
from streetineq_assets.predictions.places import read_places
from streetineq_assets.predictions.slices import read_by
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_assets.tables import conform, empty
from streetineq_tests import harness, studies
from streetineq_tests.evidence import worlds

PAIR = "alpha/crime"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Predictions of a city of 200 areas in four authorities, of which the first is biased."""
    store = studies.new_study(tmp_path_factory.mktemp("study"), studies.SIMULATED)
    areas = worlds.city(np.random.default_rng(0), areas=200, groups=4, bias=1.5)
    publish_predictions(store, areas.drop(index=[7]))
    postcodes = areas[["area", "msoa", "authority"]].assign(city="alpha")
    harness.publish(store, "postcode_lsoa", None, postcode_lsoa=postcodes)
    labels = areas[["area", "value"]].assign(
        city="alpha", outcome="crime", decile=areas["actual"].astype("Int8")
    )
    harness.publish(store, "lsoa_labels", None, lsoa_labels=labels)
    return store


@pytest.fixture(scope="module")
def audited(published):
    return harness.run(published, "equity_audit", PAIR)


@pytest.fixture
def store(published, audited, tmp_path):
    """A copy that a test may change."""
    return DataStore(shutil.copytree(published.root, tmp_path / "study"))


def publish_predictions(store, areas, pair=PAIR, findings=None):
    table = areas.assign(city="alpha", outcome="crime", actual_decile=areas["actual"], fold=0)
    rules = ("decile", "decile_mean_score", "decile_mean_decile", "decile_fixed_borders")
    table = table.assign(**dict.fromkeys(rules, areas["predicted"]), n_locations=1, n_images=4)
    asked = {"decile_shrunk_score": areas["predicted"], "score_shrunk": areas["score"],
             "rank_change": 0, "is_published": True}  # fmt: skip
    table = table.assign(**asked)
    unknown = {name: None for name in LSOA_PREDICTIONS.names if name not in table}
    table = conform(table.assign(**unknown), LSOA_PREDICTIONS)
    harness.publish(store, "lsoa_predictions", pair, findings, lsoa_predictions=table)


def write_groups(store, text):
    path = store.inputs("groups", "mine.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_biased_authority_is_named(published, audited):
    assert harness.failed(audited) == {"no_group_is_missed"}
    assert "authority group 0 +" in harness.checks(audited)["no_group_is_missed"].description
    shown = harness.metadata(audited, "equity_audit")
    assert shown["share_ranked"] == pytest.approx(199 / 200, abs=1e-3)
    assert {"errors_by_group_plot", "reading"} <= set(shown)
    rows = {row.data["group"]: row.data for row in shown["groups"].records}
    assert rows["group 0"]["p_adjusted"] < 0.05
    table = published.open("equity_audit", PAIR)
    harness.assert_schema(table.file("equity_audit.parquet"), EQUITY)
    assert set(table.table()["grouping"]) == {"city", "actual_decile", "authority"}


def test_a_second_run_skips_until_groups_are_brought(store):
    again = harness.run(store, "equity_audit", PAIR)
    assert harness.metadata(again, "equity_audit")["skipped"]
    rows = "".join(f"E01{i:06d},{'ab'[i % 2]}\n" for i in range(150))
    write_groups(store, f"area,half\n{rows}")
    result = harness.run(store, "equity_audit", PAIR)
    shown = harness.metadata(result, "equity_audit")
    assert not shown["skipped"]
    assert "50 of 200 areas have no group" in shown["about_groups"]
    assert set(store.open("equity_audit", PAIR).table()["grouping"]) >= {"half"}


def test_a_spoilt_file_of_groups_stops_the_audit_and_leaves_the_table(store):
    before = store.open("equity_audit", PAIR).digest
    write_groups(store, "area,half\nE01,a\n")
    result = harness.run(store, "equity_audit", PAIR, fails=True)
    assert "mine.csv, line 2" in harness.failure(result)
    assert store.open("equity_audit", PAIR).digest == before


def test_a_pair_without_predictions_is_unavailable(published):
    findings = Findings(unavailable=studies.WITHOUT_INCOME)
    key = "alpha/mean_income"
    none = empty(LSOA_PREDICTIONS)
    harness.publish(published, "lsoa_predictions", key, findings, lsoa_predictions=none)
    result = harness.run(published, "equity_audit", key)
    assert harness.failed(result) == {"available"}
    artefact = published.open("equity_audit", key)
    assert artefact.manifest.unavailable.wanted == studies.WITHOUT_INCOME.wanted
    harness.assert_schema(artefact.file("equity_audit.parquet"), EQUITY)


CHANGES = {
    "lsoa_labels": ("values", {"value": lambda t: -t["value"]}),
    "postcode_lsoa": ("places", {"authority": "E09000001"}),
}


@pytest.mark.parametrize("asset", CHANGES)
def test_what_was_read_is_compared_with_what_stands(store, asset):
    name, changes = CHANGES[asset]
    manifest = store.manifest("equity_audit", PAIR)

    def differing():
        slices = read_by(Standing(store, load_study(store.study_file)), manifest)
        assert set(slices) == set(manifest.recipe.inputs) - {"groups"}
        return {n for n in slices if slices[n].digest() != manifest.recipe.inputs[n]}

    assert differing() == set()
    harness.publish_again(store, asset, None, changes=changes)
    assert differing() == {name}


def test_an_area_has_the_place_of_most_of_its_postcodes(store):
    rows = [("E01000002", "b"), ("E01000001", "b"), ("E01000001", "a"), ("E01000001", "a")]
    rows += [("E01000003", "d"), ("E01000003", "c"), ("E01000004", None), (None, "a")]
    table = pd.DataFrame(rows, columns=["area", "authority"])
    table = table.assign(msoa=table["authority"], city="alpha")
    harness.publish(store, "postcode_lsoa", None, postcode_lsoa=table)
    found = read_places(store, "alpha").set_index("area")["authority"]
    assert found.fillna("none").to_dict() == {
        "E01000001": "a",
        "E01000002": "b",
        "E01000003": "c",
        "E01000004": "none",
    }
