"""What the executor makes of what Ray says of a step: wait, try again elsewhere, or fail.

Ray's answers are made up here; those of a real cluster are in `test_on_a_cluster`.
"""

from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="Ray is not installed: `uv sync --extra ray`")

import dagster as dg
from dagster._core.executor.step_delegating import StepDelegatingExecutor
from dagster_ray.core.executor import RayStepHandler
from ray.job_submission import JobStatus

from streetineq_assets.cluster import steps as module
from streetineq_assets.cluster.nodes import Needs, Node
from streetineq_assets.cluster.steps import RETRIES, RayExecutor, RaySteps
from streetineq_assets.errors import ClusterError

CPU_NODE, GPU_NODE = Node("10.0.0.1", 8, 0), Node("10.0.0.2", 8, 2)


class Client:
    """Answers with one job's state, or with an error."""

    def __init__(self, status=None, error_type=None, message="", error=None):
        self.info = SimpleNamespace(status=status, error_type=error_type, message=message)
        self.error = error

    def get_address(self):
        return "http://head:8265"

    def get_job_info(self, _):
        if self.error:
            raise self.error
        return self.info

    stop_job = get_job_info


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def steps(tmp_path, monkeypatch):
    steps = RaySteps(tmp_path, 2.0)
    monkeypatch.setattr(steps, "_get_ray_job_submission_id", lambda _: "job")
    monkeypatch.setattr(steps, "_get_step_key", lambda _: "image_codes")
    return steps


def health(steps, client):
    steps.client = client
    return steps.check_step_health(None)


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RUNNING])
def test_a_step_that_runs_or_waits_for_a_place_is_waited_for(steps, status):
    assert health(steps, Client(status)).is_healthy


def test_a_step_that_ended_has_a_while_to_be_heard_of(steps, clock):
    ended = Client(JobStatus.SUCCEEDED)
    assert health(steps, ended).is_healthy
    clock.seconds += 31
    assert "did not say that it ended" in health(steps, ended).unhealthy_reason


def test_a_step_that_somebody_stopped_in_ray_has_failed(steps):
    assert "is stopped" in health(steps, Client(JobStatus.STOPPED)).unhealthy_reason
    assert steps.lost == set()


def test_a_step_that_failed_by_itself_says_so_and_is_not_lost(steps):
    message = "exit code 1\n" + "\n".join(["noise"] * 9 + ["InstanceError: set the variable"])
    failed = Client(JobStatus.FAILED, "JOB_ENTRYPOINT_COMMAND_ERROR", message)
    said = health(steps, failed).unhealthy_reason
    assert said.endswith("InstanceError: set the variable")
    assert said.count("noise") == 4
    assert steps.lost == set()


def test_a_step_whose_node_died_is_lost(steps):
    health(steps, Client(JobStatus.FAILED, "JOB_SUPERVISOR_ACTOR_DIED", "gone"))
    assert steps.lost == {"image_codes"}


@pytest.mark.parametrize("error", [ConnectionError("refused"), RuntimeError("status code 500")])
def test_a_silent_cluster_is_waited_for_and_then_given_up(steps, clock, error):
    silent = Client(error=error)
    assert health(steps, silent).is_healthy
    clock.seconds += 29
    assert health(steps, silent).is_healthy
    assert health(steps, Client(JobStatus.RUNNING)).is_healthy, "it was there again"
    clock.seconds += 29
    assert health(steps, silent).is_healthy
    clock.seconds += 31
    said = health(steps, silent).unhealthy_reason
    assert "the Ray cluster at http://head:8265 has not answered for 30 s" in said
    assert steps.lost == set(), "on another node it would not be started either"


def test_what_cannot_be_stopped_any_more_is_said(steps, monkeypatch):
    steps.client = Client(error=ConnectionError("refused"))
    monkeypatch.setattr(dg.DagsterEvent, "engine_event", lambda _, message, **__: message)
    context = SimpleNamespace(get_step_context=lambda _: None)
    *_, said = steps.terminate_step(context)
    assert said == "the step could not be stopped: refused"


class TestNeeds:
    @pytest.fixture
    def opened(self, steps, monkeypatch):
        def open_cluster(kind, *nodes):
            monkeypatch.setattr(module, "connect", Client)
            monkeypatch.setattr(module, "list_nodes", lambda _: list(nodes))
            steps.open_cluster(kind)
            return steps

        return open_cluster

    @pytest.mark.parametrize(
        ("kind", "nodes", "gpus"),
        [
            ("auto", [CPU_NODE, GPU_NODE], 1),
            ("auto", [CPU_NODE], 0),
            ("auto", [], 0),
            ("gpu", [CPU_NODE], 1),
            ("cpu", [GPU_NODE], 0),
        ],
    )
    def test_steps_of_the_pool_ask_for_a_gpu_by_the_kind_of_the_device(
        self, opened, kind, nodes, gpus
    ):
        steps = opened(kind, *nodes)
        assert steps.needs("gpu", {}) == Needs(2, gpus)
        assert steps.needs(None, {}) == Needs(2, 0)

    def test_the_tag_of_an_asset_has_the_last_word(self, opened):
        steps = opened("auto", GPU_NODE)
        tags = {"dagster-ray/config": '{"num_cpus": 6, "num_gpus": 2}'}
        assert steps.needs("gpu", tags) == Needs(6, 2)


