"""Where images are wanted: every area has its share, and a sample stays when its frame grows."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.errors import StudyError
from streetineq_assets.geography import from_national_grid, national_grid
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.design import draw_locations

SIDE_M = 1000


def frame_of(n_postcodes, seed=0):
    """Areas side by side on the grid, each a square of a kilometre with so many postcodes."""
    rng = np.random.default_rng(seed)
    rows = []
    for area, n in enumerate(n_postcodes):
        corner = np.array([530_000 + SIDE_M * area, 180_000])
        points = corner + rng.uniform(100, SIDE_M - 100, (n, 2))
        for number, (lat, lon) in enumerate(from_national_grid(*points.T)):
            rows.append((f"AA{area} {number}ZZ", f"E010000{area:02d}", lat, lon))
    return pd.DataFrame(rows, columns=["postcode", "area", "lat", "lon"])


def squares(n):
    boxes = [
        shapely.box(530_000 + SIDE_M * i, 180_000, 530_000 + SIDE_M * (i + 1), 181_000)
        for i in range(n)
    ]
    codes = [f"E010000{i:02d}" for i in range(n)]
    return gpd.GeoDataFrame({"area": codes}, geometry=boxes, crs=27700)


def drawn_from(postcodes, *, seed=1, boundaries=None, **settings):
    wanted = Imagery(provider="panoramax", **settings)
    return draw_locations(postcodes, wanted, seed=seed, boundaries=boundaries)


def counts(drawn):
    return drawn["area"].value_counts().sort_index().tolist()


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(1, 12))
def test_every_area_has_as_many_as_wanted_or_all_that_it_has(n_postcodes, per_area):
    drawn = drawn_from(frame_of(n_postcodes), per_area=per_area, least_per_area=1)
    assert counts(drawn) == [min(n, per_area) for n in n_postcodes]
    assert drawn["location_id"].is_unique
    assert drawn["location_id"].is_monotonic_increasing


def test_a_location_lies_where_its_postcode_does_and_is_named_after_it():
    postcodes = frame_of([20, 20])
    drawn = drawn_from(postcodes, per_area=5)
    known = postcodes.set_index("postcode").loc[drawn["postcode"]]
    assert (known["lat"].to_numpy() == drawn["lat"].to_numpy()).all()
    assert (known["area"].to_numpy() == drawn["area"].to_numpy()).all()
    assert (drawn["postcode"].str.replace(" ", "") == drawn["location_id"]).all()


def test_the_draw_is_random_and_repeats():
    postcodes = frame_of([30] * 8)
    once = drawn_from(postcodes, seed=1)
    assert once.equals(drawn_from(postcodes.sample(frac=1, random_state=3), seed=1))
    assert not once["location_id"].equals(drawn_from(postcodes, seed=2)["location_id"])


def test_each_postcode_is_as_likely_as_any_other():
    postcodes = frame_of([10])
    chosen = [drawn_from(postcodes, seed=s, per_area=3)["location_id"] for s in range(600)]
    shares = pd.concat(chosen).value_counts() / 600  # .3 each, standard error .019
    assert len(shares) == 10
    assert shares.between(0.22, 0.38).all()


def test_a_new_postcode_moves_one_choice_at_most():
    postcodes = frame_of([12, 12])
    before = set(drawn_from(postcodes, per_area=4)["location_id"])
    new = pd.DataFrame([("AA0 9XX", "E01000000", *postcodes.loc[0, ["lat", "lon"]])])
    more = pd.concat([postcodes, new.set_axis(postcodes.columns, axis=1)], ignore_index=True)
    after = set(drawn_from(more, per_area=4)["location_id"])
    assert len(before - after) <= 1


def test_the_middle_of_an_area_is_its_postcode_nearest_to_the_mean_of_all():
    postcodes = frame_of([25, 25])
    drawn = drawn_from(postcodes, design="areas", per_area=1, least_per_area=1)
    for _, area in postcodes.groupby("area"):
        grid = national_grid(area["lat"], area["lon"])
        nearest = np.hypot(*(grid - grid.mean(axis=0)).T).argmin()
        assert area["postcode"].iloc[nearest] in set(drawn["postcode"])
    assert len(drawn) == 2


def test_areas_with_too_few_are_filled_up_with_other_postcodes():
    postcodes = frame_of([25, 2, 25])
    drawn = drawn_from(postcodes, design="areas", per_area=8, least_per_area=3)
    assert counts(drawn) == [3, 2, 3]
    assert drawn["location_id"].is_unique


def test_a_grid_has_its_points_inside_the_areas_at_multiples_of_its_spacing():
    drawn = drawn_from(
        frame_of([5, 5]), design="grid", spacing_m=300, per_area=50, boundaries=squares(2)
    )
    grid = national_grid(drawn["lat"], drawn["lon"])
    assert np.abs(grid - np.round(grid / 300) * 300).max() < 0.01
    # By hand: multiples of 300 within 530000-531000 and 531000-532000, and within 180000-181000,
    # where the border at 180000 counts.
    east = [[530_100, 530_400, 530_700, 531_000], [531_000, 531_300, 531_600, 531_900]]
    north = [180_000, 180_300, 180_600, 180_900]
    inner = [sum(e % 1000 > 0 for e in each) * len(north) for each in east]
    assert all(n - 4 <= got <= n + 8 for n, got in zip(inner, counts(drawn), strict=True))
    assert drawn["postcode"].isna().all()
    assert drawn["location_id"].iloc[0].startswith("E530100N0180")


def test_a_coarse_grid_is_filled_up_so_that_no_area_is_left_out():
    drawn = drawn_from(
        frame_of([9, 9, 1]), design="grid", spacing_m=5000, least_per_area=3, boundaries=squares(3)
    )
    assert counts(drawn) == [3, 3, 1]


def test_a_grid_needs_boundaries():
    with pytest.raises(StudyError, match="inputs/boundaries"):
        drawn_from(frame_of([5]), design="grid")


def test_no_postcodes_give_no_locations():
    assert drawn_from(frame_of([3]).head(0)).empty


def test_an_area_wants_no_fewer_than_its_least():
    with pytest.raises(ValueError, match="least_per_area is above per_area"):
        Imagery(provider="mapillary", per_area=2, least_per_area=3)
