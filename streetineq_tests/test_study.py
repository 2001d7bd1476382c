"""A study file is read whole or refused with one line that names the key."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from streetineq_assets.errors import StudyError
from streetineq_assets.profiles import PROFILES, Profile
from streetineq_assets.settings import OUTCOME_KEYS, City
from streetineq_assets.study import Pair, Study, load_study
from streetineq_assets.wrong_settings import in_words
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
            "training.overrides",
        ),
        (
            "date = 2017-08-01",
            "date = 2017-08-01\nfolds.holdout_shares = [0.7, 0.2, 0.2]",
            "folds.holdout_shares",
        ),
        ("date = 2017-08-01", "date = 2017-08-01\nintervals.level = 90", "intervals.level"),
        ("date = 2017-08-01", "date = 2017-08-01\nareas.min_locations = 0", "areas.min_locations"),
        ("date = 2017-08-01", 'date = 2017-08-01\naggregation = "median"', "aggregation"),
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


AT_THE_TOP = "date = 2017-08-01"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("buckets = 2", "bucket = 2", r"cities\.alpha\.bucket .* did you mean buckets\?"),
        ("buckets = 2", "buckets = 0", r"cities\.alpha\.buckets = 0: .*equal to 1"),
        ("buckets = 2", 'buckets = "many"', r'buckets = "many": must be a valid integer$'),
        ("buckets = 2", "seed = 2", r"cities\.alpha\.seed .* belongs above the first \[table\]"),
        (AT_THE_TOP, f"{AT_THE_TOP}\nepochs = 2", r"epochs .* under \[training\.overrides\]"),
        (AT_THE_TOP, f"{AT_THE_TOP}\nbuckets = 2", r"buckets .* under \[cities\.<key>\]"),
        (AT_THE_TOP, f"{AT_THE_TOP}\nk = 2", r"k .* under \[folds\]"),
        (
            AT_THE_TOP,
            f'{AT_THE_TOP}\nfolds = "area"',
            r'"area": must be a table, \[folds\]',
        ),
        (AT_THE_TOP, f'{AT_THE_TOP}\nfolds.scheme = "areas"', r'"areas": .*did you mean area\?'),
        (AT_THE_TOP, "", r"date is missing \(postcodes alive on this day"),
        (
            AT_THE_TOP,
            f"{AT_THE_TOP}\ntraining.overrides.epoch = 3",
            r"overrides.*epoch is no setting; did you mean epochs\?",
        ),
        (
            AT_THE_TOP,
            f"{AT_THE_TOP}\nviews.fov_deg = 120\nviews.height_px = 640",
            r"fov_deg, width_px and height_px .* 60 degrees below .*lower fov_deg.* 50 at most",
        ),
        ('["E09000101"]', '["London"]', r'"London": .*such as E09000001$'),
        ('["E09000101"]', '"E09000101"', r"must be a list"),
        ("[cities.alpha]", '[cities."West Side"]', r'"West Side": .*such as west_midlands$'),
        (
            AT_THE_TOP,
            f'{AT_THE_TOP}\nimages.names = ["{{id}}"]',
            r'"\{id\}": says no view.*right',
        ),
        (AT_THE_TOP, f'{AT_THE_TOP}\nimages.names = "{{pid}}_{{view}}"', r"images\.names.*\{id\}"),
        (AT_THE_TOP, f"{AT_THE_TOP}\nimages.names = []", r"images\.names = \[\]: .*at least 1"),
        (
            AT_THE_TOP,
            f'{AT_THE_TOP}\nimages.names = ["{{id}}_{{n,e,s,w}}", "{{id}}_{{N, E, S, W}}"]',
            r"images\.names = .*means the same as",
        ),
        (
            '"crime", "mean_income"',
            '"crimes", "weather"',
            r"did you mean crime\?; .*weather",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_value_and_what_would_be_right(tmp_path, old, new, told):
    assert old in MINIMAL
    with pytest.raises(StudyError, match=told):
        load_study(write(tmp_path, MINIMAL.replace(old, new, 1)))


@given(st.sampled_from([*Study.model_fields, *City.model_fields, *Profile.model_fields]), st.data())
def test_a_letter_too_many_or_too_few_leads_to_the_setting(name, data):
    """Every setting of five letters and more, at the top, of a city and of a profile."""
    assume(len(name) >= 5)
    place = data.draw(st.integers(0, len(name) - 1))
    typo = data.draw(st.sampled_from([name[:place] + name[place + 1 :], f"{name}s", f"x{name}"]))
    model = next(m for m in (Study, City, Profile) if name in m.model_fields)
    assume(typo not in model.model_fields)
    with pytest.raises(ValidationError) as caught:
        model.model_validate({typo: 1})
    (fault,) = [fault for fault in caught.value.errors() if fault["type"] == "extra_forbidden"]
    alone = ValidationError.from_exception_data("typo", [fault])
    assert f"did you mean {name}?" in in_words(alone, model)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("alhpa", r'"alhpa" is neither .* alpha, beta, .*did you mean alpha\?'),
        ("london", r"which has alpha, beta, nor a bundle's file: .*delete \[transfer\]"),
    ],
)
def test_a_source_of_transfer_that_is_nothing_is_refused(tmp_path, source, told):
    text = f'{MINIMAL}\n[transfer]\nsource = "{source}"\n'
    with pytest.raises(StudyError, match=told):
        load_study(write(tmp_path, text))


@pytest.mark.parametrize("source", ["alpha", "inputs/models/other", "other.streetineq"])
def test_a_source_is_a_city_or_a_file(tmp_path, source):
    text = f'{MINIMAL}\n[transfer]\nsource = "{source}"\n'
    assert load_study(write(tmp_path, text)).transfer.source == source


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_study_is_read_whatever_mark_an_editor_put_before_it(tmp_path, encoding):
    path = write(tmp_path, MINIMAL)
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""
    path.write_bytes((mark + MINIMAL).replace("Two towns", "Zwei Städte").encode(encoding))
    assert load_study(path).title == "Zwei Städte"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
def test_a_study_in_another_encoding_is_refused_with_the_line(tmp_path, encoding):
    path = write(tmp_path, MINIMAL)
    path.write_bytes(MINIMAL.lstrip().replace("Two towns", "Zwei Städte").encode(encoding))
    with pytest.raises(StudyError, match=r"study\.toml, line 1, .* save the file as UTF-8"):
        load_study(path)


def test_an_absent_study_says_how_to_make_one(tmp_path):
    with pytest.raises(StudyError, match="streetineq init"):
        load_study(tmp_path / "study.toml")


def test_names_of_images_are_a_list_of_patterns_or_one(tmp_path):
    assert load_study(write(tmp_path, MINIMAL)).images.names == ("{id}_{view}",)
    one = f'{AT_THE_TOP}\nimages.names = "{{id}}/{{heading}}"'
    two = f'{AT_THE_TOP}\nimages.names = ["{{id}}_{{view}}", "{{id}}_{{n,e,s,w}}"]'
    for setting, expected in (
        (one, ("{id}/{heading}",)),
        (two, ("{id}_{view}", "{id}_{n,e,s,w}")),
    ):
        study = load_study(write(tmp_path, MINIMAL.replace(AT_THE_TOP, setting)))
        assert study.images.names == expected


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


def test_how_areas_are_ranked_is_of_no_vintage(tmp_path):
    """Recipes of predictions have had these keys alone, and stay."""
    study = load_study(write(tmp_path, MINIMAL))
    assert set(study.areas.ranking) == {"min_locations", "min_published", "align_folds"}
    assert study.vintage_settings == {}
    of_2021 = load_study(write(tmp_path, MINIMAL + "\n[areas]\nvintage = 'lsoa21'\n"))
    assert of_2021.areas.ranking == study.areas.ranking
    assert of_2021.vintage_settings == {"area_vintage": "lsoa21"}
