"""The warehouse: views that show what is published now, and nothing else."""

import shutil

import duckdb
import pandas as pd
import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.reports.tables import View
from streetineq_assets.reports.warehouse import (
    PARTITION,
    build_warehouse,
    content_digest,
    digests,
)
from streetineq_assets.store import DataStore
from streetineq_assets.tables import column, schema
from streetineq_tests.harness import publish

SCHEMA = schema(column("lsoa11", "string", "the area's code"), column("n", "int64", "not there"))
AREAS = View("areas", "areas", "Areas of a city.", SCHEMA)
EDGES = View("decile_edges", "areas", "Edges.", SCHEMA, "edges")
LABELS = View("labels", "labels", "Labels.", SCHEMA)


def frame(*codes: str) -> pd.DataFrame:
    return pd.DataFrame({"lsoa11": list(codes)}, dtype="str")


@pytest.fixture
def store(tmp_path) -> DataStore:
    """Two cities' areas (several files each), and one table of labels, below an awkward path."""
    store = DataStore(tmp_path / "it's [the] study*")
    publish(store, "areas", "alpha", areas=frame("E01"), edges=frame("x", "y"))
    publish(store, "areas", "beta", areas=frame("E02", "E03"), edges=frame("z"))
    publish(store, "labels", None, labels=frame("E01", "E02", "E03"))
    return store


@pytest.fixture
def warehouse(store, tmp_path):
    build_warehouse(store, [AREAS, EDGES, LABELS], tmp_path / "w.duckdb")
    with duckdb.connect(tmp_path / "w.duckdb", read_only=True) as connection:
        yield connection


def test_a_view_shows_all_partitions_and_says_which(warehouse):
    rows = warehouse.execute(f"SELECT lsoa11, {PARTITION} FROM areas ORDER BY lsoa11").fetchall()
    assert rows == [("E01", "alpha"), ("E02", "beta"), ("E03", "beta")]
    assert warehouse.execute(f"SELECT DISTINCT {PARTITION} FROM labels").fetchall() == [(None,)]


def test_a_view_may_bear_another_name_than_its_file(warehouse):
    assert warehouse.execute("SELECT count(*) FROM decile_edges").fetchall() == [(3,)]


def test_views_can_be_joined(warehouse):
    query = "SELECT count(*) FROM areas JOIN labels USING (lsoa11)"
    assert warehouse.execute(query).fetchall() == [(3,)]


def test_a_view_shows_what_was_published_after_it_was_made(store, warehouse):
    publish(store, "areas", "alpha", areas=frame("E01", "E04"), edges=frame("x"))
    publish(store, "areas", "gamma", areas=frame("E09"), edges=frame("w"))
    publish(store, "labels", None, labels=frame("E01"))
    assert warehouse.execute("SELECT count(*) FROM areas").fetchall() == [(5,)]
    assert warehouse.execute("SELECT count(*) FROM labels").fetchall() == [(1,)]


def test_drafts_and_other_generations_are_not_shown(store, warehouse):
    """What a crash leaves behind, or what is being replaced, is no row."""
    generation = store.open("areas", "alpha").folder
    shutil.copytree(generation, generation.parent / ".staging-abc")
    shutil.copytree(generation, generation.parent / "0123456789ab")
    assert warehouse.execute("SELECT count(*) FROM areas").fetchall() == [(3,)]


def test_views_and_columns_carry_comments(warehouse):
    views = dict(
        warehouse.execute(
            "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
    )
    assert views == {"areas": "Areas of a city.", "decile_edges": "Edges.", "labels": "Labels."}
    columns = dict(
        warehouse.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'areas'"
        ).fetchall()
    )
    assert set(columns) == {"lsoa11", PARTITION}
    assert columns["lsoa11"] == "the area's code"
    assert columns[PARTITION]


def test_tables_that_are_not_published_have_no_view(store, tmp_path):
    absent = View("models", "models", "-", SCHEMA)
    beside = View("models_of_areas", "areas", "-", SCHEMA)
    rows = build_warehouse(store, [AREAS, absent, beside], tmp_path / "w.duckdb")
    assert rows == {"areas": 3}


def test_empty_tables_fit_with_full_ones(store, tmp_path):
    publish(store, "areas", "gamma", areas=frame(), edges=frame("w"))
    assert build_warehouse(store, [AREAS], tmp_path / "w.duckdb") == {"areas": 3}


def test_a_table_that_cannot_be_read_is_an_error_with_a_remedy(store, tmp_path):
    store.open("areas", "beta").file("areas.parquet").write_bytes(b"<html>")
    with pytest.raises(StoreError, match="materialise all partitions of areas"):
        build_warehouse(store, [AREAS], tmp_path / "w.duckdb")


def test_digests_follow_the_content(store):
    before, whole = digests(store, [AREAS, LABELS]), content_digest(store, [AREAS, LABELS])
    assert digests(store, [AREAS, LABELS]) == before
    publish(store, "labels", None, labels=frame("E07"))
    after = digests(store, [AREAS, LABELS])
    assert after["areas"] == before["areas"]
    assert after["labels"] != before["labels"]
    assert content_digest(store, [AREAS, LABELS]) != whole
