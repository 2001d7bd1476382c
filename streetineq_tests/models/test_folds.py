"""Folds of areas: leakage, balance, coverage and stability of every scheme."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.models.block_sizes import uneven_blocks, uneven_note
from streetineq_assets.models.folds import (
    FoldTable,
    TooFewAreasError,
    area_folds,
    balance,
    make_folds,
    scheme_note,
    split_rows,
)
from streetineq_assets.settings import Folds


def areas(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    codes = [f"E01{number:06d}" for number in rng.permutation(n)]
    return pd.DataFrame({"area": codes, "decile": rng.integers(1, 11, n)})


def centroids(frame: pd.DataFrame, side_m: float = 30_000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(0, side_m, (2, len(frame))) + 500_000
    return pd.DataFrame({"area": frame["area"], "easting_m": east, "northing_m": north})


def locations(frame: pd.DataFrame, per_area: int = 3) -> pd.DataFrame:
    repeated = frame.loc[frame.index.repeat(per_area)].reset_index(drop=True)
    return repeated.assign(location_id=[f"l{n}" for n in range(len(repeated))])


@given(n=st.integers(2, 300), k=st.integers(2, 12), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_sizes_differ_by_at_most_one_in_total_and_within_each_decile(n: int, k: int, seed: int):
    frame = areas(n, seed % 97)
    if n < k:
        with pytest.raises(ValueError, match=f"{n} areas cannot fill {k} folds"):
            area_folds(frame, k=k, seed=seed)
        return
    folds = area_folds(frame, k=k, seed=seed)
    assert set(folds) == set(range(k))
    assert np.ptp(np.bincount(folds, minlength=k)) <= 1
    for _, group in frame.assign(fold=folds).groupby("decile"):
        assert np.ptp(np.bincount(group["fold"], minlength=k)) <= 1


@given(
    deciles=st.lists(
        st.one_of(st.integers(1, 10), st.sampled_from([4 / 3, 5.5, 17 / 3, float("nan")])),
        min_size=12,
        max_size=150,
    ),
    k=st.integers(2, 12),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_so_do_those_of_means_of_deciles_and_of_areas_without_any(deciles, k, seed):
    frame = pd.DataFrame({"area": [f"E{n}" for n in range(len(deciles))], "decile": deciles})
    folds = area_folds(frame, k=k, seed=seed)
    assert np.ptp(np.bincount(folds, minlength=k)) <= 1
    for _, group in frame.assign(fold=folds).groupby("decile", dropna=False):
        assert np.ptp(np.bincount(group["fold"], minlength=k)) <= 1
    backwards = area_folds(frame.iloc[::-1], k=k, seed=seed)
    assert backwards[::-1].tolist() == folds.tolist()


@pytest.mark.parametrize("n", [48, 50, 53])
def test_mean_deciles_do_not_rise_with_the_fold(n: int) -> None:
    """Beside it the plain way, each area in its place modulo 5: there they do."""
    dealt, plain = [], []
    for seed in range(150):
        decile = np.random.default_rng(seed).integers(1, 11, (n, 3)).mean(axis=1)
        frame = pd.DataFrame({"area": [f"E{i}" for i in range(n)], "decile": decile})
        fold = area_folds(frame, k=5, seed=seed)
        dealt.append(frame.groupby(fold)["decile"].mean().to_numpy())
        in_turn = np.arange(n) % 5
        plain.append(frame.sort_values("decile").groupby(in_turn)["decile"].mean().to_numpy())
    steps = np.arange(5) - 2
    slopes = np.array(dealt) @ steps / 10  # deciles per fold
    assert abs(slopes.mean()) < 3 * slopes.std() / np.sqrt(150)
    assert (np.array(plain) @ steps / 10).mean() > 5 * abs(slopes.mean())
    assert np.ptp(dealt, axis=1).mean() < 0.6 * np.ptp(plain, axis=1).mean()


def test_means_of_folds_are_equal_where_every_decile_fills_its_rounds() -> None:
    frame = areas(50).assign(decile=np.arange(50) // 5 + 1)
    assert np.ptp(frame.groupby(area_folds(frame, k=5, seed=3))["decile"].mean()) == 0


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    frame = areas(200)
    shuffled = frame.sample(frac=1, random_state=3)
    first = pd.Series(area_folds(frame, k=5, seed=7), index=frame["area"])
    second = pd.Series(area_folds(shuffled, k=5, seed=7), index=shuffled["area"])
    pd.testing.assert_series_equal(first, second.reindex(first.index))


def test_the_seed_decides_who_shares_a_fold() -> None:
    frame = areas(200)
    assert (area_folds(frame, k=5, seed=1) != area_folds(frame, k=5, seed=2)).mean() > 0.5


def test_mean_and_missing_deciles_are_strata_too() -> None:
    frame = pd.DataFrame({"area": [f"E0{n}" for n in range(12)], "decile": [1.5, np.nan, 2.5] * 4})
    folds = area_folds(frame, k=4, seed=0)
    for _, group in frame.assign(fold=folds).groupby("decile", dropna=False):
        assert sorted(group["fold"]) == [0, 1, 2, 3]


def test_nullable_deciles_are_accepted() -> None:
    frame = areas(40).astype({"decile": "Int8"})
    frame.loc[3, "decile"] = pd.NA
    assert np.bincount(area_folds(frame, k=5, seed=0)).tolist() == [8] * 5


def test_an_area_named_twice_is_refused() -> None:
    frame = pd.DataFrame({"area": ["E1", "E1", "E2"], "decile": [1, 1, 2]})
    with pytest.raises(ValueError, match="E1 is named twice"):
        area_folds(frame, k=2, seed=0)


def test_spatial_blocks_are_whole_squares_with_a_buffer_around_them() -> None:
    frame = areas(600)
    places = centroids(frame)
    table = make_folds(
        frame, Folds(scheme="spatial_block", block_km=5, buffer_km=1), seed=4, centroids=places
    )
    assert not table.areas[["block", "fold"]].drop_duplicates()["block"].duplicated().any()
    assert set(table.areas["fold"]) == set(range(5))
    points = places.set_index("area").loc[table.areas["area"]].to_numpy()
    fold = table.areas["fold"].to_numpy()
    for test_fold in range(5):
        gone = set(table.buffers.loc[table.buffers["fold"] == test_fold, "area"])
        left = (fold != test_fold) & ~table.areas["area"].isin(gone).to_numpy()
        gaps = np.linalg.norm(points[left][:, None] - points[fold == test_fold][None], axis=2)
        assert gaps.min() > 1000
        assert gone  # this layout is dense enough that some areas are near
        within = np.linalg.norm(
            points[fold != test_fold][:, None] - points[fold == test_fold], axis=2
        )
        assert (within.min(axis=1) <= 1000).sum() == len(gone)


def test_spatial_blocks_need_enough_squares_and_a_place_for_every_area() -> None:
    frame = areas(50)
    with pytest.raises(TooFewAreasError, match="block_km"):
        make_folds(frame, Folds(scheme="spatial_block"), seed=0, centroids=centroids(frame, 4000))
    with pytest.raises(ValueError, match="no postcode with coordinates"):
        make_folds(
            frame, Folds(scheme="spatial_block"), seed=0, centroids=centroids(frame).iloc[1:]
        )


@pytest.mark.parametrize(
    ("sizes", "found"),
    [((40, 17, 70, 2, 4), [2, 4, 17, 40, 70]), ((10, 20), []), ((10, 21), [10, 21]), ((), [])],
)
def test_blocks_are_uneven_where_a_fold_has_more_than_twice_the_areas_of_another(sizes, found):
    folds = np.repeat(np.arange(len(sizes)), sizes)
    table = pd.DataFrame({"fold": [*folds, -1], "scheme": "spatial_block"})
    assert uneven_blocks(table) == found
    assert uneven_blocks(table.assign(scheme="city")) == []
    assert ("block_km" in (uneven_note(found) or "")) is bool(found)


@pytest.mark.parametrize("scheme", ["area", "spatial_block"])
def test_no_area_is_in_two_parts_of_a_grouped_split(scheme: str) -> None:
    frame = areas(300)
    table = make_folds(frame, Folds(scheme=scheme), seed=2, centroids=centroids(frame))
    rows = locations(frame)
    tested = np.zeros(len(rows), int)
    for fold in table.folds:
        split = split_rows(table, fold, rows, validation_share=0.1, seed=2)
        parts = [set(rows["area"][m]) for m in (split.train, split.validation, split.test)]
        assert not parts[0] & parts[1]
        assert not parts[2] & (parts[0] | parts[1])
        assert all(parts)
        tested += split.test
    assert (tested == 1).all()


def test_validation_of_spatial_blocks_is_whole_blocks() -> None:
    frame = areas(600)
    table = make_folds(
        frame, Folds(scheme="spatial_block", buffer_km=0), seed=2, centroids=centroids(frame)
    )
    rows = locations(frame, 1)
    block = table.areas.set_index("area")["block"].reindex(rows["area"]).to_numpy()
    split = split_rows(table, 0, rows, validation_share=0.1, seed=2)
    assert not set(block[split.validation]) & set(block[split.train])
    assert 0.1 <= split.validation.sum() / (split.train | split.validation).sum() < 0.2


def test_validation_is_about_its_share_and_stratified() -> None:
    frame = areas(1000)
    table = make_folds(frame, Folds(), seed=0)
    rows = locations(frame, 1)
    split = split_rows(table, 0, rows, validation_share=0.1, seed=0)
    assert split.validation.sum() == pytest.approx(80, abs=2)
    counts = rows["decile"][split.validation].value_counts()
    assert counts.max() - counts.min() <= 6
    assert abs(rows["decile"][split.validation].mean() - rows["decile"].mean()) < 0.2


def test_a_small_city_still_has_validation_areas() -> None:
    frame = areas(20)
    table = make_folds(frame, Folds(), seed=0)
    for fold in table.folds:
        split = split_rows(table, fold, locations(frame, 2), validation_share=0.1, seed=0)
        assert split.validation.sum() >= 6
        assert split.train.sum() >= 20


def test_location_folds_leak_areas_and_say_so() -> None:
    frame = areas(60)
    rows = locations(frame)
    table = make_folds(frame, Folds(scheme="location"), seed=0, locations=rows)
    split = split_rows(table, 0, rows, validation_share=0.1, seed=0)
    assert set(rows["area"][split.test]) & set(rows["area"][split.train])
    assert not (split.test & split.train).any()
    assert np.ptp(table.locations["fold"].value_counts()) <= 1
    assert "leaks" in scheme_note([table.scheme])
    assert scheme_note(["area", "spatial_block"]) is None


def test_city_folds_hold_out_one_city() -> None:
    frame = areas(40).assign(city=["leeds"] * 15 + ["london"] * 25)
    table = make_folds(frame, Folds(scheme="city"), seed=0)
    split = split_rows(table, 0, locations(frame), validation_share=0.1, seed=0)
    rows = locations(frame)
    assert set(rows["city"][split.test]) == {"leeds"}
    assert set(rows["city"][split.train | split.validation]) == {"london"}
    with pytest.raises(TooFewAreasError, match="needs two"):
        make_folds(frame.assign(city="leeds"), Folds(scheme="city"), seed=0)


def in_districts(sizes: dict[str, int]) -> pd.DataFrame:
    frame = areas(sum(sizes.values()))
    return frame.assign(authority=np.repeat(list(sizes), list(sizes.values())))


def test_whole_authorities_are_held_out_and_fill_folds_of_like_size() -> None:
    frame = in_districts({f"E090000{n:02d}": 100 + 5 * n for n in range(33)})
    folds = []
    for seed in (1, 2):
        table = make_folds(frame, Folds(scheme="district"), seed=seed)
        assert (table.scheme, table.folds) == ("district", (0, 1, 2, 3, 4))
        assert table.areas.groupby(frame["authority"])["fold"].nunique().max() == 1
        sizes = table.areas["fold"].value_counts()
        assert sizes.max() < 1.4 * sizes.min()
        folds.append(table.areas["fold"].to_numpy())
    assert (folds[0] != folds[1]).any()
    backwards = make_folds(frame.iloc[::-1], Folds(scheme="district"), seed=2)
    assert (backwards.areas["fold"].to_numpy()[::-1] == folds[1]).all()


def test_no_authority_is_in_training_and_test() -> None:
    frame = in_districts({"E06000001": 30, "E06000002": 20, "E06000003": 10})
    table = make_folds(frame, Folds(scheme="district", k=5), seed=0)
    assert table.folds == (0, 1, 2), "as many as authorities"
    rows = locations(frame)
    for fold in table.folds:
        split = split_rows(table, fold, rows, validation_share=0.1, seed=0)
        held_out = set(rows["authority"][split.test])
        assert len(held_out) == 1
        assert not held_out & set(rows["authority"][split.train | split.validation])
        assert split.validation.any()


def test_one_authority_cannot_be_held_out_of_itself() -> None:
    with pytest.raises(TooFewAreasError, match=r"all 40 areas lie in E08000035: name more"):
        make_folds(in_districts({"E08000035": 40}), Folds(scheme="district"), seed=0)


def test_every_area_needs_an_authority_where_these_are_held_out() -> None:
    frame = in_districts({"E06000001": 30, "E06000002": 20})
    frame.loc[7, "authority"] = None
    with pytest.raises(ValueError, match=f"1 areas .* for instance {frame['area'][7]}"):
        make_folds(frame, Folds(scheme="district"), seed=0)
    with pytest.raises(ValueError, match="needs the local authority of every area"):
        make_folds(areas(50), Folds(scheme="district"), seed=0)


@pytest.mark.parametrize("n", [10, 101, 1000])
def test_holdout_has_its_shares_in_every_stratum(n: int) -> None:
    frame = areas(n)
    table = make_folds(frame, Folds(scheme="holdout", holdout_shares=(0.6, 0.1, 0.3)), seed=0)
    assert table.folds == (0,)
    split = split_rows(table, 0, locations(frame, 1), validation_share=0.1, seed=0)
    counts = np.array([m.sum() for m in (split.train, split.validation, split.test)])
    assert (np.abs(counts - n * np.array([0.6, 0.1, 0.3])) <= 1).all()
    assert counts.sum() == n
    if n == 1000:
        deciles = locations(frame, 1)["decile"]
        assert abs(deciles[split.test].mean() - deciles.mean()) < 0.2


def test_rows_of_unknown_areas_and_buffers_are_in_no_part() -> None:
    table = FoldTable(
        areas=pd.DataFrame({"area": ["a", "b", "c", "d", "e"], "fold": [0, 1, 1, 1, 1],
                            "scheme": "area"}),
        buffers=pd.DataFrame({"fold": [0], "area": ["b"]}),
    )  # fmt: skip
    rows = pd.DataFrame({"location_id": list("123456"), "area": list("abcdez"), "decile": 1.0})
    split = split_rows(table, 0, rows, validation_share=0.3, seed=0)
    part = split.train | split.validation | split.test
    assert part.tolist() == [True, False, True, True, True, False]


def test_balance_describes_the_table() -> None:
    frame = areas(100)
    table = make_folds(frame, Folds(), seed=0)
    report = balance(table, frame)
    assert report["n_lsoas"].tolist() == [20] * 5
    assert np.ptp(report["mean_decile"]) < 0.5
