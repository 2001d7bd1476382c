"""What the sensor remembers: work is asked for once, and again when there is a reason."""

import datetime as dt

import pytest

from streetineq_assets.outdated import Work
from streetineq_assets.requested import AGAIN_AFTER, Requested, name_of
from streetineq_assets.stages import CODES, REPORT

NOW = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)
FIRST, SECOND = (Work(CODES, f"london/00{n}", "new images", "a") for n in (1, 2))


def after(cursor, passed=dt.timedelta(minutes=5)):
    return Requested.read(cursor, NOW + passed)


def asked(*work):
    """The cursor after these were asked for."""
    requested = Requested.read(None, NOW)
    for each in requested.due(work, ()):
        requested.ask(each)
    return requested.cursor()


def test_work_is_named_by_its_job_and_partition():
    assert name_of(FIRST) == "extract_codes london/001"
    assert name_of(Work(REPORT, None, "", "")) == "publish_report"


def test_work_is_asked_for_once():
    requested = after(asked(FIRST))
    assert requested.due([FIRST, SECOND], ()) == [SECOND]


def test_other_inputs_are_a_reason_to_ask_again_at_once():
    changed = FIRST._replace(state="b")
    assert after(asked(FIRST)).due([changed], ()) == [changed]


@pytest.mark.parametrize(
    ("passed", "again"), [(AGAIN_AFTER - dt.timedelta(seconds=1), False), (AGAIN_AFTER, True)]
)
def test_what_came_to_nothing_is_asked_for_again_after_a_day(passed, again):
    assert bool(after(asked(FIRST), passed).due([FIRST], ())) is again


def test_what_is_under_way_is_not_asked_for_whatever_has_changed():
    requested = after(asked(FIRST), 2 * AGAIN_AFTER)
    assert requested.due([FIRST._replace(state="b")], {name_of(FIRST)}) == []
    assert Requested.read(requested.cursor(), NOW).before, "it is remembered until it is done"


def test_what_is_done_is_forgotten_so_that_the_same_change_can_come_back():
    requested = after(asked(FIRST))
    assert requested.due([], ()) == []
    assert after(requested.cursor()).due([FIRST], ()) == [FIRST]


def test_what_was_due_and_not_asked_for_is_due_at_the_next_tick():
    requested = after(None)
    requested.due([FIRST], ())
    assert after(requested.cursor()).due([FIRST], ()) == [FIRST]


def test_no_two_requests_have_one_key():
    keys = {after(None, dt.timedelta(minutes=n)).ask(FIRST) for n in range(3)}
    assert len(keys) == 3


def test_the_cursor_of_an_earlier_version_is_none():
    assert after('["alpha@1@never"]').before == {}
