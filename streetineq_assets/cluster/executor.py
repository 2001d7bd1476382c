"""Dagster's executor on a Ray cluster: the steps of a run are Ray jobs on its nodes.

Built on dagster-ray's step handler. Added is what a study needs: no run waits for a cluster that is
not there or cannot hold a step, nodes get the study's environment, and a step whose node was lost
runs on another.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from streetineq_assets.cluster.choice import cpus_of_step

if TYPE_CHECKING:
    from dagster import Executor


def ray_executor(study: Path) -> dg.ExecutorDefinition:
    """The executor of a study; Ray is imported when a run begins.

    Raises:
        StudyError: `STREETINEQ_RAY_CPUS` is no number of CPUs.
    """
    num_cpus = dg.Field(
        float,
        default_value=cpus_of_step(),
        description="CPUs that a step reserves on its node, and threads that it starts",
    )

    @dg.executor(
        name="ray",
        config_schema={"num_cpus": num_cpus},
        requirements=dg.multiple_process_executor_requirements(),
    )
    def on_ray(init_context: dg.InitExecutorContext) -> "Executor":
        from streetineq_assets.cluster.steps import RayExecutor

        config: Any = init_context.executor_config
        return RayExecutor(study, config["num_cpus"])

    return on_ray
