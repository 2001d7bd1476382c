"""Baselines against calculations by hand, and their honesty about test areas."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.models import baseline_guesses
from streetineq_assets.models.baseline_areas import Areas, FoldAreas, sum_codes
from streetineq_assets.models.baseline_guesses import DEFAULT_PENALTY, GUESSES, NAMES, best_map
from streetineq_assets.models.baselines import map_notes, score_baselines
from streetineq_assets.models.dataset import Codes
from streetineq_assets.models.folds import FoldTable, make_folds
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.settings import Folds
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
    msoa = [f"E02{number:06d}" for number in np.argsort(np.argsort(east)) // 5]
    return pd.DataFrame(
        {"area": frame["area"], "easting_m": east, "northing_m": north, "msoa": msoa}
    )


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
    return table[table["baseline"] == name].set_index("area")["score"]


@pytest.fixture(scope="module")
def all_scores() -> pd.DataFrame:
    return scored(ROWS.assign(h=ROWS["decile"] - 5.5))


def test_each_scores_each_area_once_in_the_fold_that_tests_it(all_scores: pd.DataFrame) -> None:
    assert all_scores.groupby("baseline").size().to_dict() == dict.fromkeys(NAMES, 60)
    assert set(all_scores["scheme"]) == {"area"}
    fold = TABLE.areas.set_index("area")["fold"]
    assert (all_scores["fold"].to_numpy() == fold[all_scores["area"]].to_numpy()).all()


def test_constant_says_five(all_scores: pd.DataFrame) -> None:
    assert (of(all_scores, "constant") == 5).all()


def test_coordinates_are_the_mean_of_the_eight_nearest_training_areas(
    all_scores: pd.DataFrame,
) -> None:
    frame = areas(ROWS).merge(TABLE.areas, on="area").merge(CENTROIDS, on="area")
    point = frame[["easting_m", "northing_m"]].to_numpy()
    for row in range(0, 60, 7):
        training = frame["fold"] != frame["fold"][row]
        distance = np.linalg.norm(point - point[row], axis=1)
        nearest = frame[training].assign(d=distance[training]).nsmallest(8, "d")
        expected = nearest["decile"].mean()
        assert of(all_scores, "map_knn")[frame["area"][row]] == pytest.approx(expected)


@pytest.mark.parametrize("direction", [1, -1])
def test_image_count_is_the_rank_in_the_direction_of_the_other_folds(direction: int) -> None:
    """By hand: 3 images are more than two of four known areas' and as many as one's."""
    decile = 5.5 + direction * np.array([-4.0, -2.0, 1.0, 4.0])
    fold = _counted(known=[1.0, 2.0, 3.0, 4.0], decile=decile, test=[3.0, 0.5, 9.0])
    expected = 5.5 + direction * 9 * (np.array([2.5 / 4, 0.0, 1.0]) - 0.5)
    np.testing.assert_allclose(GUESSES["image_count"](fold), expected)


def test_image_count_ranks_nobody_where_counts_are_equal(all_scores: pd.DataFrame) -> None:
    assert (of(all_scores, "image_count") == 5.5).all()


def test_image_count_is_near_zero_where_counts_say_nothing() -> None:
    """A fitted line is low where the fold is high: its correlation is below zero without cause."""
    decile = np.repeat(np.arange(1.0, 11.0), 5)
    ranks, lines = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        counts = 4.0 * (1 + rng.poisson(10, 50))
        fold_of = rng.permutation(50) % 5
        rank, line = np.empty(50), np.empty(50)
        for test in (fold_of == fold for fold in range(5)):
            fold = _counted(known=counts[~test], decile=decile[~test], test=counts[test])
            rank[test] = GUESSES["image_count"](fold)
            line[test] = np.polyval(np.polyfit(counts[~test], decile[~test], 1), counts[test])
        ranks.append(_quadratic_kappa(decile, rank))
        lines.append(_quadratic_kappa(decile, line))
    error = np.std(ranks) / np.sqrt(len(ranks))
    assert abs(np.mean(ranks)) < 3 * error < 0.04
    assert np.mean(lines) < -0.02


def test_ridge_finds_the_signal_in_mean_codes(all_scores: pd.DataFrame) -> None:
    decile = areas(ROWS).set_index("area")["decile"]
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
    decile = frame.set_index("area")["decile"]
    alone, both = of(table, "map_knn"), of(table, "map_and_score")
    assert abs(alone.corr(decile[alone.index])) < 0.4
    assert both.corr(decile[both.index]) > 0.9
    noise = ROWS.assign(h=rng.normal(size=len(ROWS)))
    lost = of(scored(noise, where=blind, baselines=("map_and_score",)),
              "map_and_score")  # fmt: skip
    assert lost.corr(decile[lost.index]) < 0.4


def test_map_and_score_adds_to_the_best_map_what_the_score_says_beyond_it() -> None:
    """An area that were among its own neighbours would lend the map its own decile."""
    rng = np.random.default_rng(4)
    level = rng.uniform(1, 10, 6)
    train, validation, test = (_in_msoas(level, n, rng) for n in (30, 6, 9))
    known, decile, score = (
        np.concatenate([getattr(train, name), getattr(validation, name)])
        for name in ("msoa", "decile", "scores")
    )
    fold = FoldAreas(train, validation, test)
    assert best_map(fold) == "msoa_mean"

    def others(msoa: str, *, own: int | None = None) -> float:
        return np.mean([d for at, d in enumerate(decile) if known[at] == msoa and at != own])

    guesses = np.array([others(msoa, own=at) for at, msoa in enumerate(known)])
    x = np.column_stack([np.ones(len(known)), guesses, score])
    coefficients, (squares,), *_ = np.linalg.lstsq(x, decile, rcond=None)
    variance = squares / (len(known) - 3) * np.linalg.inv(x.T @ x)[2, 2]
    slope = coefficients[2] * (1 - 2 * variance / coefficients[2] ** 2)
    assert 0 < slope < coefficients[2]
    rise, start = np.polyfit(guesses, score, 1)
    of_test = np.array([others(msoa) for msoa in test.msoa])
    expected = of_test + slope * (test.scores - start - rise * of_test)
    np.testing.assert_allclose(GUESSES["map_and_score"](fold), expected)


@pytest.mark.parametrize("name", MAPS)
def test_areas_without_a_place_are_not_guessed_from_the_map(name: str) -> None:
    table = scored(where=CENTROIDS.iloc[5:], baselines=(name,))
    missing = CENTROIDS["area"].iloc[:5]
    assert of(table, name)[missing].isna().all()
    assert of(table, name).notna().sum() == 55


def test_centroids_of_earlier_folds_name_no_msoa_and_the_nearest_areas_stand_in() -> None:
    earlier = CENTROIDS.drop(columns="msoa")
    table = scored(where=earlier, baselines=("map_knn", "map_msoa_mean"))
    pd.testing.assert_series_equal(of(table, "map_knn"), of(table, "map_msoa_mean"))
    note = map_notes(table, "area", earlier)["areas_without_msoa"]
    assert note.startswith("60 of 60 areas have no MSOA")
    assert map_notes(table, "area", CENTROIDS) == {}


def test_areas_of_one_msoa_are_guessed_from_each_other(all_scores: pd.DataFrame) -> None:
    frame = areas(ROWS).merge(TABLE.areas, on="area").merge(CENTROIDS, on="area")
    guessed = of(all_scores, "map_msoa_mean")
    with_others = 0
    for row in frame.itertuples():
        same = (frame["msoa"] == row.msoa) & (frame["fold"] != row.fold)
        if same.any():
            with_others += 1
            assert guessed[row.area] == pytest.approx(frame.loc[same, "decile"].mean())
    assert with_others > 50


@pytest.mark.parametrize("informed", [False, True])
def test_a_score_gains_over_the_best_map_when_it_says_more_and_not_by_chance(
    informed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In how many cities the squared error falls by more than 1.96 of its standard errors."""
    monkeypatch.setattr(baseline_guesses, "MAP_MODELS", ("knn", "msoa_mean"))  # for time
    rng = np.random.default_rng(11)
    ahead, left_alone = 0, 0
    for _ in range(100):
        parts = [
            _in_msoas(np.arange(1.0, 11.0), n, rng, scores=1.0 * informed) for n in (150, 20, 100)
        ]
        fold = FoldAreas(*parts)
        both = GUESSES["map_and_score"](fold)
        alone = GUESSES[f"map_{best_map(fold)}"](fold)
        gain = np.square(alone - fold.test.decile) - np.square(both - fold.test.decile)
        left_alone += (gain == 0).all()
        ahead += gain.mean() > 1.96 * gain.std() / np.sqrt(len(gain))
    assert ahead > 95 if informed else ahead <= 5
    assert left_alone == 0 if informed else left_alone > 50


