"""Which areas moved, and whether beyond their intervals; the same seen from either side."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets import tables
from streetineq_assets.predictions import calibration
from streetineq_assets.predictions.intervals import calibrated_intervals
from streetineq_assets.reports.differences import compare as c
from streetineq_assets.reports.differences.compare import compare_areas, compare_pairs
from streetineq_assets.reports.differences.tables import AREAS, METRICS
from streetineq_tests.reports.differences.made_up_sides import areas, metrics

NO_METRICS = (tables.empty(METRICS), tables.empty(METRICS))


def compared(a, b, scored=NO_METRICS):
    (pair,) = compare_pairs((a, b), scored)
    return pair


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ((3, 2, 4), (3, 2, 4), c.UNMOVED),
        ((3, 2, 4), (4, 3, 5), c.WITHIN),
        ((3, 2, 4), (8, 7, 9), c.BEYOND),
        ((3, 2, 6), (7, 4, 9), c.BEYOND),  # the intervals meet, and neither holds the other decile
        ((3, 1, 10), (8, 8, 9), c.PARTLY),  # A was merely less sure
        ((3, 2, 4), (8, 1, 10), c.PARTLY),
        ((3, None, None), (8, 7, 9), c.UNTESTED),
        ((3, 2, 4), (8, None, None), c.UNTESTED),
        ((3, None, None), (3, 2, 4), c.UNMOVED),
    ],
)
def test_a_move_is_judged_by_both_intervals_and_alike_from_either_side(a, b, verdict):
    sides = areas(("E1", *a)), areas(("E1", *b))
    assert compare_areas(*sides)["verdict"].tolist() == [verdict]
    assert compare_areas(*reversed(sides))["verdict"].tolist() == [verdict]


def test_areas_of_one_side_are_counted_apart():
    pair = compared(
        areas(("E1", 1, 1, 2), ("E2", 2, 1, 3)), areas(("E2", 2, 1, 3), ("E3", 1, 1, 2))
    )
    assert (pair.n_both, pair.only(c.ONLY_A), pair.only(c.ONLY_B)) == (1, ["E1"], ["E3"])
    assert sum(pair.sizes.values()) == 1
    assert pair.areas.set_index("area")["decile_b"].isna()["E1"]


def test_those_that_moved_most_come_first_beyond_their_intervals_ahead_of_others():
    a = areas(("E1", 1, 1, 2), ("E2", 1, 1, 9), ("E3", 1, 1, 2), ("E4", 5, 4, 6))
    b = areas(("E1", 4, 3, 5), ("E2", 9, 1, 10), ("E3", 9, 8, 10), ("E4", 5, 4, 6))
    assert compared(a, b).moved["area"].tolist() == ["E3", "E1", "E2"]


def test_labels_flags_scores_and_intervals_that_differ_are_counted():
    rows = [(f"E{i}", 5, 4, 6) for i in range(4)]
    a, b = areas(*rows), areas(*rows)
    b.loc[0, "actual_decile"] = 6
    b.loc[1, "is_published"] = False
    b.loc[2, "too_uncertain_to_rank"] = pd.NA
    b.loc[3, ["score", "upper"]] = [0.6, 7]
    pair = compared(a, b)
    assert (pair.n_relabelled, pair.n_scores, pair.n_intervals) == (1, 1, 1)
    assert pair.flags["is_published"] == {("yes", "no"): 1}
    assert pair.flags["too_uncertain_to_rank"] == {("no", "not known"): 1}
    assert pair.areas["area"].tolist() == ["E0", "E1", "E2"]
    assert pair.moved.empty
    assert pair.differs


def test_what_csv_rounds_does_not_differ():
    rows = [("E1", 5, 4, 6), ("E2", 6, 5, 7)]
    a, b = areas(*rows), areas(*rows)
    b["score"] = [float(f"{score:.6g}") for score in a["score"] + 1e-9]
    assert not compared(a, b).differs


def test_headline_metrics_are_set_side_by_side_and_others_are_not():
    scored = metrics(network=0.8, map_knn=0.5, ridge=0.7), metrics(network=0.7, map_knn=0.5)
    pair = compared(areas(("E1", 5, 4, 6)), areas(("E1", 5, 4, 6)), scored)
    rows = pair.metrics.set_index("model")
    assert rows["differs"].to_dict() == {"network": True, "map_knn": False}
    assert rows.loc["network", ["value_a", "value_b"]].tolist() == pytest.approx([0.8, 0.7])
    assert pair.differs


def test_a_metric_of_other_folds_stands_in_a_row_of_its_own():
    b = metrics(network=0.8).assign(scheme="spatial_block")
    same = areas(("E1", 5, 4, 6))
    rows = compared(same, same, (metrics(network=0.8), b)).metrics
    assert rows["scheme"].tolist() == ["area", "spatial_block"]
    assert rows["value_b"].isna().tolist() == [True, False]


def test_a_pair_of_other_places_has_no_area_in_both():
    pair = compared(areas(("E1", 5, 4, 6)), areas(("W1", 5, 4, 6)))
    assert pair.n_both == 0
    assert np.isnan(pair.mean_move)
    assert np.isnan(pair.rank_correlation)


def test_pairs_of_one_side_alone_are_not_compared():
    one, other = areas(("E1", 5, 4, 6)), areas(("E1", 5, 4, 6), outcome="mean_income")
    assert compare_pairs((one, other), NO_METRICS) == []


@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0], [1.0, 2.0]])
def test_the_rank_correlation_of_a_constant_or_of_two_areas_is_undefined(scores):
    assert np.isnan(c.rank_correlation(pd.Series(scores), pd.Series(scores)))


def test_the_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    a, b = (pd.Series(rng.integers(0, 20, 50)).astype(float) for _ in "ab")
    assert c.rank_correlation(a, b) == pytest.approx(scipy.stats.spearmanr(a, b).statistic)


# -- for any two tables ----------------------------------------------------------------------------

DECILES = st.integers(1, 10)
INTERVALS = st.one_of(st.just((None, None)), st.tuples(DECILES, DECILES).map(sorted))
ROWS = st.dictionaries(
    st.sampled_from([f"E{i}" for i in range(8)]), st.tuples(DECILES, INTERVALS), max_size=8
)
TABLES = ROWS.map(lambda rows: areas(*((code, d, *ends) for code, (d, ends) in rows.items())))


@settings(max_examples=30)  # pandas takes a tenth of a second for each
@given(TABLES)
def test_nothing_differs_from_itself(table):
    assert not any(pair.differs for pair in compare_pairs((table, table), NO_METRICS))


@settings(max_examples=30)  # pandas takes a tenth of a second for each
@given(TABLES, TABLES)
def test_the_other_order_is_the_mirror_image(a, b):
    there, back = compare_areas(a, b), compare_areas(b, a)
    swapped = {c.ONLY_A: c.ONLY_B, c.ONLY_B: c.ONLY_A}
    assert back["verdict"].tolist() == [swapped.get(each, each) for each in there["verdict"]]
    assert back["move"].equals(-there["move"])
    for name in AREAS.names[3:]:
        assert back[f"{name}_a"].equals(there[f"{name}_b"])


@settings(max_examples=30)  # pandas takes a tenth of a second for each
@given(TABLES, TABLES)
def test_counts_are_those_of_a_calculation_by_hand(a, b):
    old, new = ({row.area: row for row in table.itertuples()} for table in (a, b))
    sizes, verdicts = Counter(), Counter()
    for code in old.keys() & new.keys():
        x, y = old[code], new[code]
        sizes[min(abs(int(y.decile) - int(x.decile)), 3)] += 1
        if x.decile == y.decile:
            continue
        if x.lower is pd.NA or y.lower is pd.NA:
            verdicts[c.UNTESTED] += 1
            continue
        n_outside = (y.decile not in range(x.lower, x.upper + 1)) + (
            x.decile not in range(y.lower, y.upper + 1)
        )
        verdicts[(c.WITHIN, c.PARTLY, c.BEYOND)[n_outside]] += 1
    for pair in compare_pairs((a, b), NO_METRICS):
        assert list(pair.sizes.values()) == [sizes[size] for size in range(4)]
        assert {each: pair.verdicts[each] for each in c.MOVED} == {
            each: verdicts[each] for each in c.MOVED
        }
        assert pair.n_both == len(old.keys() & new.keys())


# -- what the rule finds ---------------------------------------------------------------------------


def simulated(*, r: float, alike: float, shift: float, seed: int) -> pd.DataFrame:
    """A city of 1,000 areas as two networks see it, by the platform's own intervals.

    Args:
        r: correlation of each network's scores with the truth.
        alike: correlation of the errors of the two.
        shift: standard deviations by which one area in twenty moves to the other side.

    Returns:
        `verdict`, and `planted`: whether the area's own truth moved.
    """
    rng, n = np.random.default_rng(seed), 1000
    truth, planted = rng.normal(size=n), rng.random(n) < 0.05
    folds = pd.Series(rng.permutation(n) % 5, dtype="Int16")
    shared, own = rng.normal(size=n), rng.normal(size=(2, n))
    seen = [truth, truth - np.sign(truth) * shift * planted]
    sides = []
    for each, error in zip(seen, own, strict=True):
        noise = np.sqrt(alike) * shared + np.sqrt(1 - alike) * error
        score = pd.Series(r * each + np.sqrt(1 - r**2) * noise)
        decile = _deciles(score)
        actual = _deciles(pd.Series(truth)).astype("Int8")
        _, links = calibration.calibrate(score, actual, folds)
        ends = calibrated_intervals(score, links, actual=actual, folds=folds, predicted=decile)
        codes = [f"E{i:04d}" for i in range(n)]
        sides.append(areas(*zip(codes, decile, ends["lower"], ends["upper"], strict=True)))
    return compare_areas(*sides).assign(planted=planted)


def _deciles(score: pd.Series) -> pd.Series:
    return np.ceil(score.rank(method="first") * 10 / len(score)).astype("int64")


def share_beyond(table: pd.DataFrame, *, planted: bool) -> float:
    return float((table.loc[table["planted"] == planted, "verdict"] == c.BEYOND).mean())


def test_of_unchanged_areas_hardly_any_is_beyond_where_networks_differ_by_their_seed():
    """At a correlation of .9 of their errors, though half of the areas move."""
    for r in (0.5, 0.9):
        table = simulated(r=r, alike=0.9, shift=0, seed=1)
        assert (table["verdict"] != c.UNMOVED).mean() > 0.3
        assert share_beyond(table, planted=False) < 0.003


def test_of_unchanged_areas_up_to_one_in_six_is_beyond_where_errors_have_nothing_in_common():
    shares = [
        share_beyond(simulated(r=r, alike=0, shift=0, seed=seed), planted=False)
        for r in (0.5, 0.8)
        for seed in (2, 3, 4)
    ]
    assert 0.08 < np.mean(shares) < 0.17


def test_planted_changes_are_found_where_scores_follow_the_truth_closely():
    found = {
        r: np.mean(
            [
                share_beyond(simulated(r=r, alike=0.9, shift=2, seed=seed), planted=True)
                for seed in (5, 6, 7)
            ]
        )
        for r in (0.7, 0.9)
    }
    assert found[0.9] > 0.85
    assert found[0.7] < 0.5
