"""From locations to areas: each rule worked by hand on a small city."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.predictions import aggregation
from streetineq_assets.predictions.aggregation import (
    aggregate,
    lsoa_table,
    rank_changes,
    ranking,
    shrunk_scores,
)
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.settings import Areas
from streetineq_assets.tables import empty
from streetineq_tests.predictions import simulated


def frame(rows: dict[str, list[float]]) -> pd.DataFrame:
    """One row per location from area to its locations' scores."""
    pairs = [(area, h) for area, scores in rows.items() for h in scores]
    return pd.DataFrame(pairs, columns=["area", "h"])


def test_mean_score_ranks_the_areas_means():
    locations = frame({f"E{i:02d}": [i - 1, i + 1] for i in range(20, 0, -1)})
    found = aggregate(locations, rule="mean_score")
    assert found["area"].tolist() == sorted(set(locations["area"]))
    assert found["score"].tolist() == list(range(1, 21))
    expected = pd.qcut(found["score"], 10, labels=False) + 1
    assert found["decile"].tolist() == expected.tolist()
    assert found["n_locations"].tolist() == [2] * 20


def test_mean_decile_rounds_the_mean_of_the_locations_deciles_a_half_to_the_even():
    # Ten locations with scores 0..9 have deciles 1..10.
    areas = {"A": [0, 1], "B": [2, 5], "C": [3, 4], "D": [6, 9, 8], "E": [7]}
    found = aggregate(frame(areas), rule="mean_decile").set_index("area")["decile"]
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
            "area": ["A", "A", "B", "B", "C", "C"],
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
            "area": [f"E{i}" for i in rng.integers(0, max(1, n // 3), n)],
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
    found = aggregate(pd.DataFrame({"area": pd.array([], "str"), "h": []}), rule=rule)
    assert found.columns.tolist() == ["area", "score", "decile", "n_locations"]
    assert found.empty
    assert found["decile"].dtype == "Int8"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h": [np.nan, 1.0]}, "finite"),
        ({"weight": [-1, 1]}, "negative"),
        ({"area": ["A", None]}, "no area"),
    ],
)
def test_what_cannot_be_averaged_is_refused(change, message):
    locations = pd.DataFrame({"area": ["A", "B"], "h": [0.0, 1.0], "weight": [1, 1]} | change)
    with pytest.raises(ValueError, match=message):
        aggregate(locations, rule="mean_score")


def test_an_unknown_rule_is_refused_by_name():
    with pytest.raises(ValueError, match="mean_score, shrunk_score, mean_decile, fixed_borders"):
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
    first = locations["area"] == locations["area"].min()
    locations.loc[first, "fold"] = np.array([0, 1], "int16")
    table = lsoa_table(locations, rule="mean_score")
    assert table["fold"].isna().tolist() == [True] + [False] * 59
    assert table["lower"].isna().tolist() == [True] + [False] * 59


def test_the_ranking_says_how_many_areas_and_how_well_off_they_are():
    table = lsoa_table(simulated.locations(areas=60, per_area=3), rule="mean_score")
    expected = {"n_lsoas_ranked": 60, "mean_actual_decile": 5.5, "n_locations": 180}
    expected |= {"n_lsoas_published": 60, "n_lsoas_too_uncertain": 0}
    assert ranking(table) == expected
    unlabelled = table.assign(actual_decile=table["actual_decile"].mask(table["score"] < 99))
    assert ranking(unlabelled) == expected | {"mean_actual_decile": None}
    assert ranking(empty(LSOA_PREDICTIONS))["n_lsoas_ranked"] == 0


# -- few locations ---------------------------------------------------------------------------------


def test_shrunk_scores_are_those_of_the_textbooks_formula():
    locations = frame({"A": [0, 2], "B": [4, 8], "C": [1, 2, 3]})
    # Within: (2 + 8 + 2) / (7 - 3) = 3. Means 1, 6, 2 vary with 7; noise 3/2, 3/2, 1 on average
    # 4/3: between 17/3. Precisions 6/43, 6/43, 3/20: the city's mean is their weighted mean.
    mean = (1 * 6 / 43 + 6 * 6 / 43 + 2 * 3 / 20) / (12 / 43 + 3 / 20)
    weight = (17 / 3) / np.array([17 / 3 + 3 / 2, 17 / 3 + 3 / 2, 17 / 3 + 1])
    found, how = shrunk_scores(locations, aggregate(locations, rule="mean_score")["score"])
    assert (how.within, how.between, how.mean) == pytest.approx((3, 17 / 3, mean))
    assert found == pytest.approx(mean + weight * (np.array([1, 6, 2]) - mean))


def test_a_location_that_outweighs_the_others_counts_as_one_alone():
    even = frame({"A": [0, 2], "B": [4, 8], "C": [1, 2, 3]}).assign(weight=1)
    lopsided = even.assign(weight=[1, 1, 1, 1, 1, 1, 0]).assign(h=[0, 2, 4, 8, 1, 3, 2])
    score = aggregate(lopsided, rule="mean_score")["score"]
    found, how = shrunk_scores(lopsided, score)
    two = how.between / (how.between + how.within / 2)
    assert found[2] == pytest.approx(how.mean + two * (2 - how.mean))


def test_without_an_area_of_two_locations_nothing_is_shrunk_and_that_is_said():
    locations = frame({"A": [0], "B": [4], "C": [1]})
    found, how = shrunk_scores(locations, aggregate(locations, rule="mean_score")["score"])
    assert found.tolist() == [0, 4, 1]
    assert "not shrunk" in how.note
    expected = aggregate(locations, rule="mean_score")
    pd.testing.assert_frame_equal(aggregate(locations, rule="shrunk_score"), expected)


def test_one_area_is_not_shrunk():
    locations = frame({"A": [0, 2]})
    found, how = shrunk_scores(locations, aggregate(locations, rule="mean_score")["score"])
    assert found.tolist() == [1]
    assert how.note


def test_equal_scores_share_a_decile():
    rows = {"A": [0.1, 0.5], "B": [0.2, 0.3, 0.4], "C": [0.3], "D": [0.0, 0.6, 0.1, 0.5]}
    found = aggregate(frame(rows), rule="shrunk_score")
    assert set(found["decile"]) == {1}


def test_where_areas_do_not_differ_the_order_is_that_of_score_times_locations():
    locations = frame({"A": [-3, 3], "B": [-2, 4.4], "C": [2, -1, -1, 2, 2, 2, -1, 2, 2]})
    score = aggregate(locations, rule="mean_score")["score"]  # 0, 1.2, 1
    found, how = shrunk_scores(locations, score)
    assert how.between == 0
    assert "says little" in how.note
    assert np.argsort(found).tolist() == [0, 1, 2]


def simulated_shares(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A city of London's size, in which 30 % of areas have one location, and its true deciles."""
    rng = np.random.default_rng(seed)
    n = 4835
    n_locations = np.where(rng.random(n) < 0.3, 1, rng.integers(2, 60, n))
    true = rng.normal(0, 1, n)
    area = np.repeat(np.arange(n), n_locations)
    locations = pd.DataFrame({"area": area, "h": true[area] + rng.normal(0, 2, len(area))})
    areas = pd.DataFrame({"alone": n_locations == 1, "actual": pd.qcut(true, 10, labels=False) + 1})
    return locations.assign(area=locations["area"].map("E{:05d}".format)), areas


def test_areas_of_one_location_no_longer_own_the_ends():
    locations, areas = simulated_shares(seed=1)
    ends, errors = {}, {}
    for rule in ("mean_score", "shrunk_score"):
        decile = aggregate(locations, rule=rule)["decile"].astype(int)
        ends[rule] = decile.isin([1, 10])[areas["alone"]].mean()
        errors[rule] = (decile - areas["actual"]).abs()[areas["alone"]].mean()
    assert ends["mean_score"] > 0.4
    assert ends["shrunk_score"] < 0.05
    assert errors["shrunk_score"] < errors["mean_score"] - 0.3


def test_areas_below_the_minimum_are_not_ranked():
    locations = simulated.locations(areas=60, per_area=3).iloc[2:]  # the first area keeps one
    few = Areas(min_locations=2)
    table = lsoa_table(locations, rule="mean_score", areas=few)
    assert len(table) == 59
    without = lsoa_table(locations.iloc[1:], rule="mean_score")
    pd.testing.assert_frame_equal(table, without)
    none = lsoa_table(locations, rule="mean_score", areas=Areas(min_locations=4))
    assert none.empty
    assert none.columns.tolist() == LSOA_PREDICTIONS.names


def test_an_area_of_few_locations_is_ranked_but_not_published():
    table = lsoa_table(simulated.locations(areas=60, per_area=3).iloc[1:], rule="mean_score")
    assert table["is_published"].tolist() == [False] + [True] * 59
    assert table["too_uncertain_to_rank"].iloc[0]


def test_an_interval_that_says_next_to_nothing_is_too_uncertain_to_rank():
    noise = lsoa_table(simulated.locations(areas=200, noise=60), rule="mean_score")
    assert noise["too_uncertain_to_rank"].mean() > 0.9
    sharp = lsoa_table(simulated.locations(areas=200, noise=0.2), rule="mean_score")
    assert not sharp["too_uncertain_to_rank"].any()
    one_fold = lsoa_table(simulated.locations(areas=200).assign(fold=0), rule="mean_score")
    assert one_fold["too_uncertain_to_rank"].isna().all()
    assert one_fold[["expected_decile", "p_1"]].isna().all(axis=None)


def test_changes_of_rank_are_the_spread_over_the_rules():
    table = pd.DataFrame({"area": ["A", "B"]}).assign(
        decile_mean_score=[1, 5], decile_shrunk_score=[3, 5]
    )
    table = table.assign(decile_mean_decile=[4, 5], decile_fixed_borders=[2, 5])
    found = rank_changes(table)
    assert found.iloc[0].tolist() == ["A", 1, 4, 3]
    assert found.iloc[1].tolist() == ["B", 5, 5, 0]
