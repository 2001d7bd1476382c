"""From locations to areas: three rules, each worked by hand on a small city."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.predictions import aggregation
from streetineq_assets.predictions.aggregation import aggregate, lsoa_table, ranking
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.tables import empty
from streetineq_tests.predictions import simulated


def frame(rows: dict[str, list[float]]) -> pd.DataFrame:
    """One row per location from area to its locations' scores."""
    pairs = [(area, h) for area, scores in rows.items() for h in scores]
    return pd.DataFrame(pairs, columns=["lsoa11", "h"])


def test_mean_score_ranks_the_areas_means():
    locations = frame({f"E{i:02d}": [i - 1, i + 1] for i in range(20, 0, -1)})
    found = aggregate(locations, rule="mean_score")
    assert found["lsoa11"].tolist() == sorted(set(locations["lsoa11"]))
    assert found["score"].tolist() == list(range(1, 21))
    expected = pd.qcut(found["score"], 10, labels=False) + 1
    assert found["decile"].tolist() == expected.tolist()
    assert found["n_locations"].tolist() == [2] * 20


def test_mean_decile_rounds_the_mean_of_the_locations_deciles_a_half_to_the_even():
    # Ten locations with scores 0..9 have deciles 1..10.
    areas = {"A": [0, 1], "B": [2, 5], "C": [3, 4], "D": [6, 9, 8], "E": [7]}
    found = aggregate(frame(areas), rule="mean_decile").set_index("lsoa11")["decile"]
    # 1.5 -> 2; (3 + 6) / 2 = 4.5 -> 4; 4.5 -> 4; (7 + 10 + 9) / 3 = 8.67 -> 9; 8
    assert found.to_dict() == {"A": 2, "B": 4, "C": 4, "D": 9, "E": 8}


def test_fixed_borders_need_no_other_area():
    # sigmoid(-3) = .047 -> 1; sigmoid(0) = .5, a tie of 5 and 6 -> 5; sigmoid(3) = .953 -> 10
    found = aggregate(frame({"A": [-3.0], "B": [0.0], "C": [3.0]}), rule="fixed_borders")
    assert found["decile"].tolist() == [1, 5, 10]
    alone = aggregate(frame({"B": [-1.0, 1.0]}), rule="fixed_borders")
    assert alone["decile"].tolist() == [5]


def test_weights_move_the_mean_and_none_at_all_counts_equally():
    locations = pd.DataFrame(
        {
            "lsoa11": ["A", "A", "B", "B", "C", "C"],
            "h": [0.0, 1.0, 2.0, 4.0, 5.0, 7.0],
            "weight": [3, 1, 0, 0, 0, 2],
        }
    )
    assert aggregate(locations, rule="mean_score")["score"].tolist() == [0.25, 3.0, 7.0]


@pytest.mark.parametrize("rule", aggregation.RULES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60))
def test_the_order_of_rows_does_not_matter_and_deciles_are_deciles(rule, seed, n):
    rng = np.random.default_rng(seed)
    locations = pd.DataFrame(
        {
            "lsoa11": [f"E{i}" for i in rng.integers(0, max(1, n // 3), n)],
            "h": np.round(rng.normal(0, 3, n), 1),
            "weight": rng.integers(0, 4, n),
        }
    )
    found = aggregate(locations, rule=rule)
    again = aggregate(locations.sample(frac=1, random_state=seed), rule=rule)
    pd.testing.assert_frame_equal(found.round(9), again.round(9))
    assert found["decile"].between(1, 10).all()
    assert found["n_locations"].sum() == n


@pytest.mark.parametrize("rule", aggregation.RULES)
def test_no_location_gives_no_area(rule):
    found = aggregate(pd.DataFrame({"lsoa11": pd.array([], "str"), "h": []}), rule=rule)
    assert found.columns.tolist() == ["lsoa11", "score", "decile", "n_locations"]
    assert found.empty
    assert found["decile"].dtype == "Int8"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h": [np.nan, 1.0]}, "finite"),
        ({"weight": [-1, 1]}, "negative"),
        ({"lsoa11": ["A", None]}, "no lsoa11"),
    ],
)
def test_what_cannot_be_averaged_is_refused(change, message):
    locations = pd.DataFrame({"lsoa11": ["A", "B"], "h": [0.0, 1.0], "weight": [1, 1]} | change)
    with pytest.raises(ValueError, match=message):
        aggregate(locations, rule="mean_score")


def test_an_unknown_rule_is_refused_by_name():
    with pytest.raises(ValueError, match="mean_score, mean_decile, fixed_borders"):
        aggregate(frame({"A": [1.0]}), rule="median")


@pytest.mark.parametrize("rule", aggregation.RULES)
def test_the_published_table_has_every_rule_and_counts_the_studys(rule):
    locations = simulated.locations(areas=60, per_area=3)
    table = lsoa_table(locations, rule=rule)
    assert table.columns.tolist() == LSOA_PREDICTIONS.names
    assert len(table) == 60
    assert (table["decile"] == table[f"decile_{rule}"]).all()
    for each in aggregation.RULES:
        assert (table[f"decile_{each}"] == aggregate(locations, rule=each)["decile"]).all()
    assert (table["n_images"] == 12).all()
    assert table["decile"].between(table["lower"], table["upper"]).all()


def test_an_area_in_several_folds_has_no_fold_and_no_interval():
    locations = simulated.locations(areas=60, per_area=2)
    first = locations["lsoa11"] == locations["lsoa11"].min()
    locations.loc[first, "fold"] = np.array([0, 1], "int16")
    table = lsoa_table(locations, rule="mean_score")
    assert table["fold"].isna().tolist() == [True] + [False] * 59
    assert table["lower"].isna().tolist() == [True] + [False] * 59


def test_the_ranking_says_how_many_areas_and_how_well_off_they_are():
    table = lsoa_table(simulated.locations(areas=60, per_area=3), rule="mean_score")
    expected = {"n_lsoas_ranked": 60, "mean_actual_decile": 5.5, "n_locations": 180}
    assert ranking(table) == expected
    unlabelled = table.assign(actual_decile=table["actual_decile"].mask(table["score"] < 99))
    assert ranking(unlabelled) == expected | {"mean_actual_decile": None}
    assert ranking(empty(LSOA_PREDICTIONS))["n_lsoas_ranked"] == 0
