"""From which study's folder a view reads: the session's, else its own, and never the wrong one."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streetineq_assets.manifests import Recipe
from streetineq_assets.reports.questions import Question
from streetineq_assets.reports.tables import View
from streetineq_assets.reports.view_sql import PARTITION, WAREHOUSE_FILE, place_sql
from streetineq_assets.reports.warehouse import build_warehouse, caution, disagreement
from streetineq_assets.reports.warehouse import settings as settings_of
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import column, schema
from streetineq_tests.folder_names import FOLDER_NAMES
from streetineq_tests.harness import publish

SCHEMA = schema(column("area", "string", "the area's code"))
AREAS = View("areas", "areas", "Areas of a city.", SCHEMA)
LAST = Question("last", "The last area.", ("areas",), SCHEMA, "SELECT max(area) FROM areas")
STUDY = Study.model_validate(
    {
        "title": "t",
        "date": "2017-08-01",
        "cities": {
            "alpha": {
                "title": "Alpha",
                "authorities": ["E09000001"],
                "buckets": 1,
                "outcomes": ["crime"],
            }
        },
    }
)
NAMES = FOLDER_NAMES.filter(lambda name: "?" not in name)
IS_A_COPY = "of which this one is a copy"


def file_of(store: DataStore) -> Path:
    return store.folder("warehouse") / WAREHOUSE_FILE


def make(root: Path, *codes: str) -> DataStore:
    """A study of these areas, with its warehouse where the asset puts it."""
    store = DataStore(root)
    show(store, *codes)
    file_of(store).parent.mkdir()
    build_warehouse(store, STUDY, [AREAS], file_of(store), [LAST])
    return store


def show(store: DataStore, *codes: str) -> None:
    publish(store, "areas", "alpha", areas=pd.DataFrame({"area": list(codes)}, dtype="str"))


def copied(store: DataStore, root: Path, *codes: str) -> DataStore:
    """A copy of the study in which other areas were published since."""
    copy = DataStore(shutil.copytree(store.root, root))
    show(copy, *codes)
    return copy


def ask(file: Path, sql: str = "SELECT area FROM areas", *before: str) -> list[str]:
    with duckdb.connect(file, read_only=True) as connection:
        for statement in before:
            connection.execute(statement)
        return [value for (value,) in connection.execute(sql).fetchall()]


@pytest.fixture
def store(tmp_path) -> DataStore:
    return make(tmp_path / "city=leeds" / "it's [the] study*", "E01", "E02")


@pytest.fixture
def copy(store, tmp_path) -> DataStore:
    return copied(store, tmp_path / 'the "copy" [2]', "E09")


@pytest.mark.parametrize("sql", ["FROM areas", "SELECT count(*) FROM areas", "FROM last"])
def test_the_warehouse_of_a_copied_study_refuses_to_show_the_originals_rows(copy, sql):
    with pytest.raises(duckdb.InvalidInputException, match=IS_A_COPY):
        ask(file_of(copy), sql)


def test_in_a_copied_study_the_variable_study_names_the_place(store, copy):
    here = place_sql(str(copy.root))
    assert ask(file_of(copy), "SELECT area FROM areas", here) == ["E09"]
    assert ask(file_of(copy), "FROM last", here) == ["E09"]
    assert ask(file_of(copy), "SELECT area FROM areas", f"{here[:-1]}/'") == ["E09"]
    assert ask(file_of(store), "SELECT area FROM areas", here) == ["E09"], "as it was told"
    assert ask(file_of(store), "FROM last", here, "RESET VARIABLE study") == ["E02"]


def test_the_refusal_says_what_to_type(store, tmp_path):
    copy = copied(store, tmp_path / "it's a copy", "E09")
    with pytest.raises(duckdb.InvalidInputException, match=IS_A_COPY) as refused:
        ask(file_of(copy))
    statement = place_sql(str(copy.root))
    assert statement in str(refused.value)
    assert ask(file_of(copy), "FROM last", statement) == ["E09"]


def test_a_study_that_was_moved_answers_where_it_lies_now(store, tmp_path):
    moved = DataStore(store.root.rename(tmp_path / "moved"))
    assert ask(file_of(moved), "FROM last", place_sql(str(moved.root))) == ["E02"]
    with pytest.raises(duckdb.IOException, match="No files found"):
        ask(file_of(moved))


@pytest.mark.parametrize(
    "place", ["study", "./study", "~/study", "/x/../study", "//x", "/a\\b", ""]
)
def test_a_place_that_would_match_no_file_is_refused(copy, place):
    """Names of files are compared as they stand, so that the views would be empty."""
    with pytest.raises(duckdb.InvalidInputException, match="the whole path of a study"):
        ask(file_of(copy), "FROM areas", place_sql(place))


def test_a_place_without_a_study_is_an_error(copy, tmp_path):
    with pytest.raises(duckdb.IOException, match="No files found"):
        ask(file_of(copy), "FROM areas", place_sql(str(tmp_path / "nowhere")))


def test_the_warehouse_is_read_in_its_place_by_any_name_and_beside_others(store, tmp_path):
    (tmp_path / "link").symlink_to(store.root, target_is_directory=True)
    shutil.copy(file_of(store), tmp_path / "taken along.duckdb")
    linked = tmp_path / "link" / file_of(store).relative_to(store.root)
    for name in (file_of(store), linked, tmp_path / "taken along.duckdb"):
        assert ask(name) == ["E01", "E02"]
    assert ask(linked, "FROM last", place_sql(str(tmp_path / "link"))) == ["E02"]
    other = f"ATTACH '{file_of(make(tmp_path / 'other', 'E07'))}' AS other (READ_ONLY)"
    both = "SELECT area FROM areas UNION ALL FROM other.last ORDER BY ALL"
    assert ask(file_of(store), both, other) == ["E01", "E02", "E07"]


def test_one_variable_does_not_speak_for_two_warehouses(store, tmp_path):
    other = file_of(make(tmp_path / "other", "E07"))
    attached = (f"ATTACH '{other}' AS other (READ_ONLY)", place_sql(str(store.root)))
    for sql in ("FROM areas", "FROM other.areas", "FROM other.last"):
        with pytest.raises(duckdb.InvalidInputException, match="two are attached"):
            ask(file_of(store), sql, *attached)


def test_what_opens_the_warehouse_of_a_copied_study_is_cautioned(store, copy):
    for each in (store, copy):
        each.study_file.write_text(
            "title = 't'\ndate = 2017-08-01\n[cities.alpha]\n"
            "title = 'Alpha'\nauthorities = ['E09000001']\nbuckets = 1\noutcomes = ['crime']\n"
        )
        recipe = Recipe(code_version="test", config=settings_of(store, STUDY))
        publish(each, "warehouse", None, recipe=recipe, any=pd.DataFrame({"n": [1]}))
    assert caution(store) is None
    assert disagreement(copy) is None
    assert place_sql(str(copy.root)) in caution(copy)


@settings(max_examples=8, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=2), elsewhere=NAMES)
@example(names=["area=E99", "partition_key=x", "city=leeds"], elsewhere="it's [a-z]* \"$~%")
def test_a_view_shows_the_files_alone_wherever_the_study_lies(names, elsewhere):
    with TemporaryDirectory() as root:
        store = make(Path(root, "a", *names), "E01")
        with duckdb.connect(file_of(store), read_only=True) as connection:
            view = connection.table("areas")
            assert (view.columns, view.fetchall()) == (["area", PARTITION], [("E01", "alpha")])
        copy = copied(store, Path(root, "b", elsewhere), "E02")
        assert ask(file_of(copy), "FROM last", place_sql(str(copy.root))) == ["E02"]