def test_test_areas_shape_no_baseline_of_their_fold() -> None:
    tested = set(TABLE.areas.loc[TABLE.areas["fold"] == 0, "area"])
    mine = ROWS["area"].isin(tested)
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
    labels = dict(zip(sorted(set(ROWS["area"])), rng.integers(1, 11, 60), strict=True))
    rows = ROWS.assign(decile=ROWS["area"].map(labels).astype(float))
    where = centroids(areas(rows))
    leaky = make_folds(areas(rows), Folds(scheme="location", k=4), seed=1, locations=rows)
    honest = make_folds(areas(rows), Folds(k=4), seed=1)
    decile = areas(rows).set_index("area")["decile"]
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
    frame = areas(rows).merge(table.areas, on="area")
    first = frame.iloc[0]
    expected = frame.loc[frame["fold"] != first["fold"], "decile"].mean()
    assert scores[first["area"]] == pytest.approx(expected)


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
        areas=pd.DataFrame({"area": sorted(set(rows["area"])), "fold": [0, 1],
                            "scheme": "area"}),
        buffers=pd.DataFrame({"fold": pd.Series(dtype=int), "area": pd.Series(dtype=str)}),
    )  # fmt: skip
    guesses = of(scored(rows, table, codes, baselines=("ridge",)), "ridge")
    assert np.isfinite(guesses).all()
    validation, both = _areas_of(codes[:0], rows[:0]), _areas_of(CODES, ROWS)
    strongest = GUESSES["ridge"](FoldAreas(both, validation, both))
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
    got = GUESSES["ridge"](FoldAreas(train, validation, test))
    np.testing.assert_allclose(got, closed_form([train, validation], best(validation), test))


