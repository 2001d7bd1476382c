"""Which executor the environment chooses, read by whatever depends on it."""

import os
from importlib.util import find_spec

from streetineq_assets.errors import StudyError

VARIABLE = "STREETINEQ_EXECUTOR"
CPUS = "STREETINEQ_RAY_CPUS"
_CHOICES = ("multiprocess", "ray")


def uses_ray() -> bool:
    """Whether runs spread their steps over a Ray cluster.

    Raises:
        StudyError: the variable has another value, or names Ray and Ray is not installed.
    """
    chosen = os.environ.get(VARIABLE, _CHOICES[0])
    if chosen not in _CHOICES:
        raise StudyError(f"{VARIABLE} is {chosen!r}: expected `multiprocess` or `ray`")
    if chosen != "ray":
        return False
    if find_spec("dagster_ray") is None or find_spec("ray") is None:
        raise StudyError(
            f"{VARIABLE} is `ray`, but Ray is not installed: `uv sync --extra ray` installs it"
        )
    return True


def cpus_of_step() -> float:
    """CPUs that a step reserves on its node where its run does not say: `STREETINEQ_RAY_CPUS`.

    Raises:
        StudyError: it is no number above 0.
    """
    text = os.environ.get(CPUS, "1")
    try:
        cpus = float(text)
    except ValueError:
        cpus = 0.0
    if not 0 < cpus < float("inf"):
        raise StudyError(f"{CPUS} is {text!r}: expected a number of CPUs above 0, such as 4")
    return cpus
