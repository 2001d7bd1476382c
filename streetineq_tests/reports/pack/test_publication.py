"""`[publication]` in study.toml: what a study says of itself, refused where it cannot be meant."""

import pytest

from streetineq_assets.errors import StudyError
from streetineq_assets.study import load_study
from streetineq_tests import studies


def loaded(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(f"{studies.two_towns()}\n[publication]\n{text}\n", encoding="utf-8")
    return load_study(path).publication


def test_what_is_stated_is_read(tmp_path):
    stated = loaded(
        tmp_path,
        """
        authors = [{ name = "Ada", orcid = "0000-0002-1825-0097", affiliation = "U" }]
        licence = "CC-BY-4.0"
        doi = "10.5281/zenodo.123"
        code = "https://example.org/code/v1"
        contact = "a@example.org"
        date = 2026-03-01
        """,
    )
    assert stated.authors[0].orcid == "0000-0002-1825-0097"
    assert stated.date.isoformat() == "2026-03-01"


def test_all_of_it_is_optional(tmp_path):
    stated = loaded(tmp_path, "")
    assert (stated.authors, stated.licence, stated.date) == ((), None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('authors = [{ name = "Ada", orcid = "1234" }]', r"authors\.0\.orcid.*0000-0002-1825-0097"),
        ("authors = [{ orcid = '0000-0002-1825-0097' }]", r"authors\.0\.name is missing"),
        ('authors = ["Ada"]', r"authors\.0.*must be a table"),
        ('licence = "all mine, really"', "SPDX identifier"),
        ('licence = "http://example.org"', "SPDX identifier"),
        ('doi = "https://doi.org/10.5281/zenodo.1"', "10.5281/zenodo.1"),
        ('code = "github"', "https://"),
        ('contact = "nobody"', "e-mail address"),
        ('license = "MIT"', "did you mean licence"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_key(tmp_path, text, said):
    with pytest.raises(StudyError, match=said):
        loaded(tmp_path, text)
