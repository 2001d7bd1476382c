"""Every run of a study, from nothing to the report, while one step in five is killed."""

import contextlib
import random
import signal
import zlib

import pytest

from streetineq_assets.definitions import build_definitions
from streetineq_assets.run import planned_runs
from streetineq_assets.stages import STAGES
from streetineq_assets.store import DataStore
from streetineq_tests.chain import write_small_study
from streetineq_tests.faults.children import Work, do, use_study
from streetineq_tests.faults.expected import assert_undisturbed
from streetineq_tests.faults.points import POINTS

pytestmark = pytest.mark.faults
SEED, SHARE, MOST_TRIES = 2019, 0.2, 8
ANYWHERE = [point for point in POINTS if not point.startswith("after")]


def steps(root):
    """Every artefact of the study with its partition, in the order in which it is made."""
    assets = {stage.job: stage.assets for stage in STAGES}
    definitions = build_definitions(root)
    order = {key.to_user_string(): n for n, key in enumerate(_in_order(definitions))}
    for run in planned_runs(definitions):
        for asset in sorted(assets[run.job], key=order.__getitem__):
            yield asset, run.partition


def _in_order(definitions):
    return definitions.resolve_asset_graph().toposorted_asset_keys


def test_a_back_fill_with_killed_steps_ends_as_one_without(tmp_path, fault, request):
    root = tmp_path / "study"
    write_small_study(root)
    use_study(root)
    store, killed, done = DataStore(root), 0, 0
    with contextlib.ExitStack() as faults:
        for asset, partition in steps(root):
            moments = random.Random(SEED + zlib.crc32(f"{asset}/{partition}".encode()))
            for _ in range(MOST_TRIES):
                dies = moments.choice(ANYWHERE) if moments.random() < SHARE else ""
                outcome = do(Work(root, asset, partition, dies=dies))
                if outcome.exit_code != -signal.SIGKILL:
                    break
                faults.enter_context(fault("SIGKILL in a back-fill"))
                killed += 1
            assert outcome.succeeded, outcome.said
            done += 1
        assert killed >= SHARE / 2 * done
        undisturbed = request.getfixturevalue("undisturbed")
        assert_undisturbed(store, undisturbed, warehouse=True)
