"""What licences of weights allow: a table, and the check that asks it."""

import pytest

from streetineq_assets.codes.encoders.checks import encoder_allowed
from streetineq_assets.codes.encoders.licences import ACTS, find_licence, known_licences
from streetineq_assets.encoder_settings import KerasEncoder
from streetineq_assets.image_settings import Rights
from streetineq_tests.codes.fakes import IDENTITY

ALL = Rights(publish_codes=True, commercial=True)


def check(licence="", rights=Rights(), *, weights="file", stated=None):  # noqa: B008 - frozen
    identity = IDENTITY.model_copy(update={"licence": licence, "weights": weights})
    return encoder_allowed(identity, KerasEncoder(licence=stated), rights)


@pytest.mark.parametrize("licence", ["Apache-2.0", "MIT", "CC-BY-4.0", "LicenseRef-own"])
def test_what_allows_all_holds_whatever_a_study_does(licence):
    found = check(licence, ALL)
    assert found.result == "holds"
    assert licence in found.description


@pytest.mark.parametrize(
    ("licence", "rights", "forbidden"),
    [
        ("CC-BY-NC-4.0", Rights(commercial=True), "commercially"),
        ("LicenseRef-NVIDIA-research", Rights(commercial=True), "commercially"),
        ("CC-BY-NC-ND-4.0", Rights(publish_codes=True), "publish their codes"),
    ],
    ids=["commercial", "nvidia", "publish"],
)
def test_what_forbids_an_act_blocks_studies_that_do_it_and_no_others(licence, rights, forbidden):
    found = check(licence, rights)
    assert (found.result, found.blocking) == ("does not hold", True)
    assert forbidden in found.description
    assert "[rights]" in found.description
    assert check(licence).result == "holds"


@pytest.mark.parametrize("licence", ["", "Artistic-2.0"], ids=["none", "unknown"])
def test_what_nobody_knows_blocks_nothing_and_is_not_tested(licence):
    found = check(licence, ALL)
    assert found.passed
    assert found.result == "not tested"


def test_where_a_licence_is_silent_the_act_is_named():
    found = check("LicenseRef-DINOv3", ALL)
    assert found.result == "not tested"
    assert "publish their codes" in found.description


def test_what_the_study_states_comes_before_what_is_known_of_the_publisher():
    assert check("CC-BY-NC-4.0", ALL, stated="MIT").result == "holds"
    assert check("MIT", ALL, stated="CC-BY-NC-4.0").result == "does not hold"


@pytest.mark.parametrize("weights", ["random", "none"])
def test_weights_that_nobody_trained_have_no_licence(weights):
    assert check(weights=weights, rights=ALL).result == "holds"


@pytest.mark.parametrize("written", ["apache 2.0", "Apache-2.0", "Apache License 2.0", "APACHE"])
def test_licences_are_known_in_any_spelling(written):
    assert find_licence(written).name == "Apache-2.0"


def test_the_table_answers_every_act_with_one_of_three_words():
    for licence in known_licences().values():
        assert licence.permits.keys() == set(ACTS)
        assert set(licence.permits.values()) <= {"yes", "no", "unknown"}
