"""`streetineq diff`: a planted change is found and nothing else; text, page and CSV agree."""

import json
import re
import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.reports.differences import text
from streetineq_assets.reports.differences.differences import compare
from streetineq_assets.reports.differences.page import render_page
from streetineq_assets.store import DataStore
from streetineq_tests import studies
from streetineq_tests.harness import publish_again
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.differences.made_up_sides import (
    CRIME,
    areas,
    metrics,
    of_pair,
    side,
    write_pack,
)
from streetineq_tests.reports.pages import Tags

PAIR = "alpha/crime"


def diff(*arguments):
    return CliRunner().invoke(app, ["diff", *map(str, arguments)])


@pytest.fixture(scope="module")
def planted(evaluated_study, tmp_path_factory):
    """A study in which one area moved by four beyond its interval, and one by one within it."""
    root = shutil.copytree(evaluated_study, tmp_path_factory.mktemp("planted") / "study")
    store = DataStore(root)
    table = store.open("lsoa_predictions", PAIR).table().set_index("area")
    table.loc["E01000020", ["decile", "lower", "upper"]] = [10, 9, 10]  # it was 6, of 5 to 7
    table.loc["E01000030", "decile"] = 6  # it was 5, of 4 to 6
    changes = {name: table[name].to_numpy() for name in ("decile", "lower", "upper")}
    publish_again(store, "lsoa_predictions", PAIR, changes=changes)
    made_up_study.make_again(store, "lsoa_evaluation", PAIR)
    return root


def test_identical_copies_are_one_line(evaluated_study, tmp_path):
    copy = shutil.copytree(evaluated_study, tmp_path / "copy")
    result = diff(evaluated_study, copy)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    assert "Nothing differs" in result.stdout
    assert "72 predicted deciles" in result.stdout


def test_planted_moves_are_found_and_nothing_else(evaluated_study, planted, tmp_path):
    result = diff(evaluated_study, planted, "--csv", tmp_path / "moved.csv")
    assert result.exit_code == 0, result.output
    assert "2 moved: 1 beyond both intervals, 0 beyond one, 1 within both" in result.stdout
    assert re.search(r"E01000020  6 \(5 to 7\) -> 10 \(9 to 10\)  beyond both", result.stdout)
    assert re.search(r"E01000030  5 \(4 to 6\) -> 6 \(4 to 6\)  within both", result.stdout)
    assert set(re.findall(r"E0\d{7}", result.stdout)) == {"E01000020", "E01000030"}
    assert "up to location_predictions; the first to differ is lsoa_predictions" in result.stdout
    assert not re.search("Settings|Code versions|Sources|libraries", result.stdout)
    written = pd.read_csv(tmp_path / "moved.csv").set_index("area")
    assert written["move"].to_dict() == {"E01000020": 4, "E01000030": 1}


def test_the_other_order_moves_them_back(evaluated_study, planted):
    result = diff(planted, evaluated_study)
    assert "E01000020  10 (9 to 10) -> 6 (5 to 7)  beyond both" in result.stdout
    assert "2 moved: 1 beyond both intervals, 0 beyond one, 1 within both" in result.stdout


