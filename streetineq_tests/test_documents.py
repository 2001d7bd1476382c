"""What the READMEs say of names, settings, tables and files is so."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import get_args

import duckdb
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.images.rights import known_terms
from streetineq_assets.reports.questions import QUESTIONS
from streetineq_assets.reports.tables import warehouse_views
from streetineq_assets.reports.view_sql import WAREHOUSE_FILE
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_tests.harness import failed, run
from streetineq_tests.reports import made_up_study

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "data/README.md",
    "streetineq_assets/README.md",
    "streetineq_assets/docs/using_a_pack.md",
    "streetineq_tests/README.md",
)
TERMS = known_terms().values()
MANUAL = (REPOSITORY / "data/README.md").read_text(encoding="utf-8")


def anchors(page):
    """The anchors that a renderer gives to headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def settings_of(model):
    """Every key of `study.toml`, without the fields of profiles."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if name in ("cities", "imagery") and model is Study:  # a table of tables; one or none
            (kind,) = [part for part in get_args(kind) if hasattr(part, "model_fields")]
        of_union = [part for each in get_args(kind) for part in get_args(each)]
        tables = [part for part in [kind, *of_union] if hasattr(part, "model_fields")]
        for table in tables:
            yield from settings_of(table)
        if not tables:
            yield name


def blocks(language):
    """Page and text of each block of code in a language."""
    return [
        (page, block)
        for page in PAGES
        for own, block in re.findall(
            r"^```(\w*)\n(.*?)^```$",
            (REPOSITORY / page).read_text(encoding="utf-8"),
            re.DOTALL | re.MULTILINE,
        )
        if own == language
    ]


def commands(name):
    """Page and line of each command of `streetineq` that stands in a block of code."""
    lines = [(page, line) for page, block in blocks("") for line in block.splitlines()]
    return [(page, line) for page, line in lines if f"streetineq {name} " in line]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    path = REPOSITORY / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_the_pictures_are_small():
    pictures = list((REPOSITORY / "streetineq_assets/docs").glob("*.png"))
    assert len(pictures) == 2
    assert sum(picture.stat().st_size for picture in pictures) < 250_000


def test_the_study_of_one_borough_is_complete():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    study, imagery = re.findall(r"```toml\n(.+?)```", readme, re.DOTALL)
    assert list(Study.model_validate(tomllib.loads(study)).cities) == ["camden"]
    acquiring = Study.model_validate(tomllib.loads(f"{study}\n{imagery}"))
    assert acquiring.acquires("camden")


def test_the_manual_names_every_table_with_its_columns():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| .+ \| `([^`]+)` \|$", MANUAL, re.MULTILINE)
    described = {name: (asset, columns.split(", ")) for name, asset, columns in rows}
    deciles = [f"p_{decile}" for decile in range(1, 11)]
    for view in warehouse_views(acquires=True):
        asset, columns = described.pop(view.name)
        if "p_1 … p_10" in columns:
            at = columns.index("p_1 … p_10")
            columns[at : at + 1] = deciles
        shown = [name for name in view.schema.names if name not in view.pictures]
        assert (asset, columns) == (view.asset, shown)
    assert described == {}


def test_the_manual_names_every_ready_question_with_what_it_needs_and_its_columns():
    rows = re.findall(r"^\| `(\w+)` \| [^`].+ \| `([^`]+)` \| `([^`]+)` \|$", MANUAL, re.MULTILINE)
    described = {name: (needs.split(", "), columns.split(", ")) for name, needs, columns in rows}
    assert described == {
        question.name: ([*question.needs], question.schema.names) for question in QUESTIONS
    }


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A study in which every table is published, with its warehouse."""
    store = made_up_study.write(tmp_path_factory.mktemp("asked") / "study")
    made_up_study.publish_the_rest(store)
    assert not failed(run(store, "warehouse"))
    return store


@pytest.mark.parametrize(("page", "command"), commands("query"))
def test_every_query_that_is_shown_is_answered(asked, page, command, tmp_path):
    shown = shlex.split(command)
    if "--csv" in shown:
        shown[shown.index("--csv") + 1] = str(tmp_path / "answer.csv")
    shown[shown.index("--root") + 1] = str(asked.root)
    result = CliRunner().invoke(app, shown[shown.index("query") :])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_ready_question_has_an_example(question):
    assert any(question.name in command for page, command in commands("query") if "data" in page)


@pytest.mark.parametrize(("page", "statements"), blocks("sql"))
def test_sql_that_is_shown_for_other_programs_runs_in_a_copied_study(
    asked, page, statements, tmp_path
):
    copy = DataStore(shutil.copytree(asked.root, tmp_path / "copy"))
    there = statements.replace("/new/place/my_study", str(copy.root))
    assert there != statements
    with duckdb.connect(copy.open("warehouse").file(WAREHOUSE_FILE), read_only=True) as connection:
        assert connection.execute(there).fetchall()


def test_the_manual_names_all_terms_with_what_they_allow():
    rows = re.findall(r"^\| (provider|licence) \| `([^`]+)` \| (.+) \|$", MANUAL, re.MULTILINE)
    described = [(kind, name, tuple(cells.split(" | "))) for kind, name, cells in rows]
    known = {(t.kind, t.name): (t.kind, t.name, tuple(t.permits.values())) for t in TERMS}
    assert described == list(known.values())


@pytest.mark.parametrize("name", sorted(set(settings_of(Study))))
def test_the_manual_names_every_setting(name):
    assert re.search(rf"`{name}`|^{name} = ", MANUAL, re.MULTILINE), name


def test_the_ways_of_data_lead_through_modules_that_exist():
    page = (REPOSITORY / "streetineq_assets/README.md").read_text(encoding="utf-8")
    ways = page.split("### Followed as data")[1].split("\n## ")[0]
    modules = set(re.findall(r"`(\w+(?:/\w+)+)`", ways))
    assert len(modules) > 20
    for module in modules:
        assert (REPOSITORY / "streetineq_assets" / f"{module}.py").is_file(), module
