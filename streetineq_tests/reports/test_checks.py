"""Checks of the report."""

import pytest

from streetineq_assets.reports.checks import areas_placed


@pytest.mark.parametrize(
    ("n_without_geometry", "has_boundaries", "passed"),
    [
        pytest.param(0, True, True, id="every area has its boundary"),
        pytest.param(1, True, False, id="one area is on no map"),
        pytest.param(0, False, False, id="areas are points"),
    ],
)
def test_every_area_is_placed_by_its_boundary(n_without_geometry, has_boundaries, passed):
    check = areas_placed(10, n_without_geometry, has_boundaries=has_boundaries)
    assert check.passed is passed
