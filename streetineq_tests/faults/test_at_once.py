"""Two processes make one artefact at the same time."""

import pytest

from streetineq_tests.faults.children import Child, Work, do
from streetineq_tests.faults.expected import WAREHOUSE, assert_undisturbed, assert_whole
from streetineq_tests.faults.studies import CHAIN, named, want_again

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("target", CHAIN, ids=named)
def test_both_end_and_the_artefact_is_whole(store, undisturbed, fault, target):
    want_again(store, target)
    with fault("two runs at once"):
        both = [Child(Work(store.root, *target, alone=False)) for _ in range(2)]
        ended = [child.outcome() for child in both]
        assert any(each.succeeded for each in ended), ended
        for each in ended:
            assert each.exit_code == 0
            assert each.said == "" or "another process works in" in each.said, each.said
        assert_whole(store)
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)
