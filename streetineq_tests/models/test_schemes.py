"""Training by every scheme of folds, with other cities, and where images are partial."""

from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from streetineq_assets.models.assets import build_assets
from streetineq_assets.models.baseline_guesses import NAMES
from streetineq_assets.models.bundles.bundle import export_bundle, open_bundle
from streetineq_assets.models.dataset import open_codes
from streetineq_assets.partitions import Partitions
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_tests import studies
from streetineq_tests.harness import failed, metadata, publish, run
from streetineq_tests.models.running import JOINT, failure, lose_images, with_beta

pytestmark = pytest.mark.usefixtures("plain_steps")


SLOW_SCHEMES = [
    pytest.param(key, marks=pytest.mark.slow) for key in ("location", "holdout", "city")
]


@pytest.mark.parametrize("scheme", ["spatial_block", *SLOW_SCHEMES])
def test_every_scheme_trains_and_says_what_it_is(scheme: str, tmp_path: Path) -> None:
    store = with_beta(tmp_path, scheme)
    result = run(store, "trained_model", "alpha/crime")
    shown = metadata(result, "trained_model")
    assert failed(result) <= {"learned"}
    assert shown["scheme"] == scheme
    assert ("leak" in shown) == (scheme == "location")
    assert (shown["n_locations_used"], shown["n_lsoas_used"]) == (150, 50)
    learned = (shown["n_locations_trained_on"], shown["n_lsoas_trained_on"])
    assert learned == {"holdout": (105, 35), "city": (132, 44)}.get(scheme, (150, 50))
    bundle = open_bundle(export_bundle(store, Pair("alpha", "crime"), tmp_path / "x.streetineq"))
    others = {"beta": "Beta", "hamlet": "Hamlet"}
    assert bundle.about["trained_on"] == {"city": others}.get(scheme, {"alpha": "Alpha"})
    assert len(bundle.areas) == learned[1]
    assert any(code.startswith("A") for code in bundle.areas) == (scheme != "city")
    scores = store.open("trained_model", "alpha/crime").table("scores.parquet")
    assert scores["location_id"].str.startswith("A").all()
    assert len(scores) == {"holdout": 45}.get(scheme, 150)
    assert scores["fold"].nunique() == {"holdout": 1, "city": 1}.get(scheme, 5)
    result = run(store, "baseline_scores", "alpha/crime")
    assert not failed(result)
    assert ("no_map_baselines" in metadata(result, "baseline_scores")) == (scheme == "city")
    table = store.open("baseline_scores", "alpha/crime").table()
    own = table[table["scheme"] == scheme]
    without_map = {"constant", "image_count", "ridge"}
    assert set(own["baseline"]) == (without_map if scheme == "city" else set(NAMES))
    # A hold-out gives no score of the areas from which one would learn what a score adds.
    unscored = {"map_and_score"} if scheme == "holdout" else set()
    assert set(own.loc[own["score"].isna(), "baseline"]) == unscored
    assert own["area"].str.startswith("A").all()
    assert not own.duplicated(["baseline", "area"]).any()
    if scheme in ("location", "holdout"):
        shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
        assert ("leak" in shown) == (scheme == "location")