@pytest.mark.parametrize("cut", [False, True])
def test_an_areas_code_is_the_mean_over_all_its_locations(
    cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Areas have one location to four; `cut` sums them by parts, which are uneven too."""
    codes, rows = city(40, 4, WIDTH, seed=3)
    area = rows["area"].str[3:].astype(int)
    rows = rows[rows.groupby("area").cumcount() <= area % 4].reset_index(drop=True)
    assert set(rows.groupby("area").size()) == {1, 2, 3, 4}
    parts = make_folds(areas(rows), Folds(scheme="location", k=4), seed=1, locations=rows)
    whole = make_folds(areas(rows), Folds(k=4), seed=1)
    sums = sum_codes(
        Codes(ArrayReader(codes, rows["location_id"].to_numpy()), 2**30),
        rows,
        parts if cut else whole,
    )
    found = {}

    def keep(fold: FoldAreas) -> np.ndarray:
        for each in (fold.train, fold.validation, fold.test):
            found.update(zip(each.area, each.means, strict=True))
        return fold.test.decile

    monkeypatch.setitem(GUESSES, "ridge", keep)
    where = centroids(areas(rows))
    score_baselines(sums, rows, whole, where, baselines=("ridge",), validation_share=0.1, seed=1)
    of_locations = pd.DataFrame(codes[rows["row"]].mean(axis=1, dtype=np.float64))
    expected = of_locations.groupby(rows["area"].to_numpy()).mean()
    assert set(found) == set(expected.index)
    got = np.array([found[name] for name in expected.index])
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def _scattered(n: int, rng: np.random.Generator) -> Areas:
    """Areas at random places, of random deciles and scores."""
    return Areas(
        area=np.array([f"E{n}{i:03d}" for i in range(n)]),
        decile=rng.integers(1, 11, n).astype(float), n_images=np.ones(n),
        centroids=rng.uniform(0, 9_000, (n, 2)), msoa=np.full(n, None), means=np.zeros((n, WIDTH)),
        scores=rng.normal(size=n),
    )  # fmt: skip


def _in_msoas(level: np.ndarray, n: int, rng: np.random.Generator, *, scores: float = 0.5) -> Areas:
    """Areas in MSOAs of these mean deciles, which lie across each other.

    The scores rise with the decile by `scores` per decile, beside noise of 1.
    """
    at = np.arange(n) % len(level)
    areas = replace(_scattered(n, rng), decile=level[at] + rng.normal(0, 1, n))
    areas = replace(areas, scores=areas.scores + scores * areas.decile)
    return replace(areas, msoa=np.array([f"E02{number}" for number in at], object))


def _counted(*, known: np.ndarray, decile: np.ndarray, test: np.ndarray) -> FoldAreas:
    """A fold in which only the numbers of images matter."""
    rng = np.random.default_rng(0)
    parts = [_scattered(len(known), rng), _scattered(0, rng), _scattered(len(test), rng)]
    parts[0] = replace(parts[0], n_images=np.asarray(known), decile=decile)
    parts[2] = replace(parts[2], n_images=np.asarray(test))
    return FoldAreas(*parts)


def _quadratic_kappa(decile: np.ndarray, score: np.ndarray) -> float:
    """Of the score ranked into ten equal parts, as areas are by default; in closed form."""
    ranked = np.ceil(10 * pd.Series(score).rank().to_numpy() / len(score))
    apart = np.var(decile) + np.var(ranked) + (decile.mean() - ranked.mean()) ** 2
    return 1 - np.square(decile - ranked).mean() / apart


def _along(direction: np.ndarray, n: int, rng: np.random.Generator) -> Areas:
    """Areas whose codes say their decile along one direction, in much noise."""
    means = 3.0 + 2.0 * rng.normal(size=(n, WIDTH))
    decile = 5.5 + 0.3 * (means - 3.0) @ direction + rng.normal(0, 2.5, n)
    return replace(_scattered(n, rng), decile=decile, means=means)


def _areas_of(codes: np.ndarray, rows: pd.DataFrame) -> Areas:
    """Areas in which only codes and deciles matter."""
    grouped = rows.groupby("area", sort=True)
    members = [grouped.indices[name] for name in sorted(grouped.indices)]
    means = np.array([codes[at].mean(axis=(0, 1), dtype=np.float64) for at in members])
    n = len(members)
    return Areas(
        area=np.array(sorted(grouped.indices), dtype=str),
        decile=grouped["decile"].first().to_numpy(),
        n_images=np.ones(n), centroids=np.zeros((n, 2)), msoa=np.full(n, None),
        means=means.reshape(n, WIDTH), scores=np.zeros(n),
    )  # fmt: skip
