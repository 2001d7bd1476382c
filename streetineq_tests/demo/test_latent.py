"""The latent value, 40 % smooth and 60 % the areas' own; a value unseen; outcomes of both."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.demo.geography import areas, stream, towns
from streetineq_assets.demo.latent import CORRELATIONS, SHOWN_BY, latent_field, outcome_values
from streetineq_assets.settings import OUTCOME_KEYS

CITY, OUTSIDE = towns({"somewhere": 50})


def points(seed):
    area = areas(CITY, seed, 1)
    return area["easting"].to_numpy(), area["northing"].to_numpy()


def likeness(values, east, north, k=4):
    """Correlation of each area's value with the mean of its k nearest areas."""
    distance = np.hypot(east[:, None] - east, north[:, None] - north)
    nearest = np.argsort(distance, axis=1)[:, 1 : k + 1]
    return np.corrcoef(values, values[nearest].mean(axis=1))[0, 1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_variance_is_split_40_to_60_between_uncorrelated_parts(seed):
    field = latent_field(*points(seed), stream(seed, "test"))
    assert field["smooth"].var(ddof=0) == pytest.approx(0.4)
    assert field["independent"].var(ddof=0) == pytest.approx(0.6)
    assert field["unseen"].corr(field["latent"]) == pytest.approx(0.0, abs=1e-9)
    assert field["unseen"].corr(field["independent"]) == pytest.approx(0.0, abs=1e-9)
    assert field["latent"].var(ddof=0) == pytest.approx(1.0)
    assert field["smooth"].corr(field["independent"]) == pytest.approx(0.0, abs=1e-9)
    pd.testing.assert_series_equal(
        field["latent"], field["smooth"] + field["independent"], check_names=False
    )


def test_neighbours_are_alike_in_the_smooth_part_and_the_unseen_value_only():
    likenesses = []
    for seed in range(10):
        east, north = points(seed)
        field = latent_field(east, north, stream(seed, "test"))
        likenesses.append(
            [
                likeness(field[part].to_numpy(), east, north)
                for part in ("smooth", "independent", "unseen")
            ]
        )
    smooth, own, unseen = np.mean(likenesses, axis=0)
    assert smooth > 0.9
    assert unseen > 0.85
    assert abs(own) < 0.2


def test_every_outcome_has_a_value_that_correlates_as_documented():
    parts = ["independent", "latent", "unseen"]
    field = pd.DataFrame(stream(5, "any").normal(2.0, 3.0, (40, 3)), columns=parts)
    values = outcome_values(field, 5, "somewhere")
    assert set(values.columns) == set(OUTCOME_KEYS)
    for outcome, rho in CORRELATIONS.items():
        assert np.corrcoef(values[outcome], field[SHOWN_BY.get(outcome, "latent")])[
            0, 1
        ] == pytest.approx(rho)
        assert values[outcome].std(ddof=0) == pytest.approx(1.0)
        assert values[outcome].mean() == pytest.approx(0.0, abs=1e-9)


def test_living_environment_and_income_show_best_and_crime_and_health_less():
    best = min(CORRELATIONS[o] for o in ("living_environment", "mean_income", "median_income"))
    assert best == max(
        v for k, v in CORRELATIONS.items() if k not in ("living_environment", "mean_income")
    )
    assert max(CORRELATIONS[o] for o in ("crime", "self_reported_health")) < best


def test_the_field_of_one_city_does_not_depend_on_the_others():
    alone = towns({"somewhere": 50})[0]
    among = towns({"somewhere": 50, "elsewhere": 9})[0]
    assert (
        areas(alone, 1, 1)
        .drop(columns="boundary")
        .equals(areas(among, 1, 1).drop(columns="boundary"))
    )


def test_the_district_outside_is_in_no_city():
    assert CITY.in_study
    assert not OUTSIDE.in_study
    assert not set(OUTSIDE.authorities) & set(CITY.authorities)
