"""Checks of captures: by simulation, where there is something to find and where there is not."""

from dataclasses import replace

import numpy as np
import pytest

from streetineq_assets.images import capture_checks
from streetineq_assets.images.capture_checks import city_findings
from streetineq_assets.images.directions import agreement, wrapped
from streetineq_assets.images.plots import plot_directions
from streetineq_assets.images.tables import CAPTURE_USE
from streetineq_assets.plotting import png_bytes
from streetineq_assets.tables import empty
from streetineq_tests.images.captured import capture, four, listing, place
from streetineq_tests.images.pictures import write_files

NOISE_DEG = 5.0


def found(root, captures, *, places=None, away=()):
    names = [each["capture_id"] for each in captures if each["capture_id"] not in away]
    write_files(root, {f"{name}.jpg": b"x" for name in names})
    return listing(root, places or [place("L")], captures)


def results(listed):
    return {check.name: check for check in city_findings(listed).checks}


# -- headings_agree --------------------------------------------------------------------------------


def share_failed(draw, n, *, times=1000):
    """How often `headings_agree` fails of n differences that are drawn so."""
    drawn = [agreement(wrapped(draw(n))) for _ in range(times)]
    return np.mean(
        [capture_checks.headings_agree(each).result == "does not hold" for each in drawn]
    )


@pytest.fixture
def generator():
    return np.random.default_rng(20)


@pytest.mark.parametrize("n", [5, 9, 10, 11, 12, 15, 20, 50, 200, 1000, 5000])
def test_nothing_is_found_where_nothing_is_planted(generator, n):
    times = 2000 if n <= 200 else 200
    assert share_failed(lambda n: generator.normal(0, NOISE_DEG, n), n, times=times) <= 0.01


@pytest.mark.parametrize("n", [10, 11, 12, 20, 100])
def test_rougher_noise_in_few_captures_is_no_shift(generator, n):
    failed = share_failed(lambda n: generator.normal(0, 1.2 * NOISE_DEG, n), n, times=3000)
    assert failed <= 0.02


@pytest.mark.parametrize("planted", [10, -10])
@pytest.mark.parametrize("n", [20, 50, 200, 1000])
def test_ten_degrees_are_found(generator, planted, n):
    times = 1000 if n <= 200 else 100
    failed = share_failed(lambda n: generator.normal(planted, NOISE_DEG, n), n, times=times)
    assert failed >= 0.99


@pytest.mark.parametrize("turned", [30, 90, 180])
@pytest.mark.parametrize("n", [10, 20, 200])
def test_half_of_them_wrong_are_found(generator, turned, n):
    def mixed(n):
        return generator.normal(0, NOISE_DEG, n) + turned * (np.arange(n) % 2)

    assert share_failed(mixed, n, times=500) >= 0.99


@pytest.mark.parametrize(
    ("turned", "words"),
    [(90, "90 degrees to the right"), (180, "180 degrees backwards"), (-90, "degrees to the left")],
)
def test_a_camera_mounted_another_way_is_said_in_words(generator, turned, words):
    check = capture_checks.headings_agree(
        agreement(wrapped(generator.normal(turned, NOISE_DEG, 60)))
    )
    assert check.result == "does not hold"
    assert words in check.description
    assert check.values["share_far"] == 1


def test_a_median_beside_180_degrees_is_found(generator):
    """Where an ordinary median of -179 and 179 would be about zero."""
    check = capture_checks.headings_agree(agreement(wrapped(generator.normal(180, 3, 100))))
    assert not check.passed
    assert abs(check.values["median_deg"]) > 170


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_directions_are_not_tested(n):
    check = capture_checks.headings_agree(agreement(np.full(n, 90.0)))
    assert (check.result, check.passed) == ("not tested", True)


def test_the_directions_of_a_list_are_compared(tmp_path):
    captures = [
        capture(f"c{n}", (n * 17) % 360, second_compass_deg=(n * 17 - 10) % 360) for n in range(40)
    ]
    findings = city_findings(found(tmp_path, captures))
    (check,) = (each for each in findings.checks if each.name == "headings_agree")
    assert check.result == "does not hold"
    assert "+10.0 degrees" in check.description
    assert findings.values["n_directions_compared"] == 40
    assert findings.values["direction_difference_median_deg"] == pytest.approx(10)


# -- the others ------------------------------------------------------------------------------------


def test_a_city_without_captures_has_nothing_to_test(tmp_path):
    found_ = results(listing(tmp_path, [place("L")], []))
    for spec in capture_checks.CAPTURES:
        check = found_[spec.name]
        assert (check.result, check.passed) == ("not tested", True)
        assert "no list of captures" in check.description


