"""The warehouse: views that show what is published now, and nothing else."""

import shutil

import duckdb
import pandas as pd
import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.reports.tables import View
from streetineq_assets.reports.view_sql import PARTITION
from streetineq_assets.reports.warehouse import (
    build_warehouse,
    content_digest,
    digests,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import column, schema
from streetineq_tests.harness import publish

SCHEMA = schema(column("area", "string", "the area's code"), column("n", "int64", "not there"))
AREAS = View("areas", "areas", "Areas of a city.", SCHEMA)
EDGES = View("decile_edges", "areas", "Edges.", SCHEMA, "edges")
LABELS = View("labels", "labels", "Labels.", SCHEMA)


def study_of(**outcomes: list[str]) -> Study:
    """A study of cities with their outcomes."""
    cities = {
        city: {
            "title": city,
            "authorities": [f"E0900000{number}"],
            "buckets": 1,
            "outcomes": keys,
        }
        for number, (city, keys) in enumerate(outcomes.items(), start=1)
    }
    return Study.model_validate({"title": "t", "date": "2017-08-01", "cities": cities})


STUDY = study_of(alpha=["crime"], beta=["crime"], gamma=["crime"])


def frame(*codes: str) -> pd.DataFrame:
    return pd.DataFrame({"area": list(codes)}, dtype="str")


@pytest.fixture
def store(tmp_path) -> DataStore:
    """Two cities' areas (several files each), and one table of labels, below an awkward path."""
    store = DataStore(tmp_path / "city=leeds" / "decile=3 %" / "it's [the] study*")
    publish(store, "areas", "alpha", areas=frame("E01"), edges=frame("x", "y"))
    publish(store, "areas", "beta", areas=frame("E02", "E03"), edges=frame("z"))
    publish(store, "labels", None, labels=frame("E01", "E02", "E03"))
    return store


@pytest.fixture
def warehouse(store, tmp_path):
    build_warehouse(store, STUDY, [AREAS, EDGES, LABELS], tmp_path / "w.duckdb")
    with duckdb.connect(tmp_path / "w.duckdb", read_only=True) as connection:
        yield connection


def test_a_view_shows_all_partitions_and_says_which(warehouse):
    rows = warehouse.execute(f"SELECT area, {PARTITION} FROM areas ORDER BY area").fetchall()
    assert rows == [("E01", "alpha"), ("E02", "beta"), ("E03", "beta")]
    assert warehouse.execute(f"SELECT DISTINCT {PARTITION} FROM labels").fetchall() == [(None,)]


def test_a_view_may_bear_another_name_than_its_file(warehouse):
    assert warehouse.execute("SELECT count(*) FROM decile_edges").fetchall() == [(3,)]


def test_views_can_be_joined(warehouse):
    query = "SELECT count(*) FROM areas JOIN labels USING (area)"
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


@pytest.mark.parametrize("copy", ["alpha (copy)", "alpha_old", ".Trash-1/alpha", "alpha/backup"])
def test_a_copied_folder_counts_once(store, warehouse, tmp_path, copy):
    folder = store.folder("areas", "alpha")
    shutil.copytree(folder, folder.parent / copy)
    assert warehouse.execute("SELECT count(*) FROM areas").fetchall() == [(3,)]
    assert build_warehouse(store, STUDY, [AREAS], tmp_path / "again.duckdb").rows == {"areas": 3}


def test_a_city_that_left_the_study_is_not_shown(store, tmp_path):
    only_beta = study_of(beta=["crime"])
    assert build_warehouse(store, only_beta, [AREAS], tmp_path / "b.duckdb").rows == {"areas": 2}
    renamed = study_of(beta=["crime"], aleph=["crime"])
    assert build_warehouse(store, renamed, [AREAS], tmp_path / "r.duckdb").rows == {"areas": 2}
    assert digests(store, renamed, [AREAS]) == digests(store, only_beta, [AREAS])


def test_an_outcome_that_left_the_study_is_not_shown(store, tmp_path):
    """Neither its own tables, nor its rows in a table of several outcomes, nor another city's."""
    names = [column(name, "string", name) for name in ("city", "outcome")]
    scores = View("scores", "scores", "Of a pair.", schema(*names))
    joint = View("joint", "joint", "Of a city's pairs.", schema(*names))
    labels = View("made", "lsoa_labels", "Of all that has a file.", schema(*names))
    pairs = [("alpha", "crime"), ("alpha", "education"), ("beta", "crime"), ("old", "crime")]
    table = pd.DataFrame(pairs, columns=["city", "outcome"], dtype="str")
    for city, outcome in pairs:
        mine = table.query("city == @city and outcome == @outcome")
        publish(store, "scores", f"{city}/{outcome}", scores=mine)
    publish(store, "joint", None, joint=table)
    publish(store, "lsoa_labels", None, made=table)
    rows, _ = build_warehouse(store, STUDY, [scores, joint, labels], tmp_path / "w.duckdb")
    assert rows == {"scores": 2, "joint": 2, "made": 3}


def test_earlier_versions_of_duckdb_open_it(store, tmp_path):
    """Files say their format at byte 12: 64 is that of DuckDB 1.0 (`storage/storage_info.cpp`)."""
    build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb")
    content = (tmp_path / "w.duckdb").read_bytes()
    assert content[8:12] == b"DUCK"
    assert int.from_bytes(content[12:20], "little") == 64


def test_a_question_mark_in_the_path_of_a_database_is_named(store, tmp_path):
    with pytest.raises(StoreError, match="rename that folder"):
        build_warehouse(store, STUDY, [AREAS], tmp_path / "why?" / "w.duckdb")


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
    assert set(columns) == {"area", PARTITION}
    assert columns["area"] == "the area's code"
    assert columns[PARTITION]


def test_tables_that_are_not_published_have_no_view(store, tmp_path):
    absent = View("models", "models", "-", SCHEMA)
    beside = View("models_of_areas", "areas", "-", SCHEMA)
    rows, _ = build_warehouse(store, STUDY, [AREAS, absent, beside], tmp_path / "w.duckdb")
    assert rows == {"areas": 3}


def test_empty_tables_fit_with_full_ones(store, tmp_path):
    publish(store, "areas", "gamma", areas=frame(), edges=frame("w"))
    assert build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb").rows == {"areas": 3}


def test_a_table_that_cannot_be_read_is_an_error_with_a_remedy(store, tmp_path):
    store.open("areas", "beta").file("areas.parquet").write_bytes(b"<html>")
    with pytest.raises(
        StoreError, match=r"areas\.parquet is not .*: materialise areas\[beta\] again"
    ):
        build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb")


@pytest.mark.parametrize("damaged", [b"", b'{"asset": "ar', b"\xff\xfe\x00{", b"[]", b"\0" * 400])
def test_one_damaged_manifest_costs_the_rows_of_its_partition_alone(store, warehouse, damaged):
    store.manifest_file("areas", "alpha").write_bytes(damaged)
    assert warehouse.execute("SELECT area FROM areas ORDER BY ALL").fetchall() == [
        ("E02",),
        ("E03",),
    ]


def test_texts_of_a_manifest_do_not_hide_its_rows(store, tmp_path):
    """Backslashes, quotes and letters of other alphabets, of which a view reads none."""
    findings = Findings(notes={"said": 'a \\ "b" \\x41 \\\\ \n Zoë 語 \U0001f600'})
    publish(store, "areas", "alpha", findings, areas=frame("E09"))
    assert build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb").rows == {"areas": 3}


def test_digests_follow_the_content(store):
    before, whole = (
        digests(store, STUDY, [AREAS, LABELS]),
        content_digest(store, STUDY, [AREAS, LABELS]),
    )
    assert digests(store, STUDY, [AREAS, LABELS]) == before
    publish(store, "labels", None, labels=frame("E07"))
    after = digests(store, STUDY, [AREAS, LABELS])
    assert after["areas"] == before["areas"]
    assert after["labels"] != before["labels"]
    assert content_digest(store, STUDY, [AREAS, LABELS]) != whole
