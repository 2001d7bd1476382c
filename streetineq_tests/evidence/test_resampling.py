"""Intervals of means by group: how often they hold, and what has none."""

import numpy as np
import pytest

from streetineq_assets.evidence.resampling import ratios


def of_groups(values, groups, clusters, *, share=False):
    found = ratios(
        values[:, None],
        np.ones((len(values), 1)),
        groups,
        clusters,
        shares=np.array([share]),
        seed=1,
    )
    return [each[:, 0] for each in found]


@pytest.mark.parametrize("n_clusters", [5, 20])
def test_intervals_hold_though_areas_of_a_cluster_are_alike(n_clusters):
    rng = np.random.default_rng(n_clusters)
    clusters = np.repeat(np.arange(n_clusters * 30), 4)
    groups = clusters // n_clusters
    held = []
    for _ in range(10):
        errors = rng.normal(size=n_clusters * 30)[clusters] + 0.3 * rng.normal(size=len(clusters))
        _, lower, upper = of_groups(errors, groups, clusters)
        held += list((lower <= 0) & (upper >= 0))
    assert np.mean(held) == pytest.approx(0.95, abs=0.045)


def test_values_are_ratios_of_sums_and_areas_without_a_group_count_nowhere():
    values = np.array([1.0, 2.0, 6.0, 100.0])
    value, lower, _ = of_groups(values, np.array([0, 0, 1, -1]), np.arange(4))
    assert value.tolist() == [1.5, 6.0]
    assert np.isnan(lower).all(), "in fewer than four clusters"


def test_a_share_of_none_or_all_has_the_exact_interval():
    """Of 0 in 10 the upper limit is 1 - 0.025^(1/10) = 0.3085 (Clopper and Pearson)."""
    groups = np.repeat([0, 1], 10)
    _, lower, upper = of_groups(groups.astype(float), groups, np.arange(20), share=True)
    assert lower == pytest.approx([0, 0.6915], abs=1e-4)
    assert upper == pytest.approx([0.3085, 1], abs=1e-4)
    _, lower, upper = of_groups(groups.astype(float), groups, np.arange(20))
    assert np.isnan([lower, upper]).all(), "of a mean without spread there is none"


def test_what_counts_no_area_is_undefined():
    zeros = np.zeros((8, 1))
    found = ratios(
        zeros, zeros, np.repeat([0, 1], 4), np.arange(8), shares=np.array([True]), seed=1
    )
    assert np.isnan(np.concatenate(found)).all()
