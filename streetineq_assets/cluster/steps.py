"""A run's steps as Ray jobs: submitted, watched, and started again where a node was lost.

Dagster has no public way to write such an executor; as dagster-ray does, this takes its base class.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.execution.plan.objects import (
    StepFailureData,
    StepRetryData,
    UserFailureData,
)
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import CheckStepHealthResult, StepDelegatingExecutor
from dagster_ray.configs import RayExecutionConfig
from dagster_ray.core.executor import RayStepHandler

from streetineq_assets.cluster.environment import step_environment
from streetineq_assets.cluster.nodes import Needs, Node, connect, list_nodes, require_place
from streetineq_assets.errors import ClusterError

if TYPE_CHECKING:
    from dagster._core.executor.step_delegating import StepHandlerContext

RETRIES = 2  # of a step, each after the loss of its node
CHECK_EVERY_S = 5
PATIENCE_S = 30.0  # for which a cluster may be silent, or a step that has ended
GPU_POOL = "gpu"
_LOST = ("JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE")
_LAST_LINES = 5


class RayExecutor(StepDelegatingExecutor):
    """Looks at the cluster before a run begins, and repeats steps whose node was lost."""

    def __init__(self, study: Path, num_cpus: float) -> None:
        self.steps = RaySteps(study, num_cpus)
        super().__init__(
            self.steps,
            retries=RetryMode.ENABLED,
            check_step_health_interval_seconds=CHECK_EVERY_S,
            should_verify_step=True,
        )

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Run the plan's steps on the cluster.

        Raises:
            ClusterError: no cluster answers, a step fits on no node, or the run's storage cannot
                be reached from several machines. Nothing was started.
        """
        self.steps.open_cluster(_kind_of_device(plan_context.dagster_run.run_config))
        _require_shared_storage(plan_context.instance, self.steps.nodes)
        for step in execution_plan.steps:
            if step.key in execution_plan.step_keys_to_execute:
                require_place(step.key, self.steps.needs(step.pool, step.tags), self.steps.nodes)
        yield from super().execute(plan_context, execution_plan)

    def log_failure_or_retry_event_after_error(
        self, step_context: Any, err_info: Any, known_state: Any
    ) -> dg.DagsterEvent:
        """What becomes of a step that was found dead: Dagster calls it for no other failure."""
        key = step_context.step.key
        before = known_state.get_retry_state().get_attempt_count(key)
        if key in self.steps.lost and before < RETRIES:
            retry = StepRetryData(error=err_info, seconds_to_wait=None)
            return dg.DagsterEvent.step_retry_event(step_context, retry)
        explained = UserFailureData("cluster", err_info.message)  # not an error of the platform
        return dg.DagsterEvent.step_failure_event(
            step_context, StepFailureData(error=err_info, user_failure_data=explained)
        )


