"""An acquisition repeated from its recordings: the same to the bit, and without a network."""

import shutil
import socket

import duckdb
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.errors import ImageryError, StudyError
from streetineq_assets.imagery.repeat import repeat_city
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.harness import publish, run
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.imagery.acquiring_study import BUCKETS, VARIABLE
from streetineq_tests.imagery.faults import Faults
from streetineq_tests.imagery.loopback import TOKEN, Loopback


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with (
        pytest.MonkeyPatch.context() as patch,
        Loopback(acquiring_study.world(), faults=Faults(at={3: "server_error"})) as server,
    ):
        patch.setenv(VARIABLE, TOKEN)
        store = acquiring_study.write(tmp_path_factory.mktemp("study"), server.url)
        run(store, "imagery_plan", "alpha")
        for key in BUCKETS:
            run(store, "imagery", key)
    return store


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv(VARIABLE, raising=False)


def repeated(store, city="alpha"):
    return list(repeat_city(duckdb.connect(), store, load_study(store.study_file), city))


def test_plan_and_images_are_the_same_to_the_bit(store):
    found = repeated(store)
    assert [each.label for each in found] == [
        "imagery_plan[alpha]",
        *(f"imagery[{key}]" for key in BUCKETS),
    ]
    assert [each.differing for each in found] == [()] * 3


def test_the_command_says_it_of_each_artefact_and_fails_where_one_differs(store, tmp_path):
    done = CliRunner().invoke(app, ["replay", "alpha", "--root", str(store.root)])
    assert done.exit_code == 0
    assert done.output.count("the same to the bit") == 3
    other = shutil.copytree(store.root, tmp_path / "copy")
    file = DataStore(other).study_file
    file.write_text(file.read_text().replace("per_area = 3", "per_area = 2"))
    done = CliRunner().invoke(app, ["replay", "alpha", "--root", str(other)])
    assert done.exit_code == 1
    assert "imagery_plan[alpha]: differs" in done.output


def test_other_settings_are_seen(store):
    text = store.study_file.read_text()
    store.study_file.write_text(text.replace("per_area = 3", "per_area = 2"))
    try:
        plan = repeated(store)[0]
    finally:
        store.study_file.write_text(text)
    assert "imagery_plan.parquet" in plan.differing


def test_a_place_that_nobody_was_asked_about_is_named(store, tmp_path):
    copied = DataStore(shutil.copytree(store.root, tmp_path / "copy"))
    elsewhere = acquiring_study.postcodes()
    moved = elsewhere.assign(lat=elsewhere["lat"] + 0.5)
    publish(copied, "postcode_lsoa", None, postcode_lsoa=moved)
    with pytest.raises(ImageryError, match="has no answer to"):
        repeated(copied)


def test_a_city_whose_images_are_its_own_is_refused(store):
    with pytest.raises(StudyError, match="beta"):
        repeated(store, "beta")
