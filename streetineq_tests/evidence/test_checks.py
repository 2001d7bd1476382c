"""The checks of matrix and audit: three results, each told with its figures."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.evidence.checks import beats_the_map, no_group_is_missed
from streetineq_assets.evidence.equity import audit
from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_tests.evidence import worlds

NO_GROUPS = pd.DataFrame({"area": [], "grouping": [], "group": []}, dtype="str")


def checked(areas):
    return no_group_is_missed(audit(areas, NO_GROUPS, seed=1))


def test_a_planted_group_is_named_with_its_difference():
    check = checked(worlds.city(np.random.default_rng(0), bias=1.0))
    assert check.result == DOES_NOT_HOLD
    assert "authority group 0 +" in check.description
    assert check.values["n_groups_tested"] == 6


def test_without_a_bias_the_largest_difference_and_the_widest_interval_are_told():
    check = checked(worlds.city(np.random.default_rng(1)))
    assert check.result == HOLDS
    assert "the largest difference is authority group" in check.description
    assert "to either side" in check.description


def of_gains(**lower):
    """Gains by outcome, whose intervals begin there; NaN for none."""
    rows = [
        {"outcome": outcome, "scheme": "spatial_block", "model": JOINT_NETWORK, "n_lsoas": 60}
        | {"metric": "spearman_score", "gain": end + 0.1, "lower": end, "upper": end + 0.2}
        for outcome, end in lower.items()
    ]
    return beats_the_map(pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("lower", "result"),
    [
        ({"crime": 0.1, "education": 0.2}, HOLDS),
        ({"crime": 0.1, "education": np.nan}, NOT_TESTED),
        ({"crime": -0.1, "education": np.nan}, DOES_NOT_HOLD),
        ({"crime": np.nan}, NOT_TESTED),
    ],
)
def test_an_outcome_of_which_nothing_is_known_is_named_and_lets_nothing_pass(lower, result):
    check = of_gains(**lower)
    assert check.result == result
    for outcome, end in lower.items():
        assert (f"{outcome} (60 areas)" in check.description) == np.isnan(end)


def test_without_groups_nothing_was_tested():
    check = checked(worlds.frame(np.arange(60), np.arange(60)[::-1]))
    assert check.result == NOT_TESTED
    assert not check.passed
    assert "inputs/groups" in check.description