def test_whole_authorities_are_held_out_as_the_directory_has_them(tmp_path: Path) -> None:
    """Two of the city's areas lie across a border by one of their two postcodes."""
    store = with_beta(tmp_path, "district", folds=["alpha"])
    shown = metadata(run(store, "area_folds", "alpha"), "area_folds")
    assert "all 50 areas lie in E09000001" in shown["reason"]
    postcodes = store.open("postcode_lsoa").table()
    number = postcodes["area"].str[-2:].astype(int)
    authority = "E0900000" + (number // 20 + 1).astype(str)  # of 20, 20 and 10 areas
    across = postcodes.index.isin([0, 10])
    postcodes["authority"] = authority.mask(across, "E09000009")
    publish(store, "postcode_lsoa", None, postcode_lsoa=postcodes)
    assert failed(run(store, "area_folds", "alpha")) == {"folds_balanced"}
    folds = store.open("area_folds", "alpha").table()
    assert set(folds["scheme"]) == {"district"}
    assert sorted(folds["fold"].value_counts()) == [10, 20, 20]
    assert (folds.groupby(folds["area"].str[-2:].astype(int) // 20)["fold"].nunique() == 1).all()
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert (shown["scheme"], shown["n_folds"]) == ("district", 3)
    assert not failed(run(store, "baseline_scores", "alpha/crime"))
    bundle = open_bundle(export_bundle(store, Pair("alpha", "crime"), tmp_path / "x.streetineq"))
    assert bundle.about["record"]["scheme"] == "district"


def test_an_area_without_an_authority_stops_folds_of_authorities(tmp_path: Path) -> None:
    store = with_beta(tmp_path, "district", folds=[])
    postcodes = store.open("postcode_lsoa").table()
    lost = postcodes["area"] == "AE01000007"
    publish(
        store, "postcode_lsoa", None,
        postcode_lsoa=postcodes.assign(authority=postcodes["authority"].mask(lost)),
    )  # fmt: skip
    message = failure(store, "area_folds", "alpha")
    assert "for instance AE01000007" in message
    assert "add them to the postcode directory" in message


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("layer", "block5_pool", "alpha have layer fc6, those of beta block5_pool"),
        ("mixed_precision", True, "alpha have mixed_precision False, those of beta True"),
    ],
)
def test_codes_of_different_encoders_are_not_learned_from_together(
    name: str, value: object, text: str, tmp_path: Path
) -> None:
    store = with_beta(tmp_path, "city")
    codes, ids = codes_of(store, "beta")
    studies.publish_shards(store, "beta", codes, ids, **{name: value})
    message = failure(store, "trained_model", "alpha/crime")
    assert text in message


def test_codes_of_several_cities_are_read_in_the_widest_of_their_types(tmp_path: Path) -> None:
    store = studies.write_with_codes(tmp_path, beta=True)
    codes, ids = codes_of(store, "alpha")
    with np.errstate(over="ignore"):  # in the attributes, which nothing is computed from
        studies.publish_shards(store, "alpha", codes.astype("float16"), ids)
    wide, ids = codes_of(store, "beta")
    wide[3, 0, 5] = 1e5  # not a number that float16 has
    studies.publish_shards(store, "beta", wide, ids)
    both = open_codes([store.open("hdf5_shards", city) for city in ("alpha", "beta")], 2**30)
    both.load()
    assert both.dtype == np.float32
    features = both.take(np.arange(both.reader.n_rows))
    np.testing.assert_array_equal(features[: len(codes)], codes.astype("float16"))
    np.testing.assert_array_equal(features[len(codes) :], wide)


def codes_of(store: DataStore, city: str) -> tuple[np.ndarray, list[str]]:
    """A city's codes as published, and whose they are."""
    reader = open_codes([store.open("hdf5_shards", city)], 0).reader
    return reader.read(), reader.location_ids.tolist()


def test_an_outcome_that_no_other_city_has_cannot_be_learned_from_them(tmp_path: Path) -> None:
    store = with_beta(tmp_path, "city")
    result = run(store, "trained_model", "alpha/education")
    assert "available" in failed(result)
    shown = metadata(result, "trained_model")
    assert "none of them has education" in shown["reason"]
    assert "another city with education" in shown["wanted"]


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [('"crime"', ["crime"]), ('"crime", "education"', ["crime", "education"])],
)
@pytest.mark.slow
def test_joint_networks_of_a_city_left_out_learn_what_any_other_city_has(
    outcomes: str, together: list[str], tmp_path: Path
) -> None:
    store = with_beta(tmp_path, "city", outcomes=outcomes, joint=True)
    run(store, "joint_model", "alpha")
    for outcome in together:
        run(store, "trained_model", f"alpha/{outcome}")
        scores = store.open("trained_model", f"alpha/{outcome}").table("scores.parquet")
        assert len(scores) == 150
    made = store.manifest("joint_model", "alpha")
    assert made.recipe.config["outcomes"] == together
    assert {name.split("/")[0] for name in made.recipe.inputs} == {"alpha", "beta", "hamlet"}
    unavailable = failed(run(store, "trained_model", "alpha/education")) - {"learned"}
    assert unavailable == (set() if "education" in together else {"available"})


