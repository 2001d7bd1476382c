"""What a fold does not learn from: repeats of what it tests, and places within a buffer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from streetineq_assets.codes.image_repeats import Places, find_repeats
from streetineq_assets.codes.repeated_images import find_repeated_images
from streetineq_assets.codes.tables import IMAGE_REPEATS
from streetineq_assets.image_settings import Repeats
from streetineq_assets.models.folds import make_folds, split_rows
from streetineq_assets.models.splitting import Split, without_repeats
from streetineq_assets.settings import Folds
from streetineq_assets.tables import conform, empty

ROWS = pd.DataFrame({"location_id": list("uvwxyz")})


def masks(*parts):
    return [ROWS["location_id"].isin(set(part)).to_numpy() for part in parts]


def ids(mask):
    return "".join(ROWS["location_id"][mask])


def repeats(*pairs):
    names = ["location_id", "other_location_id", "kind", "distance"]
    return conform(pd.DataFrame([(*pair, 0.0) for pair in pairs], columns=names), IMAGE_REPEATS)


def split():
    return Split(*masks("uvw", "xy", "z"))


def test_what_repeats_a_tested_location_is_neither_trained_nor_validated_on():
    pairs = repeats(("u", "z", "exact"), ("x", "z", "near"))
    left = without_repeats(split(), ROWS, pairs)
    assert [ids(mask) for mask in (left.train, left.validation, left.test)] == ["vw", "y", "z"]
    assert left.n_dropped() == {
        "n_dropped_as_repeats": 2,
        "n_dropped_as_exact": 1,
        "n_dropped_as_near": 1,
    }


def test_a_pair_counts_in_both_directions():
    tested_first = without_repeats(
        Split(*masks("uvw", "xy", "z")), ROWS, repeats(("z", "u", "near"))
    )
    assert ids(tested_first.train) == "vw"


def test_repeats_among_what_is_learned_or_tested_stay():
    left = without_repeats(
        Split(*masks("uv", "x", "yz")), ROWS, repeats(("u", "x", "exact"), ("y", "z", "near"))
    )
    assert [ids(mask) for mask in (left.train, left.validation, left.test)] == ["uv", "x", "yz"]
    assert left.n_dropped()["n_dropped_as_repeats"] == 0


def test_a_location_of_two_kinds_is_dropped_once():
    left = without_repeats(split(), ROWS, repeats(("u", "z", "exact"), ("u", "z", "near")))
    assert left.n_dropped()["n_dropped_as_repeats"] == 1


def test_without_any_repeat_the_split_is_what_it_was():
    left = without_repeats(split(), ROWS, empty(IMAGE_REPEATS))
    assert [ids(mask) for mask in (left.train, left.validation, left.test)] == ["uvw", "xy", "z"]
    assert left.n_dropped() == split().n_dropped() == {"n_dropped_as_repeats": 0}


def test_the_rows_of_one_outcome_keep_their_counts():
    pairs = repeats(("u", "z", "exact"), ("v", "z", "exact"))
    labelled = ROWS["location_id"].isin(set("uwxz")).to_numpy()
    assert without_repeats(split(), ROWS, pairs).only(labelled).n_dropped() == {
        "n_dropped_as_repeats": 1,
        "n_dropped_as_exact": 1,
    }


# -- the buffer of the scheme `area` ---------------------------------------------------------------


def in_a_row(n_areas=20, metres=80.0):
    """One location an area, on a line to the north, and the areas' table."""
    codes = [f"E01{number:06d}" for number in range(n_areas)]
    lat = 51.5 + np.arange(n_areas) * metres / 111_254  # metres of a degree there, by WGS84
    placed = pd.DataFrame({"location_id": codes, "area": codes, "lat": lat, "lon": -0.1})
    areas = pd.DataFrame({"area": codes, "decile": np.arange(n_areas) % 10 + 1})
    return areas, placed


