"""Baselines against calculations by hand, and their honesty about test areas."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.models.baselines import (
    DEFAULT_PENALTY,
    GUESSES,
    NAMES,
    Areas,
    score_baselines,
    sum_codes,
)
from streetineq_assets.models.dataset import Codes
from streetineq_assets.models.folds import FoldTable, make_folds
from streetineq_assets.study import Folds
from streetineq_tests.models.synthetic import ArrayReader, areas, city

WIDTH = 24
CODES, ROWS = city(60, 3, WIDTH, signal=1.0, seed=3)
TABLE = make_folds(areas(ROWS), Folds(k=4), seed=1)


def centroids(frame: pd.DataFrame, *, signal: bool = False) -> pd.DataFrame:
    """A place for every area; with `signal` the decile rises to the east."""
    rng = np.random.default_rng(0)
    east = rng.uniform(0, 10_000, len(frame))
    if signal:
        east = frame["decile"].to_numpy(float) * 1000 + rng.normal(0, 300, len(frame))
    north = rng.uniform(0, 3_000, len(frame))
    return pd.DataFrame({"lsoa11": frame["lsoa11"], "easting_m": east, "northing_m": north})


CENTROIDS = centroids(areas(ROWS), signal=True)


def scored(
    rows: pd.DataFrame = ROWS,
    table: FoldTable = TABLE,
    codes: np.ndarray = CODES,
    where: pd.DataFrame = CENTROIDS,
    baselines: tuple[str, ...] = NAMES,
) -> pd.DataFrame:
    source = Codes(ArrayReader(codes, rows["location_id"].to_numpy()), 2**30)
    sums = sum_codes(source, rows, table)
    return score_baselines(
        sums, rows, table, where, baselines=baselines, validation_share=0.1, seed=1
    )


def of(table: pd.DataFrame, name: str) -> pd.Series:
    return table[table["baseline"] == name].set_index("lsoa11")["score"]


@pytest.fixture(scope="module")
def all_scores() -> pd.DataFrame:
    return scored(ROWS.assign(h=ROWS["decile"] - 5.5))


def test_each_scores_each_area_once_in_the_fold_that_tests_it(all_scores: pd.DataFrame) -> None:
    assert all_scores.groupby("baseline").size().to_dict() == dict.fromkeys(NAMES, 60)
    assert set(all_scores["scheme"]) == {"area"}
    fold = TABLE.areas.set_index("lsoa11")["fold"]
    assert (all_scores["fold"].to_numpy() == fold[all_scores["lsoa11"]].to_numpy()).all()


def test_constant_says_five(all_scores: pd.DataFrame) -> None:
    assert (of(all_scores, "constant") == 5).all()


def test_coordinates_are_the_mean_of_the_eight_nearest_training_areas(
    all_scores: pd.DataFrame,
) -> None:
    frame = areas(ROWS).merge(TABLE.areas, on="lsoa11").merge(CENTROIDS, on="lsoa11")
    point = frame[["easting_m", "northing_m"]].to_numpy()
    for row in range(0, 60, 7):
        training = frame["fold"] != frame["fold"][row]
        distance = np.linalg.norm(point - point[row], axis=1)
        nearest = frame[training].assign(d=distance[training]).nsmallest(8, "d")
        expected = nearest["decile"].mean()
        assert of(all_scores, "map_knn")[frame["lsoa11"][row]] == pytest.approx(expected)


def test_image_count_is_a_line_in_the_logarithm(all_scores: pd.DataFrame) -> None:
    # Every area has as many images as the others: the line is flat, at the training areas' mean.
    frame = areas(ROWS).merge(TABLE.areas, on="lsoa11")
    means = {f: frame.loc[frame["fold"] != f, "decile"].mean() for f in TABLE.folds}
    expected = frame.set_index("lsoa11")["fold"].map(means)
    got = of(all_scores, "image_count")
    np.testing.assert_allclose(got, expected[got.index], atol=1e-9)
    fewer = ROWS[(ROWS["decile"] > 5) | (ROWS.groupby("lsoa11").cumcount() == 0)]
    fewer = fewer.reset_index(drop=True)
    counted = of(scored(fewer, codes=CODES, baselines=("image_count",)), "image_count")
    decile = areas(ROWS).set_index("lsoa11")["decile"][counted.index]
    assert counted[decile > 5].min() > counted[decile <= 5].max()


def test_ridge_finds_the_signal_in_mean_codes(all_scores: pd.DataFrame) -> None:
    decile = areas(ROWS).set_index("lsoa11")["decile"]
    got = of(all_scores, "ridge")
    assert got.corr(decile[got.index]) > 0.8


def test_map_and_score_uses_the_score_where_coordinates_say_nothing(
    all_scores: pd.DataFrame,
) -> None:
    rng = np.random.default_rng(1)
    frame = areas(ROWS)
    blind = centroids(frame)
    informed = ROWS.assign(h=ROWS["decile"] - 5.5 + rng.normal(0, 0.5, len(ROWS)))
    table = scored(informed, where=blind, baselines=("map_knn", "map_and_score"))
    decile = frame.set_index("lsoa11")["decile"]
    alone, both = of(table, "map_knn"), of(table, "map_and_score")
    assert abs(alone.corr(decile[alone.index])) < 0.4
    assert both.corr(decile[both.index]) > 0.9
    noise = ROWS.assign(h=rng.normal(size=len(ROWS)))
    lost = of(scored(noise, where=blind, baselines=("map_and_score",)),
              "map_and_score")  # fmt: skip
    assert lost.corr(decile[lost.index]) < 0.4


def test_map_and_score_is_a_plane_through_other_areas_deciles_and_own_scores() -> None:
    """An area that were among its own neighbours would lend the map its own decile."""
    rng = np.random.default_rng(4)
    train, validation, test = (_scattered(n, rng) for n in (30, 6, 9))
    known, decile, score = (
        np.concatenate([getattr(train, name), getattr(validation, name)])
        for name in ("centroids", "decile", "scores")
    )

    def nearest(place: np.ndarray, *, own: int | None = None) -> float:
        distance = np.linalg.norm(known - place, axis=1)
        order = [at for at in np.argsort(distance) if at != own]
        return decile[order[:8]].mean()

    others = np.array([nearest(place, own=at) for at, place in enumerate(known)])
    x = np.column_stack([np.ones(len(known)), others, score])
    coefficients, *_ = np.linalg.lstsq(x, decile, rcond=None)
    wanted = [
        [1.0, nearest(place), h] for place, h in zip(test.centroids, test.scores, strict=True)
    ]
    got = GUESSES["map_and_score"](train, validation, test)
    np.testing.assert_allclose(got, np.array(wanted) @ coefficients)


def test_areas_without_a_place_are_not_guessed_by_coordinates() -> None:
    table = scored(where=CENTROIDS.iloc[5:], baselines=("map_knn",))
    missing = CENTROIDS["lsoa11"].iloc[:5]
    assert of(table, "map_knn")[missing].isna().all()
    assert of(table, "map_knn").notna().sum() == 55


def test_test_areas_shape_no_baseline_of_their_fold() -> None:
    tested = set(TABLE.areas.loc[TABLE.areas["fold"] == 0, "lsoa11"])
    mine = ROWS["lsoa11"].isin(tested)
    rows = ROWS.assign(h=np.random.default_rng(3).normal(size=len(ROWS)))
    spoilt = rows.assign(decile=rows["decile"].where(~mine, 1.0))
    before, after = (t[t["fold"] == 0] for t in (scored(rows), scored(spoilt)))
    assert set(before["baseline"]) == set(NAMES)
    pd.testing.assert_frame_equal(before, after)


def test_sums_by_parts_of_areas_serve_folds_of_whole_areas() -> None:
    """So the codes are read once for a study's folds of locations and for spatial blocks."""
    source = Codes(ArrayReader(CODES, ROWS["location_id"].to_numpy()), 2**30)
    parts = make_folds(areas(ROWS), Folds(scheme="location", k=4), seed=1, locations=ROWS)
    finer = sum_codes(source, ROWS, parts)
    assert len(finer.sums) > 60, "areas are cut"
    table = score_baselines(
        finer, ROWS, TABLE, CENTROIDS, baselines=("ridge",), validation_share=0.1, seed=1
    )
    whole = scored(baselines=("ridge",))
    np.testing.assert_allclose(table["score"], whole["score"], rtol=1e-6)
    assert table.drop(columns="score").equals(whole.drop(columns="score"))


