"""What of this process's environment a step takes to its node.

Nodes are started by whoever runs the cluster, and know no study. Passwords are not passed: Ray
shows the environment of its jobs to everybody who may look at the cluster.
"""

import os
from pathlib import Path

from streetineq_assets.cluster.choice import VARIABLE

_PASSED = (
    VARIABLE,
    "DAGSTER_HOME",
    "DAGSTER_DISABLE_TELEMETRY",
    "HDF5_USE_FILE_LOCKING",
    "KERAS_HOME",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def step_environment(study: Path, cpus: float) -> dict[str, str]:
    """The variables of a step.

    Args:
        study: the study's folder, at this place on every node.
        cpus: what the step reserves: it has as many threads, and at least one.
    """
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    threads = dict.fromkeys(_THREADS, str(max(1, int(cpus))))
    return {"STREETINEQ_DATA": str(study.resolve())} | passed | threads
