"""Google Street View: what it is asked, what its answers become, and how it tells of faults."""

import pandas as pd
import pytest

from streetineq_assets.errors import ImageryError, StudyError
from streetineq_assets.image_settings import Imagery, Rights
from streetineq_assets.imagery.boxes import around
from streetineq_assets.imagery.providers import provider_of
from streetineq_assets.imagery.providers.google_street_view import GoogleStreetView
from streetineq_assets.images.rights import find_terms
from streetineq_tests.imagery.asked_provider import ONE, Said
from streetineq_tests.imagery.connected import ENVIRONMENT, connected
from streetineq_tests.imagery.world import World


def test_street_view_gives_four_headings_of_one_panorama(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view") as at:
        captures = at.found(around(51.5, -0.12, 30)).captures
        assert captures["compass_deg"].tolist() == [0, 90, 180, 270]
        assert captures["capture_id"].tolist() == ["42_000", "42_090", "42_180", "42_270"]
        assert captures["captured_at"].eq(pd.Timestamp("2016-06-01")).all()
        assert captures["creator"].eq("© Google").all()
        assert not at.provider.keeps_pictures


def test_street_view_without_imagery_is_empty_or_gone(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view") as at:
        assert at.found(around(51.6, -0.12, 30)).captures.empty
        assert at.pictures(["77_090"]) == {"77_090": "gone"}


def test_street_view_addresses_hold_no_key_and_ask_for_an_error_instead_of_a_card(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view") as at:
        (link,) = at.provider.links(["42_090"]).values()
        assert "key=" not in link
        assert "heading=90" in link
        assert "return_error_code=true" in link


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("OK", None),
        ("ZERO_RESULTS", None),
        ("OVER_QUERY_LIMIT", "rate_limited"),
        ("REQUEST_DENIED", "refused"),
        ("UNKNOWN_ERROR", "server_error"),
        ("INVALID_REQUEST", "not_understood"),
    ],
)
def test_street_view_errors_are_told_by_their_words(word, kind):
    assert GoogleStreetView.explain(200, {"status": word}) == kind


def test_street_view_key_that_is_refused_is_told_without_it(tmp_path):
    with connected(World([ONE]), tmp_path, "google_street_view", token="A" * 30) as at:
        with pytest.raises(ImageryError, match="GOOGLE_MAPS_API_KEY") as caught:
            at.found(around(51.5, -0.12, 30))
        assert "The key is invalid" in str(caught.value)
        assert ENVIRONMENT["GOOGLE_MAPS_API_KEY"] not in str(caught.value)


@pytest.mark.parametrize(
    "rights",
    [
        {},
        {"agreements": {"google": {"allows": [], "reason": "none"}}},
        {"agreements": {"mapillary": {"allows": ["derive_codes"], "reason": "another's"}}},
    ],
)
def test_street_view_needs_an_agreement_and_says_which_terms_stand_against_it(rights):
    with pytest.raises(StudyError) as caught:
        provider_of(Imagery(provider="google_street_view"), Rights.model_validate(rights), Said({}))
    message = str(caught.value)
    assert find_terms("provider", "google").conditions in message
    assert "[rights.agreements.google_street_view]" in message
    assert 'allows = ["derive_codes"]' in message


def test_other_providers_need_no_agreement():
    for key in ("mapillary", "panoramax", "kartaview"):
        assert provider_of(Imagery(provider=key), Rights(), Said({})).keeps_pictures
