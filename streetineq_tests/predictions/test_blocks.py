"""What is resampled together: blocks as wide as errors are alike, MSOAs, areas."""

import numpy as np
import pytest

from streetineq_assets.predictions.blocks import Blocks, regions, resampling_units
from streetineq_tests.predictions.simulated_cities import City, cities


def first_city(n: int = 500, **kind) -> City:
    return next(cities(1, n, **kind))


def units(city: City, positions=None, msoa=None):
    msoa = np.full(len(city.actual), None) if msoa is None else msoa
    positions = city.positions if positions is None else positions
    return {
        each.unit: each for each in resampling_units([city.score], city.actual, positions, msoa)
    }


@pytest.mark.parametrize("n_regions", [1, 2, 7, 16, 100])
def test_regions_are_equal_in_number_of_areas_and_compact(n_regions):
    points = np.random.default_rng(0).uniform(0, 10, (500, 2))
    label = regions(points, n_regions)
    sizes = np.bincount(label)
    assert len(sizes) == n_regions
    assert np.ptp(sizes) <= 1
    extent = max(np.ptp(points[label == each], axis=0).max() for each in range(n_regions))
    assert extent < 25 / np.sqrt(n_regions)  # a square has 10


def test_regions_do_not_depend_on_the_order_of_areas():
    points = np.random.default_rng(0).uniform(0, 10, (60, 2))
    order = np.random.default_rng(1).permutation(60)
    assert (regions(points[order], 8) == regions(points, 8)[order]).all()


def test_areas_at_one_place_are_parted_too():
    assert np.bincount(regions(np.zeros((40, 2)), 8)).tolist() == [5] * 8


def test_blocks_are_the_larger_the_farther_errors_are_alike():
    sides = [
        units(first_city(share=share, scale_km=scale))["spatial_block"].side_m
        for share, scale in ((0, 1), (0.6, 0.6), (0.6, 3))
    ]
    assert sides[0] < sides[1] < sides[2]
    assert 1000 < sides[0] < 2000  # five areas, at 3.07 per square kilometre


def test_of_several_models_the_errors_that_are_alike_the_farthest_decide():
    near, far = first_city(share=0), first_city(share=0.6, scale_km=3)
    nowhere = np.full(500, None)

    def side(*scores):
        return resampling_units(scores, far.actual, far.positions, nowhere)[0].side_m

    independent = far.actual + near.score
    assert side(independent) < side(far.score)
    assert side(independent, far.score) == side(far.score)


def test_no_city_has_fewer_than_eight_blocks_nor_blocks_of_fewer_than_five_areas():
    assert units(first_city(n=200, share=0.9, scale_km=6))["spatial_block"].n_blocks == 8
    assert units(first_city(n=200, share=0))["spatial_block"].n_blocks == 40


def test_the_unit_to_go_by_is_the_first_of_those_that_there_are():
    city = first_city(n=100, share=0)
    msoa = np.array([f"E0200{i // 5:04d}" for i in range(100)], dtype=object)
    assert list(units(city, msoa=msoa)) == ["spatial_block", "msoa", "lsoa"]
    assert units(city, msoa=msoa)["msoa"].n_blocks == 20
    nowhere = np.full((100, 2), np.nan)
    assert list(units(city, nowhere, msoa)) == ["msoa", "lsoa"]
    assert list(units(city, nowhere)) == ["lsoa"]


@pytest.mark.parametrize("missing", [None, np.nan, ""])
def test_where_an_area_has_no_msoa_they_are_not_resampled(missing):
    msoa = np.array(["E02000001"] * 100, dtype=object)
    msoa[3] = missing
    assert "msoa" not in units(first_city(n=100, share=0), msoa=msoa)


def test_an_area_that_cannot_be_placed_is_a_block_of_its_own():
    city = first_city(n=100, share=0)
    positions = city.positions.copy()
    positions[[3, 50]] = np.nan
    label = units(city, positions)["spatial_block"].label
    assert [(label == label[area]).sum() for area in (3, 50)] == [1, 1]


@pytest.mark.parametrize("n", [1, 12, 39])
def test_a_city_too_small_for_eight_blocks_is_resampled_by_area(n):
    tenth = np.arange(n) % 10 + 1
    score = tenth + 0.1
    city = City(tenth, score, np.random.default_rng(0).normal(size=(n, 2)), rival=score)
    assert list(units(city)) == ["lsoa"]


def test_blocks_are_numbered_from_their_names():
    blocks = Blocks.of("msoa", np.array(["b", "a", "b"]))
    assert blocks.label.tolist() == [1, 0, 1]
    assert blocks.n_blocks == 2
