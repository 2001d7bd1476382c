"""A pack as a whole: all files are there, verified, linked, and the same when made again."""

import dataclasses
import datetime as dt
import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from streetineq_assets.reports.pack.writing import write_pack
from streetineq_tests.harness import check_of
from streetineq_tests.reports.pack.conftest import cells

FILES = {
    "README.md",
    "SHA256SUMS",
    "comparisons.csv",
    "data_dictionary.csv",
    "equity_audit.csv",
    "exemplars.csv",
    "explanations.parquet",
    "lsoa_map.gpkg",
    "lsoa_map.parquet",
    "lsoa_predictions.csv",
    "lsoa_predictions.parquet",
    "metrics.csv",
    "metrics.parquet",
    "model_card.md",
    "provenance.json",
    "reforms.csv",
    "reforms.md",
    "report.html",
    "ro-crate-metadata.json",
    "tripod_ai.csv",
    "tripod_ai.md",
}


def digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}


def test_the_folder_is_flat_and_has_every_file(pack):
    assert set(digests(pack)) == FILES


def test_made_again_it_is_the_same_bytes(material, pack, tmp_path):
    """Whatever the clock says, and whenever the report was written."""
    time.sleep(1.1)  # past a second, which is what files and archives write
    os.utime(material.report, (1, 1))
    write_pack(material, [], tmp_path)
    assert digests(tmp_path) == digests(pack)


def test_sha256sum_accepts_it_and_finds_a_change(material, tmp_path):
    write_pack(material, [], tmp_path)
    command = ["sha256sum", "-c", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    listed = {line.split("  ")[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()}
    assert listed == FILES - {"SHA256SUMS"}
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("\n")
    found = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "metrics.csv: FAILED" in found.stdout


def test_the_report_is_copied_as_it_is(material, pack):
    assert (pack / "report.html").read_bytes() == material.report.read_bytes()


def test_the_readme_names_every_file(pack):
    named = set(re.findall(r"^\| `([^`]+)` \|", (pack / "README.md").read_text(), re.MULTILINE))
    assert named == FILES


@pytest.mark.parametrize("name", ["README.md", "model_card.md", "reforms.md", "tripod_ai.md"])
def test_what_is_synthetic_is_called_so(pack, name):
    assert "ynthetic: areas, statistics and images are invented" in (pack / name).read_text()


def test_no_file_tells_when_or_where_it_was_made(material, pack):
    today = dt.datetime.now(dt.UTC).date().isoformat()
    for file in pack.iterdir():
        content = file.read_bytes()
        for place in (material.report.parent, pack, Path.home()):
            assert str(place).encode() not in content, (file.name, place)
        assert today.encode() not in content, file.name


@pytest.mark.parametrize("name", ["reforms.csv", "tripod_ai.csv"])
def test_every_source_of_an_answer_is_there(pack, name):
    """The file, the section of the page, the place in the JSON."""
    page = (pack / "report.html").read_text()
    sources = {s for cell in cells(pack, name)["source"] for s in cell.split("; ") if s}
    assert len(sources) > 8
    for source in sources:
        file, _, place = source.partition("#")
        assert file in FILES, source
        if file == "report.html":
            assert f'id="{place}"' in page, source
        elif place:
            found = json.loads((pack / file).read_text())
            for step in place.removeprefix("/").split("/"):
                found = found[step]


def test_a_report_of_something_else_is_told(material, tmp_path):
    findings = write_pack(material, ["lsoa_evaluation/alpha/crime", "history"], tmp_path)
    check = check_of(findings, "report_is_current")
    assert not check.passed
    assert "lsoa_evaluation/alpha/crime" in check.description
    assert "lsoa\\_evaluation/alpha/crime" in (tmp_path / "README.md").read_text()


def test_a_report_of_what_stands_passes(material, tmp_path):
    findings = write_pack(material, [], tmp_path)
    assert check_of(findings, "report_is_current").passed
    assert findings.holdings == {
        "areas of alpha/crime": 60,
        "areas of alpha/mean_income": 0,
        "areas of beta/crime": 12,
    }


def test_what_the_study_states_of_itself_is_told(material, tmp_path):
    stated = type(material.study.publication).model_validate(
        {
            "authors": [{"name": "Ada O'Neil", "affiliation": "A <University>"}],
            "licence": "CC-BY-4.0",
            "doi": "10.5281/zenodo.1",
            "contact": "ada@example.org",
            "date": "2026-02-03",
        }
    )
    study = material.study.model_copy(update={"publication": stated})
    findings = write_pack(dataclasses.replace(material, study=study), [], tmp_path)
    readme = (tmp_path / "README.md").read_text()
    cited = "Ada O'Neil (2026). Two towns. Evidence pack. https://doi.org/10.5281/zenodo.1"
    assert cited in readme
    assert "Licence: CC-BY-4.0" in readme
    assert "ada@example.org" in readme
    assert "to_be_stated" not in findings.notes


def test_placeholders_are_told_where_the_study_states_nothing(material, tmp_path):
    findings = write_pack(material, [], tmp_path)
    assert "authors, licence, date" in findings.notes["to_be_stated"]
    readme = (tmp_path / "README.md").read_text()
    assert "Authors to be named" in readme
    assert "No licence was chosen" in readme
