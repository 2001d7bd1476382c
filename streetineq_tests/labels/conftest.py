"""A study whose labels are published, made once; tests that spoil it take a copy."""

import pytest

from streetineq_tests.labels.study import copy_study, make_study, run


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The study's root; read it, do not change it."""
    root = make_study(tmp_path_factory.mktemp("labels") / "study")
    assert run(root).success
    return root


@pytest.fixture
def spoilable(published, tmp_path):
    """A copy of the published study."""
    return copy_study(published, tmp_path / "study")