class TestLaunch:
    @pytest.fixture
    def context(self):
        step = SimpleNamespace(pool="gpu", tags={})
        return SimpleNamespace(get_step_context=lambda _: SimpleNamespace(step=step))

    def test_a_step_is_submitted_with_what_it_needs_and_the_environment(
        self, steps, context, monkeypatch
    ):
        submitted = []

        def launch(self, _):
            yield submitted.append((self.num_cpus, self.num_gpus, list(self.env_vars)))

        monkeypatch.setattr(RayStepHandler, "launch_step", launch)
        steps.lost.add("image_codes")
        list(steps.launch_step(context))
        ((cpus, gpus, variables),) = submitted
        assert (cpus, gpus) == (2, None)
        assert "OMP_NUM_THREADS=2" in variables
        assert steps.lost == set()

    @pytest.mark.parametrize("error", [ConnectionError("refused"), RuntimeError("status code 500")])
    def test_a_cluster_that_takes_no_step_is_named(self, steps, context, monkeypatch, error):
        def launch(*_):
            raise error
            yield

        monkeypatch.setattr(RayStepHandler, "launch_step", launch)
        steps.client = Client()
        with pytest.raises(ClusterError, match="http://head:8265 took no step"):
            list(steps.launch_step(context))


class TestRun:
    @pytest.fixture
    def execute(self, tmp_path, monkeypatch):
        """A run of one step; another, which no node can hold, is left out."""
        monkeypatch.setattr(module, "connect", Client)
        monkeypatch.setattr(module, "list_nodes", lambda _: [CPU_NODE])
        monkeypatch.setattr(StepDelegatingExecutor, "execute", lambda *_: iter(["begun"]))
        large = {"dagster-ray/config": '{"num_cpus": 99}'}
        plan = SimpleNamespace(
            steps=[
                SimpleNamespace(key="image_codes", pool="gpu", tags={}),
                SimpleNamespace(key="left_out", pool=None, tags=large),
            ],
            step_keys_to_execute=["image_codes"],
        )

        def execute(kind):
            config = {"resources": {"gpu": {"config": {"kind": kind}}}}
            run = SimpleNamespace(run_config=config)
            context = SimpleNamespace(dagster_run=run, instance=SimpleNamespace())
            monkeypatch.setattr(module, "_require_shared_storage", lambda *_: None)
            return list(RayExecutor(tmp_path, 1.0).execute(context, plan))

        return execute

    def test_it_begins_where_all_of_its_steps_have_a_place(self, execute):
        assert execute("auto") == ["begun"]

    def test_it_does_not_begin_where_one_has_none(self, execute):
        with pytest.raises(ClusterError, match="image_codes asks for 1 CPUs and 1 GPUs"):
            execute("gpu")


class TestRetries:
    @pytest.fixture
    def decided(self, tmp_path, monkeypatch):
        for name in ("step_retry_event", "step_failure_event"):
            monkeypatch.setattr(dg.DagsterEvent, name, lambda *_, name=name, **__: name)
        executor = RayExecutor(tmp_path, 1.0)
        step = SimpleNamespace(step=SimpleNamespace(key="image_codes"))

        def decide(*, lost, before):
            executor.steps.lost = {"image_codes"} if lost else set()
            counts = SimpleNamespace(get_attempt_count=lambda _: before)
            state = SimpleNamespace(get_retry_state=lambda: counts)
            error = dg._utils.error.SerializableErrorInfo("lost", [], None)
            return executor.log_failure_or_retry_event_after_error(step, error, state)

        return decide

    def test_a_lost_step_is_tried_again_so_many_times(self, decided):
        decisions = [decided(lost=True, before=before) for before in range(RETRIES + 1)]
        assert decisions == ["step_retry_event"] * RETRIES + ["step_failure_event"]

    def test_a_step_that_failed_otherwise_is_not(self, decided):
        assert decided(lost=False, before=0) == "step_failure_event"


class TestStorage:
    @pytest.fixture
    def sqlite(self, tmp_path):
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            yield instance

    def test_machines_do_not_share_sqlite(self, sqlite):
        with pytest.raises(ClusterError, match=r"2 machines.*STREETINEQ_POSTGRES_URL"):
            module._require_shared_storage(sqlite, [CPU_NODE, GPU_NODE])

    def test_nodes_of_one_machine_do(self, sqlite):
        module._require_shared_storage(sqlite, [CPU_NODE, CPU_NODE])

    def test_machines_share_postgres(self):
        class PostgresEventLogStorage:
            pass

        postgres = SimpleNamespace(event_log_storage=PostgresEventLogStorage())
        module._require_shared_storage(postgres, [CPU_NODE, GPU_NODE])


@pytest.mark.parametrize(
    ("run_config", "kind"),
    [
        ({}, "auto"),
        ({"resources": {"gpu": {"config": {"kind": "gpu"}}}}, "gpu"),
        ({"resources": {"gpu": {"config": {"gpus": 2}}}}, "auto"),
    ],
)
def test_the_kind_of_the_device_is_read_from_the_run(run_config, kind):
    assert module._kind_of_device(run_config) == kind