def test_location_folds_give_one_score_per_area_and_are_optimistic() -> None:
    rng = np.random.default_rng(5)
    labels = dict(zip(sorted(set(ROWS["lsoa11"])), rng.integers(1, 11, 60), strict=True))
    rows = ROWS.assign(decile=ROWS["lsoa11"].map(labels).astype(float))
    where = centroids(areas(rows))
    leaky = make_folds(areas(rows), Folds(scheme="location", k=4), seed=1, locations=rows)
    honest = make_folds(areas(rows), Folds(k=4), seed=1)
    decile = areas(rows).set_index("lsoa11")["decile"]
    table = scored(rows, leaky, where=where, baselines=("map_knn",))
    assert (table["fold"] == -1).all()
    seen = of(table, "map_knn")
    unseen = of(scored(rows, honest, where=where, baselines=("map_knn",)), "map_knn")
    assert not seen.index.duplicated().any()
    assert seen.corr(decile[seen.index]) > unseen.corr(decile[unseen.index]) + 0.2


def test_fewer_areas_than_neighbours_use_all_of_them() -> None:
    codes, rows = city(6, 3, WIDTH, seed=3)
    table = make_folds(areas(rows), Folds(k=3), seed=1)
    scores = of(scored(rows, table, codes, centroids(areas(rows)), ("map_knn",)), "map_knn")
    frame = areas(rows).merge(table.areas, on="lsoa11")
    first = frame.iloc[0]
    expected = frame.loc[frame["fold"] != first["fold"], "decile"].mean()
    assert scores[first["lsoa11"]] == pytest.approx(expected)


