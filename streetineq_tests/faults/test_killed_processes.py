"""As runs from the UI: a step's own process is killed, or the run's, whose step goes on alone."""

import signal

import dagster as dg
import pytest

from streetineq_assets.instance_state import UNFINISHED, open_instance
from streetineq_tests.faults.children import Work, do
from streetineq_tests.faults.expected import WAREHOUSE, assert_undisturbed, assert_whole
from streetineq_tests.faults.studies import CHAIN, named, want_again

pytestmark = pytest.mark.faults
POINT = "in the middle of writing"


@pytest.mark.parametrize("target", CHAIN, ids=named)
def test_a_run_says_that_its_step_was_killed(store, undisturbed, fault, target):
    want_again(store, target)
    with fault("SIGKILL of a step"):
        killed = do(Work(store.root, *target, processes=True, dies=POINT))
        assert killed.exit_code == 0, killed
        assert "ChildProcessCrashException" in killed.said, killed.said
        with open_instance(store) as instance:
            assert instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) == []
        assert_whole(store)
        again = do(Work(store.root, *target, processes=True))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)


@pytest.mark.parametrize("target", CHAIN, ids=named)
def test_what_a_killed_run_left_is_made_up_for(store, undisturbed, fault, target):
    want_again(store, target)
    with fault("SIGKILL of a run worker"):
        killed = do(Work(store.root, *target, processes=True, dies=POINT, victim="run worker"))
        assert killed.exit_code == -signal.SIGKILL, killed
        assert_whole(store)
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)
