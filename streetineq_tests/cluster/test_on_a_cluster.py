"""Runs on a real Ray cluster on this machine, whose nodes are killed; the content is the same.

The tests follow one another on one cluster, and the last take its nodes away. A GPU is pretended:
Ray gives it out, and no driver is asked.
"""

import pytest

from streetineq_tests.cluster.local_cluster import wait_for
from streetineq_tests.cluster.quick import N_BATCHES
from streetineq_tests.codes.encoded_study import BUCKETS

pytestmark = pytest.mark.slow
FIRST, SECOND = BUCKETS


def test_nothing_of_it_can_be_reached_from_elsewhere(cluster):
    assert cluster.interfaces() == {"lo"}


def test_a_gpu_that_no_node_has_is_refused_at_once(cluster, study):
    result = study.start_on(cluster, FIRST, "gpu").result()
    assert not result["success"]
    assert result["seconds"] < 60
    (said,) = result["said"]
    assert "image_codes asks for 1 CPUs and 1 GPUs on one node, and no node has as many" in said
    assert study.seen() == []


def test_where_a_node_has_a_gpu_extraction_asks_for_it(cluster, study):
    cluster.start("node_b", "--num-cpus=1", "--num-gpus=1")
    result = study.start_on(cluster, FIRST).result()
    assert result["success"], result["said"]
    assert cluster.attempts(result["run_id"]) == ["node_b"]
    assert {batch["CUDA_VISIBLE_DEVICES"] for batch in study.seen()} == {"0"}


def test_buckets_run_on_both_nodes_with_the_environment_of_the_study(cluster, study, undisturbed):
    study.slow_down(0.5)
    runs = [study.start_on(cluster, key, "cpu") for key in BUCKETS]
    results = [run.result() for run in runs]
    assert [result["said"] for result in results] == [[], []]
    assert [result["success"] for result in results] == [True, True]
    where = [cluster.attempts(result["run_id"]) for result in results]
    assert sorted(where) == [["node_a"], ["node_b"]]
    assert study.digests() == undisturbed
    expected = {
        "STREETINEQ_DATA": str(study.root),
        "STREETINEQ_EXECUTOR": "ray",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": None,
    }
    assert study.seen() == [expected] * sum(N_BATCHES.values())


def test_a_step_whose_node_is_lost_resumes_on_another(cluster, study, undisturbed):
    study.slow_down(1.5)
    run = study.start_on(cluster, FIRST, "cpu")
    study.wait_for_batches(4)
    (lost,) = cluster.attempts_now()
    cluster.kill(lost)
    encoded = len(study.seen())
    result = run.result()
    (other,) = {"node_a", "node_b"} - {lost}
    assert result["success"], result["said"]
    assert cluster.attempts(result["run_id"]) == [lost, other]
    assert result["events"].count("STEP_UP_FOR_RETRY") == 1
    assert result["slots"] == 0
    assert study.digests() == {FIRST: undisturbed[FIRST]}
    assert len(study.seen()) < encoded + N_BATCHES[FIRST], "finished parts are not encoded again"


def test_a_run_whose_head_is_lost_fails_and_loses_nothing(cluster, study, undisturbed):
    study.slow_down(8)
    run = study.start_on(cluster, FIRST, "cpu")
    study.wait_for_batches(1)
    cluster.kill("head")
    result = run.result()
    assert not result["success"]
    assert any("has not answered for 30 s" in said for said in result["said"]), result["said"]
    assert result["events"].count("STEP_UP_FOR_RETRY") == 0
    assert result["slots"] == 0

    refused = study.start_on(cluster, FIRST, "cpu").result()
    assert refused["seconds"] < 60
    (said,) = refused["said"]
    assert "no Ray cluster answers at 127.0.0.1:6379, which RAY_ADDRESS names" in said

    # A step outlives the head of its cluster, and ends as if nothing had been.
    wait_for(lambda: not study.is_taken(FIRST), 240)
    study.slow_down(0)
    study.run_here(FIRST)
    assert study.digests() == {FIRST: undisturbed[FIRST]}
    assert len(study.seen()) <= N_BATCHES[FIRST] + 1, "finished parts are not encoded again"
