"""Ranked areas by deprivation: exact on small tables, honest where there is nothing to find."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.audit.coverage import MIN_MSOAS, coverage_by_decile, coverage_trend


def areas_of(decile, is_ranked, msoa=None):
    msoa = range(len(decile)) if msoa is None else msoa
    return pd.DataFrame(
        {"decile": decile, "is_ranked": is_ranked, "msoa": [f"E02{m:06d}" for m in msoa]}
    )


def city(rng, *, n_msoas=60, per_msoa=5, difference=0.0):
    """Areas whose deprivation and coverage are both alike within an MSOA, ranked with .65."""
    n = n_msoas * per_msoa
    msoa = np.repeat(np.arange(n_msoas), per_msoa)

    def clustered():
        return rng.normal(size=n_msoas)[msoa] * 0.8 + rng.normal(size=n) * 0.6

    decile = pd.qcut(clustered(), 10, labels=False) + 1
    order = np.argsort(np.argsort(clustered())) / n  # uniform, and alike in an MSOA
    return areas_of(decile, order < 0.65 + difference * (decile - 5.5) / 9, msoa)


def test_every_decile_has_its_count():
    table = coverage_by_decile(areas_of([1, 1, 10, 10, 10], [True, False, True, True, False]))
    assert table["actual"].tolist() == list(range(1, 11))
    assert table["n_lsoas"].tolist() == [2, *[0] * 8, 3]
    assert table["n_ranked"].tolist() == [1, *[0] * 8, 2]
    assert table["share_ranked"].tolist()[::9] == pytest.approx([1 / 2, 2 / 3])
    assert table["share_ranked"].isna().sum() == 8


def test_the_line_is_that_of_least_squares():
    rng = np.random.default_rng(1)
    decile, ranked = rng.integers(1, 11, 200), rng.random(200) < 0.6
    slope = np.polyfit(decile, ranked.astype(float), 1)[0]
    assert coverage_trend(areas_of(decile, ranked)).difference == pytest.approx(9 * slope)


def test_the_error_is_that_of_leaving_each_msoa_out():
    """Fitted anew by another library for each MSOA."""
    from scipy import stats

    rng = np.random.default_rng(2)
    areas = city(rng, n_msoas=12)
    slopes = []
    for msoa in areas["msoa"].unique():
        rest = areas[areas["msoa"] != msoa]
        slopes.append(stats.linregress(rest["decile"], rest["is_ranked"].astype(float)).slope)
    own = stats.linregress(areas["decile"], areas["is_ranked"].astype(float)).slope
    error = np.sqrt(11 / 12 * np.square(np.array(slopes) - own).sum())
    half = 9 * stats.t.ppf(0.975, 11) * error
    trend = coverage_trend(areas)
    assert (trend.lower, trend.upper) == pytest.approx((9 * own - half, 9 * own + half))
    assert trend.p_value == pytest.approx(2 * stats.t.sf(abs(own) / error, 11))


def test_a_city_that_is_ranked_whole_has_no_difference_however_small_it_is():
    assert coverage_trend(areas_of([1, 10], [True, True])) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    "areas",
    [
        areas_of([], []),
        areas_of([1, 5, 10], [False] * 3),
        areas_of([4, 4, 4], [True, False, True]),
    ],
)
def test_where_there_is_nothing_to_compare_nothing_is_known(areas):
    assert np.isnan(coverage_trend(areas)).all()


def test_few_msoas_give_no_interval():
    few = city(np.random.default_rng(3), n_msoas=MIN_MSOAS - 1)
    enough = city(np.random.default_rng(3), n_msoas=MIN_MSOAS)
    assert np.isnan(coverage_trend(few)[1:]).all()
    assert not np.isnan(coverage_trend(enough)).any()


def test_areas_without_an_msoa_stand_alone():
    areas = city(np.random.default_rng(4), n_msoas=12).assign(msoa=None)
    alone = areas.assign(msoa=[f"E02{i:06d}" for i in range(len(areas))])
    assert coverage_trend(areas) == coverage_trend(alone)


def test_a_false_alarm_is_as_rare_as_promised_though_neighbours_are_alike():
    """Taken for independent, areas would alarm in more than a tenth of these cities."""
    from scipy import stats

    rng = np.random.default_rng(5)
    cities = [city(rng) for _ in range(400)]
    alarms = np.mean([coverage_trend(areas).p_value < 0.05 for areas in cities])
    naive = np.mean(
        [stats.linregress(c["decile"], c["is_ranked"].astype(float)).pvalue < 0.05 for c in cities]
    )
    assert 0.02 <= alarms <= 0.08
    assert naive > 0.1


def test_a_planted_difference_is_found_and_covered():
    rng = np.random.default_rng(6)
    trends = [coverage_trend(city(rng, difference=0.35, n_msoas=150)) for _ in range(200)]
    differences = [trend.difference for trend in trends]
    assert np.mean(differences) == pytest.approx(0.35, abs=0.02)
    assert np.mean([trend.p_value < 0.05 for trend in trends]) > 0.9
    assert 0.9 <= np.mean([trend.lower <= 0.35 <= trend.upper for trend in trends]) <= 0.99
