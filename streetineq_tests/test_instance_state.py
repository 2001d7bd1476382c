"""What a study's Dagster instance lost, and what it still holds."""

import sqlite3

import dagster as dg
import pandas as pd
import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.errors import StoreError
from streetineq_assets.instance_state import (
    LAUNCHER,
    clear_instance_errors,
    open_instance,
    unrecorded,
    waiting_slots,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import ensure_instance
from streetineq_tests.harness import publish
from streetineq_tests.studies import new_study
from streetineq_tests.test_study import MINIMAL

ROWS = pd.DataFrame({"n": [1]})


@dg.op
def nothing():
    pass


@dg.job
def idle():
    nothing()


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> DataStore:
    """One for all tests: to make an instance takes seconds."""
    store = new_study(tmp_path_factory.mktemp("instance") / "study", MINIMAL)
    ensure_instance(store)
    return store


def test_what_was_published_and_never_recorded_is_named(store):
    published = [
        publish(store, "lsoa_labels", None, table=ROWS),
        publish(store, "street_images", "alpha", table=ROWS),
        publish(store, "street_images", "beta", table=ROWS),
    ]
    with open_instance(store) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization("street_images", partition="alpha")
        )
    assert unrecorded(store, published) == ["lsoa_labels", "street_images[beta]"]
    with open_instance(store) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("lsoa_labels"))
    assert unrecorded(store, published) == ["street_images[beta]"]


def test_a_study_without_an_instance_has_lost_all_and_none_is_made(tmp_path):
    store = new_study(tmp_path / "study", MINIMAL)
    published = [publish(store, "lsoa_labels", None, table=ROWS)]
    assert unrecorded(store, published) == ["lsoa_labels"]
    assert waiting_slots(store) == {}
    assert not store.dagster_home.exists()


def test_a_slot_is_named_once_its_run_has_ended(store):
    with open_instance(store) as instance:
        run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED)
        log = instance.event_log_storage
        log.initialize_concurrency_limit_to_default("gpu")
        log.claim_concurrency_slot("gpu", run.run_id, "step")
        assert waiting_slots(store) == {}
        instance.report_run_failed(run)
        assert waiting_slots(store) == {run.run_id: "gpu"}
        log.free_concurrency_slots_for_run(run.run_id)


def test_nothing_is_removed_while_a_run_is_in_progress(store):
    """A run of a killed `streetineq run` is not in progress: nobody holds the study."""
    command = ["clean", "--root", str(store.root), "--yes"]
    publish(store, "street_images", "gone", table=ROWS)
    with open_instance(store) as instance:
        instance.create_run_for_job(idle, tags=LAUNCHER, status=dg.DagsterRunStatus.STARTED)
        run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED)
        refused = CliRunner().invoke(app, command)
        assert refused.exit_code == 1
        assert run.run_id in refused.stderr
        assert store.folder("street_images", "gone").exists()
        instance.report_run_failed(run)
    assert CliRunner().invoke(app, command).exit_code == 0
    assert not store.folder("street_images", "gone").exists()


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("database or disk is full", "the disk is full while writing"),
        ("attempt to write a readonly database", "attempt to write a readonly database"),
    ],
)
def test_what_sqlite_says_of_its_disk_is_one_sentence(store, sentence, told):
    with pytest.raises(StoreError, match=told) as caught, clear_instance_errors(store):
        raise OperationalError("INSERT", {}, sqlite3.OperationalError(sentence))
    assert str(store.dagster_home) in str(caught.value)


def test_other_errors_of_the_database_are_not_explained(store):
    with pytest.raises(sqlite3.OperationalError, match="no such"), clear_instance_errors(store):
        raise OperationalError("SELECT", {}, sqlite3.OperationalError("no such table"))
