"""The warehouse: views that show what is published now, and nothing else."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.reports.tables import View
from streetineq_assets.reports.warehouse import (
    PARTITION,
    WAREHOUSE_FILE,
    build_warehouse,
    content_digest,
    digests,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import column, schema
from streetineq_tests.folder_names import FOLDER_NAMES
from streetineq_tests.harness import publish

SCHEMA = schema(column("lsoa11", "string", "the area's code"), column("n", "int64", "not there"))
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
    return pd.DataFrame({"lsoa11": list(codes)}, dtype="str")


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


@pytest.mark.parametrize("copy", ["alpha (copy)", "alpha_old", ".Trash-1/alpha", "alpha/backup"])
def test_a_copied_folder_counts_once(store, warehouse, tmp_path, copy):
    folder = store.folder("areas", "alpha")
    shutil.copytree(folder, folder.parent / copy)
    assert warehouse.execute("SELECT count(*) FROM areas").fetchall() == [(3,)]
    assert build_warehouse(store, STUDY, [AREAS], tmp_path / "again.duckdb") == {"areas": 3}


def test_a_city_that_left_the_study_is_not_shown(store, tmp_path):
    only_beta = study_of(beta=["crime"])
    assert build_warehouse(store, only_beta, [AREAS], tmp_path / "b.duckdb") == {"areas": 2}
    renamed = study_of(beta=["crime"], aleph=["crime"])
    assert build_warehouse(store, renamed, [AREAS], tmp_path / "r.duckdb") == {"areas": 2}
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
    rows = build_warehouse(store, STUDY, [scores, joint, labels], tmp_path / "w.duckdb")
    assert rows == {"scores": 2, "joint": 2, "made": 3}


@pytest.fixture
def in_place(store):
    """The store with its warehouse where the asset puts it."""
    path = store.folder("warehouse") / WAREHOUSE_FILE
    path.parent.mkdir()
    build_warehouse(store, STUDY, [AREAS], path)
    return store


def test_the_warehouse_of_a_copied_study_refuses_to_show_the_originals_rows(in_place, tmp_path):
    copy = DataStore(tmp_path / "copy")
    shutil.copytree(in_place.root, copy.root)
    publish(copy, "areas", "gamma", areas=frame("E09"), edges=frame("w"))
    with duckdb.connect(copy.folder("warehouse") / WAREHOUSE_FILE, read_only=True) as connection:
        for statement in ("FROM areas", "SELECT count(*) FROM areas"):
            with pytest.raises(duckdb.InvalidInputException, match=r"of which this one is a copy"):
                connection.execute(statement).fetchall()
    build_warehouse(copy, STUDY, [AREAS], copy.folder("warehouse") / "new.duckdb")
    (copy.folder("warehouse") / "new.duckdb").replace(copy.folder("warehouse") / WAREHOUSE_FILE)
    with duckdb.connect(copy.folder("warehouse") / WAREHOUSE_FILE, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM areas").fetchall() == [(4,)]


def test_the_warehouse_is_read_in_its_place_by_any_name_and_beside_others(in_place, tmp_path):
    path = in_place.folder("warehouse") / WAREHOUSE_FILE
    (tmp_path / "link").symlink_to(in_place.root, target_is_directory=True)
    shutil.copy(path, tmp_path / "taken along.duckdb")
    linked = tmp_path / "link" / path.relative_to(in_place.root)
    for name in (path, linked, tmp_path / "taken along.duckdb"):
        with duckdb.connect(name, read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM areas").fetchall() == [(3,)]
    other = DataStore(tmp_path / "other")
    publish(other, "areas", "beta", areas=frame("E07"), edges=frame())
    other.folder("warehouse").mkdir(parents=True)
    build_warehouse(other, STUDY, [AREAS], other.folder("warehouse") / WAREHOUSE_FILE)
    with duckdb.connect(path, read_only=True) as connection:
        own = other.folder("warehouse") / WAREHOUSE_FILE
        connection.execute(f"ATTACH '{own}' AS other (READ_ONLY)")
        both = "SELECT (SELECT count(*) FROM areas), (SELECT count(*) FROM other.areas)"
        assert connection.execute(both).fetchall() == [(3, 1)]


def test_earlier_versions_of_duckdb_open_it(in_place):
    """Files say their format at byte 12: 64 is that of DuckDB 1.0 (`storage/storage_info.cpp`)."""
    content = (in_place.folder("warehouse") / WAREHOUSE_FILE).read_bytes()
    assert content[8:12] == b"DUCK"
    assert int.from_bytes(content[12:20], "little") == 64


@settings(max_examples=8, deadline=None)
@given(names=st.lists(FOLDER_NAMES.filter(lambda name: "?" not in name), min_size=1, max_size=2))
@example(names=["lsoa11=E99", "partition_key=x", "city=leeds"])
def test_a_view_shows_the_files_alone_wherever_the_study_lies(names):
    with TemporaryDirectory() as root:
        store = DataStore(Path(root, *names))
        publish(store, "areas", "alpha", areas=frame("E01"), edges=frame("x"))
        path = store.folder("warehouse") / WAREHOUSE_FILE
        path.parent.mkdir()
        build_warehouse(store, STUDY, [AREAS], path)
        with duckdb.connect(path, read_only=True) as connection:
            view = connection.table("areas")
            assert (view.columns, view.fetchall()) == (["lsoa11", PARTITION], [("E01", "alpha")])


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
    assert set(columns) == {"lsoa11", PARTITION}
    assert columns["lsoa11"] == "the area's code"
    assert columns[PARTITION]


def test_tables_that_are_not_published_have_no_view(store, tmp_path):
    absent = View("models", "models", "-", SCHEMA)
    beside = View("models_of_areas", "areas", "-", SCHEMA)
    rows = build_warehouse(store, STUDY, [AREAS, absent, beside], tmp_path / "w.duckdb")
    assert rows == {"areas": 3}


def test_empty_tables_fit_with_full_ones(store, tmp_path):
    publish(store, "areas", "gamma", areas=frame(), edges=frame("w"))
    assert build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb") == {"areas": 3}


def test_a_table_that_cannot_be_read_is_an_error_with_a_remedy(store, tmp_path):
    store.open("areas", "beta").file("areas.parquet").write_bytes(b"<html>")
    with pytest.raises(
        StoreError, match=r"areas\.parquet is not .*: materialise areas\[beta\] again"
    ):
        build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb")


@pytest.mark.parametrize("damaged", [b"", b'{"asset": "ar', b"\xff\xfe\x00{", b"[]", b"\0" * 400])
def test_one_damaged_manifest_costs_the_rows_of_its_partition_alone(store, warehouse, damaged):
    store.manifest_file("areas", "alpha").write_bytes(damaged)
    assert warehouse.execute("SELECT lsoa11 FROM areas ORDER BY ALL").fetchall() == [
        ("E02",),
        ("E03",),
    ]


def test_texts_of_a_manifest_do_not_hide_its_rows(store, tmp_path):
    """Backslashes, quotes and letters of other alphabets, of which a view reads none."""
    findings = Findings(notes={"said": 'a \\ "b" \\x41 \\\\ \n Zoë 語 \U0001f600'})
    publish(store, "areas", "alpha", findings, areas=frame("E09"))
    assert build_warehouse(store, STUDY, [AREAS], tmp_path / "w.duckdb") == {"areas": 3}


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
