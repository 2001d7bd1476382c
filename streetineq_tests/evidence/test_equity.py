"""The audit of simulated cities: a planted bias is found, and none is found where there is none."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.evidence.clustered import holm
from streetineq_assets.evidence.equity import (
    ACTUAL,
    AUTHORITY,
    CITY,
    SAME_DECILE,
    audit,
    compare,
    funded,
    gather,
    wide,
)
from streetineq_tests.evidence import worlds

NO_GROUPS = pd.DataFrame({"area": [], "grouping": [], "group": []}, dtype="str")


def audited(areas, groups=NO_GROUPS):
    return audit(areas, groups, seed=1)


def of(table, grouping, measure):
    rows = table[(table["grouping"] == grouping) & (table["measure"] == measure)]
    return rows.set_index("group")


def alarms(worlds_of, *, seed, n):
    """In how many worlds any group differs, group 0 does, and its mean difference."""
    rng, any_group, first, values = np.random.default_rng(seed), 0, 0, []
    for _ in range(n):
        areas = worlds_of(rng)
        found = compare(areas, areas["authority"])
        p = holm(found["p"].to_numpy())
        any_group += np.nanmin(p) <= 0.05
        first += p[0] <= 0.05
        values.append(found["value"][0])
    return any_group / n, first / n, np.mean(values)


# -- a planted bias, and none ----------------------------------------------------------------------


def test_a_group_whose_areas_look_better_off_is_found():
    """By 0.6 standard deviations, in 13 of 80 MSOAs."""
    share, of_group, difference = alarms(lambda rng: worlds.city(rng, bias=0.6), seed=0, n=30)
    assert of_group > 0.8
    assert share >= of_group
    assert 1.0 < difference < 2.5


WITHOUT_BIAS = {
    "at random": {},
    "poor groups and rich ones": {"by_need": True},
    "errors of an MSOA much alike": {"alike": 0.7},
    "weak predictions, poor groups and rich ones": {"r": 0.5, "by_need": True},
    "few areas": {"areas": 100, "groups": 3},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WITHOUT_BIAS)
def test_false_alarms_in_any_group_are_held(case):
    """0.05 and 2.3 standard errors of 400 worlds."""
    share, _, difference = alarms(lambda rng: worlds.city(rng, **WITHOUT_BIAS[case]), seed=1, n=400)
    assert share <= 0.075
    assert abs(difference) < 0.15


def test_a_group_of_poor_areas_is_not_flagged_for_being_poor():
    """Its mean error is above 0, as of all poor areas; at the same official value it is not."""
    errors = []

    def poor(rng):
        areas = worlds.city(rng, by_need=True)
        of_group = areas[areas["authority"] == "group 0"]
        errors.append((of_group["predicted"] - of_group["actual"]).mean())
        return areas

    share, _, difference = alarms(poor, seed=2, n=40)
    assert np.mean(errors) > 0.4
    assert abs(difference) < 0.2
    assert share <= 0.15


def test_within_a_decile_the_official_value_is_compared_too():
    """A group of the worst-off lies low within each decile: by deciles alone it would differ."""
    rng, found, blind = np.random.default_rng(3), [], []
    for _ in range(40):
        areas = worlds.city(rng)
        weight = np.exp(-2 * areas["value"])
        chosen = rng.choice(400, 20, replace=False, p=weight / weight.sum())
        group = pd.Series(np.isin(np.arange(400), chosen).astype(str))
        found.append(compare(areas, group)["value"][1])
        blind.append(compare(areas.assign(value=areas["actual"]), group)["value"][1])
    assert abs(np.mean(found)) < 0.12
    assert np.mean(blind) < -0.15


# -- measures by hand ------------------------------------------------------------------------------


def ten_areas():
    """Deciles 1 to 10; predicted is one too high but at the end, and area 2 has no prediction."""
    areas = worlds.frame(np.arange(10), np.arange(10), group=[0] * 5 + [1] * 5)
    predicted = np.minimum(areas["actual"] + 1, 10).mask(areas.index == 1)
    return areas.assign(predicted=predicted, score=areas["score"].mask(areas.index == 1))


def test_measures_by_hand():
    """Need are areas 1 and 2; funded are 1 and 3, since 2 has no score."""
    table = audited(ten_areas())
    city = table[table["grouping"] == CITY].set_index("measure")["value"]
    expected = {
        "share_ranked": 0.9,
        "mean_error": 8 / 9,
        "mae": 8 / 9,
        "coverage": 0.8,
        "recall_worst_10": 0.0,
        "recall_worst_20": 1.0,
        "missed_worst_10": 0.0,
        "missed_worst_20": 0.5,
        "funded_without_need_10": 0.0,
        "funded_without_need_20": 1 / 8,
    }
    assert city.to_dict() == pytest.approx(expected)
    assert of(table, AUTHORITY, "funded_without_need_20")["value"].tolist() == [1 / 3, 0.0]
    assert of(table, ACTUAL, "missed_worst_20")["value"].tolist()[:2] == [0.0, 1.0]
    assert of(table, ACTUAL, "missed_worst_20")["value"].isna().sum() == 8
    assert of(table, AUTHORITY, "share_ranked")["n_lsoas"].tolist() == [5, 5]
    assert of(table, AUTHORITY, "mae")["n_lsoas"].tolist() == [4, 5]


def test_areas_of_one_score_share_what_is_left():
    score = np.array([3.0, 1.0, 2.0, 2.0, np.nan])
    assert funded(score, 2).tolist() == [0, 1, 0.5, 0.5, 0]
    assert funded(score, 9).tolist() == [1, 1, 1, 1, 0]
    assert funded(score, 0).tolist() == [0] * 5
    assert funded(np.array([np.nan]), 3).tolist() == [0]


def test_the_table_for_people_has_a_row_for_each_group():
    rows = wide(audited(ten_areas())).set_index(["grouping", "group"])
    assert len(rows) == 1 + 10 + 2
    assert rows.loc[(AUTHORITY, "group 0"), "share_ranked"] == 0.8
    assert rows.loc[(AUTHORITY, "group 0"), "n_lsoas"] == 5


def test_actual_deciles_are_in_order_and_never_tested():
    table = audited(worlds.city(np.random.default_rng(4)))
    assert of(table, ACTUAL, "mae").index.tolist() == [str(decile) for decile in range(1, 11)]
    assert of(table, ACTUAL, SAME_DECILE).empty
    assert of(table, ACTUAL, "mean_error")["value"].iloc[0] > 0.5, "it leans to the middle"
    assert of(table, ACTUAL, "mean_error")["value"].iloc[-1] < -0.5


# -- groups of files -------------------------------------------------------------------------------


def grouped(areas, name, groups):
    rows = pd.DataFrame({"area": areas["area"], "grouping": name, "group": groups})
    return rows.dropna().astype("str")


def test_a_group_of_one_area_is_reported_and_not_tested():
    areas = worlds.city(np.random.default_rng(5))
    groups = ["alone", *(["a", "b"] * 200)[1:]]
    rows = audited(areas, grouped(areas, "place", groups)).query("grouping == 'place'")
    alone = rows[rows["group"] == "alone"].set_index("measure")
    assert alone.loc["mae", "value"] == abs(areas["predicted"][0] - areas["actual"][0])
    assert alone.loc[SAME_DECILE, ["p_adjusted", "differs"]].isna().all()
    assert alone["lower"].isna().all()
    others = rows[(rows["group"] != "alone") & (rows["measure"] == SAME_DECILE)]
    assert others["differs"].notna().all()


def test_areas_without_a_group_are_in_none():
    areas = worlds.city(np.random.default_rng(6))
    groups = [None] * 100 + ["a"] * 150 + ["b"] * 150
    found = of(audited(areas, grouped(areas, "place", groups)), "place", "share_ranked")
    assert found["n_lsoas"].to_dict() == {"a": 150, "b": 150}


def test_tests_of_all_groupings_are_one_family():
    areas = worlds.city(np.random.default_rng(7), bias=0.5)
    many = pd.concat(
        grouped(areas, f"random {i}", np.random.default_rng(i).integers(0, 5, 400))
        for i in range(10)
    )
    alone, with_others = (
        of(audited(areas, groups), AUTHORITY, SAME_DECILE)["p_adjusted"]["group 0"]
        for groups in (NO_GROUPS, many)
    )
    assert with_others > 5 * alone


# -- what is odd -----------------------------------------------------------------------------------

ODD = {
    "one area": lambda: worlds.frame([1.0], [1.0], group=[0]),
    "all predictions equal": lambda: worlds.frame(np.arange(60), np.zeros(60), group=[0, 1] * 30),
    "all labels equal": lambda: worlds.frame(np.zeros(60), np.arange(60), group=[0, 1] * 30),
    "no authority": lambda: worlds.frame(np.arange(60), np.arange(60)),
    "nothing predicted": lambda: ten_areas().assign(predicted=np.nan, score=np.nan, lower=np.nan),
    "no official value": lambda: worlds.city(np.random.default_rng(8)).assign(value=np.nan),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_is_reported_without_an_alarm(case):
    table = audited(ODD[case]())
    assert len(table)
    assert not table["differs"].fillna(False).any()
    values = table["value"].dropna()
    assert np.isfinite(values).all()


def test_without_areas_there_is_no_row():
    assert audited(worlds.frame([], [])).empty


def test_gathering_keeps_areas_without_a_prediction_or_a_place():
    codes = ["E01000001", "E01000002"]
    values = pd.DataFrame({"area": codes, "decile": pd.array([1, 10], "Int8"), "value": [0.1, 0.9]})
    predicted = pd.DataFrame(
        {
            "area": codes[1:],
            "decile": pd.array([9], "Int8"),
            "score": [1.5],
            "lower": pd.array([pd.NA], "Int8"),
            "upper": pd.array([pd.NA], "Int8"),
        }
    )
    places = pd.DataFrame({"area": codes[:1], "msoa": ["E02000001"], "authority": ["E09"]})
    found = gather(values, predicted, places).set_index("area")
    assert found["actual"].tolist() == [1.0, 10.0]
    assert found["predicted"].tolist() == pytest.approx([np.nan, 9.0], nan_ok=True)
    assert found["lower"].isna().all()
    assert found["msoa"].isna().tolist() == [False, True]