def test_a_fold_without_areas_to_test_or_to_learn_from_is_left_out() -> None:
    fold = TABLE.fold_of(ROWS)
    rng = np.random.default_rng(2)
    kept = ROWS[fold != 2].reset_index(drop=True)
    kept = kept.assign(h=rng.normal(size=len(kept)))
    table = scored(kept)
    assert set(table["fold"]) == {0, 1, 3}
    assert table.groupby("baseline").size().to_dict() == dict.fromkeys(NAMES, 45)
    alone = ROWS[fold == 2].reset_index(drop=True).assign(h=0.0)
    nothing = scored(alone)
    assert nothing.empty
    assert nothing.columns.tolist() == table.columns.tolist()


def test_without_validation_areas_ridge_takes_the_penalty_that_is_documented() -> None:
    codes, rows = city(2, 3, WIDTH, seed=3)
    table = FoldTable(
        areas=pd.DataFrame({"lsoa11": sorted(set(rows["lsoa11"])), "fold": [0, 1],
                            "scheme": "area"}),
        buffers=pd.DataFrame({"fold": pd.Series(dtype=int), "lsoa11": pd.Series(dtype=str)}),
    )  # fmt: skip
    guesses = of(scored(rows, table, codes, baselines=("ridge",)), "ridge")
    assert np.isfinite(guesses).all()
    validation, both = _areas_of(codes[:0], rows[:0]), _areas_of(CODES, ROWS)
    strongest = GUESSES["ridge"](both, validation, both)
    x = (both.means - both.means.mean(axis=0)) / both.means.std(axis=0)
    y = both.decile - both.decile.mean()
    w = np.linalg.solve(x.T @ x + DEFAULT_PENALTY * np.eye(WIDTH), x.T @ y)
    np.testing.assert_allclose(strongest, both.decile.mean() + x @ w, atol=1e-5)


