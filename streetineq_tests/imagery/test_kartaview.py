"""KartaView: what it is asked, what its answers become, and how it tells of faults."""

import pytest

from streetineq_assets.imagery import exchange
from streetineq_assets.imagery.providers.kartaview import KartaView
from streetineq_tests.imagery.asked_provider import AROUND, WORLD, asked
from streetineq_tests.imagery.connected import connected


def test_kartaview_circle_holds_the_box(tmp_path):
    with connected(WORLD, tmp_path, "kartaview") as at:
        assert len(at.found(AROUND).captures) == 12
    radius = int(asked(KartaView)[1]["radius"])
    # Half of the diagonal of 0.008 degrees: 889 m northwards and 555 m eastwards.
    assert 524 <= radius <= 526


def test_kartaview_pages_are_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("streetineq_assets.imagery.providers.kartaview._PER_PAGE", 5)
    with connected(WORLD, tmp_path, "kartaview") as at:
        assert len(at.found(AROUND).captures) == 12
        assert at.server.seen["search"] == 3


def test_kartaview_circle_with_too_much_in_it_is_split(tmp_path):
    with connected(WORLD, tmp_path, "kartaview", limit=9) as at:
        found = at.found(AROUND)
        assert len(found.captures) == 12
        assert found.n_boxes == 4
        assert at.client.faults["query_timeout"] == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, 600, None),
        (200, "601", None),
        (200, 408, "query_timeout"),
        (408, 408, "query_timeout"),
        (404, 404, "gone"),
        (200, 400, "not_understood"),
        (200, 401, "refused"),
        (200, 999, "server_error"),
    ],
)
def test_kartaview_errors_are_told_by_their_codes(status, code, kind):
    assert KartaView.explain(status, {"status": {"apiCode": code}}) == kind
    assert KartaView.explain(408, None) == exchange.QUERY_TIMEOUT
    assert KartaView.explain(200, None) is None
