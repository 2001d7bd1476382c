"""Whether 95 % intervals hold the true value: cities are simulated, so that it is known.

The true value of Spearman's rho is its mean over the cities of one kind.
"""

from collections import defaultdict

import numpy as np
import pytest

from streetineq_assets.predictions import bootstrap
from streetineq_assets.predictions.blocks import LSOA, MAP_BLOCK, Blocks, regions, resampling_units
from streetineq_assets.predictions.bootstrap import Forecast, draw_blocks, percentile_interval
from streetineq_tests.predictions.simulated_cities import City, cities

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


def units(city: City) -> list[Blocks]:
    like_msoas = regions(city.positions, len(city.actual) // 5)
    chosen = resampling_units(city.score, city.actual, city.positions, NO_MSOA)
    return [*chosen, Blocks.of(MSOA_LIKE, like_msoas)]


def interval(city: City, unit: Blocks, draws: int, seed: int) -> tuple[float, tuple[float, float]]:
    """The metric of the first draw, and the interval of all."""
    counts = draw_blocks(unit.n_blocks, draws, seed)
    found = bootstrap.evaluate(city.actual, Forecast(city.predicted, city.score), unit, counts)
    return float(found[METRIC][0]), percentile_interval(found[METRIC], unit.n_blocks)


def test_where_errors_are_spatial_single_areas_give_intervals_that_are_too_short():
    found = coverage(60, 400, share=0.6, scale_km=2, label_scale_km=3, draws=300)
    assert found[LSOA] < 0.85
    assert found[MAP_BLOCK] >= 0.9
    assert found[MAP_BLOCK] > found[MSOA_LIKE] > found[LSOA]


def test_where_errors_are_independent_blocks_of_the_map_hold_as_often():
    found = coverage(60, 400, share=0, draws=300)
    assert found[LSOA] >= 0.9
    assert found[MAP_BLOCK] >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("scales", [(1, 2), (2, 3), (4, 4)], ids="{0[0]} km".format)
@pytest.mark.parametrize("share", [0, 0.3, 0.6])
@pytest.mark.parametrize(("n_areas", "n_cities"), [(50, 300), (500, 300), (1500, 100)])
def test_intervals_by_blocks_of_the_map_hold(n_areas, n_cities, share, scales):
    """Of 100 intervals that hold in 95 of 100 cases, fewer than 91 do in one study of 40."""
    kind = dict(zip(("scale_km", "label_scale_km"), scales, strict=True))
    found = coverage(n_cities, n_areas, share=share, seed=n_areas, **kind)
    assert found[MAP_BLOCK] >= (0.91 if n_cities == 100 else 0.93), found
