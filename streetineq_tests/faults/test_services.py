"""Daemon and code server are killed while each asset is made: its run goes on, and ends once."""

import contextlib
import time

import dagster as dg
import pytest

from streetineq_assets.definitions import build_definitions
from streetineq_assets.instance_state import open_instance
from streetineq_assets.publishing import STAGING
from streetineq_tests.faults.expected import assert_undisturbed
from streetineq_tests.faults.services import enqueue, in_a_hurry, served
from streetineq_tests.faults.studies import CHAIN, want_again

pytestmark = pytest.mark.faults
LIMIT_S = 600.0
MOST_TRIES = 3
_EVERY_S = 0.003


def is_being_made(store, target):
    return any(store.folder(*target).glob(f"{STAGING}*"))


def ended(instance, run):
    return instance.get_run_by_id(run).is_finished


def strike_while(store, target, instance, run, both):
    """Kill both services while the asset is made; whether that moment was seen."""
    deadline = time.monotonic() + LIMIT_S
    looked = time.monotonic()
    while not is_being_made(store, target):
        assert time.monotonic() < deadline, f"{target} is not made"
        if time.monotonic() - looked > 1.0:
            looked = time.monotonic()
            if ended(instance, run):
                return False
        time.sleep(_EVERY_S)
    both.kill("daemon")
    both.kill("code server")
    both.start_all()
    return True


def make_while_services_die(store, target, instance, repository, both):
    """The runs that were asked for until one was seen to be made, the last of them struck."""
    runs = []
    for _ in range(MOST_TRIES):
        want_again(store, target)
        runs.append(enqueue(instance, repository, target))
        struck = strike_while(store, target, instance, runs[-1], both)
        deadline = time.monotonic() + LIMIT_S
        while not ended(instance, runs[-1]):
            assert time.monotonic() < deadline, f"the run of {target} does not end"
            time.sleep(0.2)
        if struck:
            return runs
    raise AssertionError(f"{target} was made unseen")


def test_daemon_and_code_server_are_killed_while_each_asset_is_made(
    store, undisturbed, fault, tmp_path
):
    in_a_hurry(store)
    log, runs = tmp_path / "services.log", []
    repository = build_definitions(store.root).get_repository_def()
    with contextlib.ExitStack() as faults:
        with open_instance(store) as instance, served(store, log) as both:
            for target in CHAIN:
                faults.enter_context(fault("SIGKILL of the daemon"))
                faults.enter_context(fault("SIGKILL of the code server"))
                runs += make_while_services_die(store, target, instance, repository, both)
            known = [run for run in instance.get_runs() if "streetineq/launcher" not in run.tags]
            assert {run.run_id for run in known} == set(runs), "no run was started twice"
            assert {run.status for run in known} == {dg.DagsterRunStatus.SUCCESS}
        assert_undisturbed(store, undisturbed, warehouse=True)
