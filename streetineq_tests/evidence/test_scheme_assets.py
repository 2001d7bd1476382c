"""Scores under every scheme, and the matrix of them, as assets."""

import pytest

from streetineq_assets.evidence.tables import EVIDENCE_MATRIX, SCHEME_SCORES, SchemeRecord
from streetineq_tests import studies
from streetineq_tests.harness import assert_schema, checks, failed, metadata, run

TOML = studies.WITH_CODES.replace("seeds = 1", "seeds = 2").replace("epochs = 3", "epochs = 2")
MODELS = {"joint_network", "map_knn", "ridge", "map_and_score"}


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A study whose city is scored under two schemes of six, and the runs' results."""
    store = studies.write_with_codes(tmp_path_factory.mktemp("evidence"), toml=TOML)
    run(store, "area_folds", "alpha")
    results = {each: run(store, "scheme_scores", f"alpha/{each}") for each in ("area", "location")}
    return store, results


def test_every_model_has_a_score_of_every_area_and_outcome(scored):
    store, _ = scored
    artefact = store.open("scheme_scores", "alpha/area")
    table = artefact.table()
    assert_schema(artefact.file("scheme_scores.parquet"), SCHEME_SCORES)
    assert set(table["model"]) >= MODELS
    assert set(table["outcome"]) == {"crime", "education"}  # income is unavailable
    sizes = table[table["seed"] == 0].groupby(["outcome", "model"]).size()
    assert set(sizes) == {50}
    assert table.groupby("model")["seed"].nunique()["joint_network"] == 2
    assert artefact.manifest.read_record(SchemeRecord).n_seeds == 2


def test_seeds_train_other_networks(scored):
    table = scored[0].open("scheme_scores", "alpha/area").table()
    own = table[(table["model"] == "joint_network") & (table["outcome"] == "crime")]
    wide = own.pivot_table(index="area", columns="seed", values="score")
    assert (wide[0] != wide[1]).all()


def test_where_locations_are_split_the_leak_is_told(scored):
    _, results = scored
    assert "leak" in metadata(results["location"], "scheme_scores")
    assert "leak" not in metadata(results["area"], "scheme_scores")


def test_a_second_run_skips(scored):
    store, _ = scored
    assert metadata(run(store, "scheme_scores", "alpha/area"), "scheme_scores")["skipped"]


def test_work_in_progress_is_gone_once_it_is_published(scored):
    store, _ = scored
    assert list(store.folder("scheme_scores", "alpha/area").rglob(".work")) == []


def test_the_matrix_is_of_the_schemes_that_were_scored_and_names_the_others(scored):
    store, _ = scored
    result = run(store, "evidence_matrix", "alpha")
    artefact = store.open("evidence_matrix", "alpha")
    table = artefact.table()
    assert_schema(artefact.file("evidence_matrix.parquet"), EVIDENCE_MATRIX)
    assert set(table["scheme"]) == {"area", "location"}
    assert {"evidence_matrix.png", "folds.png", "gains.parquet"} <= set(artefact.manifest.files)
    found = checks(result)["all_schemes"]
    assert not found.passed
    assert "scheme_scores[alpha/district]" in found.description
    assert "not_flattered" in failed(result)  # spatial blocks were not tried


def test_a_city_without_any_scores_is_unavailable(scored):
    store, _ = scored
    run(store, "area_folds", "hamlet")
    result = run(store, "evidence_matrix", "hamlet")
    assert metadata(result, "evidence_matrix")["status"] == "unavailable"
    assert failed(result) == {"available"}


def test_a_city_with_too_few_areas_has_no_scores(scored):
    store, _ = scored
    result = run(store, "scheme_scores", "hamlet/area")
    assert metadata(result, "scheme_scores")["status"] == "unavailable"
    assert store.open("scheme_scores", "hamlet/area").table().empty