class RaySteps(RayStepHandler):
    """One run's steps on the cluster.

    Attributes:
        nodes: those that were up when the run began.
        lost: keys of the steps whose last attempt ended with its node.
    """

    def __init__(self, study: Path, num_cpus: float) -> None:
        unset: Any = None  # the client is known when a run begins, the rest with each step
        super().__init__(unset, unset, unset, unset, unset, unset, unset)
        self.nodes: list[Node] = []
        self.lost: set[str] = set()
        self._study, self._cpus, self._gpus = study, num_cpus, 0.0
        self._silent_since: float | None = None
        self._ended: dict[str, float] = {}

    def open_cluster(self, kind: str) -> None:
        """Connect, and settle what a step of the pool `gpu` asks for.

        Args:
            kind: of the resource `gpu`: `gpu` asks for one in any case, `auto` where a node has
                one, `cpu` never.

        Raises:
            ClusterError: no cluster answers.
        """
        self.client = connect()
        self.nodes = list_nodes(self.client)
        most = max((node.gpus for node in self.nodes), default=0.0)
        self._gpus = {"gpu": 1.0, "cpu": 0.0}.get(kind, min(1.0, most))

    def needs(self, pool: str | None, tags: Any) -> Needs:
        """What a step asks for; its tag `dagster-ray/config` has the last word."""
        tagged = RayExecutionConfig.from_tags(tags)
        gpus = self._gpus if pool == GPU_POOL else 0.0
        return Needs(
            self._cpus if tagged.num_cpus is None else tagged.num_cpus,
            gpus if tagged.num_gpus is None else tagged.num_gpus,
        )

    def launch_step(self, step_handler_context: "StepHandlerContext") -> Iterator[dg.DagsterEvent]:
        """Submit a step.

        Raises:
            ClusterError: the cluster does not take it.
        """
        key = self._get_step_key(step_handler_context)
        step = step_handler_context.get_step_context(key).step
        needs = self.needs(step.pool, step.tags)
        self.num_cpus, self.num_gpus = needs.cpus, needs.gpus or None
        variables = step_environment(self._study, needs.cpus)
        self.env_vars = [f"{name}={value}" for name, value in variables.items()]
        self.lost.discard(key)
        try:
            yield from super().launch_step(step_handler_context)
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"the Ray cluster at {self.client.get_address()} took no step ({error}): look at "
                "`ray status`, and run this again; what was published is kept"
            ) from error

    def check_step_health(
        self, step_handler_context: "StepHandlerContext"
    ) -> CheckStepHealthResult:
        """Whether a step is still to be waited for."""
        job = self._get_ray_job_submission_id(step_handler_context)
        try:
            info = self.client.get_job_info(job)
        except (OSError, RuntimeError):
            return self._silence()
        self._silent_since = None
        if info is None or not info.status.is_terminal():
            return CheckStepHealthResult.healthy()
        if info.status == "FAILED":
            return self._failed(self._get_step_key(step_handler_context), info)
        # It wrote its last event before it ended, which is read within a moment.
        since = self._ended.setdefault(job, time.monotonic())
        if time.monotonic() - since < PATIENCE_S and info.status == "SUCCEEDED":
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(
            f"Ray job {job} is {info.status.lower()}, and the step did not say that it ended"
        )

    def terminate_step(
        self, step_handler_context: "StepHandlerContext"
    ) -> Iterator[dg.DagsterEvent]:
        """Stop a step; where the cluster is gone, there is none."""
        try:
            yield from super().terminate_step(step_handler_context)
        except (OSError, RuntimeError) as error:
            step = step_handler_context.get_step_context(self._get_step_key(step_handler_context))
            said = f"the step could not be stopped: {error}"
            yield dg.DagsterEvent.engine_event(step, message=said)

    def _failed(self, key: str, info: Any) -> CheckStepHealthResult:
        said = "\n".join((info.message or "").strip().splitlines()[-_LAST_LINES:])
        if info.error_type in _LOST:
            self.lost.add(key)
            said = f"its node was lost, or its process killed there ({said})"
        return CheckStepHealthResult.unhealthy(f"the Ray job failed: {said}")

    def _silence(self) -> CheckStepHealthResult:
        """A cluster that does not answer is given up after a while."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since < PATIENCE_S:
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(
            f"the Ray cluster at {self.client.get_address()} has not answered for "
            f"{PATIENCE_S:.0f} s: start it, and run this again; what was published and the "
            "finished parts are kept"
        )


def _kind_of_device(run_config: Mapping[str, Any]) -> str:
    """What a run says of `kind` of the resource `gpu`; `auto` where it is silent."""
    gpu = run_config.get("resources", {}).get("gpu", {})
    return gpu.get("config", {}).get("kind", "auto")


def _require_shared_storage(instance: dg.DagsterInstance, nodes: list[Node]) -> None:
    """Processes of several machines cannot write to one SQLite database.

    Raises:
        ClusterError: they would.
    """
    machines = {node.ip for node in nodes}
    if len(machines) > 1 and "Sqlite" in type(instance.event_log_storage).__name__:
        raise ClusterError(
            f"the cluster has {len(machines)} machines, and this study's runs are in SQLite, "
            "which they cannot share: keep them in Postgres by STREETINEQ_POSTGRES_URL, set where "
            "Dagster and where each node is started"
        )