@pytest.mark.parametrize("joint", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_fold_whose_areas_have_no_images_is_left_out_and_named(
    joint: bool, tmp_path: Path
) -> None:
    store = studies.write_with_codes(tmp_path, toml=JOINT if joint else studies.WITH_CODES)
    run(store, "area_folds", "alpha")
    folds = store.open("area_folds", "alpha").table()
    lose_images(store, "alpha", folds.loc[folds["fold"] == 2, "area"])
    if joint:
        shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
        assert (shown["n_folds"], shown["n_folds_without_images"]) == (4, 1)
    result = run(store, "trained_model", "alpha/crime")
    assert failed(result) <= {"learned"}
    shown = metadata(result, "trained_model")
    assert (shown["n_folds"], shown["n_folds_without_images"]) == (4, 1)
    assert "Fold 2 tests no location that has codes" in shown["folds_without_images"]
    artefact = store.open("trained_model", "alpha/crime")
    scores = artefact.table("scores.parquet")
    assert (len(scores), set(scores["fold"])) == (120, {0, 1, 3, 4})
    assert not failed(run(store, "baseline_scores", "alpha/crime"))
    baselines = store.open("baseline_scores", "alpha/crime").table()
    assert set(baselines.loc[baselines["scheme"] == "area", "fold"]) == {0, 1, 3, 4}
    bundle = export_bundle(store, Pair("alpha", "crime"), tmp_path / "crime.streetineq")
    assert list(open_bundle(bundle).networks()) == [0, 1, 3, 4]


def test_a_city_whose_tested_areas_have_no_images_fails_with_the_remedy(tmp_path: Path) -> None:
    store = studies.write_with_codes(
        tmp_path, toml=studies.WITH_CODES.replace("[folds]", '[folds]\nscheme = "holdout"')
    )
    run(store, "area_folds", "alpha")
    folds = store.open("area_folds", "alpha").table()
    lose_images(store, "alpha", folds.loc[folds["fold"] == 0, "area"])
    assert "no fold tests a location that has codes and a label: add images" in failure(
        store, "trained_model", "alpha/crime"
    )


def test_images_in_a_part_of_the_city_leave_out_the_spatial_folds_without_them(
    tmp_path: Path,
) -> None:
    store = studies.write_with_codes(tmp_path)
    run(store, "area_folds", "alpha")
    blocks = store.open("area_folds", "alpha").table("spatial_area_folds.parquet")
    east = blocks.loc[blocks["area"].str[-1].astype(int) >= 4, "area"]
    lose_images(store, "alpha", east)
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert (shown["n_lsoas_used"], shown["n_folds_without_images"]) == (20, 0)
    shown = metadata(run(store, "baseline_scores", "alpha/crime"), "baseline_scores")
    table = store.open("baseline_scores", "alpha/crime").table()
    spatial = table.loc[table["scheme"] == "spatial_block", "fold"].nunique()
    assert shown["n_spatial_folds_without_images"] == 5 - spatial > 0


@pytest.mark.slow
def test_a_city_that_is_not_there_yet_is_left_out_and_named(tmp_path: Path) -> None:
    store = with_beta(tmp_path, "city", folds=["alpha"])
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["status"] == "unavailable"
    assert shown["wanted"] == "area_folds[hamlet], area_folds[beta] to be materialised"
    assert "none of those with crime is there yet" in shown["reason"]
    run(store, "area_folds", "beta")
    result = run(store, "trained_model", "alpha/crime")
    shown = metadata(result, "trained_model")
    assert "available" not in failed(result)
    assert shown["trained_on"] == "beta"
    assert "not there yet: hamlet" in shown["missing_cities"]
    assert "materialise area_folds[hamlet], then" in shown["missing_cities"]
    shown = metadata(run(store, "joint_model", "alpha"), "joint_model")
    assert "not there yet: hamlet" in shown["missing_cities"]
    run(store, "area_folds", "hamlet")
    shown = metadata(run(store, "trained_model", "alpha/crime"), "trained_model")
    assert shown["trained_on"] == "hamlet, beta"
    assert "missing_cities" not in shown


@pytest.mark.parametrize(("scheme", "needed"), [("location", True), ("city", False)])
def test_folds_depend_on_what_their_scheme_reads(scheme: str, needed: bool, tmp_path: Path) -> None:
    store = with_beta(tmp_path, scheme, folds=[])
    folds = build_assets(Partitions(load_study(store.study_file)))[0]
    assert (dg.AssetKey("locations") in folds.dependency_keys) == needed
