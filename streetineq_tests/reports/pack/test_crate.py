"""The RO-Crate: every file with size and digest, and nothing of the clock."""

import dataclasses
import hashlib
import json

import pytest

from streetineq_assets.reports.pack.writing import write_pack


def entities(folder) -> dict[str, dict]:
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    return {each["@id"]: each for each in graph}


@pytest.fixture(scope="module")
def crate(pack):
    return entities(pack)


def test_every_file_is_a_part_with_its_size_and_digest(pack, crate):
    parts = {each["@id"] for each in crate["./"]["hasPart"]}
    files = {file.name: file for file in pack.iterdir()}
    assert parts == set(files) - {"ro-crate-metadata.json"}
    for name in parts:
        about, content = crate[name], files[name].read_bytes()
        assert about["@type"] == "File"
        assert int(about["contentSize"]) == len(content), name
        assert about["description"]
        assert about["encodingFormat"]
        if name != "SHA256SUMS":  # which has the digest of this one
            assert about["sha256"] == hashlib.sha256(content).hexdigest(), name


def test_it_is_of_the_version_that_is_validated(crate):
    assert crate["ro-crate-metadata.json"]["conformsTo"]["@id"].endswith("/ro/crate/1.3")


def test_its_day_is_the_studys_and_said_to_be(crate):
    root = crate["./"]
    assert root["datePublished"] == "2017-08-01"
    assert "No day of publication was stated" in root["description"]


def test_authors_are_a_placeholder_where_the_study_names_none(crate):
    assert crate["./"]["author"] == {"@id": "#author"}
    assert crate["#author"]["name"] == "Authors to be named"
    assert crate["./"]["license"] == {"@id": "#no-licence"}


def test_what_the_study_states_is_linked(material, tmp_path):
    stated = type(material.study.publication).model_validate(
        {
            "authors": [
                {"name": "A", "orcid": "0000-0002-1825-0097", "affiliation": "U"},
                {"name": "B"},
            ],
            "licence": "CC-BY-4.0",
            "doi": "10.5281/zenodo.1",
            "code": "https://example.org/code",
            "contact": "a@example.org",
            "date": "2026-02-03",
        }
    )
    study = material.study.model_copy(update={"publication": stated})
    write_pack(dataclasses.replace(material, study=study), [], tmp_path)
    found = entities(tmp_path)
    root = found["./"]
    assert root["datePublished"] == "2026-02-03"
    assert "No day" not in root["description"]
    assert [each["@id"] for each in root["author"]] == [
        "https://orcid.org/0000-0002-1825-0097",
        "#author-2",
    ]
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    assert root["identifier"] == "https://doi.org/10.5281/zenodo.1"
    assert found["#streetineq"]["url"] == "https://example.org/code"


def test_inputs_are_named_with_their_digests(material, tmp_path):
    source = {"title": "A table", "provides": "crime", "edition": "2015", "sha256": "ab" * 32}
    told = material.provenance.model_copy(
        update={"sources": (type_of_source(material)(**source),), "synthetic": ()}
    )
    write_pack(dataclasses.replace(material, provenance=told), [], tmp_path)
    found = entities(tmp_path)
    about = found["#input-1"]
    assert (about["name"], about["sha256"], about["version"]) == ("A table", "ab" * 32, "2015")
    assert {"@id": "#input-1"} in found["#making"]["object"]
    ogl = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
    assert about["license"] == {"@id": ogl}
    assert {"@id": ogl} in found["lsoa_map.gpkg"]["license"]


def type_of_source(material):
    return type(material.provenance).model_fields["sources"].annotation.__args__[0]