def test_ridge_takes_the_penalty_that_validation_areas_prefer_and_then_learns_from_them_too() -> (
    None
):
    rng = np.random.default_rng(0)
    direction = rng.normal(size=WIDTH)
    train, validation, test = (_along(direction, n, rng) for n in (30, 12, 10))
    mean, sd = train.means.mean(axis=0), train.means.std(axis=0)

    def closed_form(parts: list[Areas], penalty: float, to: Areas) -> np.ndarray:
        x = (np.concatenate([each.means for each in parts]) - mean) / sd
        y = np.concatenate([each.decile for each in parts])
        centred = x - x.mean(axis=0)
        gram = centred.T @ centred + penalty * np.eye(WIDTH)
        w = np.linalg.solve(gram, centred.T @ (y - y.mean()))
        return y.mean() + ((to.means - mean) / sd - x.mean(axis=0)) @ w

    def best(to: Areas) -> float:
        penalties = 10.0 ** np.arange(1, 8)
        errors = [np.square(closed_form([train], p, to) - to.decile).mean() for p in penalties]
        return penalties[np.argmin(errors)]

    assert best(validation) not in {best(train), best(test), DEFAULT_PENALTY}
    got = GUESSES["ridge"](train, validation, test)
    np.testing.assert_allclose(got, closed_form([train, validation], best(validation), test))


@pytest.mark.parametrize("cut", [False, True])
def test_an_areas_code_is_the_mean_over_all_its_locations(
    cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Areas have one location to four; `cut` sums them by parts, which are uneven too."""
    codes, rows = city(40, 4, WIDTH, seed=3)
    area = rows["lsoa11"].str[3:].astype(int)
    rows = rows[rows.groupby("lsoa11").cumcount() <= area % 4].reset_index(drop=True)
    assert set(rows.groupby("lsoa11").size()) == {1, 2, 3, 4}
    parts = make_folds(areas(rows), Folds(scheme="location", k=4), seed=1, locations=rows)
    whole = make_folds(areas(rows), Folds(k=4), seed=1)
    sums = sum_codes(
        Codes(ArrayReader(codes, rows["location_id"].to_numpy()), 2**30),
        rows,
        parts if cut else whole,
    )
    found = {}

    def keep(train: Areas, validation: Areas, test: Areas) -> np.ndarray:
        for each in (train, validation, test):
            found.update(zip(each.lsoa11, each.means, strict=True))
        return test.decile

    monkeypatch.setitem(GUESSES, "ridge", keep)
    where = centroids(areas(rows))
    score_baselines(sums, rows, whole, where, baselines=("ridge",), validation_share=0.1, seed=1)
    of_locations = pd.DataFrame(codes[rows["row"]].mean(axis=1, dtype=np.float64))
    expected = of_locations.groupby(rows["lsoa11"].to_numpy()).mean()
    assert set(found) == set(expected.index)
    got = np.array([found[name] for name in expected.index])
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def _scattered(n: int, rng: np.random.Generator) -> Areas:
    """Areas at random places, of random deciles and scores."""
    return Areas(
        lsoa11=np.array([f"E{n}{i:03d}" for i in range(n)]),
        decile=rng.integers(1, 11, n).astype(float), n_images=np.ones(n),
        centroids=rng.uniform(0, 9_000, (n, 2)), means=np.zeros((n, WIDTH)),
        scores=rng.normal(size=n),
    )  # fmt: skip


def _along(direction: np.ndarray, n: int, rng: np.random.Generator) -> Areas:
    """Areas whose codes say their decile along one direction, in much noise."""
    means = 3.0 + 2.0 * rng.normal(size=(n, WIDTH))
    decile = 5.5 + 0.3 * (means - 3.0) @ direction + rng.normal(0, 2.5, n)
    return replace(_scattered(n, rng), decile=decile, means=means)


def _areas_of(codes: np.ndarray, rows: pd.DataFrame) -> Areas:
    """Areas in which only codes and deciles matter."""
    grouped = rows.groupby("lsoa11", sort=True)
    members = [grouped.indices[name] for name in sorted(grouped.indices)]
    means = np.array([codes[at].mean(axis=(0, 1), dtype=np.float64) for at in members])
    n = len(members)
    return Areas(
        lsoa11=np.array(sorted(grouped.indices), dtype=str),
        decile=grouped["decile"].first().to_numpy(),
        n_images=np.ones(n), centroids=np.zeros((n, 2)), means=means.reshape(n, WIDTH),
        scores=np.zeros(n),
    )  # fmt: skip
