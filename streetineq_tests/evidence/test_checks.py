"""The check of an audit: three results, each told with its figures."""

import numpy as np
import pandas as pd

from streetineq_assets.evidence.checks import no_group_is_missed
from streetineq_assets.evidence.equity import audit
from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED
from streetineq_tests.evidence import worlds

NO_GROUPS = pd.DataFrame({"lsoa11": [], "grouping": [], "group": []}, dtype="str")


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


def test_without_groups_nothing_was_tested():
    check = checked(worlds.frame(np.arange(60), np.arange(60)[::-1]))
    assert check.result == NOT_TESTED
    assert not check.passed
    assert "inputs/groups" in check.description
