"""What the tests of codes that somebody brings have in common."""

import pytest

from streetineq_tests.codes.importing.forms import Inputs


@pytest.fixture
def inputs(tmp_path):
    """The inputs of an empty study."""
    return Inputs(tmp_path)
