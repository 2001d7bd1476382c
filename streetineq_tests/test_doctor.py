"""The doctor names what is there and, for what is missing, the official file and its place."""

import json

import h5py
import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.doctor import examine, report_lines
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_tests.harness import publish
from streetineq_tests.test_study import MINIMAL, write

INCOME = (
    "Code,Name,LAD code,Borough,Mean 2012/13,Median 2012/13\n"
    'E01000001,City of London 001A,E09000001,City of London,"?105,400","?66,790"\n'
)


@pytest.fixture
def store(tmp_path):
    write(tmp_path, MINIMAL)
    return DataStore(tmp_path)


def test_missing_sources_are_named_with_their_official_titles(store):
    outcomes = {(o["city"], o["outcome"]): o for o in examine(store)["outcomes"]}
    crime = outcomes["alpha", "crime"]
    assert crime["status"] == "missing"
    assert "File 7" in crime["where"]
    assert str(store.inputs("iod")) in crime["where"]
    assert set(outcomes) == {("alpha", "crime"), ("alpha", "mean_income"), ("beta", "crime")}


def test_a_source_that_is_there_is_found(store):
    store.inputs("household_income").mkdir(parents=True)
    path = store.inputs("household_income", "download (3).csv")
    path.write_text(INCOME)
    outcomes = {(o["city"], o["outcome"]): o for o in examine(store)["outcomes"]}
    income = outcomes["alpha", "mean_income"]
    assert (income["status"], income["where"]) == ("found", str(path))


def test_a_broken_source_is_listed_and_does_not_stop_the_rest(store):
    store.inputs("iod").mkdir(parents=True)
    store.inputs("iod", "File_7.csv").write_text("<!DOCTYPE html><html></html>")
    wrong = [s for s in examine(store)["sources"] if s["status"] == "wrong"]
    assert len(wrong) == 1
    assert "web page" in wrong[0]["where"]


def test_weights_that_are_there_are_named_by_their_hash(store):
    assert examine(store)["weights"]["status"] == "missing"
    path = store.input_file("inputs/weights/vgg16_weights_tf_dim_ordering_tf_kernels.h5")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert empty in examine(store)["weights"]["note"]
    assert examine(store)["weights"]["status"] == "wrong"  # it is no HDF5 file
    with h5py.File(path, "w"):
        pass
    assert examine(store)["weights"]["status"] == "found"
    write(store.root, f'{MINIMAL}\n[encoder]\nweights_sha256 = "{empty}"\n')
    weights = examine(store)["weights"]
    assert (weights["status"], empty in weights["note"]) == ("wrong", True)


def test_the_report_says_what_the_machine_has_and_what_is_missing(store):
    text = "\n".join(report_lines(examine(store)))
    for expected in (
        "tensorflow",
        "SQLite",
        "GB free",
        "mean_income of alpha",
        "crime of 2 cities",
    ):
        assert expected in text


def test_what_is_missing_for_many_is_one_line(store):
    missing = [line for line in report_lines(examine(store)) if line.startswith("missing")]
    assert len(missing) == 2 + 2 + 2  # directory, boundaries; crime, income; lists, images
    (lists,) = [line for line in missing if "locations of 2 cities" in line]
    assert "(beta, alpha)" in lists


def test_json_is_machine_readable(store):
    result = CliRunner().invoke(app, ["doctor", "--root", str(store.root), "--json"])
    assert result.exit_code == 0
    state = json.loads(result.stdout)
    assert state["study"]["title"] == "Two towns"
    assert state["libraries"]["dagster"].startswith("1.13")


def test_wrong_settings_of_the_instance_are_one_line_among_the_others(store):
    store.dagster_home.mkdir()
    store.instance_file.write_text("storage: [")
    state = examine(store)
    assert "dagster.yaml, line 1" in state["instance_storage"]
    assert any("dagster.yaml, line 1" in line for line in report_lines(state))


def test_the_warehouse_of_a_copied_study_is_named(store, tmp_path):
    assert not any(line.startswith("warehouse") for line in report_lines(examine(store)))
    config = {"root": "/elsewhere/study", "variable": "study"}
    recipe = Recipe(code_version="test", config=config)
    publish(store, "warehouse", None, recipe=recipe, any=pd.DataFrame({"n": [1]}))
    (line,) = [line for line in report_lines(examine(store)) if line.startswith("warehouse")]
    assert "/elsewhere/study" in line
    assert f"SET VARIABLE study = '{store.root}'" in line
    assert "materialise warehouse again" in line


def artefacts(store):
    """Status and text of each line on what is published, by what it is of."""
    return {row["what"]: (row["status"], row["where"]) for row in examine(store)["artefacts"]}


def test_a_study_without_results_has_no_lines_on_them(store):
    assert examine(store)["artefacts"] == []


def test_results_that_do_not_match_their_manifests_are_named(store):
    rows = pd.DataFrame({"n": [1]})
    for city in ("alpha", "beta"):
        publish(store, "street_images", city, table=rows)
    publish(store, "lsoa_labels", None, table=rows)
    store.open("street_images", "alpha").file("table.parquet").write_bytes(b"<html>")
    store.manifest_file("lsoa_labels").write_text("{")
    found = artefacts(store)
    assert "street_images[beta]" not in found
    status, text = found["street_images[alpha]"]
    assert (status, "materialise street_images[alpha] again" in text) == ("wrong", True)
    status, text = found["lsoa_labels"]
    assert (status, "manifest.json is damaged" in text) == ("wrong", True)


def test_what_can_be_removed_is_summed_up(store):
    publish(store, "street_images", "gone", table=pd.DataFrame({"n": [1]}))
    publish(store, "street_images", "alpha", table=pd.DataFrame({"n": [1]}))
    (store.folder("street_images", "alpha") / ".staging-1").mkdir()
    status, text = artefacts(store)["2 results or files"]
    assert status == "unneeded"
    assert "streetineq clean" in text


def test_an_instance_that_lost_its_history_is_named_with_the_remedy(store):
    publish(store, "street_images", "alpha", table=pd.DataFrame({"n": [1]}))
    status, text = artefacts(store)["history of the instance"]
    assert status == "doubtful"
    assert "1 of 1 results" in text
    assert "streetineq run" in text
    assert not store.dagster_home.exists()
    lines = report_lines(examine(store))
    assert any("history of the instance" in line for line in lines)
