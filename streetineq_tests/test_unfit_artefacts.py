"""What is said of artefacts that no evidence can rest on.

Scores that are no number, networks that are older than their labels, boundaries of other areas.
"""

import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.evidence import checks as of_evidence
from streetineq_assets.findings import DOES_NOT_HOLD, Findings
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.models.tables import BUFFERS, JointRecord
from streetineq_assets.predictions import plots
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.store import DataStore
from streetineq_assets.tables import empty
from streetineq_tests import downstream, harness, studies
from streetineq_tests.downstream import City, city, with_areas

PAIR = "alpha/crime"
OF_PAIR = ("location_predictions", "lsoa_predictions", "lsoa_evaluation", "equity_audit")

# -- scores that are no number ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A city without faults, with its folds."""
    return downstream.write(tmp_path_factory.mktemp("sound"), {"alpha": city()})


@pytest.fixture
def store(sound, tmp_path, monkeypatch):
    """A copy of it, to be changed at will; pictures, which take longest, are not drawn."""
    monkeypatch.setattr(plots, "save_png", lambda _, path: path.write_bytes(b"not rendered"))
    return DataStore(shutil.copytree(sound.root, tmp_path / "study"))


def with_a_score_that_is_none() -> pd.DataFrame:
    locations = city().locations
    return locations.assign(h=locations["h"].mask(locations.index == 7))


def test_a_network_score_that_is_no_number_is_named_and_publishes_nothing(store):
    spoilt = with_a_score_that_is_none()
    downstream.publish_scores(store, "alpha", spoilt)
    refused = harness.run(store, "location_predictions", PAIR, fails=True)
    assert harness.failed(refused) == {"probabilities"}
    assert spoilt["location_id"][7] in harness.failure(refused)
    assert store.manifest("location_predictions", PAIR) is None


def test_a_joint_score_that_is_no_number_is_named_and_publishes_nothing(store):
    spoilt = with_a_score_that_is_none()
    scores = downstream.network_scores(store, "alpha", spoilt).assign(outcome="crime")
    record = JointRecord(profile_name="recommended", outcomes=("crime",))
    harness.publish(store, "joint_model", "alpha", Findings(record=record), joint_model=scores)
    refused = harness.run(store, "joint_evaluation", "alpha", fails=True)
    assert harness.failed(refused) == {"probabilities"}
    assert spoilt["location_id"][7] in harness.failure(refused)


@pytest.mark.slow
def test_a_further_seed_with_such_a_score_is_left_out_and_that_is_said(store):
    downstream.publish_scores(
        store, "alpha", city().locations, lambda first: first.assign(h=np.float32("nan"))
    )
    for asset in ("baseline_scores", *OF_PAIR[:2]):
        harness.run(store, asset, PAIR)
    shown = harness.metadata(harness.run(store, "lsoa_evaluation", PAIR), "lsoa_evaluation")
    assert "1 of 1" in shown["seeds_left_out"]
    assert "One seed" in shown["headline"]


def test_scores_under_a_scheme_that_are_no_number_are_left_out_and_no_model_passes_on_them():
    areas = pd.DataFrame({"area": ["E01000000"], "fold": [0], "scheme": "area"})
    models = ["map_knn", "map_gaussian_process", "map_msoa_mean", JOINT_NETWORK]
    scores = areas.merge(pd.DataFrame({"model": models, "score": [5.0, np.nan, 5.0, 0.1]}), "cross")
    scores = scores.assign(outcome="crime", seed=0)
    table = FoldTable(areas, empty(BUFFERS))
    found = {c.name: c for c in of_evidence.score_checks(scores, table, ["crime"])}
    assert found["all_models"].result == DOES_NOT_HOLD


# -- networks older than their labels --------------------------------------------------------------


def test_networks_of_other_labels_are_refused_with_the_names_of_both(store):
    areas, locations = city()
    downstream.publish_scores(store, "alpha", locations)
    scores = downstream.network_scores(store, "alpha", locations).assign(outcome="crime")
    record = JointRecord(profile_name="recommended", outcomes=("crime",))
    recipe = store.manifest("trained_model", PAIR).recipe
    findings = Findings(record=record)
    harness.publish(store, "joint_model", "alpha", findings, recipe, joint_model=scores)
    turned = City(areas.assign(decile=np.roll(areas["decile"], 7)), locations)
    downstream.publish_labels(store, {"alpha": turned})
    for asset in ("location_predictions", "baseline_scores"):
        said = harness.failure(harness.run(store, asset, PAIR, fails=True))
        assert "trained_model[alpha/crime]" in said, asset
        assert "labels of alpha" in said, asset
        assert store.manifest(asset, PAIR) is None
    joint = harness.failure(harness.run(store, "joint_evaluation", "alpha", fails=True))
    assert "joint_model[alpha]" in joint
    assert "labels of alpha" in joint


@pytest.mark.slow
def test_a_scheme_of_other_labels_is_left_out_of_the_matrix_and_named(store):
    downstream.publish_scores(store, "alpha", city().locations)
    harness.run(store, "baseline_scores", PAIR)
    downstream.publish_schemes(store, "alpha", city().locations)
    downstream.publish_labels(store, {"alpha": with_areas(value=0.5, decile=1)})
    found = harness.checks(harness.run(store, "evidence_matrix", "alpha"))["available"]
    assert not found.passed
    for fact in ("scheme_scores[alpha/area]", "labels of alpha"):
        assert fact in found.description


# -- boundaries ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_boundaries_of_other_areas_are_counted_and_the_areas_stay_on_the_map(store):
    areas, locations = city()
    downstream.publish_scores(store, "alpha", locations)
    for asset in ("baseline_scores", *OF_PAIR):
        harness.run(store, asset, PAIR)
    absent = placed(store)
    assert "holds no file" in absent.description
    for n_known, codes in ((0, areas["area"].str.replace("E010", "E019")), (60, areas["area"])):
        studies.write_boundaries(store, dict(zip(codes, squares(areas), strict=True)))
        found = placed(store)
        assert found.passed == (n_known == 60)
        if not found.passed:
            assert "60 of 60" in found.description
            assert "E01000000" in found.description
        assert found.metadata["n_areas_without_geometry"].value == 0


def placed(store: DataStore) -> Any:
    return harness.checks(harness.run(store, "inequality_report"))["areas_placed"]


def squares(areas: pd.DataFrame) -> list[list[tuple[float, float]]]:
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    places = zip(areas["lat"], areas["lon"], strict=True)
    return [[(lon + 0.002 * x, lat + 0.002 * y) for x, y in corners] for lat, lon in places]
