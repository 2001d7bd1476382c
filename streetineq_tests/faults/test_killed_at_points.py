"""`streetineq run` is killed at a named moment: the old artefact or the new one, and no litter."""

import signal

import pytest

from streetineq_assets.cleaning import examine_leftovers, remove_unneeded
from streetineq_assets.publishing import remove
from streetineq_assets.study import load_study
from streetineq_tests.faults.children import Work, do
from streetineq_tests.faults.expected import (
    WAREHOUSE,
    assert_undisturbed,
    assert_whole,
    litter,
)
from streetineq_tests.faults.studies import CHAIN, PAIR, REST, Target, named, want_again

pytestmark = pytest.mark.faults

EVERYWHERE = ["in the middle of writing", "between the moves"]
# These do not depend on what is written, but on how many files it is.
ELSEWHERE = [
    "before staging",
    "before the draft",
    "before the files' move",
    "before the sweep",
    "before the event",
]
ONE_FILE, SEVERAL_FILES = Target("image_repeats", "saltbridge"), Target("lsoa_evaluation", PAIR)
KILLS = [
    *((target, point) for target in CHAIN for point in EVERYWHERE),
    *((target, point) for target in (ONE_FILE, SEVERAL_FILES) for point in ELSEWHERE),
    *((target, "between the moves") for target in REST),
    (Target("image_codes", "saltbridge/000"), "after a part"),
    (Target("trained_model", PAIR), "after a checkpoint"),
    (Target("joint_model", "saltbridge"), "after a checkpoint"),
    (Target("fine_tuned_model", PAIR), "after a checkpoint"),
]


@pytest.mark.parametrize(("target", "point"), KILLS, ids=named)
def test_a_run_that_was_killed_is_made_up_for(store, undisturbed, fault, target, point):
    if point == "after a part":  # a bucket that is there has all rows, and nothing is encoded
        remove(store.folder(*target))
    else:
        want_again(store, target)
    with fault("killed run"):
        killed = do(Work(store.root, *target, dies=point))
        assert killed.exit_code == -signal.SIGKILL, killed
        assert_whole(store)
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        if point == "before the sweep":
            clean(store)
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)


def clean(store):
    """What a skip leaves is named by `streetineq clean`, which removes them."""
    left = litter(store)
    unneeded, _ = examine_leftovers(store, load_study(store.study_file))
    assert [f"assets/{each}" for each in left] == [each.what for each in unneeded]
    assert left
    remove_unneeded(store, unneeded)
