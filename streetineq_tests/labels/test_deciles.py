"""The decile rule, against pandas.qcut and against cases worked by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.labels.deciles import decile_table, deciles, edges


def numbers_of(array):
    return list(pd.Series(array).astype(object).where(pd.notna(array), None))


def test_ten_values_fill_the_ten_deciles_in_order():
    assert numbers_of(deciles(np.arange(10.0), worst="low")) == list(range(1, 11))
    assert numbers_of(deciles(np.arange(10.0), worst="high")) == list(range(10, 0, -1))


def test_the_result_is_an_int8_array_with_missing_where_the_value_is():
    result = deciles([3.0, np.nan, 1.0], worst="low")
    assert result.dtype == pd.Int8Dtype()
    assert list(pd.isna(result)) == [False, True, False]


def test_a_value_equal_to_an_edge_falls_below_it():
    # Eleven values 0..10: the edge of .1 is exactly 1, and 1 belongs to the lowest decile with 0.
    result = deciles(np.arange(11.0), worst="low")
    assert numbers_of(result)[:3] == [1, 1, 2]


def test_equal_values_share_a_decile_and_leave_others_empty():
    # 95 of 100 values equal: every inner edge is 0, so all zeros lie in the lowest bin.
    values = np.r_[np.zeros(95), [1.0, 2.0, 3.0, 4.0, 5.0]]
    low = numbers_of(deciles(values, worst="low"))
    assert set(low[:95]) == {1}
    assert set(low[95:]) == {10}
    assert set(numbers_of(deciles(values, worst="high"))[:95]) == {10}


def test_all_values_equal_do_not_raise():
    assert set(numbers_of(deciles([7.0] * 30, worst="low"))) == {1}


def test_nothing_there_gives_nothing():
    assert len(deciles([], worst="low")) == 0
    assert pd.isna(deciles([np.nan, np.nan], worst="high")).all()


@pytest.mark.parametrize("n", [10, 11, 37, 100, 101, 834, 4835, 32844])
@pytest.mark.parametrize("worst", ["low", "high"])
def test_without_ties_it_is_qcut(n, worst):
    values = np.random.default_rng(n).normal(size=n)
    bins = pd.qcut(values, 10, labels=False) + 1
    expected = bins if worst == "low" else 11 - bins
    assert (np.asarray(deciles(values, worst=worst)) == expected).all()


def test_whole_number_positions_are_exact_at_every_size():
    # At n = 10 m + 1 each edge is a value, and one more value falls into the lowest decile.
    for n in range(11, 2002, 10):
        values = np.random.default_rng(n).permutation(n).astype(float)
        sizes = pd.Series(deciles(values, worst="low")).value_counts().sort_index()
        assert sizes.to_list() == [n // 10 + 1] + [n // 10] * 9, n


@given(st.lists(st.integers(0, 40), min_size=10, max_size=300))
def test_with_ties_it_is_qcut_with_dropped_edges_up_to_naming(values):
    result = np.asarray(deciles(np.array(values, float), worst="low"))
    # An independent statement of the rule: one more than the number of inner quantiles below x.
    quantiles = np.quantile(values, np.arange(1, 10) / 10)
    expected = [1 + sum(q < x - 1e-9 for q in quantiles) for x in values]
    assert result.tolist() == expected


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=60))
def test_any_finite_values_keep_order_range_and_missing(values):
    result = deciles(np.array(values, float), worst="low")
    table = pd.DataFrame({"value": values, "decile": result}).dropna().sort_values("value")
    assert (pd.isna(result) == np.isnan(np.array(values, float))).all()
    assert table["decile"].between(1, 10).all()
    assert table["decile"].is_monotonic_increasing
    shared = table.groupby("value")["decile"]
    assert (shared.max() == shared.min()).all()
    mirrored = deciles(np.array(values, float), worst="high")
    assert (pd.Series(mirrored) + pd.Series(result)).dropna().eq(11).all()


def test_neither_end_and_infinite_values_are_refused():
    with pytest.raises(ValueError, match="worst"):
        deciles([1.0], worst="best")
    with pytest.raises(ValueError, match="finite"):
        deciles([1.0, np.inf], worst="low")
    with pytest.raises(ValueError, match="dimension"):
        deciles(np.ones((2, 2)), worst="low")
    with pytest.raises(ValueError, match="no value"):
        edges([np.nan])


def test_the_table_gives_intervals_sizes_and_ties():
    values = np.r_[np.arange(18.0), 17.0, 17.0, np.nan]
    table = decile_table(values, worst="high").set_index("decile")
    assert table["n_lsoas"].sum() == 20
    assert table.loc[1, "upper"] == 17.0
    assert table.loc[10, "lower"] == 0.0
    assert sorted(table["n_ties"]) == [0] * 9 + [3]
    assigned = np.asarray(deciles(values[:-1], worst="high"))
    for decile, row in table.iterrows():
        inside = (values[:-1] > row["lower"]) & (values[:-1] <= row["upper"])
        if decile == 10:
            inside |= values[:-1] == row["lower"]
        assert (inside == (assigned == decile)).all()
        assert inside.sum() == row["n_lsoas"]
