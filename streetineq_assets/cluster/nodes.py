"""The Ray cluster that answers, its nodes, and whether they have what a step asks for."""

import os
import re
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from streetineq_assets.errors import ClusterError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ADDRESS = "RAY_ADDRESS"
START = "`ray start --head` starts one on this machine"
_MOST_NODES = 10_000
_ANSWER_S = 10.0
_HOST_AND_PORT = re.compile(r"(?:\w+://)?\[?(?P<host>[^/\]]+)\]?:(?P<port>\d+)/?")


class Needs(NamedTuple):
    """What a step reserves on one node."""

    cpus: float
    gpus: float = 0.0


class Node(NamedTuple):
    """What one machine of the cluster has in all."""

    ip: str
    cpus: float
    gpus: float

    def can_hold(self, needs: Needs) -> bool:
        """Whether a step with these needs runs on it, once it is free."""
        return self.cpus >= needs.cpus and self.gpus >= needs.gpus


def connect() -> "JobSubmissionClient":
    """The cluster that `RAY_ADDRESS` names, else one that runs on this machine.

    Raises:
        ClusterError: none answers, or it refuses.
    """
    from ray.exceptions import RayError
    from ray.job_submission import JobSubmissionClient

    named = os.environ.get(ADDRESS)
    try:
        _require_answer(named or "")
        return JobSubmissionClient()
    except (OSError, RuntimeError, ValueError, RayError) as error:
        if named:
            raise ClusterError(
                f"no Ray cluster answers at {named}, which {ADDRESS} names: start it, or mend the "
                f"variable ({_first_line(error)})"
            ) from error
        raise ClusterError(
            f"no Ray cluster runs on this machine and {ADDRESS} is not set: {START}, and "
            f"{ADDRESS}=host:6379 names one elsewhere"
        ) from error


def _require_answer(address: str) -> None:
    """Connect once: Ray itself tries for 40 s where nobody listens.

    Raises:
        OSError: nobody does.
    """
    if parts := _HOST_AND_PORT.fullmatch(address):
        place = parts["host"], int(parts["port"])
        socket.create_connection(place, timeout=_ANSWER_S).close()


def list_nodes(client: "JobSubmissionClient") -> list[Node]:
    """The nodes that are up.

    Raises:
        ClusterError: the cluster does not say.
    """
    from ray.util.state import list_nodes as ask
    from ray.util.state.exception import RayStateApiException

    address = client.get_address()
    try:
        # Of a node that has just died there is no answer: the others are what counts.
        states = ask(
            address=address,
            filters=[("state", "=", "ALIVE")],
            limit=_MOST_NODES,
            raise_on_missing_output=False,
        )
    except (OSError, RuntimeError, RayStateApiException) as error:
        raise ClusterError(
            f"the Ray cluster at {address} does not list its nodes ({_first_line(error)}): look "
            "at `ray status`"
        ) from error
    return [_node(state.node_ip, state.resources_total or {}) for state in states]


def require_place(step: str, needs: Needs, nodes: Sequence[Node]) -> None:
    """Refuse what would wait for ever: a step that no node of the cluster can hold.

    Raises:
        ClusterError: there is no such node.
    """
    if any(node.can_hold(needs) for node in nodes):
        return
    have = sorted({f"{node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in nodes}) or ["none"]
    raise ClusterError(
        f"{step} asks for {needs.cpus:g} CPUs and {needs.gpus:g} GPUs on one node, and no node "
        f"has as many (nodes: {'; '.join(have)}): add one by `ray start --address=...`, or ask "
        "for less by `kind` of the resource `gpu` and `num_cpus` of the executor"
    )


def _node(ip: str, resources: dict[str, float]) -> Node:
    return Node(ip, resources.get("CPU", 0.0), resources.get("GPU", 0.0))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