def test_the_page_has_the_same_and_no_place_of_this_machine(evaluated_study, planted, tmp_path):
    result = diff(evaluated_study, planted, "--html", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert tags.open == []
    assert not {tag for tag, _ in tags.found} & {"script", "link", "img", "iframe"}
    assert sum(tag == "table" for tag, _ in tags.found) == page.count("<caption>")
    assert set(re.findall(r"E0\d{7}", page)) == {"E01000020", "E01000030"}
    assert "A is synthetic" in page
    assert str(tmp_path) not in page
    assert str(evaluated_study) not in page


def test_the_same_sides_give_the_same_bytes(evaluated_study, planted, tmp_path):
    once, again = (tmp_path / name for name in ("once.html", "again.html"))
    lines = [diff(evaluated_study, planted, "--html", file).stdout for file in (once, again)]
    assert lines[0].replace("once", "again") == lines[1]
    assert once.read_bytes() == again.read_bytes()


def test_nothing_is_changed_in_what_is_compared(evaluated_study, planted):
    before = {file: file.stat().st_mtime_ns for file in evaluated_study.rglob("*")}
    diff(evaluated_study, planted)
    assert {file: file.stat().st_mtime_ns for file in evaluated_study.rglob("*")} == before


def test_a_setting_a_source_and_code_that_differ_are_named(evaluated_study, tmp_path):
    folders = [write_pack(DataStore(evaluated_study), tmp_path / name) for name in "ab"]
    sources = [CRIME, CRIME.model_copy(update={"sha256": "b" * 64})]
    for folder, source in zip(folders, sources, strict=True):
        told = json.loads((folder / "provenance.json").read_text())
        told["sources"] = [source.model_dump()]
        (folder / "provenance.json").write_text(json.dumps(told))
    pair = told["pairs"][PAIR]
    pair["settings"]["Training: learning rate"] = "0.002"
    pair["code_versions"]["trained_model"] = "4"
    pair["digests"]["trained_model"] = "other"
    (folders[1] / "provenance.json").write_text(json.dumps(told))
    out = diff(*folders).stdout
    assert f"Training: learning rate: 0.001 in A, 0.002 in B ({PAIR})" in out
    assert "File 7: 2015, sha256 aaaaaaaaaaaa in A, 2015, sha256 bbbbbbbbbbbb in B" in out
    assert f"{PAIR}: the same up to area_folds; the first to differ is trained_model: code" in out
    assert "code version test in A, 4 in B" in out
    assert "->" not in out


def test_tables_that_are_not_those_of_the_provenance_are_named(evaluated_study, tmp_path):
    pack = write_pack(DataStore(evaluated_study), tmp_path / "pack", ".csv")
    file = pack / "lsoa_predictions.csv"
    table = pd.read_csv(file)
    table.loc[0, "decile"] = 9
    table.to_csv(file, index=False)
    out = diff(evaluated_study, pack).stdout
    assert "1 moved" in out
    assert "not those that its provenance is of" in out


def test_packs_of_different_studies_have_a_page_that_says_so(tmp_path):
    here = side(areas(("E1", 5, 4, 6)), title="One")
    there = side(
        areas(("W1", 5, 4, 6), city="leeds"), title="Other", pairs={"leeds/crime": of_pair()}
    )
    found = compare(here, there)
    for told in (text.render_text(found), render_page(found)):
        assert "no pair of city and outcome in common" in told
        assert "different studies" in told
        assert "Only A has results of alpha/crime" in told
        assert "Only B has results of leeds/crime" in told
    assert Tags(render_page(found)).open == []


def test_a_study_without_results_is_told(evaluated_study, tmp_path):
    store = studies.new_study(tmp_path / "new", studies.SIMULATED)
    result = diff(evaluated_study, store.root, "--html", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "B has no result" in result.stdout
    assert "B has no result" in (tmp_path / "page.html").read_text(encoding="utf-8")
    both = diff(store.root, store.root)
    assert (both.exit_code, both.stdout.count("A has no result")) == (0, 1)


def test_what_others_wrote_is_escaped():
    nasty = "<script>alert('$x_1$')</script> \"&\x1b[31m"
    b = side(areas(("E<i>", 5, 4, 6)), title=nasty, pairs={PAIR: of_pair(settings={nasty: nasty})})
    found = compare(side(areas(("E1", 5, 4, 6))), b)
    page = render_page(found)
    assert "<script" not in page
    assert "E<i>" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in text.render_text(found)
    assert text.render_text(found).count("\n") < 30


def test_much_is_cut_with_the_number_that_is_left_out(tmp_path):
    codes = [f"E{i:03d}" for i in range(100)]
    a = side(areas(*((code, 1, 1, 2) for code in codes)), metrics(network=0.5))
    b = side(areas(*((code, 9, 8, 10) for code in codes)), metrics(network=0.6))
    found = compare(a, b)
    lines = text.render_text(found).splitlines()
    assert "Moved most: 20 of 100 areas" in lines
    assert sum(line.startswith("  alpha/crime  E") for line in lines) == 20
    assert "the areas that moved most, 20 of 100" in render_page(found)
    assert len(found.areas) == 100


def test_long_lists_are_cut_with_the_number_that_is_left_out():
    many = {f"Setting {i:02d}": "1" for i in range(30)}
    ranked = areas(("E1", 5, 4, 6))
    found = compare(side(ranked), side(ranked, pairs={PAIR: of_pair(settings=many)}))
    assert "and 10 more" in text.render_text(found)
    assert "Setting 29" in render_page(found)


def test_what_is_no_study_is_one_message(evaluated_study, tmp_path):
    result = diff(evaluated_study, tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"streetineq: {tmp_path} is no study and no evidence pack")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--html", "--csv"])
def test_a_file_that_cannot_be_written_is_one_message(evaluated_study, tmp_path, option):
    result = diff(evaluated_study, evaluated_study, option, tmp_path / "absent" / "file")
    assert result.exit_code == 1
    assert "there is no folder" in result.stderr
    assert diff(evaluated_study, evaluated_study, option, tmp_path).exit_code == 2