@pytest.mark.parametrize(("buffer_m", "steps"), [(70.0, 0), (90.0, 1), (170.0, 2)])
def test_a_buffer_leaves_out_locations_by_their_distance(buffer_m, steps):
    areas, placed = in_a_row()
    table = make_folds(areas, Folds(buffer_m=buffer_m), seed=3, locations=placed)
    rows = placed.merge(areas, on="area")
    order = np.arange(len(rows))
    for fold in table.folds:
        made = split_rows(table, fold, rows, validation_share=0.2, seed=3)
        gap = np.abs(order[:, None] - order[made.test][None]).min(axis=1)
        learned = made.train | made.validation
        assert (learned == (gap > steps)).all()


def test_a_location_of_unknown_place_is_in_no_buffer():
    areas, placed = in_a_row()
    placed.loc[4, ["lat", "lon"]] = np.nan
    table = make_folds(areas, Folds(buffer_m=90.0), seed=3, locations=placed)
    assert placed["location_id"][4] not in set(table.near["location_id"])


def test_a_buffer_in_metres_is_refused_of_other_schemes():
    with pytest.raises(ValidationError, match="buffer_m is of the scheme area, not of city"):
        Folds(scheme="city", buffer_m=50)


# -- what a network that only remembers makes of repeats -------------------------------------------

N_AREAS, PER_AREA, WIDTH = 600, 27, 12  # London has 27 locations an area
ACROSS_FOLDS = 0.12  # share of locations; a fifth of random pairs lies within a fold


def a_city_to_remember(seed, share):
    """Codes of noise, in which a share of locations are copies from an area of a like decile.

    Deciles of copied and copying areas correlate by about .86, as mean income's do across the
    borders of London's LSOAs.
    """
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=N_AREAS)
    decile = pd.Series(latent).rank(method="first").mul(10 / N_AREAS).apply(np.ceil).to_numpy()
    area = np.repeat(np.arange(N_AREAS), PER_AREA)
    n = len(area)
    codes = rng.normal(size=(n, WIDTH)).astype(np.float32)
    hashes = rng.integers(1, 2**64 - 1, (n, 4), dtype=np.uint64)
    by_latent = np.argsort(latent)
    place = np.argsort(by_latent)
    for at in rng.permutation(n)[: round(share * n / 2)]:  # each pair makes two that repeat
        near = np.clip(place[area[at]] + round(rng.normal(0, 0.16 * N_AREAS)), 0, N_AREAS - 1)
        other = by_latent[near] * PER_AREA + rng.integers(PER_AREA)
        codes[other], hashes[other] = codes[at], hashes[at] ^ np.uint64(0b101)
    names = np.array([f"E{number:05d}" for number in range(N_AREAS)], object)
    ids = np.array([f"l{at:06d}" for at in range(n)], object)
    rows = pd.DataFrame({"location_id": ids, "area": names[area], "decile": decile[area]})
    return rows, codes, Places(ids, names[area], np.full((n, 2), np.nan), hashes)


def remembered(rows, codes, table):
    """Spearman's correlation of areas' mean score by the nearest code in training."""
    from scipy.spatial import cKDTree
    from scipy.stats import spearmanr

    score = np.full(len(rows), np.nan)
    decile = rows["decile"].to_numpy()
    for fold in table.folds:
        made = split_rows(table, fold, rows, validation_share=0.1, seed=1)
        learned = made.train | made.validation
        nearest = cKDTree(codes[learned]).query(codes[made.test])[1]
        score[made.test] = decile[learned][nearest]
    means = rows.assign(score=score).groupby("area")[["score", "decile"]].mean()
    return float(spearmanr(means["score"], means["decile"]).statistic)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_memory_without_information_scores_by_repeats_until_they_are_dropped(seed):
    rows, codes, places = a_city_to_remember(seed, ACROSS_FOLDS / 0.8)
    none = find_repeated_images([], np.empty((0, 4), "S1"))
    found = find_repeats(places, none, Repeats())
    areas = rows[["area", "decile"]].drop_duplicates("area")
    table = make_folds(areas, Folds(), seed=1)
    repeated = remembered(rows, codes, table)
    dropped = remembered(rows, codes, replace(table, repeats=found))
    assert 0.3 < repeated < 0.55
    assert abs(dropped) < 0.12  # 3 standard errors of 600 areas