def test_captures_that_are_all_of_use_fail_nothing(tmp_path):
    found_ = results(found(tmp_path, four("f")))
    for spec in (
        capture_checks.CAPTURES_ACCOUNTED,
        capture_checks.CAPTURES_USABLE,
        capture_checks.CAPTURES_NEAR,
    ):
        assert found_[spec.name].result == "holds"
    assert "4 captures = 4 used + 0 not needed + 0 rejected + 0 missing" in (
        found_["captures_accounted"].description
    )


def test_those_that_can_show_nothing_are_counted_by_reason_with_a_remedy(tmp_path):
    captures = [*four("f"), capture("blind", None), capture("gone", 0), capture("x", 0, of="X")]
    listed = found(tmp_path, captures, away=["gone"])
    check = results(listed)["captures_usable"]
    assert not check.passed
    for words in ("3 of 7", "1 no_compass", "1 no_file", "1 unlisted_location", "<capture_id>.jpg"):
        assert words in check.description
    findings = city_findings(listed)
    assert findings.tables["captures_by_reason"] == [
        {"status": "missing", "reason": "no_file", "n_captures": 1},
        {"status": "rejected", "reason": "no_compass", "n_captures": 1},
        {"status": "rejected", "reason": "unlisted_location", "n_captures": 1},
        {"status": "used", "reason": None, "n_captures": 4},
    ]
    assert findings.values["n_captures_used"] == 4
    assert findings.values["n_views_of_captures"] == 4


def test_captures_far_from_every_location_are_no_fault_of_the_list(tmp_path):
    check = results(found(tmp_path, [*four("f"), capture("far", 0, north_m=900)]))
    assert check["captures_usable"].result == "holds"


@pytest.mark.parametrize(("n_away", "result"), [(1, "holds"), (2, "does not hold")])
def test_named_locations_that_lie_far_away_are_doubted(tmp_path, n_away, result):
    places = [place(f"L{n}", n * 1000) for n in range(20)]
    captures = [
        capture(f"p{n}", 0, of=f"L{n}", panorama=True, north_m=n * 1000 + 300 * (n < n_away))
        for n in range(20)
    ]
    check = results(found(tmp_path, captures, places=places))["captures_near"]
    assert check.result == result
    assert f"{n_away} of 20" in check.description


def test_where_no_distance_is_known_none_is_doubted(tmp_path):
    captures = [capture("p", 0, of="L", panorama=True, north_m=None)]
    assert results(found(tmp_path, captures))["captures_near"].result == "not tested"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda use: use.assign(status="used"),
        lambda use: use.assign(reason=None),
        lambda use: use.assign(n_views=use["n_views"] + 1),
        lambda use: use.iloc[[0, 0, 1, 2, 3, 4]],
        lambda use: use.assign(status=use["status"].replace("rejected", "forgotten")),
        lambda use: use.assign(n_views=use["n_views"] * 2),
    ],
)
def test_accounts_that_do_not_add_up_block(tmp_path, spoil):
    listed = found(tmp_path, [*four("f"), capture("blind", None)])
    spoilt = replace(listed, captures=spoil(listed.captures).reset_index(drop=True))
    check = results(spoilt)["captures_accounted"]
    assert check.blocking
    assert check.result == "does not hold"


# -- the figure ------------------------------------------------------------------------------------


def bars(axis):
    return sum(bar.get_height() for bar in axis.patches)


def test_the_figure_shows_a_planted_shift(tmp_path):
    captures = [
        capture(f"c{n}", (n * 17) % 360, second_compass_deg=(n * 17 - 10) % 360) for n in range(40)
    ]
    listed = found(tmp_path, captures)
    figure = plot_directions(listed.captures, "Leeds")
    left, right = figure.axes
    assert bars(left) == 40
    assert left.get_title().startswith("median +10.0")
    tallest = max(left.patches, key=lambda bar: bar.get_height())
    assert tallest.get_x() <= 10 <= tallest.get_x() + tallest.get_width()
    assert bars(right) == (listed.captures["status"] == "used").sum() == 4
    assert len(png_bytes(figure)) < 100_000


def test_each_panel_says_where_it_has_nothing(tmp_path):
    figure = plot_directions(found(tmp_path, four("f")).captures, "Leeds")
    left, right = figure.axes
    assert [text.get_text() for text in left.texts] == ["none"]
    assert bars(right) == 4


def test_there_is_no_figure_of_nothing(tmp_path):
    assert plot_directions(empty(CAPTURE_USE), "Leeds") is None
    panorama = found(tmp_path, [capture("p", 0, panorama=True)]).captures
    assert plot_directions(panorama, "Leeds") is None
