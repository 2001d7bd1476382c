"""Contrasts of groups of clusters: against formulas, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from streetineq_assets.evidence.clustered import MIN_CLUSTERS, UNKNOWN, contrast, holm


def constant(n):
    return np.ones((n, 1))


def test_of_independent_areas_it_is_the_difference_of_means_by_welch():
    """CR2 with clusters of one area and a constant alone is Welch's test (Imbens, Kolesár 2016)."""
    rng = np.random.default_rng(0)
    errors = rng.normal(size=50) * np.repeat([1.0, 3.0], [20, 30])
    member = np.arange(50) < 20
    found = contrast(errors, member, constant(50), np.arange(50))
    welch = stats.ttest_ind(errors[member], errors[~member], equal_var=False)
    assert found.value == pytest.approx(errors[member].mean() - errors[~member].mean())
    standard_error = abs(found.value / welch.statistic)
    reach = (found.upper - found.lower) / 2 / standard_error
    assert stats.t.ppf(0.975, 48) < reach < stats.t.ppf(0.975, 18), "between both sample sizes"
    assert found.p == pytest.approx(welch.pvalue, abs=0.02)


def test_controls_are_taken_out():
    rng = np.random.default_rng(1)
    x = rng.normal(size=200)
    member = rng.random(200) < 0.4
    errors = 3 * x + 0.5 * member
    controls = np.column_stack([np.ones(200), x, 2 * x])  # one of them twice
    noise = 0.01 * rng.normal(size=200)
    found = contrast(errors + noise, member, controls, np.arange(200))
    design = np.column_stack([np.ones(200), x, member])
    expected = np.linalg.lstsq(design, errors + noise, rcond=None)[0][2]
    assert found.value == pytest.approx(expected)
    assert found.lower < 0.5 < found.upper


@pytest.mark.parametrize("n_clusters", [4, 10, 40])
def test_false_alarms_are_held_where_a_group_lies_in_few_clusters(n_clusters):
    """Errors of a cluster are alike; with the naive test one alarm in three would be false."""
    rng = np.random.default_rng(n_clusters)
    clusters = np.repeat(np.arange(80), 5)
    member = clusters < n_clusters
    p, naive = [], []
    for _ in range(500):
        errors = 0.7 * rng.normal(size=80)[clusters] + 0.7 * rng.normal(size=400)
        p.append(contrast(errors, member, constant(400), clusters).p)
        naive.append(stats.ttest_ind(errors[member], errors[~member]).pvalue)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.025)
    assert np.mean(np.array(naive) < 0.05) > 0.2


@pytest.mark.parametrize(
    ("member", "errors"),
    [
        pytest.param(np.arange(40) < MIN_CLUSTERS - 1, np.arange(40.0), id="few of the group"),
        pytest.param(np.arange(40) >= MIN_CLUSTERS - 1, np.arange(40.0), id="few of the rest"),
        pytest.param(np.arange(40) < 20, np.zeros(40), id="no error"),
        pytest.param(np.arange(40) < 20, np.full(40, 2.0), id="one error everywhere"),
    ],
)
def test_what_cannot_be_told_is_unknown(member, errors):
    assert contrast(errors, member, constant(40), np.arange(40)) is UNKNOWN


def test_a_group_that_shares_no_control_with_the_rest_is_unknown():
    member = np.arange(40) < 20
    controls = np.column_stack([member, ~member]).astype(float)
    errors = np.random.default_rng(2).normal(size=40)
    assert contrast(errors, member, controls, np.arange(40)) is UNKNOWN


def test_holm_by_hand():
    """Holm (1979): 0.01 x 4, then 0.02 x 3, then 0.03 x 2 is raised to it, then 0.5."""
    found = holm(np.array([0.03, np.nan, 0.01, 0.5, 0.02]))
    np.testing.assert_allclose(found, [0.06, np.nan, 0.04, 0.5, 0.06])
    assert holm(np.array([np.nan])).tolist() == pytest.approx([np.nan], nan_ok=True)
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]
