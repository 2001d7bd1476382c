"""A study file is read whole or refused with one line that names the key."""

from pathlib import Path

import pytest

from streetineq_assets.errors import StudyError
from streetineq_assets.study import OUTCOME_KEYS, PROFILES, Pair, load_study
from streetineq_tests.studies import new_study, two_towns

MINIMAL = (
    two_towns()
    .replace('["E08000101"]', '["E08000101", "E08000102"]')
    .replace("buckets = 1", "buckets = 4")
)


def write(folder: Path, text: str) -> Path:
    return new_study(folder, text).study_file


def test_pairs_come_heaviest_city_first(tmp_path):
    study = load_study(write(tmp_path, MINIMAL))
    assert study.by_weight == ("beta", "alpha")
    assert study.pairs == (("beta", "crime"), ("alpha", "crime"), ("alpha", "mean_income"))


def test_a_pair_and_its_key_lead_to_each_other():
    pair = Pair("london", "crime")
    assert pair.key == str(pair) == "london/crime"
    assert Pair.parse(pair.key) == pair


@pytest.mark.parametrize("key", ["", "london", "london/", "/crime", "london/003/crime"])
def test_a_key_that_is_no_pair_is_refused(key):
    with pytest.raises(StudyError, match="london/crime"):
        Pair.parse(key)


def test_an_authority_leads_to_its_city(tmp_path):
    study = load_study(write(tmp_path, MINIMAL))
    assert study.city_of_authority() == {
        "E09000101": "alpha",
        "E08000101": "beta",
        "E08000102": "beta",
    }


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"crime", "mean_income"', '"crime", "weather"', "cities.alpha.outcomes.1"),
        ('"crime", "mean_income"', '"crime", "crime"', "cities.alpha.outcomes"),
        ('["E09000101"]', "[]", "cities.alpha.authorities"),
        ('["E09000101"]', '["London"]', "cities.alpha.authorities.0"),
        ('["E09000101"]', '["E08000101"]', "E08000101 is in both alpha and beta"),
        ("buckets = 2", "buckets = 0", "cities.alpha.buckets"),
        ("buckets = 2", "bucket = 2", "cities.alpha.bucket"),
        ("[cities.alpha]", '[cities."a/b"]', "cities.a/b"),
        ("date = 2017-08-01", "date = 2017-08", "not valid TOML"),
        ("date = 2017-08-01", "", "date"),
        (
            "date = 2017-08-01",
            "date = 2017-08-01\ntraining.overrides.epoch = 3",
            "training",
        ),
        (
            "date = 2017-08-01",
            "date = 2017-08-01\nfolds.holdout_shares = [0.7, 0.2, 0.2]",
            "folds.holdout_shares",
        ),
        ("[cities.beta]", "[cities.alpha]", "not valid TOML"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(tmp_path, old, new, key):
    assert old in MINIMAL
    path = write(tmp_path, MINIMAL.replace(old, new, 1))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    message = str(caught.value)
    assert key in message
    assert str(path) in message
    assert "\n" not in message.replace(str(path), "")


def test_an_absent_study_says_how_to_make_one(tmp_path):
    with pytest.raises(StudyError, match="streetineq init"):
        load_study(tmp_path / "study.toml")


def test_overrides_change_the_profile(tmp_path):
    text = MINIMAL + "\n[training]\noverrides = { epochs = 3 }\n"
    study = load_study(write(tmp_path, text))
    assert study.training.resolve().epochs == 3
    assert study.training.resolve("suel2019").batch_size == PROFILES["suel2019"].batch_size


def test_the_committed_study_is_the_papers():
    study = load_study(Path(__file__).parents[1] / "data" / "study.toml")
    lsoas = {key: city.lsoas for key, city in study.cities.items()}
    assert lsoas == {"london": 4835, "birmingham": 1680, "manchester": 1673, "leeds": 1388}
    assert set(study.cities["london"].outcomes) == set(OUTCOME_KEYS)
    authorities = {key: len(city.authorities) for key, city in study.cities.items()}
    assert authorities == {"london": 33, "birmingham": 7, "manchester": 10, "leeds": 5}
    assert len(study.pairs) == 13 + 3 * 11
    assert study.folds.k == 5
