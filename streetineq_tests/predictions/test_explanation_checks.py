"""What the checks of explanations hold, do not hold, and cannot tell."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED
from streetineq_assets.predictions.explanation_checks import (
    codes_of_predictions,
    explains_the_predictions,
    no_location_carries_an_area,
    no_view_decides,
)
from streetineq_assets.predictions.influence import location_influence
from streetineq_assets.predictions.tables import INFLUENCES
from streetineq_tests.predictions import simulated

PREDICTED = simulated.locations(areas=40)


def again(change=lambda h: h, *, mixed=False):
    h = PREDICTED["h"].to_numpy()
    return explains_the_predictions(PREDICTED, change(h.copy()), mixed_precision=mixed)


def with_one_nan(h):
    h[3] = np.nan
    return h


def test_rounding_is_no_difference_and_another_location_is():
    rng = np.random.default_rng(0)
    assert again().result == HOLDS
    assert again(lambda h: h + rng.normal(0, 1e-4, len(h))).result == HOLDS
    assert again(lambda h: h[::-1]).result == DOES_NOT_HOLD
    assert again(lambda h: np.r_[h[1], h[0], h[2:]]).result == DOES_NOT_HOLD
    assert again(with_one_nan).result == DOES_NOT_HOLD
    assert again(lambda h: h[::-1]).blocking


def test_float16_rounds_more():
    assert again(lambda h: h + 0.04).result == DOES_NOT_HOLD
    flat = PREDICTED.assign(h=PREDICTED["h"] / 100)
    shifted = flat["h"].to_numpy() + 0.015
    assert not explains_the_predictions(flat, shifted, mixed_precision=False).passed
    assert explains_the_predictions(flat, shifted, mixed_precision=True).passed


def test_networks_that_hardly_learned_are_still_told_apart():
    """Their scores differ by hundredths of a logit, and so would wrong ones."""
    flat = PREDICTED.assign(h=(PREDICTED["h"] / 100).astype(np.float32))
    wrong = flat["h"].to_numpy()[::-1]
    assert not explains_the_predictions(flat, wrong, mixed_precision=False).passed


def test_nothing_to_compare_is_not_tested_and_lets_the_empty_table_pass():
    found = explains_the_predictions(PREDICTED.head(0), np.empty(0), mixed_precision=False)
    assert (found.result, found.passed) == (NOT_TESTED, True)


def test_predictions_without_codes_are_counted_and_named():
    rows = np.arange(len(PREDICTED))
    assert codes_of_predictions(PREDICTED, rows) is None
    rows[[4, 9]] = -1
    found = codes_of_predictions(PREDICTED, rows)
    assert (found.result, found.blocking) == (DOES_NOT_HOLD, True)
    assert "2 of 120" in found.description
    assert PREDICTED["location_id"][4] in found.description


# -- what scores hang on ---------------------------------------------------------------------------


def explained(frame):
    views = dict.fromkeys(INFLUENCES, 0.1)
    return frame.assign(location_influence=location_influence(frame), **views)


def areas(n=20, per_area=5, within=0.1):
    rng = np.random.default_rng(0)
    number = np.repeat(np.arange(n), per_area)
    return pd.DataFrame(
        {
            "area": [f"E{k:02d}" for k in number],
            "h": np.linspace(-2, 2, n)[number] + rng.normal(0, within, len(number)),
            "weight": 1,
        }
    )


def test_areas_of_many_like_locations_hang_on_none():
    found = no_location_carries_an_area(explained(areas()))
    assert found.result == HOLDS
    assert found.values["share_carried"] == 0
    assert found.values["n_lsoas"] == 20


def test_a_location_whose_weight_is_nearly_all_of_its_area_carries_it():
    frame = areas()
    planted = frame["area"].isin(["E00", "E07", "E19"]) & ~frame.duplicated("area")
    frame.loc[planted, ["h", "weight"]] = [9.0, 50]
    found = no_location_carries_an_area(explained(frame))
    assert found.result == DOES_NOT_HOLD
    assert "3 of 20" in found.description
    assert any(area in found.description for area in ("E00", "E07", "E19"))


@pytest.mark.parametrize(
    "frame",
    [
        areas(per_area=1),
        areas(n=1),
        areas(within=0.0).assign(h=0.5),
        areas().head(0),
    ],
    ids=["one location each", "one area", "all alike", "none"],
)
def test_where_nothing_can_be_left_out_it_is_not_tested(frame):
    found = no_location_carries_an_area(explained(frame))
    assert (found.result, found.passed) == (NOT_TESTED, False)


def test_areas_of_one_location_are_said_and_not_counted():
    frame = pd.concat([areas(), pd.DataFrame({"area": ["Z"], "h": [0.0], "weight": [1]})])
    found = no_location_carries_an_area(explained(frame.reset_index(drop=True)))
    assert found.values["n_lsoas"] == 20
    assert "areas of one location alone: 1" in found.description


def of_views(*sizes):
    signs = np.where(np.arange(40) % 2, 1.0, -1.0)
    columns = {name: signs * size for name, size in zip(INFLUENCES, sizes, strict=True)}
    return explained(areas(n=8)).assign(**columns)


def test_one_view_that_moves_more_than_the_others_together_is_named():
    assert no_view_decides(of_views(0.2, 0.1, 0.2, 0.1)).result == HOLDS
    found = no_view_decides(of_views(0.1, 0.1, 0.6, 0.1))
    assert found.result == DOES_NOT_HOLD
    assert "view c" in found.description
    assert found.values["largest_share"] == pytest.approx(6 / 9)


def test_views_without_influence_tell_nothing():
    assert no_view_decides(of_views(0, 0, 0, 0)).result == NOT_TESTED
    assert no_view_decides(of_views(1, 1, 1, 1).head(0)).result == NOT_TESTED
