"""Whether 95 % intervals hold the true value: cities are simulated, so that it is known.

The true value of Spearman's rho is its mean over the cities of one kind.
"""

from collections import defaultdict

import numpy as np
import pytest

from streetineq_assets.predictions import bootstrap
from streetineq_assets.predictions.blocks import LSOA, MAP_BLOCK, Blocks, regions, resampling_units
from streetineq_assets.predictions.bootstrap import Forecast, draw_blocks, percentile_interval
from streetineq_tests.predictions.simulated_cities import City, cities, tenths

METRIC = "spearman_score"
NO_MSOA = np.empty(0, dtype=object)
MSOA_LIKE = "msoa_like"  # as many areas as an MSOA has


def coverage(n_cities: int, n_areas: int, *, draws: int = 600, **kind) -> dict[str, float]:
    """Of the intervals by each unit, the share that holds the true value.

    Args:
        kind: of the cities, as `simulated_cities.cities` takes it.
    """
    values, ends = [], defaultdict(list)
    for number, city in enumerate(cities(n_cities, n_areas, **kind)):
        values.append(interval(city, Blocks.of("all", np.zeros(n_areas)), 1, number)[0])
        for unit in units(city):
            ends[unit.unit].append(interval(city, unit, draws, number)[1])
    true = np.mean(values)
    return {
        unit: float(np.mean([lower <= true <= upper for lower, upper in found]))
        for unit, found in ends.items()
    }


def units(city: City, *beside: np.ndarray) -> list[Blocks]:
    like_msoas = regions(city.positions, len(city.actual) // 5)
    chosen = resampling_units([city.score, *beside], city.actual, city.positions, NO_MSOA)
    return [*chosen, Blocks.of(MSOA_LIKE, like_msoas)]


def interval(city: City, unit: Blocks, draws: int, seed: int) -> tuple[float, tuple[float, float]]:
    """The metric of the first draw, and the interval of all."""
    counts = draw_blocks(unit.n_blocks, draws, seed)
    found = bootstrap.evaluate(city.actual, Forecast(city.predicted, city.score), unit, counts)
    return float(found[METRIC][0]), percentile_interval(found[METRIC], unit.n_blocks)


def test_where_errors_are_spatial_single_areas_give_intervals_that_are_too_short():
    found = coverage(40, 300, share=0.6, scale_km=2, label_scale_km=3, draws=200)
    assert found[LSOA] < 0.85
    assert found[MAP_BLOCK] >= 0.9
    assert found[MAP_BLOCK] > found[MSOA_LIKE] > found[LSOA]


def test_where_errors_are_independent_blocks_of_the_map_hold_as_often():
    found = coverage(40, 300, share=0, draws=200)
    assert found[LSOA] >= 0.9
    assert found[MAP_BLOCK] >= 0.9


def share_said_to_be_ahead(n_cities: int, n_areas: int, *, draws: int, **kind) -> dict[str, float]:
    """By each unit, in how many cities the interval of the lead over an equal model is above 0."""
    ahead = defaultdict(list)
    for number, city in enumerate(cities(n_cities, n_areas, **kind)):
        for unit in units(city, city.rival):
            counts = draw_blocks(unit.n_blocks, draws, number)
            own, rival = (
                bootstrap.evaluate(city.actual, Forecast(tenths(score), score), unit, counts)
                for score in (city.score, city.rival)
            )
            lead = own["kappa_quadratic"] - rival["kappa_quadratic"]
            ahead[unit.unit].append(percentile_interval(lead, unit.n_blocks)[0] > 0)
    return {unit: float(np.mean(found)) for unit, found in ahead.items()}


def test_a_model_is_seldom_said_to_be_ahead_of_one_as_good():
    """By the sign of the difference alone it would be in one case of two."""
    found = share_said_to_be_ahead(40, 200, share=0.6, scale_km=2, label_scale_km=3, draws=200)
    assert found[MAP_BLOCK] <= 0.07


@pytest.mark.slow
def test_a_lead_over_a_model_as_good_is_said_in_one_case_of_forty_at_most_by_chance():
    found = share_said_to_be_ahead(200, 500, share=0.6, scale_km=2, label_scale_km=3, draws=400)
    assert found[MAP_BLOCK] <= 0.05, found
    assert found[LSOA] > 0.06, found


KINDS = [  # areas, cities, share, scale of errors and of labels in km
    *((n_areas, n_cities, share, 2, 3)
      for n_areas, n_cities in ((50, 200), (500, 200), (1500, 80))
      for share in (0, 0.3, 0.6)),
    (500, 200, 0.6, 1, 2),
    (500, 200, 0.6, 4, 4),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("n_areas", "n_cities", "share", "scale_km", "label_scale_km"), KINDS)
def test_intervals_by_blocks_of_the_map_hold(n_areas, n_cities, share, scale_km, label_scale_km):
    """Of 80 intervals that hold in 95 of 100 cases, fewer than 72 do in one study of 40.

    Where errors are alike over 4 km, a city of 500 areas has room for few blocks that are wider:
    by blocks of twice that distance 92 to 93 of 100 intervals hold, of thrice that 92 to 94, by
    MSOAs 69 and by single areas 57.
    """
    scales = {"scale_km": scale_km, "label_scale_km": label_scale_km}
    found = coverage(n_cities, n_areas, share=share, seed=n_areas, draws=400, **scales)
    assert found[MAP_BLOCK] >= (0.9 if n_cities == 80 or scale_km == 4 else 0.93), found
    assert found[MAP_BLOCK] >= found[LSOA] - 0.03
