"""The clock jumps by years, or back: nothing is lost, and nothing is made twice."""

import os
import signal
import time
from functools import partial

import pytest

from streetineq_assets.publishing import STAGING
from streetineq_tests.faults.children import Work, do
from streetineq_tests.faults.clock import DAY_S, jump
from streetineq_tests.faults.expected import WAREHOUSE, assert_undisturbed, assert_whole
from streetineq_tests.faults.studies import CHAIN, PAIR, Target, named, want_again

pytestmark = pytest.mark.faults
JUMPS = {"to 2031": 5 * 365 * DAY_S, "to 1999": -27 * 365 * DAY_S}


@pytest.mark.parametrize("seconds", JUMPS.values(), ids=JUMPS)
@pytest.mark.parametrize("target", [CHAIN[1], CHAIN[2], Target("lsoa_evaluation", PAIR)], ids=named)
def test_what_is_made_at_a_wrong_time_is_the_same(store, undisturbed, fault, target, seconds):
    """It is made at a wrong time and skipped at the right one, and the other way round."""
    want_again(store, target)
    with fault("clock jump"):
        wrong = Work(store.root, *target, prepare=partial(jump, seconds))
        made = do(wrong)
        assert made.succeeded, made.said
        at = store.manifest(*target).published_at
        assert (at.year < 2024) is (seconds < 0)
        for work in (Work(store.root, *target), wrong):
            skipped = do(work)
            assert skipped.succeeded, skipped.said
        assert store.manifest(*target).published_at == at
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)


@pytest.mark.parametrize("seconds", JUMPS.values(), ids=JUMPS)
def test_what_a_killed_run_left_goes_whatever_the_clock_said(store, undisturbed, fault, seconds):
    target = Target("street_images", "saltbridge")
    want_again(store, target)
    with fault("clock jump"):
        killed = do(Work(store.root, *target, dies="in the middle of writing"))
        assert killed.exit_code == -signal.SIGKILL
        assert_whole(store)
        for left in store.folder(*target).glob(f"{STAGING}*"):
            os.utime(left, times=(time.time() + seconds,) * 2)
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed)
