"""The services of one study, written once for the tests of a module."""

import pytest

from streetineq_assets.deployment import (
    write_services,
)
from streetineq_tests.deployment.units import AWKWARD, SERVICES
from streetineq_tests.studies import new_study
from streetineq_tests.test_study import MINIMAL


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of an awkwardly named study, and the study."""
    folder = tmp_path_factory.mktemp("services")
    store = new_study(folder / AWKWARD, MINIMAL)
    write_services(store, folder / "out dir", SERVICES)
    return folder / "out dir", store
